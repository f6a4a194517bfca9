"""/realbot reload in a simulated Discord: for the owners of the bot alone, and it says what has changed."""

from __future__ import annotations

import re

import pytest
from simulated import said

from realbot.adapters.discord import place
from realbot.config import Settings
from studios import until


@pytest.fixture
def owner(monkeypatch):
    """Makes a person an owner of the bot."""
    owners: set[int] = set()
    monkeypatch.setattr(place, "owns", lambda _, person: person in owners)
    return lambda person: owners.add(int(person.id))


@pytest.fixture
def file(world, tmp_path):
    """The file that the settings come from."""
    path = tmp_path / "realbot.toml"
    path.write_text("[limits]\nper_day = 20\n")
    world.rig.studio.reload.settings = Settings.load(path, {})
    return path


async def test_P5_only_owners_of_the_bot_read_its_settings_anew(world, file):
    file.write_text("[limits]\nper_day = 10\n")
    answer = await world.admin.slash(world.channel, "realbot reload")
    assert "Only the owners of this bot" in said(answer)
    assert world.rig.studio.reload.settings.limits.per_day == 20


async def test_Q5_the_answer_says_what_changed_and_that_who_waits_keeps_the_place(world, file, owner):
    owner(world.admin)
    for prompt in ("a frog", "another frog", "a third frog"):
        await world.ask(world.anna, prompt)
    await until(world.rig.pool.working)
    file.write_text("[limits]\nper_day = 10\n[model]\nname = 'sdxl'\n[moderation]\nblocked = ['*gore*', '@everyone']\n")
    answer = await world.admin.slash(world.channel, "realbot reload")
    assert answer.ephemeral
    text = said(answer)
    assert "The settings were read anew" in text
    assert "`limits.per_day` 20 → **10**" in text
    assert r"`moderation.blocked` \[\] → **\[\"\*gore\*\", \"\@everyone\"\]**".replace(r"\"", '"') in text
    assert "2 waiting requests keep their places; new rules hold for new requests." in text
    assert "model.name takes effect after a restart." in text
    assert world.rig.studio.line() == (2, 1)
    (noted,) = await world.rig.studio.audit(None)
    assert noted.change == {"reloaded": ["limits.per_day", "moderation.blocked"]}
    assert noted.by == f"discord:{world.admin.id}"
    again = said(await world.admin.slash(world.channel, "realbot reload"))
    assert "Nothing has changed." in again
    assert "keep their places" not in again


async def test_Q6_what_is_wrong_is_told_with_its_line_and_the_old_settings_hold(world, file, owner):
    owner(world.admin)
    file.write_text("[limits]\nper_day = 10\nmax_stepz = 9\n")
    text = said(await world.admin.slash(world.channel, "realbot reload")).replace("\\", "")
    assert "The settings stay as they were" in text
    assert "Unknown setting limits.max_stepz (realbot.toml, line 3); did you mean limits.max_steps?" in text
    assert world.rig.studio.reload.settings.limits.per_day == 20
    await world.ask(world.anna, "a frog")


async def test_a_long_list_of_changes_is_cut(world, file, owner):
    owner(world.admin)
    rules = "\n".join(f'[override."discord:{n}".limits]\nmax_steps = {n}' for n in range(1, 31))
    file.write_text(f"[limits]\nper_day = 20\n{rules}\n")
    text = said(await world.admin.slash(world.channel, "realbot reload"))
    assert '`override."discord:20".limits.max_steps` none → **20**' in text
    assert "… and 10 more." in text


async def test_an_answer_with_long_values_fits_into_a_message(world, file, owner):
    owner(world.admin)
    words = [f"*{'_' * 30}{n}" for n in range(10)]
    rules = "\n".join(f'[override."discord:{n}".moderation]\nblocked = {words}\nstripped = {words}' for n in range(30))
    file.write_text(f"[limits]\nper_day = 20\n{rules}\n")
    answer = await world.admin.slash(world.channel, "realbot reload")
    (embed,) = answer.response.embeds
    assert 2000 < len(embed.description) <= 4096
    assert re.search(r"… and \d+ more", embed.description)
