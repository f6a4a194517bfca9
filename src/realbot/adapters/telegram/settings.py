"""/settings: a person's own defaults in menus that change in place, or typed after the command; kept at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from realbot import grammar
from realbot.adapters import notices, words
from realbot.adapters.plain import plain
from realbot.adapters.telegram import phrases, sayings
from realbot.adapters.telegram.gallery import turn
from realbot.adapters.telegram.links import alone, aside
from realbot.adapters.telegram.screens import Key, Screen, Viewer, to
from realbot.adapters.telegram.text import Text, bold, quoted, small
from realbot.adapters.telegram.tweaks import MULTIPLE, PAGE, SHAPES, STEPS, WEIGHTS
from realbot.adapters.telegram.wishes import PLAIN, read
from realbot.jobs import StyleUse
from realbot.preferences import Preferences

if TYPE_CHECKING:
    from realbot.adapters.telegram import Front
    from realbot.adapters.telegram.asked import Asked

GUIDANCE = (1.0, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 7.5, 9.0, 12.0)


def register(front: Front) -> None:
    settings = Settings(front)
    front.command("settings", settings.settings)
    front.screens.add("settings", settings.draw)


class Settings:
    """The command and its screens."""

    def __init__(self, front: Front) -> None:
        self._front, self._studio = front, front.studio

    async def settings(self, asked: Asked) -> None:
        """Keep what is typed after the command and show what holds now. Raises Invalid, and changes nothing then."""
        if not asked.private:
            await aside(self._front, asked, "settings")
            return
        model = self._studio.preset()
        own = await self._studio.preferences(asked.user)
        wish = read(asked.text, own, model.width * model.height)
        if wish.changes:
            await self._studio.prefer(asked.user, **wish.changes)
        await self._front.screens.open(asked, "settings", at=wish.at)

    async def draw(self, viewer: Viewer, state: dict[str, Any]) -> Screen:
        """A menu, after a default was changed. Raises Invalid."""
        alone(viewer)
        if "set" in state:
            await self._studio.prefer(viewer.user, **_changes(state["set"]))
        own = await self._studio.preferences(viewer.user)
        model, limits = self._studio.preset(), self._studio.limits(viewer.user, viewer.origin)
        rows: list[list[Key]]
        hint = ""
        match state.get("at"):
            case "steps":
                offered = {str(n): n for n in STEPS if n <= limits.max_steps}
                rows, hint = _choices("steps", offered, own.steps), sayings.settings_typed("steps 30")
            case "guidance":
                numbers = {words.number(n): n for n in GUIDANCE if n <= limits.max_guidance}
                rows, hint = _choices("guidance", numbers, own.guidance), sayings.settings_typed("guidance 3.5")
            case "size":
                rows, hint = self._sizes(own, viewer), sayings.settings_typed(f"size {model.width}x{model.height}")
            case "scheduler":
                rows = _choices("scheduler", {words.scheduler(n): n for n in self._studio.schedulers()}, own.scheduler)
            case "style":
                rows = self._styles(own, viewer, int(state.get("page", 0)))
                hint = sayings.settings_typed("style ink:0.8")
            case "weight":
                rows = self._weights(own, viewer, str(state["name"]))
            case "negative":
                hint = f"{notices.negative_hint()}. {sayings.settings_typed('negative text, blur')}"
                rows = [[_back(), to(notices.none(), "settings", set={"negative": ""})]]
            case _:
                return Screen(self._text(own, viewer), _menu(own))
        return Screen(Text.lines([self._text(own, viewer), small(hint)]), rows)

    def _text(self, own: Preferences, viewer: Viewer) -> Text:
        """What holds now, and the ranges."""
        model, limits = self._studio.preset(), self._studio.limits(viewer.user, viewer.origin)
        automatic = notices.automatic
        steps = automatic(str(model.steps)) if own.steps is None else str(own.steps)
        guidance = automatic(words.number(model.guidance)) if own.guidance is None else words.number(own.guidance)
        size = f"{own.width}×{own.height}" if own.width and own.height else automatic(f"{model.width}×{model.height}")
        styles = ", ".join(f"{use.name} {words.number(use.weight)}" for use in own.styles)
        negative = quoted(own.negative, 300) if own.negative else notices.none()
        return Text.lines(
            [
                bold(notices.title()),
                notices.intro(),
                phrases.fact(words.LABELS["steps"], steps),
                phrases.fact(words.LABELS["guidance"], guidance),
                phrases.fact(notices.size(), size),
                phrases.fact(words.LABELS["styles"], plain(styles, 400) or notices.none()),
                phrases.fact(words.LABELS["scheduler"], words.scheduler(own.scheduler or "") or automatic("")),
                Text(phrases.fact(words.LABELS["negative"], ""), negative),
                phrases.fact(notices.ping(), notices.yes() if own.ping else notices.no()),
                small(notices.ranges(limits.max_steps, limits.max_guidance, limits.min_side, limits.max_side)),
            ]
        )

    def _sizes(self, own: Preferences, viewer: Viewer) -> list[list[Key]]:
        model, limits = self._studio.preset(), self._studio.limits(viewer.user, viewer.origin)
        offered: dict[str, list[int]] = {}
        for across, down in SHAPES:
            sides = grammar.ratio(across, down, model.width * model.height, MULTIPLE)
            if max(sides) <= limits.max_side and min(sides) >= limits.min_side:
                offered[f"{across}:{down} · {sides[0]}×{sides[1]}"] = list(sides)
        now = [own.width, own.height] if own.width and own.height else None
        return _choices("size", offered, now, columns=2)

    def _styles(self, own: Preferences, viewer: Viewer, page: int) -> list[list[Key]]:
        """Pressing a style that is not chosen asks for its weight, pressing a chosen one takes it out."""
        styles, chosen = self._studio.styles(viewer.origin, viewer.user), {use.name for use in own.styles}
        pages = max(1, -(-len(styles) // PAGE))
        page = min(max(page, 0), pages - 1)
        keys = []
        for style in styles[page * PAGE : (page + 1) * PAGE]:
            if style.name in chosen:
                rest = [use for use in own.styles if use.name != style.name]
                without = {"styles": _data(rest)}
                keys.append(to(f"✓ {style.name}", "settings", style="success", at="style", page=page, set=without))
            else:
                keys.append(to(style.name, "settings", at="weight", name=style.name))
        rows = [keys[n : n + 2] for n in range(0, len(keys), 2)]
        if pages > 1:
            rows.append(turn(page, pages, "settings", at="style"))
        return [*rows, [_back(), to(notices.no_style(), "settings", set={"styles": []})]]

    def _weights(self, own: Preferences, viewer: Viewer, style: str) -> list[list[Key]]:
        """The weights of a style, which comes to those chosen before as far as there is room."""
        limits = self._studio.limits(viewer.user, viewer.origin)
        room = max(0, limits.max_styles - 1)
        others = [use for use in own.styles if use.name != style][-room:] if room else []
        keys = [
            to(f"{style} {words.number(weight)}", "settings", set={"styles": _data([*others, StyleUse(style, weight)])})
            for weight in WEIGHTS
            if weight <= limits.max_weight
        ]
        return [*(keys[n : n + 2] for n in range(0, len(keys), 2)), [_back("style")]]


def _menu(own: Preferences) -> list[list[Key]]:
    labels = words.LABELS
    ping = f"{'✅' if own.ping else '⬜'} {notices.ping()}"
    return [
        [to(f"{labels['steps']} ›", "settings", at="steps"), to(f"{labels['guidance']} ›", "settings", at="guidance")],
        [to(f"{notices.size()} ›", "settings", at="size"), to(f"{labels['styles']} ›", "settings", at="style")],
        [
            to(f"{labels['scheduler']} ›", "settings", at="scheduler"),
            to(f"{labels['negative']} ›", "settings", at="negative"),
        ],
        [to(ping, "settings", set={"ping": not own.ping})],
        [to(f"↩ {notices.reset()}", "settings", set={**PLAIN, "styles": []})],
    ]


def _choices(name: str, offered: dict[str, Any], now: Any, columns: int = 3) -> list[list[Key]]:
    """One button for each value, the present one marked, and one that leaves it to the model."""
    keys = [
        to(f"✓ {label}", "settings", style="success", set={name: value})
        if value == now
        else to(label, "settings", set={name: value})
        for label, value in offered.items()
    ]
    rows = [keys[n : n + columns] for n in range(0, len(keys), columns)]
    usual = f"{'✓ ' if now is None else ''}{notices.automatic('')}"
    return [*rows, [_back(), to(usual, "settings", set={name: None})]]


def _back(at: str = "") -> Key:
    return to(phrases.back(), "settings", at=at)


def _data(uses: Sequence[StyleUse]) -> list[list[Any]]:
    return [[use.name, use.weight] for use in uses]


def _changes(told: dict[str, Any]) -> dict[str, Any]:
    """What a button sets, as `Studio.prefer` takes it."""
    changes = dict(told)
    if "size" in changes:
        changes["width"], changes["height"] = changes.pop("size") or (None, None)
    if "styles" in changes:
        changes["styles"] = tuple(StyleUse(str(name), float(weight)) for name, weight in changes["styles"])
    return changes
