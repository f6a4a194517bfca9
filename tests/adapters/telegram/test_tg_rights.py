"""Presses: answered in time, by whoever may, also much later, and nothing in their data is believed."""

from __future__ import annotations

import asyncio
import random

import pytest
from botapi_faults import Error, Stall
from botapi_world import ADMINISTRATOR
from tg_fronts import house
from tg_scenes import asks, calm, choose, data, finishes, jobs, painted, rows, settled, shown, soon, user

from realbot.adapters.buttons import PREFIX
from realbot.jobs import Cancelled, Done
from studios import lora

FOX = "a red fox seed:7 steps:4"
DAY = 86_400.0


@pytest.fixture
async def home(api, tmp_path):
    (tmp_path / "styles").mkdir()
    lora(tmp_path / "styles" / "ink.safetensors", trigger="ink")
    async with house(tmp_path, api, hand=True) as home:
        yield home


def last(home):
    return jobs(home)[-1]


# Answers


async def test_a_press_is_answered_soon_however_slow_the_change_is(home, api, anna):
    card = await painted(home, anna, FOX)
    api.fault("editMessageReplyMarkup", Stall(2.5))
    pressed = await anna.press(card, "Change…")
    assert pressed.answered
    assert 0.8 < pressed.waited < 2.2
    await soon(lambda: "▶ Paint" in card.labels, "the menu does not come")


async def test_a_quick_press_is_answered_at_once(home, anna):
    card = await painted(home, anna, FOX)
    for label in ("Change…", "‹ Back", "⭐", "Recipe"):
        assert (await anna.press(card, label)).waited < 1.0


async def test_T15_a_press_that_telegram_finds_too_old_is_done_all_the_same(home, api, anna):
    card = await painted(home, anna, FOX)
    api.press_life = -1.0
    anna.patience = 0.3
    pressed = await anna.press(card, "Again")
    assert not pressed.answered
    await finishes(home)
    assert len(home.easel.works) == 2
    refused = [call for call in api.called("answerCallbackQuery") if call.status == 400]
    assert "query is too old" in refused[0].answer["description"]


async def test_a_change_that_fails_is_told(home, api, anna):
    card = await painted(home, anna, FOX)
    api.fault("editMessageReplyMarkup", Error(400, "Bad Request: message can't be edited"))
    pressed = await anna.press(card, "Change…")
    assert (pressed.alert, "did not work" in pressed.text) == (True, True)


async def test_a_refusal_is_told_in_a_box(home, api, anna, tmp_path):
    card = await painted(home, anna, f"{FOX} style:ink")
    (tmp_path / "styles" / "ink.safetensors").unlink()
    pressed = await anna.press(card, "Again")
    assert pressed.alert
    assert "ink" in pressed.text


# Later


async def test_buttons_outlive_a_restart_and_thirty_days(api, anna, tmp_path):
    async with house(tmp_path, api, hand=True) as home:
        card = await painted(home, anna, FOX)
        await choose(anna, card, "Change…", "Steps: 4", "12")
    api.clock.advance(6 * DAY)
    async with house(tmp_path, api, hand=True) as home:
        await anna.press(card, "▶ Paint")
        await finishes(home)
        assert last(home).request.steps == 12
        await anna.press(card, "‹ Back")
    api.clock.advance(23.5 * DAY)
    async with house(tmp_path, api, hand=True) as home:
        await anna.press(card, "Again")
        await finishes(home)
        assert len(shown(anna.chat, "a red fox")) == 3
        api.clock.advance(40 * DAY)
        pressed = await anna.press(card, "⭐")
        assert pressed.alert
        assert "too old" in pressed.text


async def test_a_message_of_which_telegram_tells_no_more_is_pressed_too(home, api, anna):
    card = await painted(home, anna, FOX)
    old = {"message_id": card.id, "chat": anna.chat.form(), "date": 0}
    told = {"id": "77", "from": anna.account.form(), "data": data(card, "Again"), "chat_instance": "1", "message": old}
    api.updates.tell("callback_query", told)
    await finishes(home)
    assert len(home.easel.works) == 2


# Who may press, and what


class Crowd:
    """A group with everybody who could press something, and one next door."""

    def __init__(self, api, anna) -> None:
        self.anna, self.bert, self.mona, self.otto = anna, *(api.person(name) for name in ("bert", "mona", "otto"))
        self.group = api.supergroup("foxes", api.person("olga"), anna, self.bert, self.mona)
        self.next_door = api.supergroup("birds", self.otto)
        self.group.members[self.mona.id] = ADMINISTRATOR
        self.group.members[self.otto.id] = "member"


@pytest.fixture
def crowd(api, anna):
    return Crowd(api, anna)


#: Who may press what besides the owner: a member, an administrator of the group, one of another group.
RIGHTS = {
    "Again": "", "Change…": "", "Vary a little": "", "Vary a lot": "", "×2": "", "×4": "", "⭐": "", "🗑": "mona",
    "Original": "bert mona otto", "Recipe": "bert mona otto",
}  # fmt: skip


@pytest.mark.parametrize("who", ["bert", "mona", "otto"])
@pytest.mark.parametrize("label", RIGHTS)
async def test_P1_every_button_of_a_card_and_who_may_press_it(home, crowd, label, who):
    card = await painted(home, crowd.anna, f"/imagine {FOX}", crowd.group)
    labels, told = rows(card), len(crowd.group.told)
    pressed = await getattr(crowd, who).press(card, label)
    assert pressed.answered
    if who in RIGHTS[label].split():
        assert not pressed.text
        assert rows(card) != labels or len(crowd.group.told) == told + 1
        return
    assert pressed.alert
    assert "Only the person who asked" in pressed.text
    assert rows(card) == labels
    assert len(crowd.group.told) == told
    assert len(jobs(home)) == 1
    assert not (await home.studio.entry(user(crowd.anna), last(home).id)).favourite


@pytest.mark.parametrize(("who", "may"), [("anna", True), ("bert", False), ("mona", True), ("otto", False)])
async def test_P1_who_may_cancel(home, crowd, who, may):
    card = await asks(home, crowd.anna, f"/imagine {FOX}", crowd.group)
    pressed = await getattr(crowd, who).press(card, "Cancel")
    assert pressed.alert is not may
    await calm(0.1)
    assert isinstance(last(home).status, Cancelled) is may


@pytest.mark.parametrize(("who", "may"), [("anna", True), ("bert", False), ("mona", True), ("otto", False)])
async def test_P1_who_may_delete(home, crowd, who, may):
    card = await painted(home, crowd.anna, f"/imagine {FOX}", crowd.group)
    opener = crowd.anna if who != "mona" else crowd.mona
    await opener.press(card, "🗑")
    pressed = await getattr(crowd, who).press(card, "Delete")
    assert pressed.alert is not may
    assert card.deleted is may
    assert len(await home.studio.history(user(crowd.anna))) == int(not may)


@pytest.mark.parametrize("who", ["bert", "otto"])
@pytest.mark.parametrize("label", ["▶ Paint", "‹ Back", "Steps: 4", "Seed: a new one", "Keep it", "Picture 1", "🖼 1"])
async def test_P1_menus_are_for_their_owner(home, crowd, label, who):
    card = await painted(home, crowd.anna, f"/imagine {FOX} count:{2 if 'icture' in label or '🖼' in label else 1}",
                         crowd.group)  # fmt: skip
    card = crowd.group.last
    for opener in {"Keep it": ["🗑"], "Picture 1": ["🖼 1"], "🖼 1": []}.get(label, ["Change…"]):
        await crowd.anna.press(card, opener)
    labels = rows(card)
    pressed = await getattr(crowd, who).press(card, label)
    assert pressed.alert
    assert rows(card) == labels
    assert len(jobs(home)) == 1


async def test_P1_a_moderator_keeps_what_is_deleted_by_nobody_and_the_owner_goes_on(home, crowd):
    card = await painted(home, crowd.anna, f"/imagine {FOX}", crowd.group)
    await crowd.mona.press(card, "🗑")
    await crowd.mona.press(card, "Keep it")
    await crowd.anna.press(card, "⭐")
    assert "⭐ ✓" in card.labels


async def test_P8_P9_P10_others_get_a_recipe_and_never_a_source(home, crowd):
    card = await painted(home, crowd.anna, f"/imagine {FOX}", crowd.group)
    await crowd.anna.press(card, "Vary a lot")
    await finishes(home)
    varied = crowd.group.last
    await crowd.bert.press(varied, "Recipe")
    recipe = crowd.group.last
    assert "Share" not in recipe.labels
    pressed = await crowd.bert.press(recipe, "▶ Paint")
    assert pressed.alert
    assert len(jobs(home)) == 2


async def test_P10_T16_a_button_works_in_its_own_chat_only(home, api, crowd):
    card = await painted(home, crowd.anna, f"/imagine {FOX}", crowd.group)
    elsewhere = await crowd.anna.ask(crowd.anna.chat, "/help")
    for key in card.buttons:
        if "callback_data" not in key:
            continue
        pressed = await crowd.anna.forge(elsewhere, key["callback_data"])
        assert pressed.alert
        assert "another place" in pressed.text
    await calm(0.1)
    assert len(jobs(home)) == 1
    assert crowd.anna.chat.told == [elsewhere]


async def test_T16_forged_and_cut_data_do_nothing(home, api, anna, caplog):
    card = await painted(home, anna, FOX)
    dice, real = random.Random(16), data(card, "Again")
    forged = [
        real[:-1],
        real + "A",
        real.upper(),
        PREFIX,
        PREFIX + "A" * 16,
        "",
        "r1:../../etc",
        "\x00" * 64,
        "🦊" * 16,
    ]
    forged += ["".join(chr(dice.randrange(0x80, 0x2FF)) for _ in range(32)) for _ in range(200)]
    labels = rows(card)
    for text in forged:
        pressed = await anna.forge(card, text)
        assert pressed.answered
        assert pressed.alert
        assert pressed.text
    assert rows(card) == labels
    assert len(jobs(home)) == 1
    assert "none of ours" in caplog.text


async def test_P3_who_guesses_is_not_listened_to_for_a_while(home, api, anna):
    card = await painted(home, anna, FOX)
    for n in range(25):
        pressed = await anna.forge(card, f"{PREFIX}{n:016}")
    assert "wait a minute" in pressed.text
    assert "wait a minute" in (await anna.press(card, "Again")).text
    api.clock.advance(61)
    await anna.press(card, "Again")
    assert len(jobs(home)) == 2


async def test_P2_a_replayed_delete_and_a_replayed_press_of_a_deleted_card(home, anna):
    card = await painted(home, anna, FOX)
    again = data(card, "Again")
    await anna.press(card, "🗑")
    confirm = data(card, "Delete")
    first, second = await asyncio.gather(anna.forge(card, confirm), anna.forge(card, confirm))
    assert sorted((first.alert, second.alert)) == [False, True]
    other = await anna.ask(anna.chat, "/help")
    for old in (again, confirm):
        pressed = await anna.forge(other, old)
        assert pressed.alert
    assert len(jobs(home)) == 0


async def test_P2_a_press_that_is_told_twice_is_one_job(home, api, anna):
    card = await painted(home, anna, FOX)
    await anna.press(card, "Again")
    form = next(form for form in reversed(api.updates.told) if "callback_query" in form)
    api.updates.repeat(form)
    await calm()
    assert len(jobs(home)) == 2


async def test_P4_again_counts_against_whoever_presses(api, anna, tmp_path):
    limits = {"limits": {"per_day": 5}}
    async with house(tmp_path, api, sections=limits, haste=200) as home:
        card = await anna.ask(anna.chat, FOX)
        await soon(lambda: "Again" in card.labels, "no picture")
        again, said = data(card, "Again"), []
        for _ in range(60):
            said.append((await anna.forge(card, again)).text)
        assert said[:4] == [""] * 4
        assert all(said[4:])
        await settled(home)
        assert len(home.easel.works) == 5
        assert all(isinstance(job.status, Done) for job in jobs(home))
