"""A dear request on simcord: what it costs is told first, and what is painted is what was quoted, once."""

from __future__ import annotations

import pytest
from staged import stage
from test_presses import find, press

from realbot.errors import Refused
from realbot.eta import Features
from realbot.jobs import Generate, Upscale, User


@pytest.fixture
async def here(tmp_path):
    async with stage(tmp_path, sections={"limits": {"quote_seconds": 60, "per_day": 10}}) as here:
        usual = here.bench.studio.usual(Generate(prompt="x", steps=10))
        for _ in range(5):
            here.bench.studio._timings.record(Features.of(usual), {"denoise": 20.0})
        yield here


def words(shown) -> str:
    return shown.response.embeds[0].description


async def dear(here, who=None, **options):
    """A question that was asked about a request."""
    asked = await (who or here.anna).slash(here.channel, "imagine", prompt="a castle", steps=60, count=2, **options)
    assert asked.ephemeral
    return asked


def jobs(here) -> int:
    return len(here.bench.studio._jobs)


async def test_what_a_dear_request_costs_is_told_to_its_person_alone_and_nothing_is_taken(here):
    await here.ask(prompt="first", steps=20)
    asked = await dear(here)
    text = words(asked)
    assert text.startswith("**a castle**")
    assert "Painting this takes about 3–5 min." in text
    assert "Next in line, ready in about 4–6 min." in text
    assert "It counts as 2 of the 9 pictures that you have left in 24 hours." in text
    assert [part.label for part in here.message(asked).components[0].children] == ["Paint it", "Leave it"]
    assert jobs(here) == 1


async def test_who_says_yes_gets_what_was_quoted_once_however_often_it_is_pressed(here):
    asked = await dear(here, private=False)
    question = here.message(asked)
    button = find(question, "Paint it")
    quoted = await here.bench.studio.acted(button.removeprefix("r1:"), press=False)
    await press(here, here.anna, question, "Paint it")
    assert jobs(here) == 1
    request = here.job().request
    assert f'"seed": {request.seed}' in quoted.detail
    assert (request.prompt, request.steps, request.count) == ("a castle", 60, 2)
    assert all(message.id != question.id for message in here.channel.history()), "the question is gone"
    with pytest.raises(Refused, match="used"):
        await here.bench.studio.acted(button.removeprefix("r1:"), User("discord", str(here.anna.id)))


async def test_who_says_no_sees_the_question_go(here):
    asked = await dear(here)
    await press(here, here.anna, here.message(asked), "Leave it")
    assert jobs(here) == 0


async def test_a_cheap_request_is_taken_at_once(here):
    await here.ask(prompt="a hut", steps=4)
    assert jobs(here) == 1


async def test_buttons_ask_too_and_a_refusal_comes_before_the_question(here):
    card = await here.painted(prompt="a hut", steps=4)
    for _ in range(5):
        here.bench.studio._timings.record(Features.of(Upscale(source="0" * 64), 256 * 256), {"denoise": 200.0})
    shown = await press(here, here.anna, card, "×2")
    assert "Painting this takes about" in words(shown)
    await press(here, here.anna, here.message(shown), "Paint it")
    assert isinstance(here.job().request, Upscale)
    for n in range(2):
        await here.bench.studio.submit(
            User("discord", str(here.anna.id)), Generate(prompt=f"x {n}", count=4), here.job().origin
        )
    refused = await here.anna.slash(here.channel, "imagine", prompt="a castle", steps=60, count=2)
    assert "Your 10 pictures for 24 hours are used up." in refused.response.content
