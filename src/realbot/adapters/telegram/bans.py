"""Who is banned: from a group for its administrators, from everywhere for the bot's owners.

A ban is pronounced where the message stands that it answers. The list of all bans is shown in the private chat only,
because in a group everybody reads; there it says which group it is about, and who asks is checked with each press.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from telegram import MessageEntity

from realbot.adapters import banwords, deeds
from realbot.adapters.plain import plain
from realbot.adapters.telegram import phrases, place
from realbot.adapters.telegram.behind import behind
from realbot.adapters.telegram.gallery import turn
from realbot.adapters.telegram.links import way
from realbot.adapters.telegram.screens import Key, Screen, Viewer, to
from realbot.adapters.telegram.text import Piece, Text, bold, code, dead, filled, quoted, when
from realbot.adapters.telegram.trainers import called
from realbot.bans import Ban
from realbot.errors import Invalid
from realbot.gate import moment
from realbot.jobs import User
from realbot.spans import cut, span

if TYPE_CHECKING:
    from realbot.adapters.telegram import Front
    from realbot.adapters.telegram.asked import Asked

    from .rules import Here

#: Bans on a page, people to choose from, and those that are looked through for a name.
PAGE, CHOICE, KNOWN = 6, 12, 500
#: Days for which a button that names somebody can be pressed.
DAY = 1.0


class Bans:
    """What is said after the command, and the screens. The caller has checked who asks."""

    def __init__(self, front: Front) -> None:
        self._front, self._studio = front, front.studio

    async def meant(self, asked: Asked, verb: str, rest: str, here: Here) -> dict[str, Any]:
        """The state of the screen that a command asks for. Raises Invalid for a name that nobody has."""
        if verb == "bans":
            return {"at": "bans"}
        number, rest = await self.whom(asked, rest, here)
        if not number:
            return {"at": "bans", "pick": True}
        key = f"{place.PLATFORM}:{number}"
        if verb == "unban":
            return {"at": "bans", "lift": key}
        _seconds, reason, told = cut(rest)
        if not told and not reason:
            return {"at": "bans", "whom": key}
        duration = rest[: len(rest) - len(reason)].strip() if reason else rest
        return {"at": "bans", "whom": key, "span": duration or "for good", "reason": reason}

    async def draw(self, here: Here, viewer: Viewer, state: dict[str, Any]) -> Screen:
        """Ban somebody, ask for how long, whom, lift a ban, or show them all. Raises Refused."""
        if "whom" in state and "span" in state:
            return await self._ban(here, viewer, str(state["whom"]), str(state["span"]), str(state.get("reason", "")))
        if "whom" in state:
            return await self._question(here, viewer, str(state["whom"]))
        note = Text()
        if "lift" in state:
            ban = await self._studio.gate.lift(str(state["lift"]), here.key, viewer.user)
            told = banwords.lifted(everywhere=here.everywhere)
            note = filled(told, whom=await self._name(here, viewer, ban.subject, ban.name))
        if not here.everywhere and not viewer.private:
            return Screen(note or Text(banwords.aside()), [[way(self._front, "bans", here, banwords.every())]])
        if state.get("pick"):
            return await self._pick(here, viewer)
        return await self._list(here, viewer, int(state.get("page", 0)), note)

    async def _ban(self, here: Here, viewer: Viewer, key: str, duration: str, reason: str) -> Screen:
        number = key.partition(":")[2]
        name = await called(viewer.bot, here, number)
        roles = frozenset({"owners"} if int(number) in self._front.settings.owners else ())
        whom = User(place.PLATFORM, number, "" if name == number else name, roles)
        ban, ended = await self._studio.gate.ban(whom, here.key, viewer.user, seconds=span(duration), reason=reason)
        told = banwords.done(everywhere=here.everywhere, good=ban.until is None)
        until = code(moment(ban.until)) if ban.until is not None else ""
        text = Text.lines(
            [
                filled(told, whom=quoted(name, 64), when=until),
                dead(plain(ban.reason, 300), MessageEntity.ITALIC),
                banwords.ended(ended) if ended else "",
            ]
        )
        lift = self._to(f"↩ {banwords.lift_it()}", here, lift=ban.subject)
        every = way(self._front, "bans", here, banwords.every())
        return Screen(text, [[lift], [self._to(banwords.every(), here) if viewer.private else every]])

    async def _question(self, here: Here, viewer: Viewer, key: str) -> Screen:
        name = await called(viewer.bot, here, key.partition(":")[2])
        keys = [self._to(banwords.span(one), here, whom=key, span=one) for one in banwords.SPANS]
        text = filled(banwords.how_long(everywhere=here.everywhere), whom=quoted(name, 64))
        return Screen(text, [keys[:2], keys[2:4], keys[4:]])

    async def _pick(self, here: Here, viewer: Viewer) -> Screen:
        """Those who asked lately, to choose from."""
        own = {viewer.user.key, *(f"{place.PLATFORM}:{one}" for one in self._front.settings.owners)}
        banned = {ban.subject for ban in self._studio.gate.bans(here.key)}
        found = await self._studio.gate.seen(here.key, KNOWN)
        people = [one for one in found if one.platform == place.PLATFORM and one.key not in own | banned][:CHOICE]
        keys = [self._to(plain(one.name, 40) or one.id, here, whom=one.key) for one in people]
        typed = filled(banwords.whom_typed(), ban=code("/realbot ban"), example=code("/realbot ban 123456 3 days"))
        rows = [keys[n : n + 2] for n in range(0, len(keys), 2)]
        return Screen(Text.lines([banwords.whom() if keys else "", typed]), [*rows, [self._to(phrases.back(), here)]])

    async def _list(self, here: Here, viewer: Viewer, page: int, note: Text) -> Screen:
        bans = self._studio.gate.bans(here.key)
        pages = max(1, -(-len(bans) // PAGE))
        page = min(max(page, 0), pages - 1)
        shown = bans[page * PAGE : (page + 1) * PAGE]
        lines = [line for ban in shown for line in await self._lines(here, viewer, ban)]
        title = Text(bold(banwords.title(everywhere=here.everywhere)), f" · {len(bans)}" if bans else "")
        empty = "" if bans else banwords.nobody(everywhere=here.everywhere)
        keys = []
        for ban in shown:
            name = await self._name(here, viewer, ban.subject, ban.name)
            keys.append(self._to(f"✖ {name.text}", here, lift=ban.subject, page=page))
        rows = [keys[n : n + 2] for n in range(0, len(keys), 2)]
        if pages > 1:
            rows.append(turn(page, pages, "realbot", at="bans", **here.about))
        back = [here.back()] if here.everywhere else []
        rows.append([*back, self._to(banwords.ban_somebody(), here, pick=True)])
        return Screen(Text.lines([note, title, empty, *lines]), rows)

    async def _lines(self, here: Here, viewer: Viewer, ban: Ban) -> list[Text]:
        """Whom it holds for, until when and why; then by whom."""
        who = await self._name(here, viewer, ban.subject, ban.name)
        until: Text = Text(banwords.good())
        if ban.until is not None:
            until = filled(banwords.until(), when=code(moment(ban.until)))
        reason = Text(" · ", dead(plain(ban.reason, 200))) if ban.reason else Text()
        by = await self._name(here, viewer, ban.author, "")
        told = filled(
            banwords.by(),
            who=by if ban.author else "–",
            when=when(deeds.ago(self._front.clock.now() - ban.at), ban.at),
        )
        return [Text("• ", who, " · ", until, reason), Text("   ", told)]

    async def _name(self, here: Here, viewer: Viewer, key: str, name: str) -> Piece:
        """What somebody is called, by their key or the hash that stands for them."""
        platform, _sign, number = key.partition(":")
        if not name and platform == place.PLATFORM:
            name = await called(viewer.bot, here, number)
        if not name and not number:
            return Piece(banwords.somebody())
        return quoted(name or key, 64)

    async def whom(self, asked: Asked, rest: str, here: Here) -> tuple[str, str]:
        """The number of whoever is meant, empty for nobody, and what is said beside it. Raises Invalid."""
        for entity, text in asked.message.parse_entities([MessageEntity.TEXT_MENTION]).items():
            if entity.user is not None:
                return str(entity.user.id), " ".join(rest.replace(text, "", 1).split())
        if number := await behind(self._front, asked.message):
            return number, rest
        first, _blank, after = rest.partition(" ")
        if first.isdecimal() and len(first) > 4:
            return first, after.strip()
        if first.startswith("@") and len(first) > 1:
            return await self._named(first[1:], here), after.strip()
        return "", rest

    async def _named(self, name: str, here: Here) -> str:
        """The number of the one person of this name who asked there. Raises Invalid for nobody, and for several."""
        sought, seen = name.casefold(), await self._studio.gate.seen(here.key, KNOWN)
        names = {one.id: one.name.casefold() for one in seen if one.platform == place.PLATFORM}
        whole = [number for number, known in names.items() if known == sought]
        found = whole or [number for number, known in names.items() if sought in known.split()]
        if len(found) == 1:
            return found[0]
        raise Invalid(banwords.several(plain(name, 40)) if found else banwords.unknown(plain(name, 40)))

    @staticmethod
    def _to(label: str, here: Here, **state: Any) -> Key:
        return replace(to(label, "realbot", at="bans", **here.about, **state), days=DAY)
