"""realbot dies at every step of a delivery: after the restart there is one picture, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from botapi import BotApi
from botapi_faults import Stall
from tg_fronts import House, house
from tg_scenes import jobs, settled, shown, soon

from realbot.jobs import User

#: Everything that a delivery writes down, in the order of a whole life.
WRITES = ("place_card", "delivering", "kept", "delivered")
LATE = 600.0


class Death:
    """Stops the world before or after the `nth` thing that is written down."""

    def __init__(self, nth: int, *, after: bool) -> None:
        self.nth, self.after = nth, after
        self.count = 0
        self.come = asyncio.Event()

    def await_in(self, home: House) -> None:
        for name in WRITES:
            setattr(home.studio, name, self._deadly(getattr(home.studio, name)))

    def _deadly(self, write: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def written(*args: Any) -> Any:
            self.count += 1
            if self.come.is_set() or self.count != self.nth:
                # Who is dead writes nothing more.
                return await (asyncio.Event().wait() if self.come.is_set() else write(*args))
            if self.after:
                await write(*args)
            self.come.set()
            return await asyncio.Event().wait()

        return written


@pytest.fixture(autouse=True)
def abrupt(monkeypatch):
    """Nothing is finished when realbot stops."""
    monkeypatch.setattr("realbot.adapters.telegram.GRACE", 0.0)


async def lived(api: BotApi, home: House, anna, text: str, late: float, until: Callable[[], object]) -> None:
    """One request, from the message to its end or to the death of realbot."""
    anna.write(anna.chat, text)
    await soon(lambda: until() or home.easel.working(), "nothing happens")
    await asyncio.sleep(0.05)
    api.clock.advance(late)
    if not until():
        home.easel.finish()
        await soon(lambda: until() or (jobs(home) and not home.studio.pending("telegram")), "it does not end")


async def after(api: BotApi, folder, anna, count: int) -> House:
    """A second life that ends well."""
    async with house(folder, api, hand=True) as home:
        await soon(lambda: home.easel.working() or not home.studio.pending("telegram"), "nothing goes on")
        if home.easel.working():
            home.easel.finish()
        await settled(home)
        entries = await home.studio.history(User("telegram", str(anna.id)))
        assert len(entries) <= 1, "one request was taken twice"
        assert [len(entry.images) for entry in entries] in ([count], [])
        assert [entry.state for entry in entries] in (["delivered"], ["kept"], [])
        return home


@pytest.mark.parametrize("late", [0.0, LATE], ids=["soon", "late"])
@pytest.mark.parametrize("after_it", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("nth", range(1, 7))
async def test_R1_D6_one_picture_whatever_was_written_down_last(api, anna, tmp_path, nth, after_it, late):
    death = Death(nth, after=after_it)
    async with house(tmp_path, api, hand=True) as home:
        death.await_in(home)
        await lived(api, home, anna, "a red fox seed:7 steps:4", late, death.come.is_set)
    assert death.come.is_set() is (nth <= (6 if late else 5))
    await after(api, tmp_path, anna, 1)
    assert len(shown(api, "a red fox")) == 1
    assert sum(message.words == "Your picture is ready." for message in anna.chat.told) <= 1


@pytest.mark.parametrize("after_it", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("nth", range(1, 9))
async def test_R1_D6_one_album_whatever_was_written_down_last(api, anna, tmp_path, nth, after_it):
    death = Death(nth, after=after_it)
    async with house(tmp_path, api, hand=True) as home:
        death.await_in(home)
        await lived(api, home, anna, "two foxes count:2 seed:7 steps:4", 0.0, death.come.is_set)
    assert death.come.is_set()
    await after(api, tmp_path, anna, 2)
    albums = {message.album for message in anna.chat.told if message.album}
    asked = [message for message in anna.chat.told if "Show them" in message.labels]
    assert len(albums) == 1 or (not albums and asked)
    # Whoever has no album has a button for it.
    assert any("🖼 1" in message.labels for message in anna.chat.told)
    cards = [message for message in anna.chat.told if "Cancel" in message.labels]
    assert not cards or nth == 2


@pytest.mark.parametrize("done", [False, True], ids=["unheard", "done"])
@pytest.mark.parametrize("method", ["sendMessage", "editMessageMedia"])
async def test_R1_T8_one_picture_when_it_dies_while_telegram_is_asked(api, anna, tmp_path, method, done):
    rule = api.fault(method, Stall(after=done))
    async with house(tmp_path, api, hand=True) as home:
        await lived(api, home, anna, "a red fox seed:7 steps:4", 0.0, lambda: rule.struck)
    await after(api, tmp_path, anna, 1)
    assert len(shown(api, "a red fox")) == 1


@pytest.mark.parametrize("done", [False, True], ids=["unheard", "done"])
async def test_R1_T8_a_new_message_is_not_sent_twice_when_it_dies_meanwhile(api, anna, tmp_path, done):
    rule = api.fault("sendPhoto", Stall(after=done))
    async with house(tmp_path, api, hand=True) as home:
        anna.write(anna.chat, "a red fox seed:7 steps:4")
        await soon(lambda: anna.chat.told, "no card")
        anna.delete(anna.chat.told[0])
        await soon(home.easel.working, "nothing is painted")
        home.easel.finish()
        await soon(lambda: rule.struck, "nothing is sent")
        await asyncio.sleep(0.05)
    home = await after(api, tmp_path, anna, 1)
    assert len(shown(api, "a red fox")) == int(done)
    assert len(api.called("sendPhoto")) == 1
    (remark,) = (message for message in anna.chat.told if "did not tell" in message.words)
    async with house(tmp_path, api, hand=True):
        await anna.press(remark, "Show them")
        await soon(lambda: len(shown(api, "a red fox")) == int(done) + 1, "it is not shown")


@pytest.mark.parametrize("done", [False, True], ids=["unheard", "done"])
@pytest.mark.parametrize(("method", "nth"), [("sendMediaGroup", 1), ("sendMessage", 2), ("deleteMessage", 1)])
async def test_R1_T8_one_album_when_it_dies_while_telegram_is_asked(api, anna, tmp_path, method, nth, done):
    seen: list[object] = []

    def now(call: object) -> bool:
        seen.append(call)
        return len(seen) == nth

    rule = api.fault(method, Stall(after=done), when=now)
    async with house(tmp_path, api, hand=True) as home:
        await lived(api, home, anna, "two foxes count:2 seed:7 steps:4", 0.0, lambda: rule.struck)
    await after(api, tmp_path, anna, 2)
    albums = {message.album for message in anna.chat.told if message.album}
    asked = [message for message in anna.chat.told if "Show them" in message.labels]
    if method == "sendMediaGroup":
        assert len(albums) == int(done)
        assert asked
    else:
        assert len(albums) == 1
        assert any("🖼 1" in message.labels for message in anna.chat.told)


async def test_D2_a_request_that_is_told_again_after_a_death_is_one_job_and_one_card(api, anna, tmp_path):
    async with house(tmp_path, api, hand=True) as home:
        anna.write(anna.chat, "a red fox seed:7 steps:4")
        await soon(lambda: anna.chat.told and home.easel.working(), "no card")
    api.updates.repeat(next(form for form in api.updates.told if "message" in form))
    await after(api, tmp_path, anna, 1)
    assert len(anna.chat.told) == len(shown(api, "a red fox")) == 1


async def test_R2_D1_what_waited_and_what_was_painted_go_on_after_a_long_night(api, anna, bert, tmp_path):
    async with house(tmp_path, api, hand=True) as home:
        first = await anna.ask(anna.chat, "a red fox steps:4")
        second = await bert.ask(bert.chat, "a blue bird steps:4")
        await soon(home.easel.working, "nothing is painted")
        home.easel.step(2)
    api.clock.advance(25 * 3600)
    async with house(tmp_path, api, hand=True) as home:
        for _ in range(2):
            await soon(home.easel.working, "nothing is painted")
            home.easel.finish()
            await asyncio.sleep(0.05)
        await settled(home)
        assert shown(api, "a red fox") == [first]
        assert shown(api, "a blue bird") == [second]
        assert "Again" in first.labels
