"""The command menu, and who may give commands in which way, on a loopback Telegram."""

from __future__ import annotations

import asyncio

import pytest
from botapi_faults import Error, Limited, Status

from realbot.adapters.languages import languages
from realbot.adapters.telegram import commands

PRIVATE = [
    *("imagine", "look", "queue", "cancel", "history", "whose", "quota", "styles", "settings", "link", "privacy"),
    "help",
]
GROUP = ["imagine", "look", "queue", "cancel", "whose", "quota", "styles", "help"]


@pytest.fixture(autouse=True)
async def told(world) -> int:
    """The commands were told at the start, in so many requests."""
    async with asyncio.timeout(10):
        while await world.studio.remembered(commands.NAME) is None:
            await asyncio.sleep(0.01)
    return len(world.home.api.called("setMyCommands"))


async def test_each_person_sees_the_commands_of_the_chat_in_their_language(world):
    emil = world.home.api.person("emil", language="de")
    emil.join(world.group)
    assert list(world.anna.offered(world.anna.chat)) == PRIVATE
    assert list(world.anna.offered(world.group)) == GROUP
    assert list(world.carl.offered(world.group)) == [*GROUP, "train", "realbot"]
    assert list(emil.offered(emil.chat)) == PRIVATE
    french = world.home.api.person("fleur", language="fr")
    assert french.offered(french.chat) == world.anna.offered(world.anna.chat)
    assert "de" in languages()
    told = {call.get("language_code") for call in world.home.api.called("setMyCommands")}
    assert told == {None, "de"}
    assert "Paints what you describe" in world.home.api.about["short_description", ""]


async def test_every_command_of_the_menu_is_answered(world):
    for name in world.anna.offered(world.anna.chat):
        answer = await world.anna.ask(world.anna.chat, f"/{name}")
        assert "no command" not in answer.words


async def test_telegram_is_told_only_what_is_new(world, told):
    api, front = world.home.api, world.home.front
    assert told == len(commands.SCOPES) * len(languages())
    await commands.sync(front)
    assert len(api.called("setMyCommands")) == told
    await world.studio.remember(commands.NAME, "what an earlier version told")
    await commands.sync(front)
    assert len(api.called("setMyCommands")) == 2 * told


@pytest.mark.parametrize("fault", [Status(502), Limited(2)])
async def test_in_an_outage_telegram_is_told_until_it_takes_it(world, fault):
    api = world.home.api
    await world.studio.remember(commands.NAME, "what an earlier version told")
    api.commands.clear()
    api.fault("setMyCommands", fault, 1 if isinstance(fault, Limited) else 4)
    await asyncio.wait_for(commands.sync(world.home.front), 20)
    assert len(api.commands) == len(commands.SCOPES) * len(languages())
    assert await world.studio.remembered(commands.NAME) != "what an earlier version told"


async def test_what_telegram_refuses_is_not_told_for_ever(world, caplog):
    await world.studio.remember(commands.NAME, "what an earlier version told")
    rule = world.home.api.fault("setMyCommands", Error(400, "Bad Request: BOT_COMMAND_INVALID"), -1)
    await commands.sync(world.home.front)
    assert "something wrong" in caplog.text
    assert rule.struck == 1
    assert await world.studio.remembered(commands.NAME) == "what an earlier version told"


# Ways of giving a command


@pytest.mark.parametrize("command", ["queue", "history", "styles", "settings", "privacy", "link", "help", "start"])
async def test_T18_edited_forwarded_and_channel_messages_are_no_commands(world, command):
    answer = await world.anna.ask(world.anna.chat, "/help")
    (asked,) = [message for message in world.anna.chat.messages if message is not answer]
    world.anna.edit(asked, f"/{command}")
    theirs = world.bert.write(world.group, f"/{command}@other_bot")
    world.anna.forward(theirs, world.anna.chat)
    world.anna.write(world.group, f"one can write /{command}")
    channel = world.home.api.channel("news", world.carl)
    world.carl.write(channel, f"/{command}")
    # Updates are handled in the order in which they come.
    await world.bert.ask(world.bert.chat, "/help")
    await asyncio.sleep(0.2)
    assert world.anna.chat.told == [answer]
    assert not channel.told
    assert not world.group.told


@pytest.mark.parametrize("command", ["queue", "history", "settings steps 5", "privacy export", "link", "realbot pause"])
async def test_T18_P5_an_anonymous_administrator_is_nobody_in_particular(world, command):
    world.group.anonymous.add(world.carl.id)
    answer = await world.carl.ask(world.group, f"/{command}", anonymous=True)
    assert "write anonymously" in answer.words
    assert not answer.labels
    assert not (await world.studio.place(f"telegram:{world.group.id}")).data()


async def test_commands_work_in_a_topic_and_are_answered_there(world):
    forum = world.home.api.forum("studio", world.carl, world.anna)
    topic = world.home.api.topic(forum, "pictures")
    for command in ("/queue", "/styles", "/help@realbot_bot", "/history"):
        answer = await world.anna.ask(forum, command, topic=topic)
        assert answer in forum.inside(topic)
    answer = await world.carl.ask(forum, "/realbot limits max_steps 5", topic=topic)
    assert answer in forum.inside(topic)
    assert (await world.studio.place(f"telegram:{forum.id}")).limits == {"max_steps": 5}
