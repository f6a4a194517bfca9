"""/whose on a loopback Telegram: whether a picture was painted here, and what of that others learn."""

from __future__ import annotations

import asyncio

import pytest
from tg_panels import user

from drawing import photo
from exhibits import jpeg, painted
from realbot.jobs import User
from studios import until

PICTURE = photo(5, (512, 384))
COPY = jpeg(PICTURE.resize((400, 300)))


async def sent(world, chat, data: bytes):
    """A picture that Anna sends without a word, once it was asked what to do with it."""
    before = len(chat.told)
    message = world.anna.photo(chat, data)
    if chat.kind == "private":
        await until(lambda: len(chat.told) > before)
    return message


async def test_ones_own_picture_comes_with_its_card(world):
    await painted(world.home.bench, PICTURE, user(world.anna), prompt="a fox on green")
    chat = world.anna.chat
    answer = await world.anna.ask(chat, "/whose", reply_to=await sent(world, chat, COPY))
    assert "It looks like a picture of yours, painted on 20" in answer.words
    await until(lambda: "a fox on green" in chat.last.words)
    assert chat.last.picture and "Again" in chat.last.labels


async def test_the_command_stands_below_a_picture_too(world):
    await painted(world.home.bench, PICTURE, user(world.anna), prompt="a fox on green")
    chat = world.anna.chat
    world.anna.photo(chat, COPY, "/whose")
    await until(lambda: len(chat.told) >= 2)
    assert "a picture of yours" in chat.told[0].words
    assert not world.studio.waiting(user(world.anna)), "nothing is painted from it"


@pytest.mark.parametrize("where", ["private", "group"])
async def test_P6_of_anothers_picture_only_the_day_is_told(world, where):
    await painted(world.home.bench, PICTURE, user(world.bert), prompt="a secret fox")
    chat = world.anna.chat if where == "private" else world.group
    answer = await world.anna.ask(chat, "/whose", reply_to=await sent(world, chat, COPY))
    assert "for somebody else" in answer.words
    assert not [one for one in chat.told if "secret" in one.words or "Bert" in one.words]


async def test_P6_in_a_group_no_card_follows(world):
    await painted(world.home.bench, PICTURE, user(world.anna), prompt="a secret fox")
    answer = await world.anna.ask(world.group, "/whose", reply_to=await sent(world, world.group, COPY))
    assert "a picture of yours" in answer.words
    await world.anna.ask(world.group, "/queue")
    assert not [one for one in world.group.told if "secret" in one.words]


async def test_a_picture_of_the_world_is_none_of_ours(world):
    await painted(world.home.bench, PICTURE, user(world.anna))
    chat = world.anna.chat
    answer = await world.anna.ask(chat, "/whose", reply_to=await sent(world, chat, jpeg(photo(1, (300, 200)))))
    assert answer.words.startswith("No, this is none of the pictures")


async def test_without_a_picture_it_says_how(world):
    answer = await world.anna.ask(world.anna.chat, "/whose")
    assert "Answer a picture with /whose" in answer.words
    assert answer.marks == [("bot_command", "/whose")] * 2, "a tap sends the command"
    answer = await world.anna.ask(world.anna.chat, "/whose", reply_to=answer)
    assert "no picture" in answer.words


async def test_what_was_found_by_its_meaning_is_marked(world, monkeypatch):
    monkeypatch.setattr("realbot.finder.SETTLE", 0.0)
    for n, prompt in enumerate(("two kittens in a basket", "a rusty car")):
        await painted(world.home.bench, photo(n, (64, 64)), user(world.anna), prompt=prompt)
    store = world.home.bench.store
    world.studio.finder._loops.append(asyncio.create_task(world.studio.finder._read_on()))
    async with asyncio.timeout(20):
        while await store.traces.unread(0, 1):
            await asyncio.sleep(0.02)
    shown = await world.anna.ask(world.anna.chat, "/history young cats")
    assert "1. ≈ two kittens" in shown.words and "≈ says it in other words." in shown.words
    shown = await world.anna.ask(world.anna.chat, "/history kittens")
    assert "1. two kittens" in shown.words and "≈" not in shown.words


async def test_somebody_who_is_banned_has_nothing_looked_at(world, monkeypatch):
    asked = []
    monkeypatch.setattr(world.studio.finder, "whose", lambda *given: asked.append(given))
    await world.studio.gate.ban(user(world.anna), None, User("cli", "local"), reason="frogs")
    answer = await world.anna.ask(world.group, "/whose", reply_to=await sent(world, world.group, COPY))
    assert "frogs" in answer.words
    assert asked == []
