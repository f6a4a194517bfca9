"""/quota and /realbot quota in a simulated Discord: what is left, when it comes back, and handing it back."""

from __future__ import annotations

import pytest
from simcord import SetupError
from simcord.builders import UserHandle
from simulated import control, said, user

from realbot.errors import OverQuota


@pytest.fixture
def sections():
    return {"limits": {"per_day": 4, "per_hour": 3, "seconds_per_day": 600, "cooldown": 0}}


async def test_each_limit_is_shown_with_what_is_used_what_is_left_and_when_it_comes_back(world):
    empty = await world.anna.slash(world.channel, "quota")
    assert empty.ephemeral
    assert "Pictures in 60 minutes: `▱▱▱▱▱▱▱▱▱▱`\n0 of 3 used, 3 left" in said(empty)
    assert "0 of your requests are on their way, and" in said(empty)
    await world.ask(world.anna, "a frog", count=2)
    panel = await world.anna.slash(world.channel, "quota")
    text = said(panel)
    assert "Pictures in 60 minutes: `▰▰▰▰▰▰▰▱▱▱`\n2 of 3 used, 1 left\nback <t:" in text
    assert "Pictures in 24 hours: `▰▰▰▰▰▱▱▱▱▱`\n2 of 4 used, 2 left" in text
    assert "Painting in 24 hours: `▱▱▱▱▱▱▱▱▱▱`\n0 s of 10 min used, 10 min left" in text
    assert "1 of your requests is on its way, and" in text
    again = await world.anna.click(panel.response, custom_id=control(panel.response, "pb:quota:look"))
    assert "2 of 3 used" in said(again)
    assert "0 of 3 used" in said(await world.bert.slash(world.channel, "quota"))


async def test_P6_whose_panel_is_pressed_does_not_matter_but_who_presses(world):
    await world.ask(world.anna, "a frog", count=2)
    panel = await world.bert.slash(world.channel, "quota")
    pressed = await world.bert.click(panel.response, custom_id=control(panel.response, "pb:quota:look"))
    assert "0 of 3 used" in said(pressed)


async def test_administrators_see_what_somebody_has_left_and_hand_back_what_their_server_settled(world):
    await world.admin.slash(world.channel, "realbot limits", name="per_day", value="2")
    await world.ask(world.anna, "a frog", count=2)
    with pytest.raises(OverQuota):
        await world.ask(world.anna, "a newt")
    shown = await world.admin.slash(world.channel, "realbot quota", person=world.anna)
    assert shown.ephemeral
    assert "What anna may still ask for" in said(shown)
    assert "2 of 2 used, 0 left" in said(shown)
    assert "1 request of theirs is on its way" in said(shown)
    back = await world.admin.slash(world.channel, "realbot quota", person=world.anna, action="reset")
    assert f"What <@{world.anna.id}> has asked for so far does not count here any more." in said(back)
    assert "Pictures in 24 hours: `▱▱▱▱▱▱▱▱▱▱`\n0 of 2 used, 2 left" in said(back)
    # Of the hour, which whoever runs the bot has set, two of three stay used.
    assert "2 of 3 used, 1 left" in said(back)
    (change, *_) = await world.rig.studio.audit(f"discord:{world.guild.id}")
    assert (change.by, change.change["person"]) == (user(world.admin).key, user(world.anna).key)
    assert change.change["quota"] == "handed back"
    await world.ask(world.anna, "a newt")
    with pytest.raises(OverQuota):
        await world.ask(world.anna, "a toad")


async def test_P5_only_administrators_see_and_hand_back_what_somebody_has(world):
    with pytest.raises(SetupError):
        await world.anna.slash(world.channel, "realbot quota", person=world.bert)
    (root,) = [one for one in await world.env.bot.tree.fetch_commands() if one.name == "realbot"]
    world.guild.set_command_permissions(root, {world.anna: True})
    await world.ask(world.bert, "a frog", count=2)
    answer = await world.anna.slash(world.channel, "realbot quota", person=world.bert, action="reset")
    assert "manage this server" in said(answer)
    assert "used" not in said(answer)
    assert "2 of 3 used" in said(await world.bert.slash(world.channel, "quota"))


async def test_what_somebody_who_left_may_still_ask_for_is_shown_and_an_owner_hands_it_back_everywhere(world):
    await world.ask(world.anna, "a frog", count=2)
    world.guild.remove_member(world.anna)
    gone = UserHandle(world.env, world.env.backend.get_user(world.anna.id))
    shown = await world.admin.slash(world.channel, "realbot quota", person=gone)
    assert "2 of 3 used" in said(shown)
    application = world.env.bot.application
    assert application is not None
    application.owner.id = world.admin.id
    back = await world.admin.slash(world.channel, "realbot quota", person=gone, action="reset")
    assert f"What <@{world.anna.id}> has asked for so far does not count anywhere any more." in said(back)
    assert "0 of 3 used" in said(back)
