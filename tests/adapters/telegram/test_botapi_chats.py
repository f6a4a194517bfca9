"""Chats of the Telegram of these tests, held against the library: groups, topics, members, inline queries, commands."""

from __future__ import annotations

import pytest
import telegram
from botapi_clients import picture, polling, refused
from botapi_people import Unable
from telegram import InlineKeyboardButton as Button
from telegram import InlineKeyboardMarkup as Keyboard
from telegram import InputMediaPhoto, MessageEntity, ReplyParameters
from telegram.error import (
    ChatMigrated,
    Forbidden,
)
from telegram.ext import CallbackQueryHandler, InlineQueryHandler

from studios import until


async def test_in_groups_only_what_concerns_the_bot_is_told(api, anna, bot):
    group = api.group("friends", anna)
    sent = await bot.send_message(group.id, "hello")
    own = group.last
    heard = ["/imagine a", "/imagine@realbot_bot b", "look @realbot_bot"]
    for text in [*heard[:1], "just talk", heard[1], "/imagine@another_bot c", heard[2], "someone@example.org"]:
        anna.write(group, text)
    anna.write(group, "an answer", reply_to=own)
    told = [update.message for update in await bot.get_updates()]
    assert [message.text for message in told] == [*heard, "an answer"]
    assert told[-1].reply_to_message.message_id == sent.message_id
    assert told[0].entities[0].type == MessageEntity.BOT_COMMAND
    api.privacy = False
    anna.write(group, "just talk")
    assert (await bot.get_updates(offset=-1))[0].message.text == "just talk"


async def test_topics(api, anna, bot):
    forum = api.forum("studio", anna)
    topic = api.topic(forum, "Pictures")
    anna.write(forum, "/imagine a", topic=topic)
    anna.write(forum, "/imagine b")
    _, inside, general = [update.message for update in await bot.get_updates()]
    assert (inside.message_thread_id, inside.is_topic_message) == (topic.id, True)
    assert inside.reply_to_message.forum_topic_created.name == "Pictures"
    assert (general.message_thread_id, general.is_topic_message) == (None, None)
    await bot.send_message(forum.id, "by id", message_thread_id=topic.id)
    await bot.send_message(forum.id, "by answering", reply_parameters=ReplyParameters(inside.message_id))
    await bot.send_message(forum.id, "in general")
    assert [message.words for message in forum.inside(topic)] == ["/imagine a", "by id", "by answering"]
    assert [message.words for message in forum.inside(None)] == ["/imagine b", "in general"]
    for thread in (1, 99):
        with refused("message thread not found"):
            await bot.send_message(forum.id, "x", message_thread_id=thread)
    topic.closed = True
    with refused("topic_closed"):
        await bot.send_message(forum.id, "x", message_thread_id=topic.id)


async def test_a_chain_of_answers_is_no_topic(api, anna, bot):
    group = api.supergroup("friends", anna)
    first = anna.write(group, "/imagine a")
    anna.write(group, "/again", reply_to=first)
    answer = (await bot.get_updates())[-1].message
    assert (answer.message_thread_id, answer.is_topic_message) == (first.id, None)
    with refused("message thread not found"):
        await bot.send_message(group.id, "x", message_thread_id=answer.message_thread_id)


async def test_an_answer_to_nothing_is_refused_unless_it_may_stand_alone(api, anna, bot):
    said = anna.write(anna.chat, "/imagine")
    anna.delete(said)
    with refused("message to be replied not found"):
        await bot.send_message(anna.id, "x", reply_parameters=ReplyParameters(said.id))
    lenient = ReplyParameters(said.id, allow_sending_without_reply=True)
    assert (await bot.send_message(anna.id, "x", reply_parameters=lenient)).reply_to_message is None


async def test_T13_a_group_becomes_a_supergroup(api, anna, bot):
    group = api.group("friends", anna)
    card = await bot.send_message(group.id, "x")
    new = api.migrate(group)
    for sending in (bot.send_message(group.id, "y"), bot.edit_message_text("y", group.id, card.message_id)):
        with pytest.raises(ChatMigrated) as caught:
            await sending
        assert caught.value.new_chat_id == new.id
    old, moved = [update.message for update in await bot.get_updates()]
    assert (old.migrate_to_chat_id, moved.migrate_from_chat_id) == (new.id, group.id)
    await bot.send_message(new.id, "y")
    assert [message.words for message in new.messages] == ["y"]
    with pytest.raises(Unable):
        anna.write(group, "here?")


async def test_T14_places_that_are_closed_to_the_bot(api, anna, bert, bot):
    stranger = api.person("stranger", started=False)
    group, supergroup, channel = api.group("a", anna), api.supergroup("b", anna), api.channel("c", anna)
    anna.block()
    anna.kick(group)
    anna.kick(supergroup)
    await bot.leave_chat(channel.id)
    for chat, error in (
        (stranger.chat, "can't initiate conversation with a user"), (anna.chat, "bot was blocked by the user"),
        (group, "bot was kicked from the group chat"), (supergroup, "bot was kicked from the supergroup chat"),
        (channel, "bot is not a member of the channel chat"),
    ):  # fmt: skip
        with refused(error, Forbidden):
            await bot.send_message(chat.id, "x")
    with refused("chat not found"):
        await bot.send_message(12345, "x")
    told = [update.my_chat_member for update in await bot.get_updates()]
    assert [(change.chat.id, change.new_chat_member.status) for change in told] == [
        (anna.id, "kicked"), (group.id, "kicked"), (supergroup.id, "kicked"), (channel.id, "left"),
    ]  # fmt: skip
    bert.account.deactivated = True
    with refused("user is deactivated", Forbidden):
        await bot.send_message(bert.id, "x")
    anna.write(anna.chat, "I am back")
    await bot.send_message(anna.id, "welcome")
    anna.add(supergroup)
    supergroup.denied = {"photos"}
    await bot.send_message(supergroup.id, "x")
    with refused("not enough rights to send photos to the chat"):
        await bot.send_photo(supergroup.id, picture())


async def test_T18_everything_a_message_can_be(api, anna, bert, bot):
    group, channel = api.supergroup("friends", anna, bert), api.channel("news", anna)
    said = anna.write(anna.chat, "/imagine a")
    anna.edit(said, "/imagine b")
    anna.forward(said, group)
    anna.write(channel, "/imagine c")
    anna.write(group, "/imagine d", anonymous=True)
    anna.write(group, "/imagine e", as_channel=channel)
    anna.write(group, "/imagine f", linked=channel)
    with pytest.raises(Unable):
        bert.write(group, "/imagine g", anonymous=True)
    updates = await bot.get_updates()
    assert updates[1].edited_message.text == "/imagine b"
    assert updates[2].message.forward_origin.sender_user.id == anna.id
    assert updates[3].channel_post.sender_chat.id == channel.id
    assert updates[3].channel_post.from_user is None
    names = [(update.message.from_user.id, update.message.sender_chat.id) for update in updates[4:]]
    assert names == [(1087968824, group.id), (136817688, channel.id), (777000, channel.id)]
    assert updates[6].message.is_automatic_forward


async def offer(update, context):
    content = telegram.InputTextMessageContent("waiting")
    rows = Keyboard([[Button("Start", callback_data="start")]])
    words = update.inline_query.query
    await update.inline_query.answer([telegram.InlineQueryResultArticle("1", words, content, reply_markup=rows)])


async def started(update, context):
    await update.callback_query.answer("started")
    await update.callback_query.edit_message_text("painting")


async def test_inline(api, anna, bert):
    place = api.supergroup("elsewhere", anna, bot="left")
    async with polling(api, InlineQueryHandler(offer), CallbackQueryHandler(started)) as app:
        query = await anna.search("a red apple")
        assert query.titles == ["a red apple"]
        message = anna.choose(query, place)
        assert (message.words, message.sender, message.labels) == ("waiting", anna.account, ["Start"])
        assert (await anna.press(message, "Start")).text == "started"
        await until(lambda: message.words == "painting")
        held = await app.bot.send_photo(anna.id, picture())
        with refused("invalid message content specified"):
            await app.bot.edit_message_media(InputMediaPhoto(picture()), inline_message_id=message.inline_id)
        media = InputMediaPhoto(held.photo[-1].file_id)
        assert await app.bot.edit_message_media(media, inline_message_id=message.inline_id)
        assert len(place.pictures) == 1
        # In a place where the bot is, its own words come back to it.
        anna.choose(query, anna.chat)
        assert api.updates.told[-1]["message"]["via_bot"]["id"] == api.bot.id


async def test_commands_are_listed_by_scope_and_language(api, anna, bot):
    hans = api.person("hans", language="de")
    group = api.supergroup("friends", anna, hans)
    await bot.set_my_commands([("imagine", "Paint a picture")])
    await bot.set_my_commands([("imagine", "Male ein Bild")], language_code="de")
    await bot.set_my_commands([("admin", "Keep order")], scope=telegram.BotCommandScopeAllChatAdministrators())
    assert anna.offered(anna.chat) == {"imagine": "Paint a picture"}
    assert hans.offered(hans.chat) == hans.offered(group) == {"imagine": "Male ein Bild"}
    assert anna.offered(group) == {"admin": "Keep order"}
    assert [command.description for command in await bot.get_my_commands(language_code="de")] == ["Male ein Bild"]
    await bot.delete_my_commands(language_code="de")
    assert hans.offered(hans.chat) == {"imagine": "Paint a picture"}
    with refused("bot_command_invalid"):
        await bot.set_my_commands([("Imagine", "x")])
    await bot.set_my_description("I paint")
    assert (await bot.get_my_description("de")).description == "I paint"


async def test_chats_and_members(api, anna, bert, bot):
    group = api.supergroup("friends", anna)
    assert (await bot.get_me()).username == "realbot_bot"
    assert (await bot.get_chat(anna.id)).first_name == "Anna"
    assert (await bot.get_chat(group.id)).title == "friends"
    statuses = [(await bot.get_chat_member(group.id, id_)).status for id_ in (anna.id, bert.id, api.bot.id)]
    assert statuses == ["creator", "left", "member"]
    bert.join(group, "administrator")
    assert {member.user.id for member in await bot.get_chat_administrators(group.id)} == {anna.id, bert.id}
    with refused("there are no administrators in the private chat"):
        await bot.get_chat_administrators(anna.id)
    await bot.send_chat_action(group.id, "upload_photo")
    assert [action for _, action, _ in group.actions] == ["upload_photo"]
