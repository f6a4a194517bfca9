"""`realbot doctor`: whatever is wrong is found, told with its remedy, and never with a secret."""

from __future__ import annotations

import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from doctors import TOKEN, expect, findings, settings, told
from realbot import backups, database, doctor, host
from realbot.doctor import copies, folder, ports, program
from realbot.doctor.report import code, verdict
from realbot.findings import good, unwise, wrong
from realbot.sealed import Seal
from studios import rig

SURVEYED = {"torch": "2.13.0+cu130", "cuda": "13.0", "mps": False, "torchvision": "", "error": ""}
GPU = {"name": "NVIDIA H100", "free": 70 << 30, "total": 80 << 30}


@pytest.fixture
async def data(tmp_path):
    """A data folder in which pictures were painted."""
    async with rig(tmp_path) as bench:
        for number in range(3):
            await bench.paint(f"frog {number}", seed=number)
    return tmp_path / "data"


async def test_a_sound_folder_is_good_beside_a_realbot_that_runs(tmp_path):
    async with rig(tmp_path) as bench:
        await bench.paint("a frog")
        before = {path: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()}
        found = [*folder.folder(settings(tmp_path / "data"))]
        assert {one.verdict for one in found} == {"good"}, found
        assert "1 requests" in told(found, "database").said
        assert "1 of 1" in told(found, "pictures").said
        assert before == {path: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()}
        await bench.paint("another frog")


def test_the_process_that_holds_a_folder_is_named(data):
    hold = (
        "import sys; from pathlib import Path; from realbot.database import lock;"
        "kept = lock(Path(sys.argv[1])); print(1, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(data)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert f"process {process.pid}" in told([*folder.place(data)], "data folder").said
        process.communicate(b"\n")
    assert "no realbot runs" in told([*folder.place(data)], "data folder").said


async def test_a_folder_that_is_still_to_be_made_is_no_fault(tmp_path):
    assert [one.verdict for one in folder.folder(settings(tmp_path / "new"))] == ["good"]
    (tmp_path / "file").touch()
    expect(folder.folder(settings(tmp_path / "file" / "new")), "data folder", "wrong", "cannot be made", "mkdir -p")


async def test_H10_a_network_file_system(data, monkeypatch):
    monkeypatch.setattr(database, "filesystem", lambda _: "nfs4")
    expect(folder.folder(settings(data)), "data folder", "wrong", "network file system (nfs4)", "local disk")


async def test_a_folder_that_cannot_be_written(data, monkeypatch):
    def touch(path, *_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "touch", touch)
    expect(folder.place(data), "data folder", "wrong", "Read-only file system", "mount its disk writable")


async def test_others_who_can_read(data):
    data.chmod(0o755)
    expect(folder.place(data), "data folder", "unwise", "can enter", f"chmod 700 {data}")
    (data / database.NAME).chmod(0o644)
    expect(folder.records(data), "database", "unwise", "can read", "chmod 600")


@pytest.mark.parametrize(
    ("disk", "verdict", "said", "remedy"),
    [
        ({"f_bavail": 100 << 10}, "wrong", "no request is taken", "history_days"),
        ({"f_bavail": 1 << 20}, "unwise", "storage.tidy_mb", "before it is less"),
        ({"f_favail": 12}, "wrong", "Only 12 more files", "small files"),
        ({"f_files": 0, "f_favail": 0}, "good", "are free", ""),
    ],
)
def test_H3_H4_room_on_the_disk(tmp_path, monkeypatch, disk, verdict, said, remedy):
    whole = {"f_bavail": 1 << 30, "f_frsize": 1024, "f_files": 10**6, "f_favail": 10**6, **disk}
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(**whole))
    chosen = settings(tmp_path, storage={"free_mb": 512, "tidy_mb": 2048})
    expect(folder.room(tmp_path, chosen), "disk", verdict, said, remedy)


async def test_a_damaged_database(data):
    path = data / database.NAME
    raw = bytearray(path.read_bytes())
    raw[4096:9000] = os.urandom(9000 - 4096)
    path.write_bytes(raw)
    expect(folder.records(data), "database", "wrong", "damaged", "Put back a copy")


async def test_a_database_of_a_newer_realbot_and_of_an_older(data, monkeypatch):
    newest = max(database.steps())
    with sqlite3.connect(data / database.NAME) as db:
        db.execute(f"PRAGMA user_version = {newest + 1}")
    expect(folder.records(data), "database", "wrong", "newer realbot", "Upgrade realbot")
    with sqlite3.connect(data / database.NAME) as db:
        db.execute(f"PRAGMA user_version = {newest - 1}")
    expect(folder.records(data), "database", "good", f"brought to {newest}", "")


async def test_a_database_that_is_gone(data):
    (data / database.NAME).unlink()
    expect(folder.records(data), "database", "wrong", "gone or empty", "Put back a copy")


@pytest.mark.parametrize("harm", [lambda path: path.unlink(), lambda path: path.write_bytes(b"other")])
async def test_a_picture_that_is_not_what_it_was(data, harm):
    harm(next((data / "pictures").rglob("*.png")))
    expect(folder.records(data), "pictures", "wrong", "1 of 3", "realbot check")


async def test_copies_that_are_missing_old_or_damaged(data, monkeypatch):
    chosen = settings(data)
    expect(copies.copies(settings(data, backup={"hours": 0})), "copies", "unwise", "None are made", "backup.hours")
    expect(copies.copies(chosen), "copies", "unwise", "none in", "realbot backup")
    (data / "backups").mkdir()
    made = backups.make(data, data / "backups", Seal(()))
    expect(copies.copies(chosen), "copies", "good", "1 in", "")
    now = time.time()
    monkeypatch.setattr(copies, "time", SimpleNamespace(time=lambda: now + 100 * 3600))
    expect(copies.copies(chosen), "copies", "unwise", "100 hours old", "Start realbot")
    made.backup.path.write_bytes(made.backup.path.read_bytes()[:5000])
    expect(copies.copies(chosen), "copies", "wrong", "cannot be put back", "realbot backup")


@pytest.mark.parametrize(
    ("version", "verdict", "said"),
    [((3, 37, 2), "wrong", "too old"), ((3, 46, 1), "unwise", "WAL-reset"), ((3, 51, 3), "good", "")],
)
def test_H13_the_version_of_SQLite(monkeypatch, version, verdict, said):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    monkeypatch.setattr(sqlite3, "sqlite_version", ".".join(map(str, version)))
    expect(program.sqlite(), "SQLite", verdict, said, "" if verdict == "good" else "SQLite 3.")


def test_H11_who_runs_it(monkeypatch):
    monkeypatch.setattr(host, "contained", lambda: False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    expect(program.rights(), "user", "unwise", "root", "user of its own")
    assert "root" in host.caution()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    expect(program.rights(), "user", "good", "", "")
    assert host.caution() == ""


def test_H11_root_in_a_container_is_not_the_machine_s(tmp_path):
    assert not host.contained((tmp_path / "mark",))
    (tmp_path / "mark").touch()
    assert host.contained((tmp_path / "mark",))


def test_libraries_that_do_not_fit():
    have = {"realbot": "0.1.0", "torch": "2.1.0", "pillow": "12.3"}

    def version(name):
        if name not in have:
            raise program.metadata.PackageNotFoundError
        return have[name]

    required = ["torch>=2.13", "pillow>=12", "httpx>=0.28", "ruff>=1; extra == 'dev'"]
    expect(
        program.libraries(required, version), "libraries", "wrong",
        "torch 2.1.0 instead of >=2.13; httpx is not installed", "pip install",
    )  # fmt: skip
    assert program.libraries(["pillow>=12"], version).__next__().verdict == "good"


@pytest.mark.parametrize(
    ("survey", "device", "part", "verdict", "said", "remedy"),
    [
        ({"error": "libcudart.so.13: cannot open"}, "auto", "torch", "wrong", "libcudart", "pip install"),
        (
            {"torchvision": "operator torchvision::nms does not exist"},
            "auto",
            "torchvision",
            "wrong",
            "nms",
            "uninstall",
        ),
        ({"devices": []}, "cuda", "torch", "wrong", "model.device is cuda", "build for CUDA"),
        ({"devices": [GPU]}, "cuda:1", "torch", "wrong", "cuda:1", "auto"),
        ({"devices": []}, "mps", "torch", "wrong", "mps", "auto"),
        ({"devices": [], "device_error": "driver too old"}, "auto", "torch", "wrong", "driver too old", "driver"),
        ({"devices": []}, "auto", "torch", "unwise", "NVIDIA driver", "--gpus all"),
        ({"devices": [GPU]}, "auto", "torch", "good", "NVIDIA H100 with 80 GB", ""),
    ],
)
def test_torch_and_the_device(tmp_path, survey, device, part, verdict, said, remedy):
    (tmp_path / "version").touch()
    told_by = {**SURVEYED, "devices": [], **survey}
    expect(program.device(told_by, device, tmp_path / "version"), part, verdict, said, remedy)


def test_torch_is_asked_in_a_process_without_the_settings(monkeypatch):
    monkeypatch.setenv("REALBOT_DISCORD__TOKEN", TOKEN)
    show = "import json, os; print(json.dumps({'seen': [n for n in os.environ if 'REALBOT' in n]}))"
    assert program.torch([sys.executable, "-c", show]) == {"seen": []}
    assert "ended badly" in program.torch([sys.executable, "-c", "raise SystemExit('ended badly')"])["error"]
    slow = [sys.executable, "-c", "import time; time.sleep(9)"]
    assert "did not load" in program.torch(slow, seconds=0.3)["error"]


async def test_ports_that_are_free_taken_and_impossible(tmp_path):
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        port = door.getsockname()[1]
        chosen = settings(tmp_path, web={"port": port}, monitor={"port": port})
        for part, asked in (("web page", ports.page), ("monitor", ports.monitor)):
            finding = told([one async for one in asked(chosen, runs=False)], part)
            assert (finding.verdict, "Stop it, or set" in finding.remedy) == ("wrong", True), finding
    found = [one async for one in ports.page(chosen, runs=False)]
    expect(found, "web page", "good", "free", "")
    found = [one async for one in ports.monitor(chosen, runs=True)]
    expect(found, "monitor", "wrong", "Nothing listens", "restart")
    elsewhere = settings(tmp_path, web={"host": "203.0.113.7"})
    found = [one async for one in ports.page(elsewhere, runs=False)]
    expect(found, "web page", "wrong", "cannot be listened on", "web.host")


CONFIGURATIONS = {
    "typo": (
        "[limits]\nper_dya = 3\n",
        "Unknown setting limits.per_dya (realbot.toml, line 2); did you mean",
        "per_day",
    ),
    "range": ("[web]\nport = 99999\n", "web.port (realbot.toml, line 2)", "--template"),
    "syntax": ("[web\n", "not valid TOML", "--template"),
}


@pytest.mark.parametrize("fault", CONFIGURATIONS)
async def test_settings_that_cannot_be_read_are_a_finding_and_the_program_is_looked_at(tmp_path, monkeypatch, fault):
    text, said, more = CONFIGURATIONS[fault]
    (tmp_path / "realbot.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    found = await findings({})
    finding = told(found, "configuration")
    assert finding.verdict == "wrong"
    assert said in finding.said, finding
    assert more in finding.said + finding.remedy
    assert told(found, "libraries").verdict == "good"
    assert told(found, "the rest").verdict == "unwise"
    assert code(found) == 1


async def test_S6_a_secret_that_others_can_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "token").chmod(0o644)
    settings, found = doctor.configuration(None, {"REALBOT_DISCORD__TOKEN_FILE": str(tmp_path / "token")})
    expect(found, "secrets", "unwise", "other users can read", f"Run chmod 600 {tmp_path / 'token'}.")
    assert settings is not None


def test_a_page_that_everyone_can_use(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, found = doctor.configuration(None, {"REALBOT_WEB__HOST": "0.0.0.0"})
    expect([one for one in found if one.verdict != "good"], "configuration", "unwise", "everyone", "web.password")


def test_S5_nothing_that_is_told_holds_a_secret():
    redact = doctor.Redactor(["hunter2-hunter2"])
    said = doctor.clean(wrong("x", f"{TOKEN} and hunter2-hunter2\x1b[2J", "https://x/bot1234567:" + "A" * 35), redact)
    assert not re.search(r"hunter2|Gabcde|AAAA|\x1b", f"{said.said} {said.remedy}")


async def test_a_fault_of_the_doctor_is_a_finding_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(program, "torch", lambda: SURVEYED | {"devices": []})
    monkeypatch.setattr(folder, "folder", lambda _: 1 / 0)
    found = await findings({})
    expect(found, "data folder", "wrong", "ZeroDivisionError", "Report")
    assert told(found, "styles").verdict == "good"


def test_the_end_of_the_report():
    assert verdict([good("a", "")]) == "All is well."
    assert verdict([good("a", ""), unwise("b", "", "")]) == "Nothing is wrong; 1 thing could be better."
    assert (
        verdict([wrong("a", "", ""), wrong("b", "", ""), unwise("c", "", "")])
        == "2 things are wrong; 1 could be better."
    )


def test_the_command_beside_a_bad_configuration_and_as_JSON(tmp_path):
    (tmp_path / "realbot.toml").write_text("[telegram]\ntoken = 'x'\napi_base = 'http://127.0.0.1:9'\n")
    (tmp_path / "realbot.toml").chmod(0o600)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REALBOT_")}
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "realbot", "doctor", "--json"],
        cwd=tmp_path, env=kept, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    report = json.loads(done.stdout)
    assert (done.returncode, report["well"]) == (1, False), done.stderr
    parts = {one["part"]: one for one in report["findings"]}
    assert parts["Telegram"]["verdict"] == "wrong"
    assert parts["Telegram"]["remedy"]
    assert time.monotonic() - begun < 60
    assert not (tmp_path / "data").exists()
