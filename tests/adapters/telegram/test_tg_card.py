"""The card: what a person reads and can press in each status, in their language, on the screen of a telephone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from botapi_files import Photo
from tg_fronts import border, house, near, shows
from tg_scenes import asks, finishes, jobs, rows, settled, shown, soon, uploads

from realbot.adapters import words
from realbot.adapters.telegram import card, controls, phrases, tweaks
from realbot.adapters.telegram.text import bold
from realbot.engine.models import PRESETS
from realbot.jobs import Cancelled, Done, Failed, Generate, Running, StyleUse, Upscale, Waiting
from realbot.rulebook import Limits
from studios import lora, until

ASKED = Generate(
    prompt="a red fox", width=768, height=512, steps=30, scheduler="euler", seed=7, styles=(StyleUse("ink", 0.8),)
)
IMAGE = "a" * 64
SINGLE = [
    ["Again", "Change…"], ["Vary a little", "Vary a lot"], ["×2", "×4", "Original"], ["More around it"],
    ["Recipe", "✏️", "⭐", "🗑"],
]  # fmt: skip


# Drawn


def test_a_waiting_card_says_its_place_and_when_it_is_ready():
    ready = phrases.ready("about 20 s", 1_800_000_000)
    assert str(card.waiting(ASKED, Waiting(2), ready)) == "a red fox\n2nd in line · ready in about 20 s"
    assert str(card.waiting(ASKED, Waiting(1), card.Text())) == "a red fox\nNext in line"
    assert card.waiting(ASKED, Waiting(2), ready).pieces[0] == bold("a red fox")


def test_a_waiting_card_says_what_is_wrong_with_the_engine():
    told = str(card.waiting(ASKED, Waiting(1), card.Text(), "The model is loading."))
    assert told == "a red fox\nNext in line\nThe model is loading."


def test_a_paused_place_is_told_and_no_place_in_line():
    told = str(card.waiting(ASKED, Waiting(3, None, True), phrases.ready("soon", 1.0)))
    assert "paused" in told
    assert "3rd" not in told


def test_a_running_card_has_a_bar_of_twelve_cells():
    ready = phrases.ready("a moment", 1_800_000_000)
    told = str(card.painting(ASKED, Running(15, 30), ready))
    assert told == "a red fox\n▰▰▰▰▰▰▱▱▱▱▱▱\nStep 15 of 30 · ready in a moment"
    assert str(card.painting(ASKED, Running(30, 30), ready)) == "a red fox\n▰▰▰▰▰▰▰▰▰▰▰▰\nFinishing"


def test_a_finished_card_is_the_prompt_and_one_line_of_recipe():
    told = str(card.finished(ASKED, Done((IMAGE,), 7, 12.0)))
    assert told == "a red fox\n768×512 · 30 steps · Euler · ink 0.8 · seed 7 · 12 s"


def test_R8_an_answer_from_history_says_so_and_no_time():
    told = str(card.finished(ASKED, Done((IMAGE,), 7, 12.0, cached=True)))
    assert told.splitlines()[1] == "From your history: the same was asked before."
    assert "12 s" not in told
    assert controls.controls("1", ASKED, Done((IMAGE,), 7, 12.0, cached=True))[0][0].label == "Paint a fresh one"


def test_what_the_model_did_differently_is_told():
    done = Done((IMAGE,), 7, 12.0, notes=(("prompt_cut", "and a bear"), ("negative", "")))
    assert len(str(card.finished(ASKED, done)).splitlines()) == 4


def test_an_end_without_a_picture_says_why():
    assert str(card.ended(ASKED, Cancelled())) == "a red fox\nCancelled."
    told = str(card.ended(ASKED, Failed("OutOfMemory")))
    assert told.startswith("a red fox\nSorry")
    assert "OutOfMemory" not in told


def test_an_enlarged_picture_offers_what_can_be_done_with_it():
    labels = [
        [key.label for key in row] for row in controls.controls("1", Upscale(source=IMAGE), Done((IMAGE,), 0, 1.0))
    ]
    assert labels == [["Recipe", "Original"], ["⭐", "🗑"]]


def test_words_that_do_not_fit_into_the_field_have_no_pencil():
    for prompt, there in (("a fox", True), ("a fox " * 60, False)):
        keys = controls.controls("1", replace(ASKED, prompt=prompt), Done((IMAGE,), 7, 1.0), inline=True)
        assert any(key.label == "✏️" for row in keys for key in row) is there
        assert not any(key.label == "✏️" for row in controls.controls("1", ASKED, Cancelled()) for key in row)


@pytest.mark.parametrize("language", ["en", "de"])
def test_labels_fit_a_telephone_side_by_side(language):
    preset = PRESETS["flux-dev"]
    request = replace(ASKED, width=preset.width, height=preset.height)
    styles, usual, limits = [], (preset.width, preset.height), Limits()
    done = Done((IMAGE,), 7, 1.0)
    statuses = [Waiting(1), done, replace(done, cached=True), replace(done, images=(IMAGE,) * 9), Cancelled()]
    with words.language(language):
        keyboards = [controls.controls("1", request, status, inline=True) for status in statuses]
        keyboards += [controls.picked("1", 0), controls.deleting("1"), controls.recipe(request, "https://t.me/x", "1")]
        keyboards += [controls.around("1", 0, several=several) for several in (True, False)]
        looking = replace(request, reference=IMAGE, reference_weight=0.7)
        drafts = [json.dumps(draft) for draft in ({}, {"look": 0}, {"own": 0}, {"own": 2, "look": 0.4})]
        menus = ("main", "styles", "weight", "size", "steps", "look")
        details = [f'{{"at":"{at}","draft":{draft},"style":"ink"}}' for at in menus for draft in drafts]
        keyboards += [
            tweaks.menu("1", one, detail, styles, usual, limits) for detail in details for one in (request, looking)
        ]
    for keyboard in keyboards:
        assert len(keyboard) <= 7
        for row in filter(None, keyboard):
            assert max(len(key.label) for key in row) * len(row) <= 40, [key.label for key in row]


# Seen


async def test_a_job_is_one_card_from_the_line_to_the_picture(api, anna, bert, tmp_path):
    async with house(tmp_path, api, hand=True) as home:
        await asks(home, bert, "somebody else's picture")
        card = await anna.ask(anna.chat, "/imagine a red fox on a blue background steps:4 seed:7")
        assert card.words.splitlines() == ["a red fox on a blue background", "Next in line"]
        assert rows(card) == [["Cancel"]]
        assert card.silent
        assert card.reply_to is anna.chat.messages[0]
        home.easel.finish()
        await shows(card, "Starting")
        home.easel.step(1)
        await shows(card, "▰▰▰▱▱▱▱▱▱▱▱▱\nStep 1 of 4")
        assert rows(card) == [["Cancel"]]
        home.easel.step(4)
        await shows(card, "Finishing")
        await finishes(home)
        assert shown(api, "a red fox") == [card]
        assert card.words.splitlines()[1] == "128×128 · 4 steps · Euler · seed 7 · 1.0 s"
        assert card.marks[0] == ("bold", "a red fox on a blue background")
        assert rows(card) == SINGLE
        assert isinstance(card.media, Photo)
        assert near(border(card.picture), (0, 0, 255))
        assert anna.chat.told == [card]


async def test_the_time_counts_down_on_the_readers_device(api, anna, bert, tmp_path):
    async with house(tmp_path, api, hand=True) as home:
        for n in range(3):
            await asks(home, bert, f"picture {n} steps:4")
            home.easel.finish(seconds=20.0)
            await settled(home)
        card = await asks(home, anna, "a red fox steps:4")
        await shows(card, "ready ")
        (moment,) = [entity for entity in card.entities if entity["type"] == "date_time"]
        assert moment["date_time_format"] == "r"
        assert abs(moment["unix_time"] - api.clock() - 20) < 20
        assert dict(card.marks)["date_time"] == "in about 10–30 s"


async def test_previews_are_shown_on_the_card(api, anna, tmp_path):
    async with house(tmp_path, api, hand=True) as home:
        card = await asks(home, anna, "a red fox on a blue background steps:12")
        for step in (3, 6, 9, 11):
            home.easel.step(step)
            await shows(card, f"Step {step} of 12")
        await finishes(home)
        *previews, final = [version for version in card.past if version.picture and version.caption]
        assert len(uploads(api)) == 4
        assert len(final.picture) != len(previews[0].picture)
        assert near(border(previews[0].picture), (0, 0, 255))
        assert near(border(final.picture), (0, 0, 255))


async def test_several_pictures_are_an_album_with_its_buttons_below(api, anna, tmp_path):
    async with house(tmp_path, api, hand=True) as home:
        card = await asks(home, anna, "two foxes count:3 seed:7")
        await finishes(home)
        *album, below = anna.chat.told
        assert card.deleted
        assert len(album) == 3
        assert len({message.album for message in album}) == 1
        assert len({message.uploaded for message in album}) == 3
        assert not any(message.words or message.buttons for message in album)
        assert below.reply_to is album[0]
        assert below.words.splitlines()[0] == "two foxes"
        assert rows(below) == [["🖼 1", "🖼 2", "🖼 3"], ["Again", "Change…"], ["Recipe", "✏️", "⭐", "🗑"]]


async def test_R8_the_same_again_comes_from_the_history_as_one_message(api, anna, tmp_path):
    async with house(tmp_path, api, hand=True) as home:
        first = await asks(home, anna, "a red fox")
        await finishes(home)
        second = await anna.ask(anna.chat, "a red fox")
        await settled(home)
        assert second.past[0].picture
        assert "From your history" in second.words
        assert rows(second)[0] == ["Paint a fresh one", "Change…"]
        assert second.uploaded == first.uploaded
        assert not second.silent
        assert len(home.easel.works) == 1
        assert len(anna.chat.told) == 2


async def test_a_failure_is_an_apology_with_a_way_on(api, anna, tmp_path):
    async with house(tmp_path, api, hand=True) as home:
        card = await asks(home, anna, "a red fox steps:4")
        home.easel.fail("out_of_memory")
        await settled(home)
        assert card.words.startswith("a red fox\nSorry")
        assert rows(card) == [["Try again"], ["✏️ Edit the words"]]
        await anna.press(card, "Try again")
        await finishes(home)
        assert len(shown(api, "a red fox")) == 1
        assert jobs(home)[0].request == jobs(home)[1].request


async def test_a_failure_after_a_preview_is_told_below_it(api, anna, tmp_path):
    async with house(tmp_path, api, hand=True) as home:
        card = await asks(home, anna, "a red fox steps:4")
        home.easel.step(2)
        await soon(lambda: card.picture, "no preview")
        home.easel.fail("out_of_memory")
        await settled(home)
        assert "Sorry" in card.words
        assert anna.chat.told == [card]


async def test_cancelling_ends_the_card(api, anna, tmp_path):
    async with house(tmp_path, api, hand=True) as home:
        card = await asks(home, anna, "a red fox steps:4")
        await anna.press(card, "Cancel")
        await settled(home)
        assert card.words == "a red fox\nCancelled."
        assert rows(card) == [["Try again"], ["✏️ Edit the words"]]


async def test_an_engine_that_is_down_is_told(api, anna, tmp_path):
    async with house(tmp_path, api, hand=True) as home:
        home.easel.silent = True
        home.easel.crash()
        card = await anna.ask(anna.chat, "a red fox")
        await shows(card, "Next in line")
        assert len(card.words.splitlines()) == 3
        assert "engine" in card.words.lower()
        home.easel.rise("one")
        await finishes(home)
        assert shown(api, "a red fox") == [card]


async def test_a_paused_group_is_told_and_goes_on(api, anna, tmp_path):
    from realbot.jobs import User

    async with house(tmp_path, api, hand=True) as home:
        group = api.supergroup("foxes", anna)
        owner = User("telegram", str(anna.id))
        await home.studio.pause(f"telegram:{group.id}", owner)
        card = await anna.ask(group, "/imagine a red fox")
        await shows(card, "paused here")
        await home.studio.resume(f"telegram:{group.id}", owner)
        await finishes(home)
        assert shown(api, "a red fox") == [card]


async def test_a_card_speaks_the_language_of_whoever_asked(api, bert, tmp_path):
    greta = api.person("greta", language="de")
    async with house(tmp_path, api, hand=True) as home:
        await asks(home, bert, "somebody else's picture")
        card = await greta.ask(greta.chat, "ein roter Fuchs steps:4")
        assert card.words.splitlines()[1].startswith("Als Nächstes dran")
        assert rows(card) == [["Abbrechen"]]
        home.easel.finish()
        await soon(home.easel.working, "nothing is painted")
        home.easel.step(1)
        await shows(card, "Schritt 1 von 4")
        await finishes(home)
        await soon(lambda: "4 Schritte" in card.words, card.words)
        assert rows(card)[1] == ["Leicht variieren", "Stark variieren"]
        refusal = await greta.ask(greta.chat, "/imagine ein Fuchs steps:9999")
        assert "9999" in refusal.words
        assert "must be" not in refusal.words


async def test_a_finished_card_in_its_menus_stays_a_card(api, anna, tmp_path):
    """All menus of a card are other buttons below the same picture and words."""
    (tmp_path / "styles").mkdir()
    lora(tmp_path / "styles" / "ink.safetensors", trigger="ink")
    async with house(tmp_path, api, hand=True) as home:
        card = await asks(home, anna, "a red fox seed:7 steps:4")
        await finishes(home)
        told, picture = card.words, card.uploaded
        await anna.press(card, "Change…")
        assert rows(card) == [
            ["Style: none"], ["Size: 128×128", "Steps: 4"], ["Seed: a new one"], ["Use its look"],
            ["‹ Back", "▶ Paint"],
        ]  # fmt: skip
        await anna.press(card, "Steps: 4")
        assert rows(card) == [["✓ 4", "8", "12", "20"], ["28", "40", "50"], ["‹ Back"]]
        await anna.press(card, "‹ Back")
        await anna.press(card, "Size: 128×128")
        assert rows(card)[0] == ["✓ The model's own size · 128×128"]
        assert all(len(row) == 2 for row in rows(card)[1:-1])
        await anna.press(card, "‹ Back")
        await anna.press(card, "Style: none")
        assert rows(card) == [["ink"], ["‹ Back", "No style"]]
        await anna.press(card, "ink")
        assert rows(card) == [["ink"], ["0.3", "0.5", "0.7"], ["0.8", "1", "1.2"], ["‹ Back"]]
        await anna.press(card, "‹ Back")
        await anna.press(card, "‹ Back")
        await anna.press(card, "‹ Back")
        await until(lambda: rows(card) == SINGLE)
        assert (card.words, card.uploaded) == (told, picture)
