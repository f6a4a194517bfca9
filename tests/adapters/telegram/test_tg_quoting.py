"""A dear request in Telegram: what it costs is told first, and what is painted is what was quoted, once."""

from __future__ import annotations

import pytest
from tg_fronts import house
from tg_scenes import asks, calm, jobs, rows, soon, user

from realbot.eta import Features
from realbot.jobs import Generate


@pytest.fixture
async def home(api, tmp_path):
    sections = {
        "limits": {"quote_seconds": 60, "per_day": 10},
        "override": {"telegram:role:administrators": {"limits": {"quote_seconds": 0}}},
    }
    async with house(tmp_path, api, hand=True, sections=sections) as home:
        usual = home.studio.usual(Generate(prompt="x", steps=10))
        for _ in range(5):
            home.studio._timings.record(Features.of(usual), {"denoise": 20.0})
        yield home


async def dear(who, chat=None):
    question = await who.ask(chat or who.chat, "/imagine a castle steps:60 count:2")
    await calm()
    return question


async def test_what_a_dear_request_costs_is_told_and_nothing_is_taken(home, anna):
    question = await dear(anna)
    assert question.words.splitlines() == [
        "a castle",
        "Painting this takes about 3–5 min.",
        "Next in line, ready in about 3–5 min.",
        "It counts as 2 of the 10 pictures that you have left in 24 hours.",
        "Shall it be painted?",
    ]
    assert rows(question) == [["Leave it", "Paint it"]]
    assert jobs(home) == []


async def test_who_says_yes_gets_what_was_quoted_once(home, anna, bert):
    question = await dear(anna)
    yes = next(button["callback_data"] for button in question.buttons if button["text"] == "Paint it")
    theirs = await dear(bert)
    assert (await bert.forge(theirs, yes)).alert
    assert jobs(home) == []
    await anna.press(question, "Paint it")
    await soon(lambda: jobs(home), "nothing was taken")
    (job,) = jobs(home)
    assert (job.request.prompt, job.request.steps, job.request.count) == ("a castle", 60, 2)
    await soon(lambda: question.deleted, "the question stays")
    other = await anna.ask(anna.chat, "/help")
    assert (await anna.forge(other, yes)).alert
    await calm()
    assert len(jobs(home)) == 1


async def test_who_says_no_sees_the_question_go(home, anna):
    question = await dear(anna)
    await anna.press(question, "Leave it")
    await calm()
    assert jobs(home) == []


async def test_a_cheap_request_is_taken_at_once(home, anna):
    await asks(home, anna, "a hut steps:4")
    assert len(jobs(home)) == 1
    assert user(anna).key == jobs(home)[0].user.key


async def test_a_role_of_the_group_counts_where_something_is_settled_for_it(home, api, anna, bert):
    group = api.supergroup("painters", anna, bert)
    await anna.ask(group, "/imagine a castle steps:60")
    await soon(lambda: len(jobs(home)) == 1, "an administrator is not asked")
    assert "administrators" in jobs(home)[0].user.roles
    question = await dear(bert, group)
    assert "Painting this takes" in question.words
    assert "you have left" not in question.words, "in a group everybody reads"
    assert "Shall it be painted?" in question.words
    assert len(jobs(home)) == 1
