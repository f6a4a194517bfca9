"""What is written down: no token in any form, whoever logs it, one line for each thing, and a file that has an end."""

from __future__ import annotations

import ast
import io
import json
import logging
import re
import resource
import stat
import sys
import threading
import warnings
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

import pytest

from realbot import app, logs
from realbot.config import Settings
from realbot.errors import ConfigError
from realbot.rulebook import Log

TELEGRAM = "7000000001:AAMadeUpForTheseTests_0123456789-ab"
DISCORD = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA.MadeUp.for_these_tests_0123456789_abcdef"


@pytest.fixture
def said(monkeypatch):
    """Logging as the program configures it; what came out so far."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    quiet = {name: logging.getLogger(name).level for name in logs.QUIET}
    monkeypatch.setattr(logging, "raiseExceptions", True)
    stream = io.StringIO()

    def configure(*secrets: str, **log: object) -> None:
        monkeypatch.setattr(sys, "stderr", stream)
        logs.configure(secrets, Log(**log))

    stream.configure = configure
    configure(TELEGRAM, "a-password")
    yield stream
    for handler in root.handlers:
        handler.close()
    root.handlers, root.level = before, level
    for name, old in quiet.items():
        logging.getLogger(name).setLevel(old)


def raised(text: str) -> None:
    try:
        try:
            raise ValueError(f"https://api.telegram.org/bot{text}/getMe")
        except ValueError as error:
            raise KeyError(text) from error
    except KeyError:
        logging.getLogger("realbot").exception("failed", extra={"address": f"/bot{text}/"})


@pytest.mark.parametrize(
    "token",
    [TELEGRAM, quote(TELEGRAM), quote(TELEGRAM).replace("%3A", "%3a"), quote("123456:" + "x" * 35), DISCORD],
)
def test_S1_a_token_is_redacted_in_lines_tracebacks_and_extra_fields(said, token):
    logging.getLogger("somebody").info("POST https://api.telegram.org/bot%s/sendMessage", token)
    logging.getLogger("somebody").warning("%r", {"url": f"bot{token}"})
    raised(token)
    assert token not in said.getvalue()
    assert token[-30:] not in said.getvalue()
    lines = [json.loads(line) for line in said.getvalue().splitlines()]
    assert len(lines) == 3
    assert all("[secret]" in json.dumps(line) for line in lines)
    assert "Traceback" in lines[2]["traceback"]
    assert lines[2]["address"] == "/bot[secret]/"


def test_S1_secrets_of_the_settings_are_redacted(said):
    logging.getLogger("somebody").error("the word is a-password")
    assert json.loads(said.getvalue())["message"] == "the word is [secret]"


def test_S1_libraries_that_log_every_address_are_quiet(said):
    for name in ("httpx", "httpcore.connection", "aiosqlite"):
        logging.getLogger(name).info("HTTP Request: POST https://example.org")
        logging.getLogger(name).debug("connect_tcp")
    assert said.getvalue() == ""
    logging.getLogger("httpx").warning("something to know")
    assert "something to know" in said.getvalue()


def test_what_is_no_token_stays(said):
    logging.getLogger("somebody").info("job 12345678 at 12:30, 1234567:short, MNO")
    assert json.loads(said.getvalue())["message"] == "job 12345678 at 12:30, 1234567:short, MNO"


def test_lines_for_machines_have_the_same_fields(said):
    logging.getLogger("realbot.adapters.discord.courier").warning("job %s stays", "0123456789abcdef01234567")
    logging.getLogger("realbot.engine.process").info("engine: run %s failed", "0123456789abcdef01234567#2")
    logging.getLogger("telegram.ext").error("away", extra={"job": "", "engine": "local"})
    first, second, third = (json.loads(line) for line in said.getvalue().splitlines())
    assert list(first) == ["time", "level", "logger", "message", "job", "platform"]
    assert (first["level"], first["platform"]) == ("WARNING", "discord")
    assert first["job"] == second["job"] == "0123456789abcdef01234567"
    assert (third["job"], third["engine"], third["platform"]) == ("", "local", "telegram")
    age = datetime.now(UTC) - datetime.fromisoformat(first["time"])
    assert 0 <= age.total_seconds() < 60


EVIL = "a cat\n12:00:00 CRITICAL all is lost\x1b[2J\x07\u202e\u2028{0.__class__} %s"


@pytest.mark.parametrize("form", ["json", "plain"])
def test_X6_nobody_forges_a_line_or_moves_the_cursor(said, form):
    said.configure(format=form)
    logging.getLogger("somebody").info("prompt %s", EVIL)
    logging.getLogger("somebody").info(EVIL)
    try:
        raise ValueError(EVIL)
    except ValueError:
        logging.getLogger("somebody").exception("failed", extra={"detail": EVIL})
    text = said.getvalue()
    assert not set(text) & set("\x1b\x07\x7f\u202e\u2028")
    assert not any(line.startswith("12:00:00 CRITICAL") for line in text.split("\n"))
    if form == "json":
        assert len([json.loads(line) for line in text.splitlines()]) == 3
    else:
        own = [line for line in text.splitlines() if not line.startswith("  | ")]
        assert len(own) == 3
        assert own[0].endswith(r"prompt a cat\n12:00:00 CRITICAL all is lost\x1b[2J\x07\u202e\u2028{0.__class__} %s")
        assert "  | Traceback (most recent call last):" in text


@pytest.mark.parametrize("url", [
    "https://discord.com/api/v10/webhooks/123456789012345678/MadeUpForTheseTests0123456789abcdefghijklmnopqrstuvwxyz",
    "https://discord.com/api/v10/interactions/123456789012345678/" + "aW50ZXJhY3Rpb24" * 12 + "/callback",
])  # fmt: skip
def test_S3_addresses_that_discord_names_on_429_hold_no_token(said, url):
    """As discord.py's own clients for bots and for webhooks write it."""
    logging.getLogger("discord.http").warning(
        "We are being rate limited. %s %s responded with 429. Retrying in %.2f seconds.", "POST", url, 1.0
    )
    logging.getLogger("discord.webhook.async_").debug("%s %s with %s has returned status code %s", "POST", url, {}, 429)
    logging.getLogger("discord.webhook.async_").warning("Webhook ID %s is rate limited. %s", 1234, url)
    token = url.removesuffix("/callback").rpartition("/")[2]
    assert token[:40] not in said.getvalue()
    assert "responded with 429" in said.getvalue()


def test_S5_no_way_of_showing_the_settings_shows_a_secret(said):
    canary = "canary-in-the-settings-0123456789"
    chosen = Settings(
        discord={"token": canary},
        telegram={"token": canary, "webhook_url": "https://example.org", "webhook_secret": canary},
        web={"password": canary, "admin_password": canary},
    )
    assert set(chosen.secrets()) == {canary}
    log = logging.getLogger("somebody")
    said.configure()
    log.info("%s %r %s", chosen, chosen, chosen.model_dump())
    log.info(chosen.model_dump_json())
    log.info("%r %s", chosen.discord, vars(chosen.web))
    assert canary not in said.getvalue()
    assert "**********" in said.getvalue()


def test_S8_debug_is_off_and_told_of_at_the_start(said):
    logging.getLogger("discord.gateway").debug("For Shard ID None: WebSocket Event: {'content': 'a canary'}")
    assert "canary" not in said.getvalue()
    said.configure(TELEGRAM, level="debug")
    assert "log.level is debug" in said.getvalue()
    logging.getLogger("discord.gateway").debug("WebSocket Event: a canary with %s", TELEGRAM)
    assert "a canary with [secret]" in said.getvalue(), "whoever asks for it gets it, without tokens"


def test_the_level_changes_while_realbot_runs(said):
    log = logging.getLogger("realbot")
    said.configure(level="error")
    log.warning("one")
    said.configure(level="warning")
    log.warning("two")
    said.configure(level="error")
    log.warning("three")
    assert [json.loads(line)["message"] for line in said.getvalue().splitlines()] == ["two"]


def test_S9_the_file_has_an_end_and_only_realbot_reads_it(said, tmp_path):
    file = tmp_path / "deep" / "realbot.log"
    said.configure(TELEGRAM, file=file, file_mb=1, files=3)
    for number in range(50):
        logging.getLogger("somebody").info("%d %s %s", number, TELEGRAM, "x" * 100_000)
    found = sorted(file.parent.iterdir())
    assert [one.name for one in found] == ["realbot.log", "realbot.log.1", "realbot.log.2"]
    assert all(one.stat().st_size <= 1 << 20 for one in found)
    assert all(stat.S_IMODE(one.stat().st_mode) == 0o600 for one in found)
    last = json.loads(file.read_text().splitlines()[-1])
    assert last["message"].startswith("49 [secret] xxx")
    assert last["message"] in said.getvalue(), "standard error has it too"


def test_S9_a_disk_that_takes_nothing_stops_nobody_and_is_told_of_once(said):
    said.configure(file=Path("/dev/full"))
    for number in range(20):
        logging.getLogger("somebody").info("line %d", number)
    lines = [json.loads(line)["message"] for line in said.getvalue().splitlines()]
    assert [line for line in lines if line.startswith("line")] == [f"line {number}" for number in range(20)]
    assert [line for line in lines if "takes nothing" in line] == ["the log file /dev/full takes nothing: [Errno 28] "
                                                                   "No space left on device"]  # fmt: skip


def test_S9_lines_come_again_once_there_is_room(said, tmp_path):
    file = tmp_path / "realbot.log"
    said.configure(file=file)
    log = logging.getLogger("somebody")
    log.info("before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size, hard))
        log.info("no room")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    log.info("after")
    kept = [json.loads(line)["message"] for line in file.read_text().splitlines()]
    assert [line for line in kept if line in ("before", "no room", "after")] == ["before", "after"]
    assert "takes nothing" in said.getvalue()
    assert "takes lines again" in said.getvalue()


class Gone(io.StringIO):
    """A standard error whose disk is full or whose reader has left."""

    def write(self, text):
        raise BrokenPipeError(text)


def test_S9_a_standard_error_that_is_gone_stops_nobody(said, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "stderr", Gone())
    logs.configure([], Log(file=tmp_path / "realbot.log"))
    logging.getLogger("somebody").info("the file has it")
    assert "the file has it" in (tmp_path / "realbot.log").read_text()


def test_a_file_that_cannot_be_opened_is_one_sentence_and_what_was_there_goes_on(said, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"log\.file: .* cannot be written: ") as caught:
        said.configure(file=tmp_path / "file" / "realbot.log")
    assert caught.value.key == "log.file"
    logging.getLogger("somebody").info("still here")
    assert "still here" in said.getvalue()


def test_P18_a_person_is_told_from_another_and_not_known():
    assert logs.alias("discord:1234") == logs.alias("discord:1234") != logs.alias("discord:1235")
    assert "1234" not in logs.alias("discord:1234")


def test_a_line_with_the_wrong_values_is_dropped_and_no_more(said):
    logging.raiseExceptions = False
    logging.getLogger("somebody").info("%d", "not a number")
    logging.getLogger("somebody").info("next")
    assert [json.loads(line)["message"] for line in said.getvalue().splitlines()] == ["next"]


@pytest.fixture
def hooks(monkeypatch):
    """What Python does with errors that nobody caught is put back afterwards."""
    for owner, name in ((sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook")):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    shown = warnings.showwarning
    yield
    logging.captureWarnings(False)
    warnings.showwarning = shown


def test_S4_a_crash_tells_no_secret(said, hooks):
    """Of the program, of a thread, and where nobody can catch it."""
    logs.capture()
    try:
        raise ValueError(f"https://api.telegram.org/bot{TELEGRAM}/getMe")
    except ValueError as error:
        sys.excepthook(ValueError, error, error.__traceback__)
        found = SimpleNamespace(exc_type=ValueError, exc_value=error, exc_traceback=None, err_msg=None, object=None)
        sys.unraisablehook(found)
        found.thread = None
        threading.excepthook(found)
    lines = [json.loads(line) for line in said.getvalue().splitlines()]
    assert [line["level"] for line in lines] == ["CRITICAL", "ERROR", "ERROR"]
    assert all("bot[secret]/getMe" in line["traceback"] for line in lines)
    assert TELEGRAM not in said.getvalue()


def test_warnings_are_lines_too(said, hooks):
    logs.capture()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("an old way", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(False)
    assert "an old way" in json.loads(said.getvalue())["message"]


#: What belongs to a person, as code calls it.
PERSONAL = re.compile(r"\b(prompt|negative|caption)\b|\buser\b|\.user\b|\bperson\b|\borigin\b|\.place\b|\.text\b")


def test_P18_no_line_above_debug_is_given_a_person_or_a_prompt():
    """Whoever must be told from another is told as an alias."""
    found = []
    for path in sorted(Path(logs.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(ast.Attribute(ast.Name("log"), verb), args, keywords) if verb != "debug":
                    values = [*args[1:], *(keyword.value for keyword in keywords)]
                    said = " ".join(ast.unparse(value) for value in values)
                    if PERSONAL.search(re.sub(r"alias\([^()]*\)|(job\.user|origin)\.platform|client\.user", "", said)):
                        found.append(f"{path.name}:{node.lineno}: {said}")
    assert found == []


def test_settings_that_are_read_anew_change_the_log_at_once(said):
    before = Settings(web={"password": "the-old-password"}, log={"level": "error"})
    after = Settings(web={"password": "the-new-password"}, log={"level": "info"})
    third = Settings(web={"password": "the-third-password"}, log={"level": "info"})
    said.configure("the-old-password", level="error")
    relogged = app._Relogged(before)
    relogged(before, after)
    relogged(after, third)
    logging.getLogger("somebody").info("the-old-password, the-new-password and the-third-password")
    assert json.loads(said.getvalue())["message"] == "[secret], [secret] and [secret]"
    relogged(third, third)
    with pytest.raises(ConfigError):
        relogged(third, Settings(log={"file": "/proc/no/such/folder/realbot.log"}))
    logging.getLogger("somebody").info("goes on")
    assert "goes on" in said.getvalue()
