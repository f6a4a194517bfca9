"""The websocket side: sessions with a replay buffer, heartbeats, and everything that can end a session."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

if TYPE_CHECKING:
    from loopback import Loopback

GUILDS, GUILD_MESSAGES, DIRECT_MESSAGES = 1 << 0, 1 << 9, 1 << 12
#: Members, presences, message content.
PRIVILEGED = 1 << 1 | 1 << 8 | 1 << 15


@dataclass(eq=False)
class Session:
    id: str
    intents: int
    socket: web.WebSocketResponse | None = None
    sequence: int = 0
    past: list[dict[str, Any]] = field(default_factory=list)


class Gateway:
    """`interval`: seconds between heartbeats."""

    def __init__(self, home: Loopback) -> None:
        self.home = home
        self.interval = 41.25
        #: Connections on which nothing is said any more.
        self.dead: set[web.WebSocketResponse] = set()
        self.closed_for: int | None = None  #: every connection is closed with this code at once
        self.repeat = 0  #: how many events before the last seen one are sent again after RESUME
        self.address = ""  #: where sessions are to be resumed, the loopback's own unless given
        self.sessions: dict[str, Session] = {}
        self.sockets: set[web.WebSocketResponse] = set()
        self.identified: list[float] = []
        self.resumed: list[float] = []
        self.presences: list[dict[str, Any]] = []
        self._told: set[asyncio.Task[None]] = set()

    @property
    def session(self) -> Session | None:
        """The session that is connected, if any."""
        return next((s for s in self.sessions.values() if s.socket is not None), None)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=2**22)
        await socket.prepare(request)
        if self.closed_for is not None:
            await socket.close(code=self.closed_for)
            return socket
        self.sockets.add(socket)
        session: Session | None = None
        try:
            await self._say(socket, {"op": 10, "d": {"heartbeat_interval": int(self.interval * 1000), "_trace": []}})
            async for frame in socket:
                if frame.type is not WSMsgType.TEXT:
                    break
                said = json.loads(frame.data)
                if socket in self.dead:
                    continue
                match said["op"]:
                    case 1:
                        await self._say(socket, {"op": 11})
                    case 2:
                        session = await self._identify(socket, said["d"])
                    case 6:
                        session = await self._resume(socket, said["d"])
                    case 3:
                        self.presences.append(said["d"])
                    case 8 if session is not None:
                        members = {"guild_id": said["d"]["guild_id"], "members": [], "chunk_index": 0,
                                   "chunk_count": 1, "not_found": [], "nonce": said["d"].get("nonce")}  # fmt: skip
                        await self._tell(session, "GUILD_MEMBERS_CHUNK", members)
        finally:
            self.sockets.discard(socket)
            self.dead.discard(socket)
            if session is not None and session.socket is socket:
                session.socket = None
            # 1000 and 1001 from the other side end a session, anything else can be resumed.
            if session is not None and socket.close_code in (1000, 1001):
                self.sessions.pop(session.id, None)
        return socket

    async def _identify(self, socket: web.WebSocketResponse, said: dict[str, Any]) -> Session | None:
        home = self.home
        self.identified.append(time.monotonic())
        if said["token"] != home.token:
            home.refused.append(time.monotonic())
            await socket.close(code=4004, message=b"Authentication failed.")
            return None
        if said["intents"] & PRIVILEGED & ~home.privileged:
            await socket.close(code=4014, message=b"Disallowed intent(s).")
            return None
        session = Session(secrets.token_hex(16), said["intents"], socket)
        self.sessions[session.id] = session
        guilds = [guild for guild in home.guilds.values() if guild.joined]
        ready = {
            "v": 10, "user": {**home.bot.user(), "verified": True, "mfa_enabled": False, "email": None},
            "guilds": [{"id": guild.id, "unavailable": True} for guild in guilds], "session_id": session.id,
            "resume_gateway_url": self.address or home.gateway_url, "session_type": "normal", "private_channels": [],
            "presences": [], "relationships": [], "geo_ordered_rtc_regions": [], "user_settings": {},
            "application": {"id": home.application, "flags": 0}, "_trace": [],
        }  # fmt: skip
        await self._tell(session, "READY", ready)
        for guild in guilds:
            if guild.available:
                await self._tell(session, "GUILD_CREATE", guild.form([home.bot.member()]))
        return session

    async def _resume(self, socket: web.WebSocketResponse, said: dict[str, Any]) -> Session | None:
        self.resumed.append(time.monotonic())
        if said["token"] != self.home.token:
            await socket.close(code=4004, message=b"Authentication failed.")
            return None
        session = self.sessions.get(said["session_id"])
        if session is None:
            await self._say(socket, {"op": 9, "d": False})
            return None
        session.socket = socket
        missed = [event for event in session.past if event["s"] > said["seq"] - self.repeat]
        for event in missed:
            await self._say(socket, event)
        session.sequence += 1
        await self._say(socket, {"op": 0, "t": "RESUMED", "s": session.sequence, "d": {"_trace": []}})
        return session

    def dispatch(self, name: str, data: dict[str, Any], *, intent: int = 0) -> bool:
        """Send an event to the bot, or keep it for a session that may be resumed; False if there is none."""
        reached = False
        for session in self.sessions.values():
            if intent and not session.intents & intent:
                continue
            reached = True
            task = asyncio.ensure_future(self._tell(session, name, data))
            self._told.add(task)
            task.add_done_callback(self._told.discard)
        return reached

    async def _tell(self, session: Session, name: str, data: dict[str, Any]) -> None:
        session.sequence += 1
        event = {"op": 0, "t": name, "s": session.sequence, "d": data}
        session.past = [*session.past[-499:], event]
        if session.socket is not None and session.socket not in self.dead:
            await self._say(session.socket, event)

    @staticmethod
    async def _say(socket: web.WebSocketResponse, said: dict[str, Any]) -> None:
        with contextlib.suppress(ConnectionError, RuntimeError):
            await socket.send_str(json.dumps(said))

    # What ends a session

    async def drop(self, code: int | None = None) -> None:
        """Close every connection, with a code or by cutting the line; the sessions can be resumed."""
        for socket in list(self.sockets):
            if code is not None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        await socket.close(code=code)
            elif socket._req is not None and socket._req.transport is not None:
                socket._req.transport.abort()
        await asyncio.sleep(0)

    async def ask_to_reconnect(self) -> None:
        """Op 7."""
        for socket in list(self.sockets):
            await self._say(socket, {"op": 7, "d": None})

    async def invalidate(self, *, resumable: bool) -> None:
        """Op 9."""
        for session in list(self.sessions.values()):
            if session.socket is not None:
                await self._say(session.socket, {"op": 9, "d": resumable})
            if not resumable:
                self.sessions.pop(session.id, None)

    async def replay(self, count: int) -> None:
        """Send the last events once more, under new numbers, as after a RESUME that lost count."""
        for session in self.sessions.values():
            for event in session.past[-count:]:
                await self._tell(session, event["t"], event["d"])

    async def greet(self, times: int = 1) -> None:
        """READY over and over, as after reconnects without RESUME."""
        for session in self.sessions.values():
            ready = next(event for event in session.past if event["t"] == "READY")
            for _ in range(times):
                await self._tell(session, "READY", ready["d"])
