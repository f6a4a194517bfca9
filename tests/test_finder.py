"""Pictures are found again by what words mean and by how they look, and nobody finds what is somebody else's."""

from __future__ import annotations

import asyncio
import functools
import itertools
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

import stored
from drawing import photo
from exhibits import jpeg, painted, png
from realbot import finder, traces
from realbot.errors import Invalid
from realbot.finder import Finder
from realbot.jobs import Generate
from realbot.recipe import parameters, told
from realbot.traces import Traces
from realbot.training import look_of
from studios import ANNA, BERT, Rig, rig

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(finder, "SETTLE", 0.0)
    monkeypatch.setattr(finder, "PAUSE", 0.0)


CHANGES: dict[str, Callable[[Image.Image], bytes]] = {
    "the same file": png,
    "a JPEG": lambda one: jpeg(one, 40),
    "half as large": lambda one: jpeg(one.resize((one.width // 2, one.height // 2)), 80),
    "twice as large": lambda one: png(one.resize((one.width * 2, one.height * 2))),
    "brighter": lambda one: jpeg(ImageEnhance.Brightness(one).enhance(1.2), 90),
    "cut a little": lambda one: jpeg(one.crop((8, 8, one.width - 8, one.height - 8)), 90),
    "grey": lambda one: png(one.convert("L")),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_copy_is_recognised(tmp_path: Path, change: str):
    async with rig(tmp_path) as r:
        for seed in range(4):
            await painted(r, photo(seed, (512, 384)), ANNA, prompt=f"picture {seed}")
        mine = await painted(r, photo(9, (512, 384)), ANNA, prompt="a lighthouse", seed=9)
        copy = CHANGES[change](photo(9, (512, 384)))
        found = await r.studio.finder.whose(ANNA, copy)
        assert found is not None and found.entry is not None
        assert (found.entry.id, found.index) == (mine, 0)
        assert found.by == ("bytes" if change == "the same file" else "look")
        assert await r.studio.finder.whose(ANNA, jpeg(photo(77, (512, 384)), 90)) is None


@pytest.mark.parametrize("change", CHANGES)
async def test_P6_of_anothers_picture_the_day_is_told_and_nothing_else(tmp_path: Path, change: str):
    async with rig(tmp_path, clock=lambda: 1_000_000_000.0) as r:
        text = "a secret garden\nSteps: 2, Seed: 9, Version: realbot 1"
        await painted(r, photo(9, (512, 384)), BERT, text, "a secret garden", 9, now=1_000_000_000.0)
        found = await r.studio.finder.whose(ANNA, CHANGES[change](photo(9, (512, 384))))
        assert found is not None and found.entry is None
        assert found.at == 999_993_600.0, "a day, not a second"
        assert "secret" not in repr(found) and "bert" not in repr(found).lower()


async def test_P6_what_a_file_says_finds_ones_own_only(tmp_path: Path):
    """With words and a seed that somebody guessed nobody learns whether another person asked for them."""
    async with rig(tmp_path) as r:
        await painted(r, photo(1), BERT, prompt="a secret garden, ä", seed=1)
        text = parameters(Generate(prompt="a secret garden, ä", seed=1), 1, "mini", "1")
        guess = png(photo(50), text)
        found = await r.studio.finder.whose(ANNA, guess)
        assert found == finder.Found("text")
        assert await r.studio.finder.whose(ANNA, png(photo(50))) is None
        own = await r.studio.finder.whose(BERT, guess)
        assert own is not None and own.by == "text" and own.entry is not None


async def test_ones_own_copy_comes_before_anothers(tmp_path: Path):
    async with rig(tmp_path) as r:
        await painted(r, photo(3), BERT, prompt="theirs")
        mine = await painted(r, photo(3), ANNA, prompt="mine")
        for user, name in ((ANNA, "mine"), (BERT, "theirs")):
            found = await r.studio.finder.whose(user, jpeg(photo(3), 70))
            assert found is not None and found.entry is not None
            assert isinstance(found.entry.request, Generate) and found.entry.request.prompt == name
        await r.studio.forget(ANNA, mine)
        found = await r.studio.finder.whose(ANNA, jpeg(photo(3), 70))
        assert found is not None and found.entry is None


async def test_P13_nothing_is_recognised_or_kept_of_what_was_deleted(tmp_path: Path):
    async with rig(tmp_path) as r:
        job = await painted(r, photo(3), ANNA, prompt="two kittens in a basket")
        await until_read(r)
        with sqlite3.connect(r.store.folder / "realbot.db") as db:
            assert count(db, "likeness") == count(db, "meanings") == 1
        await r.studio.forget(ANNA, job)
        assert await r.studio.finder.whose(ANNA, jpeg(photo(3), 70)) is None
        assert await r.studio.finder.whose(ANNA, png(photo(3))) is None
        assert await r.studio.history(ANNA, search="young cats") == []
        await painted(r, photo(4), BERT)
        await r.studio.erase(BERT)
        with sqlite3.connect(r.store.folder / "realbot.db") as db:
            assert count(db, "likeness") == count(db, "meanings") == 0
        assert await r.studio.finder.whose(BERT, png(photo(4))) is None


def count(db: sqlite3.Connection, table: str) -> int:
    found: int = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return found


@pytest.mark.parametrize("shade", [0, 127, 255])
async def test_an_empty_picture_is_like_no_other(tmp_path: Path, shade: int):
    async with rig(tmp_path) as r:
        await painted(r, Image.new("RGB", (256, 256), (shade,) * 3), ANNA)
        other = Image.new("RGB", (128, 128), (200, 10, 10))
        assert await r.studio.finder.whose(ANNA, png(other)) is None


async def test_pictures_from_before_are_made_up_for(tmp_path: Path):
    async with rig(tmp_path) as r:
        await painted(r, photo(3), ANNA, prompt="two kittens in a basket")
        await until_read(r)
    with sqlite3.connect(tmp_path / "data" / "realbot.db") as db:
        db.execute("DELETE FROM likeness")
        db.execute("DELETE FROM meanings")
    async with rig(tmp_path) as r:
        await until_read(r)
        found = await r.studio.finder.whose(ANNA, jpeg(photo(3), 60))
        assert found is not None and found.entry is not None


async def test_what_is_made_up_for_makes_way_for_what_is_painted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(finder, "SETTLE", 0.5)
    async with rig(tmp_path) as r:
        await painted(r, photo(3), ANNA, prompt="two kittens in a basket")
        await until_read(r)
    with sqlite3.connect(tmp_path / "data" / "realbot.db") as db:
        db.execute("DELETE FROM likeness")
    async with rig(tmp_path) as r:
        r.studio.finder._busy = lambda: True
        await asyncio.sleep(1.0)
        assert await r.store.traces.unseen(0, 0)
        r.studio.finder._busy = lambda: False
        await until_read(r)
        assert not await r.store.traces.unseen(0, 0)


async def test_a_job_of_many_pictures_is_made_up_for_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async with rig(tmp_path) as r:
        first = await painted(r, photo(3), ANNA)
        rows = [await stored.put(r.store, ANNA, Generate(prompt="four", seed=7, count=4, steps=4)) for _ in range(2)]
        for n, row in enumerate(rows):
            images = [
                await stored.picture(r.store, r.store.folder, png(photo(10 * n + i, (128, 128)))) for i in range(4)
            ]
            await r.store.produce(row.id, images, 1.0, {}, "", None)
        await r.studio.finder._tasks.close(5.0)
        await r.store.traces._writer.run(lambda db: db.execute("DELETE FROM likeness"))
        monkeypatch.setattr(Traces, "unseen", functools.partialmethod(Traces.unseen, limit=3))
        await r.studio.finder._look_back()
        assert await r.store.traces.unseen() == []
        assert len(await r.store.traces.looks(0)) == 9
        await r.studio.forget(ANNA, first)


async def test_a_file_that_is_too_large_is_refused_before_anything_is_done_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with rig(tmp_path, sections={"limits": {"max_upload_mb": 1}}) as r:
        monkeypatch.setattr(finder, "_read", None)
        for data in (PNG + bytes(2**20), b"hello"):
            with pytest.raises(Invalid):
                await r.studio.finder.whose(ANNA, data)


async def until_read(r: Rig) -> None:
    """Wait until every picture has a hash and every prompt a vector."""
    async with asyncio.timeout(20):
        while await r.store.traces.unseen() or await r.store.traces.unread(0, 1):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("data", [b"", b"hello", PNG, PNG + b"\xff" * 200, b"\xff\xd8\xff"], ids=range(5))
async def test_what_is_no_picture_is_refused(tmp_path: Path, data: bytes):
    async with rig(tmp_path) as r:
        with pytest.raises(Invalid):
            await r.studio.finder.whose(ANNA, data)


@pytest.mark.parametrize("text", ["plain", "ünicode 猫\nSteps: 1", "x" * 100_000, ""], ids=len)
def test_what_a_file_says_is_read_and_never_trusted(text: str):
    data = png(photo(1, (64, 64)), text)
    assert told(data) == text[: 2**16 - len("parameters") - 1]
    for cut in range(0, 80, 7):
        told(data[:cut])
    assert told(PNG + b"\xff\xff\xff\xfftEXtparameters\0" + b"a" * 10) == "a" * 10
    assert told(jpeg(photo(1), 50)) == ""


async def test_hashes_of_every_size_are_kept(tmp_path: Path):
    """SQLite's numbers have a sign, the hashes have none."""
    async with rig(tmp_path) as r:
        hashes = {}
        for seed in range(12):
            job = await painted(r, photo(seed, (128, 128)), ANNA)
            hashes[job] = look_of(png(photo(seed, (128, 128))))
        assert max(hashes.values()) >= 2**63
        assert [one for _, one in await r.store.traces.looks(0)] == list(hashes.values())


PROMPTS = (
    "a red apple on a blue background",
    "an old lighthouse in a storm, oil painting",
    "two kittens sleeping in a basket",
    "a rusty car abandoned in the desert",
    "a castle on a hill at sunset",
    "an astronaut riding a horse on the moon",
)


async def test_other_words_find_what_means_the_same(tmp_path: Path):
    async with rig(tmp_path) as r:
        for prompt in PROMPTS:
            await r.paint(prompt)
        await r.paint("two kittens asleep", BERT)
        await until_read(r)
        for words, prompt in (
            ("baby cats", PROMPTS[2]),
            ("broken vehicle among dunes", PROMPTS[3]),
            ("spaceman", PROMPTS[5]),
            ("кошки спят", PROMPTS[2]),
            ("ein Schloss am Abend", PROMPTS[4]),
        ):
            found = await r.studio.history(ANNA, search=words)
            assert prompt in [entry.request.prompt for entry in found if isinstance(entry.request, Generate)]
            assert all(entry.meant for entry in found) and len(found) <= finder.MOST
            assert all(entry.owner == ANNA.key for entry in found)
        assert await r.studio.history(ANNA, search="quantum physics") == []
        by_word, *others = await r.studio.history(ANNA, search="apple")
        assert not by_word.meant and all(entry.meant for entry in others)


async def test_pages_of_what_was_found_follow_one_another(tmp_path: Path):
    async with rig(tmp_path) as r:
        for prompt in (*PROMPTS, "a kitten", "a sleeping cat", "a cat in a box", "a young cat", "a tomcat"):
            await r.paint(prompt)
        await until_read(r)
        every = [entry.seq for entry in await r.studio.history(ANNA, search="kitten")]
        assert every == sorted(every, reverse=True) and 3 <= len(every) <= finder.MOST + 1
        pages: list[int] = []
        before = None
        while page := await r.studio.history(ANNA, 2, before, "kitten"):
            pages += [entry.seq for entry in page]
            before = page[-1].seq
        assert pages == every


async def test_favourites_are_searched_alone(tmp_path: Path):
    async with rig(tmp_path) as r:
        for prompt in ("a kitten", "a sleeping cat"):
            await r.paint(prompt)
        await until_read(r)
        newest = (await r.studio.history(ANNA))[0]
        await r.studio.favourite(ANNA, newest.id, on=True)
        found = await r.studio.history(ANNA, search="young felines", favourites=True)
        assert [entry.id for entry in found] == [newest.id]


async def test_without_the_package_words_are_found_as_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Finder, "reads", property(lambda self: False))
    async with rig(tmp_path) as r:
        await r.paint("a kitten")
        assert [entry.meant for entry in await r.studio.history(ANNA, search="kitten")] == [False]
        assert await r.studio.history(ANNA, search="young cat") == []
        assert r.studio.finder._model is None


@pytest.mark.parametrize("prompt", ["\ud800 x", "a\0b", "🐈" * 500, "a" * 2000, "'; DROP TABLE jobs; --"], ids=ascii)
async def test_any_words_have_a_meaning(tmp_path: Path, prompt: str):
    async with rig(tmp_path) as r:
        await r.ask(prompt)
        await until_read(r)
        await r.studio.history(ANNA, search=prompt)


async def test_a_long_history_is_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(traces, "CHUNK", 3)
    async with rig(tmp_path) as r:
        jobs = [await painted(r, photo(n, (128, 128)), ANNA, prompt=prompt) for n, prompt in enumerate(PROMPTS)]
        await until_read(r)
        assert (await r.studio.history(ANNA, search="fruit"))[-1].id == jobs[0]
        for n, job in enumerate(jobs):
            found = await r.studio.finder.whose(ANNA, jpeg(photo(n, (128, 128)), 80))
            assert found is not None and found.entry is not None and found.entry.id == job


async def test_P6_two_people_never_find_each_others_words_or_pictures(tmp_path: Path):
    """Every way to ask the finder, for two people with the same subjects."""
    people = (ANNA, BERT)
    async with rig(tmp_path) as r:
        for (n, user), prompt in itertools.product(enumerate(people), PROMPTS[:3]):
            await painted(r, photo(hash((n, prompt)) % 1000), user, prompt=f"{prompt} of {user.name}")
        await until_read(r)
        for user, other in (people, people[::-1]):
            told_all = []
            for words in ("fruit", "baby cats", "beacon at sea", "apple", other.name, PROMPTS[0]):
                told_all += await r.studio.history(user, search=words)
            for entry in await r.studio.history(other):
                path = await r.studio.picture(other, entry.images[0])
                found = await r.studio.finder.whose(user, path.read_bytes())
                assert found is not None and found.entry is None
                small = jpeg(Image.open(path).resize((300, 200)), 80)
                seen = await r.studio.finder.whose(user, small)
                assert seen is None or seen.entry is None or seen.entry.owner == user.key
            assert told_all and all(entry.owner == user.key for entry in told_all)
            theirs = await r.store.traces.own(user, [one for e in await r.studio.history(other) for one in e.images])
            assert theirs == []
            assert await r.store.traces.these(user, [e.seq for e in await r.studio.history(other)]) == []
            mine = {entry.seq for entry in await r.studio.history(user)}
            assert {seq async for chunk in r.store.traces.meanings(user) for seq, _ in chunk} == mine


async def test_vectors_are_small(tmp_path: Path):
    async with rig(tmp_path) as r:
        await r.paint("a cat")
        await until_read(r)
        ((_, vector),) = [one async for chunk in r.store.traces.meanings(ANNA) for one in chunk]
        assert len(vector) == 1024
        assert abs(np.linalg.norm(np.frombuffer(vector, np.float16).astype(np.float32)) - 1) < 0.01
