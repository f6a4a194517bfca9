"""The settings in a terminal: no line is broken, values are cut, and a pipe gets them whole."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from realbot.adapters import sheet
from realbot.config import Settings
from realbot.provenance import Value, prevailing

LONG = Value("moderation.blocked", tuple(f"word number {n}" for n in range(40)), "realbot.toml, line 5", ())


def drawn(values: list[Value], width: int, *, terminal: bool) -> list[str]:
    out = io.StringIO()
    sheet.printed(values, Console(file=out, width=width, force_terminal=terminal, color_system=None))
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 100, 140])
def test_no_line_is_broken_in_a_terminal(width):
    values = [*prevailing(Settings(), (), {}), LONG]
    lines = drawn(values, width, terminal=True)
    assert max(map(len, lines)) <= width
    assert sum(bool(line.strip()) for line in lines) == len(values) + 1
    assert "…" in next(line for line in lines if "moderation.blocked" in line and "line 5" in line)
    places = {line.index("default") for line in lines if line.rstrip().endswith(" default")}
    assert len(places) == 1


def test_a_pipe_gets_every_value_whole_and_no_empty_line():
    lines = drawn([*prevailing(Settings(), (), {}), LONG], 80, terminal=False)
    assert '"word number 39"]  realbot.toml, line 5' in lines[-1]
    assert all(line.strip() for line in lines)


def test_what_differs_has_a_dot_and_the_value_that_it_has_elsewhere():
    values = [
        Value("limits.per_day", 5, "discord:1, realbot.toml, line 4", 50),
        Value("limits.max_steps", 100, "default", 100),
        Value("limits.cooldown", 1.0, "settled for discord:1", 0.0),
        Value("discord:1 paused", True, "settled for discord:1", False),
        Value("discord:1 styles", ("ink",), "settled for discord:1", ()),
    ]
    lines = drawn(values, 100, terminal=False)
    assert lines[1].split()[:5] == ["●", "limits.per_day", "50", "→", "5"]
    assert lines[2].split() == ["limits.max_steps", "100", "default"]
    assert lines[3].split()[:5] == ["●", "limits.cooldown", "0.0", "→", "1.0"]
    assert lines[4].split()[:4] == ["●", "discord:1", "paused", "true"]
    assert '["ink"]' in lines[5]
