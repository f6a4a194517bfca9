"""/help and /start: how to ask for pictures, on one page, and what an address with a word after it opens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from realbot.adapters import captions, sentences, words
from realbot.adapters.files import Picture
from realbot.adapters.telegram import controls, place, sayings
from realbot.adapters.telegram.card import recipe
from realbot.adapters.telegram.courier import done_of
from realbot.adapters.telegram.screens import Key, Screen, Viewer
from realbot.adapters.telegram.text import CAPTION, Text, bold, code, small, units
from realbot.entries import Entry
from realbot.errors import Invalid, NotYours, Refused
from realbot.jobs import Generate, Origin, User

if TYPE_CHECKING:
    from realbot.adapters.telegram import Front
    from realbot.adapters.telegram.asked import Asked

#: What an address may open by its name.
SCREENS = frozenset({"history", "settings", "privacy", "link", "help"})
#: An address that shows a shared recipe.
RECIPE = re.compile(r"r_(?P<code>[A-Za-z0-9_-]{16,20})")
#: An address that stands in a question about a look.
LOOK = re.compile(r"l_(?P<code>[A-Za-z0-9_-]{16,20})")
#: An address that shows an administrator something about a group that others there shall not read.
GROUP = re.compile(r"(?P<at>bans|audit|moderators)_(?P<chat>-\d{1,20})")
#: The same about one person of a group.
MEMBER = re.compile(r"(?P<at>quota)_(?P<chat>-\d{1,20})_(?P<whom>\d{1,20})")
#: Requests that the greeting offers.
EXAMPLES = words.EXAMPLES[:2]


def register(front: Front) -> None:
    guide = Guide(front)
    front.command("start", guide.start)
    front.command("help", guide.help)
    front.screens.add("start", guide.draw)
    front.screens.add("help", guide.draw_help)
    front.screens.add("recipe", guide.draw_recipe)


class Guide:
    """The commands and their screens."""

    def __init__(self, front: Front) -> None:
        self._front, self._studio = front, front.studio

    async def start(self, asked: Asked) -> None:
        """Greet, or open what the address was for. Raises Refused for a recipe or a question that is not there."""
        word, screens = asked.text, self._front.screens
        if not asked.private or not word:
            await screens.open(asked, "start")
        elif looked := LOOK.fullmatch(word):
            await self._front.looks.again(asked.user, asked.origin, looked["code"])
        elif shared := RECIPE.fullmatch(word):
            await screens.open(asked, "recipe", code=shared["code"])
        elif about := GROUP.fullmatch(word) or MEMBER.fullmatch(word):
            await screens.open(asked, "realbot", **about.groupdict())
        else:
            await screens.open(asked, word if word in SCREENS else "start")

    async def help(self, asked: Asked) -> None:
        await self._front.screens.open(asked, "help")

    async def draw(self, viewer: Viewer, state: dict[str, Any]) -> Screen:
        """The greeting, with requests to begin with."""
        text = Text.lines([bold(sayings.greeting(viewer.user.name)), sayings.start(private=viewer.private)])
        if self._front.me.supports_inline_queries:
            return Screen(text, [[Key(f"✏️ {example}", switch=example)] for example in EXAMPLES])
        return Screen(text, [[Key(f"📋 {example}", copy=f"/imagine {example}")] for example in EXAMPLES])

    async def draw_help(self, viewer: Viewer, state: dict[str, Any]) -> Screen:
        """One page."""
        limits = self._studio.limits(viewer.user, viewer.origin)
        names = list(sayings.COMMANDS)
        if self._studio.may_train(await self._front.rights.titled(viewer.user, viewer.origin), viewer.origin):
            names.insert(-1, "train")
        commands = [f"/{name} – {sayings.command(name)}" for name in names]
        text = Text.lines(
            [
                bold(sentences.help_title()),
                sayings.help_start(words.EXAMPLES[0]),
                sayings.help_groups(self._front.me.username or ""),
                Text("\n", bold(sentences.help_options())),
                sayings.help_options_text(),
                Text("\n", bold(sayings.help_pictures_title())),
                sayings.help_pictures(),
                Text("\n", bold(sentences.help_buttons())),
                sayings.help_buttons_text(),
                Text("\n", bold(sentences.help_commands())),
                *commands,
                Text("\n", small(sentences.help_limits(limits.max_steps, limits.max_side, limits.max_count))),
                Text(sayings.number(), " ", code(viewer.user.id)) if viewer.private else "",
            ]
        )
        return Screen(text)

    async def draw_recipe(self, viewer: Viewer, state: dict[str, Any]) -> Screen:
        """A shared recipe. Its picture is shown to whoever it belongs to, and to nobody else."""
        entry = await self._shared(viewer.user, str(state["code"]))
        text = recipe(entry.request, None)
        rows = controls.recipe(entry.request, "", entry.id)
        return Screen(text, rows, await self._own(viewer.user, entry) if units(str(text)) <= CAPTION else None)

    async def _shared(self, user: User, code: str) -> Entry:
        """The job whose recipe was shared under a code. Raises Refused."""
        try:
            action = await self._studio.acted(code, user, press=False)
            if action.verb != "recipe" or action.owner:
                raise NotYours
            entry = await self._studio.shown(action)
        except (NotYours, Invalid):
            raise Invalid(sayings.no_recipe()) from None
        if not isinstance(entry.request, Generate):
            raise Invalid(captions.no_prompt())
        return entry

    async def _own(self, user: User, entry: Entry) -> Picture | None:
        """The first picture of this person's own job, None for somebody else's."""
        try:
            own = await self._studio.entry(user, entry.id)
            if await self._studio.safety.veil(own.id, own.images, Origin(place.PLATFORM, shared=True)) != "pass":
                return None
            return await self._front.courier.cards.picture(user, own.request, done_of(own), 0)
        except Refused:
            return None
