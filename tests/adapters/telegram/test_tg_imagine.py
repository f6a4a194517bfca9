"""Every way of asking: commands, words, pictures with captions, answers to pictures; in private, groups and topics."""

from __future__ import annotations

import io

import pytest
from botapi_faults import Close, Error, Reset, Torn
from PIL import Image
from tg_fronts import border, house, near
from tg_scenes import asks, calm, drawn, finishes, jobs, painted, shown, soon

from realbot.jobs import Generate

FOX = "a red fox on a blue background steps:4 seed:7"
HINT = "Tell me what to paint"


@pytest.fixture
async def home(api, tmp_path):
    async with house(tmp_path, api, hand=True) as home:
        yield home


@pytest.fixture
def group(api, anna, bert):
    return api.supergroup("foxes", anna, bert)


def request(home, n: int = -1) -> Generate:
    return jobs(home)[n].request


async def source(home, n: int = -1) -> bytes:
    """The picture that a request begins with."""
    path = await home.studio.picture(jobs(home)[n].user, request(home, n).source)
    return path.read_bytes()


async def soon_painted(home, number: int = 1) -> None:
    await soon(lambda: len(home.easel.works) == number, "nothing is painted")


async def answer(who, chat, act) -> str:
    """What the bot says to what somebody does."""
    before = set(chat.everything)
    act()
    await soon(lambda: any(m.id not in before for m in chat.told), "there is no answer", who.patience)
    return next(m.words for m in chat.told if m.id not in before)


# Words


@pytest.mark.parametrize(
    "text",
    [f"/imagine {FOX}", f"/imagine@realbot_bot {FOX}", f"/imagine@ReAlBoT_BoT {FOX}", f"/IMAGINE {FOX}", FOX,
     f"@realbot_bot {FOX}", f"@realbot_bot /imagine {FOX}", f"/imagine\n{FOX}", f"  {FOX}  "],
)  # fmt: skip
async def test_words_in_private_are_a_request(home, anna, text):
    card = await asks(home, anna, text)
    assert request(home).prompt == "a red fox on a blue background"
    assert (request(home).steps, request(home).seed) == (4, 7)
    assert card.reply_to.words == text


async def test_the_options_of_the_issue_are_read(home, anna, tmp_path):
    await asks(home, anna, '/imagine a cat steps:30 guidance:3.5 no:"blur" --ar 16:9 count:2')
    asked = request(home)
    assert (asked.prompt, asked.steps, asked.guidance, asked.negative, asked.count) == ("a cat", 30, 3.5, "blur", 2)
    assert asked.width > asked.height


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/imagine", HINT), ("/imagine@realbot_bot", HINT), ("@realbot_bot", HINT),
        ("/imagine steps:20", "prompt"),
        ("/imagine a cat steps:9999", "100"), ("/imagine a cat steps:many", "steps:30"),
        ("/imagine a cat --stepz 5", "--steps"), ("/imagine a cat scheduler:eulr", "euler"),
        ("/imagine a cat style:inkk", "inkk"), ("/imagine a cat strength:0.5", "needs a picture"),
        ("/imagine a cat size:9000x9000", "2048"), ("/imgine a cat", "/help"),
    ],
)  # fmt: skip
async def test_what_cannot_be_done_is_said_in_one_sentence(home, anna, text, said):
    told = await anna.ask(anna.chat, text)
    assert said in told.words
    assert len(told.words) < 260
    assert "\n" not in told.words
    assert told.reply_to.words == text
    await calm(0.1)
    assert not home.easel.works


async def test_X5_a_refusal_wakes_nobody(home, api, anna, bert, group):
    told = await anna.ask(group, "/imagine a cat steps:@bert")
    assert "steps:@bert" in told.words
    assert "mention" not in dict(told.marks)
    told = await anna.ask(anna.chat, "/bert a cat")
    assert ("code", "/bert;") in told.marks
    assert ("bot_command", "/help") in told.marks


async def test_commands_for_other_bots_and_old_ways_of_speaking_are_left_alone(home, api, anna, group):
    for text in (f"/imagine@other_bot {FOX}", "/start@other_bot", "/imagined a cat", "look: /imagine a cat"):
        anna.write(group, text)
    anna.write(anna.chat, "/imagine@other_bot a cat")
    await calm()
    assert not group.told
    assert not anna.chat.told
    assert not home.easel.works


# Groups and topics


async def test_a_group_is_disturbed_by_nothing_but_what_is_meant_for_the_bot(home, api, anna, bert, group):
    api.privacy = False
    asked = bert.write(group, "who knows a good painter?")
    anna.write(group, "I do!", reply_to=asked)
    anna.photo(group, drawn("red"), "my cat")
    anna.photo(group, drawn("red"))
    anna.album(group, [drawn("red"), drawn("blue")], "two cats")
    anna.document(group, b"%PDF", "plan.pdf", "application/pdf", "the plan")
    anna.write(group, "mail me at me@realbot_bot.example or ask @realbot_botanist")
    anna.write(group, "/unknown thing")
    anna.forward(bert.write(group, f"/imagine@other_bot {FOX}"), group)
    await calm(0.4)
    assert not group.told
    assert not home.easel.works


@pytest.mark.parametrize("text", ["/imagine {}", "/imagine@realbot_bot {}", "@realbot_bot {}", "{} @Realbot_Bot"])
async def test_a_group_asks_by_command_and_by_name(home, api, anna, group, text):
    card = await painted(home, anna, text.format(FOX), group)
    assert shown(api, "a red fox") == [card]
    assert card.chat is group
    assert request(home).prompt == "a red fox on a blue background"


async def test_a_topic_is_answered_in_the_topic_and_general_without_a_thread(home, api, anna):
    forum = api.forum("foxes", anna)
    topic = api.topic(forum, "red")
    inside = await painted(home, anna, f"/imagine {FOX}", forum, topic=topic)
    assert (inside.thread, inside.in_topic) == (topic.id, True)
    general = await painted(home, anna, "/imagine a green cup", forum)
    assert (general.thread, general.in_topic) == (None, False)
    assert not [call for call in api.calls if call.get("message_thread_id") == 1]
    await anna.press(inside, "Recipe")
    await anna.press(inside, "Original")
    await anna.press(inside, "Again")
    await finishes(home)
    assert {message.thread for message in forum.told[-3:]} == {topic.id}


async def test_a_refusal_in_a_topic_is_there(home, api, anna):
    forum = api.forum("foxes", anna)
    topic = api.topic(forum, "red")
    told = await anna.ask(forum, "/imagine a cat steps:9999", topic=topic)
    assert told.thread == topic.id


# Pictures


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
async def test_a_photo_or_a_file_with_a_caption_is_where_the_picture_begins(home, anna, kind):
    anna.photo(anna.chat, drawn("red"), "a bear steps:4")
    await soon_painted(home)
    assert request(home).strength == 0.6
    assert near(border(await source(home)), (255, 0, 0))
    await finishes(home)
    data = drawn("blue", kind, (120, 80))
    anna.document(anna.chat, data, f"bear.{kind.lower()}", f"image/{kind.lower()}", "/imagine a bear strength:0.3")
    await soon_painted(home, 2)
    assert request(home).strength == 0.3
    assert near(border(await source(home)), (0, 0, 255))
    assert Image.open(io.BytesIO(await source(home))).size == (120, 80)


async def test_the_largest_size_of_a_photo_is_taken(home, anna):
    anna.photo(anna.chat, drawn("red", size=(1200, 800)), "a bear steps:4")
    await soon_painted(home)
    assert Image.open(io.BytesIO(await source(home))).size == (1200, 800)


@pytest.mark.parametrize("caption", ["/imagine a bear", "/imagine@realbot_bot a bear", "@realbot_bot a bear"])
async def test_a_group_sends_pictures_with_a_command_or_the_name(home, anna, group, caption):
    anna.photo(group, drawn("red"), caption)
    await soon_painted(home)
    assert request(home).prompt == "a bear"
    assert request(home).source


async def test_a_caption_for_another_bot_is_left_alone(home, anna, group):
    anna.photo(group, drawn("red"), "/imagine@other_bot a bear")
    anna.photo(anna.chat, drawn("red"), "/imagine@other_bot a bear")
    await calm()
    assert not group.told + anna.chat.told


async def test_an_answer_to_ones_own_picture_begins_with_it(home, anna, group):
    photo = anna.photo(anna.chat, drawn("red"))
    assert "What should I make of this picture?" in await answer(anna, anna.chat, lambda: None)
    anna.write(anna.chat, "a bear steps:4", reply_to=photo)
    await soon_painted(home)
    assert near(border(await source(home)), (255, 0, 0))
    await finishes(home)
    photo = anna.photo(group, drawn("blue"))
    anna.write(group, "/imagine a bear", reply_to=photo)
    await soon_painted(home, 2)
    assert near(border(await source(home)), (0, 0, 255))


async def test_an_answer_to_a_text_is_only_words(home, anna):
    hello = anna.write(anna.chat, "/help")
    await anna.ask(anna.chat, "a bear", reply_to=hello)
    await soon_painted(home)
    assert request(home).source is None


async def test_an_answer_to_our_picture_begins_with_the_picture_as_it_was_painted(home, api, anna, group):
    for chat, words, more in ((anna.chat, FOX, "with a hat"), (group, f"/imagine {FOX} guidance:2", "with a scarf")):
        card = await painted(home, anna, words, chat)
        anna.write(chat, more, reply_to=card)
        await soon(home.easel.working, "nothing is painted")
        assert request(home).source == jobs(home)[-2].status.images[0]
        assert request(home).prompt == more
        await finishes(home)
    assert not api.called("getFile")


async def test_an_answer_to_our_picture_while_its_menus_are_open(home, api, anna):
    card = await painted(home, anna, FOX)
    await anna.press(card, "Change…")
    anna.write(anna.chat, "with a hat", reply_to=card)
    await soon_painted(home, 2)
    assert request(home).source == jobs(home)[0].status.images[0]


async def test_an_answer_to_a_picture_of_an_album_begins_with_that_one(home, api, anna):
    await painted(home, anna, "two foxes count:3 seed:7")
    album = [message for message in anna.chat.told if message.album]
    anna.write(anna.chat, "with a hat", reply_to=album[1])
    await soon_painted(home, 2)
    assert request(home).source == jobs(home)[0].status.images[1]
    assert not api.called("getFile")


async def test_P10_another_member_may_begin_with_what_the_group_was_shown(home, api, anna, bert, group):
    card = await painted(home, anna, f"/imagine {FOX}", group)
    bert.write(group, "with a hat", reply_to=card)
    await soon_painted(home, 2)
    assert jobs(home)[1].user.id == str(bert.id)
    assert request(home).source == jobs(home)[0].status.images[0]
    await finishes(home)
    # What they were not shown stays out of reach: an album's pictures come as Telegram has them.
    await painted(home, anna, "/imagine two foxes count:2", group)
    album = [message for message in group.told if message.album]
    bert.write(group, "with a scarf", reply_to=album[0])
    await soon(home.easel.working, "nothing is painted")
    assert len(api.called("getFile")) == 1


async def test_an_answer_in_a_group_needs_words_and_a_picture(home, api, anna, bert, group):
    card = await painted(home, anna, f"/imagine {FOX}", group)
    told = await anna.ask(group, "/imagine a cat steps:9999")
    bert.write(group, "haha", reply_to=told)
    bert.photo(group, drawn("red"), reply_to=card)
    await calm()
    assert len(jobs(home)) == 1
    assert group.told == [card, told]
    bert.photo(group, drawn("red"), "a bear like this", reply_to=card)
    await soon_painted(home, 2)
    assert near(border(await source(home)), (255, 0, 0))


# What is no picture, and what cannot be read


@pytest.mark.parametrize(
    ("data", "name", "mime", "caption", "said"),
    [
        (b"%PDF-1.4", "plan.pdf", "application/pdf", "a bear", "only start from pictures"),
        (b"%PDF-1.4", "plan.pdf", "application/pdf", "", "only start from pictures"),
        (b"not a picture", "cat.png", "image/png", "a bear", "PNG"),
        (drawn("red", "GIF"), "cat.gif", "image/gif", "a bear", "PNG"),
        (drawn("red")[:60], "cat.png", "image/png", "a bear", "picture"),
        (drawn("red"), "cat.png", "image/png", "", "What should I make of this picture?"),
        (drawn("red"), "cat.png", "image/png", "steps:20", "prompt"),
        (drawn("red"), "cat.png", "image/png", "a bear strength:7", "strength"),
    ],
)  # fmt: skip
async def test_what_is_no_picture_is_said_in_one_sentence(home, anna, data, name, mime, caption, said):
    words = await answer(anna, anna.chat, lambda: anna.document(anna.chat, data, name, mime, caption))
    assert said in words
    assert "\n" not in words
    await calm(0.1)
    assert not home.easel.works
    assert len(anna.chat.told) == 1


async def test_a_file_that_bots_cannot_read_is_refused_before_it_is_asked_for(home, api, anna):
    words = await answer(
        anna, anna.chat, lambda: anna.document(anna.chat, b"\x89PNG" + bytes(21 * 10**6), caption="a bear")
    )
    assert "21.0 MB" in words
    assert "20 MB" in words
    assert not api.called("getFile")


@pytest.mark.parametrize("fault", [Reset(), Close(), Torn()], ids=str)
async def test_a_download_that_breaks_is_tried_once_more(home, api, anna, fault):
    rule = api.fault("download", fault)
    anna.photo(anna.chat, drawn("red"), "a bear")
    await soon_painted(home)
    assert rule.struck == 1


async def test_a_download_that_keeps_breaking_is_told(home, api, anna):
    api.fault("getFile", Error(400, "Bad Request: wrong file_id or the file is temporarily unavailable"), -1)
    words = await answer(anna, anna.chat, lambda: anna.photo(anna.chat, drawn("red"), "a bear"))
    assert "send it again" in words


async def test_an_album_without_words_is_asked_about_once(home, anna):
    anna.album(anna.chat, [drawn("red"), drawn("blue")])
    await soon(lambda: anna.chat.told, "there is no answer")
    await calm()
    assert len(anna.chat.told) == 1
    assert "What should I make of this picture?" in anna.chat.last.words
    assert not home.easel.works


@pytest.mark.parametrize("caption", ["a bear", "/look a bear", ""])
async def test_an_album_of_more_than_two_pictures_is_refused_once(home, anna, caption):
    anna.album(anna.chat, [drawn("red"), drawn("blue"), drawn("green")], caption)
    await soon(lambda: anna.chat.told, "there is no answer")
    await calm()
    (told,) = anna.chat.told
    assert "two pictures at most" in told.words
    assert not home.easel.works


@pytest.mark.parametrize("what", ["voice", "sticker", "video"])
async def test_other_things_in_private_are_answered_and_in_groups_are_not(home, api, anna, group, what):
    common = {"file_id": "x", "file_unique_id": "x"}
    extra = {
        "voice": {"voice": {**common, "duration": 1}},
        "video": {"video": {**common, "width": 1, "height": 1, "duration": 1}, "caption": "a bear"},
        "sticker": {"sticker": {**common, "type": "regular", "width": 9, "height": 9, "is_animated": False,
                                "is_video": False}},
    }[what]  # fmt: skip
    for chat in (group, anna.chat):
        message = api.post(chat, anna.account, extra=extra)
        api.updates.tell("message", message.form())
    await soon(lambda: anna.chat.told, "there is no answer")
    await calm(0.1)
    assert "only start from pictures" in anna.chat.last.words
    assert not group.told
    assert not home.easel.works


async def test_what_was_forwarded_sent_through_us_or_edited_asks_for_nothing(home, api, anna, bert):
    theirs = bert.write(bert.chat, "a bear")
    await soon_painted(home)
    anna.forward(theirs, anna.chat)
    written = anna.write(anna.chat, "/help")
    await soon(lambda: anna.chat.told, "no help")
    anna.edit(written, "a bear")
    told = api.post(anna.chat, anna.account, text="a bear", via_bot=api.bot)
    api.announce(told)
    await calm()
    assert len(jobs(home)) == 1
    assert sum(message.by_bot for message in anna.chat.told) == 1


async def test_a_request_over_the_limits_is_refused(api, anna, tmp_path):
    async with house(tmp_path, api, hand=True, sections={"limits": {"per_day": 1}}) as home:
        await painted(home, anna, FOX)
        told = await anna.ask(anna.chat, "a bear")
        assert "used up" in told.words
        assert len(jobs(home)) == 1
