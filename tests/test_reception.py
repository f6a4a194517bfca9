"""What is kept for front-ends: cards, buttons that trust nothing but the store, a person's own defaults."""

from __future__ import annotations

import random
import re
import string
from pathlib import Path

import pytest

from realbot.actions import GUESSES, WINDOW, Asking, Guard, fresh
from realbot.errors import Invalid, NotYours, QueueFull, Refused, TooSoon
from realbot.jobs import Generate, Origin, StyleUse, User
from realbot.preferences import Preferences
from studios import ANNA, BERT, lora, rig

ROOM = Origin("discord", "10", server="1")
ANN, BOB = User("discord", "7", "Ann"), User("discord", "8", "Bob")


async def test_a_card_is_remembered_with_what_was_noted_of_it(tmp_path: Path):
    now = 1_000_000.0
    async with rig(tmp_path, hand=True, clock=lambda: now) as r:
        job = await r.ask("a cat")
        assert await r.studio.card(job.id) is None
        assert await r.studio.cards(job.id) == {}
        await r.studio.place_card(job.id, extra={"nonce": "n1"})
        assert await r.studio.card(job.id) is None
        await r.studio.place_card(job.id, "99", {"how": "edit"})
        now += 60
        await r.studio.place_card(job.id, "99", {"pinged": True})
        told = {"message": "99", "posted": 1_000_000.0, "nonce": "n1", "how": "edit", "pinged": True}
        assert await r.studio.cards(job.id) == told
        await r.studio.place_card("no such job", "1")
    async with rig(tmp_path, hand=True, clock=lambda: now) as r:
        assert await r.studio.card(job.id) == "99"
        assert await r.studio.cards("no such job") == {}
        await r.studio.place_card(job.id, "100")
        assert (await r.studio.cards(job.id))["posted"] == now
        await r.studio.forget(ANNA, job.id)
        assert await r.studio.cards(job.id) == {}


async def test_R15_the_place_of_a_job_is_the_one_it_was_asked_from_whatever_is_noted_later(tmp_path: Path):
    draw = random.Random(15)
    asked: dict[str, Origin] = {}
    async with rig(tmp_path, hand=True) as r:
        for n in range(30):
            origin = Origin("discord", str(draw.randrange(5)), thread=str(n), server=str(draw.randrange(3)))
            job = await r.studio.submit(User("discord", str(n)), Generate(prompt=f"{n}", steps=1), origin)
            asked[job.id] = origin
            await r.studio.place_card(job.id, str(n), {"place": "elsewhere", "server": "9"})
            assert job.origin is origin
    async with rig(tmp_path, hand=True) as r:
        assert {job.id: job.origin for job in r.studio.pending("discord")} == asked


async def test_P2_an_action_is_what_the_store_says_and_survives_a_restart(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        job = await r.ask("a cat")
        made = await r.studio.action("again", job.id, ANNA, index=2, detail="x", place="10")
        assert re.fullmatch(r"[\w-]{16}", made)
        assert await r.studio.action("again", job.id, ANNA, index=2, detail="x", place="10") == made
        others = [
            Asking("vary", job.id, ANNA.key, 2, "x", "10"),
            Asking("again", job.id, "", 2, "x", "10"),
            Asking("again", job.id, ANNA.key, 1, "x", "10"),
            Asking("again", job.id, ANNA.key, 2, "y", "10"),
            Asking("again", job.id, ANNA.key, 2, "x", "11"),
            Asking("again", "", ANNA.key, 2, "x", "10"),
            Asking("again", job.id, ANNA.key, 2, "x", "10", uses=1),
        ]
        assert len({made, *await r.studio.actions(others)}) == 8
    async with rig(tmp_path, hand=True) as r:
        action = await r.studio.acted(made, ANNA, place="10")
        assert (action.verb, action.job_id, action.owner) == ("again", job.id, ANNA.key)
        assert (action.index, action.detail, action.place) == (2, "x", "10")
        assert (await r.studio.shown(action)).request == job.request
        await r.studio.forget(ANNA, job.id)
        with pytest.raises(Invalid):
            await r.studio.acted(made, ANNA)
        with pytest.raises(NotYours):
            await r.studio.shown(action)
        with pytest.raises(NotYours):
            await r.studio.action("again", job.id, ANNA)


async def test_P1_P2_a_press_of_another_or_elsewhere_is_refused_and_not_counted(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        job = await r.studio.submit(ANN, Generate(prompt="a cat"), ROOM)
        delete = await r.studio.action("delete", job.id, ANN, place="10", uses=1)
        for who, options in (
            (BOB, {}),
            (BOB, {"moderator_of": "2"}),
            (User("telegram", "7"), {}),
            (User("telegram", "7"), {"moderator_of": "1"}),
        ):
            with pytest.raises(NotYours):
                await r.studio.acted(delete, who, place="10", **options)
        with pytest.raises(Refused, match="another place"):
            await r.studio.acted(delete, ANN, place="11")
        assert (await r.studio.acted(delete, BOB, place="10", moderator_of="1")).job_id == job.id
        with pytest.raises(Refused, match="used already"):
            await r.studio.acted(delete, ANN, place="10")
        recipe = await r.studio.action("recipe", job.id)
        assert (await r.studio.acted(recipe, BOB, place="12")).owner == ""


async def test_P2_an_old_action_is_said_to_be_too_old_and_then_forgotten(tmp_path: Path):
    now = 1_000_000.0
    async with rig(tmp_path, hand=True, clock=lambda: now) as r:
        job = await r.ask("a cat")
        made = await r.studio.action("again", job.id, ANNA, days=1)
        now += 43_200
        assert await r.studio.action("again", job.id, ANNA, days=1) == made
        now += 86_399
        assert (await r.studio.acted(made, ANNA)).expires == now + 1
        now += 1
        with pytest.raises(Refused, match="too old"):
            await r.studio.acted(made, ANNA)
        assert await r.studio.action("again", job.id, ANNA, days=1) != made
        now += 40 * 86_400
        await r.studio.action("other")
        with pytest.raises(Invalid, match="not known"):
            await r.studio.acted(made, ANNA)


@pytest.mark.parametrize("uses", [1, 3])
async def test_P2_a_limited_action_is_replayed_in_vain(tmp_path: Path, uses: int):
    async with rig(tmp_path, hand=True) as r:
        made = await r.studio.action("erase", user=ANNA, uses=uses)
        await r.studio.acted(made, ANNA, press=False)
        for _ in range(uses):
            assert (await r.studio.acted(made, ANNA)).verb == "erase"
        for _ in range(20):
            with pytest.raises(Refused, match="used already"):
                await r.studio.acted(made, ANNA)
        assert await r.studio.action("erase", user=ANNA, uses=uses) != made


async def test_P2_P3_forged_ids_find_nothing_and_whoever_guesses_is_soon_stopped(tmp_path: Path):
    draw = random.Random(3)
    now = 1_000_000.0
    async with rig(tmp_path, hand=True, clock=lambda: now) as r:
        job = await r.ask("a cat")
        made = await r.studio.action("delete", job.id, ANNA)
        forged = ["", made[:-1], made.swapcase(), f"{made} ", "' OR 1=1 --", "%", "_" * 16, "\0", "\ud800", "🦊" * 16]
        for _ in range(200):
            signs = list(made)
            signs[draw.randrange(16)] = draw.choice(string.ascii_letters + string.digits + "-_é\n")
            forged.append("".join(signs))
        refused = 0
        for text in forged:
            if text == made:
                continue
            with pytest.raises((Invalid, TooSoon)) as caught:
                await r.studio.acted(text, BERT)
            refused += isinstance(caught.value, TooSoon)
        assert refused >= len(forged) - GUESSES - 30
        with pytest.raises(TooSoon):
            await r.studio.acted(made, BERT)
        assert (await r.studio.acted(made, ANNA)).job_id == job.id
        now += 61
        with pytest.raises(NotYours):
            await r.studio.acted(made, BERT)


async def test_P3_ids_have_96_bits_and_none_comes_twice(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        ids = await r.studio.actions([Asking("page", index=n, uses=1) for n in range(5000)])
        assert len(set(ids)) == 5000
        # Each of the 16 characters takes all of its 64 values.
        assert all(len({one[place] for one in ids}) == 64 for place in range(16))


async def test_P3_a_million_guesses_find_no_button_and_few_of_them_are_looked_up(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        buttons = set(await r.studio.actions([Asking("page", index=n, uses=1) for n in range(5000)]))
    assert buttons.isdisjoint(fresh() for _ in range(1_000_000))
    guard, now, looked = Guard(), 0.0, 0
    for _ in range(1_000_000):
        # All of them within an hour.
        now += 3600 / 1_000_000
        try:
            guard.check("discord:1", now)
        except TooSoon:
            continue
        looked += 1
        guard.miss("discord:1", now)
    assert looked <= GUESSES * (3600 / WINDOW + 1)
    # Of five thousand buttons, what is looked up in a thousand years finds one with less than this chance.
    assert looked * 24 * 365 * 1000 * len(buttons) / 2**96 < 1e-12


async def test_P4_a_replayed_press_counts_against_whoever_presses(tmp_path: Path):
    async with rig(tmp_path, hand=True, sections={"limits": {"waiting_per_user": 3}}) as r:
        job = await r.studio.submit(ANN, Generate(prompt="a cat", steps=2), ROOM)
        again = await r.studio.action("again", job.id)
        taken = 0
        for n in range(200):
            action = await r.studio.acted(again, BOB)
            request = (await r.studio.shown(action)).request
            try:
                await r.studio.submit(BOB, request, ROOM, dedup=f"press {n}")
                taken += 1
            except QueueFull:
                continue
        assert taken == 3
        assert len(r.studio.waiting(BOB)) == 3
        await r.studio.submit(ANN, Generate(prompt="another"), ROOM)


async def test_preferences_fill_in_what_is_left_open_and_what_is_said_wins(tmp_path: Path):
    async with rig(tmp_path) as r:
        lora(tmp_path / "styles" / "ink.safetensors")
        assert await r.studio.preferences(ANNA) == Preferences()
        await r.studio.prefer(ANNA, steps=7, width=192, height=128, negative="blurry", scheduler="unipc")
        prefs = await r.studio.prefer(ANNA, styles=(StyleUse("Ink", 0.5),), ping=False, locale="de")
        assert prefs.styles == (StyleUse("ink", 0.5),)
        assert await r.studio.preferences(ANNA) == prefs
        assert await r.studio.preferences(BERT) == Preferences()
        full = await r.studio.defaulted(ANNA, Generate(prompt="a cat"))
        assert (full.steps, full.width, full.height, full.scheduler) == (7, 192, 128, "unipc")
        assert (full.negative, full.styles) == ("blurry", (StyleUse("ink", 0.5),))
        own = Generate(
            prompt="a cat",
            steps=3,
            width=64,
            negative="fog",
            scheduler="euler",
            styles=(StyleUse("ink"),),
            guidance=2.0,
        )
        assert await r.studio.defaulted(ANNA, own) == own
        assert (await r.studio.defaulted(ANNA, Generate(prompt="x", source="a" * 64))).width is None
        assert (await r.studio.prefer(ANNA, steps=None)).steps is None
        assert await r.studio.defaulted(BERT, Generate(prompt="a cat")) == Generate(prompt="a cat")
    async with rig(tmp_path) as r:
        assert (await r.studio.preferences(ANNA)).locale == "de"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"steps": 0}, "from 1 to"),
        ({"steps": 10**6}, "from 1 to"),
        ({"guidance": -1.0}, "guidance"),
        ({"width": 77}, "width"),
        ({"scheduler": "unipd"}, "scheduler"),
        ({"styles": (StyleUse("nothing"),)}, "nothing"),
        ({"negative": "x" * 5000}, "characters"),
        ({"stepz": 3}, "no preference stepz"),
    ],
)
async def test_a_preference_that_is_not_possible_is_refused_and_not_kept(tmp_path: Path, changes: dict, says: str):
    async with rig(tmp_path) as r:
        with pytest.raises(Invalid, match=says):
            await r.studio.prefer(ANNA, **changes)
        assert await r.studio.preferences(ANNA) == Preferences()


async def test_a_preference_that_is_not_possible_any_more_refuses_no_request(tmp_path: Path):
    async with rig(tmp_path) as r:
        lora(tmp_path / "styles" / "ink.safetensors")
        await r.studio.prefer(ANNA, steps=50, width=256, height=256, guidance=9.0, styles=(StyleUse("ink"),))
    (tmp_path / "styles" / "ink.safetensors").unlink()
    strict = {"limits": {"max_steps": 10, "max_side": 128, "max_guidance": 5.0}}
    async with rig(tmp_path, sections=strict) as r:
        request = await r.studio.defaulted(ANNA, Generate(prompt="a cat"), ROOM)
        assert request == Generate(prompt="a cat", steps=10)
        await r.studio.submit(ANNA, request, ROOM)


async def test_small_facts_of_front_ends_do_not_touch_the_studios_own(tmp_path: Path):
    async with rig(tmp_path) as r:
        await r.paint("a cat")
        await r.studio.remember("fingerprint", "commands")
        assert await r.studio.remembered("fingerprint") == "commands"
        assert await r.store.remembered("fingerprint") == "in-process-1"
