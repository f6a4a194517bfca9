"""/history: a person's own pictures in pages, searched and by favourites; each opens with its card.

Every look asks the studio with the person who looks, so that no id of another's picture leads anywhere.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import discord
from discord import app_commands
from discord.app_commands import locale_str

from realbot.adapters import finds, sentences, verdicts, words
from realbot.adapters.discord import marked, markup, panels, place
from realbot.adapters.discord.card import Cards
from realbot.adapters.discord.files import LIMIT, attached, fitted, renamed
from realbot.adapters.discord.gallery import Gallery
from realbot.adapters.discord.line import Line
from realbot.adapters.discord.panels import Interaction
from realbot.adapters.discord.thumbs import small
from realbot.entries import Entry
from realbot.errors import Refused
from realbot.jobs import Done, Train, User
from realbot.studio import Studio
from realbot.veil import Veil

if TYPE_CHECKING:
    from realbot.adapters.discord import Front

#: Pictures on a page, and the last page that can be turned to.
PAGE, LAST = 5, 400
#: Longer side of the small pictures of a page, in pixels.
SIDE = 256
#: Characters of a search, so that it fits into a control's id; the database looks for whole words anyway.
SEARCH = 48


def register(front: Front) -> None:
    history, gallery = History(front.studio, front.cards), Gallery(front.studio)
    for part in (Line(front.studio, front.clock), history, gallery):
        for command in part.commands():
            front.tree.add_command(command)
        panels.attach(front.client, part.handlers())


@dataclass(frozen=True, slots=True)
class View:
    """Which part of the history is looked at. `top` is the newest entry's `seq` when it was opened, 0 for now."""

    top: int = 0
    page: int = 0
    favourites: bool = False
    search: str = ""

    @classmethod
    def read(cls, arguments: tuple[str, ...]) -> Self:
        """From a control's arguments; what cannot be read is the beginning."""
        top, page, favourites, search = (*arguments, "", "", "", "")[:4]
        return cls(_number(top), min(_number(page), LAST), favourites == "1", search[:SEARCH])

    def written(self) -> tuple[object, ...]:
        return self.top, self.page, int(self.favourites), self.search


class History:
    """The command and its panel."""

    def __init__(self, studio: Studio, cards: Cards) -> None:
        self._studio, self._cards = studio, cards

    def commands(self) -> list[app_commands.Command[Any, ..., Any]]:
        command = app_commands.Command[Any, ..., Any](
            name=locale_str("history"),
            description=locale_str("Your pictures: look through them, search them, open one"),
            callback=self.history,
            allowed_installs=panels.ANY_INSTALL,
            allowed_contexts=panels.ANYWHERE,
        )
        return [command]

    def handlers(self) -> Mapping[str, panels.Handler]:
        return {"history": self.press}

    @app_commands.rename(search=locale_str("search"), favourites=locale_str("favourites"))
    @app_commands.describe(
        search=locale_str("Words of the prompt"), favourites=locale_str("Only those you marked as favourites")
    )
    async def history(
        self, interaction: Interaction, search: app_commands.Range[str, 0, 200] = "", favourites: bool = False
    ) -> None:
        async with panels.speaking(interaction):
            await panels.announce(interaction)
            await self._show(interaction, View(favourites=favourites, search=_words(search)))

    async def press(self, interaction: Interaction, verb: str, arguments: tuple[str, ...], chosen: list[str]) -> None:
        """Turn the page, change what is looked for, or open a picture. Raises NotYours."""
        view = View.read(arguments)
        match verb:
            case "search":
                await interaction.response.send_modal(Search(self, view))
            case "open":
                await self._open(interaction, chosen[0])
            case _:
                await self.turn(interaction, view)

    async def turn(self, interaction: Interaction, view: View) -> None:
        """Show another part of the history in the same message."""
        await panels.announce(interaction)
        await self._show(interaction, view)

    async def _show(self, interaction: Interaction, view: View) -> None:
        user = place.user(interaction)
        entries, more, view = await self._look(user, view)
        files, embeds = [], []
        for number, entry in enumerate(entries, 1):
            veil = await self._studio.safety.veil(entry.id, entry.images)
            embed = discord.Embed(description=_described(entry, veil), colour=panels.COLOUR)
            thumb = await self._thumb(user, entry, veil)
            if thumb is not None:
                name = f"{number}.webp"
                files.append(
                    discord.File(io.BytesIO(thumb), name, description=markup.plain(words.alt(entry.request), 1000))
                )
                embed.set_thumbnail(url=f"attachment://{name}")
            embeds.append(embed)
        if not embeds:
            text = sentences.history_empty(searching=bool(view.search), favourites=view.favourites)
            embeds.append(discord.Embed(description=text, colour=panels.COLOUR))
        first = view.page * PAGE + 1
        await panels.show(
            interaction,
            marked.history_title(first, first + len(entries) - 1, markup.escaped(view.search), view.favourites)
            + (f" · {finds.meant()}" if any(entry.meant for entry in entries) else ""),
            embeds=embeds,
            files=files,
            view=_controls(view, entries, more),
        )

    async def _open(self, interaction: Interaction, job_id: str) -> None:
        """Show one picture as large as it is, with its card, beside the list. Raises NotYours, Invalid when lost."""
        await panels.announce(interaction, beside=True)
        user = place.user(interaction)
        entry = await self._studio.entry(user, job_id)
        done = Done(entry.images, entry.seed, entry.seconds, entry.cached, entry.notes)
        server = place.origin(interaction).server_key
        card = await self._cards.kept(user, entry.id, entry.request, done, favourite=entry.favourite, server=server)
        pictures = card.images or ()
        files = [attached(one) for one in await fitted(pictures, interaction.filesize_limit or LIMIT)]
        await panels.show(interaction, embeds=renamed(card.embeds, pictures, files), files=files, view=card.view)

    async def _look(self, user: User, view: View) -> tuple[list[Entry], bool, View]:
        """The entries of a page, whether older ones follow, and the view as it turned out."""
        limit = (view.page + 1) * PAGE + 1
        before = view.top + 1 if view.top else None
        found = await self._studio.history(user, limit, before, view.search, favourites=view.favourites)
        if view.page and len(found) <= view.page * PAGE:
            # What was there has been deleted meanwhile.
            view = replace(view, page=max(len(found) - 1, 0) // PAGE)
        entries = found[view.page * PAGE : (view.page + 1) * PAGE]
        more = len(found) > (view.page + 1) * PAGE and view.page < LAST
        return entries, more, view if view.top or not found else replace(view, top=found[0].seq)

    async def _thumb(self, user: User, entry: Entry, veil: Veil) -> bytes | None:
        if not entry.images or veil == "withhold":
            return None
        try:
            path = await self._studio.picture(user, entry.images[0])
        except Refused:
            return None
        return await small(path, SIDE, veiled=veil == "spoiler")


class Search(discord.ui.Modal):
    """Asks for the words to look for."""

    def __init__(self, history: History, view: View) -> None:
        super().__init__(title=sentences.search_title(), timeout=900)
        self._history, self._view = history, view
        self.field: discord.ui.TextInput[Search] = discord.ui.TextInput(
            default=view.search, required=False, max_length=SEARCH
        )
        self.add_item(discord.ui.Label(text=sentences.search_label(), component=self.field))

    async def on_submit(self, interaction: Interaction) -> None:
        view = View(favourites=self._view.favourites, search=_words(self.field.value))
        async with panels.speaking(interaction):
            await self._history.turn(interaction, view)


def _controls(view: View, entries: list[Entry], more: bool) -> discord.ui.View:
    controls: list[panels.PanelButton | panels.PanelMenu] = []
    if entries:
        options = [
            discord.SelectOption(
                label=markup.plain(words.subject(entry.request), 100) or "–",
                value=entry.id,
                description=markup.plain(words.recipe(entry.request), 100),
                emoji="⭐" if entry.favourite else None,
            )
            for entry in entries
        ]
        controls.append(panels.menu(sentences.history_open(), "history", "open", options=options, row=0))

    def turn(label: str, verb: str, to: View, emoji: str, *, disabled: bool = False, row: int = 1) -> None:
        controls.append(panels.button(label, "history", verb, *to.written(), emoji=emoji, disabled=disabled, row=row))

    turn(sentences.newer(), "newer", replace(view, page=max(view.page - 1, 0)), "◀️", disabled=view.page == 0)
    turn(sentences.older(), "older", replace(view, page=view.page + 1), "▶️", disabled=not more)
    start = View(favourites=view.favourites, search=view.search)
    toggled = replace(start, favourites=not view.favourites)
    turn(sentences.everything() if view.favourites else sentences.only_favourites(), "favourites", toggled, "⭐", row=2)
    turn(sentences.search_title(), "search", view, "🔎", row=2)
    if view.search:
        turn(sentences.search_clear(), "clear", replace(start, search=""), "✖️", row=2)
    return panels.panel(controls)


def _described(entry: Entry, veil: Veil) -> str:
    """An entry in two lines: what it is, and when it was made with what."""
    parts = [f"<t:{int(entry.created)}:R>"]
    if len(entry.images) > 1:
        parts.append(sentences.pictures(len(entry.images)))
    if entry.images and not isinstance(entry.request, Train):
        parts.append(sentences.seed(entry.seed))
    closed = verdicts.hidden() if veil == "withhold" else ""
    state = closed or (entry.state == "kept" and marked.undelivered(entry.detail)) or sentences.state(entry.state)
    if state:
        parts.append(state)
    star = ("⭐ " if entry.favourite else "") + (f"{finds.MEANT} " if entry.meant else "")
    return f"{star}{markup.escaped(words.subject(entry.request), 300)}\n{' · '.join(parts)}"


def _words(text: str) -> str:
    return " ".join(text.replace(":", " ").split())[:SEARCH].strip()


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 16 else 0
