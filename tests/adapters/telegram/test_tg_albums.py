"""Several pictures: one album in their order, its buttons below, and never a second album that nobody asked for."""

from __future__ import annotations

import pytest
from botapi_faults import Close, Error, Limited, Malformed, Reset, Status, Torn
from botapi_files import Document
from tg_fronts import house
from tg_scenes import asks, calm, finishes, jobs, rows, settled, soon

from realbot.jobs import User

DOUBTS = [
    Reset(), Reset(after=True), Close(after=True), Torn(after=True), Status(status=502), Status(after=True, status=504),
    Malformed(after=True), Error(500, "Internal Server Error", after=True),
]  # fmt: skip
ASKED = "two foxes count:3 seed:7"


def named(fault) -> str:
    return str(fault).replace(" ", "")


def albums(chat) -> list[list]:
    """The messages of each album there, in their order."""
    found: dict[str, list] = {}
    for message in chat.told:
        if message.album:
            found.setdefault(message.album, []).append(message)
    return list(found.values())


async def files(home) -> list[bytes]:
    """The pictures of the only job, as they were painted."""
    (job,) = jobs(home)
    return await home.bench.bytes(job.status, job.user)


@pytest.fixture
async def home(api, tmp_path):
    async with house(tmp_path, api, hand=True) as home:
        yield home


async def test_an_album_is_in_order_and_answers_the_message_that_asked(home, api, anna):
    forum = api.forum("foxes", anna)
    topic = api.topic(forum, "red")
    card = await asks(home, anna, f"/imagine {ASKED}", forum, topic=topic)
    await finishes(home)
    (album,) = albums(forum)
    assert [message.uploaded for message in album] == await files(home)
    assert {message.reply_to for message in album} == {card.reply_to}
    below = forum.last
    assert forum.told == [*album, below]
    assert {message.thread for message in forum.told} == {topic.id}
    assert rows(below)[0] == ["🖼 1", "🖼 2", "🖼 3"]
    assert card.deleted


async def test_each_picture_of_an_album_has_a_menu_of_its_own(home, api, anna):
    await asks(home, anna, ASKED)
    await finishes(home)
    below, pictures = anna.chat.last, await files(home)
    usual = rows(below)
    for n in (2, 0):
        await anna.press(below, f"🖼 {n + 1}")
        assert rows(below) == [
            [f"Picture {n + 1}"], ["Vary a little", "Vary a lot"], ["×2", "×4", "Original"],
            ["More around it", "Use its look"], ["‹ Back"],
        ]  # fmt: skip
        await anna.press(below, "Original")
        document = anna.chat.last
        assert isinstance(document.media, Document)
        assert document.uploaded == pictures[n]
        await anna.press(below, "‹ Back")
        assert rows(below) == usual
    await anna.press(below, "🖼 2")
    await anna.press(below, "Vary a lot")
    (job,) = jobs(home)[1:]
    assert job.request.source == jobs(home)[0].status.images[1]
    assert (job.request.count, job.request.strength) == (1, 0.75)


@pytest.mark.parametrize("fault", DOUBTS, ids=named)
async def test_T8_an_album_in_doubt_is_not_sent_again_until_its_person_says_so(fault, home, api, anna):
    card = await asks(home, anna, ASKED)
    rule = api.fault("sendMediaGroup", fault)
    await finishes(home)
    assert rule.struck == len(api.called("sendMediaGroup")) == 1
    assert len(albums(anna.chat)) == int(fault.after)
    assert not card.deleted
    assert "did not tell whether your 3 pictures arrived" in card.words
    assert rows(card)[:2] == [["Show them"], ["🖼 1", "🖼 2", "🖼 3"]]
    await anna.press(card, "Show them")
    await soon(lambda: card.deleted, "the question stays")
    assert len(albums(anna.chat)) == 1 + int(fault.after)
    assert [message.uploaded for message in albums(anna.chat)[-1]] == await files(home)
    assert rows(anna.chat.last)[0] == ["🖼 1", "🖼 2", "🖼 3"]


async def test_T8_an_album_in_doubt_can_be_used_without_being_shown_again(home, api, anna):
    card = await asks(home, anna, ASKED)
    api.fault("sendMediaGroup", Reset(after=True))
    await finishes(home)
    await anna.press(card, "🖼 1")
    await anna.press(card, "Original")
    assert anna.chat.last.uploaded == (await files(home))[0]


async def test_T8_an_album_in_doubt_without_a_card_is_asked_about(home, api, anna):
    anna.delete(await asks(home, anna, ASKED))
    api.fault("sendMediaGroup", Reset())
    await finishes(home)
    assert await home.bench.state(jobs(home)[0]) == "delivered"
    (remark,) = (message for message in anna.chat.told if "did not tell" in message.words)
    await anna.press(remark, "Show them")
    await soon(lambda: len(albums(anna.chat)) == 1, "they are not shown")


async def test_T8_an_album_in_doubt_that_cannot_be_asked_about_is_kept_and_told(home, api, anna):
    anna.delete(await asks(home, anna, ASKED))
    api.fault("sendMediaGroup", Reset(after=True))
    api.fault("sendMessage", Reset(), when=lambda call: "did not tell" in call.params["text"])
    await finishes(home)
    assert await home.bench.state(jobs(home)[0]) == "kept"
    assert len(albums(anna.chat)) == 1
    await asks(home, anna, "a blue bird")
    await soon(lambda: any("could not be delivered" in m.words for m in anna.chat.told), "nobody was told")


async def test_T8_a_long_wait_for_an_album_in_doubt_makes_a_sound(home, api, anna):
    await asks(home, anna, ASKED)
    api.clock.advance(3600)
    api.fault("sendMediaGroup", Reset())
    await finishes(home)
    assert anna.chat.last.words == "Your picture is ready."


async def test_T8_an_album_that_is_shown_again_in_vain_can_be_shown_once_more(home, api, anna):
    card = await asks(home, anna, ASKED)
    api.fault("sendMediaGroup", Reset(), 2)
    await finishes(home)
    await anna.press(card, "Show them")
    (remark,) = (message for message in anna.chat.told if "Show them" in message.labels)
    assert "did not tell" in remark.words
    await anna.press(remark, "Show them")
    assert len(albums(anna.chat)) == 1


@pytest.mark.parametrize("fault", DOUBTS, ids=named)
async def test_T8_buttons_in_doubt_are_on_the_card(fault, home, api, anna):
    card = await asks(home, anna, ASKED)
    api.fault("sendMessage", fault)
    await finishes(home)
    assert len(albums(anna.chat)) == 1
    assert not card.deleted
    assert rows(card)[0] == ["🖼 1", "🖼 2", "🖼 3"]
    assert "seed 7" in card.words
    assert await home.bench.state(jobs(home)[0]) == "delivered"


async def test_T7_buttons_that_have_to_wait_bring_no_second_album(api, anna, tmp_path):
    async with house(tmp_path, api, hand=True, haste=1) as home:
        card = await asks(home, anna, ASKED)
        api.fault("sendMessage", Limited(2))
        await finishes(home)
        assert len(albums(anna.chat)) == 1
        assert card.deleted
        assert rows(anna.chat.last)[0] == ["🖼 1", "🖼 2", "🖼 3"]


async def test_buttons_that_are_refused_are_on_the_card(home, api, anna):
    group = api.supergroup("foxes", anna)
    card = await asks(home, anna, f"/imagine {ASKED}", group)
    group.denied = {"text"}
    await finishes(home)
    assert len(albums(group)) == 1
    assert not anna.chat.told
    assert rows(card)[0] == ["🖼 1", "🖼 2", "🖼 3"]


async def test_R4_a_group_that_takes_no_pictures_leads_to_the_person_alone(home, api, anna):
    group = api.supergroup("foxes", anna)
    card = await asks(home, anna, f"/imagine {ASKED}", group)
    group.denied = {"photos", "documents"}
    await finishes(home)
    assert not albums(group)
    assert card.deleted
    (album,) = albums(anna.chat)
    assert anna.chat.last.reply_to is album[0]
    await anna.press(anna.chat.last, "🖼 3")
    await anna.press(anna.chat.last, "Original")
    assert anna.chat.last.uploaded == (await files(home))[2]


async def test_R4_an_album_that_nobody_takes_is_kept(home, api):
    carla = api.person("carla", started=False)
    group = api.supergroup("foxes", carla)
    card = await asks(home, carla, f"/imagine {ASKED}", group)
    group.denied = {"photos"}
    await finishes(home)
    assert await home.bench.state(jobs(home)[0]) == "kept"
    assert "could not be delivered" in card.words


async def test_deleting_takes_the_whole_album_and_what_was_shown_again(home, api, anna):
    card = await asks(home, anna, ASKED)
    api.fault("sendMediaGroup", Reset(after=True))
    await finishes(home)
    await anna.press(card, "Show them")
    below = anna.chat.last
    await anna.press(below, "🗑")
    await anna.press(below, "Delete")
    # The first album is the one that Telegram never told of.
    assert len(albums(anna.chat)) == 1
    assert [m for m in anna.chat.told if m.words] == []
    assert not await home.studio.history(User("telegram", str(anna.id)))


async def test_deleting_takes_the_album_and_its_buttons(home, api, anna):
    await asks(home, anna, ASKED)
    await finishes(home)
    below = anna.chat.last
    await anna.press(below, "🗑")
    assert rows(below) == [["Delete", "Keep it"]]
    pressed = await anna.press(below, "Delete")
    assert pressed.text == "Deleted."
    assert not anna.chat.told


async def test_a_cached_album_has_no_card_to_replace(home, api, anna):
    await asks(home, anna, ASKED)
    await finishes(home)
    anna.write(anna.chat, ASKED)
    await soon(lambda: len(albums(anna.chat)) == 2, "no album")
    await settled(home)
    await calm()
    assert "From your history" in anna.chat.last.words
    assert len(anna.chat.told) == 8
