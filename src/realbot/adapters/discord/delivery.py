"""The ways by which a card or a result reaches its person, each of which can be repeated without being seen twice.

Editing the card, else one new message with a nonce that follows from the job, else a direct message.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, Self, TypeAlias

import discord
from discord.abc import Messageable

from realbot.adapters.clock import Clock
from realbot.adapters.outbox import Down
from realbot.jobs import Cancelled, Job

from . import files
from .payload import Payload
from .wire import OLD_EDITS

log = logging.getLogger(__name__)

NOBODY = discord.AllowedMentions.none()
#: Seconds for which Discord is trusted to know a nonce again; later we look for the message ourselves.
NONCES = 60.0
#: Discord's codes for a file that is too large and for an interaction's token that has ended.
TOO_LARGE, TOKEN_ENDED = 40005, 50027


class Undeliverable(Exception):
    """Nothing reached the person; the message says what was tried and why it failed."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where the card of a job is and what was tried with it: everything that has to survive a restart."""

    message: str = ""  #: empty while there is none
    posted: float = 0.0  #: Unix time of the message
    channel: str = ""  #: of the message, when it is not where the job was asked for
    token: str = ""  #: of the interaction, where only it can change the message
    answer: str = ""  #: the same token, while it is not known whether the answer to the interaction arrived
    until: float = 0.0  #: Unix time at which the token ends
    sent: float = 0.0  #: Unix time of the first try of a new message whose fate is not known
    direct: float = 0.0  #: the same of a direct message
    how: str = ""  #: "edit", "message" or "direct" once delivered
    pinged: bool = False

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Self:
        return cls(**{field.name: data[field.name] for field in fields(cls) if field.name in data})

    def data(self) -> dict[str, Any]:
        """What is kept beside the message's id and time, which the store knows itself."""
        return {name: value for name, value in asdict(self).items() if name not in ("message", "posted")}


#: Keeps a spot on the disk.
Note: TypeAlias = Callable[[Spot], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Post:
    """One message on its way: what it shows, and the kind by which its nonce differs from others of the job."""

    job: Job
    payload: Payload
    kind: str = "result"
    mentions: discord.AllowedMentions = NOBODY

    @property
    def nonce(self) -> str:
        """At most 25 characters, the same after a restart."""
        return hashlib.sha256(f"{self.job.id}:{self.kind}".encode()).hexdigest()[:25]


class Delivery:
    """Sends and edits messages. Every verb raises Down when Discord is away, and may be called again later."""

    def __init__(self, client: discord.Client, clock: Clock) -> None:
        self._client, self._clock = client, clock

    async def deliver(self, post: Post, spot: Spot, note: Note, *, directly: bool = False) -> Spot:
        """Bring a result to its person by the first way that works; `note` keeps what a restart must know.

        `directly`: by direct message only. Raises Undeliverable when no way works.
        """
        failures = []
        ways = [self._direct] if directly else [self._edited, self._posted, self._direct]
        # Nobody waits for a message that says it was given up.
        for way in ways[:1] if isinstance(post.job.status, Cancelled) else ways:
            try:
                reached = await way(post, spot, note)
            except discord.HTTPException as error:
                said = (error.text or str(error)).partition("\n")[0]
                failures.append(f"{way.__name__.strip('_')}: {error.code or error.status} {said}")
                continue
            if reached is not None:
                return reached
        raise Undeliverable("; ".join(failures) or "there is no place for it")

    async def edit(self, post: Post, spot: Spot) -> None:
        """Change the card. Raises discord.HTTPException when that cannot be done."""

        async def put(sent: dict[str, Any]) -> None:
            if spot.token:
                hook = discord.Webhook.partial(self._client.application_id or 0, spot.token, client=self._client)
                await hook.edit_message(int(spot.message), **sent)
            else:
                place = self._client.get_partial_messageable(int(spot.channel or post.job.origin.place))
                await place.get_partial_message(int(spot.message)).edit(**sent)

        await self._put(post, put, "attachments" if post.payload.images is not None else "")

    async def answered(self, token: str) -> str:
        """The id of the message that answered an interaction, empty when there is none."""
        hook = discord.Webhook.partial(self._client.application_id or 0, token, client=self._client)
        try:
            return str((await hook.fetch_message("@original")).id)  # type: ignore[arg-type]
        except discord.HTTPException as error:
            log.debug("no answer arrived: %s", error)
            return ""

    async def send(self, post: Post, where: Messageable, reply: discord.MessageReference | None = None) -> str:
        """Send a new message, as an answer to `reply` where there is one; its id.

        Raises discord.HTTPException when that cannot be done.
        """
        made: list[discord.Message] = []
        extra: dict[str, Any] = {"nonce": post.nonce, **({} if reply is None else {"reference": reply})}

        async def put(sent: dict[str, Any]) -> None:
            made.append(await where.send(**extra, **sent))

        await self._put(post, put, "files" if post.payload.images else "")
        return str(made[-1].id)

    async def _edited(self, post: Post, spot: Spot, note: Note) -> Spot | None:
        if not spot.message or (spot.token and self._clock.now() >= spot.until):
            return None
        await self.edit(post, spot)
        return replace(spot, how="edit")

    async def _posted(self, post: Post, spot: Spot, note: Note) -> Spot | None:
        if spot.token or post.job.origin.private or not post.job.origin.place:
            return None
        where = self._client.get_partial_messageable(int(post.job.origin.place))
        message = await self._once(post, where, spot, note, "sent")
        return replace(spot, message=message, posted=self._clock.now(), channel="", sent=0.0, how="message")

    async def _direct(self, post: Post, spot: Spot, note: Note) -> Spot | None:
        where = await self._client.create_dm(discord.Object(int(post.job.user.id)))
        message = await self._once(replace(post, kind=f"{post.kind}:direct"), where, spot, note, "direct")
        # From now on the card is a message of ours in a place of ours.
        return replace(
            spot,
            message=message,
            posted=self._clock.now(),
            channel=str(where.id),
            token="",
            until=0.0,
            direct=0.0,
            how="direct",
        )

    async def _once(self, post: Post, where: Messageable, spot: Spot, note: Note, field: str) -> str:
        """Send a message that an earlier try may have left there already; its id."""
        before: float = getattr(spot, field)
        if before and self._clock.now() - before > NONCES:
            try:
                found = await self._found(post, where, before)
            except discord.HTTPException as error:
                raise Undeliverable(f"it may have arrived, and we may not look: {error.code}") from error
            if found:
                return found
        if not before:
            await note(_tried(spot, field, self._clock.now()))
        try:
            return await self.send(post, where)
        except (discord.HTTPException, Down) as error:
            if isinstance(error, discord.HTTPException) or not (error.uncertain or before):
                await note(_tried(spot, field, 0.0))
            raise

    async def _found(self, post: Post, where: Messageable, since: float) -> str:
        """The id of a message that shows this already, empty for none."""
        after = discord.Object(discord.utils.time_snowflake(datetime.fromtimestamp(since - NONCES, UTC)))
        ours = set(_controls(post.payload.view.children if post.payload.view else ()))
        me = self._client.user.id if self._client.user else 0
        async for message in where.history(limit=200, after=after):
            if message.author.id == me and (message.nonce == post.nonce or ours & set(_controls(message.components))):
                return str(message.id)
        return ""

    async def _put(self, post: Post, put: Callable[[dict[str, Any]], Awaitable[None]], files_as: str) -> None:
        """Send with files that fit, and in the next smaller format when Discord still finds them too large."""
        payload = post.payload
        if payload.view is not None:
            payload.view.stop()  # What is pressed is found by its id; the library need not keep the view.
        sent: dict[str, Any] = {
            "content": payload.content or None,
            "embeds": list(payload.embeds),
            "view": payload.view,
            "allowed_mentions": post.mentions,
        }
        pictures = tuple(payload.images or ())
        limit, first = self._limit(post.job), 0
        while True:
            if files_as:
                sized = await files.fitted(pictures, limit, first)
                made = [files.attached(one) for one in sized]
                sent |= {files_as: made, "embeds": files.renamed(payload.embeds, pictures, made)}
            try:
                await put(sent)
            except discord.RateLimited as error:
                raise Down("this channel takes no more for a while", wait=error.retry_after, local=True) from error
            except discord.HTTPException as error:
                if (error.status, error.code) in ((429, OLD_EDITS), (401, TOKEN_ENDED)):
                    raise
                if error.status in (401, 429):
                    raise Down(str(error)) from error
                if not (error.status == 413 or error.code == TOO_LARGE) or not pictures or first + 1 == files.STEPS:
                    raise
                limit, first = max(len(one.data) for one in sized) // 2, first + 1
            else:
                return

    def _limit(self, job: Job) -> int:
        """Bytes that a file may have where the job was asked for."""
        guild = self._client.get_guild(int(job.origin.server)) if job.origin.server else None
        return guild.filesize_limit if guild is not None else files.LIMIT


def _tried(spot: Spot, field: str, at: float) -> Spot:
    return replace(spot, sent=at) if field == "sent" else replace(spot, direct=at)


def _controls(parts: Any) -> Iterator[str]:
    """The ids of all buttons and menus."""
    for part in parts:
        if getattr(part, "custom_id", None):
            yield part.custom_id
        yield from _controls(getattr(part, "children", ()))
