"""/realbot: what the administrators of a group settle there, and in the private chat the bot's owners for everywhere.

Every command is a screen with buttons too. Who may is asked again at each press, and the group is always the one in
which it was pressed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from telegram import MessageEntity

from realbot.adapters import banwords, changes, deeds, notices, verdicts, words
from realbot.adapters.plain import plain
from realbot.adapters.telegram import audits, cases, phrases, place, quota, reloads, sayings, trainers, trainphrases
from realbot.adapters.telegram.bans import Bans
from realbot.adapters.telegram.behind import behind
from realbot.adapters.telegram.links import alone, way
from realbot.adapters.telegram.privacy import QUESTION
from realbot.adapters.telegram.rules import VERBS, Here, Rules
from realbot.adapters.telegram.screens import Key, Screen, Viewer, to
from realbot.adapters.telegram.text import Text, bold, dead, small
from realbot.errors import Blocked, Invalid
from realbot.jobs import Origin

if TYPE_CHECKING:
    from realbot.adapters.telegram import Front
    from realbot.adapters.telegram.asked import Asked


def register(front: Front) -> None:
    admin = Admin(front)
    front.command("realbot", admin.realbot)
    front.screens.add("realbot", admin.draw)


class Admin:
    """The command and its screens."""

    def __init__(self, front: Front) -> None:
        self._front, self._studio = front, front.studio
        self._rules, self._bans = Rules(front.studio), Bans(front)
        self._quota = quota.Quota(front, self._bans)

    async def realbot(self, asked: Asked) -> None:
        """Do what follows the command and show what is now. Raises Refused."""
        whom = await behind(self._front, asked.message)
        state = trainers.meant(whom, commanded(asked.text))
        if said := state.pop("said", ""):
            here = await self._here(Viewer(asked.bot, asked.user, asked.origin, asked.private))
            meant = self._quota.meant if said == "quota" else self._bans.meant
            state = await meant(asked, said, state["rest"], here)
        await self._front.screens.open(asked, "realbot", **state)

    async def draw(self, viewer: Viewer, state: dict[str, Any]) -> Screen:  # noqa: PLR0912 - one branch a screen
        """One of the screens, after what its button does. Raises Refused, for everyone who may not too."""
        here = await self._here(viewer, str(state.get("chat", "")))
        match state.get("at"):
            case "limits":
                return await self._rules.limits(here, str(state.get("group", "")))
            case "limit":
                return await self._rules.limit(here, viewer.user, str(state["name"]), str(state.get("value", "")))
            case "styles":
                return await self._rules.styles(here, viewer.user, state)
            case "words":
                return await self._rules.words(here, viewer.user, state)
            case "trainers":
                return await trainers.draw(self._studio, here, viewer, state)
            case "quota":
                return await self._named(here, viewer, await self._quota.others(here, viewer, state))
            case "bans":
                return await self._named(here, viewer, await self._bans.draw(here, viewer, state))
            case "moderators":
                return await self._named(here, viewer, await cases.draw(self._front, here, viewer, state))
            case "audit":
                return await self._named(here, viewer, await audits.draw(self._front, here, viewer, state))
            case "stats":
                return await self._stats(here)
            case "clear":
                return await self._clear(here)
            case "reload":
                if int(viewer.user.id) not in self._front.settings.owners:
                    raise Blocked(changes.owners())
                alone(viewer)
                return await reloads.draw(self._studio, here, viewer.user)
        note = notices.kept() if state.get("keep") else ""
        if state.get("clear"):
            note = notices.cleared(await self._studio.clear(here.key, viewer.user))
        if "pause" in state:
            note = await self._pause(here, viewer, on=bool(state["pause"]))
        return await self._main(here, note)

    async def _here(self, viewer: Viewer, chat: str = "") -> Here:
        """What this person may settle: the group they stand in, or everywhere; in private also one that is named.

        Raises Blocked.
        """
        owner = int(viewer.user.id) in self._front.settings.owners
        if viewer.private and not chat:
            if not owner:
                raise Blocked(sayings.owners_only())
            return Here()
        group = await self._front.moves.now(chat) if viewer.private else viewer.origin.place
        if not owner and not await self._front.rights.administrates(group, viewer.user.id):
            raise Blocked(sayings.administrators_only())
        origin = Origin(place.PLATFORM, group, server=group) if viewer.private else viewer.origin
        return Here(f"{place.PLATFORM}:{group}", origin)

    async def _named(self, here: Here, viewer: Viewer, screen: Screen) -> Screen:
        """The screen with the group that it is about, where one cannot see which that is."""
        if here.origin is None or not viewer.private:
            return screen
        name = dead(await cases.titled(viewer.bot, here.origin.place), MessageEntity.ITALIC)
        return replace(screen, text=Text.lines([name, screen.text]))

    async def _main(self, here: Here, note: str) -> Screen:
        rules, stats = await self._studio.place(here.key), await self._studio.stats(here.key)
        state = notices.held() if stats.paused else notices.running()
        text = Text.lines(
            [
                bold(sayings.place_title(everywhere=here.everywhere)),
                phrases.fact(notices.stats()[7], state),
                phrases.fact(notices.stats()[3], str(stats.waiting)),
                small(sayings.held_everywhere()) if stats.paused and not rules.paused else "",
                small(sayings.limits_hint(everywhere=here.everywhere)),
            ]
        )
        pause = to(f"⏸ {sayings.pause()}", "realbot", pause=True)
        resume = to(f"▶ {sayings.resume()}", "realbot", style="success", pause=False)
        rows = [
            [to(sayings.limits(), "realbot", at="limits"), to(words.LABELS["styles"], "realbot", at="styles")],
            [to(sayings.vocabulary(), "realbot", at="words"), to(sayings.numbers(), "realbot", at="stats")],
            [
                to(trainphrases.trainers(), "realbot", at="trainers"),
                to(verdicts.moderators_title(), "realbot", at="moderators"),
            ],
            [self._aside(here, banwords.name(), "bans"), self._aside(here, deeds.name(), "audit")],
            [resume if rules.paused else pause],
            [to(f"✖ {sayings.clear()}", "realbot", style="danger", at="clear")],
        ]
        if here.everywhere:
            rows.append([reloads.key()])
        return Screen(text, rows, note=note)

    def _aside(self, here: Here, label: str, at: str) -> Key:
        """A screen that nobody else in a group shall read."""
        return to(label, "realbot", at=at) if here.everywhere else way(self._front, at, here, label)

    async def _pause(self, here: Here, viewer: Viewer, *, on: bool) -> str:
        if on:
            await self._studio.pause(here.key, viewer.user)
        else:
            await self._studio.resume(here.key, viewer.user)
        waiting = (await self._studio.stats(here.key)).waiting
        return notices.paused(waiting) if on else notices.resumed(waiting)

    async def _clear(self, here: Here) -> Screen:
        waiting = (await self._studio.stats(here.key)).waiting
        if not waiting:
            return Screen(Text(sayings.clear_nothing()), [[here.back()]])
        yes = to(notices.clear_yes(), "realbot", style="danger", uses=1, clear=True)
        no = to(notices.clear_no(), "realbot", keep=True)
        return Screen(
            Text(sayings.clear_question(waiting, everywhere=here.everywhere)), [[replace(yes, days=QUESTION)], [no]]
        )

    async def _stats(self, here: Here) -> Screen:
        stats, engine = await self._studio.stats(here.key), self._studio.engine()
        trouble = "" if engine.up else words.engine(engine.up, engine.loading, engine.device, engine.reason)
        values = (
            str(stats.today),
            str(stats.month),
            str(stats.people),
            str(stats.waiting),
            notices.unknown() if stats.wait is None else words.duration(stats.wait),
            notices.unknown() if stats.accuracy is None else f"{stats.accuracy:.0%}",
            ", ".join(f"{plain(name, 64)} ({count})" for name, count in stats.styles),
            notices.held() if stats.paused else notices.running(),
            " · ".join(filter(None, (self._front.health, trouble))) or notices.well(),
        )
        facts = [phrases.fact(name, value or "–") for name, value in zip(notices.stats(), values, strict=True)]
        text = Text.lines([bold(sayings.place_title(everywhere=here.everywhere)), *facts])
        return Screen(text, [[here.back(), to(f"🔄 {sayings.again()}", "realbot", at="stats")]])


def commanded(text: str) -> dict[str, Any]:
    """The state of the screen that a command asks for. Raises Invalid with what there is."""
    verb, _, rest = text.partition(" ")
    about, _, value = rest.strip().partition(" ")
    verb, value = verb.casefold(), value.strip()
    match verb:
        case "":
            return {}
        case "pause" | "resume":
            return {"pause": verb == "pause"}
        case "clear" | "stats" | "reload" | "audit":
            return {"at": verb}
        case "ban" | "unban" | "bans" | "quota":
            return {"said": verb, "rest": rest.strip()}
        case "limits" | "limit":
            return {"at": "limit", "name": about, "value": value} if about else {"at": "limits"}
        case "trainers" | "trainer" | "moderators" if not about or about.casefold() in ("allow", "deny"):
            at = "moderators" if verb == "moderators" else "trainers"
            return {"at": at, **({about.casefold(): value} if about else {})}
        case "styles" | "style" | "words" | "word":
            at, done = f"{verb.removesuffix('s')}s", about.casefold()
            if not about:
                return {"at": at}
            if done in ("allow", "reset", *(("deny",) if at == "styles" else (*VERBS, "avoid"))):
                return {"at": at, done: value}
    raise Invalid(sayings.admin_how())
