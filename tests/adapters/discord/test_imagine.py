"""/imagine on simcord: options, refusals, the acknowledgement and the card."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace

import pytest
from PIL import Image
from staged import stage

from realbot.adapters.discord import intake
from realbot.errors import QueueFull
from realbot.jobs import Cancelled, Generate, StyleUse
from studios import until


@pytest.fixture
async def here(tmp_path):
    async with stage(tmp_path, styles=40) as here:
        yield here


def labels(message):
    return [
        part.label or str(part.emoji) for row in message.components for part in row.children if part.type.value == 2
    ]


def png(colour="red", size=(128, 128)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


async def test_a_request_becomes_a_card_and_then_a_picture(here):
    asked = await here.ask(prompt="a red fox on blue", style="ink", weight=0.8, steps=4)
    card = here.message(asked)
    assert "**a red fox on blue**" in card.embeds[0].description and not card.attachments
    assert labels(card) == ["Cancel"]
    await here.paint()
    card = here.message(asked)
    (picture,) = card.attachments
    assert picture.description == "a red fox on blue, in the style ink"
    assert picture.filename == f"a-red-fox-on-blue-{here.job().request.seed}.png"
    assert Image.open(io.BytesIO(await picture.read())).size == (128, 128)
    assert "128×128 · 4 steps" in card.embeds[0].footer.text and "ink 0.8" in card.embeds[0].footer.text
    assert f"for <@{here.anna.id}>" in card.embeds[0].description
    assert labels(card)[:5] == ["Again", "Vary a little", "Vary a lot", "×2", "×4"]
    assert len(here.channel.history()) == 1


async def test_a_card_shows_progress_and_two_to_four_previews(here):
    asked = await here.ask(steps=12)
    await here.painting()
    previews = set()
    for n in range(1, 13):
        here.pool.step(n)
        await until(lambda n=n: f"Step {n} of" in here.message(asked).embeds[0].description or n == 12)
        previews |= {one.id for one in here.message(asked).attachments}
    assert "▰" in here.message(asked).embeds[0].description
    assert 2 <= len(previews) <= 4
    assert here.message(asked).attachments[0].description.startswith("Preview: ")
    here.pool.finish()
    await here.idle()
    assert [one.filename.endswith(".png") for one in here.message(asked).attachments] == [True]


async def test_every_option_reaches_the_request(here):
    await here.ask(
        prompt="a fox",
        style="ink, glow:0.5",
        weight=0.8,
        size="192x128",
        steps=9,
        guidance=4.5,
        seed=77,
        scheduler="euler",
        negative="text",
        count=2,
    )
    request = here.job().request
    assert isinstance(request, Generate)
    assert request.styles == (StyleUse("ink", 0.8), StyleUse("glow", 0.5))
    assert (request.width, request.height, request.steps, request.guidance) == (192, 128, 9, 4.5)
    assert (request.seed, request.scheduler, request.negative, request.count) == (77, "euler", "text", 2)


async def test_options_inside_the_prompt_mean_the_same(here):
    await here.ask(prompt="a fox steps:9 style:ink:0.8 --ar 2:1 seed:77")
    request = here.job().request
    assert (request.prompt, request.steps, request.seed) == ("a fox", 9, 77)
    assert request.styles == (StyleUse("ink", 0.8),) and request.width > 1.5 * request.height


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"prompt": "a fox", "steps": 999}, ["1", "100", "999"]),
        ({"prompt": "a fox steps:999"}, ["1", "100", "999"]),
        ({"prompt": "a fox", "style": "imk"}, ["imk", "ink"]),
        ({"prompt": "a fox --stepz 9"}, ["--stepz", "--steps"]),
        ({"prompt": "a fox", "scheduler": "eulr"}, ["eulr", "euler"]),
        ({"prompt": "a fox", "size": "9999x9999"}, ["2048", "9999"]),
        ({"prompt": "a fox", "size": "128x128", "aspect": "1:1"}, ["not both"]),
        ({"prompt": "a fox **bold** --stepz @everyone"}, ["--stepz"]),
    ],
)
async def test_a_wrong_option_is_answered_privately_with_what_helps(here, options, parts):
    asked = await here.anna.slash(here.channel, "imagine", **options)
    assert asked.ephemeral and not here.bench.studio.pending("discord")
    for part in parts:
        assert part in asked.response.content.replace("\\", ""), asked.response.content


async def test_styles_are_offered_while_they_are_typed_more_than_25(here):
    offered = await here.anna.autocomplete(here.channel, "imagine", "style", "", prompt="x")
    assert len(offered) == 25
    for n in (0, 20, 39):
        (one,) = await here.anna.autocomplete(here.channel, "imagine", "style", f"style-{n:02}", prompt="x")
        assert one["value"] == f"style-{n:02}"
    for option, typed, value in (("size", "128", "128x128"), ("aspect", "16", "16:9"), ("scheduler", "eul", "euler")):
        offered = await here.anna.autocomplete(here.channel, "imagine", option, typed, prompt="x")
        assert offered[0]["value"] == value


async def test_four_pictures_come_with_one_row_of_buttons_and_a_menu(here):
    asked = await here.ask(count=4)
    await here.paint()
    card = here.message(asked)
    assert len(card.attachments) == 4 and len({one.filename for one in card.attachments}) == 4
    assert [one.description for one in card.attachments][1] == "a red fox (2/4)"
    _, menu = card.components
    assert labels(card) == ["Again", "Remix", "Recipe", "⭐", "🗑️"]
    assert len(menu.children[0].options) == 24


async def test_a_private_request_is_seen_by_nobody_else(here):
    asked = await here.ask(private=True)
    assert asked.ephemeral
    await here.paint()
    assert len(here.message(asked).attachments) == 1
    assert here.channel.history(viewer=here.bert) == []
    assert here.job().origin.private


async def test_people_may_prefer_private_cards(here):
    from realbot.jobs import User

    await here.bench.studio.prefer(User("discord", str(here.anna.id)), private=True, steps=3)
    asked = await here.ask()
    assert asked.ephemeral and here.job().request.steps == 3
    asked = await here.ask(private=False, prompt="another fox", steps=5)
    assert not asked.ephemeral and here.job().request.steps == 5


async def test_a_picture_to_start_from(here):
    await here.ask(prompt="a fox", source=("start.png", png()), strength=0.4)
    request = here.job().request
    assert request.source is not None and request.strength == 0.4


async def test_a_source_that_is_no_picture_is_refused_privately(here):
    asked = await here.anna.slash(here.channel, "imagine", prompt="a fox", source=("start.png", b"no picture"))
    assert asked.ephemeral and not here.bench.studio.pending("discord")


async def test_R8_the_same_again_is_answered_from_history_with_a_button_for_a_fresh_one(here):
    await here.painted(prompt="a fox")
    asked = await here.ask(prompt="a fox")
    await here.idle()
    card = here.message(asked)
    assert "From your history" in card.embeds[0].description and labels(card)[0] == "Paint a fresh one"
    assert len(card.attachments) == 1 and len(here.pool.works) == 1
    await here.anna.click(card, label="Paint a fresh one")
    await here.painting()
    assert len(here.pool.works) == 2


async def test_a_failure_apologises_and_can_be_tried_again(here):
    asked = await here.ask()
    await here.painting()
    here.pool.fail("OutOfMemory")
    await here.idle()
    card = here.message(asked)
    assert "Sorry" in card.embeds[0].description and labels(card) == ["Try again", "Remix", "Recipe"]


async def test_X3_nothing_that_is_sent_mentions_anybody(here):
    await here.painted(prompt="@everyone <@1> <@&2>")
    sent = [q.json for q in here.env.http_requests if isinstance(q.json, dict)]
    bodies = [body.get("data", body) for body in sent]
    shown = [body for body in bodies if isinstance(body, dict) and ("embeds" in body or "content" in body)]
    assert shown
    for body in shown:
        assert body["allowed_mentions"]["parse"] == [] and not body["allowed_mentions"].get("users")


# The first answer


async def test_DC1_a_stalled_database_is_announced_in_time(here, monkeypatch):
    put = here.bench.store.put

    async def stalled(*arguments, **options):
        await asyncio.sleep(2.4)
        return await put(*arguments, **options)

    monkeypatch.setattr(here.bench.store, "put", stalled)
    asked = await here.ask()
    callbacks = [q.json["type"] for q in here.env.http_requests if q.path.endswith("/callback")]
    assert callbacks == [5]
    await here.paint()
    assert len(here.message(asked).attachments) == 1 and len(here.channel.history()) == 1


async def test_DC1_what_is_refused_after_the_announcement_stays_private(here, monkeypatch):
    here.bot.intake._patience = 0.05

    async def slow(*arguments, **options):
        await asyncio.sleep(0.2)
        raise QueueFull

    monkeypatch.setattr(here.bench.studio, "submit", slow)
    asked = await here.anna.slash(here.channel, "imagine", prompt="a fox")
    assert [one.ephemeral for one in asked.followups] == [True] and here.public() == []


async def test_DC2_an_answer_that_comes_too_late_loses_nothing(here):
    here.env.inject_error("POST", "/interactions/*/callback", status=404, code=10062, message="Unknown interaction")
    await here.anna.slash(here.channel, "imagine", prompt="a fox")
    await here.paint()
    (card,) = here.channel.history()
    assert len(card.attachments) == 1 and "a fox" in card.embeds[0].description
    assert here.job().id and await here.bench.studio.card(here.job().id) == str(card.id)


async def test_DC3_an_answer_of_another_program_leaves_no_second_picture(here):
    rivals = []
    here.bot.courier.rival = lambda: rivals.append(1)
    here.env.inject_error("POST", "/interactions/*/callback", status=400, code=40060, message="Already acknowledged")
    await here.anna.slash(here.channel, "imagine", prompt="a fox")
    await until(lambda: not here.bench.studio.pending("discord"))
    assert isinstance(here.job().status, Cancelled) and rivals == [1]
    assert here.channel.history() == []


async def test_DC12_the_same_interaction_is_one_job(here):
    from realbot.jobs import Origin, User

    anna = User("discord", str(here.anna.id))
    await here.ask()
    job = here.job()
    dedup = next(q.path.split("/")[2] for q in here.env.http_requests if q.path.endswith("/callback"))
    again = await here.bench.studio.submit(anna, replace(job.request), Origin("discord"), dedup=dedup)
    assert again.id == job.id


async def test_trouble_is_told_and_not_swallowed(here, monkeypatch, caplog):
    async def broken(*arguments, **options):
        raise RuntimeError("boom")

    monkeypatch.setattr(here.bench.studio, "submit", broken)
    asked = await here.anna.slash(here.channel, "imagine", prompt="a fox")
    assert asked.ephemeral and "Sorry" in asked.response.content
    assert "boom" in caplog.text and intake.log.name in {record.name for record in caplog.records}
