"""The front desk: makes of what was asked a request that can be painted, and looks whether it was painted before."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .config import Settings
from .engine.models import PRESETS, Preset, resolve
from .errors import Invalid
from .jobs import SEEDS, Generate, Request, User, key_of, seeded
from .policy import ranges, words
from .rows import Row
from .sections import Cache
from .store import Store
from .styles import Styles
from .tickets import Notes, printed


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that passed: resolved and with a seed."""

    request: Generate
    notes: Notes
    asked_key: str  #: of the question without its seed
    question: str  #: of the question with its seed, among those who may share a picture; empty for nobody
    earlier: Row | None  #: the answer from before


@dataclass(slots=True)
class Desk:
    """`fingerprint` is that of the last engine that was ready; without one nothing is answered from before."""

    store: Store
    styles: Styles
    preset: Preset
    cache: Cache
    fingerprint: str = ""
    #: Seeds drawn for questions of people that are still on their way.
    _drawn: dict[tuple[str, str], int] = field(default_factory=dict)
    _sweeping: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def ask(self, user: User, request: Request, settings: Settings) -> Asked:
        """Check, resolve, draw the seed, look back. Raises Refused.

        The same question without a seed, asked by the same person, gets the seed it got before.
        """
        if not isinstance(request, Generate):
            raise Invalid("Only pictures from words can be asked for here.")
        limits = settings.limits
        ranges(request, limits)
        words(request.prompt, settings.moderation.blocked)
        request = await self._styled(request)
        resolved, notes = resolve(request, self.preset)
        if request.steps is None and resolved.steps is not None:
            resolved = replace(resolved, steps=min(resolved.steps, limits.max_steps))
        ranges(resolved, limits)
        hashes = {name: file["sha256"] for name, file in (await self.files(resolved)).items()}
        asked_key = key_of(seeded(resolved, None), printed("", hashes))
        earlier = None
        if resolved.seed is not None:
            if self.fingerprint:
                earlier = await self.find(user, key_of(resolved, printed(self.fingerprint, hashes)))
        elif settings.cache.enabled:
            earlier = await self.store.recall_asked(user, asked_key)
            if earlier is not None and earlier.fingerprint != printed(self.fingerprint, hashes):
                earlier = None
            resolved = replace(resolved, seed=earlier.seed if earlier else self._draw(user, asked_key))
        else:
            resolved = replace(resolved, seed=secrets.randbelow(SEEDS))
        return Asked(resolved, notes, asked_key, self.question(user, resolved, hashes), earlier)

    def settled(self, user: User, asked_key: str) -> None:
        """The question is answered, or never will be."""
        self._drawn.pop((user.key, asked_key), None)

    async def find(self, user: User, key: str) -> Row | None:
        """An earlier answer to exactly this, from those whose pictures this person may get."""
        if not self.cache.enabled:
            return None
        return await self.store.recall(key, user if self.cache.scope == "user" else None)

    async def files(self, request: Generate) -> dict[str, dict[str, str]]:
        """Path and sha256 of each style as it is on the disk now. Raises Invalid for an unknown or broken one."""
        if not request.styles:
            return {}
        async with self._sweeping:
            await asyncio.to_thread(self.styles.sweep)
        found = {use.name: self.styles.get(use.name) for use in request.styles}
        return {name: {"path": str(style.path), "sha256": style.sha256} for name, style in found.items()}

    def question(self, user: User, request: Generate, hashes: Mapping[str, str]) -> str:
        """What is equal for jobs that may share one picture."""
        if not self.cache.enabled:
            return ""
        scope = user.key if self.cache.scope == "user" else ""
        return f"{scope} {key_of(request, printed('', dict(hashes)))}"

    def _draw(self, user: User, asked_key: str) -> int:
        return self._drawn.setdefault((user.key, asked_key), secrets.randbelow(SEEDS))

    async def _styled(self, request: Generate) -> Generate:
        """With the styles' own names. Raises Invalid for unknown ones and those made for another model."""
        await self.files(request)
        uses = []
        for use in request.styles:
            style = self.styles.get(use.name)
            other = style.family if style.family not in ("", self.preset.family) else ""
            if self.preset.name in PRESETS and style.base not in ("", self.preset.name):
                other = style.base
            if other:
                raise Invalid(
                    f"The style {style.name} was made for {other} and does not fit {self.preset.name}; leave it out.",
                    word=use.name,
                )
            uses.append(replace(use, name=style.name))
        return replace(request, styles=tuple(uses))
