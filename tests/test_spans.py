"""How long something holds, as people write it."""

from __future__ import annotations

import pytest

from realbot.errors import Invalid
from realbot.spans import span

DAY = 86_400.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", None),
        ("For good", None),
        ("für immer", None),
        ("2h", 7200),
        ("90m", 5400),
        ("3 days", 3 * DAY),
        ("1 Woche", 7 * DAY),
        ("1d 12h", 1.5 * DAY),
        ("1 day and 2 hours", DAY + 7200),
        ("1,5 h", 5400),
        ("1 mo", 30 * DAY),
        ("2 years", 730 * DAY),
    ],
)
def test_spans_are_read_as_people_write_them(text, seconds):
    assert span(text) == seconds


@pytest.mark.parametrize(
    "text", ["3", "days", "0h", "-1h", "2 frogs", "1h tomorrow", "1s", "11 years", "99999 y", "1e3 d", "{0} d", "∞"]
)
def test_what_is_no_span_is_refused_with_an_example(text):
    with pytest.raises(Invalid, match="for good"):
        span(text)
