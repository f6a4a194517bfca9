"""What the studio makes of pictures that are there: what people bring, masks, variations, enlargements, wider views."""

from __future__ import annotations

import math
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Literal

from .desk import Desk
from .engine.models import FAMILIES, resolve, shape
from .errors import Invalid, NotYours
from .gate import Gate
from .house import House
from .jobs import SEEDS, Generate, ImageId, Origin, Upscale, User
from .journal import Journal
from .rulebook import Limits
from .safety import Safety
from .store import Row, Store

#: How far a variation goes from its picture.
VARIATIONS = {"subtle": 0.35, "strong": 0.75}
#: How much more may be seen at once, and how far a picture moves to the side, as a share of it.
FACTORS, SHIFT = (1.5, 2), 0.5
#: Where to look: the way that the picture moves on its canvas.
DIRECTIONS = {"left": (1, 0), "right": (-1, 0), "up": (0, 1), "down": (0, -1)}


class Darkroom:
    """The part of the studio whose requests begin with a picture."""

    gate: Gate
    journal: Journal
    safety: Safety
    _store: Store
    _desk: Desk
    _house: House

    async def upload(self, user: User, data: bytes, origin: Origin | None = None) -> ImageId:
        """Keep a PNG, JPEG or WebP file as a source for this person's requests; for an hour, until one names it.

        Raises Invalid in one sentence when it is too large, moves, is damaged or no picture, and Blocked.
        """
        with self.journal.bringing():
            self._admit(user, origin)
            return await self._desk.uploads.take(user, data, self._limits(origin, user))

    async def mask(self, user: User, source: ImageId, data: bytes, origin: Origin | None = None) -> ImageId:
        """The mask of a picture from a second one: what is light there is painted. Raises as `upload`, and NotYours."""
        self._admit(user, origin)
        (mask,) = await self._desk.uploads.develop(user, "light", self._limits(origin, user), source, brought=data)
        return mask

    async def mask_from_alpha(
        self, user: User, data: bytes, origin: Origin | None = None
    ) -> tuple[ImageId, ImageId] | None:
        """A file as a source and the mask of its transparent parts; None where it has none. Raises as `upload`."""
        self._admit(user, origin)
        made = await self._desk.uploads.develop(user, "cut", self._limits(origin, user), brought=data)
        return (made[0], made[1]) if made else None

    async def mask_by_strokes(self, user: User, source: ImageId, data: bytes, origin: Origin | None = None) -> ImageId:
        """The mask of what was drawn over a picture in this copy of it. Raises as `upload`, and NotYours.

        The copy may have been scaled and compressed on its way.
        """
        self._admit(user, origin)
        (mask,) = await self._desk.uploads.develop(user, "strokes", self._limits(origin, user), source, brought=data)
        return mask

    async def mask_of_region(self, user: User, source: ImageId, region: str, origin: Origin | None = None) -> ImageId:
        """The mask of a region in words. Raises Invalid for one that there is not, and NotYours."""
        return await self._desk.uploads.region(user, source, region, self._limits(origin, user))

    async def source(self, user: User, image: ImageId) -> Path:
        """The file of a picture that this person may start from. Raises NotYours, Blocked, Invalid when lost."""
        await self.safety.hidden(user, image)
        return await self._desk.uploads.path(user, image)

    async def shape(self, user: User, image: ImageId) -> tuple[int, int]:
        """The width and height that are painted from a picture when no size is asked for. Raises as `source`."""
        await self._desk.uploads.check(user, image)
        return shape(await self._desk.uploads.size(image), self._desk.preset)

    def usual(self, request: Generate) -> Generate:
        """The request with the model's own values where it leaves something open. Raises Invalid."""
        return resolve(request, self._desk.preset)[0]

    async def overlay(self, user: User, source: ImageId, mask: ImageId) -> bytes:
        """A PNG of the picture with its mask tinted, to be looked at before it is painted. Raises NotYours."""
        (shown,) = await self._desk.uploads.make(user, "overlay", self._limits(None, user), source, mask)
        return shown

    async def zoom_out(
        self,
        user: User,
        job_id: str,
        index: int,
        factor: float = 1.5,
        origin: Origin | None = None,
        *,
        shown: bool = False,
    ) -> Generate:
        """The request for what is around a picture of a job: it stays in the middle of a larger canvas.

        Where the limits allow no larger one the picture is scaled down. Errors and `shown` are those of `vary`.
        """
        if factor not in FACTORS:
            raise Invalid("A picture can be zoomed out by 1.5 or by 2, not by {factor:g}.", factor=factor)
        row, image = await self._picture(user, job_id, index, shown=shown)
        width, height = await self._desk.uploads.size(image)
        canvas, scale = self._canvas(width * factor, height * factor, self._limits(origin, user))
        inner = (round(width * scale), round(height * scale))
        place = ((canvas[0] - inner[0]) // 2, (canvas[1] - inner[1]) // 2, *inner)
        return await self._extended(user, row, image, canvas, place)

    async def pan(
        self,
        user: User,
        job_id: str,
        index: int,
        direction: Literal["left", "right", "up", "down"],
        origin: Origin | None = None,
        *,
        shown: bool = False,
    ) -> Generate:
        """The request for what is beside a picture of a job, of which half stays in view.

        Errors and `shown` are those of `vary`.
        """
        row, image = await self._picture(user, job_id, index, shown=shown)
        width, height = await self._desk.uploads.size(image)
        canvas, scale = self._canvas(width, height, self._limits(origin, user))
        inner = (round(width * scale), round(height * scale))
        x, y = DIRECTIONS[direction]
        place = (round(x * SHIFT * inner[0]), round(y * SHIFT * inner[1]), *inner)
        return await self._extended(user, row, image, canvas, place)

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
        if self._desk.preset.edits:
            # There is no strength: a subtle variation shows the words their own picture, a strong one paints anew.
            begun = replace(row.request, source=image, mask=None, region=None) if strength == "subtle" else row.request
            return replace(begun, strength=None, seed=secrets.randbelow(SEEDS), count=1, model=None)
        begun = row.request
        if begun.mask is not None:
            # What was painted in a part, or around a picture, is varied whole, in its own size.
            begun = replace(begun, mask=None, region=None, width=None, height=None)
        return replace(
            begun,
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
        await self.safety.closed(job_id)
        image = row.images[index]
        if not self._store.people.same(row.user.key, user.key):
            self._desk.uploads.show(user, image)
        return row, image

    async def _extended(
        self, user: User, row: Row, image: ImageId, canvas: tuple[int, int], place: tuple[int, int, int, int]
    ) -> Generate:
        """The request that paints a canvas around a picture which lies there in `place`."""
        if not isinstance(row.request, Generate):
            raise Invalid("An enlarged picture cannot be continued; take the one it was made from.")
        made = await self._desk.uploads.develop(
            user, "canvas", self._limits(None, user), image, size=canvas, place=place
        )
        return replace(
            row.request,
            source=made[0],
            mask=made[1],
            region=None,
            strength=None,
            width=None,
            height=None,
            seed=secrets.randbelow(SEEDS),
            count=1,
            model=None,
        )

    def _canvas(self, width: float, height: float, limits: Limits) -> tuple[tuple[int, int], float]:
        """The sides of a canvas of this shape that the limits and the model take, and how much smaller it had to be."""
        scale = min(1.0, limits.max_side / max(width, height), math.sqrt(limits.max_pixels / (width * height)))
        step = FAMILIES[self._desk.preset.family].multiple
        sides = (max(int(side * scale) // step, 1) * step for side in (width, height))
        return (next(sides), next(sides)), scale

    def _admit(self, user: User, origin: Origin | None) -> None:
        """Raise Blocked for somebody who may not ask there; without a place, what is made of it will be refused."""
        if origin is not None:
            self.gate.admit(user, origin)

    def _limits(self, origin: Origin | None, user: User) -> Limits:
        return self._house.settings(origin, user).limits
