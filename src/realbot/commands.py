"""Commands for whoever runs realbot: its copies, its files and its audit log. They import what is heavy."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from realbot.config import Settings
    from realbot.jobs import User

Config = Annotated[
    Path | None, typer.Option("--config", "-c", help="Settings file; realbot.toml here unless given.", dir_okay=False)
]
Identity = Annotated[
    Path | None, typer.Option("--identity", "-i", help="File with the private key of age, for encrypted copies.")
]


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
    """Copy the database and try the copy. It works while realbot runs."""
    from rich.console import Console

    from realbot import backups
    from realbot.adapters import keeping
    from realbot.sealed import Seal

    chosen = quiet(config)
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


def restore(
    copy: Annotated[Path, typer.Argument(help="The copy, as realbot backup made it.", show_default=False)],
    identity: Identity = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: Config = None,
) -> None:
    """Put a copy in the place of the database. It is tried first, and what was there is moved aside."""
    from rich.console import Console

    from realbot import restoring, sealed
    from realbot.adapters import keeping

    chosen = quiet(config)
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


def check(
    repair: Annotated[
        bool, typer.Option("--repair", help="Fetch what is lost from beside the copies, and delete what nobody needs.")
    ] = False,
    identity: Identity = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: Config = None,
) -> None:
    """Look at the database, pictures, styles and copies. Also while realbot runs; exit code 1: something is wrong."""
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

    chosen, console = quiet(config), Console(highlight=False)
    keys = sealed.identities(identity) if identity is not None else []
    sys.exit(asyncio.run(work()))


def export(
    person: Annotated[str, typer.Argument(help="Whose: discord:123, telegram:123.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder or file for the ZIP file.")] = Path(),
    config: Config = None,
) -> None:
    """Hand out everything that is kept of a person. Of all their linked accounts; while realbot is stopped."""

    async def work() -> None:
        from rich.console import Console

        from realbot import app as parts
        from realbot.adapters import keeping

        async with parts.built(chosen) as studio:
            await keeping.exported(studio, user, out, Console(highlight=False))

    chosen, user = quiet(config), _person(person)
    asyncio.run(work())


def erase(
    person: Annotated[str, typer.Argument(help="Whose: discord:123, telegram:123.", show_default=False)],
    confirm: Annotated[str, typer.Option("--confirm", help="The same once more; asked for unless given.")] = "",
    config: Config = None,
) -> None:
    """Delete everything that is kept of a person. Of all their linked accounts; while realbot is stopped."""

    async def work() -> int:
        from rich.console import Console

        from realbot import app as parts
        from realbot.adapters import keeping

        async with parts.built(chosen) as studio:
            ask = (lambda _: confirm) if confirm else input
            return await keeping.erased(studio, user, ask, Console(highlight=False))

    chosen, user = quiet(config), _person(person)
    sys.exit(asyncio.run(work()))


def audit(
    place: Annotated[str, typer.Option("--for", help="Only there: discord:1234, telegram:-1001234, or *.")] = "",
    limit: Annotated[int, typer.Option(help="How many at most.", min=1)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: Config = None,
) -> None:
    """List who changed what within a year. It works while realbot runs."""
    import time

    from rich.console import Console

    from realbot.adapters import minutes
    from realbot.audit import read

    changes = read(quiet(config).paths.data, place or None, limit, time.time())
    if as_json:
        print(minutes.encoded(changes))
    else:
        minutes.shown(changes, Console(highlight=False))


def _person(key: str) -> User:
    from realbot.addresses import PLATFORMS
    from realbot.errors import Invalid
    from realbot.jobs import User

    platform, _, number = key.partition(":")
    if platform not in PLATFORMS or not number or any(sign.isspace() for sign in number):
        raise Invalid("{key} is nobody; people are told as discord:123 or telegram:123.", key=key[:80], word=key[:80])
    return User(platform, number)


def settings(path: Path | None) -> Settings:
    from realbot.config import Settings

    found = Settings.load(path)
    for caution in found.cautions:
        print(f"realbot: {caution}", file=sys.stderr)
    return found


def quiet(path: Path | None) -> Settings:
    """Settings for a command that talks to a person: only what is wrong is logged."""
    import logging

    from realbot import logs

    found = settings(path)
    logs.configure(found.secrets(), level=logging.WARNING)
    return found
