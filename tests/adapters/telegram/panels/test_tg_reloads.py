"""/realbot reload on a loopback Telegram: for the owners of the bot alone, and it says what has changed."""

from __future__ import annotations

import pytest
from tg_panels import tap

from realbot.config import Settings
from studios import until


@pytest.fixture
def file(world, api, tmp_path):
    """The file that the settings come from."""
    path = tmp_path / "realbot.toml"
    path.write_text(written(api, world.root.id))
    world.studio.reload.settings = Settings.load(path, {})
    return path


def written(api, *owners: int, rest: str = "[limits]\nper_day = 20\n") -> str:
    return f"[telegram]\ntoken = '{api.token}'\napi_base = '{api.base}'\nowners = {list(owners)}\n{rest}"


async def test_P5_only_owners_of_the_bot_read_its_settings_anew(world, file, api):
    file.write_text(written(api, world.root.id, rest="[limits]\nper_day = 10\n"))
    for person, chat in ((world.carl, world.group), (world.carl, world.carl.chat), (world.anna, world.group)):
        answer = await person.ask(chat, "/realbot reload")
        assert "nly" in answer.words or "owners of this bot" in answer.words
        assert not answer.labels
    assert world.studio.reload.settings.limits.per_day == 20


async def test_P5_nobody_else_in_a_group_reads_what_changed(world, file, api):
    world.root.join(world.group)
    file.write_text(written(api, world.root.id, rest="[limits]\nper_day = 10\n"))
    answer = await world.root.ask(world.group, "/realbot reload")
    assert "private chat" in answer.words
    assert "per_day" not in answer.words
    assert world.studio.reload.settings.limits.per_day == 20


async def test_Q5_the_answer_says_what_changed_and_that_who_waits_keeps_the_place(world, file, api):
    for prompt in ("a frog", "another frog", "a third frog"):
        await world.ask(world.anna, prompt)
    await until(world.home.easel.working)
    rest = "[limits]\nper_day = 10\n[engine]\nthreads = 3\n[moderation]\nblocked = ['gore', '@everyone']\n"
    file.write_text(written(api, world.root.id, rest=rest))
    answer = await world.root.ask(world.root.chat, "/realbot reload")
    assert "The settings were read anew" in answer.words
    assert "limits.per_day  20 → 10" in answer.words
    assert ("code", '["gore", "@everyone"]') in answer.marks
    assert "2 waiting requests keep their places; new rules hold for new requests." in answer.words
    assert "engine.threads takes effect after a restart." in answer.words
    assert world.studio.line() == (2, 1)
    (noted,) = await world.studio.audit(None)
    assert noted.change == {"reloaded": ["limits.per_day", "moderation.blocked"]}
    assert noted.by == f"telegram:{world.root.id}"


async def test_a_button_reads_them_and_an_owner_who_was_added_may_at_once(world, file, api):
    shown = await world.root.ask(world.root.chat, "/realbot")
    file.write_text(written(api, world.root.id, world.carl.id))
    await tap(world.root, shown, "Read the settings anew")
    assert "telegram.owners" in shown.words
    answer = await world.carl.ask(world.carl.chat, "/realbot reload")
    assert "Nothing has changed." in answer.words
    file.write_text(written(api, world.carl.id))
    await tap(world.carl, answer, "Read the settings anew")
    pressed = await tap(world.root, shown, "Read the settings anew")
    assert pressed.alert
    assert "owners of this bot" in pressed.text


async def test_Q6_what_is_wrong_is_told_with_its_line_and_the_old_settings_hold(world, file, api):
    file.write_text(written(api, world.root.id, rest="[limits]\nper_day = 'many'\n"))
    answer = await world.root.ask(world.root.chat, "/realbot reload")
    assert "The settings stay as they were" in answer.words
    assert (
        "limits.per_day (realbot.toml, line 6) is 'many', it must be a whole number from 0 to 1000000." in answer.words
    )
    assert world.studio.reload.settings.limits.per_day == 20
    await world.ask(world.anna, "a frog")
