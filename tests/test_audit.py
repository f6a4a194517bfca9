"""`realbot audit` reads who changed what beside a running realbot, and every kind of change is a sentence."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from realbot.adapters import deeds, minutes, words
from realbot.audit import Change, read
from realbot.errors import ConfigError
from realbot.jobs import Generate, Origin, User
from studios import end, rig

ANN, BOSS = User("discord", "11", "Ann"), User("telegram", "90", "Boss")


async def audit(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    (folder / "realbot.toml").write_text(f"[paths]\ndata = {json.dumps(str(folder / 'data'))}\n", encoding="utf-8")
    command = [sys.executable, "-m", "realbot", "audit", *arguments]
    wide = {**os.environ, "COLUMNS": "200"}
    return await asyncio.to_thread(
        subprocess.run, command, cwd=folder, env=wide, capture_output=True, text=True, timeout=60, check=False
    )


async def test_the_command_reads_beside_a_running_realbot_and_changes_nothing(tmp_path: Path):
    async with rig(tmp_path) as r:
        await end(await r.studio.submit(BOSS, Generate(prompt="a cat", steps=2), Origin("telegram", "5")))
        await r.studio.rule("discord:1", BOSS, limits={"max_steps": 20})
        await r.studio.gate.ban(ANN, "discord:1", User("cli", "local"), reason="[bold]frogs[/bold]")
        await r.studio.pause(None, BOSS)
        shown = await audit(tmp_path)
        assert shown.returncode == 0, shown.stderr
        text = " ".join(shown.stdout.split())
        for part in (
            "Boss (telegram:90) paused the painting everywhere",
            "The terminal banned Ann (discord:11) for good: [bold]frogs[/bold]",
            "Boss (telegram:90) set max_steps to 20 in discord:1",
        ):
            assert " ".join(part.split()) in text, text
        told = json.loads((await audit(tmp_path, "--json", "--for", "discord:1", "--limit", "1")).stdout)
        assert [(one["place"], one["by"], one["change"]["person"]) for one in told] == [
            ("discord:1", "cli:local", ANN.key)
        ]
        await r.studio.resume(None, BOSS)


async def test_without_a_database_there_is_one_sentence(tmp_path: Path):
    failed = await audit(tmp_path)
    assert failed.returncode == 2
    assert "There is no database in" in failed.stderr
    assert "Traceback" not in failed.stderr
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / "realbot.db").write_bytes(b"no database at all, but long enough" * 100)
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path / "data", None, 10, time.time())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"limits": {"max_steps": 20, "cooldown": 1.5}}, "B set max_steps to 20; B set cooldown to 1.5"),
        ({"limits": {"max_steps": None}}, "B took max_steps back to what the bot's settings say"),
        ({"cache": {"enabled": False}}, "B set cache.enabled to false"),
        ({"moderation": {"blocked": ["gore", "canary"]}}, "B set moderation.blocked to 2 entries"),
        ({"moderation": {"blocked": ["gore"]}}, "B set moderation.blocked to 1 entry"),
        ({"moderation": {"adult": "never"}}, "B set moderation.adult to never"),
        ({"allowed": ["5"], "denied": []}, "B allowed pictures in 5 only"),
        ({"allowed": [], "denied": ["6", "7"]}, "B allowed pictures everywhere but in 6, 7"),
        ({"allowed": [], "denied": []}, "B allowed pictures in every channel"),
        ({"styles": ["ink"]}, "B allowed these styles only: ink"),
        ({"styles": []}, "B allowed every style"),
        ({"trainers": ["5"]}, "B lets 1 person or role train styles"),
        ({"trainers": []}, "B let nobody train styles but administrators"),
        ({"paused": True}, "B paused the painting"),
        ({"paused": False}, "B let the painting go on"),
        ({"cleared": 1}, "B cancelled 1 waiting request"),
        ({"cleared": 3}, "B cancelled 3 waiting requests"),
        ({"left": True}, "The bot was taken out of here"),
        ({"moved": "telegram:-5"}, "This group has another number since then"),
        ({"banned": 0, "person": "discord:5", "name": "Ann"}, "B banned Ann (discord:5) for good"),
        ({"banned": 0.1, "person": "discord:5", "name": "", "reason": "{x} {who}"},
         "B banned discord:5 until 1970-01-01 00:00 UTC: {x} {who}"),
        ({"lifted": True, "person": "a" * 64}, "B lifted the ban of somebody who had everything deleted"),
        ({"quota": "handed back", "person": "discord:5", "name": "Ann"}, "B handed the quota of Ann (discord:5) back"),
        ({"released": "f00"}, "B released a picture that was held back"),
        ({"upheld": "f00"}, "B decided that a picture stays held back"),
        ({"reloaded": ["limits.max_steps"]}, "B had the settings read anew"),
        ({"moderators": ["9"]}, "B has moderators asked in 9"),
        ({"something": {"deep": {"er": 1}}}, "B changed something.deep"),
        ({"something": "new"}, "B set something to new"),
        ({}, "B changed something"),
    ],
)  # fmt: skip
def test_every_kind_of_change_is_a_sentence_and_never_json(change, sentence):
    noted = Change(0.0, "discord:2", change, "*", 1, "")
    said = [str(minutes._sentence(deed, noted)) for deed in deeds.deeds(noted)]
    assert "; ".join(said).replace("discord:2", "B") == sentence


def test_what_a_place_takes_back_is_what_holds_for_everybody():
    noted = Change(0.0, "discord:2", {"limits": {"max_steps": None}}, "discord:1", 1, "")
    (deed,) = deeds.deeds(noted)
    assert str(minutes._sentence(deed, noted)) == "discord:2 took max_steps back to what it is for everybody"


@pytest.mark.parametrize(
    ("key", "name", "who"),
    [("", "", "Somebody"), ("cli:local", "", "The terminal"), ("web:admin", "", "The admin page"),
     ("web:x", "", "web:x"), ("discord:2", "Carl", "Carl (discord:2)")],
)  # fmt: skip
def test_who_did_it_is_told_also_where_nobody_has_a_name(key, name, who):
    noted = Change(0.0, key, {"restarted": "one"}, "*", 1, name)
    (deed,) = deeds.deeds(noted)
    assert str(minutes._sentence(deed, noted)) == f"{who} started the engine anew"


@pytest.mark.parametrize(
    ("seconds", "says"),
    [(-5, "just now"), (20, "just now"), (60, "1 minute ago"), (3000, "50 minutes ago"), (7300, "2 hours ago"),
     (30 * 3600, "30 hours ago"), (86_400 * 9, "9 days ago")],
)  # fmt: skip
def test_how_long_ago_something_was_is_told_in_round_numbers(seconds, says):
    assert deeds.ago(seconds) == says


def test_the_table_is_readable_at_eighty_columns(capsys):
    changes = [
        Change(time.time(), "discord:2", {"limits": {"max_steps": 20, "per_day": 10}}, "discord:1", 2, "Carl"),
        Change(time.time(), "", {"paused": True}, "*", 1, ""),
    ]
    with words.language("en"):
        minutes.shown(changes, Console(width=80, highlight=False))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[3].split()[-1] == "everywhere"
    assert "Somebody paused the painting" in lines[3]
