"""Front-ends side by side: one that is turned away leaves the others alone, and stopping stops all."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest

from realbot import app
from realbot.config import Settings
from realbot.errors import ConfigError
from realbot.reload import Reload


class Face:
    """A front-end that serves until it is cancelled, or until it is turned away."""

    def __init__(self, platform: str, failure: Exception | None = None, after: float = 0.0) -> None:
        self.platform, self._failure, self._after = platform, failure, after
        self.serving = self.stopped = False
        #: Whether people can use it at once.
        self.quick = True

    async def serve(self, *, ready: asyncio.Event | None = None) -> None:
        self.serving = True
        if ready is not None and self.quick:
            ready.set()
        try:
            if self._failure is not None:
                await asyncio.sleep(self._after)
                raise self._failure
            await asyncio.Event().wait()
        finally:
            self.serving, self.stopped = False, True


@contextlib.asynccontextmanager
async def nothing(settings: Settings, grace: float = 0.0) -> AsyncIterator[SimpleNamespace]:
    yield SimpleNamespace(reload=Reload(settings), health=SimpleNamespace(lost=lambda platform, reason: None))


@pytest.fixture
def faces(monkeypatch):
    """The front-ends that `app.run` will serve."""
    made: list[Face] = []
    monkeypatch.setattr(app, "opened", nothing)
    monkeypatch.setattr(app, "watched", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(app, "_fronts", lambda settings, studio: iter(made))
    return made


DEAD = ConfigError("discord.token: Discord does not know this token.", key="discord.token")


async def test_DC9_a_dead_token_stops_discord_alone(faces, caplog):
    web = Face("web")
    faces += [Face("discord", DEAD), web]
    task = asyncio.create_task(app.run(Settings()))
    await asyncio.sleep(0.1)
    assert not task.done()
    assert web.serving
    assert "discord is off" in caplog.text
    assert "discord.token" in caplog.text
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(task, 5)
    assert web.stopped


async def test_DC9_the_last_front_end_that_is_turned_away_ends_the_program(faces):
    faces += [Face("discord", DEAD, 0.01)]
    with pytest.raises(ConfigError) as caught:
        await asyncio.wait_for(app.run(Settings()), 5)
    assert caught.value.key == "discord.token"


async def test_a_setting_of_the_page_that_cannot_be_keeps_realbot_from_starting(faces):
    faces += [Face("discord"), Face("web", ConfigError("web.port is taken", key="web.port"))]
    with pytest.raises(ConfigError, match="is taken"):
        await asyncio.wait_for(app.run(Settings()), 5)
    assert faces[0].stopped


async def test_a_front_end_that_breaks_is_not_passed_over(faces):
    faces += [Face("discord", ValueError("broken")), Face("web")]
    with pytest.raises(ValueError, match="broken"):
        await asyncio.wait_for(app.run(Settings()), 5)


async def test_stopping_stops_all(faces):
    faces += [Face("discord"), Face("web")]
    task = asyncio.create_task(app.run(Settings()))
    await asyncio.sleep(0.05)
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.wait_for(task, 5)
    assert all(face.stopped for face in faces)


async def test_a_front_end_starts_when_the_one_before_it_can_be_used(faces, monkeypatch):
    slow, next_one = Face("web"), Face("discord")
    slow.quick = False
    faces += [slow, next_one]
    monkeypatch.setattr(app, "START", 0.2)
    task = asyncio.create_task(app.run(Settings()))
    await asyncio.sleep(0.05)
    assert (slow.serving, next_one.serving) == (True, False)
    await asyncio.sleep(0.4)
    assert next_one.serving, "it does not wait for ever"
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(task, 5)


@pytest.mark.parametrize(
    ("terminal", "ignored", "stops"),
    [
        ([True, True], False, False),  # an operator who wants the settings read
        ([True, False], False, True),  # the window was closed
        ([True, False], True, False),  # the same under nohup
        ([False, False], False, False),  # a service
    ],
)
async def test_SIGHUP_reads_the_settings_unless_it_says_that_the_terminal_is_gone(
    monkeypatch, terminal, ignored, stops
):
    states = iter(terminal)
    monkeypatch.setattr(app, "_terminal", lambda: next(states))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
    try:
        stop = asyncio.Event()
        anew = app._anew(stop)
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(0.05)
        assert (stop.is_set(), anew.is_set()) == (stops, not stops)
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
        signal.signal(signal.SIGHUP, before)


async def test_H11_a_realbot_that_runs_as_root_says_so_in_its_log(monkeypatch, caplog, tmp_path):
    def stop(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(app.host, "caution", lambda: "realbot runs as root: …")
    monkeypatch.setattr(app, "_anew", stop)
    with pytest.raises(KeyboardInterrupt):
        await app.run(Settings(paths={"data": tmp_path}))
    assert "realbot runs as root" in caplog.text
