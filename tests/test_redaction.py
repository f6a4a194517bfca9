"""Secrets in every form in which a library may write them, and characters that no line may hold."""

from __future__ import annotations

import base64
import json
from html import escape
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realbot.redaction import CONTROL, HIDDEN, Redactor, printable

SECRET = 'pass "wörd"/%40 + <x>'
FORMS = {
    "plain": SECRET,
    "percent": quote(SECRET, safe=""),
    "percent in lowercase": quote(SECRET, safe="").replace("%C3", "%c3").replace("%B6", "%b6"),
    "path": quote(SECRET),
    "form": quote_plus(SECRET),
    "repr": repr(SECRET)[1:-1],
    "json": json.dumps(SECRET)[1:-1],
    "html": escape(SECRET),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_S2_a_secret_is_found_in_every_form(form):
    said = Redactor([SECRET])(f"GET https://user:{form}@example.org/ -> 401")
    assert form not in said
    assert HIDDEN in said
    assert said.endswith("@example.org/ -> 401")


@pytest.mark.parametrize("user", ["", "u", "us", "use", "admin"])
@pytest.mark.parametrize("secret", ["correct horse", "tr0ub4dor&3", "geheim?"])
def test_S2_a_password_in_a_basic_header_is_found_wherever_it_begins(user, secret):
    header = base64.b64encode(f"{user}:{secret}".encode()).decode()
    said = Redactor([secret])(f"sent {header} to the proxy")
    assert header not in said
    core = base64.b64encode(secret.encode()).decode()[: len(secret) - 2]
    assert core not in said


@pytest.mark.parametrize(
    "line",
    [
        "Authorization: Bot abcdefgh.ijklmn.opqrstu",
        "{'Authorization': 'Bearer abcdefgh.ijklmn.opqrstu'}",
        '{"authorization": "Basic abcdefghijklmnopqrstu="}',
        "(b'Authorization', b'Bot abcdefgh.ijklmn.opqrstu')",
        "X-Telegram-Bot-Api-Secret-Token: abcdefghijklmnopqrstu",
        "POST https://discord.com/api/v10/webhooks/123456789/abcdefgh_ijklmn-opqrstu responded with 429",
        "POST /api/v10/interactions/123456789/abcdefgh_ijklmn-opqrstu/callback",
        "{'id': '1234', 'token': 'abcdefgh_ijklmn-opqrstu', 'type': 2}",
        '{"session": {"access_token": "abcdefgh_ijklmn-opqrstu"}}',
        r'"message": "{\"secret\": \"abcdefgh_ijklmn-opqrstu\"}"',
        "GET https://example.org/hook?secret=abcdefgh_ijklmn-opqrstu&page=1",
        "AGE-SECRET-KEY-1ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "Cannot connect to proxy http://user:abcdefgh_ijklmn-opqrstu@proxy:3128",
        "hf_abcdefghijklmnopqrstuvwxyz",
    ],
)
def test_S3_what_has_the_place_of_a_secret_is_struck_out(line):
    said = Redactor()(line)
    assert HIDDEN in said
    for part in ("opqrstu", "OPQRSTU"):
        assert part not in said


def test_a_longer_secret_is_struck_out_whole():
    assert Redactor(["abcdef", "abcdefgh"])("x abcdefgh y") == f"x {HIDDEN} y"


def test_what_is_no_secret_stays():
    assert Redactor()("discord.token: Discord does not know this token; make a new one.").startswith("discord.token: D")
    text = "the webhook of job 0123456789abcdef01234567 answered 200 for /webhooks/12 in 3.5 s; authorization failed"
    assert Redactor(["geheim?"])(text) == text
    assert Redactor([""])(text) == text


@given(st.text())
def test_X6_a_printable_text_is_one_line_that_moves_no_cursor(text):
    said = printable(text)
    assert CONTROL.search(said) is None
    assert len(said.splitlines()) <= 1
    assert printable(said) == said


def test_X6_what_was_there_can_still_be_read():
    assert printable("a\nb\x1b[31mc\u202ed\u2028é") == r"a\nb\x1b[31mc\u202ed\u2028é"
