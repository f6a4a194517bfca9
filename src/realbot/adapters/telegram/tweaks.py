"""The menus under "Change…": style, weight, look, size, steps and seed of the next picture, chosen by buttons alone.

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

    from realbot.rulebook import Limits
    from realbot.styles import Style

#: Verbs of a button that shows a menu, of the one that asks for what was chosen, and of the one that asks for words.
MENU, PAINT, WORDS = "change", "paint", "words"
#: Styles on one page, in two columns.
PAGE = 8
WEIGHTS = (0.3, 0.5, 0.7, 0.8, 1.0, 1.2)
#: How much of a look is taken.
LOOKS = (0.2, 0.4, 0.6, 0.8)
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
    look: float | None = None  #: how much of the look of its reference is taken; 0: it has none any more
    own: int | None = None  #: which of the job's pictures is the reference of what is painted, from 0

    @classmethod
    def load(cls, data: dict[str, Any]) -> Self:
        """From JSON data. Raises KeyError, TypeError or ValueError for anything else."""
        styles, size, look, own = (data.get(name) for name in ("styles", "size", "look", "own"))
        return cls(
            None if styles is None else tuple(StyleUse(str(name), float(weight)) for name, weight in styles),
            data.get("steps"),
            None if size is None else (int(size[0]), int(size[1])),
            bool(data.get("lock", False)),
            None if look is None else float(look),
            None if own is None else int(own),
        )

    def data(self) -> dict[str, Any]:
        """As JSON data, without what is as it was."""
        told: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if value is not None and value is not False:
                told[one.name] = value
        if self.styles is not None:
            told["styles"] = [[use.name, use.weight] for use in self.styles]
        return told

    def over(self, request: Generate, seed: int) -> Generate:
        """The request that was chosen; `seed` is the next one, unless the old one is kept."""
        width, height = self.size or (request.width, request.height)
        reference, weight = request.reference, request.reference_weight
        if self.look is not None:
            reference, weight = (reference, self.look) if self.look else (None, None)
        return replace(
            request,
            styles=request.styles if self.styles is None else self.styles,
            steps=self.steps or request.steps,
            width=width,
            height=height,
            seed=request.seed if self.lock else seed,
            reference=reference,
            reference_weight=weight,
        )


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that can be painted in the look of a picture: an earlier request, or words alone."""

    prompt: str
    job_id: str = ""

    @classmethod
    def load(cls, data: dict[str, Any]) -> Self:
        """From JSON data, where an earlier request is told by its job alone. Raises KeyError for anything else."""
        return cls("", str(data["job_id"])) if "job_id" in data else cls(str(data["prompt"]))

    def data(self) -> dict[str, str]:
        return {"job_id": self.job_id} if self.job_id else {"prompt": self.prompt}


def opened(label: str, job_id: str) -> Key:
    """The button that opens the menus of a job."""
    return _to(label, job_id, "main", Draft())


def lent(job_id: str, index: int) -> Key:
    """The button that opens the menu of what could have the look of one of a job's pictures."""
    return _to(phrases.use_look(), job_id, "main", Draft(own=index))


def menu(  # noqa: PLR0917 - all that a menu can be about
    job_id: str,
    request: Generate,
    detail: str,
    styles: Sequence[Style],
    usual: tuple[int, int],
    limits: Limits,
    offers: Sequence[Offer] = (),
    *,
    several: bool = False,
) -> list[list[Key]]:
    """The menu that a pressed button leads to; `usual` is the model's own width and height, in pixels.

    `offers` could have the look of the picture, and `several` says that the job has more than one. Raises
    KeyError, TypeError or ValueError for a damaged `detail`.
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
        case "look":
            return _looks(job_id, request, draft)
    if draft.own is not None:
        return _lent(job_id, draft, draft.own, offers, several=several)
    return _main(job_id, request, draft, several=several)


def chosen(detail: str) -> Draft:
    """What the button to paint asks for. Raises KeyError, TypeError or ValueError for a damaged `detail`."""
    return Draft.load(json.loads(detail)["draft"]) if detail else Draft()


def _main(job_id: str, request: Generate, draft: Draft, *, several: bool) -> list[list[Key]]:
    now = draft.over(request, 0)
    # A part that is painted anew leaves the picture its size.
    size = [] if request.mask else [_to(phrases.size(f"{now.width}×{now.height}"), job_id, "size", draft)]
    flipped = replace(draft, lock=not draft.lock)
    weight = words.number(now.reference_weight) if now.reference_weight else ""
    look = [_to(phrases.look(weight), job_id, "look", draft)] if request.reference else []
    return [
        [_to(phrases.styles(_named(now.styles)), job_id, "styles", draft)],
        [*size, _to(phrases.steps(now.steps or 0), job_id, "steps", draft)],
        [_to(phrases.seed(locked=draft.lock), job_id, "main", flipped), *look],
        *([] if several else [[lent(job_id, 0)]]),
        [
            Key(phrases.back(), "card", job_id),
            Key(phrases.paint(), PAINT, job_id, detail=_detail(draft=draft.data()), style="primary", days=DAYS),
        ],
    ]


def _lent(job_id: str, draft: Draft, index: int, offers: Sequence[Offer], *, several: bool) -> list[list[Key]]:
    """Words are asked for, or one of the offers is taken, with the weight and the styles that are chosen here."""
    told = draft.data()
    weight = words.LABELS["automatic"] if draft.look is None else words.number(draft.look)
    ask = Key(phrases.say_what(), WORDS, job_id, index, detail=_detail(draft=told), style="primary", days=DAYS)
    keys = [
        Key(offer.prompt, PAINT, job_id, index, detail=_detail(draft=told, offer=offer.data()), days=DAYS)
        for offer in offers
    ]
    return [
        [ask],
        *([key] for key in keys),
        [
            _to(phrases.look(weight), job_id, "look", draft),
            _to(
                phrases.styles(_named(draft.styles or ())), job_id, "styles", replace(draft, styles=draft.styles or ())
            ),
        ],
        [Key(phrases.back(), "picture", job_id, index) if several else opened(phrases.back(), job_id)],
    ]


def _looks(job_id: str, request: Generate, draft: Draft) -> list[list[Key]]:
    """How much of a look is taken, and, for one that the job has, that it is taken no more."""
    now = draft.look if draft.look is not None or draft.own is not None else request.reference_weight
    offered = sorted({*LOOKS, *([now] if now else [])})
    keys = [_to(words.number(n), job_id, "main", replace(draft, look=n), chosen=n == now) for n in offered]
    none = _to(phrases.no_look(), job_id, "main", replace(draft, look=0.0), chosen=now == 0)
    return [*_rows(keys, 4), [_to(phrases.back(), job_id, "main", draft), *([none] if draft.own is None else [])]]


def _named(styles: Sequence[StyleUse]) -> str:
    return ", ".join(f"{use.name} {words.number(use.weight)}" for use in styles)


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
