"""The screens on which the limits, styles and words of a group, or of everywhere, are settled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from telegram import MessageEntity

from realbot.adapters import notices, sentences
from realbot.adapters.bounds import BOUNDS, GROUPS, RESET, Bound, group_of
from realbot.adapters.plain import plain
from realbot.adapters.telegram import phrases, sayings
from realbot.adapters.telegram.gallery import turn
from realbot.adapters.telegram.screens import Key, Screen, to
from realbot.adapters.telegram.text import Piece, Text, bold, code, small
from realbot.errors import Invalid
from realbot.grammar import nearest
from realbot.jobs import Origin, User
from realbot.places import PlaceRules
from realbot.rulebook import Moderation
from realbot.styles import slug

if TYPE_CHECKING:
    from realbot.studio import Studio

#: Styles on a page, in two columns.
PAGE = 20
#: Characters of a word that is blocked, and of a longer rule.
WORD, RULE = 60, 500
#: What adds to which list of rules for prompts; the last two take a rule whole, with its commas.
VERBS = {"block": "blocked", "adult": "adult_words", "strip": "stripped", "together": "together", "pattern": "patterns"}
WHOLE = ("together", "pattern")


@dataclass(frozen=True, slots=True)
class Here:
    """Where something is settled: in a group, or for everywhere."""

    key: str | None = None
    origin: Origin | None = None

    @property
    def everywhere(self) -> bool:
        return self.key is None

    @property
    def about(self) -> dict[str, Any]:
        """What a button in the private chat says of the group that it is about."""
        return {} if self.key is None else {"chat": self.key.partition(":")[2]}

    def back(self, at: str = "") -> Key:
        return to(phrases.back(), "realbot", at=at)


class Rules:
    """Each verb changes what it is told to and draws what holds now. The caller has checked who asks."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    async def limits(self, here: Here, group: str = "") -> Screen:
        """The limits, all or those of a group that belong together: the values in force, and what they may be."""
        rules = await self._studio.place(here.key)
        lines: list[Text | Piece | str] = []
        for name, bounds in GROUPS.items():
            if group in ("", name):
                lines.append(Text("\n", bold(notices.GROUPS[name])))
                lines += [self._line(here, bound, rules) for bound in bounds]
        keys = [to(bound.label, "realbot", at="limit", name=bound.label) for bound in GROUPS.get(group, ())]
        keys = keys or [to(notices.GROUPS[name], "realbot", at="limits", group=name) for name in GROUPS]
        title = Text(bold(sayings.limits_title(everywhere=here.everywhere)))
        hint = Text("\n", small(sayings.limits_hint(everywhere=here.everywhere)))
        rows = [keys[n : n + 2] for n in range(0, len(keys), 2)] if group else [[key] for key in keys]
        return Screen(Text.lines([title, *lines, hint]), [*rows, [here.back("limits" if group else "")]])

    def _line(self, here: Here, bound: Bound, rules: PlaceRules) -> Text:
        now, span = self._bound(here, bound)
        return Text(code(bound.label), " ", bold(now), f" · {span}", " · ✏️" if bound.own(rules) else "")

    async def limit(self, here: Here, by: User, name: str, value: str) -> Screen:
        """One limit, with a new value where there is one. Raises Invalid with the range."""
        bound = BOUNDS.get(name.casefold())
        if bound is None:
            raise Invalid(notices.no_limit(plain(name, 40)), word=name[:100], nearest=nearest(name, BOUNDS))
        if value:
            await self._studio.rule(here.key, by, **{bound.section: {bound.name: bound.read(value)}})
        now, span = self._bound(here, bound)
        own = bound.own(await self._studio.place(here.key))
        text = Text.lines(
            [
                Text(code(bound.label), " · ", bold(now), " · ✏️" if own else ""),
                sayings.may_be(span),
                notices.from_now_on() if value else "",
                small(sayings.limit_typed(bound.label, now)),
            ]
        )
        keys = [
            to(f"✓ {one}" if one == now else one, "realbot", at="limit", name=bound.label, value=one,
               style="success" if one == now else "")
            for one in bound.offered(self._base(here)[bound.section])
        ]  # fmt: skip
        rows = [keys[n : n + 4] for n in range(0, len(keys), 4)]
        taken = [to(f"↩ {sayings.take_back()}", "realbot", at="limit", name=bound.label, value=RESET)] if own else []
        note = sayings.limit_changed(bound.label, now) if value else ""
        back = to(phrases.back(), "realbot", at="limits", group=group_of(bound))
        return Screen(text, [*rows, [back, *taken]], note=note)

    async def styles(self, here: Here, by: User, state: dict[str, Any]) -> Screen:
        """Which styles may be used, after one was allowed or denied, or all were allowed. Raises Invalid."""
        found = self._studio.styles(None if here.everywhere else Origin("telegram"))
        # Beside what is everybody's, what people share with the group.
        every = sorted({style.name for style in (*found, *self._studio.styles(here.origin))})
        rules = await self._studio.place(here.key)
        if "reset" in state:
            rules = await self._studio.rule(here.key, by, styles=())
        for verb in {"allow", "deny"} & set(state):
            names = _chosen(rules, every, verb, str(state[verb]))
            rules = await self._studio.rule(here.key, by, styles=names)
        text = notices.styles_any(len(every))
        if rules.styles:
            text = notices.styles_only(", ".join(rules.styles))
        page, pages = int(state.get("page", 0)), max(1, -(-len(every) // PAGE))
        page = min(max(page, 0), pages - 1)
        keys = [_toggle(name, rules, page) for name in every[page * PAGE : (page + 1) * PAGE]]
        rows = [keys[n : n + 2] for n in range(0, len(keys), 2)]
        if pages > 1:
            rows.append(turn(page, pages, "realbot", at="styles"))
        reset = [to(sayings.every_style(), "realbot", at="styles", reset=True)] if rules.styles else []
        title = bold(sayings.styles_title(everywhere=here.everywhere))
        return Screen(Text.lines([title, plain(text, 2000)]), [*rows, [here.back(), *reset]])

    async def words(self, here: Here, by: User, state: dict[str, Any]) -> Screen:
        """The rules for prompts, after some were added or taken out, or all were. Raises Invalid."""
        moderation = (await self._studio.place(here.key)).moderation
        own = {name: list(moderation.get(name, ())) for name in VERBS.values()}
        avoided = str(moderation.get("negative", ""))
        changed, avoid = _changed(own, state), _avoided(avoided, state)
        if (changed, avoid) != (own, avoided):
            told: dict[str, Any] = {name: changed[name] or None for name in own if changed[name] != own[name]}
            told |= {"negative": avoid or None} if avoid != avoided else {}
            await self._studio.rule(here.key, by, moderation=told)
        base = self._base(here)["moderation"]
        inherited = len(base.blocked) if isinstance(base, Moderation) else 0
        labels = {name: label for name, (label, _) in notices.words_lists().items()}
        rows = [(labels[name], ", ".join(changed[name])) for name in own if changed[name] and name != "blocked"]
        rows += [(notices.words_avoided(), avoid)] if avoid else []
        listed = ", ".join(changed["blocked"])
        text = Text.lines(
            [
                bold(notices.words_title()),
                Text(Piece(listed, MessageEntity.SPOILER)) if listed else Text(notices.none()),
                *(Text(f"{label}: ", Piece(said, MessageEntity.SPOILER)) for label, said in rows),
                notices.words_inherited(inherited) if inherited and not here.everywhere else "",
                small(sayings.words_typed()),
            ]
        )
        any_rule = any(changed.values()) or avoid
        taken = [to(f"↩ {sayings.no_words()}", "realbot", at="words", reset=True)] if any_rule else []
        return Screen(text, [[here.back(), *taken]])

    def _base(self, here: Here) -> dict[str, Any]:
        """What may not be loosened there."""
        return self._studio.configured() if here.everywhere else self._studio.settled()

    def _bound(self, here: Here, bound: Bound) -> tuple[str, str]:
        """The value in force and what it may be."""
        now = self._studio.settled(here.origin)[bound.section]
        return bound.shown(now), bound.span(self._base(here)[bound.section])


def _chosen(rules: PlaceRules, every: Sequence[str], verb: str, typed: str) -> list[str]:
    """The styles that may be used once one is allowed or denied; empty for all of them. Raises Invalid."""
    if not typed:
        raise Invalid(notices.style_missing())
    name = slug(typed)
    if name not in every:
        near = nearest(name, every)
        raise Invalid(sentences.no_such_style(plain(typed, 60), near), nearest=near)
    names = {*rules.styles, name} if verb == "allow" else set(rules.styles or every) - {name}
    if not names & set(every):
        raise Invalid(notices.last_style())
    return [] if names >= set(every) else sorted(names & set(every))


def _toggle(name: str, rules: PlaceRules, page: int) -> Key:
    """Allows a style that may not be used, and denies one that may."""
    if not rules.styles or name in rules.styles:
        return to(f"✓ {name}", "realbot", style="success", at="styles", page=page, deny=name)
    return to(name, "realbot", at="styles", page=page, allow=name)


def _changed(own: dict[str, list[str]], state: dict[str, Any]) -> dict[str, list[str]]:
    """The lists once some rules are added or taken out. Raises Invalid for one that is not among them, or none."""
    if "reset" in state:
        return {name: [] for name in own}
    for verb in {*VERBS, "allow"} & set(state):
        said = str(state[verb])
        typed = said.split("\n") if verb in WHOLE else said.replace("\n", ",").split(",")
        told = [" ".join(word.split())[: RULE if verb in WHOLE else WORD] for word in typed if word.strip()]
        if not told:
            raise Invalid(sayings.word_missing())
        if verb != "allow":
            name = VERBS[verb]
            known = {word.casefold() for word in own[name]}
            return own | {name: [*own[name], *(word for word in dict.fromkeys(told) if word.casefold() not in known)]}
        # A rule with commas in it is given as it stands.
        whole = " ".join(said.split()).casefold()
        every = {word.casefold() for words in own.values() for word in words}
        gone = {whole} if whole in every else {word.casefold() for word in told}
        if unknown := gone - every:
            raise Invalid(sayings.word_unknown(sorted(unknown)[0]))
        return {name: [word for word in words if word.casefold() not in gone] for name, words in own.items()}
    return own


def _avoided(own: str, state: dict[str, Any]) -> str:
    """What every picture avoids, once it is said anew."""
    if "reset" in state:
        return ""
    return " ".join(str(state["avoid"]).split())[:RULE] if "avoid" in state else own
