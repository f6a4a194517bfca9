"""/link on a loopback Telegram: one person with several accounts."""

from __future__ import annotations

import re

from tg_panels import addresses, copied, seen, tap, user

from realbot.jobs import Generate, Origin, User
from studios import end, until

THERE = User("discord", "77", "Anna")
CODE = re.compile(r"[A-Z2-9]{4}-[A-Z2-9]{4}")


async def linked(world, person) -> list[str]:
    return await world.studio.linked(user(person))


async def test_a_code_is_shown_with_how_it_is_used_and_links_the_account_that_enters_it(world):
    shown = await world.anna.ask(world.anna.chat, "/link")
    (made,) = copied(shown)
    assert CODE.fullmatch(made)
    assert f"/link code:{made}" in shown.words
    assert f"/link {made}" in shown.words
    assert "linked with no other" in shown.words
    assert await world.studio.link(THERE, made) == [user(world.anna).key]
    again = await world.anna.ask(world.anna.chat, "/link")
    assert "• Discord · 77" in again.words


async def test_a_code_from_elsewhere_is_entered_here_and_history_is_shared(world):
    job = await world.studio.submit(THERE, Generate(prompt="a cat on Discord", steps=4), Origin("discord", "1"))
    await until(world.home.easel.working)
    world.home.easel.finish()
    await end(job)
    code = await world.studio.link_code(THERE)
    shown = await world.anna.ask(world.anna.chat, f"/link {code.lower().replace('-', ' ')}")
    assert "Link this account with the one that made this code?" in shown.words
    assert await linked(world, world.anna) == []
    await tap(world.anna, shown, "both are mine")
    assert "• Discord · 77" in shown.words
    assert not CODE.search(shown.words)
    assert "a cat on Discord" in (await world.anna.ask(world.anna.chat, "/history")).words
    await tap(world.anna, shown, "Link one more")
    assert CODE.search(shown.words)


async def test_who_says_no_is_not_linked_and_the_code_is_still_good(world):
    code = await world.studio.link_code(THERE)
    shown = await world.anna.ask(world.anna.chat, f"/link {code}")
    await tap(world.anna, shown, "No")
    assert "linked with no other" in shown.words
    assert await linked(world, world.anna) == []
    assert await world.studio.link(user(world.bert), code) == [THERE.key]


async def test_P2_a_yes_counts_once_and_only_that_of_the_person_who_was_asked(world):
    code = await world.studio.link_code(THERE)
    shown = await world.anna.ask(world.anna.chat, f"/link {code}")
    (yes,) = [button["callback_data"] for button in shown.buttons if "both" in button["text"]]
    theirs = await world.bert.ask(world.bert.chat, "/link")
    assert (await world.bert.forge(theirs, yes)).alert
    assert await linked(world, world.bert) == []
    await tap(world.anna, shown, "both are mine")
    assert await linked(world, world.anna) == [THERE.key]
    await world.studio.unlink(user(world.anna))
    await world.studio.link_code(THERE)
    assert (await world.anna.forge(shown, yes)).alert
    assert await linked(world, world.anna) == []


async def test_unlinking_asks_first(world):
    await world.studio.link(user(world.anna), await world.studio.link_code(THERE))
    shown = await world.anna.ask(world.anna.chat, "/link")
    await tap(world.anna, shown, "Unlink this account")
    await tap(world.anna, shown, "Stay linked")
    assert await linked(world, world.anna) == [THERE.key]
    await tap(world.anna, shown, "Unlink this account")
    await tap(world.anna, shown, "Unlink this account")
    assert "on its own again" in shown.words
    assert await linked(world, world.anna) == []


async def test_wrong_codes_are_refused_and_soon_not_listened_to(world):
    async def tried(code: str) -> str:
        shown = await world.anna.ask(world.anna.chat, f"/link {code}")
        await tap(world.anna, shown, "both are mine")
        return shown.words

    for _ in range(5):
        assert "wrong, too old or used" in await tried("AAAA-BBBB")
    assert "Too many wrong codes" in await tried(await world.studio.link_code(THERE))
    assert await linked(world, world.anna) == []


async def test_P6_no_code_and_no_account_is_shown_in_a_group(world):
    await world.studio.link(user(world.anna), await world.studio.link_code(THERE))
    answer = await world.anna.ask(world.group, "/link")
    assert not CODE.search(seen(answer))
    assert "77" not in answer.words
    assert addresses(answer) == ["https://t.me/realbot_bot?start=link"]
    assert CODE.search((await world.anna.ask(world.anna.chat, "/start link")).words)


async def test_a_code_that_others_could_read_is_used_up_before_they_can(world):
    code = await world.studio.link_code(THERE)
    answer = await world.anna.ask(world.group, f"/link {code}")
    assert "private chat" in answer.words
    assert "77" not in seen(answer)
    assert await linked(world, world.anna) == [THERE.key]
    shown = await world.bert.ask(world.bert.chat, f"/link {code}")
    await tap(world.bert, shown, "both are mine")
    assert "wrong, too old or used" in shown.words
    assert await linked(world, world.bert) == []


async def test_P2_the_buttons_of_one_person_unlink_nobody_else(world):
    for person, number in ((world.anna, "77"), (world.bert, "78")):
        await world.studio.link(user(person), await world.studio.link_code(User("discord", number)))
    shown = await world.anna.ask(world.anna.chat, "/link")
    theirs = await world.bert.ask(world.bert.chat, "/link")
    await tap(world.anna, shown, "Unlink this account")
    (stolen,) = [button["callback_data"] for button in shown.buttons if "Unlink" in button["text"]]
    assert (await world.bert.forge(theirs, stolen)).alert
    assert await linked(world, world.bert) == ["discord:78"]
    assert await linked(world, world.anna) == ["discord:77"]
