"""What all panels have in common: in time, in the person's language, and letter by letter what people wrote."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from types import SimpleNamespace

import discord
import pytest
from simulated import control, controls, said, user

from realbot.adapters.discord import panels, place

NASTY = "@everyone <@1> **bold** [link](https://evil.example) `code` ||spoiler|| # head discord.gg/evil <t:0:R>"


def callbacks(world) -> list[int]:
    return [sent.json["type"] for sent in world.env.http_requests if sent.path.endswith("/callback")]


@pytest.fixture
def stalled(world, monkeypatch):
    """The store takes two seconds for each look."""
    store = world.rig.store
    for name in ("preferences", "history"):
        real = getattr(store, name)

        async def slow(*args, real=real, **kwargs):
            await asyncio.sleep(2.0)
            return await real(*args, **kwargs)

        monkeypatch.setattr(store, name, slow)


@pytest.mark.usefixtures("stalled")
async def test_DC1_a_slow_answer_to_a_command_is_announced_in_time_and_comes(world):
    shown = await world.anna.slash(world.channel, "settings")
    assert callbacks(world) == [5]
    assert shown.ephemeral
    assert "Your defaults" in said(shown)


@pytest.mark.usefixtures("stalled")
async def test_DC1_a_slow_answer_to_a_press_is_announced_in_time_and_replaces_the_panel(world):
    shown = await world.anna.slash(world.channel, "settings")
    pressed = await world.anna.click(shown.response, custom_id=control(shown.response, "pb:settings:ping"))
    assert callbacks(world) == [5, 6]
    assert not pressed.followups
    assert not (await world.rig.studio.preferences(user(world.anna))).ping


async def test_DC2_an_answer_that_comes_too_late_is_let_go(world):
    world.env.inject_error("POST", "/interactions/*/*/callback", status=404, code=10062)
    shown = await world.anna.slash(world.channel, "help")
    assert shown.response is None
    assert "/imagine" in said(await world.anna.slash(world.channel, "help"))


async def test_DC3_a_second_answer_to_the_same_interaction_is_let_go(world):
    world.env.inject_error("POST", "/interactions/*/*/callback", status=400, code=40060)
    await world.anna.slash(world.channel, "help")
    assert len(callbacks(world)) == 1


async def test_DC15_every_control_of_an_earlier_life_works(world):
    await world.paint(world.anna, "a red apple")
    await world.ask(world.anna, "a green frog")
    pressed = []
    for name in ("queue", "history", "styles", "settings"):
        shown = await world.anna.slash(world.channel, name)
        buttons = [item for item in controls(shown.response) if item["type"] == 2 and not item.get("disabled")]
        pressed += [(await world.anna.slash(world.channel, name), item["custom_id"]) for item in buttons]
    await world.restart()
    for panel, custom_id in pressed:
        assert (await world.anna.click(panel.response, custom_id=custom_id)).acknowledged, custom_id


async def test_X3_X4_what_people_wrote_is_shown_letter_by_letter(world):
    await world.paint(world.anna, NASTY)
    job = await world.ask(world.anna, NASTY + " again")
    for name, options in (("history", {}), ("history", {"search": "bold"}), ("queue", {})):
        shown = await world.anna.slash(world.channel, name, **options)
        text = "\n".join(str(embed.description) for embed in shown.response.embeds) + shown.response.content
        assert r"\@everyone" in text
        bare = re.sub(r"\\.", "", text)
        for mark in ("**bold", "](https", "`code", "||", "<@1>", "@everyone", "https://evil"):
            assert mark not in bare, (name, mark)
    assert await world.rig.studio.cancel(user(world.anna), job)


async def test_X4_what_a_search_echoes_is_harmless(world):
    shown = await world.anna.slash(world.channel, "history", search="**x** @everyone")
    assert r"\*\*x\*\* \@everyone" in shown.response.content


async def test_X4_what_a_refusal_echoes_is_harmless(world):
    for command, options in {
        "styles": {"style": "**x**"},
        "realbot limits": {"name": "max_steps", "value": "**x**"},
        "realbot styles": {"action": "allow", "style": "**x**"},
    }.items():
        shown = await world.admin.slash(world.channel, command, **options)
        assert r"\*\*x\*\*" in "".join((one or shown.response).content for one in (shown.followups or [None])), command


def test_a_control_id_is_never_too_long_and_keeps_its_parts():
    made = panels.button("x", "history", "clear", 2**53, 400, 1, "w" * 300)
    assert len(made.custom_id) <= 100
    assert panels.button("x", "a", "b", "one:two").custom_id == "pb:a:b:one two"


def test_the_invite_link_asks_for_exactly_what_is_needed():
    text = (Path(__file__).parents[4] / "README.md").read_text("utf-8")
    (number,) = re.findall(r"scope=bot\+applications\.commands&permissions=(\d+)", text)
    asked = discord.Permissions(int(number))
    assert asked == discord.Permissions(
        view_channel=True,
        send_messages=True,
        send_messages_in_threads=True,
        embed_links=True,
        attach_files=True,
        read_message_history=True,
    )
    here = SimpleNamespace(
        channel=None, channel_id=1, guild_id=1, app_permissions=asked, context=None,
        is_user_integration=lambda: False, is_guild_integration=lambda: True,
    )  # fmt: skip
    assert place.obstacle(here) == ""
