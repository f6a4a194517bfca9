"""What was deleted stays deleted: the file of tombstones, and an older copy that is put back."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from realbot import database
from realbot.actions import Asking
from realbot.bans import Ban
from realbot.errors import ConfigError
from realbot.inbox import Parcel
from realbot.jobs import Generate, User
from realbot.restoring import restore
from realbot.store import Row, Store
from realbot.tombstones import NAME, Tombstones, applied
from stored import ANN, BOB, NOW, paint, picture, put

CANARY = User("discord", "7000000000000000007", "Ann Canary")


def stones(store: Store) -> list[tuple[str, str]]:
    return [(one.kind, one.hash) for one in store.tombstones.read()]


async def copied(folder: Path) -> Path:
    copy = folder.parent / "copy.db"
    database.backup(folder, copy)
    return copy


async def test_P14_a_person_who_was_deleted_is_not_revived_by_an_older_copy(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with Store.open(folder, lambda: NOW) as store:
        await paint(store, tmp_path, CANARY, Generate(prompt="a canary", seed=1), content=b"mine")
        kept = await paint(store, tmp_path, BOB, content=b"theirs")
        await store.prefer(CANARY.key, {"negative": "canary"})
        copy = await copied(folder)
        assert await store.erase(CANARY) == 1
    assert CANARY.id.encode() in copy.read_bytes()
    restored = restore(folder, copy)
    assert (restored.deletions, restored.strange) == (1, 0)
    async with Store.open(folder, lambda: NOW + 60) as store:
        assert await store.history(CANARY) == []
        assert await store.preferences(CANARY.key) == {}
        assert [row.id for row in await store.history(BOB)] == [kept.id]
        # The limits of whoever came back still hold.
        assert (await store.usage(CANARY, NOW + 60)).today == 1
        for file in folder.glob(f"{database.NAME}*"):
            assert CANARY.id.encode() not in file.read_bytes()
            assert b"canary" not in file.read_bytes()
        assert [path.read_bytes() for path in folder.rglob("*.png")] == [b"theirs"]
    assert restore(folder, copy).deletions == 1, "a tombstone is not used up"


async def test_P14_a_job_and_a_style_that_were_deleted_are_not_revived(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with Store.open(folder, lambda: NOW) as store:
        gone = await paint(store, tmp_path, ANN, Generate(prompt="a canary", seed=1))
        stays = await paint(store, tmp_path, ANN, content=b"other")
        weights = tmp_path / "ink.safetensors"
        weights.write_bytes(b"weights")
        await store._writer.run(lambda db: store.wardrobe.reserve(db, "ink", "job-ink", ANN.key))
        assert await store.wardrobe.hang("job-ink", "ink", weights, hashlib.sha256(b"weights").hexdigest())
        copy = await copied(folder)
        await store.forget(ANN, gone.id)
        await store.wardrobe.discard(ANN, "ink")
        store.wardrobe.file("ink").write_bytes(b"weights")
    assert restore(folder, copy).deletions == 2
    async with Store.open(folder, lambda: NOW) as store:
        assert [row.id for row in await store.history(ANN)] == [stays.id]
        assert store.wardrobe.of(ANN.key) == []
        assert not store.wardrobe.file("ink").exists()
        assert b"canary" not in (folder / database.NAME).read_bytes()


async def test_P14_what_came_after_a_deletion_stays(tmp_path: Path) -> None:
    folder, now = tmp_path / "data", NOW
    async with Store.open(folder, lambda: now) as store:
        await paint(store, tmp_path, ANN)
        await store.erase(ANN)
        now += 1
        back = await put(store, ANN, now=now)
        copy = await copied(folder)
    for _ in range(2):
        async with Store.open(folder, lambda: now) as store:
            assert [row.id for row in await store.waiting()] == [back.id]
        assert restore(folder, copy).deletions == 0


async def test_P14_an_account_that_was_linked_in_the_copy_only_outlives_the_deletion_of_the_other(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "data"
    async with Store.open(folder, lambda: NOW) as store:
        await paint(store, tmp_path, ANN)
        row = await paint(store, tmp_path, BOB)
        await store.people.link(BOB.key, await store.people.code(ANN.key))
        copy = await copied(folder)
        await store.people.unlink(BOB.key)
        await store.erase(ANN)
    restore(folder, copy)
    async with Store.open(folder, lambda: NOW) as store:
        assert [found.id for found in await store.history(BOB)] == [row.id]


async def test_P14_a_deletion_that_was_cut_off_is_made_up_for(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with Store.open(folder, lambda: NOW) as store:
        await paint(store, tmp_path, ANN)
        store.tombstones._add([("person", ANN.key)], NOW, 0)
    async with Store.open(folder, lambda: NOW) as store:
        assert await store.history(ANN) == []


@pytest.mark.parametrize("ending", ["full", "cancelled"])
async def test_P14_H1_a_deletion_that_the_disk_did_not_take_is_not_covered_by_a_later_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    folder = tmp_path / "data"
    async with Store.open(folder, lambda: NOW) as store:
        for user in (ANN, BOB):
            await paint(store, tmp_path, user)
        with monkeypatch.context() as patched:
            if ending == "full":

                async def full(*_: object) -> None:
                    raise ConfigError("The disk is full.")

                patched.setattr(store, "_gone", full)
                with pytest.raises(ConfigError):
                    await store.erase(ANN)
            else:
                noted, add = threading.Event(), Tombstones._add

                def slow(*given: object) -> int:
                    number = add(*given)
                    noted.wait(5)
                    return number

                patched.setattr(Tombstones, "_add", slow)
                task = asyncio.create_task(store.erase(ANN))
                while not store.tombstones.read():
                    await asyncio.sleep(0.01)
                task.cancel()
                noted.set()
                await asyncio.gather(task, return_exceptions=True)
        await store.prefer(ANN.key, {"negative": "canary"})
        assert await store.erase(BOB) == 1
        assert await store.preferences(ANN.key) != {}
    async with Store.open(folder, lambda: NOW) as store:
        assert await store.preferences(ANN.key) == {}
        assert await store.history(ANN) == []
        assert await store._writer.run(applied, write=False) == 2
        await store.erase(CANARY)
        assert await store._writer.run(applied, write=False) == 3


async def test_P14_a_deletion_that_is_made_up_for_takes_nothing_of_what_came_after_it(tmp_path: Path) -> None:
    folder, now = tmp_path / "data", NOW
    weights = tmp_path / "weights"
    weights.write_bytes(b"weights")

    async def live(store: Store, name: str) -> Row:
        row = await paint(store, tmp_path, ANN, content=name.encode())
        await store._change("UPDATE jobs SET created = ? WHERE id = ?", (now, row.id))
        await store._change("UPDATE charges SET at = ? WHERE job = ?", (now, row.id))
        await store.forgive(ANN, f"discord:{name}", now)
        await store.bring(ANN.key, row.images[0])
        await store.note("discord:1", ANN.key, {"by": name})
        await store.note("discord:1", BOB.key, {"lifted": True, "person": ANN.key, "name": name})
        await store.bans.add(Ban(ANN.key, f"discord:{name}", name="Ann", author=BOB.key, at=now))
        await store.receive("discord", [Parcel(int(now), ANN.key, {"text": name}, now)])
        await store._writer.run(lambda db: store.wardrobe.reserve(db, name, f"job-{name}", ANN.key))
        assert await store.wardrobe.hang(f"job-{name}", name, weights, hashlib.sha256(b"weights").hexdigest())
        await store.actions([Asking("again", row.id, owner=ANN.key), Asking("erase", owner=ANN.key)])
        await store.prefer(ANN.key, {"negative": name})
        return row

    async with Store.open(folder, lambda: now) as store:
        await live(store, "old")
        store.tombstones._add([("person", ANN.key)], now, 0)
        now += 60
        row = await live(store, "new")
    async with Store.open(folder, lambda: now) as store:
        assert [found.id for found in await store.history(ANN)] == [row.id]
        assert [style.name for style in store.wardrobe.of(ANN.key)] == ["new"]
        assert [parcel.data["text"] for parcel in await store.unopened("discord")] == ["new"]
        changes = await store.audit(["discord:1"], 10)
        assert [change.by for change in changes if "by" in change.change] == [ANN.key, ""]
        assert [change.change.get("name") for change in changes if "lifted" in change.change] == ["new", None]
        assert [store.bans.listed(f"discord:{name}")[0].name for name in ("old", "new")] == ["", "Ann"]
        assert store.bans.of(ANN.key, ["discord:old"]) is not None
        with closing(sqlite3.connect(folder / database.NAME)) as db:

            def told(sql: str) -> list[object]:
                return [one for (one,) in db.execute(sql)]

            assert told("SELECT place FROM forgiven") == ["discord:new"]
            assert told("SELECT image FROM brought") == list(row.images)
            assert told("SELECT job FROM charges WHERE user_key LIKE 'discord:%'") == [row.id]
            assert told("SELECT verb FROM actions") == ["again"]
        assert await store.preferences(ANN.key) == {}
        assert (await store.usage(ANN, now)).today == 2


async def test_P14_deletions_from_another_database_are_told_and_change_nothing(tmp_path: Path) -> None:
    folder, other = tmp_path / "data", tmp_path / "other"
    async with Store.open(other, lambda: NOW) as store:
        await paint(store, tmp_path, ANN)
        copy = await copied(other)
    async with Store.open(folder, lambda: NOW) as store:
        await paint(store, tmp_path, ANN)
        await store.erase(ANN)
    restored = restore(folder, copy)
    assert (restored.deletions, restored.strange) == (0, 1)
    async with Store.open(folder, lambda: NOW) as store:
        assert len(await store.history(ANN)) == 1


async def test_P12_a_tombstone_names_nobody_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with Store.open(folder, lambda: NOW) as store:
        row = await paint(store, tmp_path, CANARY, Generate(prompt="a canary", seed=1))
        await store.forget(CANARY, row.id)
        await store.erase(CANARY)
        text = (folder / NAME).read_text()
        assert [kind for kind, _ in stones(store)] == ["job", "person"]
        for told in (CANARY.id, CANARY.name, "canary", row.id, "discord"):
            assert told not in text
        assert (folder / NAME).stat().st_mode & 0o777 == 0o600


async def test_a_line_that_broke_off_or_was_changed_is_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with Store.open(folder, lambda: NOW) as store:
        await store.erase(ANN)
        whole = (folder / NAME).read_text()
        (folder / NAME).write_text(whole + whole.replace(" person ", " job ") + whole[:40])
        await store.erase(BOB)
        assert [kind for kind, _ in stones(store)] == ["person", "person"]
        numbers = [one.number for one in store.tombstones.read()]
        assert numbers == sorted(set(numbers))


async def test_a_lost_file_of_tombstones_does_not_make_later_ones_look_old(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with Store.open(folder, lambda: NOW) as store:
        for user in (ANN, BOB, CANARY):
            await store.erase(user)
        await paint(store, tmp_path, ANN)
        copy = await copied(folder)
        (folder / NAME).unlink()
    async with Store.open(folder, lambda: NOW) as store:
        await store.erase(ANN)
    restore(folder, copy)
    async with Store.open(folder, lambda: NOW) as store:
        assert await store.history(ANN) == []


async def test_old_tombstones_are_taken_out_and_the_others_stay(tmp_path: Path) -> None:
    now = NOW
    async with Store.open(tmp_path, lambda: now) as store:
        await store.erase(ANN)
        now += 100
        await store.erase(BOB)
        assert store.tombstones.rotate(NOW + 50) == 1
        assert [one.at for one in store.tombstones.read()] == [NOW + 100]
        assert store.tombstones.rotate(NOW + 50) == 0
        assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
        await store.erase(CANARY)
        assert [one.number for one in store.tombstones.read()] == [2, 3]


async def test_P12_what_is_deleted_while_old_tombstones_are_taken_out_is_noted_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = NOW
    async with Store.open(tmp_path, lambda: now) as store:
        await store.erase(ANN)
        now += 100
        stones, write = store.tombstones, Tombstones._write
        burying = threading.Thread(target=lambda: stones._add([("person", BOB.key)], now, 1))

        def slow(path: Path, text: str) -> None:
            write(path, text)
            if path.suffix == ".part":
                burying.start()
                burying.join(0.2)

        monkeypatch.setattr(Tombstones, "_write", staticmethod(slow))
        assert await asyncio.to_thread(stones.rotate, NOW + 50) == 1
        burying.join()
        assert [one.hash for one in stones.read()] == [stones.hash("person", BOB.key)]


async def test_H1_a_deletion_that_cannot_be_noted_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Store.open(tmp_path / "data", lambda: NOW) as store:
        row = await paint(store, tmp_path, ANN)

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(Tombstones, "_write", staticmethod(full))
            for verb in (store.erase(ANN), store.forget(ANN, row.id)):
                with pytest.raises(ConfigError, match="free some space"):
                    await verb
        assert [found.id for found in await store.history(ANN)] == [row.id]
        assert await store.erase(ANN) == 1


async def test_the_numbers_of_a_server_outlive_whoever_they_are_from(tmp_path: Path) -> None:
    async with Store.open(tmp_path / "data", lambda: NOW + 10) as store:
        for n in range(3):
            await paint(store, tmp_path, ANN, Generate(prompt=f"canary {n}", seed=n), content=b"%d" % n)
        before = await store.tally("")
        assert (before.month, before.today, before.people) == (3, 3, 1)
        await store.forget(ANN, (await store.history(ANN))[0].id)
        await store.erase(ANN)
        after = await store.tally("")
        assert (after.month, after.today, after.wait, after.people) == (3, 3, before.wait, 0)
        with closing(sqlite3.connect(tmp_path / "data" / database.NAME)) as db:
            told = db.execute("SELECT * FROM tallied").fetchall()
        assert told == [("", int(NOW // 3600), 3, 3, before.wait * 3)]


async def test_a_picture_that_no_job_needs_any_more_is_known_nowhere(tmp_path: Path) -> None:
    async with Store.open(tmp_path / "data", lambda: NOW) as store:
        row = await paint(store, tmp_path, ANN)
        other = await paint(store, tmp_path, BOB)
        assert row.images == other.images
        for table in ("checked VALUES (?, 'x', 0.5, 1.0)", "likeness (image, hash) VALUES (?, 7)"):
            await store._change(f"INSERT INTO {table}", row.images)

        async def known() -> list[int]:
            with closing(sqlite3.connect(tmp_path / "data" / database.NAME)) as db:
                tables = ("checked", "likeness")
                return [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]

        await store.erase(ANN)
        assert await known() == [1, 1]
        await store.erase(BOB)
        assert await known() == [0, 0]
        assert await picture(store, tmp_path) == row.images[0]
