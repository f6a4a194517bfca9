"""Cache, history and deletion: the right answer, at once, and only to whom it belongs."""

from __future__ import annotations

import random
import sqlite3
import string
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realbot import rows
from realbot.errors import Invalid, NotYours
from realbot.jobs import Generate, StyleUse, User
from realbot.rows import Circle
from realbot.store import Store
from stored import ANN, APPLE, BOB, NOW, paint, picture, put, state, store_file


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store.open(tmp_path / "data", clock=lambda: NOW) as opened:
        yield opened


async def test_R8_the_cache_answers_exactly_the_same_request(store: Store, tmp_path: Path) -> None:
    row = await paint(store, tmp_path, key="key-a", asked="question")
    assert await store.recall("key-a", ANN) == row
    assert await store.recall("key-b", ANN) is None
    assert await store.recall_asked(ANN, "question") == row
    assert await store.recall_asked(ANN, "other") is None
    fresh = await paint(store, tmp_path, key="key-c", asked="question")
    assert await store.recall_asked(ANN, "question") == fresh
    await paint(store, tmp_path, key=None, asked="uncached")
    assert await store.recall_asked(ANN, "uncached") is None
    waits = await put(store, asked="waits")
    assert waits.state == "accepted"
    assert await store.recall_asked(ANN, "waits") is None


CIRCLES = [Circle(), *(Circle(scope, f"discord:{n}") for scope in ("user", "server", "everyone") for n in (1, 2))]


@pytest.mark.parametrize("made", CIRCLES)
@pytest.mark.parametrize("asked", CIRCLES)
async def test_P9_P10_R12_an_answer_of_another_is_recalled_only_where_both_places_share_it(
    store: Store, tmp_path: Path, made: Circle, asked: Circle
) -> None:
    row = await paint(store, tmp_path, asked="question", circle=made)
    both = made.scope == asked.scope == "everyone"
    near = made.server == asked.server != "" and "user" not in (made.scope, asked.scope)
    assert await store.recall("key", BOB, asked) == (row if both or near else None)
    assert await store.recall_asked(BOB, "question") is None
    assert await store.recall("key", ANN, asked) == row


@pytest.mark.parametrize("harm", ["flip", "cut", "delete"])
async def test_R10_an_altered_picture_leaves_the_cache_and_can_be_painted_again(
    store: Store, tmp_path: Path, harm: str
) -> None:
    older = await paint(store, tmp_path, asked="question", content=b"older")
    row = await paint(store, tmp_path, asked="question", content=b"good")
    path = await store.picture(row.images[0], ANN)
    if harm == "delete":
        path.unlink()
    else:
        path.write_bytes(b"gooe" if harm == "flip" else b"go")
    assert await store.recall("key", ANN) == older
    assert await store.recall_asked(ANN, "question") == older
    assert not path.exists()
    assert (await state(store, row.id)) == "delivered"
    with pytest.raises(Invalid, match="lost"):
        await store.picture(row.images[0], ANN)
    again = await paint(store, tmp_path, asked="question", content=b"good")
    assert await store.recall("key", ANN) == again
    assert (await store.picture(row.images[0], ANN)).read_bytes() == b"good"


async def test_history_shows_the_latest_first_by_pages(store: Store, tmp_path: Path) -> None:
    jobs = [(await paint(store, tmp_path)).id for _ in range(7)]
    await put(store)
    await store.cancel((await put(store)).id)
    seen: list[str] = []
    before = None
    while page := await store.history(ANN, 3, before):
        seen += [row.id for row in page]
        before = page[-1].seq
    assert seen == jobs[::-1]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("apple", {"apple", "pie"}),
        ("APPLE red", {"apple"}),
        ("app blu", {"apple"}),
        ("creme brulee", {"pie"}),
        ("Ёлка", {"tree"}),
        ("realism", {"tree"}),
        ("blurry", {"apple"}),
        ("лка", set()),
        ('"apple" OR NOT (pie*', set()),
        ("-- ;", set()),
        ("   ", {"apple", "pie", "tree", "window", "thai"}),
        ("猫", {"window"}),
        ("桜の木", {"window"}),
        ("木桜", set()),
        ("窓辺 木", {"window"}),
        ("แมว", {"thai"}),
        ("猫 apple", set()),
        ("apple AND pie", set()),
        ("NEAR(apple pie)", set()),
        ("prompt:apple", set()),
        ("apple* ^apple", {"apple", "pie"}),
        ("a'b", {"apple", "pie"}),
    ],
)
async def test_history_is_searched_by_words(store: Store, tmp_path: Path, search: str, found: set[str]) -> None:
    asked = {
        "apple": Generate(prompt="a red apple on a blue background", negative="blurry"),
        "pie": Generate(prompt="apple pie with crème brûlée"),
        "tree": Generate(prompt="ёлка в снегу", styles=(StyleUse("realism"),)),
        "window": Generate(prompt="窓辺の猫、桜の木"),
        "thai": Generate(prompt="แมวบนหน้าต่าง"),
    }
    names = {(await paint(store, tmp_path, request=request)).id: name for name, request in asked.items()}
    await paint(store, tmp_path, BOB, asked["apple"])
    assert {names[row.id] for row in await store.history(ANN, search=search)} == found


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=30))
def test_any_search_text_is_harmless(search: str) -> None:
    words = rows.match(search)
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE VIRTUAL TABLE words USING fts5(prompt, tokenize = 'unicode61 remove_diacritics 2')")
        if words:
            db.execute("SELECT * FROM words WHERE words MATCH ?", (words,)).fetchall()


async def test_favourites_are_kept_apart(store: Store, tmp_path: Path) -> None:
    row, other = await paint(store, tmp_path), await paint(store, tmp_path)
    await store.favourite(ANN, row.id, True)
    assert [found.id for found in await store.history(ANN, favourites=True)] == [row.id]
    await store.favourite(ANN, other.id, True)
    await store.favourite(ANN, row.id, False)
    assert [found.id for found in await store.history(ANN, favourites=True)] == [other.id]


async def test_P12_forgetting_takes_the_picture_unless_another_job_needs_it(store: Store, tmp_path: Path) -> None:
    row, same = await paint(store, tmp_path), await paint(store, tmp_path, BOB)
    path = await store.picture(row.images[0])
    await store.forget(ANN, row.id)
    assert await store.row(row.id) is None
    assert await store.history(ANN) == []
    assert await store.recall("key", ANN) is None
    assert path.exists()
    await store.forget(BOB, same.id)
    assert not path.exists()
    source = await picture(store, tmp_path, b"source")
    edit = await put(store, request=replace(APPLE, source=source, strength=0.5))
    await store.cancel(edit.id)
    assert (await store.picture(source, ANN)).exists()
    await store.forget(ANN, edit.id)
    assert not (tmp_path / "data" / "pictures" / source[:2] / f"{source}.png").exists()


async def test_P12_a_forgotten_prompt_is_nowhere_in_the_folder(tmp_path: Path) -> None:
    canary = "canary" + "".join(random.Random(12).choices(string.ascii_lowercase, k=16))
    async with Store.open(tmp_path / "data") as store:
        for n in range(5):
            await paint(store, tmp_path, BOB, replace(APPLE, prompt=f"an apple number {n}"))
        row = await paint(store, tmp_path, request=replace(APPLE, prompt=f"a {canary}"))
        await store.forget(ANN, row.id)
        await store.scrub()
    for file in (tmp_path / "data").rglob("*"):
        assert not file.is_file() or canary.encode() not in file.read_bytes()


async def test_P13_a_job_forgotten_while_it_runs_leaves_no_picture(store: Store, tmp_path: Path) -> None:
    row = await put(store)
    await store.start(row.id, 1)
    image = await picture(store, tmp_path)
    path = await store.picture(image)
    await store.forget(ANN, row.id)
    assert not await store.produce(row.id, [image], 1.0, {}, "", "key", attempt=1)
    assert not path.exists()


async def test_P17_what_is_older_than_the_retention_is_gone_but_for_favourites_and_open_jobs(
    store: Store, tmp_path: Path
) -> None:
    old, liked, open_ = [await put(store, now=NOW - 100 * rows.DAY) for _ in range(3)]
    fresh = await paint(store, tmp_path, content=b"fresh")
    image = await picture(store, tmp_path, b"old")
    for row in (old, liked):
        await store.produce(row.id, [image], 1.0, {}, "", None)
        await store.delivered(row.id)
    await store.favourite(ANN, liked.id, True)
    assert await store.expire(NOW - 30 * rows.DAY) == 1
    assert [row.id for row in await store.history(ANN)] == [fresh.id, liked.id]
    assert [row.id for row in await store.waiting()] == [open_.id]
    assert (await store.picture(image)).exists()


@pytest.mark.parametrize("ending", ["produced", "delivering"])
async def test_P17_what_no_front_end_shows_any_more_expires_too(tmp_path: Path, ending: str) -> None:
    now = NOW
    async with Store.open(tmp_path / "data", lambda: now) as store:
        row, liked = await put(store, now=now), await put(store, now=now)
        await store.favourite(ANN, liked.id, True)
        # It waited long in the line, and there must be time to bring it to its person.
        now += 40 * rows.DAY
        image = await picture(store, tmp_path)
        for one in (row, liked):
            await store.produce(one.id, [image] if one is row else [], 1.0, {}, "", None)
            if ending == "delivering":
                await store.deliver(one.id)
        now += 6 * rows.DAY
        assert await store.older(now - 30 * rows.DAY) == {"charges": 2}
        assert await store.expire(now - 30 * rows.DAY) == 0
        now += 2 * rows.DAY
        assert await store.older(now - 30 * rows.DAY) == {"jobs": 1}
        assert await store.expire(now - 30 * rows.DAY) == 1
        assert await store.row(row.id) is None
        assert not list((tmp_path / "data" / "pictures").rglob("*.png"))
        assert await state(store, liked.id) == ending
        assert await store.expire(0.0) == 0


async def test_P6_P8_nobody_reaches_what_belongs_to_someone_else(store: Store, tmp_path: Path) -> None:
    twin = User("telegram", "1", "Ann")
    row = await paint(store, tmp_path, asked="question")
    for other in (BOB, twin, User("discord", "%"), User("discord", "_"), User("discord", "")):
        assert await store.history(other) == []
        assert await store.history(other, search="apple") == []
        assert await store.history(other, favourites=True) == []
        assert await store.recall("key", other) is None
        assert await store.recall_asked(other, "question") is None
        assert not await store.holds(other, row.images[0])
        for verb in (
            store.row(row.id, other),
            store.picture(row.images[0], other),
            store.forget(other, row.id),
            store.forget(other, "unknown"),
            store.favourite(other, row.id, True),
        ):
            with pytest.raises(NotYours):
                await verb
        assert (await store.usage(other, NOW)).today == 0
    assert await store.row(row.id, ANN) == row


async def test_P6_two_people_with_random_verbs_never_see_each_other(store: Store, tmp_path: Path) -> None:
    rng = random.Random(6)
    mine: dict[str, set[str]] = {ANN.key: set(), BOB.key: set()}
    for n in range(120):
        user = rng.choice((ANN, BOB))
        other = BOB if user is ANN else ANN
        kind = rng.choice(("paint", "paint", "history", "recall", "forget", "favourite"))
        if kind == "paint":
            row = await paint(store, tmp_path, user, key=f"k{n % 5}", asked=f"q{n % 5}", content=bytes([n % 7]))
            mine[user.key].add(row.id)
        elif kind == "history":
            assert {row.id for row in await store.history(user, 1000, search=rng.choice(("", "apple")))} == mine[
                user.key
            ]
        elif kind == "recall":
            for found in (await store.recall(f"k{n % 5}", user), await store.recall_asked(user, f"q{n % 5}")):
                assert found is None or found.user == user
        elif mine[other.key]:
            job = rng.choice(sorted(mine[other.key]))
            with pytest.raises(NotYours):
                await (store.forget(user, job) if kind == "forget" else store.favourite(user, job, True))


async def test_every_query_uses_an_index(store: Store, tmp_path: Path) -> None:
    statements: set[str] = set()
    await store._writer.run(lambda db: db.set_trace_callback(statements.add), write=False)
    row = await paint(store, tmp_path, asked="question")
    await put(store, dedup="click")
    await store.recall("key", ANN)
    await store.recall("key", ANN, Circle("everyone", "discord:1"))
    await store.recall_asked(ANN, "question")
    await store.history(ANN, before=99, search="apple")
    await store.history(ANN)
    await store.history(ANN, favourites=True)
    await store.pending("discord")
    await store.waiting()
    await store.usage(ANN, NOW)
    await store.picture(row.images[0], ANN)
    await store.expire(NOW - 1)
    await store.forget(ANN, row.id)
    await store._writer.run(lambda db: db.set_trace_callback(lambda _: None), write=False)
    plans = 0
    with closing(sqlite3.connect(store_file(store))) as db:
        for statement in sorted(statements):
            if not statement.lstrip().startswith(("SELECT", "UPDATE", "DELETE")) or "%_" in statement:
                continue
            plan = [line[3] for line in db.execute(f"EXPLAIN QUERY PLAN {statement}")]
            plans += 1
            assert not [step for step in plan if step.startswith("SCAN jobs") and "jobs_line" not in step], statement
            assert not [step for step in plan if step.startswith(("SCAN pictures", "SCAN charges"))], statement
            if "WHERE key = 'key'" in statement:
                assert any("jobs_key (key=?" in step for step in plan)
            if "asked_key = 'question'" in statement and "LIMIT 1" in statement:
                assert any("jobs_asked (user_key=? AND asked_key=?)" in step for step in plan)
            if "state IN ('produced', 'delivering', 'delivered', 'kept')" in statement and "favourite" not in statement:
                assert any("jobs_history (user_key=? AND seq<?)" in step for step in plan)
    assert plans > 20
