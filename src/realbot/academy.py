"""Training of styles as people ask for it: the set is checked, it waits in the line, and what comes of it is theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .accounts import Accounts
from .darkroom import Darkroom
from .errors import Invalid, NotYours
from .eta import Features, Timings
from .jobs import Eta, ImageId, Origin, Train, User
from .phrases import Phrase
from .places import EVERYWHERE
from .styles import Style
from .training import ALIKE, FEWEST, caption_of, course_of, look_of
from .wardrobe import Trained

#: Steps of a training that nobody said a number for.
STEPS = 1000


@dataclass(frozen=True, slots=True)
class Brought:
    """A file that somebody brings to train on."""

    name: str
    data: bytes
    caption: str = ""  #: what is on it; empty: what the file's name says


@dataclass(frozen=True, slots=True)
class Plan:
    """A training that can be submitted, and what was found among its pictures."""

    request: Train
    left_out: tuple[tuple[str, str], ...]  #: name of a file and why, a Phrase
    alike: tuple[tuple[str, str], ...]  #: names of two files that look nearly the same
    duration: Eta | None  #: seconds it takes when nobody wants a picture meanwhile


class Academy(Accounts, Darkroom):
    """The part of the studio that trains styles."""

    _timings: Timings

    def may_train(self, user: User, origin: Origin) -> bool:
        """Whether this person may train styles there.

        Front-ends put "owners" and "administrators" among the roles of whoever is one.
        """
        return self._house.teaches(user, origin)

    async def plan(
        self,
        user: User,
        origin: Origin,
        name: str,
        trigger: str,
        files: Sequence[Brought],
        *,
        steps: int | None = None,
        rank: int = 16,
    ) -> Plan:
        """Check a set of pictures before a minute is spent; submit `Plan.request` within the hour to train on it.

        Raises Blocked for whom or where it is not allowed, and Invalid when the name, the words or the set cannot be
        used; a picture that cannot be is left out, and told.
        """
        self.gate.admit(user, origin)
        self._house.teach(user, origin)
        rules = self._house.settings(origin, user)
        words = trigger.strip() or name.strip()
        steps = min(STEPS, rules.training.max_steps) if steps is None else steps
        course = course_of(Train(style=name, trigger=words, images=(), steps=steps, rank=rank), self._desk.preset.name)
        await self._desk.swept()
        self._desk.named(course.style)
        if len(files) > rules.training.max_pictures:
            raise Invalid(
                "{count} pictures are too many to train on; choose the best {most}.",
                count=len(files),
                most=rules.training.max_pictures,
            )
        least = min(self._desk.preset.width, self._desk.preset.height) // 2
        kept: dict[ImageId, tuple[str, str, int]] = {}
        left_out: list[tuple[str, str]] = []
        for file in files:
            try:
                image = await self.upload(user, file.data, origin)
                if min(await self._desk.uploads.size(image)) < least:
                    raise Invalid("The shorter side needs {least} pixels.", least=least)
            except Invalid as error:
                left_out.append((file.name, error.phrase))
                continue
            if image in kept:
                left_out.append((file.name, Phrase("It is the same picture as {name}.", name=kept[image][0])))
                continue
            path = await self._store.picture(image)
            look = await asyncio.to_thread(look_of, await asyncio.to_thread(path.read_bytes))
            kept[image] = (file.name, caption_of(file.caption, file.name, course.trigger), look)
        if len(kept) < FEWEST:
            raise Invalid(
                "{count} pictures are left to learn from, and {least} are the least. {reason}",
                count=len(kept),
                least=FEWEST,
                reason=left_out[0][1] if left_out else Phrase("Bring more of them."),
            )
        seen = list(kept.values())
        alike = [
            (one[0], other[0])
            for n, other in enumerate(seen)
            for one in seen[:n]
            if (one[2] ^ other[2]).bit_count() <= ALIKE
        ]
        request = Train(
            style=course.style,
            trigger=course.trigger,
            images=tuple(kept),
            captions=tuple(caption for _, caption, _ in seen),
            steps=course.steps,
            rank=course.rank,
            rate=course.rate,
            batch=course.batch,
        )
        return Plan(request, tuple(left_out), tuple(alike), await self.tuition(request))

    async def tuition(self, request: Train) -> Eta | None:
        """The seconds that a training takes; None while nothing was painted or trained yet to go by."""
        features = Features.of(request, await self._desk.pixels(request))
        guess = self._timings.lesson(features, self._desk.preset.name)
        return None if guess is None else self._timings.eta([guess])

    def trained(self, user: User) -> list[Trained]:
        """The finished styles of this person, by name."""
        return self._store.wardrobe.of(user.key)

    def owned(self, user: User, name: str) -> Trained:
        """One of them. Raises NotYours."""
        found = next((one for one in self.trained(user) if one.name == name), None)
        if found is None:
            raise NotYours
        return found

    async def share(self, user: User, name: str, origin: Origin, on: bool) -> Trained:
        """Let everybody in the server of a place use one's own style, or no longer.

        Raises NotYours, and Invalid where there is no server.
        """
        if not origin.server_key:
            raise Invalid("A style is shared with a server or a group; say it there.")
        return await self._whole(self._store.wardrobe.share(user, name, origin.server_key, on))

    async def publish(self, user: User, name: str, on: bool) -> Trained:
        """Let everybody everywhere use one's own style, or no longer; for owners of the bot. Raises NotYours."""
        return await self._whole(self._store.wardrobe.share(user, name, EVERYWHERE, on))

    async def discard(self, user: User, name: str) -> None:
        """Delete one's own style for good; pictures that were painted with it stay. Raises NotYours."""
        await self._whole(self._store.wardrobe.discard(user, name))
        await asyncio.to_thread(self._styles.sweep)

    def weights(self, user: User, name: str) -> Path:
        """The file of one's own style, which other tools read too. Raises NotYours."""
        self.owned(user, name)
        return self._store.wardrobe.file(name)

    def metrics(self, user: User, name: str) -> Path:
        """The table of its training, a CSV file. Raises NotYours, and Invalid when there is none any more."""
        path = self._store.wardrobe.lesson(self.owned(user, name).job) / "metrics.csv"
        if not path.is_file():
            raise Invalid("The table of this training is not there any more.")
        return path

    def styles(self, origin: Origin | None = None, user: User | None = None) -> list[Style]:
        """The styles there are, or that may be used in a place; of trained ones those that this person may use."""
        server, key = ("" if origin is None else origin.server_key), ("" if user is None else user.key)
        styles = [style for style in self._styles.all() if self._store.wardrobe.visible(style, key, server)]
        if origin is None:
            return styles
        names = self._house.styles(origin, [style.name for style in styles], user)
        return [style for style in styles if style.name in names]
