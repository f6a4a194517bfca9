"""The buttons of a card: what each does, and that exactly what was chosen in the menus is painted."""

from __future__ import annotations

import re

import pytest
from botapi_faults import Reset
from botapi_files import Document
from tg_fronts import house
from tg_scenes import asks, choose, data, finishes, jobs, painted, rows, settled, shown, soon, user

from pools import InProcessPool
from realbot.jobs import Cancelled, Generate, StyleUse, Upscale, User
from studios import lora

FOX = "a red fox seed:7 steps:4"
DAY = 86_400.0


@pytest.fixture
async def home(api, tmp_path):
    (tmp_path / "styles").mkdir()
    for n, name in enumerate(["ink", "glow", *(f"style-{n:02}" for n in range(9))]):
        lora(tmp_path / "styles" / f"{name}.safetensors", trigger=name, fill=1 + n)
    async with house(tmp_path, api, hand=True) as home:
        yield home


def last(home):
    return jobs(home)[-1]


# What they do


async def test_cancel_stops_what_waits_and_what_is_painted(home, anna, bert):
    running = await asks(home, bert, "a blue bird")
    waiting = await anna.ask(anna.chat, FOX)
    pressed = await anna.press(waiting, "Cancel")
    assert (pressed.text, pressed.alert) == ("", False)
    await soon(lambda: "Cancelled" in waiting.words, "it is not cancelled")
    await bert.press(running, "Cancel")
    await settled(home)
    assert "Cancelled" in running.words
    assert isinstance(jobs(home)[0].status, Cancelled)


async def test_cancelling_what_is_finished_says_so(home, anna):
    card = await asks(home, anna, FOX)
    cancel = data(card, "Cancel")
    await finishes(home)
    pressed = await anna.forge(card, cancel)
    assert pressed.text == "It was already finished."
    assert len(shown(anna.chat, "a red fox")) == 1


async def test_a_card_that_arrived_without_our_knowing_can_be_cancelled_away(home, api, anna):
    api.fault("sendMessage", Reset(after=True))
    orphan = await asks(home, anna, FOX)
    await finishes(home)
    assert len(anna.chat.told) == 2
    await anna.press(orphan, "Cancel")
    assert anna.chat.told == shown(anna.chat, "a red fox")


async def test_again_is_the_same_with_another_seed(home, anna):
    card = await painted(home, anna, FOX)
    await anna.press(card, "Again")
    await finishes(home)
    first, second = (job.request for job in jobs(home))
    assert (second.prompt, second.steps) == ("a red fox", 4)
    assert first.seed == 7 != second.seed
    assert anna.chat.last.reply_to is card


async def test_a_fresh_one_is_painted_where_the_history_answered(home, anna):
    await painted(home, anna, "a red fox")
    card = await anna.ask(anna.chat, "a red fox")
    await settled(home)
    await anna.press(card, "Paint a fresh one")
    await finishes(home)
    assert len(home.easel.works) == 2


@pytest.mark.parametrize(("label", "strength"), [("Vary a little", 0.35), ("Vary a lot", 0.75)])
async def test_vary_begins_with_the_picture(home, anna, label, strength):
    card = await painted(home, anna, FOX)
    await anna.press(card, label)
    await finishes(home)
    request = last(home).request
    assert request.source == jobs(home)[0].status.images[0]
    assert request.strength == strength


@pytest.mark.parametrize("factor", [2, 4])
async def test_upscale_enlarges_the_picture(home, anna, factor):
    card = await painted(home, anna, FOX)
    await anna.press(card, f"×{factor}")
    await soon(home.easel.working, "nothing is enlarged")
    assert last(home).request == Upscale(source=jobs(home)[0].status.images[0], factor=factor)


async def test_the_original_is_the_file_byte_for_byte(home, anna):
    card = await painted(home, anna, FOX)
    await anna.press(card, "Original")
    document = anna.chat.last
    assert isinstance(document.media, Document)
    (data,) = await home.bench.bytes(last(home).status, user(anna))
    assert document.uploaded == data
    assert document.reply_to is card
    assert document.media.name.endswith(".png")


async def test_the_recipe_can_be_read_copied_shared_and_painted(home, api, anna, bert):
    card = await painted(home, anna, f"{FOX} guidance:2.5")
    await anna.press(card, "Recipe")
    recipe = anna.chat.last
    line = "a red fox size:128x128 steps:4 guidance:2.5 scheduler:euler seed:7 model:mini"
    assert ("pre", line) in recipe.marks
    assert rows(recipe) == [["Copy", "Share"], ["▶ Paint"]]
    copy, share, _ = recipe.buttons
    assert copy["copy_text"] == {"text": line}
    code = re.fullmatch(r"https://t\.me/realbot_bot\?start=(r_[\w-]{1,62})", share["url"])[1]
    opened = await bert.ask(bert.chat, f"/start {code}")
    assert "a red fox" in opened.words
    await bert.press(opened, "▶ Paint")
    await finishes(home)
    assert len(shown(bert.chat, "a red fox")) == 1
    assert last(home).request == jobs(home)[0].request
    assert last(home).user == User("telegram", str(bert.id), "Bert")


async def test_a_favourite_is_kept_and_pressing_twice_changes_nothing(home, anna):
    card = await painted(home, anna, FOX)
    star = data(card, "⭐")
    for _ in range(2):
        await anna.forge(card, star)
        assert (await home.studio.entry(user(anna), last(home).id)).favourite
        assert rows(card)[-1][-2:] == ["⭐ ✓", "🗑"]
    await anna.press(card, "⭐ ✓")
    assert not (await home.studio.entry(user(anna), last(home).id)).favourite
    assert rows(card)[-1][-2:] == ["⭐", "🗑"]


async def test_delete_asks_once_more_and_takes_picture_and_message_away(home, anna):
    card = await painted(home, anna, FOX)
    await anna.press(card, "🗑")
    assert rows(card) == [["Delete", "Keep it"]]
    await anna.press(card, "Keep it")
    assert rows(card)[-1][-1] == "🗑"
    await anna.press(card, "🗑")
    pressed = await anna.press(card, "Delete")
    assert (pressed.text, pressed.alert) == ("Deleted.", False)
    assert not anna.chat.told
    assert not await home.studio.history(user(anna))


async def test_delete_takes_what_was_shown_anew_too(home, api, anna):
    await painted(home, anna, FOX)
    listed = await anna.ask(anna.chat, "/history")
    opened = next(label for label in listed.labels if "a red fox" in label)
    await anna.press(listed, opened)
    copy = shown(anna.chat, "a red fox")[-1]
    await anna.press(copy, "🗑")
    await anna.press(copy, "Delete")
    assert shown(anna.chat, "a red fox") == []


async def test_a_message_that_is_too_old_to_be_deleted_is_emptied(home, api, anna):
    card = await painted(home, anna, FOX)
    api.clock.advance(3 * DAY)
    before = card.uploaded
    await anna.press(card, "🗑")
    await anna.press(card, "Delete")
    assert (card.words, card.labels) == ("Deleted.", [])
    assert card.uploaded != before
    assert not await home.studio.history(user(anna))


# The menus


async def test_what_is_chosen_in_the_menus_is_painted_exactly(home, anna):
    card = await painted(home, anna, f"{FOX} style:glow:0.5")
    await choose(anna, card, "Change…", "Steps: 4", "12", "Size: 128×128", "16:9 · 176×96", "Seed: a new one")
    await choose(anna, card, "Style: glow 0.5", "ink", "0.7")
    assert rows(card) == [
        ["Style: glow 0.5, ink 0.7"], ["Size: 176×96", "Steps: 12"], ["Seed: kept 🔒"], ["Use its look"],
        ["‹ Back", "▶ Paint"],
    ]  # fmt: skip
    await anna.press(card, "▶ Paint")
    await finishes(home)
    request = last(home).request
    assert request == Generate(
        prompt="a red fox", width=176, height=96, steps=12, guidance=request.guidance, scheduler="euler", seed=7,
        styles=(StyleUse("glow", 0.5), StyleUse("ink", 0.7)), true_cfg=request.true_cfg, model=request.model,
    )  # fmt: skip
    assert jobs(home)[0].request.guidance == request.guidance


async def test_what_was_not_chosen_stays_and_the_seed_is_another(home, anna):
    card = await painted(home, anna, FOX)
    await choose(anna, card, "Change…", "Steps: 4", "8", "▶ Paint")
    await finishes(home)
    first, second = (job.request for job in jobs(home))
    assert (second.steps, second.styles, second.width) == (8, first.styles, first.width)
    assert second.seed != 7


async def test_styles_are_taken_out_and_all_at_once(home, anna):
    card = await painted(home, anna, f"{FOX} style:ink,glow:0.5")
    await choose(anna, card, "Change…", "Style: ink 1, glow 0.5", "✓ ink")
    assert "ink" in card.labels
    assert "✓ glow" in card.labels
    await choose(anna, card, "‹ Back")
    assert rows(card)[0] == ["Style: glow 0.5"]
    await choose(anna, card, "Style: glow 0.5", "No style")
    assert rows(card)[0] == ["Style: none"]
    await anna.press(card, "▶ Paint")
    await soon(home.easel.working, "nothing is painted")
    assert last(home).request.styles == ()


async def test_styles_are_paged_in_two_columns(home, anna):
    card = await painted(home, anna, FOX)
    await choose(anna, card, "Change…", "Style: none")
    assert [len(row) for row in rows(card)] == [2, 2, 2, 2, 3, 2]
    assert rows(card)[4] == ["‹", "1/2", "›"]
    first = rows(card)[:4]
    await anna.press(card, "›")
    assert rows(card)[2:] == [["‹", "2/2", "›"], ["‹ Back", "No style"]] or rows(card)[-2] == ["‹", "2/2", "›"]
    second = [label for row in rows(card)[:-2] for label in row]
    assert len(second) + sum(map(len, first)) == 11
    await anna.press(card, second[-1])
    await anna.press(card, "1")
    assert rows(card)[0] == [f"Style: {second[-1]} 1"]
    await choose(anna, card, f"Style: {second[-1]} 1", "›")
    assert f"✓ {second[-1]}" in card.labels


async def test_menus_offer_what_the_limits_of_the_place_allow(home, api, anna):
    group = api.supergroup("foxes", anna)
    limits = {"max_steps": 10, "max_side": 144, "max_weight": 0.6}
    await home.studio.rule(f"telegram:{group.id}", user(anna), limits=limits)
    card = await painted(home, anna, f"/imagine {FOX}", group)
    await choose(anna, card, "Change…", "Steps: 4")
    assert rows(card)[:-1] == [["✓ 4", "8"]]
    await choose(anna, card, "‹ Back", "Size: 128×128")
    assert all("176" not in label and "160" not in label for label in card.labels)
    await choose(anna, card, "‹ Back", "Style: none", "ink")
    assert rows(card) == [["ink"], ["0.3", "0.5"], ["‹ Back"]]


async def test_an_enlarged_picture_has_no_menus(home, anna):
    card = await painted(home, anna, FOX)
    await anna.press(card, "×2")
    await soon(home.easel.working, "nothing is enlarged")
    InProcessPool.finish(home.easel)
    await settled(home)
    large = anna.chat.last
    assert "Change…" not in large.labels
    await anna.press(large, "Recipe")
    pressed = await anna.press(anna.chat.last, "▶ Paint")
    assert pressed.text == "This picture was not painted from words."
