"""The front desk: makes of what was asked a request that can be painted, and looks whether it was painted before."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from .engine.models import PRESETS, Preset, resolve, shape
from .errors import Blocked, Invalid
from .house import House
from .jobs import FACTORS, SEEDS, Generate, Origin, Request, Train, Upscale, User, key_of, seeded
from .policy import adult, lexicon, ranges, words
from .rows import Row, inputs
from .rulebook import Limits, Moderation
from .store import Store
from .styles import Style, Styles
from .tickets import Notes, printed
from .training import FEWEST, course_of
from .uploads import Uploads
from .wardrobe import taken


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that passed: resolved and with a seed."""

    request: Request
    notes: Notes
    asked_key: str  #: of the question without its seed
    question: str  #: of the question with its seed, among those who may share a picture; empty for nobody
    earlier: Row | None  #: the answer from before
    pixels: int = 0  #: of an enlarged picture, or of what is learnt from in one step


@dataclass(slots=True)
class Desk:
    """`fingerprint` is that of the last engine that was ready; without one nothing is answered from before."""

    store: Store
    styles: Styles
    preset: Preset
    house: House
    fingerprint: str = ""
    #: Seeds drawn for questions of people that are still on their way.
    _drawn: dict[tuple[str, str], int] = field(default_factory=dict)
    _sweeping: asyncio.Lock = field(default_factory=asyncio.Lock)
    uploads: Uploads = field(init=False)

    def __post_init__(self) -> None:
        self.uploads = Uploads(self.store)

    async def ask(self, user: User, request: Request, origin: Origin) -> Asked:
        """Check, resolve, draw the seed, look back. Raises Refused.

        The same question without a seed, asked by the same person, gets the seed it got before.
        """
        if isinstance(request, Upscale):
            return await self._enlarged(user, request, origin)
        if isinstance(request, Train):
            return await self._taught(user, request, origin)
        settings = self.house.settings(origin, user)
        limits = settings.limits
        ranges(request, limits)
        request = replace(request, prompt=lexicon(settings.moderation).kept(request.prompt), avoid="")
        ranges(request, limits)
        await self._worded(user, request, origin, settings.moderation)
        request = await self._styled(user, request, origin)
        self.house.admit(request, origin, user)
        resolved, notes = resolve(await self._sourced(user, request, limits), self.preset)
        resolved = replace(resolved, avoid=avoided(resolved, self.preset, settings.moderation.negative))
        if request.steps is None and resolved.steps is not None:
            resolved = replace(resolved, steps=min(resolved.steps, limits.max_steps))
        ranges(resolved, limits)
        hashes = {name: file["sha256"] for name, file in (await self.files(resolved)).items()}
        asked_key = key_of(seeded(resolved, None), printed("", hashes))
        earlier = None
        if resolved.seed is not None:
            if self.fingerprint:
                earlier = await self.find(user, key_of(resolved, printed(self.fingerprint, hashes)), origin)
        elif settings.cache.enabled:
            earlier = await self.store.recall_asked(user, asked_key, adult=origin.adult)
            if earlier is not None and earlier.fingerprint != printed(self.fingerprint, hashes):
                earlier = None
            resolved = replace(resolved, seed=earlier.seed if earlier else self._draw(user, asked_key))
        else:
            resolved = replace(resolved, seed=secrets.randbelow(SEEDS))
        return Asked(resolved, notes, asked_key, self.question(user, resolved, hashes, origin), earlier)

    async def look(self, user: User, request: Request, origin: Origin) -> Asked:
        """The same without keeping the seed in mind that was drawn. Raises Refused."""
        drawn = set(self._drawn)
        asked = await self.ask(user, request, origin)
        if (user.key, asked.asked_key) not in drawn:
            self.settled(user, asked.asked_key)
        return asked

    @contextlib.contextmanager
    def taking(self, user: User, asked: Asked) -> Iterator[None]:
        """Take a request that passed; what the block raises settles its question."""
        try:
            yield
        except BaseException:
            self.settled(user, asked.asked_key)
            raise

    def settled(self, user: User, asked_key: str) -> None:
        """The question is answered, or never will be."""
        self._drawn.pop((user.key, asked_key), None)

    async def forget(self, user_key: str) -> None:
        """Nothing is remembered of an account's questions and uploads."""
        for question in [one for one in self._drawn if one[0] == user_key]:
            del self._drawn[question]
        await self.uploads.forget(user_key)

    async def find(self, user: User, key: str, origin: Origin) -> Row | None:
        """An earlier answer to exactly this, from those whose pictures this person may get there."""
        if not self.house.settings(origin).cache.enabled:
            return None
        return await self.store.recall(key, user, self.house.circle(origin))

    async def files(self, request: Request) -> dict[str, dict[str, str]]:
        """Path and sha256 of each style as it is on the disk now. Raises Invalid for an unknown or broken one."""
        if not isinstance(request, Generate) or not request.styles:
            return {}
        await self.swept()
        found = {use.name: self.styles.get(use.name) for use in request.styles}
        return {name: {"path": str(style.path), "sha256": style.sha256} for name, style in found.items()}

    async def swept(self) -> None:
        """Look at the folders of styles now."""
        async with self._sweeping:
            await asyncio.to_thread(self.styles.sweep)

    async def sources(self, request: Request) -> dict[str, str]:
        """The path of each picture that a request starts from. Raises Invalid for a lost one."""
        return {image: str(await self.store.picture(image)) for image in inputs(request)}

    async def pixels(self, request: Request) -> int:
        """Those of an enlarged picture or of a step that is learnt; 0 for a painted one, whose request tells."""
        if isinstance(request, Train):
            return self.preset.width * self.preset.height * (request.batch or 1)
        if not isinstance(request, Upscale):
            return 0
        width, height = await self.uploads.size(request.source)
        return width * height * request.factor**2

    async def prompts(self, request: Request, user: User | None = None) -> list[str]:
        """The words behind a picture: of its request, and of those that made the pictures it begins with.

        With a `user`, of these only that person's.
        """
        behind = [prompt for image in inputs(request) for prompt in await self.store.prompts(image, user)]
        return said(request) + behind

    def question(self, user: User, request: Request, hashes: Mapping[str, str], origin: Origin) -> str:
        """What is equal for jobs that may share one picture."""
        if not self.house.settings(origin).cache.enabled:
            return ""
        circle = self.house.circle(origin)
        among = {"user": self.store.people.person(user.key), "server": circle.server, "everyone": ""}[circle.scope]
        return f"{circle.scope} {among} {circle.adult} {key_of(request, printed('', dict(hashes)))}"

    async def _worded(self, user: User, request: Request, origin: Origin, rules: Moderation) -> None:
        """Raise Blocked when the words of a request, or those behind its pictures, are not allowed there."""
        own = said(request)
        for text in own:
            words(text, rules)
        adult(await self.prompts(request, user), origin.adult, rules)
        behind = (await self.prompts(request))[len(own) :]
        try:
            for text in behind:
                words(text, rules)
            adult(behind, origin.adult, rules)
        except Blocked:
            # Without the word, which may be somebody else's.
            raise Blocked("This picture was made with words that are not allowed here.") from None

    async def _enlarged(self, user: User, request: Upscale, origin: Origin) -> Asked:
        settings = self.house.settings(origin, user)
        self.house.admit(request, origin, user)
        await self._worded(user, request, origin, settings.moderation)
        if request.factor not in FACTORS:
            raise Invalid("A picture can be enlarged by 2 or by 4, not by {factor}.", factor=request.factor)
        await self.uploads.check(user, request.source)
        pixels = await self.pixels(request)
        if pixels > settings.upscale.max_pixels:
            raise Invalid(
                "Enlarged by {factor} the picture would have {pixels} pixels; at most {most} are allowed.",
                factor=request.factor,
                pixels=pixels,
                most=settings.upscale.max_pixels,
            )
        asked_key = key_of(request, printed("", {}))
        earlier = None
        if self.fingerprint:
            earlier = await self.find(user, key_of(request, printed(self.fingerprint, {})), origin)
        return Asked(request, (), asked_key, self.question(user, request, {}, origin), earlier, pixels)

    async def _sourced(self, user: User, request: Generate, limits: Limits) -> Generate:
        """With the shape of its source where no size is given, and the mask of its region.

        Raises NotYours for a picture of somebody else.
        """
        for image in inputs(request):
            await self.uploads.check(user, image)
        source = request.source
        if source is None:
            return request
        if request.region is not None:
            # Made anew although there may be one: it could be that of another picture or region.
            request = replace(request, mask=await self.uploads.region(user, source, request.region, limits))
        if request.width is not None or request.height is not None:
            return request
        width, height = shape(await self.uploads.size(source), self.preset)
        return replace(request, width=width, height=height)

    def _draw(self, user: User, asked_key: str) -> int:
        drawn = (self._drawn.get((key, asked_key)) for key in self.store.people.accounts(user.key))
        seed = next((seed for seed in drawn if seed is not None), None)
        return self._drawn.setdefault((user.key, asked_key), secrets.randbelow(SEEDS) if seed is None else seed)

    def named(self, name: str) -> None:
        """Raise Invalid when a style has this name already, whosever it is."""
        if name in self.styles.names():
            raise taken(name)

    async def _taught(self, user: User, request: Train, origin: Origin) -> Asked:
        settings = self.house.settings(origin, user)
        self.house.admit(request, origin, user)
        self.house.teach(user, origin)
        course = course_of(request, self.preset.name)
        request = replace(
            request, style=course.style, trigger=course.trigger, rate=course.rate, batch=course.batch, seed=course.seed
        )
        if len(set(request.images)) < max(len(request.images), FEWEST):
            raise Invalid("A style needs at least {least} different pictures.", least=FEWEST)
        if len(request.captions) not in (0, len(request.images)):
            raise Invalid("There are {count} captions for {pictures} pictures.",
                          count=len(request.captions), pictures=len(request.images))  # fmt: skip
        rules = lexicon(settings.moderation)
        if request.style != rules.kept(request.style) or request.trigger != rules.kept(request.trigger):
            raise Blocked("This name, or the words that wake the style, are not allowed here; choose others.")
        request = replace(request, captions=tuple(rules.kept(one) or request.trigger for one in request.captions))
        await self._worded(user, request, origin, settings.moderation)
        for image in request.images:
            await self.uploads.check(user, image)
        await self.swept()
        self.named(request.style)
        return Asked(request, (), "", "", None, await self.pixels(request))

    async def _styled(self, user: User, request: Generate, origin: Origin) -> Generate:
        """With the styles' own names. Raises Invalid for unknown ones and those made for another model."""

        def visible(style: Style) -> bool:
            return self.store.wardrobe.visible(style, user.key, origin.server_key)

        if request.styles:
            await self.swept()
        uses = []
        for use in request.styles:
            style = self.styles.get(use.name, visible)
            other = style.family if style.family not in ("", self.preset.family) else ""
            if self.preset.name in PRESETS and style.base not in ("", self.preset.name):
                other = style.base
            if other:
                raise Invalid(
                    "The style {style} was made for {other} and does not fit {model}; leave it out.",
                    style=style.name,
                    other=other,
                    model=self.preset.name,
                    word=use.name,
                )
            words(style.trigger, self.house.settings(origin).moderation)
            uses.append(replace(use, name=style.name))
        return replace(request, styles=tuple(uses))


def said(request: Request) -> list[str]:
    """The words of a request that say what is to be painted or learnt."""
    match request:
        case Generate():
            return [request.prompt]
        case Train():
            return [request.style, request.trigger, *request.captions]
    return []


def avoided(request: Generate, preset: Preset, text: str) -> str:
    """What of a place's wish a resolved request follows: it where the model looks at a negative prompt anyway.

    FLUX does so at the price of a second look at each step, which nobody is made to pay who did not ask for it.
    """
    guided = {"embedded": request.true_cfg, "true": request.guidance}.get(preset.cfg) or 0.0
    return text.strip() if guided > 1 else ""
