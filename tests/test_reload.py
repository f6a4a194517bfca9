"""Settings that change while realbot runs: what takes effect and how, what is refused, and that nobody loses a job."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pupils import lesson
from realbot.config import Settings
from realbot.errors import OverQuota
from realbot.jobs import Done, Origin, User, Waiting
from realbot.reload import Change, Outcome, Reload
from studios import ANNA, Rig, end, rig, until
from wrong import WRONG

TOKEN = "canary-7f3a"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "realbot.toml"
    path.write_text("[limits]\nper_day = 20\nwaiting_per_user = 1000\n[queue]\nwaiting_total = 5000\n")
    return path


@asynccontextmanager
async def running(folder: Path, file: Path, **options: object) -> AsyncIterator[Rig]:
    """A studio with the settings of a file."""
    async with rig(folder, hand=True, **options) as r:
        loaded = Settings.load(file, {})
        r.studio.reload.settings = loaded
        r.studio.configure(loaded)
        yield r


def keys(changes: tuple[Change, ...]) -> list[tuple[str, str, str]]:
    return [(one.key, one.old, one.new) for one in changes]


async def test_Q5_new_limits_hold_for_new_requests_and_who_waits_keeps_the_place(tmp_path, file):
    async with running(tmp_path, file) as r:
        jobs = [await r.ask(f"frog {n}") for n in range(4)]
        await until(r.pool.working)
        file.write_text("[limits]\nper_day = 2\nwaiting_per_user = 1\n[queue]\nwaiting_total = 1\n")
        outcome = await r.studio.reload.now()
        assert keys(outcome.changes) == [
            ("queue.waiting_total", "5000", "1"),
            ("limits.waiting_per_user", "1000", "1"),
            ("limits.per_day", "20", "2"),
        ]
        assert (outcome.pending, outcome.trouble) == ((), "")
        with pytest.raises(OverQuota):
            await r.ask("one more")
        for job in jobs:
            r.pool.finish()
            assert isinstance(await end(job), Done)
            await until(lambda job=job: r.pool.working() or job is jobs[-1])
        assert r.pool.jobs == [job.id for job in jobs]


async def test_the_order_of_the_line_changes_and_nobody_leaves_it(tmp_path, file):
    bert = User("web", "bert", "Bert")
    async with running(tmp_path, file) as r:
        await r.ask("painted now")
        await until(r.pool.working)
        waiting = [await r.ask("a1"), await r.ask("a2"), await r.ask("b1", bert)]
        assert [place.job for place in r.studio._line] == [job.id for job in waiting]
        file.write_text("[queue]\norder = 'round_robin'\n")
        await r.studio.reload.now()
        assert [place.job for place in r.studio._line] == [waiting[n].id for n in (2, 0, 1)]
        await until(lambda: isinstance(waiting[2].status, Waiting) and waiting[2].status.position == 1)


async def test_what_needs_a_restart_is_named_and_stays_as_it_is(tmp_path, file):
    secret = tmp_path / "token"
    secret.write_text(TOKEN)
    secret.chmod(0o600)
    telegram = f"[telegram]\ntoken_file = '{secret}'\nowners = [1]\n"
    file.write_text(f"{telegram}[engine]\nhang_seconds = 30\n")
    reload = Reload(Settings.load(file, {}))
    heard: list[tuple[Settings, Settings]] = []
    reload.listeners.append(lambda old, new: heard.append((old, new)))
    secret.write_text("another-one")
    added = "api_base = 'https://example.org'\n[web]\nport = 1\n[model]\nname = 'sdxl'\n"
    file.write_text(f"{telegram.replace('[1]', '[1, 2]')}{added}[engine]\nhang_seconds = 9\npreviews = false\n")
    outcome = await reload.now()
    assert outcome.pending == ("model.name", "engine.hang_seconds", "telegram.token", "telegram.api_base", "web")
    assert keys(outcome.changes) == [("engine.previews", "true", "false"), ("telegram.owners", "[1]", "[1, 2]")]
    now = reload.settings
    assert (now.model.name, now.engine.hang_seconds, now.web) == ("mini", 30, None)
    assert now.telegram.token.get_secret_value() == TOKEN
    assert now.telegram.api_base == "https://api.telegram.org"
    assert (now.telegram.owners, now.engine.previews) == ((1, 2), False)
    assert [(old.telegram.owners, new.telegram.owners) for old, new in heard] == [((1,), (1, 2))]
    assert reload.pending == outcome.pending
    assert "another-one" not in repr(outcome) + repr(reload.settings)
    # It is still so at the next reading, and not any more once it is taken back.
    assert await reload.now() == Outcome((), outcome.pending)
    secret.write_text(TOKEN)
    file.write_text(f"{telegram}")
    assert (await reload.now()).pending == ()


async def test_what_is_loaded_once_needs_a_restart_though_the_rest_of_its_section_does_not(file):
    reload = Reload(Settings.load(file, {}))
    file.write_text("[safety]\nchecker = 'opennsfw'\nsuspect = 0.4\n")
    outcome = await reload.now()
    assert outcome.pending == ("safety.checker",)
    assert (reload.settings.safety.checker, reload.settings.safety.suspect) == ("off", 0.4)


async def test_a_model_that_there_is_not_is_found_before_the_restart(file):
    reload = Reload(Settings.load(file, {}))
    file.write_text("[model]\nname = 'flux-def'\n[limits]\nper_day = 1\n")
    assert "flux-dev" in (await reload.now()).trouble
    assert reload.settings.limits.per_day == 20


async def test_a_training_begins_when_its_hours_are_opened(tmp_path, file):
    async with running(tmp_path, file) as r:
        hour = time.localtime().tm_hour
        rest = "[limits]\nwaiting_per_user = 9\n[training]\nroles = ['everyone']\n"
        file.write_text(f"{rest}hours = '{(hour + 8) % 24}-{(hour + 9) % 24}'\n")
        await r.studio.reload.now()
        training = await lesson(r)
        await until(lambda: isinstance(training.status, Waiting) and training.status.until is not None)
        assert r.pool.working() is None
        file.write_text(f"{rest}hours = ''\n")
        await r.studio.reload.now()
        await until(r.pool.working)
        assert r.pool.works[-1].key.job == training.id


async def test_overrides_come_go_and_change(tmp_path, file):
    here, elsewhere = Origin("discord", "10", server="1"), Origin("discord", "20", server="2")
    async with running(tmp_path, file) as r:
        place = '[override."discord:1".limits]\nmax_steps = {}\n'
        file.write_text(place.format(7))
        outcome = await r.studio.reload.now()
        assert ('override."discord:1".limits.max_steps', "", "7") in keys(outcome.changes)
        assert r.studio.limits(ANNA, here).max_steps == 7
        assert r.studio.limits(ANNA, elsewhere).max_steps == 100
        file.write_text(place.format(9))
        assert keys((await r.studio.reload.now()).changes) == [('override."discord:1".limits.max_steps', "7", "9")]
        assert r.studio.limits(ANNA, here).max_steps == 9
        file.write_text("")
        await r.studio.reload.now()
        assert r.studio.limits(ANNA, here).max_steps == 100


async def test_what_places_have_settled_holds_on_as_far_as_it_goes_with_the_new_settings(tmp_path, file, caplog):
    here, admin = Origin("discord", "10", server="1"), User("discord", "1", "Admin")
    async with running(tmp_path, file) as r:
        await r.studio.rule("discord:1", admin, limits={"min_side": 512, "max_side": 800, "max_steps": 5})
        file.write_text('[override."discord:1".limits]\nmax_side = 256\n')
        await r.studio.reload.now()
        limits = r.studio.limits(ANNA, here)
        assert (limits.min_side, limits.max_side, limits.max_steps) == (64, 256, 5)
        assert "the rule min_side of discord:1 is left out" in caplog.text
        file.write_text("")
        await r.studio.reload.now()
        assert r.studio.limits(ANNA, here).min_side == 512


async def test_a_part_that_cannot_take_the_new_settings_keeps_everyone_at_the_old_ones(file, caplog):
    reload = Reload(Settings.load(file, {}))
    held = {}
    reload.listeners.append(lambda _, new: held.update(per_day=new.limits.per_day))

    def broken(_: Settings, new: Settings) -> None:
        if new.limits.per_day == 1:
            raise ValueError("a part that does not go on")

    reload.listeners.append(broken)
    file.write_text("[limits]\nper_day = 1\n")
    assert "could not be taken over" in (await reload.now()).trouble
    assert (held["per_day"], reload.settings.limits.per_day) == (20, 20)
    assert "a part that does not go on" in caplog.text
    file.write_text("[limits]\nper_day = 2\n")
    assert (await reload.now()).trouble == ""
    assert (held["per_day"], reload.trouble) == (2, "")


async def test_Q6_X12_whatever_is_wrong_with_a_file_the_old_settings_hold_and_the_bot_answers(tmp_path, file):
    async with running(tmp_path, file) as r:
        before = r.studio.reload.settings
        for text, _, line, says in WRONG:
            file.write_bytes(text if isinstance(text, bytes) else text.encode())
            outcome = await r.studio.reload.now()
            assert re.search(says, outcome.trouble), (text, outcome.trouble)
            assert f"line {line}" in outcome.trouble or not line
            assert (outcome.changes, outcome.pending) == ((), ())
            assert r.studio.reload.trouble == outcome.trouble
            assert r.studio.reload.settings is before
            assert r.studio.limits(ANNA).per_day == 20
        job = await r.ask("a frog")
        await until(r.pool.working)
        r.pool.finish()
        assert isinstance(await end(job), Done)
        file.write_text("[limits]\nper_day = 3\n")
        assert (await r.studio.reload.now()).trouble == r.studio.reload.trouble == ""
        assert r.studio.limits(ANNA).per_day == 3


# The files


@asynccontextmanager
async def watched(reload: Reload) -> AsyncIterator[asyncio.Event]:
    asked = asyncio.Event()
    task = asyncio.create_task(reload.watch(asked, 0.02))
    try:
        yield asked
    finally:
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_file_that_changes_is_read_anew_and_one_that_does_not_is_left_alone(file, caplog):
    caplog.set_level(logging.INFO)
    reload = Reload(Settings.load(file, {}))
    async with watched(reload):
        await asyncio.sleep(0.2)
        assert "read anew" not in caplog.text
        file.write_text("[limits]\nper_day = 3\n")
        await until(lambda: reload.settings.limits.per_day == 3)
        # As editors save: another file takes the name.
        other = file.with_suffix(".new")
        other.write_text("[limits]\nper_day = 4\n")
        other.replace(file)
        await until(lambda: reload.settings.limits.per_day == 4)
        file.unlink()
        await until(lambda: "cannot be read" in reload.trouble)
        assert reload.settings.limits.per_day == 4
        file.write_text("[limits]\nper_day = 5\n")
        await until(lambda: reload.settings.limits.per_day == 5)
        assert reload.trouble == ""


async def test_a_config_map_that_kubernetes_exchanges_is_noticed(tmp_path):
    def version(name: str, per_day: int) -> None:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "realbot.toml").write_text(f"[limits]\nper_day = {per_day}\n")
        os.utime(folder / "realbot.toml", (1, 1))
        (tmp_path / "..tmp").symlink_to(name)
        (tmp_path / "..tmp").replace(tmp_path / "..data")

    version("..1", 1)
    (tmp_path / "realbot.toml").symlink_to("..data/realbot.toml")
    reload = Reload(Settings.load(tmp_path / "realbot.toml", {}))
    async with watched(reload):
        version("..2", 2)
        await until(lambda: reload.settings.limits.per_day == 2)


async def test_a_file_that_was_not_there_at_the_start_is_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    reload = Reload(Settings.load(environ={}))
    async with watched(reload):
        Path("realbot.toml").write_text("[limits]\nper_day = 6\n")
        await until(lambda: reload.settings.limits.per_day == 6)


async def test_a_secret_is_noticed_when_it_comes_later_than_the_settings_that_name_it(tmp_path, file):
    secret = tmp_path / "password"
    reload = Reload(Settings.load(file, {}))
    async with watched(reload):
        file.write_text(f"[web]\nadmin_password_file = '{secret}'\n[limits]\nper_day = 7\n")
        await until(lambda: "admin_password_file" in reload.trouble)
        assert reload.settings.limits.per_day == 20
        secret.write_text("a long password")
        await until(lambda: reload.settings.limits.per_day == 7)
        assert reload.pending == ("web.admin_password", "web.admin_password_file")


async def test_half_a_file_is_not_taken_for_the_whole(file):
    reload = Reload(Settings.load(file, {}))
    async with watched(reload) as asked:
        whole = "[limits]\nper_day = 20\nwaiting_per_user = 8\n"
        seen = set()
        reload.listeners.append(lambda _, new: seen.add((new.limits.per_day, new.limits.waiting_per_user)))
        for _ in range(3):
            with file.open("w") as writing:
                for line in whole.splitlines(keepends=True):
                    writing.write(line)
                    writing.flush()
                    asked.set()
                    await asyncio.sleep(0.03)
        await until(lambda: reload.settings.limits.waiting_per_user == 8)
    assert seen == {(20, 8)}


async def test_settings_that_came_through_a_pipe_are_not_read_again_as_an_empty_file(tmp_path):
    pipe = tmp_path / "realbot.toml"
    os.mkfifo(pipe)
    writing = asyncio.create_task(asyncio.to_thread(pipe.write_text, "[limits]\nper_day = 20\n"))
    reload = Reload(await asyncio.to_thread(Settings.load, pipe, {}))
    await writing
    assert reload.settings.limits.per_day == 20
    async with watched(reload):
        await asyncio.sleep(0.2)
        assert reload.trouble == ""
        assert "start realbot anew" in (await reload.now()).trouble
        await asyncio.sleep(0.2)
    assert reload.settings.limits.per_day == 20


async def test_the_same_trouble_is_logged_once(file, caplog):
    reload = Reload(Settings.load(file, {}))
    async with watched(reload):
        file.write_text("[limits]\nper_dya = 3\n")
        await until(lambda: reload.trouble)
        await asyncio.sleep(0.3)
    assert caplog.text.count("did you mean limits.per_day") == 1


async def test_settings_that_come_from_no_file_are_read_as_they_are():
    reload = Reload(Settings())
    assert await reload.now() == Outcome()
