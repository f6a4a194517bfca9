"""/history: a person's own pictures in pages, searched and by favourites; each opens with its card below.

It is shown in the private chat only. Every look asks the studio with the person who looks.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from realbot.adapters import captions, finds, sentences, verdicts, words
from realbot.adapters.plain import plain
from realbot.adapters.telegram import sayings
from realbot.adapters.telegram.links import alone, aside
from realbot.adapters.telegram.screens import Key, Screen, Viewer, to
from realbot.adapters.telegram.text import Text, bold, quoted, small
from realbot.entries import Entry
from realbot.errors import Invalid, NotYours
from realbot.jobs import User

if TYPE_CHECKING:
    from realbot.adapters.telegram import Front
    from realbot.adapters.telegram.asked import Asked

#: Pictures on a page, and the last page that can be turned to.
PAGE, LAST = 8, 400
#: Characters of a search, and of a prompt in the list and on a button.
SEARCH, PROMPT, LABEL = 200, 160, 24


def register(front: Front) -> None:
    history = History(front)
    front.command("history", history.history)
    front.screens.add("history", history.draw)


@dataclass(frozen=True, slots=True)
class View:
    """Which part of the history is looked at. `top` is the newest entry's `seq` when it was opened, 0 for now."""

    top: int = 0
    page: int = 0
    favourites: bool = False
    search: str = ""

    @classmethod
    def load(cls, state: dict[str, Any]) -> Self:
        """From the state of a screen."""
        page = min(max(int(state.get("page", 0)), 0), LAST)
        search = " ".join(str(state.get("search", "")).split())[:SEARCH]
        return cls(int(state.get("top", 0)), page, bool(state.get("favourites")), search)

    def to(self, label: str, **more: Any) -> Key:
        """A button that shows this part."""
        return to(label, "history", **{name: value for name, value in asdict(self).items() if value}, **more)


class History:
    """The command and its screen."""

    def __init__(self, front: Front) -> None:
        self._front, self._studio = front, front.studio

    async def history(self, asked: Asked) -> None:
        """Show the latest pictures, or those whose prompts hold the words after the command."""
        if asked.private:
            await self._front.screens.open(asked, "history", search=asked.text)
        else:
            await aside(self._front, asked, "history")

    async def draw(self, viewer: Viewer, state: dict[str, Any]) -> Screen:
        """A page, after one of its pictures was sent. Raises Refused."""
        alone(viewer)
        view = View.load(state)
        if "open" in state:
            await self._open(viewer, str(state["open"]))
        entries, more, view = await self._look(viewer.user, view)
        if not entries:
            empty = sentences.history_empty(searching=bool(view.search), favourites=view.favourites)
            return Screen(Text.lines([self._title(view, 0), empty]), _ways(view, more=False))
        first = view.page * PAGE + 1
        veils = [await self._studio.safety.veil(entry.id, entry.images) for entry in entries]
        told = [_told(entry, veil == "withhold") for entry, veil in zip(entries, veils, strict=True)]
        lines = [Text(f"{number}. ", line) for number, line in enumerate(told, first)]
        keys = [
            view.to(f"{number}  {'⭐ ' if entry.favourite else ''}{_label(entry)}", open=entry.id)
            for number, entry in enumerate(entries, first)
        ]
        rows = [keys[n : n + 2] for n in range(0, len(keys), 2)]
        hint = small(finds.meant() if any(entry.meant for entry in entries) else sayings.history_hint())
        return Screen(Text.lines([self._title(view, len(entries)), *lines, hint]), [*rows, *_ways(view, more=more)])

    async def _open(self, viewer: Viewer, job_id: str) -> None:
        """Send one picture with its card. Raises Invalid when it is not there any more."""
        try:
            entry = await self._studio.entry(viewer.user, job_id)
        except NotYours:
            raise Invalid(captions.gone()) from None
        await self._front.courier.send_kept(viewer, entry)

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

    @staticmethod
    def _title(view: View, number: int) -> Text:
        first = view.page * PAGE + 1
        title = Text(bold(sayings.history_title(favourites=view.favourites)))
        if number:
            title += f" · {first}–{first + number - 1}" if number > 1 else f" · {first}"
        return Text(title, " · ", quoted(view.search, 60)) if view.search else title


def _ways(view: View, *, more: bool) -> list[list[Key]]:
    """Where one can go from here."""
    turn = [replace(view, page=view.page - 1).to(f"‹ {sentences.newer()}")] if view.page else []
    if more:
        turn.append(replace(view, page=view.page + 1).to(f"{sentences.older()} ›"))
    start = View(favourites=view.favourites, search=view.search)
    label = sentences.everything() if view.favourites else f"⭐ {sentences.only_favourites()}"
    other = [replace(start, favourites=not view.favourites).to(label)]
    if view.search:
        other.append(replace(start, search="").to(f"✖ {sentences.search_clear()}"))
    return [turn, other]


def _told(entry: Entry, closed: bool) -> Text:
    """An entry on one line: what it is, when it was made, and what became of it."""
    mark = ("⭐ " if entry.favourite else "") + (f"{finds.MEANT} " if entry.meant else "")
    text = Text(mark, quoted(words.subject(entry.request), PROMPT))
    text = Text(text, " · ", sayings.moment(entry.created))
    number = sentences.pictures(len(entry.images)) if len(entry.images) > 1 else ""
    state = verdicts.hidden() if closed else sentences.state(entry.state)
    for part in filter(None, (number, state)):
        text = Text(text, " · ", part)
    return text


def _label(entry: Entry) -> str:
    return plain(words.subject(entry.request), LABEL) or "–"
