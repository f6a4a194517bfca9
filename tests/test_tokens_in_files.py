"""No token and no private key stands in a file of the project."""

from __future__ import annotations

import re
import secrets
import string
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: As Telegram and Discord make them.
TOKEN = re.compile(
    r"(?<!\d)\d{8,12}:[A-Za-z0-9_-]{35}(?![\w-])|[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}"
)
KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----|AGE-SECRET-KEY-1[0-9A-Z]{50}|(?<![\w-])(?:ghp|hf)_\w{30,}")
#: What stands in for one in tests and examples: it says so, or repeats itself.
DUMMY = re.compile(r"canary|secret|example|token|(.)\1{7}|abcdef|ABCDEF", re.I)


def found(text: str) -> list[str]:
    """Tokens of Discord and Telegram, and private keys, that nobody made up for a test."""
    tokens = [one for one in (match[0] for match in TOKEN.finditer(text)) if varied(one) and not DUMMY.search(one)]
    return tokens + [match[0] for match in KEY.finditer(text)]


def varied(token: str) -> bool:
    """Whether it is as random as a real one; an address and a row of names are not."""
    body = re.split(r"[:/.]", token)[-1]
    return len(set(body)) > 16 and bool(re.search(r"\d", body)) and bool(re.search(r"[A-Z]", body))


def test_S7_no_file_of_the_project_holds_a_token():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("this is no git repository")
    names = [name for name in listed.stdout.decode().split("\0") if name]
    assert len(names) > 300
    leaks = {}
    for name in names:
        path = ROOT / name
        if not path.is_file() or name.startswith("deploy/locks/"):
            continue
        data = path.read_bytes()
        if b"\0" not in data[:4096] and (tokens := found(data.decode("utf-8", "replace"))):
            leaks[name] = tokens
    assert leaks == {}


def test_S7_a_token_that_is_committed_is_found():
    letters = string.ascii_letters + string.digits
    for _ in range(50):
        tail = "".join(secrets.choice(letters) for _ in range(30)) + "aZ7kQ"
        telegram = f"{secrets.randbelow(10**9) + 10**9}:{tail}"
        discord = f"M{''.join(secrets.choice(letters) for _ in range(25))}.GaB1cD.{tail}"
        for token in (telegram, discord, f"hf_{tail}", "AGE-SECRET-KEY-1" + "QPZRY9X8GF" * 5):
            if DUMMY.search(token):
                continue
            assert found(f'TOKEN = "{token}"\n'), token
