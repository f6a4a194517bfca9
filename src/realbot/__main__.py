"""The command line: what people paint here, and what whoever runs realbot needs. Commands import what is heavy."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from functools import partial
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
Identity = Annotated[
    Path | None, typer.Option("--identity", "-i", help="File with the private key of age, for encrypted copies.")
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

    _undumped()
    # Whatever a library writes in our name is nobody else's to read on this machine.
    os.umask(0o077)
    chosen = _settings(config)
    logs.configure(chosen.secrets(), chosen.log)
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

    chosen = _quiet(config)
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
    """Vary, enlarge, zoom out of or continue a picture that was made from this terminal."""

    async def work() -> int:
        from rich.console import Console

        from realbot import app as parts
        from realbot.adapters import cli

        async with parts.opened(chosen, grace=0.0) as studio:
            return await cli.more(studio, verb, line, picture, out, Console())

    chosen = _quiet(config)
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

    chosen = _quiet(config)
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
def doctor(
    channel: Annotated[str, typer.Option("--channel", help="Id of a Discord channel whose rights are looked at.")] = "",
    engine: Annotated[bool, typer.Option("--engine", help="Start an engine and let it paint a step.")] = False,
    hashes: Annotated[bool, typer.Option("--hashes", help="Read every byte of the model.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: Config = None,
) -> None:
    """Look for what is wrong, and say how to mend it; works while realbot runs, and when it cannot start."""
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
def backup(
    target: Annotated[
        Path | None, typer.Argument(help="Folder or file for the copy; backup.folder unless given.", show_default=False)
    ] = None,
    pictures: Annotated[
        bool | None, typer.Option("--pictures/--no-pictures", help="Copy pictures and trained styles too.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: Config = None,
) -> None:
    """Copy the database, also while realbot runs, and try the copy."""
    from rich.console import Console

    from realbot import backups
    from realbot.adapters import keeping
    from realbot.sealed import Seal

    chosen = _quiet(config)
    rules, console = chosen.backup, Console(highlight=False)
    folder = target or rules.folder or chosen.paths.data / "backups"
    wanted = rules.pictures if pictures is None else pictures
    with keeping.bar(console) as show:
        made = backups.make(chosen.paths.data, folder, Seal(rules.recipients), pictures=wanted, progress=show)
    text, code = keeping.encoded(made)
    if as_json:
        print(text)
    else:
        keeping.made(made, console)
    sys.exit(code)


@app.command()
def restore(
    copy: Annotated[Path, typer.Argument(help="The copy, as realbot backup made it.", show_default=False)],
    identity: Identity = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: Config = None,
) -> None:
    """Put a copy in the place of the database, once it is found to be whole; what was there is moved aside."""
    from rich.console import Console

    from realbot import restoring, sealed
    from realbot.adapters import keeping

    chosen = _quiet(config)
    console = Console(highlight=False)
    keys = sealed.identities(identity) if identity is not None else []
    with keeping.bar(console) as show:
        restored = restoring.restore(chosen.paths.data, copy, keys, show)
    text, code = keeping.encoded(restored)
    if as_json:
        print(text)
    else:
        keeping.restored(restored, console)
    sys.exit(code)


@app.command()
def check(
    repair: Annotated[
        bool, typer.Option("--repair", help="Fetch what is lost from beside the copies, and delete what nobody needs.")
    ] = False,
    identity: Identity = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: Config = None,
) -> None:
    """Look at the database, every picture, style and copy, also while realbot runs; 1 when something is wrong."""
    from rich.console import Console

    from realbot import app as parts
    from realbot import checkup, sealed
    from realbot.adapters import keeping
    from realbot.doctor import report

    async def work() -> int:
        data, copies = chosen.paths.data, chosen.backup.folder or chosen.paths.data / "backups"
        with keeping.bar(console) as show:
            broken = parts.styles(chosen).broken
            found = checkup.inspect(data, copies, broken, show)
            if repair and not found.problem:
                await checkup.repair(data, copies, found, keys, show)
                found = checkup.inspect(data, copies, broken, show)
        shown = report.printed if as_json else report.shown
        return await shown(checkup.findings(found), console)

    chosen, console = _quiet(config), Console(highlight=False)
    keys = sealed.identities(identity) if identity is not None else []
    sys.exit(asyncio.run(work()))


@app.command()
def audit(
    place: Annotated[str, typer.Option("--for", help="Only there: discord:1234, telegram:-1001234, or *.")] = "",
    limit: Annotated[int, typer.Option(help="How many at most.", min=1)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: Config = None,
) -> None:
    """List who changed what within a year, also while realbot runs."""
    import time

    from rich.console import Console

    from realbot.adapters import minutes
    from realbot.audit import read

    changes = read(_quiet(config).paths.data, place or None, limit, time.time())
    if as_json:
        print(minutes.encoded(changes))
    else:
        minutes.shown(changes, Console(highlight=False))


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
    """Print every setting and where it came from; works while realbot runs."""
    from rich.console import Console

    from realbot import database, listing, provenance
    from realbot.adapters import sheet
    from realbot.places import PlaceRules

    if template:
        print(listing.template(), end="")
        return
    keys, found, rules = provenance.meant(places or ()), _settings(config), {}
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
