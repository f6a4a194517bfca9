"""What the studio makes of pictures that are there: what people bring, variations, enlargements."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Literal

from .desk import Desk
from .errors import Invalid, NotYours
from .house import House
from .jobs import SEEDS, Generate, ImageId, Origin, Upscale, User
from .store import Row, Store

#: How far a variation goes from its picture.
VARIATIONS = {"subtle": 0.35, "strong": 0.75}


class Darkroom:
    """The part of the studio whose requests begin with a picture."""

    _store: Store
    _desk: Desk
    _house: House

    async def upload(self, user: User, data: bytes, origin: Origin | None = None) -> ImageId:
        """Keep a PNG, JPEG or WebP file as a source for this person's requests; for an hour, until one names it.

        Raises Invalid in one sentence when it is too large, moves, is damaged or no picture.
        """
        return await self._desk.uploads.take(user, data, self._house.settings(origin).limits)

    async def vary(
        self, user: User, job_id: str, index: int, strength: Literal["subtle", "strong"], *, shown: bool = False
    ) -> Generate:
        """The request for another picture like this one of a job, counted from 0, with a new seed.

        `shown` says that the picture is in front of this person, on somebody's card; otherwise it must be theirs.
        Raises NotYours, and Invalid where there is nothing to vary.
        """
        row, image = await self._picture(user, job_id, index, shown=shown)
        if not isinstance(row.request, Generate):
            raise Invalid("An enlarged picture cannot be varied; vary the one it was made from.")
        return replace(
            row.request,
            source=image,
            strength=VARIATIONS[strength],
            seed=secrets.randbelow(SEEDS),
            count=1,
            model=None,
        )

    async def enlarge(self, user: User, job_id: str, index: int, factor: int, *, shown: bool = False) -> Upscale:
        """The request to enlarge a picture of a job; arguments and errors are those of `vary`."""
        _, image = await self._picture(user, job_id, index, shown=shown)
        return Upscale(source=image, factor=factor)

    async def _picture(self, user: User, job_id: str, index: int, *, shown: bool) -> tuple[Row, ImageId]:
        row = await self._store.row(job_id, None if shown else user)
        if row is None:
            raise NotYours
        if not 0 <= index < len(row.images):
            raise Invalid("This picture is not there any more.")
        image = row.images[index]
        if not self._store.people.same(row.user.key, user.key):
            self._desk.uploads.show(user, image)
        return row, image
