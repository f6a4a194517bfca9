"""What goes to standard error: no token in any form, whoever logs it, and no address of every request."""

from __future__ import annotations

import io
import json
import logging
import sys
from urllib.parse import quote

import pytest

from realbot import logs

TELEGRAM = "7000000001:AAMadeUpForTheseTests_0123456789-ab"
DISCORD = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA.MadeUp.for_these_tests_0123456789_abcdef"


@pytest.fixture
def said(monkeypatch):
    """Logging as the program configures it; what came out so far."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    quiet = {name: logging.getLogger(name).level for name in logs.QUIET}
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    logs.configure([TELEGRAM, "a-password"])
    yield stream.getvalue
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
    assert token not in said()
    assert token[-30:] not in said()
    lines = [json.loads(line) for line in said().splitlines()]
    assert len(lines) == 3
    assert all("[secret]" in json.dumps(line) for line in lines)
    assert "Traceback" in lines[2]["exc_info"]
    assert lines[2]["address"] == "/bot[secret]/"


def test_S1_secrets_of_the_settings_are_redacted(said):
    logging.getLogger("somebody").error("the word is a-password")
    assert json.loads(said())["message"] == "the word is [secret]"


def test_S1_libraries_that_log_every_address_are_quiet(said):
    for name in ("httpx", "httpcore.connection", "aiosqlite"):
        logging.getLogger(name).info("HTTP Request: POST https://example.org")
        logging.getLogger(name).debug("connect_tcp")
    assert said() == ""
    logging.getLogger("httpx").warning("something to know")
    assert "something to know" in said()


def test_what_is_no_token_stays(said):
    logging.getLogger("somebody").info("job 12345678 at 12:30, 1234567:short, MNO")
    assert json.loads(said())["message"] == "job 12345678 at 12:30, 1234567:short, MNO"
