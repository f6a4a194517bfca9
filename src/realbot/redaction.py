"""What must not be read in a log: secrets in every form that they take on the way, and control characters."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

HIDDEN = "[secret]"
#: Bot tokens as Telegram and Discord make them, wherever they appear, and interactions' tokens in addresses, where a
#: colon may be written as %3A; private keys of age, tokens of the model hub, and the name and
#: password of an address, such as a proxy's.
TOKEN = re.compile(
    r"(?<!\d)\d{6,12}(?::|%3[Aa])[A-Za-z0-9_-]{30,50}|[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}"
    r"|(?<=/)[A-Za-z0-9_-]{100,}|AGE-SECRET-KEY-1[0-9A-Z]{20,}|(?<![A-Za-z0-9])hf_[A-Za-z0-9]{20,}"
    r"|(?<=://)[^\s/:@'\"]+:[^\s/:@'\"]+(?=@)"
)
#: What follows these is secret, whatever it looks like: webhooks' tokens, headers that prove who somebody is, fields
#: of data that say so of themselves.
NAMED = re.compile(
    r"((?:webhooks|interactions)/\d+/|[?&]\w*(?:token|secret|password)=|(?:(?:authorization|cookie)['\"]?"
    r"|x-telegram-bot-api-secret-token['\"]?|(?:token|secret|password)\\?['\"])\s*[:=,]\s*"
    r"[b\\]*['\"]?(?:basic |bearer |bot )?)[^\s'\"/?&,;)\\]{6,}",
    re.IGNORECASE,
)
#: Characters that move the cursor, end a line or turn the direction of writing.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
#: Letters of a secret below which its Base64 would be found in anything.
SHORT = 6


class Redactor:
    """Strikes out these secrets however they are written, and whatever has the form of a token."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets if secret for form in _forms(secret)}
        # The longest first: one secret may be a part of another.
        known = "|".join(_pattern(form) for form in sorted(forms, key=lambda form: (-len(form), form)))
        self._known = re.compile(known) if known else None

    def __call__(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        return NAMED.sub(lambda found: found[1] + HIDDEN, TOKEN.sub(HIDDEN, text))


def printable(text: str) -> str:
    r"""The text in one line, with control characters written as \n, \x1b and so on."""
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _pattern(form: str) -> str:
    """A form literally, but for the hexadecimal digits after a percent sign, which may be small or large."""
    return re.sub("%([0-9A-F]{2})", r"%(?i:\1)", re.escape(form))


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield from (quote(secret, safe=""), quote(secret), quote_plus(secret))
    yield repr(secret)[1:-1]
    yield json.dumps(secret)[1:-1]
    yield html.escape(secret)
    if len(secret) < SHORT:
        return
    data = secret.encode()
    for before in range(3):
        # Behind a user's name and a colon it begins at any of three places; its first and last letters depend on
        # what stands there.
        letters = base64.b64encode(b"\0" * before + data).decode().rstrip("=")
        core = letters[(0, 2, 3)[before] : len(letters) - (1 if (before + len(data)) % 3 else 0)]
        yield core
        yield core.translate(str.maketrans("+/", "-_"))
