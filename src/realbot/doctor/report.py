"""Findings on a terminal, one line each and the remedy below; or as JSON."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, Sequence
from dataclasses import asdict

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from realbot.findings import Finding

MARKS = {"good": ("✓", "green"), "unwise": ("!", "yellow"), "wrong": ("✗", "bold red")}
#: Columns of the names, and where the sentences begin.
NAMES, BEGIN = 22, 25


async def shown(findings: AsyncIterable[Finding], console: Console) -> int:
    """Print each finding as it comes; the exit code."""
    seen = []
    async for finding in findings:
        seen.append(finding)
        sign, colour = MARKS[finding.verdict]
        line = Table.grid(padding=(0, 1, 0, 0))
        line.add_column(width=1)
        line.add_column(width=NAMES, no_wrap=True, overflow="ellipsis")
        line.add_column(ratio=1)
        line.add_row(Text(sign, colour), Text(finding.part, "bold"), Text(finding.said))
        console.print(line)
        if finding.remedy:
            console.print(Padding(Text(f"→ {finding.remedy}", "cyan"), (0, 0, 0, BEGIN), expand=False))
    console.print(Text(verdict(seen), "bold"))
    return code(seen)


async def printed(findings: AsyncIterable[Finding], console: Console) -> int:
    """Print them as JSON; the exit code."""
    seen = [finding async for finding in findings]
    report = {"well": not code(seen), "findings": [asdict(finding) for finding in seen]}
    console.print_json(json.dumps(report))
    return code(seen)


def verdict(seen: Sequence[Finding]) -> str:
    """All of it in one sentence."""
    wrong = sum(finding.verdict == "wrong" for finding in seen)
    unwise = sum(finding.verdict == "unwise" for finding in seen)
    if wrong:
        more = f"; {unwise} could be better" if unwise else ""
        return f"{wrong} {'thing is' if wrong == 1 else 'things are'} wrong{more}."
    if unwise:
        return f"Nothing is wrong; {unwise} {'thing' if unwise == 1 else 'things'} could be better."
    return "All is well."


def code(seen: Sequence[Finding]) -> int:
    """1 when something is wrong, else 0."""
    return int(any(finding.verdict == "wrong" for finding in seen))
