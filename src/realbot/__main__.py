"""The command line: run, imagine, history, styles, settings. Heavy libraries are imported inside the commands."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from realbot.errors import RealbotError

if TYPE_CHECKING:
    from realbot.config import Settings


app = typer.Typer(
    name="realbot",
    help="Pictures on request, painted by your own machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Plain help takes half the time: rich loads a Markdown parser for it.
    rich_markup_mode=None,
)
#: Exit code when the configuration, the model or the data folder keeps realbot from starting.
UNUSABLE = 2
Config = Annotated[
    Path | None, typer.Option("--config", "-c", help="Settings file; realbot.toml here unless given.", dir_okay=False)
]


def main() -> None:
    """Run a command; whatever cannot work is one sentence and exit code 2."""
    try:
        app()
    except RealbotError as error:
        print(f"realbot: {error}", file=sys.stderr)
        sys.exit(UNUSABLE)
    except KeyboardInterrupt:
        sys.exit(130)


@app.command()
def run(config: Config = None) -> None:
    """Start the web page and the chat platforms."""
    from realbot import app as parts
    from realbot import logs

    chosen = _settings(config)
    logs.configure(chosen.secrets())
    asyncio.run(parts.run(chosen))


@app.command()
def imagine(
    words: Annotated[list[str], typer.Argument(help='What to paint: "a red apple steps:8 style:realism"')],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to save the PNG.")] = None,
    config: Config = None,
) -> None:
    """Paint a picture here and now."""

    async def work() -> int:
        from rich.console import Console

        from realbot import app as parts
        from realbot.adapters import cli

        async with parts.opened(chosen, grace=0.0) as studio:
            return await cli.imagine(studio, " ".join(words), out, console=Console())

    chosen = _quiet(config)
    sys.exit(asyncio.run(work()))


@app.command()
def history(
    search: Annotated[str, typer.Argument(help="Words to look for; all pictures unless given.")] = "",
    limit: Annotated[int, typer.Option(help="How many at most.", min=1)] = 20,
    config: Config = None,
) -> None:
    """List the pictures made from this terminal."""

    async def work() -> int:
        from rich.console import Console

        from realbot import app as parts
        from realbot.adapters import cli

        async with parts.built(chosen) as studio:
            return await cli.history(studio, console=Console(), limit=limit, search=search)

    chosen = _quiet(config)
    sys.exit(asyncio.run(work()))


@app.command()
def styles(config: Config = None) -> None:
    """List the styles, and which are broken and why."""

    async def work() -> int:
        from rich.console import Console

        from realbot import app as parts
        from realbot.adapters import cli

        async with parts.built(chosen) as studio:
            return await cli.styles(studio, console=Console())

    chosen = _quiet(config)
    sys.exit(asyncio.run(work()))


@app.command()
def settings(
    template: Annotated[bool, typer.Option("--template", help="Print a settings file with every default.")] = False,
    config: Config = None,
) -> None:
    """Print every setting and where it came from."""
    from rich.console import Console
    from rich.table import Table

    from realbot.config import show
    from realbot.config import template as written

    if template:
        print(written(), end="")
        return
    table = Table("setting", "value", "from", box=None, header_style="bold")
    for key, value, origin in show(_settings(config)):
        table.add_row(key, value, origin)
    Console(highlight=False, markup=False).print(table)


def _settings(path: Path | None) -> Settings:
    from realbot.config import Settings

    found = Settings.load(path)
    for caution in found.cautions:
        print(f"realbot: {caution}", file=sys.stderr)
    return found


def _quiet(path: Path | None) -> Settings:
    """Settings for a command that talks to a person: only what is wrong is logged."""
    import logging

    from realbot import logs

    found = _settings(path)
    logs.configure(found.secrets(), level=logging.WARNING)
    return found


if __name__ == "__main__":
    main()
