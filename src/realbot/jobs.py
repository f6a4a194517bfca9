"""The nouns: who asks, for what, from where, and how far it is.

Requests are imperative verbs, statuses are participles. Only the standard library is imported here.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, TypeAlias

#: sha256 of a picture file, 64 lowercase hex digits.
ImageId: TypeAlias = str

#: Where a painted picture may be shown: in the place it was asked for, there behind a spoiler, to its person alone,
#: nowhere until a moderator says so, or in the history only.
Showing: TypeAlias = Literal["here", "spoiler", "directly", "withheld", "nowhere"]

#: Seeds are unsigned 32-bit numbers, which every front-end can show and every tool accepts.
SEEDS = 2**32


@dataclass(frozen=True, slots=True)
class User:
    """A person on one platform; the same number on two platforms is two people."""

    platform: str
    id: str
    name: str = ""
    roles: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        return f"{self.platform}:{self.id}"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the card is; stored with the job and never changed after acceptance."""

    platform: str
    place: str = ""
    message: str = ""
    thread: str = ""
    locale: str = "en"
    server: str = ""  #: the community that the place belongs to; empty in direct messages
    parent: str = ""  #: the channel that a thread belongs to
    adult: bool = False  #: the place is open to adults only
    private: bool = False  #: only the person who asks sees the card
    shared: bool = False  #: other people see the place though it belongs to no server

    @property
    def server_key(self) -> str:
        """The key of the server, "discord:123"; empty where there is none."""
        return f"{self.platform}:{self.server}" if self.server else ""

    @property
    def keys(self) -> tuple[str, ...]:
        """The places whose rules hold here, the widest first."""
        ids = dict.fromkeys(i for i in (self.server, self.parent, self.place, self.thread) if i)
        return tuple(f"{self.platform}:{i}" for i in ids)


@dataclass(frozen=True, slots=True)
class StyleUse:
    """A LoRA style and how strongly it is applied."""

    name: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Generate:
    """Paint a picture. `None` means: the model's default; `seed=None`: one is drawn."""

    prompt: str
    negative: str = ""
    width: int | None = None  #: pixels
    height: int | None = None  #: pixels
    steps: int | None = None
    guidance: float | None = None  #: embedded guidance on FLUX.1-dev, CFG on the SD family
    true_cfg: float | None = None  #: classifier-free guidance on FLUX, doubles a step; 1 is off
    scheduler: str | None = None
    seed: int | None = None
    count: int = 1  #: pictures; picture i has seed + i
    styles: tuple[StyleUse, ...] = ()
    source: ImageId | None = None
    mask: ImageId | None = None  #: white is painted, the rest of the source stays
    region: str | None = None  #: words for a part of the source, of which the desk makes the mask
    strength: float | None = None  #: 0 keeps the source, 1 ignores it
    reference: ImageId | None = None  #: a picture whose look is taken
    reference_weight: float | None = None  #: how much of the look, 0..1
    model: str | None = None
    avoid: str = ""  #: what the place puts before the negative prompt; the desk writes it, whatever was asked


#: How much larger the sides of a picture can become.
FACTORS = (2, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upscale:
    """Enlarge a picture: each side becomes `factor` times as long."""

    source: ImageId
    factor: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Train:
    """Train a LoRA style on a person's own pictures. `None` means: the model's usual value."""

    style: str  #: its name, as styles have it
    trigger: str  #: the words that wake it
    images: tuple[ImageId, ...]
    captions: tuple[str, ...] = ()  #: what is on each picture; none: the trigger alone
    steps: int = 1000
    rank: int = 16
    rate: float | None = None  #: the highest learning rate
    batch: int | None = None  #: pictures at a time
    seed: int = 0


Request: TypeAlias = Generate | Upscale | Train
VERBS: dict[str, type[Generate] | type[Upscale] | type[Train]] = {
    "generate": Generate,
    "upscale": Upscale,
    "train": Train,
}


@dataclass(frozen=True, slots=True)
class Eta:
    """Seconds until the picture is there, as the range in which four of five fall."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Waiting:
    position: int  #: 1 is next
    eta: Eta | None = None  #: None while there is nothing to learn from
    paused: bool = False  #: nothing is painted for this place until an administrator resumes it
    until: float | None = None  #: Unix time before which it does not begin: styles may be trained at some hours only


@dataclass(frozen=True, slots=True)
class Running:
    step: int
    steps: int
    eta: Eta | None = None
    preview: str | None = None  #: path of a small JPEG, gone when the job ends
    #: Of a training: loss, smoothed, validation, rate and speed (pictures a second), those that are known.
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Done:
    images: tuple[ImageId, ...]
    seed: int
    seconds: float  #: of painting; the original's when it came from the cache
    cached: bool = False
    notes: tuple[tuple[str, str], ...] = ()  #: (kind, detail): ("prompt_cut", the words), ("scheduler", "ddim")


@dataclass(frozen=True, slots=True)
class Failed:
    error: str  #: class name in `errors`
    detail: str = ""  #: a sentence a person may read, or empty


@dataclass(frozen=True, slots=True)
class Cancelled:
    detail: str = ""  #: why somebody else did it, a sentence a person may read, or empty


Status: TypeAlias = Waiting | Running | Done | Failed | Cancelled


def is_final(status: Status) -> bool:
    """Whether nothing follows this status."""
    return isinstance(status, Done | Failed | Cancelled)


class Board:
    """The latest status of one job. A slow reader skips; a late one starts with the latest."""

    __slots__ = ("_changed", "_status")

    def __init__(self, status: Status) -> None:
        self._status = status
        self._changed: asyncio.Future[None] | None = None

    @property
    def status(self) -> Status:
        return self._status

    def post(self, status: Status) -> None:
        """Show a new status; a final one is never replaced."""
        if is_final(self._status) or status == self._status:
            return
        self._status = status
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)
        self._changed = None

    async def watch(self) -> AsyncIterator[Status]:
        """The status now and each later one, to the final one."""
        seen: Status | None = None
        while True:
            if self._status is not seen:
                seen = self._status
                yield seen
                if is_final(seen):
                    return
                continue
            if self._changed is None:
                self._changed = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._changed)


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """An accepted request. `request` is resolved: no field is left to a default."""

    id: str
    user: User
    request: Request
    origin: Origin
    created: float  #: Unix time in seconds
    board: Board = field(repr=False)

    @property
    def status(self) -> Status:
        return self.board.status

    def watch(self) -> AsyncIterator[Status]:
        return self.board.watch()


def to_json(request: Request) -> dict[str, Any]:
    """A request as JSON data, with its verb."""
    verb = next(name for name, kind in VERBS.items() if isinstance(request, kind))
    return {"verb": verb, **asdict(request)}


def from_json(data: Mapping[str, Any]) -> Request:
    """The inverse of `to_json`. Raises KeyError or TypeError for data of another version."""
    rest = dict(data)
    kind = VERBS[rest.pop("verb")]
    if "styles" in rest:
        rest["styles"] = tuple(StyleUse(**use) for use in rest["styles"])
    for name in ("images", "captions"):
        if name in rest:
            rest[name] = tuple(rest[name])
    return kind(**rest)


def canonical(data: Any) -> bytes:
    """JSON that is equal for equal data: sorted keys, no blanks, UTF-8. Raises ValueError for NaN and infinity."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode(
        "utf-8", "surrogatepass"
    )


#: Fields in which 1 and 1.0 are the same.
_FLOATS = ("guidance", "true_cfg", "strength", "reference_weight")
#: Fields that pictures were painted without.
_LATER = ("region", "reference_weight", "avoid")


def key_of(request: Request, fingerprint: str) -> str:
    """sha256 of the resolved request and the engine fingerprint: equal keys promise equal bytes.

    Every field of the request is in it; one that was added later only when it says something, so that old keys stay.
    With `seed=None` it is the key of the *question*, by which a person's earlier answer is found.
    """
    data = to_json(request)
    if isinstance(request, Generate):
        data["styles"] = sorted([use.name, float(use.weight)] for use in request.styles)
        for f in fields(request):
            if f.name in _LATER and data[f.name] == f.default:
                del data[f.name]
            elif isinstance(data[f.name], float | int) and f.name in _FLOATS:
                data[f.name] = float(data[f.name])
    return hashlib.sha256(canonical({"request": data, "fingerprint": fingerprint})).hexdigest()


def count_of(request: Request) -> int:
    """How many pictures are asked for."""
    return request.count if isinstance(request, Generate) else 1


def seed_of(request: Request) -> int | None:
    return request.seed if isinstance(request, Generate) else None


def seeded(request: Request, seed: int | None) -> Request:
    """The same request with another seed."""
    return replace(request, seed=seed) if isinstance(request, Generate) else request
