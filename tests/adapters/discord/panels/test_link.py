"""/link in a simulated Discord: one person with several accounts."""

from __future__ import annotations

import re

from simulated import control, said, user

from realbot.jobs import Done, Generate, Origin, User
from studios import end, until

THERE = User("telegram", "77", "Anna")
CODE = re.compile(r"\b[A-Z2-9]{4}-[A-Z2-9]{4}\b")


async def linked(world, person) -> list[str]:
    return await world.rig.studio.linked(user(person))


async def test_a_code_is_shown_to_one_person_and_links_the_account_that_enters_it(world):
    shown = await world.anna.slash(world.channel, "link")
    assert shown.ephemeral
    (made,) = set(CODE.findall(said(shown)))
    assert f"`/link code:{made}`" in said(shown)
    assert f"`/link {made}`" in said(shown)
    assert "linked with no other" in said(shown)
    assert await world.rig.studio.link(THERE, made) == [user(world.anna).key]
    assert "Telegram · 77" in said(await world.anna.slash(world.channel, "link"))


async def test_a_code_from_elsewhere_is_entered_here_and_history_is_shared(world):
    job = await world.rig.studio.submit(THERE, Generate(prompt="a cat on Telegram", steps=4), Origin("telegram", "77"))
    await until(world.rig.pool.working)
    world.rig.pool.finish()
    assert isinstance(await end(job), Done)
    code = await world.rig.studio.link_code(THERE)
    shown = await world.anna.slash(world.channel, "link", code=code.lower())
    assert shown.ephemeral
    assert "Telegram · 77" in said(shown)
    assert not CODE.search(said(shown))
    assert "a cat on Telegram" in said(await world.anna.slash(world.channel, "history"))
    more = await world.anna.click(shown.response, custom_id=control(shown.response, "pb:link:code"))
    assert CODE.search(said(more))


async def test_unlinking_asks_first(world):
    await world.rig.studio.link(user(world.anna), await world.rig.studio.link_code(THERE))
    shown = await world.anna.slash(world.channel, "link")
    asked = await world.anna.click(shown.response, custom_id=control(shown.response, "pb:link:leave"))
    kept = await world.anna.click(asked.response, custom_id=control(asked.response, "pb:link:stay"))
    assert "Telegram · 77" in said(kept)
    asked = await world.anna.click(kept.response, custom_id=control(kept.response, "pb:link:leave"))
    await world.restart()
    left = await world.anna.click(asked.response, custom_id=control(asked.response, "pb:link:unlink"))
    assert "on its own again" in said(left)
    assert await linked(world, world.anna) == []


async def test_wrong_codes_are_refused_and_soon_not_listened_to(world):
    for _ in range(5):
        assert "wrong, too old or used" in said(await world.anna.slash(world.channel, "link", code="AAAA-BBBB"))
    code = await world.rig.studio.link_code(THERE)
    assert "Too many wrong codes" in said(await world.anna.slash(world.channel, "link", code=code))
    assert await linked(world, world.anna) == []


async def test_P2_the_answer_of_one_person_unlinks_nobody_else(world):
    for person, number in ((world.anna, "77"), (world.bert, "78")):
        code = await world.rig.studio.link_code(User("telegram", number))
        await world.rig.studio.link(user(person), code)
    mine = await world.anna.slash(world.channel, "link")
    asked = await world.anna.click(mine.response, custom_id=control(mine.response, "pb:link:leave"))
    stolen = control(asked.response, "pb:link:unlink")
    theirs = await world.bert.slash(world.channel, "link")
    message = world.env.backend.get_message(world.channel.id, theirs.response.id)
    for made_up in (stolen, "pb:link:unlink:AAAAAAAAAAAAAAAA", "pb:link:unlink"):
        message.components[0]["components"][0]["custom_id"] = made_up
        await world.bert.click(theirs.response, custom_id=made_up)
    assert await linked(world, world.bert) == ["telegram:78"]
    assert await linked(world, world.anna) == ["telegram:77"]
