"""The pictures that people gather to train a style on, one set for each person and chat.

Telegram keeps the pictures, realbot their names: each is an action of its person, and so on the disk before the next
message is read, theirs to take out and to delete, and gone after a day.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from realbot.adapters.telegram.place import PLATFORM
from realbot.errors import Refused
from realbot.jobs import Origin, User

if TYPE_CHECKING:
    from realbot.academy import Plan
    from realbot.studio import Studio

#: Under which name the ids of the actions of all open sets are kept, and the verbs of these.
NAME, HEAD, PICTURE = "telegram trainings", "lesson", "lesson picture"
#: Days for which pictures can be sent.
DAYS = 1.0
#: Bytes of all pictures of a set together.
ROOM = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Sent:
    """A picture that somebody sent. `file` is Telegram's id of it."""

    message: int
    file: str
    name: str  #: of a document; empty for a photo
    size: int  #: bytes
    caption: str = ""
    album: str = ""


@dataclass(frozen=True, slots=True)
class Aim:
    """What is to be trained; `steps` is None for the usual number."""

    style: str
    trigger: str
    steps: int | None = None
    rank: int = 16


@dataclass(slots=True)
class Gathering:
    """A set that grows. `origin` is that of the message that began it, `status` the message that tells of it."""

    user: User
    origin: Origin
    aim: Aim
    status: int = 0
    told: float = 0.0  #: Unix time at which it did last
    pictures: dict[int, Sent] = field(default_factory=dict)
    plan: Plan | None = None  #: what was found among them, until another one comes
    looking: bool = False  #: they are being looked at
    stale: bool = False  #: the status says less than there is
    telling: bool = False  #: the status is being changed
    head: str = ""  #: the id of its action
    ids: list[str] = field(default_factory=list)  #: those of its pictures

    @property
    def key(self) -> tuple[str, str]:
        return self.user.key, self.origin.place

    @property
    def size(self) -> int:
        return sum(sent.size for sent in self.pictures.values())

    def captions(self) -> Iterator[tuple[Sent, str]]:
        """Each picture with what is said of it; words below an album are about all of it."""
        said: dict[str, list[str]] = {}
        for sent in self.pictures.values():
            if sent.caption:
                said.setdefault(sent.album, []).append(sent.caption)
        for _, sent in sorted(self.pictures.items()):
            whole = said.get(sent.album, []) if sent.album else []
            yield sent, whole[0] if len(whole) == 1 else sent.caption


class Sets:
    """All open sets of a front-end."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._open: dict[tuple[str, str], Gathering] = {}
        self._loaded = False
        self._turn = asyncio.Lock()

    async def find(self, user: User, chat: str) -> Gathering | None:
        """The set that this person gathers there; None without one, or where it is a day old."""
        await self._load()
        found = self._open.get((user.key, chat))
        if found is None:
            return None
        try:
            await self._studio.acted(found.head, press=False)
        except Refused:
            await self.close(found)
            return None
        return found

    def holds(self, gathering: Gathering) -> bool:
        """Whether it is open still, and has no other name."""
        return self._open.get(gathering.key) is gathering

    async def begin(self, gathering: Gathering) -> None:
        """Keep a new set."""
        await self._load()
        self._open[gathering.key] = gathering
        await self.note(gathering)

    async def note(self, gathering: Gathering) -> None:
        """Keep what has changed about a set beside its pictures."""
        told = {
            "origin": asdict(gathering.origin),
            "aim": asdict(gathering.aim),
            "status": gathering.status,
        }
        gathering.head = await self._kept(gathering, HEAD, told)
        await self._save()

    async def add(self, gathering: Gathering, sent: Sent) -> None:
        """Keep one more picture."""
        gathering.pictures[sent.message] = sent
        gathering.plan = None
        gathering.ids.append(await self._kept(gathering, PICTURE, asdict(sent)))
        await self._save()

    async def close(self, gathering: Gathering) -> None:
        """Nothing more is gathered for this set."""
        if self.holds(gathering):
            del self._open[gathering.key]
        await self._save()

    async def _kept(self, gathering: Gathering, verb: str, told: dict[str, object]) -> str:
        detail = json.dumps(told, sort_keys=True, ensure_ascii=False)
        return await self._studio.action(
            verb, "", gathering.user, detail=detail, place=gathering.origin.place, days=DAYS
        )

    async def _save(self) -> None:
        async with self._turn:
            told = [[one.head, *one.ids] for one in self._open.values()]
            await self._studio.remember(NAME, json.dumps(told))

    async def _load(self) -> None:
        """Take up the sets of an earlier life, of those people that are not forgotten since."""
        async with self._turn:
            if self._loaded:
                return
            for head, *ids in json.loads(await self._studio.remembered(NAME) or "[]"):
                with suppress(Refused):
                    gathering = await self._revived(head)
                    for number in ids:
                        told = (await self._studio.acted(number, press=False)).detail
                        sent = Sent(**json.loads(told))
                        gathering.pictures[sent.message] = sent
                        gathering.ids.append(number)
                    self._open[gathering.key] = gathering
            self._loaded = True

    async def _revived(self, head: str) -> Gathering:
        action = await self._studio.acted(head, press=False)
        told = json.loads(action.detail)
        user = User(PLATFORM, action.owner.partition(":")[2])
        origin, aim = Origin(**told["origin"]), Aim(**told["aim"])
        return Gathering(user, origin, aim, told["status"], head=head)


def renamed(gathering: Gathering, aim: Aim, origin: Origin) -> Gathering:
    """The same pictures for something else."""
    return replace(gathering, aim=aim, origin=origin, plan=None, looking=False, stale=False, telling=False)
