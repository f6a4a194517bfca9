"""Tells Discord the commands, only when they are not those that it was told last: it takes 200 new ones a day."""

from __future__ import annotations

import hashlib
import json
import logging
from typing import TYPE_CHECKING, Any

from discord import app_commands

if TYPE_CHECKING:
    from realbot.studio import Studio

log = logging.getLogger(__name__)

#: Under which the hash of the commands is remembered, with the application's id.
NAME = "discord.commands.{}"
#: Under which their names are, for `realbot doctor`.
NAMES = "discord.commands.names.{}"


async def sync(tree: app_commands.CommandTree[Any], studio: Studio) -> bool:
    """Tell Discord the commands of the tree if they changed; whether it was told.

    Raises discord.HTTPException, discord.app_commands.CommandSyncFailure or Down; nothing is remembered then.
    """
    name = NAME.format(tree.client.application_id)
    now = await definition(tree)
    if await studio.remembered(name) == now:
        return False
    told = await tree.sync()
    await studio.remember(name, now)
    await studio.remember(NAMES.format(tree.client.application_id), json.dumps([one.name for one in told]))
    log.info("Discord was told %d commands", len(told))
    return True


async def definition(tree: app_commands.CommandTree[Any]) -> str:
    """sha256 of everything that Discord is told of the commands, translations included."""
    translator = tree.translator
    told = [
        command.to_dict(tree) if translator is None else await command.get_translated_payload(tree, translator)
        for command in tree.get_commands()
    ]
    told.sort(key=lambda one: (one.get("type", 1), one["name"]))
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
