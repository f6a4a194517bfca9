"""Where something was written and by whom: what is a request and what is none, topics, groups that move, and rights."""

from __future__ import annotations

import types

import pytest
from botapi_faults import Error, Status
from botapi_world import ADMINISTRATOR, LEFT, MEMBER, OWNER, Account
from moving import Time
from telegram.error import BadRequest
from tg_fronts import house, painted, shows
from tg_updates import idle, jobs

from realbot.adapters.telegram.place import KNOWN, TRUSTED, Rights
from realbot.jobs import User
from studios import until

OTHER = Account(99, "other", "other_bot", bot=True)


@pytest.fixture
async def home(tmp_path, api):
    async with house(tmp_path, api) as home:
        yield home


async def silence(home, chat, asker):
    """Nothing is said or painted for what was told so far."""
    await idle(home)
    await asker.ask(asker.chat, "/queue")
    assert not [message for message in chat.told if message.by_bot]
    assert not await jobs(home, asker)
    assert home.easel.produced == []


# What is no request


async def test_T18_an_edited_message_is_none(home, api, anna):
    first = anna.write(anna.chat, "/queue")
    await until(lambda: anna.chat.told)
    anna.edit(first, "/imagine a cat")
    # As before the bot said what it wants to be told.
    api.updates.allowed = []
    anna.edit(first, "/imagine a dog")
    anna.edit(first, "a dog")
    await idle(home)
    assert len(anna.chat.told) == 1
    assert not await jobs(home, anna)


@pytest.mark.parametrize("text", ["/imagine a cat", "a cat", "@realbot_bot a cat", "/help"])
async def test_T18_a_forwarded_message_is_none(home, api, anna, bert, text):
    group = api.supergroup("friends", anna, bert, bot=ADMINISTRATOR)
    written = anna.write(api.supergroup("elsewhere", anna, bot=LEFT), text)
    for chat in (group, bert.chat):
        bert.forward(written, chat)
    await idle(home)
    assert not bert.chat.told
    await silence(home, group, bert)


async def test_T18_a_post_in_a_channel_is_none(home, api, anna):
    channel = api.channel("news", anna)
    api.updates.allowed = []
    post = anna.write(channel, "/imagine a cat")
    api.announce(post, edited=True)
    await silence(home, channel, anna)


async def test_T18_what_telegram_copies_from_a_channel_into_its_group_is_none(home, api, anna):
    channel = api.channel("news", anna)
    group = api.supergroup("talk", anna, bot=ADMINISTRATOR)
    post = anna.write(channel, "/imagine a cat")
    anna.write(group, "/imagine a cat", linked=channel, origin=api.origin(post))
    await silence(home, group, anna)


@pytest.mark.parametrize("text", ["/imagine a cat", "a cat", "/help"])
async def test_T18_what_a_bot_wrote_for_somebody_is_none(home, api, anna, text):
    group = api.supergroup("friends", anna, bot=ADMINISTRATOR)
    anna.write(group, text, via_bot=OTHER)
    anna.write(group, text, via_bot=api.bot)
    anna.write(anna.chat, text, via_bot=OTHER)
    await idle(home)
    assert not [message for message in anna.chat.told if message.by_bot]
    await silence(home, group, anna)


@pytest.mark.parametrize("as_whom", ["anonymous", "as_channel"])
async def test_T18_who_writes_as_a_group_or_a_channel_is_told_why_nothing_is_painted(home, api, anna, as_whom):
    group = api.supergroup("friends", anna)
    about = {"anonymous": True} if as_whom == "anonymous" else {"as_channel": api.channel("news", anna)}
    for text in ("/imagine a cat", "@realbot_bot a cat"):
        answer = await anna.ask(group, text, **about)
        assert "anonymously" in answer.words
        assert answer.reply_to.text == text
    assert not home.easel.produced


@pytest.mark.parametrize(
    ("text", "ours"),
    [("/imagine@other_bot a cat", False), ("/imagine@realbot_bot a cat", True), ("/imagine@REALBOT_bot a cat", True),
     ("/IMAGINE a cat", True), ("/imagine a cat", True), ("/imagines a cat", False), ("one says /imagine a cat", False),
     ("/weather", False), ("hello", False), ("@realbot_bot a cat", True), ("@realbot_bottle a cat", False)],
)  # fmt: skip
async def test_T18_in_a_group_only_what_is_meant_for_the_bot_is_a_request(home, api, anna, text, ours):
    group = api.supergroup("friends", anna, bot=ADMINISTRATOR)
    if ours:
        await anna.ask(group, text)
        await painted(group)
        assert [job.request.prompt for job in await jobs(home, anna)] == ["a cat"]
    else:
        anna.write(group, text)
        await silence(home, group, anna)


# Topics


async def test_topics_are_answered_where_they_were_asked_and_general_without_a_number(home, api, anna):
    forum = api.forum("studio", anna)
    topic = api.topic(forum, "pictures")
    for number, (where, text) in enumerate(
        ((topic, "a cat count:2"), (None, "a dog"), (topic, "a fox"), (None, "a bird count:2"))
    ):
        card = await anna.ask(forum, f"/imagine {text}", topic=where)
        assert card in forum.inside(where)
        await painted(forum, (2, 3, 4, 6)[number])
    for where in (topic, None):
        told = [message for message in forum.inside(where) if message.by_bot]
        assert sum(message.picture is not None for message in told) == 3
    again = next(message for message in forum.inside(topic) if "a fox" in message.words and message.by_bot)
    await anna.press(again, "Again")
    await until(lambda: sum(m.picture is not None for m in forum.inside(topic)) == 4)
    threads = {call.params.get("message_thread_id") for call in api.calls if call.chat == forum.id}
    assert threads == {None, topic.id}
    actions = {thread for _, _, thread in forum.actions}
    assert actions <= {None, topic.id}


async def test_a_thread_of_answers_is_no_topic(home, api, anna):
    group = api.supergroup("friends", anna)
    first = anna.write(group, "what shall we paint?")
    card = await anna.ask(group, "/imagine a cat", reply_to=first)
    await shows(card, "seed")
    assert {call.params.get("message_thread_id") for call in api.calls if call.chat == group.id} == {None}


# Groups that move


async def test_T13_a_group_that_moves_keeps_its_rules_its_pictures_and_its_buttons(tmp_path, api, anna, bert):
    group = api.group("friends", anna, bert)
    async with house(tmp_path, api, hand=True) as home:
        done = await anna.ask(group, "/imagine a cat steps:4")
        await until(home.easel.working)
        home.easel.finish()
        await shows(done, "seed")
        answer = await anna.ask(group, "/realbot limits max_steps 5")
        assert "5" in answer.words
        await anna.ask(group, "/imagine a dog steps:4")
        await until(home.easel.working)

        new = api.migrate(group)
        await idle(home)
        assert (await home.studio.place(f"telegram:{new.id}")).limits == {"max_steps": 5}
        home.easel.finish()
        (shown,) = await painted(new)
        assert "a dog" in shown.words

        # Buttons of after and of before.
        await anna.press(shown, "Again")
        await until(home.easel.working)
        home.easel.finish()
        await until(lambda: len(new.pictures) == 2)
        before = len(group.messages)
        await anna.press(done, "Again")
        await until(home.easel.working)
        home.easel.finish()
        await until(lambda: len(new.pictures) == 3)
        assert "a cat" in new.last.words
        assert len(group.messages) == before
        refused = await bert.ask(new, "/imagine a fox steps:9")
        assert "5" in refused.words
        assert not await jobs(home, bert)


async def test_T13_a_move_that_was_not_told_is_noticed_by_what_is_sent(tmp_path, api, anna):
    group = api.group("friends", anna)
    async with house(tmp_path, api, hand=True) as home:
        await home.studio.rule(f"telegram:{group.id}", User("telegram", "1"), limits={"max_steps": 5})
        await anna.ask(group, "/imagine a cat steps:4")
        await until(home.easel.working)
        told = api.updates.tell
        api.updates.tell = lambda kind, body: None
        new = api.migrate(group)
        api.updates.tell = told
        home.easel.finish()
        (shown,) = await painted(new)
        assert (await home.studio.place(f"telegram:{new.id}")).limits == {"max_steps": 5}
        await anna.press(shown, "Recipe")
        await until(lambda: any("seed:" in message.words for message in new.told))
    async with house(tmp_path, api, hand=True) as home:
        assert await home.front.moves.now(str(group.id)) == str(new.id), "it is remembered"


async def test_T13_what_was_asked_before_the_move_and_read_after_it_is_answered_in_the_new_group(tmp_path, api, anna):
    group = api.group("friends", anna)
    async with house(tmp_path, api, hand=True) as home:
        await home.studio.rule(f"telegram:{group.id}", User("telegram", "1"), limits={"max_steps": 5})
    anna.write(group, "/imagine a cat steps:9")
    anna.write(group, "/imagine a cat steps:4")
    new = api.migrate(group)
    # The note on the move is told first.
    api.updates.waiting.sort(key=lambda update: "migrate_to_chat_id" not in update.body)
    async with house(tmp_path, api) as home:
        await painted(new)
        await idle(home)
        assert [job.origin.place for job in await jobs(home, anna)] == [str(new.id)]
        assert any("must be" in message.words for message in new.told)
    assert not group.told


# Rights


async def test_rights_are_asked_once_a_minute_and_follow_what_happens_in_the_group(tmp_path, api, anna, bert):
    group = api.supergroup("friends", anna, bert)
    async with house(tmp_path, api, hand=True, haste=1) as home:
        time = Time()
        rights = home.front.rights
        rights._clock = time.clock()
        chat, person = str(group.id), str(bert.id)
        for _ in range(5):
            assert not await rights.administrates(chat, person)
        assert len(api.called("getChatMember")) == 1
        bert.join(group, ADMINISTRATOR)
        time.at += TRUSTED - 1
        assert not await rights.administrates(chat, person)
        time.at += 1
        assert await rights.administrates(chat, person)
        bert.join(group, MEMBER)
        time.at += TRUSTED
        assert await rights.moderator_of(chat, person) == ""
        bert.join(group, OWNER)
        time.at += TRUSTED
        assert await rights.moderator_of(chat, person) == chat
        assert len(api.called("getChatMember")) == 4
        assert not await rights.administrates(str(bert.id), person), "nobody is one of a private chat"
        assert len(api.called("getChatMember")) == 4


@pytest.mark.parametrize("fault", [Error(400, "Bad Request: user not found"), Error(403, "Forbidden: bot was kicked")])
async def test_who_cannot_be_asked_about_has_no_rights_and_is_asked_about_again(home, api, anna, fault):
    group = api.supergroup("friends", anna)
    api.fault("getChatMember", fault)
    assert not await home.front.rights.administrates(str(group.id), str(anna.id))
    assert await home.front.rights.administrates(str(group.id), str(anna.id))
    api.fault("getChatMember", Status(502))
    assert await home.front.rights.administrates(str(group.id), str(anna.id))


async def test_T19_rights_of_many_people_are_not_remembered_for_ever():
    asked = 0

    async def get_chat_member(chat, person):
        nonlocal asked
        asked += 1
        if person % 3 == 0:
            raise BadRequest("user not found")
        return types.SimpleNamespace(status="member")

    rights = Rights(types.SimpleNamespace(get_chat_member=get_chat_member), Time().clock())
    for number in range(3 * KNOWN):
        await rights.administrates("-1", str(number))
    assert asked == 3 * KNOWN
    assert len(rights._known) == KNOWN
