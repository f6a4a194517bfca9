"""/quota and /realbot quota on a loopback Telegram: what is left, when it comes back, and handing it back."""

from __future__ import annotations

import pytest
from tg_panels import addresses, seen, tap, user

from realbot.errors import OverQuota
from studios import until


@pytest.fixture
def sections():
    return {"limits": {"per_day": 4, "per_hour": 3}}


async def privately(world, person, answer):
    """What the way from the group leads to in the private chat."""
    (found,) = addresses(answer)
    return await person.ask(person.chat, f"/start {found.partition('start=')[2]}")


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
    answer = await world.carl.ask(world.group, "/realbot quota", reply_to=said)
    assert "used" not in seen(answer), "in a group everybody reads"
    assert answer.labels == ["What Anna may still ask for"]
    shown = await privately(world, world.carl, answer)
    assert shown.words.startswith("painters\nWhat Anna may still ask for")
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
    assert typed.words == "What Anna has asked for so far does not count here any more."
    # Of what whoever runs the bot has set less is left by now.
    assert "3 of 4 used, 1 left" in (await privately(world, world.carl, typed)).words
    world.root.join(world.group)
    owner = await world.root.ask(world.group, f"/realbot quota {world.anna.id} reset")
    assert owner.words == "What Anna has asked for so far does not count anywhere any more."


async def test_P5_the_way_into_the_private_chat_shows_what_others_have_left_to_administrators_only(world):
    await world.ask(world.anna, "a frog", count=2)
    start = f"/start quota_{world.group.id}_{world.anna.id}"
    answer = await world.bert.ask(world.bert.chat, start)
    assert "used" not in answer.words
    assert not answer.buttons
    assert "2 of 3 used" in (await world.carl.ask(world.carl.chat, start)).words


async def test_a_person_is_named_as_in_a_ban(world):
    await world.ask(world.anna, "a frog")
    for said in ("@Anna", "reset @Anna", f"{world.anna.id}"):
        answer = await world.carl.ask(world.group, f"/realbot quota {said}")
        assert answer.labels == ["What Anna may still ask for"], said
    assert "does not count here" in (await world.carl.ask(world.group, "/realbot quota @Anna reset")).words
    answer = await world.carl.ask(world.group, "/realbot quota @nobody")
    assert "Nobody called nobody asked for a picture here." in answer.words


async def test_what_a_command_did_is_said_above_what_is_now(world):
    shown = await world.carl.ask(world.group, "/realbot limits per_day 2")
    assert shown.words.startswith("per_day is now 2")
    paused = await world.carl.ask(world.group, "/realbot pause")
    assert paused.words.startswith("Paused: ")


async def test_an_answer_to_a_card_is_about_whoever_asked_for_it(world):
    await world.anna.ask(world.group, "/imagine a frog steps:4")
    await until(world.home.easel.working)
    world.home.easel.finish()
    await until(lambda: any(one.picture for one in world.group.told))
    (card,) = [one for one in world.group.told if one.picture]
    answer = await world.carl.ask(world.group, "/realbot quota", reply_to=card)
    shown = await privately(world, world.carl, answer)
    assert "What Anna may still ask for" in shown.words
    assert "1 of 3 used" in shown.words
    assert "0 requests of theirs are on their way" in shown.words
    await world.carl.ask(world.group, "/realbot trainers allow", reply_to=card)
    assert (await world.studio.place(f"telegram:{world.group.id}")).trainers == (str(world.anna.id),)
    about = await world.carl.ask(world.group, "/realbot quota", reply_to=answer)
    assert "Say whose." in about.words


async def test_an_owner_hands_back_what_counts_everywhere(world):
    await world.ask(world.anna, "a frog", count=3)
    shown = await world.root.ask(world.root.chat, f"/realbot quota {world.anna.id} reset")
    assert shown.words.splitlines()[0].endswith("has asked for so far does not count anywhere any more.")
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
