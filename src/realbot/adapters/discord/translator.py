"""Names, descriptions and options of the commands in the languages of `locale/`, for Discord to show."""

from __future__ import annotations

import re

import discord
from discord import app_commands
from discord.app_commands import TranslationContextLocation as Location

from realbot.adapters.languages import ENGLISH, closest, gettext, language, pgettext

#: What names of commands and options look like; they stand under the context COMMAND in the catalogues.
NAME = re.compile(r"[-\w]{1,32}")
COMMAND = "command"
#: Characters that Discord takes of a description, and of a choice.
LONGEST = 100


class Catalogues(app_commands.Translator):
    """Translates with the catalogues; what has no translation there, or none that Discord takes, stays English."""

    async def translate(
        self, string: app_commands.locale_str, locale: discord.Locale, context: app_commands.TranslationContextTypes
    ) -> str | None:
        """The translation of `string`, or None."""
        if closest(locale.value) == ENGLISH:
            return None
        menu = isinstance(context.data, app_commands.ContextMenu)
        with language(locale.value):
            text = pgettext(COMMAND, string.message) if is_name(string.message) else gettext(string.message)
        if not text or text == string.message:
            return None
        match context.location:
            case Location.command_name if menu:
                return text if len(text) <= 32 else None
            case Location.command_name | Location.group_name | Location.parameter_name:
                return text if is_name(text) else None
        return text if len(text) <= LONGEST else None


def is_name(text: str) -> bool:
    """Whether Discord takes `text` as the name of a command or an option: 1 to 32 characters, no capitals."""
    return NAME.fullmatch(text) is not None and text == text.lower()
