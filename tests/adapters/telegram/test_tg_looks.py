"""The look of a picture for another one: by command, by option, by an album of two, by buttons and their question."""

from __future__ import annotations

import pytest
from tg_fronts import border, house, near
from tg_scenes import calm, choose, data, drawn, finishes, jobs, painted, rows, soon, user

from realbot.engine.models import REFERENCE_WEIGHT
from realbot.jobs import Generate, StyleUse
from studios import lora

FOX = "a red fox on a blue background steps:4 seed:7"
RED, BLUE, GREEN = (255, 0, 0), (0, 0, 255), (0, 128, 0)


@pytest.fixture
async def home(api, tmp_path):
    (tmp_path / "styles").mkdir()
    lora(tmp_path / "styles" / "ink.safetensors", trigger="ink")
    async with house(tmp_path, api, hand=True) as home:
        yield home


@pytest.fixture
def group(api, anna, bert):
    return api.supergroup("foxes", anna, bert)


async def being_painted(home, number: int = 1) -> Generate:
    """The request of the last of so many jobs."""
    await soon(lambda: len(home.easel.works) == number, "nothing is painted")
    request = jobs(home)[-1].request
    assert isinstance(request, Generate)
    return request


async def corner(home, image: str | None) -> tuple[int, int, int]:
    """The colour of a picture that the last job begins with."""
    assert image is not None
    return border((await home.studio.picture(jobs(home)[-1].user, image)).read_bytes())


async def refused(person, chat, act, said: str) -> None:
    before = len(chat.told)
    act()
    await soon(lambda: len(chat.told) > before, "there is no answer")
    await calm(0.1)
    assert len(chat.told) == before + 1
    assert said in chat.last.words
    assert "\n" not in chat.last.words


# Asked for


@pytest.mark.parametrize(
    ("caption", "weight"),
    [
        ("/look a bear", REFERENCE_WEIGHT), ("/look@realbot_bot a bear look:0.7", 0.7), ("a bear look:0.6", 0.6),
        ("/imagine a bear --look 0.2", 0.2), ("@realbot_bot /look a bear", REFERENCE_WEIGHT),
    ],
)  # fmt: skip
async def test_a_picture_with_a_caption_gives_its_look(home, anna, caption, weight):
    anna.photo(anna.chat, drawn("red"), f"{caption} steps:4")
    request = await being_painted(home)
    assert (request.prompt, request.reference_weight) == ("a bear", weight)
    assert request.source is None
    assert request.strength is None
    assert near(await corner(home, request.reference), RED)


async def test_a_file_gives_its_look_too_and_its_transparent_parts_are_no_mask(home, anna):
    anna.document(anna.chat, drawn("blue"), caption="/look a bear")
    request = await being_painted(home)
    assert request.mask is None
    assert near(await corner(home, request.reference), BLUE)


async def test_any_picture_is_answered_with_look(home, api, anna, bert, group):
    photo = bert.photo(group, drawn("red"))
    anna.write(group, "/look a bear", reply_to=photo)
    request = await being_painted(home)
    assert request.source is None
    assert near(await corner(home, request.reference), RED)
    await finishes(home)
    card = group.last
    bert.write(group, "a bird look:0.8", reply_to=card)
    request = await being_painted(home, 2)
    assert request.reference == jobs(home)[0].status.images[0], "as it was painted"
    assert (request.source, request.reference_weight) == (None, 0.8)
    assert len(api.called("getFile")) == 1


async def test_a_picture_of_an_album_of_ours_gives_its_own_look(home, anna):
    await painted(home, anna, "two foxes count:3 seed:7")
    album = [message for message in anna.chat.told if message.album]
    anna.write(anna.chat, "/look a bear", reply_to=album[1])
    assert (await being_painted(home, 2)).reference == jobs(home)[0].status.images[1]


@pytest.mark.parametrize("caption", ["a bear", "/imagine a bear", "/look a bear", "a bear look:0.7 strength:0.5"])
async def test_of_two_pictures_the_first_is_begun_with_and_the_second_gives_its_look(home, anna, caption):
    anna.album(anna.chat, [drawn("red"), drawn("blue")], f"{caption} steps:4")
    request = await being_painted(home)
    assert near(await corner(home, request.source), RED)
    assert near(await corner(home, request.reference), BLUE)
    assert request.reference_weight == (0.7 if "0.7" in caption else REFERENCE_WEIGHT)
    assert request.strength == (0.5 if "0.5" in caption else 0.6)
    await finishes(home)
    await calm()
    assert len(anna.chat.told) == len(jobs(home)) == 1


async def test_a_group_sends_two_pictures_to_a_bot_that_reads_everything(home, api, anna, group):
    api.privacy = False
    anna.album(group, [drawn("red"), drawn("blue")], "/look a bear steps:4")
    request = await being_painted(home)
    assert near(await corner(home, request.source), RED)
    assert near(await corner(home, request.reference), BLUE)


async def test_two_pictures_with_words_of_their_own_are_two_requests(home, anna):
    first, second = anna.home.files.photo(drawn("red")), anna.home.files.photo(drawn("blue"))
    for photo, caption in ((first, "a bear steps:4"), (second, "/look a bird steps:4")):
        anna._send(anna.chat, photo, caption, {"album": "two"})
    await soon(lambda: len(jobs(home)) == 2, "there are not two")
    bear, bird = (job.request for job in jobs(home))
    assert (bear.prompt, bear.reference) == ("a bear", None)
    assert (bird.prompt, bird.source) == ("a bird", None)


async def test_a_picture_that_answers_another_one_gives_its_look_to_it(home, anna, bert, group):
    card = await painted(home, anna, FOX)
    anna.photo(anna.chat, drawn("green"), "/look a fox steps:4", reply_to=card)
    request = await being_painted(home, 2)
    assert request.source == jobs(home)[0].status.images[0]
    assert near(await corner(home, request.reference), GREEN)
    await finishes(home)
    photo = bert.photo(group, drawn("red"))
    anna.photo(group, drawn("blue"), "/look a fox look:0.6 steps:4", reply_to=photo)
    request = await being_painted(home, 3)
    assert near(await corner(home, request.source), RED)
    assert near(await corner(home, request.reference), BLUE)


async def test_a_part_is_painted_anew_in_a_look(home, anna):
    anna.album(anna.chat, [drawn("red"), drawn("blue")], "a bear region:left steps:4")
    await soon(lambda: any("Right?" in message.words for message in anna.chat.told), "it is not asked")
    await anna.press(anna.chat.last, "▶ Paint")
    request = await being_painted(home)
    assert request.mask is not None
    assert near(await corner(home, request.reference), BLUE)


async def test_a_card_tells_of_the_look_and_so_does_its_recipe(home, anna):
    anna.photo(anna.chat, drawn("red"), "/look a bear look:0.7 steps:4 seed:3")
    await finishes(home)
    card = anna.chat.last
    assert card.words.splitlines()[1] == "128×128 · 4 steps · Euler · look of a picture 0.7 · seed 3 · 1.0 s"
    await anna.press(card, "Recipe")
    assert "Look: that of another picture, weight 0.7" in anna.chat.last.words
    line = dict(anna.chat.last.marks)["pre"]
    # The line asks for the same again, by the number of the picture.
    await anna.ask(anna.chat, line.replace("seed:3", "seed:4"))
    request = await being_painted(home, 2)
    assert (request.reference, request.reference_weight) == (jobs(home)[0].request.reference, 0.7)


# What cannot be done


@pytest.mark.parametrize(
    ("text", "said"),
    [("/look", "Whose look?"), ("/look a bear", "Whose look?"), ("a bear look:0.6", "Whose look?"),
     ("a bear look:7", "look")],
)  # fmt: skip
async def test_a_look_without_a_picture_is_said_in_one_sentence(home, anna, text, said):
    await refused(anna, anna.chat, lambda: anna.write(anna.chat, text), said)
    assert not home.easel.works


@pytest.mark.parametrize("more", ["strength:0.5", "region:left"])
async def test_one_picture_cannot_give_its_look_and_be_begun_with(home, anna, more):
    act = lambda: anna.photo(anna.chat, drawn("red"), f"/look a bear {more}")  # noqa: E731
    await refused(anna, anna.chat, act, "Of this picture only the look is taken")
    assert not home.easel.works


async def test_what_is_no_picture_has_no_look(home, anna):
    act = lambda: anna.document(anna.chat, b"%PDF", "plan.pdf", "application/pdf", "/look a bear")  # noqa: E731
    await refused(anna, anna.chat, act, "only start from pictures")


async def test_a_look_for_another_bot_is_left_alone(home, anna, group):
    anna.photo(group, drawn("red"), "/look@other_bot a bear")
    anna.album(group, [drawn("red"), drawn("blue")], "our cats")
    await calm(0.3)
    assert not group.told


# The question


async def test_look_without_words_asks_for_them_and_the_answer_is_painted(home, api, anna):
    anna.photo(anna.chat, drawn("red"), "/look")
    await soon(lambda: anna.chat.told, "there is no question")
    question = anna.chat.last
    assert question.words.startswith("What shall I paint in this look?")
    assert api.called("sendMessage")[-1].get("reply_markup")["force_reply"] is True
    anna.write(anna.chat, "a bear steps:4 look:0.8", reply_to=question)
    request = await being_painted(home)
    assert (request.prompt, request.reference_weight, request.source) == ("a bear", 0.8, None)
    assert near(await corner(home, request.reference), RED)


async def test_use_its_look_asks_with_what_was_chosen(home, anna):
    card = await painted(home, anna, FOX)
    usual = rows(card)
    await choose(anna, card, "Change…", "Use its look", "Look: automatic", "0.6", "Style: none", "ink", "0.8")
    assert rows(card)[-2:] == [["Look: 0.6", "Style: ink 0.8"], ["‹ Back"]]
    await anna.press(card, "✏️ Say what to paint")
    question = anna.chat.last
    assert question.reply_to is card
    anna.write(anna.chat, "a bear steps:4", reply_to=question)
    request = await being_painted(home, 2)
    assert request.reference == jobs(home)[0].status.images[0]
    assert (request.prompt, request.reference_weight) == ("a bear", 0.6)
    assert request.styles == (StyleUse("ink", 0.8),)
    assert request.seed != 7
    await choose(anna, card, "‹ Back", "‹ Back")
    assert rows(card) == usual


async def test_a_question_is_answered_with_a_picture_to_begin_with(home, anna):
    card = await painted(home, anna, FOX)
    await choose(anna, card, "Change…", "Use its look", "✏️ Say what to paint")
    anna.photo(anna.chat, drawn("green"), "a bear steps:4", reply_to=anna.chat.last)
    request = await being_painted(home, 2)
    assert request.reference == jobs(home)[0].status.images[0]
    assert near(await corner(home, request.source), GREEN)


async def test_use_its_look_offers_earlier_requests_and_examples(home, anna):
    await painted(home, anna, "a green frog steps:4 seed:5 style:ink")
    card = await painted(home, anna, FOX)
    await choose(anna, card, "Change…", "Use its look")
    assert rows(card) == [
        ["✏️ Say what to paint"], ["a green frog"], ["a red apple on a blue background"],
        ["a green frog on a yellow background"], ["Look: automatic", "Style: none"], ["‹ Back"],
    ]  # fmt: skip
    await anna.press(card, "a green frog")
    request = await being_painted(home, 3)
    frog, fox = jobs(home)[0], jobs(home)[1]
    assert (request.prompt, request.seed, request.steps) == ("a green frog", 5, 4)
    assert request.reference == fox.status.images[0]
    assert request.styles == ()
    assert frog.request.reference is None
    await finishes(home)
    await choose(anna, card, "a red apple on a blue background")
    request = await being_painted(home, 4)
    assert (request.prompt, request.reference) == ("a red apple on a blue background", fox.status.images[0])


async def test_P6_a_group_is_not_shown_what_was_asked_for_elsewhere(home, anna, group):
    await painted(home, anna, "a secret canary steps:4")
    await painted(home, anna, "/imagine a green frog steps:4", group)
    card = await painted(home, anna, f"/imagine {FOX}", group)
    await choose(anna, card, "Change…", "Use its look")
    assert "a green frog" in card.labels
    assert "a secret canary" not in card.labels
    await anna.press(card, "✏️ Say what to paint")
    # A field that opens by itself would open for everybody.
    assert group.last.markup is None


async def test_one_of_several_pictures_gives_its_look(home, anna):
    await painted(home, anna, "two foxes count:3 seed:7 steps:4")
    below = anna.chat.last
    assert "Use its look" not in below.labels
    await choose(anna, below, "🖼 2", "Use its look", "Look: automatic", "0.4")
    await choose(anna, below, "a red apple on a blue background")
    request = await being_painted(home, 2)
    assert request.reference == jobs(home)[0].status.images[1]
    assert request.reference_weight == 0.4
    await choose(anna, below, "‹ Back")
    assert rows(below)[0] == ["Picture 2"]


async def test_the_weight_of_a_look_is_chosen_and_the_look_is_taken_away(home, anna):
    anna.photo(anna.chat, drawn("red"), "/look a bear look:0.5 steps:4 seed:3")
    await finishes(home)
    card = anna.chat.last
    await choose(anna, card, "Change…", "Look: 0.5")
    assert rows(card) == [["0.2", "0.4", "✓ 0.5", "0.6"], ["0.8"], ["‹ Back", "No look"]]
    await choose(anna, card, "0.8", "Seed: a new one", "▶ Paint")
    request = await being_painted(home, 2)
    assert (request.reference_weight, request.seed) == (0.8, 3)
    assert request.reference == jobs(home)[0].request.reference
    await finishes(home)
    await choose(anna, card, "Look: 0.8", "No look")
    assert "Look: none" in card.labels
    await anna.press(card, "▶ Paint")
    request = await being_painted(home, 3)
    assert (request.reference, request.reference_weight, request.prompt) == (None, None, "a bear")


async def test_T4_an_answer_that_came_too_late_is_told_so(api, anna, bert, tmp_path):
    group = api.supergroup("foxes", anna, bert)
    async with house(tmp_path, api, hand=True) as home:
        card = await painted(home, anna, f"/imagine {FOX}", group)
        await choose(anna, card, "Change…", "Use its look", "✏️ Say what to paint")
        question = group.last
    anna.write(group, "a bear", reply_to=question)
    api.clock.advance(72_000)
    async with house(tmp_path, api, hand=True) as home:
        await soon(lambda: "offline" in group.last.words, "nothing is said")
        assert not home.easel.works


async def test_a_question_from_before_a_restart_is_answered_after_it(api, anna, tmp_path):
    async with house(tmp_path, api, hand=True) as home:
        card = await painted(home, anna, FOX)
        await choose(anna, card, "Change…", "Use its look", "✏️ Say what to paint")
    async with house(tmp_path, api, hand=True) as home:
        anna.write(anna.chat, "a bear steps:4", reply_to=anna.chat.last)
        await soon(home.easel.working, "nothing is painted")
        assert jobs(home)[-1].request.reference is not None


# Whose it is


async def test_P1_nobody_else_answers_a_question_in_a_group(home, anna, bert, group):
    card = await painted(home, anna, f"/imagine {FOX}", group)
    await choose(anna, card, "Change…", "Use its look", "✏️ Say what to paint")
    question = group.last
    bert.write(group, "haha", reply_to=question)
    bert.write(group, "/imagine a bird steps:4", reply_to=question)
    await soon(lambda: group.last is not question, "there is no answer")
    assert len(jobs(home)) == 1
    assert "belongs to someone else" in group.last.words
    anna.write(group, "a bear steps:4", reply_to=question)
    assert (await being_painted(home, 2)).prompt == "a bear"
    assert jobs(home)[-1].user.key == user(anna).key


async def test_P1_P3_foreign_and_forged_presses_are_refused(home, anna, bert, group):
    card = await painted(home, anna, f"/imagine {FOX}", group)
    await choose(anna, card, "Change…", "Use its look")
    mine = [key["callback_data"] for key in card.buttons]
    for pressed in mine[:5]:
        assert (await bert.forge(card, pressed)).alert
    elsewhere = await painted(home, anna, "a ball steps:4")
    for pressed in mine[:5]:
        assert (await anna.forge(elsewhere, pressed)).alert
    assert (await anna.forge(card, "r1:AAAAAAAAAAAAAAAA")).alert
    assert len(jobs(home)) == 2


async def test_what_was_deleted_gives_no_look(home, anna):
    card = await painted(home, anna, FOX)
    await choose(anna, card, "Change…", "Use its look")
    offer = data(card, "a red apple on a blue background")
    await anna.press(card, "✏️ Say what to paint")
    question = anna.chat.last
    await home.studio.forget(user(anna), jobs(home)[0].id)
    assert (await anna.forge(card, offer)).alert
    told = await anna.ask(anna.chat, "a bear", reply_to=question)
    assert "please ask anew" in told.words
    await calm(0.1)
    assert len(home.easel.works) == 1


async def test_the_address_in_a_question_asks_it_again_in_private_and_only_its_own_person(home, anna, bert, group):
    card = await painted(home, anna, f"/imagine {FOX}", group)
    await choose(anna, card, "Change…", "Use its look", "✏️ Say what to paint")
    (address,) = [entity["url"] for entity in group.last.entities if "url" in entity]
    word = address.partition("start=")[2]
    shown = await anna.ask(anna.chat, f"/start {word}")
    assert shown.words.startswith("What shall I paint")
    anna.write(anna.chat, "a bear steps:4", reply_to=shown)
    assert (await being_painted(home, 2)).reference == jobs(home)[0].status.images[0]
    assert "What shall I paint" not in (await bert.ask(bert.chat, f"/start {word}")).words


async def test_P6_a_look_is_not_passed_on_with_a_recipe(home, anna, bert, group):
    anna.photo(group, drawn("red"), "/look a bear steps:4 seed:3")
    await finishes(home)
    await anna.press(group.last, "Recipe")
    pressed = await bert.press(group.last, "▶ Paint")
    assert pressed.alert
    assert "not passed on" in pressed.text
    assert len(jobs(home)) == 1
    await anna.press(group.last, "▶ Paint")
    await soon(lambda: len(jobs(home)) == 2, "her own is not asked for")
    assert jobs(home)[1].request == jobs(home)[0].request
