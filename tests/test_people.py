"""Who is who: the codes by which accounts are linked, at most eight of them, and what each of them has counted."""

from __future__ import annotations

import random
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from linked import ANN, BOB, EVE, NOW, TWIN, link, room
from realbot import database
from realbot.errors import Invalid, QueueFull, TooSoon
from realbot.jobs import Generate, User
from realbot.people import MOST, SIGNS, WRONG
from realbot.store import Store
from studios import rig


async def test_a_code_is_eight_plain_signs_and_is_forgiving_about_how_it_is_written(tmp_path: Path):
    assert len(set(SIGNS)) == 32
    assert not set(SIGNS) & set("01IO")
    ways: list[Callable[[str], str]] = [
        str.lower,
        lambda code: code.replace("-", ""),
        lambda code: f"  {code} \n",
        lambda code: " ".join(code.replace("-", "–").lower()),
        lambda code: "".join(chr(ord(sign) + 0xFEE0) for sign in code),
    ]
    async with rig(tmp_path, hand=True) as r:
        for way in ways:
            code = await r.studio.link_code(ANN)
            assert re.fullmatch(rf"[{SIGNS}]{{4}}-[{SIGNS}]{{4}}", code)
            assert await r.studio.link(TWIN, way(code)) == [ANN.key]
            assert await r.studio.unlink(TWIN)
        codes = {await r.studio.link_code(ANN) for _ in range(200)}
        assert len(codes) == 200
        assert {sign for code in codes for sign in code} == {*SIGNS, "-"}


async def test_a_code_is_used_once_by_another_account_within_ten_minutes(tmp_path: Path):
    now = NOW
    async with rig(tmp_path, hand=True, clock=lambda: now) as r:

        async def refused(user: User, code: str, says: str) -> None:
            with pytest.raises(Invalid, match=says):
                await r.studio.link(user, code)
            now_linked = await r.studio.linked(user)
            assert now_linked == [] or user in (ANN, TWIN)

        first, code = await r.studio.link_code(ANN), await r.studio.link_code(ANN)
        await refused(TWIN, first, "new one with the other account")
        await refused(ANN, code, "enter it with another")
        now += 600
        await refused(TWIN, code, "too old")
        code = await r.studio.link_code(ANN)
        now += 599
        assert await r.studio.link(TWIN, code) == [ANN.key]
        await refused(EVE, code, "used already")
        await refused(TWIN, await r.studio.link_code(ANN), "linked with it")
        for text in ("", "-", "K7QM", "\0", "\ud800", "🦊" * 9, "' OR 1=1 --", "x" * 100_000):
            await refused(User("web", text[:3]), text, "wrong")


async def test_P3_a_code_is_kept_as_a_hash_and_survives_a_restart(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        code = await r.studio.link_code(ANN)
        stored = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
        assert code.encode() not in stored
        assert code.replace("-", "").encode() not in stored
    async with rig(tmp_path, hand=True) as r:
        assert await r.studio.link(TWIN, code) == [ANN.key]
    async with rig(tmp_path, hand=True) as r:
        assert await r.studio.linked(ANN) == [TWIN.key]
        assert await r.studio.linked(TWIN) == [ANN.key]
        assert await r.studio.linked(BOB) == []


async def test_P3_whoever_guesses_codes_is_soon_stopped_and_nobody_else_is(tmp_path: Path):
    now = NOW
    async with rig(tmp_path, hand=True, clock=lambda: now) as r:
        code = await r.studio.link_code(ANN)
        for n in range(WRONG):
            with pytest.raises(Invalid):
                await r.studio.link(BOB, f"AAAA-AAA{SIGNS[n]}")
        for text in (code, "AAAA-AAAA"):
            with pytest.raises(TooSoon, match="ten minutes") as caught:
                await r.studio.link(BOB, text)
            assert caught.value.wait == 600
        assert await r.studio.link(TWIN, code) == [ANN.key]
        now += 600
        assert await r.studio.link(BOB, await r.studio.link_code(ANN)) == [ANN.key, TWIN.key]


async def test_at_most_eight_accounts_are_linked_and_two_groups_become_one(tmp_path: Path):
    users = [User("web", str(n)) for n in range(MOST + 1)]
    async with rig(tmp_path, hand=True) as r:
        await link(r, users[0], *users[1:4])
        await link(r, users[4], *users[5:8])
        assert await r.studio.link(users[6], await r.studio.link_code(users[2])) == [
            user.key for user in users[:8] if user != users[6]
        ]
        with pytest.raises(Invalid, match="At most 8 accounts"):
            await link(r, users[3], users[8])
        with pytest.raises(Invalid, match="At most 8 accounts"):
            await link(r, users[8], users[3])
        assert await r.studio.unlink(users[3])
        await link(r, users[7], users[8])
        assert len(await r.studio.linked(users[0])) == 7
        assert await r.studio.linked(users[3]) == []


async def test_H1_on_a_full_disk_nothing_is_linked_and_the_person_hears_of_it(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        await link(r, ANN, TWIN)
        code = await r.studio.link_code(ANN)

        def refuse(*_: object) -> None:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error

        r.store._writer._attempt, attempt = refuse, r.store._writer._attempt  # type: ignore[method-assign]
        for verb in (r.studio.link(EVE, code), r.studio.unlink(TWIN), r.studio.link_code(BOB)):
            with pytest.raises(QueueFull, match="disk is full"):
                await verb
        r.store._writer._attempt = attempt  # type: ignore[method-assign]
        assert await r.studio.linked(ANN) == [TWIN.key]
        assert await r.studio.link(EVE, code) == [ANN.key, TWIN.key]


async def test_every_account_counts_each_picture_once_whatever_is_linked_and_parted(tmp_path: Path):
    draw = random.Random(4)
    users = [ANN, TWIN, BOB, EVE]
    groups: dict[str, set[str]] = {user.key: {user.key} for user in users}
    counted: dict[str, set[str]] = {user.key: set() for user in users}
    async with Store.open(tmp_path, clock=lambda: NOW) as store:
        for n in range(400):
            user, other = draw.sample(users, 2)
            kind = draw.choice(("put", "put", "link", "unlink", "erase"))
            if kind == "put":
                await store.put(
                    f"job-{n}", user, Generate(prompt="x"), None, room(user), None, NOW, lambda _usage: None
                )
                for key in groups[user.key]:
                    counted[key].add(f"job-{n}")
            elif kind == "link" and other.key not in groups[user.key]:
                await store.people.link(other.key, await store.people.code(user.key))
                together = groups[user.key] | groups[other.key]
                charges = set().union(*(counted[key] for key in together))
                for key in together:
                    groups[key], counted[key] = together, set(charges)
            elif kind == "unlink":
                assert await store.people.unlink(user.key) == (len(groups[user.key]) > 1)
                for key in groups[user.key] - {user.key}:
                    groups[key] = groups[key] - {user.key}
                groups[user.key] = {user.key}
            elif kind == "erase" and n % 3 == 0:
                await store.erase(user)
                for key in groups[user.key]:
                    groups[key] = {key}
            for one in users:
                usage = await store.usage(one, NOW)
                assert usage.today == len(counted[one.key])
                waiting = [row for row in await store.waiting() if row.user_key in groups[one.key]]
                assert usage.waiting_user == len(waiting)
                assert set(store.people.accounts(one.key)) == groups[one.key]


async def test_every_query_of_linked_accounts_uses_an_index(tmp_path: Path):
    statements: set[str] = set()
    async with Store.open(tmp_path, clock=lambda: NOW) as store:
        await store.people.link(TWIN.key, await store.people.code(ANN.key))
        await store._writer.run(lambda db: db.set_trace_callback(statements.add), write=False)
        await store.history(TWIN, before=99, search="apple")
        await store.history(TWIN, favourites=True)
        await store.history(TWIN)
        await store.recall_asked(TWIN, "question")
        await store.usage(TWIN, NOW)
        await store.people.code(BOB.key)
        await store.people.unlink(TWIN.key)
        await store._writer.run(lambda db: db.set_trace_callback(lambda _: None), write=False)
    plans = []
    with closing(sqlite3.connect(tmp_path / database.NAME)) as db:
        for statement in statements:
            if statement.lstrip().startswith(("SELECT", "DELETE", "WITH")) and "%_" not in statement:
                plans.append([line[3] for line in db.execute(f"EXPLAIN QUERY PLAN {statement}")])
    steps = [step for plan in plans for step in plan]
    # Only what waits is read whole, and who is linked with whom, once that has changed.
    assert not [step for step in steps if step.startswith("SCAN jobs") and "jobs_line" not in step]
    assert not [step for step in steps if step.startswith(("SCAN pictures", "SCAN charges", "SCAN codes"))]
    for index in ("jobs_history (user_key=? AND seq<?)", "jobs_asked (user_key=? AND asked_key=?)"):
        assert any(index in step for step in steps)
    assert any("jobs_favourites (user_key=?" in step for step in steps)
    assert any("jobs_line_user (user_key=?)" in step for step in steps)
    assert any("people_person (person=?)" in step for step in steps)
