"""/realbot training in a simulated Discord: administrators say who may train styles in their server."""

from __future__ import annotations

from dataclasses import replace

import pytest
from simcord import SetupError
from simulated import said, user

from realbot.jobs import Origin


def may(world, person, *roles: str) -> bool:
    """Whether somebody may train in this server."""
    where = Origin("discord", place=str(world.channel.id), server=str(world.guild.id))
    return world.rig.studio.may_train(replace(user(person), roles=frozenset(roles)), where)


async def test_roles_and_people_are_let_train_and_no_more(world):
    role = world.guild.create_role("Painters")

    async def settle(**options):
        return said(await world.admin.slash(world.channel, "realbot training", **options))

    assert "Administrators may train styles here, and nobody else." in await settle()
    told = await settle(action="allow", role=role, person=world.anna)
    assert f"<@&{role.id}>" in told
    assert f"<@{world.anna.id}>" in told
    assert may(world, world.anna)
    assert may(world, world.bert, str(role.id))
    assert not may(world, world.bert)
    assert f"<@{world.anna.id}>" not in await settle(action="deny", person=world.anna)
    assert not may(world, world.anna)
    assert "and nobody else" in await settle(action="reset")
    assert not may(world, world.bert, str(role.id))
    assert "Say who." in await settle(action="allow")


async def test_only_administrators_settle_it(world):
    with pytest.raises(SetupError):
        await world.anna.slash(world.channel, "realbot training", action="reset")
    (root,) = [one for one in await world.env.bot.tree.fetch_commands() if one.name == "realbot"]
    world.guild.set_command_permissions(root, {world.anna: True})
    answer = await world.anna.slash(world.channel, "realbot training", action="allow", person=world.anna)
    assert "manage this server" in said(answer)
    assert not may(world, world.anna)


async def test_the_limits_of_trainings_are_among_the_others(world):
    told = said(await world.admin.slash(world.channel, "realbot limits"))
    for name in ("training.max_pictures", "training.max_steps", "training.per_day", "training.per_person"):
        assert f"`{name}`" in told
    await world.admin.slash(world.channel, "realbot limits", name="training.max_steps", value="500")
    rules = world.rig.studio.settled(Origin("discord", server=str(world.guild.id)))["training"]
    assert rules.max_steps == 500


@pytest.mark.parametrize(
    ("roles", "told"), [(("everyone",), "Everybody may train"), (("owners",), "cannot be changed here")]
)
class TestSettledByWhoeverRunsTheBot:
    @pytest.fixture
    def sections(self, roles):
        return {"training": {"roles": roles}}

    async def test_it_is_told(self, world, told):
        assert told in said(await world.admin.slash(world.channel, "realbot training"))
