"""/quota and /realbot quota on a loopback Telegram: what is left, when it comes back, and handing it back."""

from __future__ import annotations

import pytest
from tg_panels import tap, user

from realbot.errors import OverQuota
from studios import until


@pytest.fixture
def sections():
    return {"limits": {"per_day": 4, "per_hour": 3}}


async def test_each_limit_is_shown_with_what_is_used_what_is_left_and_when_it_comes_back(world):
    empty = await world.anna.ask(world.anna.chat, "/quota")
    assert "Pictures in 60 minutes\n▱▱▱▱▱▱▱▱▱▱\n0 of 3 used, 3 left" in empty.words
    assert "0 of your requests are on their way" in empty.words
    await world.ask(world.anna, "a frog", world.anna.chat, count=2)
    shown = await world.anna.ask(world.anna.chat, "/quota")
    assert "Pictures in 60 minutes\n▰▰▰▰▰▰▰▱▱▱\n2 of 3 used, 1 left\nback " in shown.words
    assert "Pictures in 24 hours\n▰▰▰▰▰▱▱▱▱▱\n2 of 4 used, 2 left\nback " in shown.words
    times = [entity for entity in shown.entities if entity["type"] == "date_time"]
    assert len(times) == 2
    await tap(world.anna, empty, "🔄")
    assert "2 of 3 used" in empty.words
    assert "0 of 3 used" in (await world.bert.ask(world.bert.chat, "/quota")).words


async def test_in_a_group_the_limits_of_the_group_are_shown(world):
    await world.carl.ask(world.group, "/realbot limits per_day 2")
    assert "0 of 2 used" in (await world.anna.ask(world.group, "/quota")).words
    assert "0 of 4 used" in (await world.anna.ask(world.anna.chat, "/quota")).words


async def test_administrators_see_what_somebody_has_left_and_hand_back_what_their_group_settled(world):
    await world.carl.ask(world.group, "/realbot limits per_day 2")
    await world.ask(world.anna, "a frog", count=2)
    with pytest.raises(OverQuota):
        await world.ask(world.anna, "a newt")
    said = world.anna.write(world.group, "hello there")
    shown = await world.carl.ask(world.group, "/realbot quota", reply_to=said)
    assert "What Anna may still ask for" in shown.words
    assert "2 of 2 used, 0 left" in shown.words
    pressed = await tap(world.carl, shown, "Hand it back")
    assert "has asked for so far does not count here any more" in (pressed.text or "")
    assert "0 of 2 used, 2 left" in shown.words
    assert "2 of 3 used, 1 left" in shown.words
    (change, *_) = await world.studio.audit(f"telegram:{world.group.id}")
    assert (change.by, change.change["person"]) == (user(world.carl).key, user(world.anna).key)
    assert change.change["quota"] == "handed back"
    await world.ask(world.anna, "a newt")
    typed = await world.carl.ask(world.group, f"/realbot quota {world.anna.id} reset")
    # Of what whoever runs the bot has set less is left by now.
    assert "3 of 4 used, 1 left" in typed.words


async def test_an_answer_to_a_card_is_about_whoever_asked_for_it(world):
    await world.anna.ask(world.group, "/imagine a frog steps:4")
    await until(world.home.easel.working)
    world.home.easel.finish()
    await until(lambda: any(one.picture for one in world.group.told))
    (card,) = [one for one in world.group.told if one.picture]
    shown = await world.carl.ask(world.group, "/realbot quota", reply_to=card)
    assert shown.words.startswith("What Anna may still ask for")
    assert "1 of 3 used" in shown.words
    assert "0 requests of theirs are on their way" in shown.words
    await world.carl.ask(world.group, "/realbot trainers allow", reply_to=card)
    assert (await world.studio.place(f"telegram:{world.group.id}")).trainers == (str(world.anna.id),)
    about = await world.carl.ask(world.group, "/realbot quota", reply_to=shown)
    assert "Say whose." in about.words


async def test_an_owner_hands_back_what_counts_everywhere(world):
    await world.ask(world.anna, "a frog", count=3)
    shown = await world.root.ask(world.root.chat, f"/realbot quota {world.anna.id} reset")
    assert "0 of 3 used" in shown.words
    await world.ask(world.anna, "a newt", count=3)


@pytest.mark.parametrize("rest", ["", " reset", " frog"])
async def test_whose_quota_it_is_has_to_be_said(world, rest):
    answer = await world.carl.ask(world.group, f"/realbot quota{rest}")
    assert "Say whose." in answer.words
    assert "/realbot quota 123" in answer.words


async def test_P5_only_administrators_see_and_hand_back_what_somebody_has(world):
    await world.ask(world.anna, "a frog", count=2)
    answer = await world.bert.ask(world.group, f"/realbot quota {world.anna.id} reset")
    assert "used" not in answer.words
    assert "2 of 3 used" in (await world.anna.ask(world.anna.chat, "/quota")).words
    await until(world.home.easel.working)
