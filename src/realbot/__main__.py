"""The command line: what people paint here, and what whoever runs realbot needs. Commands import what is heavy."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from realbot import commands
from realbot.commands import Config
from realbot.errors import RealbotError

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

    _undumped()
    # Whatever a library writes in our name is nobody else's to read on this machine.
    os.umask(0o077)
    chosen = commands.settings(config)
    logs.configure(chosen.secrets(), chosen.log)
    logs.capture()
    asyncio.run(parts.run(chosen))


@app.command()
def imagine(  # noqa: PLR0917 - each is an option of the command line
    words: Annotated[list[str], typer.Argument(help='What to paint: "a red apple steps:8 style:realism"')],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to save the PNG.")] = None,
    source: Annotated[Path | None, typer.Option(help="Picture to start from.")] = None,
    mask: Annotated[Path | None, typer.Option(help="Picture that is light, or clear, where to paint anew.")] = None,
    region: Annotated[str | None, typer.Option(help="The same in words: left, background or 10,10,60,80%.")] = None,
    strength: Annotated[float | None, typer.Option(help="How far to go from the source, 0 to 1.", min=0, max=1)] = None,
    look: Annotated[Path | None, typer.Option("--look", help="Picture whose look is taken.")] = None,
    look_weight: Annotated[float | None, typer.Option(help="How much of the look, 0 to 1.", min=0, max=1)] = None,
    config: Config = None,
) -> None:
    """Paint a picture here and now."""

    async def work() -> int:
        from rich.console import Console

        from realbot import app as parts
        from realbot.adapters import cli

        async with parts.opened(chosen, grace=0.0) as studio:
            return await cli.imagine(
                studio,
                " ".join(words),
                out,
                console=Console(),
                source=source,
                mask=mask,
                region=region,
                strength=strength,
                look=look,
                look_weight=look_weight,
            )

    chosen = commands.quiet(config)
    sys.exit(asyncio.run(work()))


@app.command()
def more(
    verb: Annotated[
        str, typer.Argument(help="subtle, strong, upscale2, upscale4, zoom, zoom2, left, right, up, down.")
    ],
    line: Annotated[int, typer.Option(help="Line of the history; 1 is the latest.", min=1)] = 1,
    picture: Annotated[int, typer.Option(help="Which of several pictures.", min=1)] = 1,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to save the PNG.")] = None,
    config: Config = None,
) -> None:
    """Vary, enlarge, zoom out of or continue a picture. One that was made from this terminal."""

    async def work() -> int:
        from rich.console import Console

        from realbot import app as parts
        from realbot.adapters import cli

        async with parts.opened(chosen, grace=0.0) as studio:
            return await cli.more(studio, verb, line, picture, out, Console())

    chosen = commands.quiet(config)
    sys.exit(asyncio.run(work()))


@app.command()
def train(  # noqa: PLR0917
    name: Annotated[str, typer.Argument(help="What the style is called.")],
    images: Annotated[Path | None, typer.Option("--images", help="Folder of pictures, with words in NAME.txt.")] = None,
    trigger: Annotated[str, typer.Option("--trigger", help="Word that stands for the style in every caption.")] = "",
    steps: Annotated[int, typer.Option(help="How often the weights are changed.", min=1)] = 1000,
    rank: Annotated[int, typer.Option(help="Size of the style; 4 to 32 are usual.", min=1)] = 16,
    rate: Annotated[float | None, typer.Option("--lr", help="Learning rate; the model's usual one.")] = None,
    batch: Annotated[int | None, typer.Option(help="Pictures at a time; the model's usual number.", min=1)] = None,
    seed: Annotated[int, typer.Option(help="Same seed and pictures, same style.", min=0)] = 0,
    patience: Annotated[int, typer.Option(help="Stop after so many looks that were no better; 0 never.", min=0)] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a training that was paused.")] = False,
    config: Config = None,
) -> None:
    """Train a style on your own pictures."""
    from rich.console import Console

    from realbot import schooling
    from realbot.adapters import lessons
    from realbot.errors import Invalid
    from realbot.training import Course

    chosen = commands.quiet(config)
    if resume:
        opened = schooling.resumed(chosen, name)
    elif images is None:
        raise Invalid("Say which pictures: --images FOLDER.")
    else:
        asked = Course(style=name, trigger=trigger, steps=steps, rank=rank, alpha=rank, seed=seed, patience=patience)
        opened = schooling.begun(chosen, asked, images, rate=rate, batch=batch)
    with opened as training:
        code = lessons.train(training, partial(schooling.trainer, training), training.export, Console())
    sys.exit(code)


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

    chosen = commands.quiet(config)
    sys.exit(asyncio.run(work()))


@app.command()
def whose(
    file: Annotated[Path, typer.Argument(help="A PNG, JPEG or WebP file.")],
    config: Config = None,
) -> None:
    """Tell whether a picture was painted here. And how, if it was from this terminal."""

    async def work() -> int:
        from rich.console import Console

        from realbot import app as parts
        from realbot.adapters import cli

        async with parts.built(chosen) as studio:
            return await cli.whose(studio, file, console=Console())

    chosen = commands.quiet(config)
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

    chosen = commands.quiet(config)
    sys.exit(asyncio.run(work()))


@app.command()
def doctor(
    channel: Annotated[str, typer.Option("--channel", help="Id of a Discord channel whose rights are looked at.")] = "",
    engine: Annotated[
        bool, typer.Option("--engine", help="Start an engine, beside one that may run, and let it paint a step.")
    ] = False,
    hashes: Annotated[bool, typer.Option("--hashes", help="Read every byte of the model.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: Config = None,
) -> None:
    """Look for what is wrong, and say how to mend it. It works while realbot runs, and when it cannot start."""
    import logging

    from rich.console import Console

    from realbot import doctor as parts
    from realbot import logs
    from realbot.doctor import report

    found, first = parts.configuration(config)
    logs.configure(found.secrets() if found else (), level=logging.INFO if engine else logging.ERROR)
    seen = parts.examine(found, first, channel=channel, engine=engine, whole=hashes)
    show = report.printed if as_json else report.shown
    sys.exit(asyncio.run(show(seen, Console(highlight=False))))


@app.command()
def settings(
    template: Annotated[bool, typer.Option("--template", help="Print a settings file with every default.")] = False,
    places: Annotated[
        list[str] | None,
        typer.Option("--for", help="What holds there: discord:SERVER/CHANNEL, telegram:CHAT, discord:role:ROLE."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: Config = None,
) -> None:
    """Print every setting and where it came from. It works while realbot runs."""
    from rich.console import Console

    from realbot import database, listing, provenance
    from realbot.adapters import sheet
    from realbot.places import PlaceRules

    if template:
        print(listing.template(), end="")
        return
    keys, found, rules = provenance.meant(places or ()), commands.settings(config), {}
    if keys:
        settled = database.settled(found.paths.data)
        rules = {key: PlaceRules.load(key, data) for key, data in settled.items()}
    values = provenance.prevailing(found, keys, rules)
    if as_json:
        print(sheet.encoded(values))
    else:
        sheet.printed(values, Console())


def _undumped() -> None:
    """No crash of this process, or of one that it starts, leaves its memory on the disk: tokens are in it."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


for command in (commands.backup, commands.restore, commands.check, commands.export, commands.erase, commands.audit):
    app.command()(command)


if __name__ == "__main__":
    main()
