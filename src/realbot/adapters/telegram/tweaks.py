"""The menus under "Change…": style, weight, size, steps and seed of the next picture, chosen by buttons alone.

What was chosen so far stands in each button's own action, so a menu goes on after a restart and on every device.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self

from realbot import grammar
from realbot.adapters import words
from realbot.adapters.telegram import phrases
from realbot.adapters.telegram.keyboard import Key
from realbot.jobs import Generate, StyleUse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realbot.sections import Limits
    from realbot.styles import Style

#: Verbs of a button that shows a menu, and of the one that asks for what was chosen.
MENU, PAINT = "change", "paint"
#: Styles on one page, in two columns.
PAGE = 8
WEIGHTS = (0.3, 0.5, 0.7, 0.8, 1.0, 1.2)
STEPS = (4, 8, 12, 20, 28, 40, 50)
#: Width to height of the shapes that are offered.
SHAPES = ((1, 1), (4, 3), (3, 4), (3, 2), (2, 3), (16, 9), (9, 16))
#: Pixels of which sides are a multiple.
MULTIPLE = 16
DAYS = 7.0


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be different from the job it begins with; None is as it was there."""

    styles: tuple[StyleUse, ...] | None = None
    steps: int | None = None
    size: tuple[int, int] | None = None  #: width and height in pixels
    lock: bool = False  #: keep the seed

    @classmethod
    def load(cls, data: dict[str, Any]) -> Self:
        """From JSON data. Raises KeyError, TypeError or ValueError for anything else."""
        styles, size = data.get("styles"), data.get("size")
        return cls(
            None if styles is None else tuple(StyleUse(str(name), float(weight)) for name, weight in styles),
            data.get("steps"),
            None if size is None else (int(size[0]), int(size[1])),
            bool(data.get("lock", False)),
        )

    def data(self) -> dict[str, Any]:
        """As JSON data, without what is as it was."""
        told: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if value not in (None, False):
                told[one.name] = value
        if self.styles is not None:
            told["styles"] = [[use.name, use.weight] for use in self.styles]
        return told

    def over(self, request: Generate, seed: int) -> Generate:
        """The request that was chosen; `seed` is the next one, unless the old one is kept."""
        width, height = self.size or (request.width, request.height)
        return replace(
            request,
            styles=request.styles if self.styles is None else self.styles,
            steps=self.steps or request.steps,
            width=width,
            height=height,
            seed=request.seed if self.lock else seed,
        )


def opened(label: str, job_id: str) -> Key:
    """The button that opens the menus of a job."""
    return _to(label, job_id, "main", Draft())


def menu(  # noqa: PLR0917 - all that a menu can be about
    job_id: str, request: Generate, detail: str, styles: Sequence[Style], usual: tuple[int, int], limits: Limits
) -> list[list[Key]]:
    """The menu that a pressed button leads to; `usual` is the model's own width and height, in pixels.

    Raises KeyError, TypeError or ValueError for a damaged `detail`.
    """
    state = json.loads(detail)
    draft, at = Draft.load(state.get("draft", {})), state["at"]
    match at:
        case "styles":
            return _styles(job_id, request, draft, styles, int(state.get("page", 0)))
        case "weight":
            return _weights(job_id, request, draft, str(state["style"]), limits)
        case "size":
            return _sizes(job_id, request, draft, usual, limits)
        case "steps":
            return _steps(job_id, request, draft, limits)
    return _main(job_id, request, draft)


def chosen(detail: str) -> Draft:
    """What the button to paint asks for. Raises KeyError, TypeError or ValueError for a damaged `detail`."""
    return Draft.load(json.loads(detail)["draft"]) if detail else Draft()


def _main(job_id: str, request: Generate, draft: Draft) -> list[list[Key]]:
    now = draft.over(request, 0)
    names = ", ".join(f"{use.name} {words.number(use.weight)}" for use in now.styles)
    shape = f"{now.width}×{now.height}"
    flipped = replace(draft, lock=not draft.lock)
    return [
        [_to(phrases.styles(names), job_id, "styles", draft)],
        [_to(phrases.size(shape), job_id, "size", draft), _to(phrases.steps(now.steps or 0), job_id, "steps", draft)],
        [_to(phrases.seed(locked=draft.lock), job_id, "main", flipped)],
        [
            Key(phrases.back(), "card", job_id),
            Key(phrases.paint(), PAINT, job_id, detail=_detail(draft=draft.data()), style="primary", days=DAYS),
        ],
    ]


def _styles(job_id: str, request: Generate, draft: Draft, styles: Sequence[Style], page: int) -> list[list[Key]]:
    """Pressing a style that is not chosen asks for its weight, pressing a chosen one takes it out."""
    using = request.styles if draft.styles is None else draft.styles
    names = {use.name for use in using}
    pages = max(1, -(-len(styles) // PAGE))
    page = min(max(page, 0), pages - 1)
    keys = []
    for style in styles[page * PAGE : (page + 1) * PAGE]:
        if style.name in names:
            without = replace(draft, styles=tuple(use for use in using if use.name != style.name))
            keys.append(_to(style.name, job_id, "styles", without, page=page, chosen=True))
        else:
            keys.append(_to(style.name, job_id, "weight", draft, style=style.name))
    turn = [
        _to("‹", job_id, "styles", draft, page=(page - 1) % pages),
        _to(phrases.pages(page, pages), job_id, "styles", draft, page=page),
        _to("›", job_id, "styles", draft, page=(page + 1) % pages),
    ]
    none = _to(phrases.no_style(), job_id, "main", replace(draft, styles=()))
    return [*_rows(keys, 2), *([turn] if pages > 1 else []), [_to(phrases.back(), job_id, "main", draft), none]]


def _weights(job_id: str, request: Generate, draft: Draft, style: str, limits: Limits) -> list[list[Key]]:
    using = request.styles if draft.styles is None else draft.styles
    room = max(0, limits.max_styles - 1)
    others = tuple(use for use in using if use.name != style)[-room:] if room else ()
    keys = [
        _to(words.number(weight), job_id, "main", replace(draft, styles=(*others, StyleUse(style, weight))))
        for weight in WEIGHTS
        if weight <= limits.max_weight
    ]
    title = _to(style, job_id, "weight", draft, style=style)
    return [[title], keys[:3], keys[3:], [_to(phrases.back(), job_id, "styles", draft)]]


def _sizes(job_id: str, request: Generate, draft: Draft, usual: tuple[int, int], limits: Limits) -> list[list[Key]]:
    now = draft.size or (request.width, request.height)

    def key(label: str, size: tuple[int, int]) -> list[Key]:
        if not _allowed(*size, limits):
            return []
        label = f"{label} · {size[0]}×{size[1]}"
        return [_to(label, job_id, "main", replace(draft, size=size), chosen=size == now)]

    keys: list[Key] = []
    for across, down in SHAPES:
        size = grammar.ratio(across, down, usual[0] * usual[1], MULTIPLE)
        keys += key(f"{across}:{down}", size) if size != usual else []
    return [key(phrases.usual_size(), usual), *_rows(keys, 2), [_to(phrases.back(), job_id, "main", draft)]]


def _allowed(width: int, height: int, limits: Limits) -> bool:
    sides = limits.min_side <= min(width, height) and max(width, height) <= limits.max_side
    return sides and width * height <= limits.max_pixels


def _steps(job_id: str, request: Generate, draft: Draft, limits: Limits) -> list[list[Key]]:
    now = draft.steps or request.steps or 0
    offered = sorted(n for n in {*STEPS, now} if 0 < n <= limits.max_steps)
    keys = [_to(str(n), job_id, "main", replace(draft, steps=n), chosen=n == now) for n in offered]
    return [*_rows(keys, 4), [_to(phrases.back(), job_id, "main", draft)]]


def _rows(keys: list[Key], width: int) -> list[list[Key]]:
    return [keys[n : n + width] for n in range(0, len(keys), width)]


def _to(label: str, job_id: str, at: str, draft: Draft, *, chosen: bool = False, **state: Any) -> Key:
    look = "success" if chosen else ""
    label = f"✓ {label}" if chosen else label
    return Key(label, MENU, job_id, detail=_detail(at=at, draft=draft.data(), **state), style=look, days=DAYS)


def _detail(**state: Any) -> str:
    return json.dumps(state, sort_keys=True, separators=(",", ":"))
