"""Messages of the Telegram of these tests, held against the library: photos, albums, edits, texts, keyboards."""

from __future__ import annotations

import io

import botapi_specs
import pytest
from botapi_clients import picture, refused
from botapi_people import Unable
from PIL import Image
from telegram import InlineKeyboardButton as Button
from telegram import InlineKeyboardMarkup as Keyboard
from telegram import InputMediaDocument, InputMediaPhoto, MessageEntity
from telegram.error import (
    NetworkError,
)


async def test_a_photo_is_recompressed_and_a_document_is_not(api, anna, bot):
    data = picture(1500, 1000)
    sent = await bot.send_photo(anna.id, data, caption="see", has_spoiler=True)
    assert [(size.width, size.height) for size in sent.photo] == [(90, 60), (320, 213), (800, 533), (1280, 853)]
    loaded = bytes(await (await bot.get_file(sent.photo[-1].file_id)).download_as_bytearray())
    assert Image.open(io.BytesIO(loaded)).format == "JPEG"
    (seen,) = anna.chat.pictures
    assert (seen.kind, seen.data, seen.sent) == ("photo", loaded, data)
    original = await bot.send_document(anna.id, data, filename="original.png")
    assert (original.document.file_name, original.document.mime_type) == ("original.png", "image/png")
    assert original.document.thumbnail.width == 320
    assert bytes(await (await bot.get_file(original.document.file_id)).download_as_bytearray()) == data
    assert anna.chat.last.picture == data
    again = await bot.send_photo(anna.id, sent.photo[0].file_id)
    assert again.photo[-1].file_unique_id == sent.photo[-1].file_unique_id
    for wrong, error in (
        (original.document.file_id, "can't use file of type Document as Photo"),
        ("x" * 50, "wrong file"),
    ):
        with refused(error):
            await bot.send_photo(anna.id, wrong)
    assert len(anna.chat.pictures) == 3


async def test_R6_a_photo_has_bounds(api, anna, bot):
    for data, error in (
        (picture(10, 201), "Photo_invalid_dimensions"),
        (picture(9990, 11), "Photo_invalid_dimensions"),
        (picture(2000, 1800), "is too big for a photo; the maximum size is 10485760 bytes"),
        (b"no picture", "Image_process_failed"),
        (b"", "file must be non-empty"),
    ):
        with refused(error):
            await bot.send_photo(anna.id, data)
    assert (await bot.send_photo(anna.id, picture(10, 200))).photo
    with refused("request entity too large", NetworkError):
        await bot.send_document(anna.id, bytes(50 * 2**20 + 1), filename="big.bin")
    assert len(anna.chat.messages) == 1


async def test_downloads_end_at_20_mib(api, anna, bot):
    anna.document(anna.chat, bytes(20 * 2**20 + 1), "big.png", caption="/imagine this")
    anna.document(anna.chat, picture(), "small.png")
    big, small = [update.message.document for update in await bot.get_updates()]
    with refused("file is too big"):
        await big.get_file()
    assert bytes(await (await small.get_file()).download_as_bytearray()) == picture()


async def test_albums(api, anna, bot):
    pictures = [picture(seed=n) for n in range(3)]
    sent = await bot.send_media_group(
        anna.id, [InputMediaPhoto(data, caption=f"{n}") for n, data in enumerate(pictures)]
    )
    assert len({message.media_group_id for message in sent}) == 1
    assert [seen.sent for seen in anna.chat.pictures] == pictures
    assert [message.caption for message in anna.chat.told] == ["0", "1", "2"]
    await bot.edit_message_media(InputMediaPhoto(pictures[0]), anna.id, sent[1].message_id)
    for media, error in (
        ([InputMediaPhoto(pictures[0])], "2-10"),
        (
            [InputMediaPhoto(pictures[0]), InputMediaPhoto(picture(10, 201))],
            'failed to send message #2 with the error message "PHOTO_INVALID_DIMENSIONS"',
        ),
        ([InputMediaPhoto(pictures[0])] * 11, "too many messages"),
        (
            [InputMediaPhoto(pictures[0]), InputMediaDocument(pictures[1])],
            "document can't be mixed with other media types",
        ),
    ):
        with refused(error):
            await bot.send_media_group(anna.id, media)
    if botapi_specs.found() is not None:
        assert api.complaints == ["sendMediaGroup.media[0].type: 'photo' instead of 'document'"]
    api.complaints.clear()
    anna.album(anna.chat, pictures, "/imagine these")
    told = [update.message for update in await bot.get_updates()]
    assert len(told) == 3
    assert [message.caption for message in told] == ["/imagine these", None, None]
    assert len({message.media_group_id for message in told}) == 1


async def test_a_text_becomes_a_picture_by_an_edit(api, anna, bot):
    rows = Keyboard([[Button("Cancel", callback_data="cancel")]])
    card = await bot.send_message(anna.id, "waiting", reply_markup=rows)
    edited = await bot.edit_message_media(InputMediaPhoto(picture(), caption="done"), anna.id, card.message_id)
    assert edited.message_id == card.message_id
    assert edited.photo
    assert edited.edit_date
    shown = anna.chat.last
    assert (shown.text, shown.caption, shown.labels, shown.edits) == ("", "done", [], 1)
    assert [version.labels for version in shown.past] == [("Cancel",), ()]
    with refused("there is no text in the message to edit"):
        await bot.edit_message_text("text again", anna.id, card.message_id)
    same = InputMediaPhoto(edited.photo[-1].file_id, caption="done")
    with refused("message is not modified"):
        await bot.edit_message_media(same, anna.id, card.message_id)
    await bot.edit_message_media(InputMediaDocument(picture(), filename="a.png"), anna.id, card.message_id)
    assert [(seen.kind, seen.data) for seen in anna.chat.pictures] == [("document", picture())]


async def test_T9_T10_what_cannot_be_edited(api, anna, bot):
    card = await bot.send_message(anna.id, "one")
    edit = lambda text="two", number=card.message_id: bot.edit_message_text(text, anna.id, number)  # noqa: E731
    for text, error in (("one", "message is not modified"), ("x" * 4097, "message_too_long"), (" \n", "text is empty")):
        with refused(error):
            await edit(text)
    with refused("there is no caption in the message to edit"):
        await bot.edit_message_caption(anna.id, card.message_id, caption="x")
    with refused("message can't be edited"):
        await edit(number=anna.write(anna.chat, "mine").id)
    api.edit_window = 3600
    api.clock.advance(3601)
    with refused("message can't be edited"):
        await edit()
    api.edit_window = None
    await edit()
    anna.delete(anna.chat.last)
    with refused("message to edit not found"):
        await edit()
    assert anna.chat.told == []


async def test_deleting_has_48_hours(api, anna, bot):
    old = await bot.send_message(anna.id, "old")
    api.clock.advance(48 * 3600 + 1)
    new = await bot.send_message(anna.id, "new")
    theirs = anna.write(anna.chat, "their own")
    with refused("can't be deleted for everyone"):
        await old.delete()
    await new.delete()
    with refused("message to delete not found"):
        await new.delete()
    await bot.delete_messages(anna.id, [theirs.id, new.message_id, 99999])
    assert [message.words for message in anna.chat.messages] == ["old"]
    group = api.supergroup("friends", anna)
    said = anna.write(group, "/hello")
    with refused("message can't be deleted"):
        await bot.delete_message(group.id, said.id)
    anna.add(group, administrator=True)
    assert await bot.delete_message(group.id, said.id)


async def test_T11_T12_texts_are_measured_in_utf16(api, anna, bot):
    for send, most in (
        (lambda text: bot.send_message(anna.id, text), 4096),
        (lambda text: bot.send_photo(anna.id, picture(), caption=text), 1024),
    ):
        await send("😀" * (most // 2))
        with refused("too long"):
            await send("😀" * (most // 2) + "x")
    smile = [("bold", 1, 1, "begins in a middle"), ("bold", 0, 1, "ends in a middle"), ("bold", 0, 9, "after the end"),
             ("bold", 9, 1, "begins after the end")]  # fmt: skip
    for kind, offset, length, error in smile:
        with refused(error):
            await bot.send_message(anna.id, "😀 ok", entities=[MessageEntity(kind, offset, length)])
    sent = await bot.send_message(anna.id, "  😀 ok  ", entities=[MessageEntity("bold", 2, 5)])
    assert (sent.text, sent.entities) == ("😀 ok", (MessageEntity("bold", 0, 5),))
    with refused("can't parse entities"):
        await bot.send_message(anna.id, "<b>open", parse_mode="HTML")
    assert (await bot.send_message(anna.id, "<b>a&amp;b</b>", parse_mode="HTML")).entities[0].length == 3


async def test_plain_text_comes_alive(api, anna, bot):
    live = "write to @anna or /start, see https://example.org/a#b or example.com, #cats $USD"
    await bot.send_message(anna.id, live)
    assert anna.chat.last.marks == [
        ("mention", "@anna"), ("bot_command", "/start"), ("url", "https://example.org/a#b"), ("url", "example.com"),
        ("hashtag", "#cats"), ("cashtag", "$USD"),
    ]  # fmt: skip
    await bot.send_message(anna.id, live, entities=[MessageEntity("code", 0, len(live))])
    assert [kind for kind, _ in anna.chat.last.marks] == ["code"]


async def test_keyboards_have_bounds(api, anna, bot):
    def rows(width, height, data="x"):
        return Keyboard([[Button("b", callback_data=data)] * width] * height)

    for fine in (rows(8, 12), rows(1, 1, "😀" * 16)):
        await bot.send_message(anna.id, "x", reply_markup=fine)
    for wrong, error in (
        (rows(9, 1), "Reply_markup_too_long"), (rows(5, 21), "Reply_markup_too_long"),
        (rows(1, 1, "x" * 65), "Button_data_invalid"), (Keyboard([[Button("b", url="nowhere")]]), "is invalid"),
    ):  # fmt: skip
        with refused(error):
            await bot.send_message(anna.id, "x", reply_markup=wrong)


async def test_T15_a_press_is_answered_in_time_and_once(api, anna, bert, bot):
    await bot.send_message(anna.id, "x", reply_markup=Keyboard([[Button("Go", callback_data="go")]]))
    card = anna.chat.last
    anna.patience = 0.2
    assert not (await anna.press(card, "go")).answered
    (update,) = await bot.get_updates()
    query = update.callback_query
    assert (query.data, query.message.message_id, query.from_user.id) == ("go", card.id, anna.id)
    with refused("message_too_long"):
        await query.answer("x" * 201)
    api.clock.advance(31)
    with refused("query is too old and response timeout expired or query ID is invalid"):
        await query.answer()
    with pytest.raises(Unable):
        await bert.forge(card, "go")
    assert not (await anna.forge(card, "forged")).answered
    assert (await bot.get_updates(offset=update.update_id + 1))[0].callback_query.data == "forged"


async def test_copies_forwards_and_reactions(api, anna, bert, bot):
    said = anna.photo(anna.chat, picture(), "see")
    await bot.copy_message(bert.id, anna.id, said.id, caption="look")
    forwarded = await bot.forward_message(bert.id, anna.id, said.id)
    assert forwarded.forward_origin.sender_user.id == anna.id
    assert [message.caption for message in bert.chat.told] == ["look", "see"]
    assert [seen.sent for seen in bert.chat.pictures] == [picture()] * 2
    with refused("message can't be edited"):
        await bot.edit_message_caption(bert.id, forwarded.message_id, caption="x")
    await bot.set_message_reaction(anna.id, said.id, "👍")
    assert said.reactions == ["👍"]
