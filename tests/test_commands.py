"""The program as a newcomer meets it: real processes, the bundled model, and one sentence for whatever is wrong."""

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path

import pyrage
import pytest
from PIL import Image

REALBOT = [sys.executable, "-W", "error::ResourceWarning", "-m", "realbot"]
ASKED = "a red apple on a blue background steps:8"


def realbot(*arguments: str, cwd: Path, timeout: float = 240, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("REALBOT_")}
    return subprocess.run(
        [*REALBOT, *arguments],
        cwd=cwd,
        env=kept | environ,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def refused(done: subprocess.CompletedProcess[str], *words: str, code: int = 2) -> str:
    """The one sentence of a refusal: on standard error, without a traceback, with these words."""
    said = done.stderr + done.stdout
    assert done.returncode == code, said
    assert "Traceback" not in said
    for word in words:
        assert word in said, said
    return said


def middle(path: Path) -> tuple[float, float, float]:
    """Mean colour of a picture's border."""
    image = Image.open(path).convert("RGB")
    border = [image.crop((0, 0, image.width, 8)), image.crop((0, image.height - 8, image.width, image.height))]
    pixels = [p for part in border for p in part.get_flattened_data()]
    return tuple(sum(p[i] for p in pixels) / len(pixels) for i in range(3))  # type: ignore[return-value]


def test_imagine_paints_what_was_asked_and_says_how(tmp_path: Path) -> None:
    done = realbot("imagine", ASKED, "seed:7", "-o", "apple.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    red, green, blue = middle(tmp_path / "apple.png")
    assert blue > red + 60
    assert blue > green + 30
    assert "apple.png" in done.stdout
    assert "seed 7" in done.stdout
    assert "a red apple on a blue background" in done.stdout
    assert "steps:8" in done.stdout

    again = realbot("imagine", ASKED, "seed:7", "-o", "again.png", cwd=tmp_path)
    assert again.returncode == 0
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "apple.png").read_bytes()

    fresh = realbot("imagine", ASKED, "seed:7", "-o", "fresh.png", cwd=tmp_path, REALBOT_PATHS__DATA="elsewhere")
    assert fresh.returncode == 0
    assert (tmp_path / "fresh.png").read_bytes() == (tmp_path / "apple.png").read_bytes()

    styled = realbot("imagine", ASKED, "seed:7 style:realism", "-o", "styled.png", cwd=tmp_path)
    assert styled.returncode == 0
    assert (tmp_path / "styled.png").read_bytes() != (tmp_path / "apple.png").read_bytes()

    listed = realbot("history", cwd=tmp_path)
    assert listed.returncode == 0
    assert "realism" in listed.stdout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a cat steps:9000", ("steps", "9000", "100")),
        ("a cat steps:many", ("steps", "many")),
        ("a cat style:realsim", ("realsim", "realism")),
        ("a cat scheduler:euler-a", ("euler-a", "euler")),
        ("a cat size:100x130", ("16",)),
        ("a cat size:8000x8000", ("8000",)),
        ("a cat --stepz 5", ("stepz", "steps")),
        ("a cat count:99", ("count", "99")),
        ("", ("prompt",)),
    ],
)
def test_a_wrong_request_is_one_sentence(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    done = realbot("imagine", text, cwd=tmp_path)
    assert "Traceback" not in done.stderr + done.stdout
    assert done.returncode != 0
    for word in words:
        assert word in (done.stdout + done.stderr).replace("\n", " "), done.stdout + done.stderr


def test_wrong_settings_are_one_sentence_and_exit_2(tmp_path: Path) -> None:
    (tmp_path / "realbot.toml").write_text("[limits]\nper_dya = 3\n")
    refused(realbot("run", cwd=tmp_path), "per_dya", "per_day")
    (tmp_path / "realbot.toml").write_text("[model]\nname = 'flux-def'\n")
    refused(realbot("run", cwd=tmp_path), "flux-def", "flux-dev")
    (tmp_path / "realbot.toml").write_text(f"[model]\nname = 'flux-dev'\npath = '{tmp_path}/nothing'\n")
    refused(realbot("run", cwd=tmp_path), "nothing")


def test_D14_a_corrupt_database_is_refused(tmp_path: Path) -> None:
    assert realbot("history", cwd=tmp_path).returncode == 0
    with sqlite3.connect(next((tmp_path / "data").glob("*.db*"))) as db:
        db.execute("PRAGMA journal_mode = DELETE")
    db.close()
    file = next(p for p in (tmp_path / "data").iterdir() if p.suffix in (".db", ".sqlite", ".sqlite3"))
    content = bytearray(file.read_bytes())
    content[4096:8192] = os.urandom(4096)
    file.write_bytes(content)
    refused(realbot("history", cwd=tmp_path), "database")


def test_D16_a_second_process_on_the_folder_is_refused_and_a_taken_port_too(tmp_path: Path) -> None:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
    kept = {k: v for k, v in os.environ.items() if not k.startswith("REALBOT_")} | {"REALBOT_WEB__PORT": str(port)}
    with subprocess.Popen(
        [*REALBOT, "run"], cwd=tmp_path, env=kept, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as first:
        try:
            for _ in range(600):
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as page:
                        assert page.status == 200
                    break
                except OSError:
                    assert first.poll() is None, first.stdout and first.stdout.read()
                    time.sleep(0.1)
            refused(realbot("imagine", "a cat", cwd=tmp_path), "data")
            refused(
                realbot("run", cwd=tmp_path, REALBOT_PATHS__DATA="other", REALBOT_WEB__PORT=str(port)),
                str(port),
                "web.port",
            )
            began = time.monotonic()
            first.send_signal(signal.SIGTERM)
            first.wait(20)
            # D11: a service manager waits for ten seconds.
            assert time.monotonic() - began < 10
            assert first.returncode == 0
        finally:
            first.kill()
        assert first.stdout is not None
        assert "Traceback" not in first.stdout.read()


def test_settings_masks_secrets_and_names_origins(tmp_path: Path) -> None:
    done = realbot("settings", cwd=tmp_path, REALBOT_WEB__PASSWORD="canary-word-91", REALBOT_LIMITS__PER_DAY="20")
    assert done.returncode == 0
    assert "canary-word-91" not in done.stdout + done.stderr
    assert re.search(r"limits\.per_day\s+20\s+environment", done.stdout)


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, realbot.__main__\n"
        "heavy = {'torch', 'diffusers', 'gradio', 'discord', 'telegram', 'pydantic', 'aiosqlite'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_P19_H7_H8_H9_a_copy_is_made_tried_checked_and_put_back(tmp_path: Path) -> None:
    refused(realbot("backup", cwd=tmp_path), "There is no database in data")
    assert not (tmp_path / "data").exists()
    painted = realbot("imagine", ASKED, "seed:7", "-o", "apple.png", cwd=tmp_path)
    assert painted.returncode == 0
    assert (tmp_path / "apple.png").stat().st_mode & 0o044, "it is for whoever asked"
    key = pyrage.x25519.Identity.generate()
    (tmp_path / "key.txt").write_text(f"{key}\n")
    recipients = {"REALBOT_BACKUP__RECIPIENTS": str(key.to_public())}
    for environ in ({}, recipients):
        made = realbot("backup", "copies", "--pictures", "--json", cwd=tmp_path, **environ)
        assert made.returncode == 0, made.stderr
        assert json.loads(made.stdout)["files"] == 1
    (plain,), (sealed,) = ((tmp_path / "copies").glob(f"realbot-*{ending}") for ending in (".db", ".age"))
    assert realbot("imagine", ASKED, "seed:8", "-o", "pear.png", cwd=tmp_path).returncode == 0
    assert realbot("check", cwd=tmp_path).returncode == 0
    for path in tmp_path.joinpath("data", "pictures").rglob("*.png"):
        path.write_bytes(b"damaged")
    wrong = realbot("check", "--json", cwd=tmp_path)
    assert wrong.returncode == 1
    report = json.loads(wrong.stdout)
    assert not report["well"]
    assert "2 are damaged" in next(one["said"] for one in report["findings"] if one["part"] == "pictures")
    refused(realbot("restore", str(sealed), cwd=tmp_path), "--identity")
    began = time.monotonic()
    back = realbot("restore", str(sealed), "--identity", "key.txt", cwd=tmp_path)
    assert back.returncode == 0, back.stderr
    assert time.monotonic() - began < 300
    assert "Lost: 1 request since" in back.stdout
    assert "with 1 request." in back.stdout
    shutil.copytree(tmp_path / "copies", tmp_path / "data" / "backups")
    # What was painted after the copy belongs to nothing now; what is damaged is beside the copies.
    mended = realbot("check", "--repair", "--identity", "key.txt", cwd=tmp_path)
    assert mended.returncode == 0, mended.stdout
    assert len(list((tmp_path / "data" / "pictures").rglob("*.png"))) == 1
    assert realbot("restore", str(plain), cwd=tmp_path).returncode == 0
    again = realbot("imagine", ASKED, "seed:7", "-o", "again.png", cwd=tmp_path)
    assert "from before" in again.stdout or (tmp_path / "again.png").exists()
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "apple.png").read_bytes()
    for path in (tmp_path / "data").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_P12_P16_P21_whoever_runs_it_hands_out_and_deletes_what_is_kept_of_a_person(tmp_path: Path) -> None:
    assert realbot("imagine", ASKED, "steps:2", "-o", "apple.png", cwd=tmp_path).returncode == 0
    refused(realbot("export", "Ann", cwd=tmp_path), "nobody", "discord:123")
    saved = realbot("export", "cli:local", cwd=tmp_path)
    assert saved.returncode == 0, saved.stderr
    archive = tmp_path / "realbot-cli-local.zip"
    assert archive.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(archive) as told:
        assert len(told.namelist()) == 2
    refused(realbot("export", "cli:local", "-o", "none/x.zip", cwd=tmp_path), "none/x.zip cannot be written")
    assert list((tmp_path / "data" / "exports").iterdir()) == []
    kept = realbot("erase", "cli:local", "--confirm", "cli:loca", cwd=tmp_path)
    assert (kept.returncode, kept.stdout) == (1, "Nothing is deleted.\n")
    gone = realbot("erase", "cli:local", "--confirm", "cli:local", cwd=tmp_path)
    assert gone.returncode == 0, gone.stderr
    assert "Deleted: 1 request, and everything else." in gone.stdout
    again = realbot("erase", "cli:local", "--confirm", "cli:local", cwd=tmp_path)
    assert (again.returncode, again.stderr) == (2, "realbot: Nothing is kept of cli:local.\n")
    assert "red apple" not in realbot("history", cwd=tmp_path).stdout
    assert list((tmp_path / "data" / "pictures").rglob("*.png")) == []
