"""/styles: every style in pages, and one by one: what it is, how it is used, and one of the person's own pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from realbot.adapters import lessonwords, sentences, words
from realbot.adapters.files import Picture
from realbot.adapters.plain import plain
from realbot.adapters.samples import samples
from realbot.adapters.telegram import phrases, sayings, trained
from realbot.adapters.telegram.card import ALT
from realbot.adapters.telegram.keyboard import COPY
from realbot.adapters.telegram.screens import Key, Screen, Viewer, to
from realbot.adapters.telegram.text import Text, bold, code, dead, quoted, small
from realbot.errors import Invalid, Refused
from realbot.grammar import nearest
from realbot.jobs import Generate
from realbot.styles import Style, slug

if TYPE_CHECKING:
    from realbot.adapters.telegram import Front
    from realbot.adapters.telegram.asked import Asked

#: Styles on a page, in two columns.
PAGE = 12


def register(front: Front) -> None:
    gallery = Gallery(front)
    front.command("styles", gallery.styles)
    front.screens.add("styles", gallery.draw)


class Gallery:
    """The command and its screens. In a group they show no picture that was painted elsewhere."""

    def __init__(self, front: Front) -> None:
        self._front, self._studio = front, front.studio

    async def styles(self, asked: Asked) -> None:
        """All styles, or the one that is named after the command. Raises Invalid."""
        name = {"name": asked.text} if asked.text else {}
        await self._front.screens.open(asked, "styles", **name)

    async def draw(self, viewer: Viewer, state: dict[str, Any]) -> Screen:
        """A page of the list, or one style. Raises Invalid for one that there is not."""
        styles, note = self._studio.styles(viewer.origin, viewer.user), ""
        own = trained.owned(self._studio, viewer.user, str(state.get("name", ""))) if state.get("own") else None
        if own is not None and state["own"] != "delete":
            note = await trained.done(self._studio, viewer, own, str(state["own"]), owner=self._owner(viewer))
            styles = self._studio.styles(viewer.origin, viewer.user)
            if trained.owned(self._studio, viewer.user, own.name) is None:
                return replace(self._list(styles, int(state.get("page", 0))), note=note)
        if "name" not in state:
            return self._list(styles, int(state.get("page", 0)))
        name = str(state["name"])
        found = next((one for one in styles if one.name == slug(name)), None)
        if found is None:
            near = nearest(slug(name), [one.name for one in styles])
            raise Invalid(sentences.no_such_style(plain(name, 60), near), nearest=near)
        screen = await self._one(viewer, found, styles.index(found) // PAGE, really=state.get("own") == "delete")
        return replace(screen, note=note)

    def _owner(self, viewer: Viewer) -> bool:
        return int(viewer.user.id) in self._front.settings.owners

    @staticmethod
    def _list(styles: Sequence[Style], page: int) -> Screen:
        if not styles:
            return Screen(Text(sentences.styles_none()))
        pages = -(-len(styles) // PAGE)
        page = min(max(page, 0), pages - 1)
        shown = styles[page * PAGE : (page + 1) * PAGE]
        title = Text(bold(sentences.styles_title(len(styles))), f" · {phrases.pages(page, pages)}" if pages > 1 else "")
        keys = [to(style.name, "styles", name=style.name) for style in shown]
        rows = [keys[n : n + 2] for n in range(0, len(keys), 2)]
        if pages > 1:
            rows.append(turn(page, pages))
        hint = small(sayings.styles_hint(shown[0].name))
        return Screen(Text.lines([title, *map(_told, shown), hint]), rows)

    async def _one(self, viewer: Viewer, style: Style, page: int, *, really: bool) -> Screen:
        use = f"style:{style.name}:0.8"
        made_for = style.base or style.family
        sample = await self._sample(viewer, style)
        about = sentences.style_sample(plain(sample[0].prompt, 200)) if sample else sentences.style_no_sample()
        text = Text.lines(
            [
                Text(bold(style.name), f" · {_title(style)}" if _title(style) else ""),
                plain(style.description, 300),
                Text(f"{sentences.style_use()}: ", code(f"/imagine {words.EXAMPLES[0]} {use}")),
                Text(f"{sentences.style_trigger()}: ", code(plain(style.trigger, 120))) if style.trigger else "",
                phrases.fact(sentences.style_model(), plain(made_for, 64)) if made_for else "",
                dead(lessonwords.really(style.name) if really else about, "italic"),
            ]
        )
        copy = [Key(f"📋 {use}", copy=use)] if len(use) <= COPY else []
        own = trained.owned(self._studio, viewer.user, style.name)
        keys = [] if own is None else trained.rows(own, viewer.origin, page, owner=self._owner(viewer), really=really)
        rows = [copy, *keys, [to(f"‹ {sentences.all_styles()}", "styles", page=page)]]
        return Screen(text, rows, sample[1] if sample else None)

    async def _sample(self, viewer: Viewer, style: Style) -> tuple[Generate, Picture] | None:
        """One of this person's pictures in the style that may be seen here."""
        here = (viewer.origin.platform, viewer.origin.place)
        for entry, request in await samples(self._studio, viewer.user, style):
            if not viewer.private and (entry.origin.platform, entry.origin.place) != here:
                continue
            try:
                path = await self._studio.picture(viewer.user, entry.images[0])
            except Refused:
                continue
            name = words.file_name(request, entry.seed)
            return request, Picture(path, name, plain(words.alt(request), ALT))
        return None


def turn(page: int, pages: int, screen: str = "styles", **state: Any) -> list[Key]:
    """The buttons that turn pages, round and round."""
    return [
        to("‹", screen, page=(page - 1) % pages, **state),
        to(phrases.pages(page, pages), screen, page=page, **state),
        to("›", screen, page=(page + 1) % pages, **state),
    ]


def _told(style: Style) -> Text:
    text = plain(_title(style) or style.description, 70)
    return Text("• ", quoted(style.name, 64), f" · {text}" if text else "")


def _title(style: Style) -> str:
    return plain(style.title, 80) if style.title.casefold() != style.name else ""
