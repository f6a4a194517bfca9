"""Who may train styles in a group, and who settles that, on a loopback Telegram."""

from __future__ import annotations

from dataclasses import replace

import pytest
from botapi_world import ADMINISTRATOR
from tg_lessons import taken
from tg_panels import seen, tap, user

from pools import InProcessPool
from realbot.academy import Brought
from realbot.adapters import lessonwords
from realbot.jobs import Done, Origin
from studios import end, until

NOBODY = "Styles can be trained by some people only; the administrators here say by whom."


async def trains(person, chat) -> bool:
    """Whether the command begins a set for this person there."""
    answer = await person.ask(chat, "/train dots dotty")
    if "so far" in answer.words:
        await person.press(answer, "Drop")
        return True
    assert answer.words == NOBODY
    return False


async def trainers(world) -> tuple[str, ...]:
    return (await world.studio.place(f"telegram:{world.group.id}")).trainers


async def test_owners_and_administrators_train_and_nobody_else(world):
    assert await trains(world.carl, world.group)
    assert not await trains(world.anna, world.group)
    assert not await trains(world.anna, world.anna.chat)
    assert not await trains(world.carl, world.carl.chat), "keeping order in a group gives no right in private"
    assert await trains(world.root, world.root.chat)
    world.root.join(world.group)
    assert await trains(world.root, world.group)
    world.bert.join(world.group, ADMINISTRATOR)
    assert await trains(world.bert, world.group)


async def test_administrators_name_others_by_their_message_or_their_number(world):
    said = world.anna.write(world.group, "hello")
    screen = await world.carl.ask(world.group, "/realbot trainers allow", reply_to=said)
    assert "Anna" in screen.words
    assert await trainers(world) == (str(world.anna.id),)
    assert await trains(world.anna, world.group)
    assert not await trains(world.bert, world.group)
    screen = await world.carl.ask(world.group, f"/realbot trainers allow {world.bert.id}")
    assert "Anna, Bert" in screen.words
    assert await trains(world.bert, world.group)
    await tap(world.carl, screen, "✖ Anna")
    assert await trainers(world) == (str(world.bert.id),)
    assert not await trains(world.anna, world.group)
    screen = await world.carl.ask(world.group, f"/realbot trainers deny {world.bert.id}")
    assert "and nobody else" in screen.words
    assert not await trains(world.bert, world.group)
    audit = await world.studio.audit(f"telegram:{world.group.id}")
    assert {change.by for change in audit} == {user(world.carl).key}


async def test_members_name_nobody(world):
    said = world.bert.write(world.group, "hello")
    await world.anna.ask(world.group, "/realbot trainers allow", reply_to=said)
    await world.anna.ask(world.group, f"/realbot trainers allow {world.anna.id}")
    assert await trainers(world) == ()


@pytest.mark.parametrize("text", ["trainers allow", "trainers allow @anna", "trainers deny 12x"])
async def test_somebody_has_to_be_named(world, text):
    answer = await world.carl.ask(world.group, f"/realbot {text}")
    assert lessonwords.whom() in answer.words
    assert "/realbot trainers allow" in answer.words
    assert await trainers(world) == ()


async def test_the_screen_and_the_limits_are_found_by_buttons(world):
    screen = await world.carl.ask(world.group, "/realbot")
    await tap(world.carl, screen, "Who trains")
    assert "Administrators may train styles here, and nobody else." in screen.words
    assert "Back" in seen(screen)
    limits = await world.carl.ask(world.group, "/realbot limits training.max_steps 500")
    assert "500" in limits.words
    answer = await world.carl.ask(world.group, "/train dots steps:600")
    assert answer.words == "steps must be a whole number from 1 to 500, not 600."


async def test_the_help_and_the_menu_tell_of_it_where_it_is_allowed(world):
    assert "train" in world.carl.offered(world.group)
    assert "train" not in world.anna.offered(world.group)
    for person, chat, told in (
        (world.root, world.root.chat, True), (world.carl, world.group, True), (world.anna, world.group, False),
        (world.anna, world.anna.chat, False),
    ):  # fmt: skip
        assert ("/train – train a style on your own pictures" in (await person.ask(chat, "/help")).words) is told


async def trained(world, person, origin: Origin) -> None:
    """A style "dots" of this person."""
    somebody = replace(user(person), roles=frozenset({"owners", "administrators"}))
    files = [Brought(f"{n}.png", taken(n)) for n in range(4)]
    plan = await world.studio.plan(somebody, origin, "dots", "dotty", files, steps=4)
    job = await world.studio.submit(somebody, plan.request, origin)
    await until(world.home.easel.working)
    InProcessPool.finish(world.home.easel)
    assert isinstance(await end(job), Done)


async def test_styles_that_people_share_stand_among_those_that_a_group_allows(world):
    chat, origin = world.group, Origin("telegram", str(world.group.id), server=str(world.group.id))
    await trained(world, world.carl, origin)
    for on, told in ((False, 0), (True, 1), (False, 0)):
        await world.studio.share(user(world.carl), "dots", origin, on)
        screen = await world.carl.ask(chat, "/realbot styles")
        assert sum("dots" in label for label in screen.labels) == told
    await world.studio.share(user(world.carl), "dots", origin, True)
    await world.carl.ask(chat, "/realbot styles deny dots")
    assert "dots" not in [style.name for style in world.studio.styles(origin, user(world.anna))]


async def test_an_owner_of_the_bot_shares_a_style_everywhere(world):
    await trained(world, world.root, Origin("telegram", str(world.root.id)))
    page = await world.root.ask(world.root.chat, "/styles dots")
    pressed = await world.root.press(page, "Share with everybody")
    assert pressed.text == "Everybody everywhere may use the style dots now."
    assert "Share with" not in seen(await world.anna.ask(world.anna.chat, "/styles dots"))
    await world.root.press(page, "Share with everybody no longer")
    answer = await world.anna.ask(world.anna.chat, "/styles dots")
    assert "no style dots" in answer.words
