"""Who may ask: the lists of the settings and bans, at the one door, through restarts, deletion and a storm."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import zipfile
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from linked import link
from pools import InProcessPool
from realbot.bans import Ban
from realbot.errors import Blocked, ConfigError, Invalid, QueueFull
from realbot.gate import CANCELLED
from realbot.jobs import Cancelled, Done, Generate, Job, Origin, User
from realbot.spans import span
from studios import Rig, end, rig, settings, until

ANN, BOB = User("discord", "11", "Ann"), User("discord", "12", "Bob")
BOSS = User("discord", "90", "Boss", frozenset({"administrators"}))
OWNER = User("discord", "99", "Root", frozenset({"owners"}))
SERVER, OTHER = "discord:1", "discord:2"
ROOM, ELSEWHERE = Origin("discord", "10", server="1"), Origin("discord", "20", server="2")
DAY = 86_400.0


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


async def ask(r: Rig, user: User = ANN, origin: Origin = ROOM, prompt: str = "a cat") -> Job:
    return await r.studio.submit(user, Generate(prompt=prompt, steps=2), origin)


async def refused(r: Rig, user: User = ANN, origin: Origin = ROOM) -> str:
    with pytest.raises(Blocked) as caught:
        await ask(r, user, origin)
    return str(caught.value)


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


async def kept(r: Rig, sql: str) -> list[dict[str, object]]:
    """Rows of the database."""
    return [dict(row) for row in await r.store._writer.run(lambda db: db.execute_fetchall(sql), write=False)]


async def test_P15_deleting_everything_lifts_no_ban_and_leaves_no_name(tmp_path: Path):
    twin = User("discord", "13", "Twin")
    async with rig(tmp_path) as r:
        await link(r, ANN, twin)
        await r.studio.gate.ban(ANN, SERVER, BOSS, reason="frogs")
        await r.studio.erase(ANN)
        for user in (ANN, twin):
            assert "(frogs)" in await refused(r, user)
            await ask(r, user, ELSEWHERE)
        tables = json.dumps([*await kept(r, "SELECT * FROM bans"), *await kept(r, "SELECT * FROM audit")])
        for trace in (ANN.key, twin.key, "Ann", "Twin"):
            assert trace not in tables
        (ban,) = r.studio.gate.bans(SERVER)
        assert len(ban.subject) == 64
    async with rig(tmp_path) as r:
        await refused(r)
        again, _ = await r.studio.gate.ban(ANN, SERVER, BOSS, seconds=DAY)
        assert r.studio.gate.bans(SERVER) == [again], "a new ban takes the place of the old one"
        await r.studio.erase(ANN)
        (ban,) = r.studio.gate.bans(SERVER)
        await r.studio.gate.lift(ban.subject, SERVER, BOSS)
        for user in (ANN, twin):
            await ask(r, user)
        await r.studio.erase(BOSS)
        assert BOSS.key not in json.dumps([*await kept(r, "SELECT * FROM audit"), *await kept(r, "SELECT * FROM bans")])


async def test_P16_an_export_shows_the_own_bans_and_not_who_pronounced_them(tmp_path: Path):
    async with rig(tmp_path) as r:
        await r.studio.gate.ban(ANN, SERVER, BOSS, reason="frogs")
        await r.studio.gate.ban(BOB, SERVER, BOSS, reason="secret")
        with zipfile.ZipFile(await r.studio.export(ANN)) as archive:
            told = json.loads(archive.read("realbot.json"))
        assert [(ban["place"], ban["reason"]) for ban in told["bans"]] == [(SERVER, "frogs")]
        assert BOSS.key not in json.dumps(told)
        assert "secret" not in json.dumps(told)


async def test_P21_a_server_that_realbot_leaves_takes_its_bans_with_it_and_a_new_key_keeps_them(tmp_path: Path):
    async with rig(tmp_path) as r:
        for server in (SERVER, OTHER):
            await r.studio.gate.ban(ANN, server, BOSS)
        await r.studio.left(SERVER)
        assert await kept(r, f"SELECT * FROM bans WHERE place = '{SERVER}'") == []
        await ask(r)
        await r.studio.moved(OTHER, "discord:3")
        await ask(r, ANN, ELSEWHERE)
        await refused(r, ANN, Origin("discord", "30", server="3"))
        changes = await r.studio.audit("discord:3")
        assert any("banned" in one.change for one in changes), "what was done there is told under the new key"


async def test_administrators_choose_among_those_who_asked_in_their_server(tmp_path: Path):
    async with rig(tmp_path) as r:
        for user, origin in ((ANN, ROOM), (BOB, ROOM), (ANN, ROOM), (User("discord", "15", "Eve"), ELSEWHERE)):
            await end(await ask(r, user, origin, f"{user.name} {origin.place}"))
        assert [one.name for one in await r.studio.gate.seen(SERVER)] == ["Ann", "Bob"]
        assert {one.name for one in await r.studio.gate.seen(None)} == {"Ann", "Bob", "Eve"}


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


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", None),
        ("For good", None),
        ("für immer", None),
        ("2h", 7200),
        ("90m", 5400),
        ("3 days", 3 * DAY),
        ("1 Woche", 7 * DAY),
        ("1d 12h", 1.5 * DAY),
        ("1 day and 2 hours", DAY + 7200),
        ("1,5 h", 5400),
        ("1 mo", 30 * DAY),
        ("2 years", 730 * DAY),
    ],
)
def test_spans_are_read_as_people_write_them(text, seconds):
    assert span(text) == seconds


@pytest.mark.parametrize(
    "text", ["3", "days", "0h", "-1h", "2 frogs", "1h tomorrow", "1s", "11 years", "99999 y", "1e3 d", "{0} d", "∞"]
)
def test_what_is_no_span_is_refused_with_an_example(text):
    with pytest.raises(Invalid, match="for good"):
        span(text)


# A storm


@pytest.mark.parametrize("seed", range(3))
async def test_P15_nobody_gets_a_picture_after_their_ban_was_acknowledged_and_nobody_else_loses_one(tmp_path, seed):
    draw = random.Random(seed)
    people = [User("discord", str(100 + n), f"P{n}") for n in range(8)]
    banned: dict[str, bool] = {}
    jobs: dict[str, list[Job]] = {person.key: [] for person in people}
    late: list[Job] = []
    ever: set[str] = set()

    async def asks(person: User) -> None:
        for n in range(40):
            before = banned.get(person.key, False)
            # Some are asked again and answered from before.
            prompt = f"{person.id} {n % 25}"
            try:
                job = await r.studio.submit(person, Generate(prompt=prompt, steps=1), ROOM)
            except Blocked:
                assert person.key in ever
            else:
                assert not (before and banned.get(person.key)), "taken although the ban was acknowledged"
                jobs[person.key].append(job)
            await asyncio.sleep(draw.random() / 200)

    async def bans(targets: Iterable[User]) -> None:
        for person in targets:
            await asyncio.sleep(draw.random() / 50)
            ever.add(person.key)
            if banned.get(person.key):
                continue
            await r.studio.gate.ban(person, SERVER, BOSS)
            banned[person.key] = True
            open_ = [job for job in jobs[person.key] if not isinstance(job.status, Done | Cancelled)]
            assert not open_, "something of theirs is still on its way"
            late.extend(job for job in jobs[person.key] if isinstance(job.status, Cancelled))
            await asyncio.sleep(draw.random() / 50)
            if draw.random() < 0.5:
                banned[person.key] = False
                await r.studio.gate.lift(person.key, SERVER, BOSS)

    pool = InProcessPool(tmp_path / "spool", names=("one", "two"))
    async with rig(tmp_path, pool=pool) as r:
        some, others = ([draw.choice(group) for _ in range(12)] for group in (people[:3], people[3:5]))
        await asyncio.gather(*map(asks, people), bans(some), bans(others))
        for person in people:
            for job in jobs[person.key]:
                status = await end(job, 60)
                assert isinstance(status, Done) or (person.key in ever and status == Cancelled(CANCELLED)), status
        assert len([job for person in people[5:] for job in jobs[person.key]]) == 120
        assert late, "nothing was cancelled, so nothing was tried"


async def test_P14_an_older_copy_of_the_database_keeps_its_bans_and_brings_no_name_back(tmp_path: Path):
    older = tmp_path / "older.db"
    async with rig(tmp_path) as r:
        await r.studio.gate.ban(ANN, SERVER, BOSS, reason="frogs")
        await r.studio.gate.ban(BOB, SERVER, BOSS)
        await r.studio.gate.lift(BOB.key, SERVER, BOSS)
        with closing(sqlite3.connect(r.store.folder / "realbot.db")) as db, closing(sqlite3.connect(older)) as copy:
            db.backup(copy)
        for user in (ANN, BOB):
            await r.studio.erase(user)
    for path in (tmp_path / "data").glob("realbot.db*"):
        path.unlink()
    older.rename(tmp_path / "data" / "realbot.db")
    # Whoever goes on with an older copy says so.
    (tmp_path / "data" / "realbot.commits").unlink()
    async with rig(tmp_path) as r:
        assert "(frogs)" in await refused(r)
        await ask(r, BOB)
        tables = json.dumps([*await kept(r, "SELECT * FROM bans"), *await kept(r, "SELECT * FROM audit")])
        for trace in (ANN.key, BOB.key, "Ann", "Bob"):
            assert trace not in tables
