"""What is done now and then: nothing is kept for too long, and the copies are there, sound and not too old."""

from __future__ import annotations

import asyncio
import os
import random
import time
from pathlib import Path

import pyrage
import pytest

from realbot import app, backups, database
from realbot.config import Settings
from realbot.errors import ConfigError
from realbot.inbox import Parcel
from realbot.jobs import Generate, Origin, User
from realbot.restoring import restore
from realbot.store import Store
from realbot.upkeep import REST, REVIEW, TICK, Upkeep
from stored import ANN, BOB, paint, picture, put
from studios import end, rig, settings

DAY = 86_400.0
#: 2026-11-25 14:02:00 UTC.
START = 1795615320.0


class Time:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Time:
    return Time()


def kept(store: Store, clock: Time, **sections: object) -> Upkeep:
    return Upkeep(store, lambda: settings(**sections), clock, clock)


# Retention


async def test_P17_nothing_is_older_than_thirty_days_but_favourites_and_what_waits(
    tmp_path: Path, clock: Time, caplog: pytest.LogCaptureFixture
) -> None:
    async with Store.open(tmp_path / "data", clock) as store:
        upkeep = kept(store, clock, backup={"hours": 0})
        rows: dict[int, str] = {}
        for day in range(60):
            clock.now = START + day * DAY
            row = await put(store, ANN, Generate(prompt=f"canary {day}", seed=day), now=clock.now)
            image = await picture(store, tmp_path, b"%d" % day)
            await store.start(row.id, 1)
            await store.produce(row.id, [image], 1.0, {}, "print", f"key {day}")
            await store.delivered(row.id)
            rows[day] = row.id
            await store.receive("telegram 1", [Parcel(day, ANN.key, {"text": f"canary {day}"}, clock.now)])
            await store.bring(ANN.key, image)
            await upkeep.retain()
            alive = set(range(max(0, day - 30), day + 1))
            assert {one for one, job in rows.items() if await store.row(job)} == alive
            assert len(list((tmp_path / "data").rglob("*.png"))) == len(alive)
            assert {parcel.id for parcel in await store.unopened("telegram 1")} == alive
            assert await store.older(clock.now - 30 * DAY) == {}
        await store.favourite(ANN, rows[59], True)
        waits = await put(store, BOB, now=clock.now)
        clock.now += 40 * DAY
        export = await store.export(ANN)
        os.utime(export, (clock.now - 4000,) * 2)
        await upkeep.retain()
        assert [row.id for row in await store.history(ANN)] == [rows[59]]
        assert [row.id for row in await store.waiting()] == [waits.id]
        assert not export.exists()
        told = b"".join(file.read_bytes() for file in (tmp_path / "data").glob(f"{database.NAME}*"))
        assert b"canary 59" in told
        assert not any(b"canary %d" % day in told for day in range(10, 59))
        assert "older than it may be" not in caplog.text
        assert upkeep.check().state == "well"


async def test_P17_nothing_stays_of_work_that_is_long_over(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with Store.open(data) as store:
        names = ("web/a/old.webp", "spool/job#1-0.png", ".copy-1/realbot.db", "web/b/new.webp", "spool/job#2-0.png")
        for n, name in enumerate(names):
            path = data / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
            age = 8 * DAY if n < 3 else 60
            os.utime(path, (time.time() - age,) * 2)
        os.utime(data / ".copy-1", (time.time() - DAY,) * 2)
        await kept(store, Time()).retain()
        assert [name for name in names if (data / name).exists()] == ["web/b/new.webp", "spool/job#2-0.png"]


async def test_P17_databases_that_were_replaced_do_not_wait_for_a_restart_to_be_deleted(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with Store.open(data) as store:
        names = ("realbot-before-0002.db", "realbot-replaced-20261001-120000.db-wal", "realbot-replaced-new.db")
        for name, days in zip(names, (31, 31, 29), strict=True):
            (data / name).write_bytes(b"a canary")
            os.utime(data / name, (time.time() - days * DAY,) * 2)
        await kept(store, Time()).retain()
        assert [name for name in names if (data / name).exists()] == ["realbot-replaced-new.db"]


async def test_P17_what_is_kept_for_too_long_is_told(
    tmp_path: Path, clock: Time, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with Store.open(tmp_path / "data", clock) as store:
        await paint(store, tmp_path, ANN)
        upkeep = kept(store, clock)
        clock.now += 10 * 365 * DAY

        async def lazy(_: float) -> int:
            return 0

        monkeypatch.setattr(store, "expire", lazy)
        await upkeep.retain()
        assert "older than it may be is still: 1 jobs, 1 charges" in caplog.text
        assert upkeep.check().state == "poor"


async def test_P17_without_a_limit_the_history_stays(tmp_path: Path, clock: Time) -> None:
    async with Store.open(tmp_path / "data", clock) as store:
        row = await paint(store, tmp_path, ANN)
        upkeep = kept(store, clock, privacy={"history_days": 0}, backup={"hours": 0})
        clock.now += 10 * 365 * DAY
        await upkeep.retain()
        assert [one.id for one in await store.history(ANN)] == [row.id]
        assert upkeep.check().state == "well"


async def test_P17_a_shorter_time_holds_as_soon_as_it_is_set(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await r.paint("a cat")
        await r.store._change("UPDATE jobs SET created = created - 172800, shown = 1, state = 'delivered'", ())
        await r.studio.upkeep.retain()
        assert len(await r.studio.history(User("web", "anna"))) == 1
        r.studio.configure(settings(privacy={"history_days": 1}))
        r.studio.upkeep._done.clear()
        await r.studio.upkeep.retain()
        assert await r.studio.history(User("web", "anna")) == []


async def test_P14_tombstones_stay_as_long_as_a_copy_that_could_need_them(tmp_path: Path, clock: Time) -> None:
    async with Store.open(tmp_path / "data", clock) as store:
        upkeep = kept(store, clock)
        upkeep.folder.mkdir()
        await store.erase(ANN)
        await store.erase(BOB)
        for days, copy, left in ((89, False, 2), (200, True, 2), (201, False, 0)):
            clock.now = START + days * DAY
            path = upkeep.folder / "realbot-00000000-20261125-140000.db"
            if copy:
                path.write_bytes(b"")
            else:
                path.unlink(missing_ok=True)
            await upkeep.retain()
            assert len(store.tombstones.read()) == left


# Copies


async def test_C21_a_copy_is_made_every_hour_and_the_oldest_go(tmp_path: Path, clock: Time) -> None:
    async with Store.open(tmp_path / "data", clock) as store:
        upkeep = kept(store, clock, backup={"hours": 1, "keep": 3})
        assert await upkeep.back_up() is None, "a short command makes none"
        for hour in range(6):
            clock.now = START + REST + hour * 3600
            await put(store, ANN, job=f"job-{hour}", now=clock.now)
            made = await upkeep.back_up()
            assert made is not None
            assert made.rows["jobs"] == hour + 1
            assert upkeep.last_backup == clock.now
            assert await upkeep.back_up() is None
        found = backups.found(upkeep.folder)
        assert [one.at for one in found] == [START + REST + hour * 3600 for hour in (5, 4, 3)]
        assert upkeep.folder == tmp_path / "data" / "backups"
        assert upkeep.folder.stat().st_mode & 0o777 == 0o700
        assert upkeep.check().state == "well"


async def test_C21_a_clock_that_was_wrong_for_a_while_ends_no_copying(tmp_path: Path, clock: Time) -> None:
    async with Store.open(tmp_path / "data", clock) as store:
        since = Time()
        upkeep = Upkeep(store, lambda: settings(backup={"hours": 1, "keep": 3}), clock, since)
        since.now += REST
        clock.now = START + 3650 * DAY
        assert await upkeep.back_up() is not None
        clock.now = START
        for _ in range(5):
            since.now, clock.now = since.now + 3600, clock.now + 3600
            assert await upkeep.back_up() is not None
            assert upkeep.last_backup == clock.now
            assert await upkeep.back_up() is None
        assert clock.now in [one.at for one in backups.found(upkeep.folder)]


async def test_H8_a_damaged_database_is_told_and_the_sound_copies_stay(
    tmp_path: Path, clock: Time, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "data"
    async with Store.open(folder, clock) as store:
        for n in range(60):
            await put(store, ANN, Generate(prompt=f"{n} " * 100), now=clock.now)
        upkeep = kept(store, clock, backup={"hours": 1, "keep": 1})
        clock.now += REST
        good = await upkeep.back_up()
        assert good is not None
        await store.scrub()
        path = folder / database.NAME
        content = path.read_bytes()
        path.write_bytes(content[:20_480] + random.Random(1).randbytes(40_960) + content[61_440:])
        for _ in range(10):
            clock.now += 3700
            assert await upkeep.back_up() is None
        assert [one.path for one in backups.found(upkeep.folder)] == [good.backup.path]
        assert "no copy could be made, and the older ones stay" in caplog.text
        assert upkeep.check().state == "poor"
        assert "damaged" in upkeep.check().says
        assert upkeep.last_backup == good.backup.at
        path.write_bytes(content)


async def test_H8_a_copy_that_rots_is_found_named_and_made_anew(
    tmp_path: Path, clock: Time, caplog: pytest.LogCaptureFixture
) -> None:
    async with Store.open(tmp_path / "data", clock) as store:
        upkeep = kept(store, clock, backup={"hours": 6, "keep": 3})
        clock.now += REST
        made = await upkeep.back_up()
        assert made is not None
        clock.now += 6 * 3600
        assert await upkeep.back_up() is not None
        latest = backups.found(upkeep.folder)[0].path
        data = bytearray(latest.read_bytes())
        data[5000] ^= 1
        latest.write_bytes(data)
        clock.now += REVIEW
        await upkeep.review()
        assert upkeep.damaged == {latest: "it is not as it was when it was made"}
        assert f"the copy {latest} is of no use" in caplog.text
        assert upkeep.last_backup == made.backup.at
        assert latest.name in upkeep.check().says
        assert await upkeep.back_up() is not None


async def test_H8_the_alarm_rings_when_the_last_copy_is_older_than_two_intervals(tmp_path: Path, clock: Time) -> None:
    async with Store.open(tmp_path / "data", clock) as store:
        upkeep = kept(store, clock, backup={"hours": 6})
        assert upkeep.check().state == "well"
        clock.now += 3600
        assert (upkeep.check().state, upkeep.check().says) == ("poor", "There is no copy yet.")
        await upkeep.back_up()
        for hours, state in ((11.9, "well"), (12.1, "poor")):
            clock.now = upkeep.last_backup + hours * 3600
            assert upkeep.check().state == state
        assert upkeep.check().says == "The last copy is 12.1 h old."
        assert kept(store, clock, backup={"hours": 0}).check().state == "well"


async def test_H8_a_folder_of_copies_that_cannot_be_used_is_told_at_once(
    tmp_path: Path, clock: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realbot.upkeep.TICK", 0.01)
    (tmp_path / "file").write_bytes(b"")
    async with Store.open(tmp_path / "data", clock) as store:
        upkeep = kept(store, clock, backup={"folder": tmp_path / "file" / "copies"})
        clock.now += REST
        task = asyncio.create_task(upkeep.run())
        async with asyncio.timeout(10):
            while upkeep.check().state == "well":
                await asyncio.sleep(0.01)
        assert str(tmp_path / "file" / "copies") in upkeep.check().says
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_restart_makes_no_copy_before_it_is_due(tmp_path: Path, clock: Time) -> None:
    async with Store.open(tmp_path / "data", clock) as store:
        first = kept(store, clock)
        clock.now += REST
        assert await first.back_up() is not None
        clock.now += 600
        second = kept(store, clock)
        task = asyncio.create_task(second.run())
        await asyncio.sleep(0.1)
        assert second.last_backup == first.last_backup
        clock.now += REST
        assert await second.back_up() is None
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_D11_a_copy_under_way_does_not_hold_up_the_end(tmp_path: Path, clock: Time) -> None:
    async with Store.open(tmp_path / "data", clock) as store:
        await put(store, ANN, now=clock.now)
        upkeep = kept(store, clock)
        upkeep._stopping.set()
        clock.now += REST
        assert await upkeep.back_up() is None
        assert list(upkeep.folder.iterdir()) == []


async def test_what_fails_is_logged_and_everything_else_goes_on(
    tmp_path: Path, clock: Time, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("realbot.upkeep.TICK", 0.01)
    async with Store.open(tmp_path / "data", clock) as store:
        upkeep = kept(store, clock)

        async def broken() -> None:
            raise ValueError("broken")

        monkeypatch.setattr(upkeep, "retain", broken)
        clock.now += REST
        task = asyncio.create_task(upkeep.run())
        async with asyncio.timeout(10):
            while upkeep.last_backup is None:
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert "broken failed" in caplog.text
        assert TICK == 10.0


def test_P22_recipients_that_are_none_are_no_settings() -> None:
    for keys in ("age1x", "AGE-SECRET-KEY-1X", "ssh-ed25519 AAAA"):
        with pytest.raises(ConfigError, match=r"backup\.recipients.*is not a public key of age"):
            Settings.load(environ={"REALBOT_BACKUP__RECIPIENTS": keys})
    public = str(pyrage.x25519.Identity.generate().to_public())
    found = Settings.load(environ={"REALBOT_BACKUP__RECIPIENTS": f"{public},{public}"})
    assert found.backup.recipients == (public, public)


async def test_P12_P14_a_restored_copy_of_a_studio_paints_nothing_of_whoever_is_gone(tmp_path: Path) -> None:
    ann, room = User("discord", "7", "Ann"), Origin("discord", "10", server="1")
    async with rig(tmp_path, hand=True) as r:
        mine = await r.studio.submit(ann, Generate(prompt="canary"), room)
        other = await r.ask("another")
        made = await asyncio.to_thread(r.studio.upkeep._make, time.time())
        await r.studio.erase(ann)
    assert restore(tmp_path / "data", made.backup.path).deletions == 1
    async with rig(tmp_path) as r:
        await end(r.studio.job(User("web", "anna"), other.id))
        assert r.pool.jobs == [other.id]
        assert await r.store.row(mine.id) is None


async def test_a_studio_that_is_built_is_kept_up(tmp_path: Path) -> None:
    async with app.built(Settings(paths={"data": tmp_path / "data"}, web={})) as studio:
        assert "upkeep" in {task.get_name() for task in asyncio.all_tasks()}
        await asyncio.sleep(0.2)
        assert "retain" in studio.upkeep._done
        assert studio.upkeep.check().ready
    assert "upkeep" not in {task.get_name() for task in asyncio.all_tasks()}
