"""What front-ends read of a job that is not on its way any more."""

from __future__ import annotations

from dataclasses import dataclass

from .jobs import Board, Cancelled, Done, Failed, ImageId, Job, Origin, Request, Status, Waiting
from .rows import Row
from .tickets import Notes


@dataclass(frozen=True, slots=True)
class Entry:
    """A job in a person's history. Times are in seconds."""

    id: str
    seq: int  #: for `history(before=...)`
    request: Request
    images: tuple[ImageId, ...]
    seed: int
    seconds: float
    created: float
    state: str
    cached: bool
    favourite: bool
    error: str
    notes: Notes
    origin: Origin
    owner: str  #: key of the person
    detail: str  #: of the error, or why it could not be delivered
    meant: bool = False  #: found by what its words mean, not by the words

    @classmethod
    def of(cls, row: Row) -> Entry:
        return cls(
            id=row.id,
            seq=row.seq,
            request=row.request,
            images=row.images,
            seed=row.seed or 0,
            seconds=row.seconds,
            created=row.created,
            state=row.state,
            cached=row.cached,
            favourite=row.favourite,
            error=row.error,
            notes=row.notes,
            origin=row.origin,
            owner=row.user.key,
            detail=row.detail,
        )


def revived(row: Row) -> Job:
    """The job of an earlier life of the bot; one that has not ended waits again."""
    match row.state:
        case "accepted" | "running":
            status: Status = Waiting(1)
        case "cancelled":
            status = Cancelled(row.detail)
        case "failed":
            status = Failed(row.error, row.detail)
        case "quarantined":
            status = Failed("Quarantined", row.detail)
        case _:
            status = Done(row.images, row.seed or 0, row.seconds, row.cached, row.notes)
    return Job(row.id, row.user, row.request, row.origin, row.created, Board(status))
