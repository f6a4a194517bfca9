"""/realbot in a simulated Discord: administrators of one server settle it, nobody else and no other server."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import discord
import pytest
from simcord import SetupError
from simulated import control, said, user

from realbot.adapters.bounds import BOUNDS
from realbot.adapters.discord import place
from realbot.errors import Blocked, Invalid, NotYours
from realbot.jobs import Generate, Origin, StyleUse
from studios import until

COMMANDS = ("limits", "channels", "styles", "words", "pause", "resume", "queue clear", "stats")


@pytest.fixture
def sections():
    return {"limits": {"max_steps": 60, "per_day": 500}, "moderation": {"blocked": ("gore",)}}


def here(world, channel=None) -> Origin:
    return Origin("discord", place=str((channel or world.channel).id), server=str(world.guild.id))


async def refused(world, person=None, channel=None, **fields):
    """Why a request is not taken."""
    request = Generate(prompt=fields.pop("prompt", "a frog"), **{"steps": 4, **fields})
    with pytest.raises((Invalid, Blocked)) as caught:
        await world.rig.studio.submit(user(person or world.anna), request, here(world, channel))
    return str(caught.value)


@pytest.mark.parametrize("command", COMMANDS)
async def test_P5_the_commands_are_hidden_from_everyone_who_does_not_manage_the_server(world, command):
    assert f"realbot {command}" in world.admin.available_commands(world.channel)
    assert f"realbot {command}" not in world.anna.available_commands(world.channel)
    with pytest.raises(SetupError):
        await world.anna.slash(world.channel, f"realbot {command}")
    carl = world.env.create_user("carl")
    with pytest.raises(SetupError):
        await carl.slash(f"realbot {command}")


@pytest.mark.parametrize("command", COMMANDS)
async def test_P5_who_really_manages_the_server_is_checked_again(world, command):
    (root,) = [one for one in await world.env.bot.tree.fetch_commands() if one.name == "realbot"]
    world.guild.set_command_permissions(root, {world.anna: True})
    before = await world.rig.studio.place(f"discord:{world.guild.id}")
    answer = await world.anna.slash(world.channel, f"realbot {command}")
    assert answer.ephemeral
    assert answer.modal is None
    assert "manage this server" in said(answer)
    assert await world.rig.studio.place(f"discord:{world.guild.id}") == before


@pytest.mark.parametrize(
    ("guild", "powers", "taken_in"),
    [(None, discord.Permissions.all(), True), (1, discord.Permissions.none(), True),
     (1, discord.Permissions.all(), False)],
)  # fmt: skip
def test_P5_there_is_nothing_to_manage_in_a_direct_message_and_where_a_person_brings_realbot_along(
    guild, powers, taken_in
):
    interaction = SimpleNamespace(
        context=None, guild_id=guild, permissions=powers, is_user_integration=lambda: not taken_in
    )
    interaction.is_guild_integration = lambda: taken_in
    with pytest.raises(NotYours):
        place.administered(interaction)


async def test_P5_an_administrator_settles_the_own_server_and_no_other(world):
    other = world.env.create_guild()
    elsewhere = other.create_text_channel("elsewhere")
    role = other.create_role("Admins", permissions=discord.Permissions(manage_guild=True))
    mallory = other.add_member(world.env.create_user("mallory"), roles=[role])
    await mallory.slash(elsewhere, "realbot limits", name="max_steps", value="5")
    await mallory.slash(elsewhere, "realbot pause")
    assert (await world.rig.studio.place(f"discord:{other.id}")).limits == {"max_steps": 5}
    assert not (await world.rig.studio.place(f"discord:{world.guild.id}")).limits
    await world.ask(world.anna, "a frog", steps=6)
    await until(world.rig.pool.working)
    await world.ask(world.anna, "another frog")
    cleared = await mallory.slash(elsewhere, "realbot queue clear")
    assert "No request" in said(cleared)
    assert len(world.rig.studio.waiting(user(world.anna))) == 2


async def test_P5_the_answer_to_a_question_is_checked_like_the_command(world):
    await world.ask(world.anna, "a frog")
    await until(world.rig.pool.working)
    await world.ask(world.anna, "another frog")
    asked = await world.admin.slash(world.channel, "realbot queue clear")
    yes = control(asked.response, "pb:realbot:clear")
    panel = await world.anna.slash(world.channel, "queue")
    message = world.env.backend.get_message(world.channel.id, panel.response.id)
    button = next(one for row in message.components for one in row["components"] if one.get("label") == "Refresh")
    button["custom_id"] = yes
    assert "manage this server" in said(await world.anna.click(panel.response, custom_id=yes))
    assert len(world.rig.studio.waiting(user(world.anna))) == 2


async def test_all_limits_are_shown_with_what_they_may_be(world):
    shown = await world.admin.slash(world.channel, "realbot limits")
    assert shown.ephemeral
    text = said(shown)
    for part in (
        "`max_steps` **60** · 1 to 60",
        "`per_day` **500** · 1 to 500",
        "`cooldown` **0** · 0 to 86400",
        "**4194304** · 256 to 4194304",
    ):
        assert part in text
    for part in ("`cache.scope` **user** · user", "`cache.enabled` **true** · true or false", "`moderation.adult` **"):
        assert part in text


async def test_Q5_a_limit_holds_at_once_and_the_answer_says_what_is_now_and_what_may_be(world):
    changed = await world.admin.slash(world.channel, "realbot limits", name="max_steps", value="30")
    assert "`max_steps` is now **30** in this server. It may be 1 to 60." in said(changed)
    assert "what waits already stays as it is" in said(changed)
    assert "30" in await refused(world, steps=31)
    shown = await world.admin.slash(world.channel, "realbot limits", name="max_steps")
    assert "is **30**" in said(shown)
    assert "`max_steps` **30** · 1 to 60 · ✏️" in said(await world.admin.slash(world.channel, "realbot limits"))
    back = await world.admin.slash(world.channel, "realbot limits", name="max_steps", value="reset")
    assert "is now **60**" in said(back)
    await world.ask(world.anna, "a frog", steps=60)


async def test_a_limit_of_one_channel_holds_in_it_alone(world):
    other = world.guild.create_text_channel("other")
    changed = await world.admin.slash(world.channel, "realbot limits", name="max_steps", value="10", channel=other)
    assert f"is now **10** in <#{other.id}>" in said(changed)
    assert "10" in await refused(world, channel=other, steps=11)
    await world.ask(world.anna, "a frog", steps=11)


@pytest.mark.parametrize(
    ("name", "value", "parts"),
    [
        ("max_steps", "61", ("60",)),
        ("max_steps", "0", ("1",)),
        ("max_steps", "many", ("many",)),
        ("cooldown", "-1", ("0",)),
        ("cache.enabled", "perhaps", ("perhaps",)),
        ("cache.scope", "servr", ("servr", "server")),
    ],
)
async def test_what_a_limit_cannot_be_is_refused_with_the_range_and_changes_nothing(world, name, value, parts):
    answer = await world.admin.slash(world.channel, "realbot limits", name=name, value=value)
    assert answer.ephemeral
    for part in parts:
        assert part in said(answer)
    assert not (await world.rig.studio.place(f"discord:{world.guild.id}")).data()


async def test_values_are_offered_while_they_are_typed(world):
    offered = await world.admin.autocomplete(world.channel, "realbot limits", "value", "", name="max_steps")
    assert [choice["value"] for choice in offered] == ["60", "reset", "4", "8", "12", "20", "28", "50"]
    assert "1 to 60" in offered[0]["name"]
    typed = await world.admin.autocomplete(world.channel, "realbot limits", "value", "4", name="max_steps")
    assert typed[0]["value"] == "4"


async def test_what_is_offered_is_what_holds_in_the_chosen_channel_or_for_the_chosen_role(world):
    async def offered(option: str, **chosen) -> list[str]:
        typed = "max_steps" if option == "name" else ""
        about = {"name": "max_steps"} if option == "value" else {}
        found = await world.admin.autocomplete(world.channel, "realbot limits", option, typed, **about, **chosen)
        return [choice["name"] for choice in found]

    role, other = world.guild.create_role("painters"), world.guild.create_text_channel("other")
    await world.admin.slash(world.channel, "realbot limits", name="max_steps", value="10", channel=other)
    await world.admin.slash(world.channel, "realbot limits", name="max_steps", value="40", role=role)
    assert (await offered("value"))[0].startswith("60 (")
    assert (await offered("value", channel=other))[0].startswith("10 (")
    assert (await offered("value", role=role))[0].startswith("40 (")
    assert (await offered("name", channel=other))[0] == "max_steps · 10"
    assert (await offered("name", role=role))[0] == "max_steps · 40"
    about = {"name": "cache.enabled"}
    assert await world.admin.autocomplete(world.channel, "realbot limits", "value", "", **about)
    assert not await world.admin.autocomplete(world.channel, "realbot limits", "value", "", **about, role=role)


async def test_limits_are_offered_by_name_while_they_are_typed(world):
    async def names(typed: str) -> list[str]:
        offered = await world.admin.autocomplete(world.channel, "realbot limits", "name", typed)
        assert len(offered) <= 25
        return [choice["value"] for choice in offered]

    assert (await names(""))[:3] == ["per_hour", "per_day", "per_month"]
    assert await names("SECONDS") == ["seconds_per_hour", "seconds_per_day", "seconds_per_month", "quote_seconds"]
    assert await names("running") == ["running_per_user", "running_per_server"]
    assert await names("nothing") == []
    offered = await world.admin.autocomplete(world.channel, "realbot limits", "name", "max_steps")
    assert offered[0]["name"] == "max_steps · 60"
    wrong = await world.admin.slash(world.channel, "realbot limits", name="max_stepz", value="5")
    assert "Did you mean max" in said(wrong)


async def test_what_belongs_together_stands_together_and_fits_one_message(world):
    shown = await world.admin.slash(world.channel, "realbot limits")
    (embed,) = shown.response.embeds
    assert [field.name for field in embed.fields][:3] == [
        "How much in an hour, a day and a month",
        "The line",
        "One picture",
    ]
    assert embed.fields[0].value.startswith("`per_hour` **0** · 0 (no limit) to 1000000\n`per_day` **500** · 1 to 500")
    assert all(len(field.value) < 1000 for field in embed.fields)
    listed = {line.split("`")[1] for field in embed.fields for line in field.value.splitlines()}
    assert listed == set(BOUNDS)


async def test_a_role_has_limits_in_place_of_the_servers_own(world):
    role = world.guild.create_role("Supporters")
    await world.admin.slash(world.channel, "realbot limits", name="max_steps", value="10")
    told = await world.admin.slash(world.channel, "realbot limits", name="max_steps", value="40", role=role)
    assert f"`max_steps` is now **40** for <@&{role.id}>. It may be 1 to 60." in said(told)
    assert "10" in await refused(world, steps=11)
    supporter = replace(user(world.anna), roles=frozenset({str(role.id)}))
    await world.rig.studio.submit(supporter, Generate(prompt="a frog", steps=40), here(world))
    shown = said(await world.admin.slash(world.channel, "realbot limits", role=role))
    assert "Limits of @Supporters" in shown
    assert "`max_steps` **40** · 1 to 60 · ✏️" in shown
    assert "moderation.adult" not in shown
    assert f"Roles with limits of their own: <@&{role.id}>" in said(
        await world.admin.slash(world.channel, "realbot limits")
    )
    for name, value, says in (
        ("max_steps", "61", "60"),
        ("moderation.adult", "never", "cannot be settled for a role"),
        ("max_steps", "many", "many is not a number"),
    ):
        assert says in said(await world.admin.slash(world.channel, "realbot limits", name=name, value=value, role=role))
    both = await world.admin.slash(world.channel, "realbot limits", role=role, channel=world.channel)
    assert "a channel or a role, not both" in said(both)
    await world.admin.slash(world.channel, "realbot limits", name="max_steps", value="reset", role=role)
    assert world.rig.studio.limits(supporter, here(world)).max_steps == 10


async def test_channels_are_allowed_denied_and_forgotten(world):
    other = world.guild.create_text_channel("other")
    assert "every channel" in said(await world.admin.slash(world.channel, "realbot channels"))
    allowed = await world.admin.slash(world.channel, "realbot channels", action="allow", channel=world.channel)
    assert f"<#{world.channel.id}> only" in said(allowed)
    await refused(world, channel=other)
    await world.ask(world.anna, "a frog")
    denied = await world.admin.slash(world.channel, "realbot channels", action="deny", channel=world.channel)
    assert f"Not in <#{world.channel.id}>" in said(denied)
    assert "every channel" in said(denied)
    await refused(world)
    await world.admin.slash(world.channel, "realbot channels", action="reset")
    await world.ask(world.anna, "another frog")
    assert "Say which channel" in said(await world.admin.slash(world.channel, "realbot channels", action="deny"))


async def test_styles_are_allowed_and_denied_by_name(world):
    assert "All 2 styles" in said(await world.admin.slash(world.channel, "realbot styles"))
    denied = await world.admin.slash(world.channel, "realbot styles", action="deny", style="Ink")
    assert "Only these styles may be used here: `glow`." in said(denied)
    assert "ink" in await refused(world, styles=(StyleUse("ink"),))
    assert "only style left" in said(
        await world.admin.slash(world.channel, "realbot styles", action="deny", style="glow")
    )
    await world.admin.slash(world.channel, "realbot styles", action="allow", style="ink")
    await world.ask(world.anna, "a frog", styles=(StyleUse("ink"),))
    unknown = await world.admin.slash(world.channel, "realbot styles", action="allow", style="inc")
    assert "did you mean ink" in said(unknown)
    assert "Say which style" in said(await world.admin.slash(world.channel, "realbot styles", action="allow"))
    assert "All 2 styles" in said(await world.admin.slash(world.channel, "realbot styles", action="reset"))
    names = await world.admin.autocomplete(world.channel, "realbot styles", "style", "gl")
    assert [one["value"] for one in names] == ["glow"]


async def test_words_are_typed_one_a_line_and_hold_at_once(world):
    form = await world.admin.slash(world.channel, "realbot words")
    blocked, adult, stripped, together, patterns = (row["component"]["custom_id"] for row in form.modal["components"])
    typed = {blocked: "spoon\n\n big  fork ", adult: "", stripped: "8k", together: "cat + hat, cap", patterns: "x{3,}y"}
    sent = await world.admin.submit_modal(form, typed)
    assert sent.ephemeral
    assert "never painted here: 2" in said(sent)
    assert "1 more is blocked" in said(sent)
    await refused(world, prompt="a s p o o n")
    await refused(world, prompt="some gore")
    await refused(world, prompt="a cat in a hat")
    await refused(world, prompt="xxxxy")
    assert "Left out without a word: 1." in said(sent) and "Not together: 1." in said(sent)
    broken = await world.admin.slash(world.channel, "realbot words")
    *_, field = (row["component"]["custom_id"] for row in broken.modal["components"])
    wrong = await world.admin.submit_modal(broken, {field: "(spoon"})
    assert "(spoon" in said(wrong) and "cannot be used" in said(wrong)
    told = await world.admin.slash(world.channel, "realbot words", avoid="text,  *blur*")
    assert "text, \\*blur\\*" in said(told)
    rules = world.rig.studio.settled(here(world))["moderation"]
    assert (rules.negative, rules.stripped) == ("text, *blur*", ("8k",))
    long = await world.admin.slash(world.channel, "realbot words", avoid="(" * 1000)
    assert said(long).count("(") == 899 and len(said(long)) <= 2000
    assert "avoid only what people ask" in said(await world.admin.slash(world.channel, "realbot words", avoid="reset"))
    again = await world.admin.slash(world.channel, "realbot words")
    assert again.modal["components"][0]["component"]["value"] == "spoon\nbig fork"
    assert "gore" not in str(again.modal)
    key = f"discord:{world.guild.id}"
    before = await world.rig.studio.audit(key)
    fields = [row["component"]["custom_id"] for row in again.modal["components"]]
    values = [row["component"].get("value", "") for row in again.modal["components"]]
    await world.admin.submit_modal(again, dict(zip(fields, [*values[:-1], "z+y"], strict=True)))
    changed, *rest = await world.rig.studio.audit(key)
    assert changed.change == {"moderation": {"patterns": ["z+y"]}}
    assert rest == before


async def test_pausing_lets_what_is_asked_for_wait_until_it_is_resumed(world):
    paused = await world.admin.slash(world.channel, "realbot pause")
    assert "Paused" in said(paused)
    await world.ask(world.anna, "a frog")
    assert not world.rig.pool.works
    assert "paused" in said(await world.admin.slash(world.channel, "realbot stats"))
    resumed = await world.admin.slash(world.channel, "realbot resume")
    assert "Waiting now: 1" in said(resumed)
    await until(world.rig.pool.working)


async def test_the_line_of_the_server_is_cleared_after_a_question(world):
    assert "No request" in said(await world.admin.slash(world.channel, "realbot queue clear"))
    await world.ask(world.anna, "a frog")
    await until(world.rig.pool.working)
    for number in range(3):
        await world.ask(world.bert, f"frog {number}")
    asked = await world.admin.slash(world.channel, "realbot queue clear")
    assert asked.ephemeral
    kept = await world.admin.click(asked.response, custom_id=control(asked.response, "pb:realbot:keep"))
    assert "Nothing was cancelled" in said(kept)
    assert len(world.rig.studio.waiting(user(world.bert))) == 3
    asked = await world.admin.slash(world.channel, "realbot queue clear")
    await world.restart()
    done = await world.admin.click(asked.response, custom_id=control(asked.response, "pb:realbot:clear"))
    assert "Cancelled: 3 requests" in said(done)
    assert not world.rig.studio.waiting(user(world.bert))
    assert len(world.rig.studio.waiting(user(world.anna))) == 1


async def test_the_numbers_name_nobody(world):
    await world.paint(world.anna, "a secret canary", styles=(StyleUse("ink"),))
    await world.paint(world.bert, "a frog")
    text = said(await world.admin.slash(world.channel, "realbot stats"))
    assert "Pictures in 24 hours: 2" in text
    assert "People in 30 days: 2" in text
    assert "ink (1)" in text
    for part in ("canary", "anna", str(world.anna.id)):
        assert part not in text


async def test_the_numbers_say_what_is_not_as_it_should_be(world, simcord_bot):
    assert "Health: all is well" in said(await world.admin.slash(world.channel, "realbot stats"))
    simcord_bot.front.health = "Discord does not answer"
    world.rig.pool.die("one", "out of memory")
    text = said(await world.admin.slash(world.channel, "realbot stats"))
    assert "Health: Discord does not answer · The engine is not running: out of memory." in text


async def test_the_numbers_tell_when_everything_is_paused(world):
    await world.rig.studio.pause(None, user(world.admin))
    assert "State: paused" in said(await world.admin.slash(world.channel, "realbot stats"))


async def test_every_change_is_noted_with_who_did_it(world):
    await world.admin.slash(world.channel, "realbot limits", name="max_steps", value="30")
    (change,) = await world.rig.studio.audit(f"discord:{world.guild.id}")
    assert change.by == f"discord:{world.admin.id}"
    assert change.change == {"limits": {"max_steps": 30}}
