"""Who may ask: the lists of the settings and bans, at the one door, through restarts, deletion and a storm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from banning import ANN, BOB, BOSS, DAY, ELSEWHERE, OWNER, ROOM, SERVER, Clock, ask, kept, refused
from linked import link
from pools import InProcessPool
from realbot.bans import Ban
from realbot.errors import Blocked, ConfigError, Invalid, QueueFull
from realbot.gate import CANCELLED
from realbot.jobs import Cancelled, Done, Origin, User
from studios import end, rig, settings, until

# Lists


@pytest.mark.parametrize(
    ("access", "user", "origin", "says"),
    [
        ({"denied": ("discord:11",)}, ANN, ROOM, "You may not ask this bot"),
        ({"denied": ("discord:11",)}, BOB, ROOM, ""),
        ({"denied": ("discord:1",)}, ANN, ROOM, "cannot be asked for here"),
        ({"denied": ("discord:1",)}, ANN, ELSEWHERE, ""),
        ({"denied": ("discord:10",)}, ANN, ROOM, "cannot be asked for here"),
        ({"denied": ("telegram:11",)}, ANN, ROOM, ""),
        ({"denied": ("discord:role:7",)}, replace(ANN, roles=frozenset({"7"})), ROOM, "You may not ask this bot"),
        ({"denied": ("telegram:role:administrators",)}, replace(ANN, roles=frozenset({"administrators"})), ROOM, ""),
        ({"allowed": ("discord:1",)}, ANN, ROOM, ""),
        ({"allowed": ("discord:1",)}, ANN, ELSEWHERE, "neither you nor this place"),
        ({"allowed": ("discord:11",)}, ANN, ELSEWHERE, ""),
        ({"allowed": ("discord:role:administrators",)}, BOSS, ROOM, ""),
        ({"allowed": ("discord:role:administrators",)}, ANN, ROOM, "neither you nor this place"),
        ({"allowed": ("discord:1",), "denied": ("discord:11",)}, ANN, ROOM, "You may not ask this bot"),
        ({"allowed": ("discord:11",), "denied": ("discord:1",)}, ANN, ROOM, "cannot be asked for here"),
        ({"allowed": ("discord:1",), "denied": ("discord:99", "discord:2")}, OWNER, ELSEWHERE, ""),
        ({"allowed": ("discord:1",)}, User("cli", "me"), Origin("cli"), ""),
        ({"allowed": ("discord:1",)}, User("web", "x"), Origin("web"), "neither you nor this place"),
        ({"allowed": ("web:page",)}, User("web", "x"), Origin("web"), ""),
    ],
)
async def test_lists_say_who_may_ask_and_denied_goes_over_allowed(tmp_path: Path, access, user, origin, says):
    async with rig(tmp_path, sections={"access": access}) as r:
        if says:
            assert says in await refused(r, user, origin)
            assert "runs" in await refused(r, user, origin), "whom to ask"
        else:
            assert isinstance(await end(await ask(r, user, origin)), Done)


async def test_the_lists_hold_for_each_account_of_a_person_and_change_while_it_runs(tmp_path: Path):
    twin = User("telegram", "5", "Twin")
    async with rig(tmp_path) as r:
        await link(r, ANN, twin)
        await ask(r, twin, Origin("telegram", "5"))
        r.studio.configure(settings(access={"denied": ("discord:11",)}))
        assert "You may not" in await refused(r, twin, Origin("telegram", "5"))
        with pytest.raises(Blocked):
            await r.studio.upload(ANN, b"", ROOM)
        with pytest.raises(Blocked):
            await r.studio.plan(ANN, ROOM, "dots", "dotty", [])
        r.studio.configure(settings())
        await ask(r, twin, Origin("telegram", "5"))


@pytest.mark.parametrize(
    ("exempt", "user", "origin", "is_so"),
    [
        ((), OWNER, ROOM, False),
        (("owners",), OWNER, ROOM, True),
        (("owners",), BOSS, ROOM, False),
        (("discord:11",), ANN, ROOM, True),
        (("discord:1",), BOB, ROOM, True),
        (("discord:1",), BOB, ELSEWHERE, False),
        (("discord:role:administrators",), BOSS, ROOM, True),
    ],
)
async def test_limits_ask_who_is_exempt(tmp_path: Path, exempt, user, origin, is_so):
    async with rig(tmp_path, sections={"access": {"exempt": exempt}}) as r:
        assert r.studio.gate.exempt(user, origin) is is_so


async def test_roles_are_found_out_only_where_a_list_names_some(tmp_path: Path):
    async with rig(tmp_path, sections={"access": {"denied": ("discord:7", "telegram:role:administrators")}}) as r:
        assert r.studio.gate.heeds("telegram")
        assert not r.studio.gate.heeds("discord")


# Bans


async def test_a_ban_says_what_where_until_when_why_and_whom_to_ask(tmp_path: Path):
    clock = Clock()
    async with rig(tmp_path, clock=clock) as r:
        await r.studio.gate.ban(ANN, SERVER, BOSS, seconds=3 * DAY, reason="  too  many frogs ")
        said = await refused(r)
        assert said == "You are banned here until 2023-11-17 22:13 UTC (too many frogs); ask the administrators here."
        await ask(r, ANN, ELSEWHERE)
        await ask(r, BOB)
        await r.studio.gate.ban(ANN, None, OWNER)
        assert await refused(r) == "You are banned from this bot for good; ask whoever runs this bot."
        assert "from this bot for good" in await refused(r, ANN, ELSEWHERE)
        await r.studio.gate.lift(ANN.key, None, OWNER)
        assert "until 2023-11-17" in await refused(r)
        clock.now += 3 * DAY
        await ask(r)
        assert r.studio.gate.bans(SERVER) == []


async def test_a_ban_outlives_a_restart_and_is_swept_when_it_is_over(tmp_path: Path):
    clock = Clock()
    async with rig(tmp_path, clock=clock) as r:
        await r.studio.gate.ban(ANN, SERVER, BOSS, seconds=3600)
        await r.studio.gate.ban(BOB, SERVER, BOSS)
    async with rig(tmp_path, clock=clock) as r:
        assert [ban.name for ban in r.studio.gate.bans(SERVER)] == ["Ann", "Bob"]
        await refused(r)
        await refused(r, BOB)
        clock.now += 3601
        await ask(r)
        await r.store.bans.lapse()
        assert "Bob" in str(await kept(r, "SELECT * FROM bans"))
        assert "Ann" not in str(await kept(r, "SELECT * FROM bans"))


async def test_a_ban_cancels_what_waits_there_and_throws_away_what_is_being_painted(tmp_path: Path):
    pool = InProcessPool(tmp_path / "spool", hand=True)
    async with rig(tmp_path, pool=pool) as r:
        running = await ask(r, prompt="running")
        await until(lambda: pool.works)
        waiting, elsewhere = await ask(r, prompt="waiting"), await ask(r, ANN, ELSEWHERE, "elsewhere")
        other = await ask(r, BOB)
        ban, ended = await r.studio.gate.ban(ANN, SERVER, BOSS)
        assert ended == 2
        assert ban.until is None
        assert running.status == waiting.status == Cancelled(CANCELLED)
        assert not isinstance(elsewhere.status, Cancelled)
        assert not isinstance(other.status, Cancelled)
        assert await r.store.row(running.id) is not None
    async with rig(tmp_path, pool=InProcessPool(tmp_path / "spool")) as r:
        known = {job.id: job.status for job in r.studio.pending("discord")}
        assert known[running.id] == Cancelled(CANCELLED), "what the card says outlives a restart"


async def test_what_a_ban_could_not_end_is_ended_at_the_next_try_or_the_next_start(tmp_path: Path, monkeypatch):
    async def full(*_: object) -> bool:
        raise ConfigError("The disk is full.")

    pool = InProcessPool(tmp_path / "spool", hand=True)
    async with rig(tmp_path, pool=pool) as r:
        jobs = [await ask(r, prompt=f"a cat {n}") for n in range(2)]
        with monkeypatch.context() as fault:
            fault.setattr(r.store, "cancel", full)
            with pytest.raises(QueueFull):
                await r.studio.gate.ban(ANN, SERVER, BOSS)
        await refused(r)
        _, ended = await r.studio.gate.ban(ANN, SERVER, BOSS)
        assert ended == 2
        assert {job.status for job in jobs} == {Cancelled(CANCELLED)}
        other = await ask(r, BOB)
        # As if the power had failed between the ban and what it ends.
        await r.store.bans.add(Ban(BOB.key, SERVER))
    async with rig(tmp_path, pool=InProcessPool(tmp_path / "spool")) as r:
        known = {job.id: job.status for job in r.studio.pending("discord")}
        assert known[other.id] == Cancelled(CANCELLED)


async def test_a_picture_that_could_not_be_brought_before_the_ban_is_not_shown_after_it(tmp_path: Path):
    async with rig(tmp_path) as r:
        job = await ask(r)
        assert isinstance(await end(job), Done)
        assert await r.studio.showing(job, adult=False) == "here"
        await r.studio.gate.ban(ANN, SERVER, BOSS)
        assert await r.studio.showing(job, adult=False) == "nowhere"
        assert await r.studio.entry(ANN, job.id)


async def test_nobody_bans_an_owner_or_themselves_or_lifts_their_own(tmp_path: Path):
    twin = User("discord", "91", "Other me")
    async with rig(tmp_path) as r:
        await link(r, BOSS, twin)
        for whom in (OWNER, User("cli", "me")):
            with pytest.raises(Blocked, match="owner of this bot cannot be banned"):
                await r.studio.gate.ban(whom, SERVER, BOSS)
        for whom in (BOSS, twin):
            with pytest.raises(Blocked, match="cannot ban yourself"):
                await r.studio.gate.ban(whom, SERVER, BOSS)
        await r.studio.gate.ban(BOSS, SERVER, OWNER)
        for subject in (BOSS.key, twin.key):
            with pytest.raises(Blocked, match="your own ban"):
                await r.studio.gate.lift(subject, SERVER, BOSS)
        await r.studio.gate.lift(twin.key, SERVER, OWNER)
        await ask(r, BOSS)
        with pytest.raises(Invalid, match="no such ban"):
            await r.studio.gate.lift(BOSS.key, SERVER, OWNER)


async def test_a_ban_holds_for_the_person_and_parting_lifts_it_for_neither_account(tmp_path: Path):
    twin, later = User("discord", "13", "Twin"), User("discord", "14", "Later")
    async with rig(tmp_path) as r:
        await link(r, ANN, twin)
        await r.studio.gate.ban(ANN, SERVER, BOSS)
        await refused(r, twin)
        await r.studio.unlink(twin)
        await refused(r, twin)
        await refused(r)
        assert [ban.subject for ban in r.studio.gate.bans(SERVER)] == [ANN.key], "a list does not tell who is linked"
        await link(r, ANN, later)
        await refused(r, later)
        await r.studio.unlink(later)
        await ask(r, later)
        await r.studio.gate.lift(ANN.key, SERVER, BOSS)
        for user in (ANN, twin):
            await ask(r, user)


async def test_administrators_choose_among_those_who_asked_in_their_server(tmp_path: Path):
    async with rig(tmp_path) as r:
        for user, origin in ((ANN, ROOM), (BOB, ROOM), (ANN, ROOM), (User("discord", "15", "Eve"), ELSEWHERE)):
            await end(await ask(r, user, origin, f"{user.name} {origin.place}"))
        assert [one.name for one in await r.studio.gate.seen(SERVER)] == ["Ann", "Bob"]
        assert [one.name for one in await r.studio.gate.seen(None)] == ["Eve", "Ann", "Bob"]
        assert [one.name for one in await r.studio.gate.seen(None, 2)] == ["Eve", "Ann"]


@pytest.mark.parametrize("place", [None, SERVER])
async def test_Q18_who_asked_lately_is_found_without_reading_every_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str | None
):
    monkeypatch.setattr("realbot.bans.RECENT", 3)
    async with rig(tmp_path) as r:
        for user in (BOB, ANN, ANN, ANN):
            await end(await ask(r, user, ROOM))
        connection: Any = r.store._writer._db
        said: list[str] = []
        await connection._execute(lambda: connection._conn.set_trace_callback(said.append))
        assert [one.name for one in await r.studio.gate.seen(place)] == ["Ann"]
        await connection._execute(lambda: connection._conn.set_trace_callback(None))
        (asked,) = [one for one in said if "user_name" in one]
        plan = [step["detail"] for step in await kept(r, f"EXPLAIN QUERY PLAN {asked}")]
        # By its key, backwards from the end.
        assert ("SCAN jobs" if place is None else "SEARCH jobs USING INDEX jobs_server (server=?)") in plan
        assert plan.count("USE TEMP B-TREE FOR ORDER BY") == 1, "people are sorted, and their requests are not"


async def test_what_was_done_is_noted_and_told_for_a_year(tmp_path: Path):
    clock = Clock()
    async with rig(tmp_path, clock=clock) as r:
        await r.studio.gate.ban(ANN, SERVER, BOSS, reason="frogs")
        clock.now += 10
        await r.studio.gate.lift(ANN.key, SERVER, BOSS)
        await r.studio.pause("discord:10", BOSS)
        await r.studio.pause(None, OWNER)
        lifted, banned = await r.studio.audit(SERVER)
        assert (banned.by, banned.place, banned.at) == (BOSS.key, SERVER, clock.now - 10)
        assert banned.change == {"banned": 0, "person": ANN.key, "name": "Ann", "reason": "frogs"}
        assert lifted.change == {"lifted": True, "person": ANN.key, "name": "Ann"}
        within = await r.studio.audit(SERVER, within=["discord:10"])
        assert [one.place for one in within] == ["discord:10", SERVER, SERVER]
        assert [one.place for one in await r.studio.audit(None)] == ["*"]
        every = await r.studio.audit("", 2)
        assert [one.place for one in every] == ["*", "discord:10"]
        assert len(await r.studio.audit("", 20, every[-1].seq)) == 2
        clock.now += 364 * DAY
        assert len(await r.studio.audit("")) == 4
        clock.now += DAY + 10
        assert await r.studio.audit("") == []
        await r.store.bans.lapse()
        assert await kept(r, "SELECT * FROM audit") == []


# A storm
