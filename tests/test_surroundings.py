"""Whatever the machine around it is set to: its language, its time zone, and how many files it lets a program open."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from realbot.errors import QueueFull
from realbot.jobs import Done
from studios import rig, until

SCRIPT = """
import asyncio, json, sys, tempfile
from pathlib import Path
from realbot.config import Settings
from realbot.grammar import parse
from realbot.jobs import Generate, Origin, User, key_of, to_json
from realbot.moderation import Rules
from realbot.styles import slug
from realbot.store import Store

async def kept():
    with tempfile.TemporaryDirectory() as folder:
        async with Store.open(Path(folder) / "data", lambda: 1e9) as store:
            user = User("cli", "me", "İpek Ünal")
            asked = Generate(prompt="İSTANBUL ISLAND ırmak straße", seed=1, width=64, height=64, steps=1)
            await store.put("job", user, asked, None, Origin("cli"), None, 1e9, lambda usage: None)
            row = await store.row("job")
            return [row.user.name, row.request.prompt, row.created]

told = {
    "parsed": to_json(parse("INK TITLE steps:30 guidance:3.5 style:INK:0.5 size:512x512")),
    "slug": [slug("INK"), slug("TITIAN")],
    "words": [Rules(("killing",)).check("KILLING"), Rules(("kilim",)).check("KILIM"), Rules(("title",)).check("tıtle")],
    "settings": str(Settings.load(None, {"REALBOT_LIMITS__COOLDOWN": "1.5"}).limits),
    "key": key_of(Generate(prompt="I i İ ı", seed=1), ""),
    "kept": asyncio.run(kept()),
}
sys.stdout.buffer.write(json.dumps(told).encode())
"""
PLACES = (
    {"LC_ALL": "C", "TZ": "UTC"},
    {"LC_ALL": "tr_TR.UTF-8", "TZ": "Europe/Istanbul"},
    {"LC_ALL": "C.UTF-8", "TZ": "Pacific/Chatham"},
    {"LC_ALL": "C", "TZ": "America/St_Johns", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LANG": "ja_JP.eucJP", "TZ": "nonsense/nowhere"},
)


def told(folder: Path, places: dict[str, str]) -> dict[str, object]:
    clean = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    script = folder / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, script], env={**clean, **places}, capture_output=True, cwd=folder, check=False
    )
    assert run.returncode == 0, run.stderr.decode("utf-8", "replace")[-2000:]
    answer: dict[str, object] = json.loads(run.stdout)
    return answer


def opened() -> int:
    """How many files this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_H17_language_and_time_zone_of_the_machine_change_nothing(tmp_path):
    usual = told(tmp_path, {"LC_ALL": "C.UTF-8", "TZ": "UTC"})
    assert usual["parsed"]["prompt"] == "INK TITLE"
    assert usual["words"][:2] == ["killing", "kilim"]
    assert usual["kept"] == ["İpek Ünal", "İSTANBUL ISLAND ırmak straße", 1e9]
    for places in PLACES:
        assert told(tmp_path, places) == usual, places


@pytest.mark.skipif(sys.platform != "linux", reason="open files are counted as Linux lists them")
async def test_H5_with_too_many_open_files_requests_are_refused_or_painted_and_it_recovers(tmp_path):
    """Whatever was accepted while nothing could be opened is painted once it can, and nothing stays open."""
    async with rig(tmp_path) as r:
        await r.paint("a lamp")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        open_before = opened()
        taken, refused = [], 0
        resource.setrlimit(resource.RLIMIT_NOFILE, (open_before, hard))
        try:
            for n in range(30):
                try:
                    taken.append(await asyncio.wait_for(r.ask(f"a boat {n}"), 10))
                except QueueFull:
                    refused += 1
            await asyncio.sleep(0.2)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert taken or refused == 30
        await until(lambda: not r.studio._endings.full)
        assert (await r.paint("a frog")).images
        for job in taken:
            async with asyncio.timeout(20):
                async for _ in job.watch():
                    pass
            assert isinstance(job.status, Done), job.status
        assert opened() <= open_before + 2
