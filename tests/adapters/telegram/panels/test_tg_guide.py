"""/help, /start and what an address opens, on a loopback Telegram."""

from __future__ import annotations

import secrets

import pytest
from tg_fronts import border, near
from tg_panels import addresses, copied, seen, tap, user

from realbot.jobs import Generate
from studios import until


async def code(world, job_id: str) -> str:
    """The code under which the recipe of a job is shared."""
    return await world.studio.action("recipe", job_id)


async def test_help_is_one_page_with_the_limits_of_the_place(world):
    await world.studio.rule(f"telegram:{world.group.id}", user(world.carl), limits={"max_steps": 33})
    shown = await world.anna.ask(world.group, "/help")
    assert ("code", "/look a red apple") in shown.marks
    for part in (
        "/imagine",
        "/look",
        "two pictures sent together",
        "/queue",
        "/history",
        "/styles",
        "/settings",
        "/link",
        "/privacy",
        "up to 33 steps",
    ):
        assert part in shown.words
    assert str(world.anna.id) not in shown.words
    private = await world.anna.ask(world.anna.chat, "/help@realbot_bot")
    assert "up to 100 steps" in private.words
    assert ("code", str(world.anna.id)) in private.marks


async def test_the_greeting_offers_two_requests_to_begin_with(world):
    shown = await world.anna.ask(world.anna.chat, "/start")
    assert "Hello Anna!" in shown.words
    starts = [button["switch_inline_query_current_chat"] for button in shown.buttons]
    assert starts == ["a red apple on a blue background", "a green frog on a yellow background"]
    world.home.front.me._unfreeze()
    world.home.front.me.supports_inline_queries = False
    plain = await world.anna.ask(world.anna.chat, "/start")
    assert copied(plain) == [f"/imagine {start}" for start in starts]


@pytest.mark.parametrize("word", ["paint", "xyz", "r_", "r_short", "../history", "start", "recipe", "realbot"])
async def test_an_unknown_word_in_an_address_greets(world, word):
    assert "Hello Anna!" in (await world.anna.ask(world.anna.chat, f"/start {word}")).words


@pytest.mark.parametrize("word", ["history", "settings", "privacy", "link", "r_AAAAAAAAAAAAAAAA"])
async def test_an_address_opens_nothing_in_a_group(world, word):
    await world.paint(world.anna, "a secret canary", world.anna.chat)
    shown = await world.anna.ask(world.group, f"/start@realbot_bot {word}")
    assert "Hello Anna!" in shown.words
    assert "canary" not in seen(shown)


async def test_a_shared_recipe_is_shown_and_painted_by_whoever_has_the_address(world):
    job = await world.paint(world.anna, "a cat on green", seed=7, steps=5)
    shown = await world.bert.ask(world.bert.chat, f"/start r_{await code(world, job)}")
    assert "a cat on green" in shown.words
    assert "Steps: 5" in shown.words
    assert "seed:7" in copied(shown)[0]
    assert shown.picture is None
    await tap(world.bert, shown, "Paint")
    await until(lambda: world.studio.waiting(user(world.bert)))
    (waiting,) = world.studio.waiting(user(world.bert))
    assert isinstance(waiting.request, Generate)
    assert (waiting.request.prompt, waiting.request.seed, waiting.request.steps) == ("a cat on green", 7, 5)
    assert not world.studio.waiting(user(world.anna))


async def test_ones_own_recipe_comes_with_its_picture(world):
    job = await world.paint(world.anna, "a cat on green")
    shown = await world.anna.ask(world.anna.chat, f"/start r_{await code(world, job)}")
    assert near(border(shown.picture), (0, 128, 0))


async def test_P6_a_shared_recipe_shows_nobody_elses_picture_nor_who_painted_it(world):
    job = await world.paint(world.anna, "a cat on green", world.anna.chat)
    shown = await world.bert.ask(world.bert.chat, f"/start r_{await code(world, job)}")
    assert not world.bert.chat.pictures
    assert "nna" not in seen(shown)
    assert str(world.anna.id) not in seen(shown)
    assert not addresses(shown)


async def test_P2_only_the_code_of_a_shared_recipe_opens_one(world):
    job = await world.paint(world.anna, "a secret canary", world.anna.chat)
    mine = await world.studio.action("recipe", job, user(world.anna))
    other = await world.studio.action("cancel", job)
    for made_up in (mine, other, secrets.token_urlsafe(12)):
        answer = await world.bert.ask(world.bert.chat, f"/start r_{made_up}")
        assert answer.words == "This recipe is not there any more."
    shared = await code(world, job)
    await world.studio.forget(user(world.anna), job)
    assert "not there any more" in (await world.bert.ask(world.bert.chat, f"/start r_{shared}")).words


async def test_P3_guessing_codes_is_soon_not_listened_to(world):
    for _ in range(20):
        await world.bert.ask(world.bert.chat, f"/start r_{secrets.token_urlsafe(12)}")
    job = await world.paint(world.anna, "a red apple")
    answer = await world.bert.ask(world.bert.chat, f"/start r_{await code(world, job)}")
    assert "Too many" in answer.words
    assert "red apple" in (await world.carl.ask(world.carl.chat, f"/start r_{await code(world, job)}")).words


async def test_commands_are_known_by_their_german_names_too(world):
    told = await world.bert.ask(world.bert.chat, "/hilfe")
    assert "/imagine" in told.words
    assert "no command" not in told.words
