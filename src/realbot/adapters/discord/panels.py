"""Private panels: messages that one person sees, whose buttons and menus work after a restart.

What a control needs stands in its own id: where in the list one is, never whose list it is. Whoever presses is the
only person whose things are read or changed, so an id that was made up leads nowhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import discord
from discord import ButtonStyle
from discord.app_commands import Choice, locale_str
from discord.ui import Button, DynamicItem, Select, View

from realbot.adapters import sentences, words
from realbot.adapters.discord import marked
from realbot.adapters.discord.answer import PATIENCE
from realbot.adapters.outbox import Down
from realbot.errors import Refused

log = logging.getLogger(__name__)

Interaction: TypeAlias = discord.Interaction[Any]
#: What a panel does with a press: the control's verb, its arguments, and what was chosen in a menu.
Handler: TypeAlias = Callable[[Interaction, str, tuple[str, ...], list[str]], Awaitable[None]]

NOBODY = discord.AllowedMentions.none()
COLOUR = 0x6C8EF5
#: In servers, direct messages and other conversations, installed by a server or by a person.
ANYWHERE = discord.app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True)
ANY_INSTALL = discord.app_commands.AppInstallationType(guild=True, user=True)
#: What an administrator does with a list.
ACTIONS = [
    Choice(name=locale_str("show"), value="show"),
    Choice(name=locale_str("allow"), value="allow"),
    Choice(name=locale_str("deny"), value="deny"),
    Choice(name=locale_str("reset"), value="reset"),
]
#: Characters of a control's id at most, and between the colons that separate its parts.
LONGEST = 100
ID = r"(?P<panel>[a-z]+):(?P<verb>[a-z]+)(?P<rest>(?::[^:]*)*)"
#: Days for which a question such as "really?" can be answered: ten minutes.
QUESTION = 600 / 86_400

#: Discord's codes: the three seconds are over; it was answered already.
UNKNOWN, ANSWERED = 10062, 40060

_panels: WeakKeyDictionary[discord.Client, dict[str, Handler]] = WeakKeyDictionary()


def attach(client: discord.Client, panels: Mapping[str, Handler]) -> None:
    """Let this client's panels answer presses, those on messages of an earlier life too."""
    _panels.setdefault(client, {}).update(panels)
    client.add_dynamic_items(PanelButton, PanelMenu)


def control_id(panel: str, verb: str, *arguments: object) -> str:
    """The parts of a control's id after its kind; what is too long at the end is cut off."""
    parts = [panel, verb, *(re.sub(r":", " ", str(argument)) for argument in arguments)]
    return ":".join(parts)[: LONGEST - 3]


class PanelButton(DynamicItem[Button[Any]], template=rf"pb:{ID}"):
    """A button of a panel."""

    def __init__(self, item: Button[Any], match: re.Match[str] | None = None) -> None:
        super().__init__(item)
        self._match = match

    @classmethod
    async def from_custom_id(cls, interaction: Interaction, item: Any, match: re.Match[str], /) -> PanelButton:
        return cls(item, match)

    async def callback(self, interaction: Interaction) -> None:
        await _press(interaction, self._match, [])


class PanelMenu(DynamicItem[Select[Any]], template=rf"pm:{ID}"):
    """A menu of a panel."""

    def __init__(self, item: Select[Any], match: re.Match[str] | None = None) -> None:
        super().__init__(item)
        self._match = match

    @classmethod
    async def from_custom_id(cls, interaction: Interaction, item: Any, match: re.Match[str], /) -> PanelMenu:
        return cls(item, match)

    async def callback(self, interaction: Interaction) -> None:
        await _press(interaction, self._match, list(self.item.values))


async def _press(interaction: Interaction, match: re.Match[str] | None, chosen: list[str]) -> None:
    handler = _panels.get(interaction.client, {}).get(match["panel"]) if match else None
    if match is None or handler is None:
        return
    async with speaking(interaction):
        await handler(interaction, match["verb"], tuple(match["rest"].split(":")[1:]), chosen)


def button(
    label: str,
    panel: str,
    verb: str,
    *arguments: object,
    style: ButtonStyle = ButtonStyle.secondary,
    emoji: str | None = None,
    disabled: bool = False,
    row: int | None = None,
) -> PanelButton:
    """A button whose press calls the panel's handler with the verb and the arguments, as texts."""
    custom_id = f"pb:{control_id(panel, verb, *arguments)}"
    made: Button[Any] = Button(label=label[:80], style=style, emoji=emoji, disabled=disabled, custom_id=custom_id)
    made.row = row
    return PanelButton(made)


def menu(
    hint: str,
    panel: str,
    verb: str,
    *arguments: object,
    options: Sequence[discord.SelectOption],
    most: int = 1,
    least: int = 1,
    row: int | None = None,
) -> PanelMenu:
    """A menu of at most 25 options whose choice calls the panel's handler."""
    custom_id = f"pm:{control_id(panel, verb, *arguments)}"
    made: Select[Any] = Select(
        placeholder=hint[:150], options=list(options), custom_id=custom_id, min_values=least, max_values=most
    )
    made.row = row
    return PanelMenu(made)


def panel(controls: Iterable[PanelButton | PanelMenu]) -> View:
    """The controls as a view that never ends."""
    view = View(timeout=None)
    for control in controls:
        view.add_item(control)
    return view


def fitting(lines: Sequence[str], most: int = 4000) -> list[str]:
    """As many of the lines as one embed has room for."""
    kept: list[str] = []
    for line in lines:
        most -= len(line) + 1
        if most < 0:
            break
        kept.append(line)
    return kept


@contextlib.asynccontextmanager
async def speaking(interaction: Interaction) -> AsyncIterator[None]:
    """Answer in the person's language and in time, and tell them privately why something is refused or went wrong."""
    late = asyncio.create_task(_late(interaction))
    with words.language(interaction.locale.value):
        try:
            yield
        except Refused as error:
            await tell(interaction, marked.refusal(error))
        except Down as error:
            log.warning("a panel could not be shown: %s", error)
        except discord.HTTPException as error:
            if error.code not in (UNKNOWN, ANSWERED):
                log.exception("a panel was refused by Discord")
                await tell(interaction, sentences.sorry())
        except Exception:
            log.exception("a panel could not answer")
            await tell(interaction, sentences.sorry())
        finally:
            late.cancel()


async def announce(interaction: Interaction, *, beside: bool = False) -> None:
    """Say that the answer takes a moment, unless that was said; `beside` the pressed message instead of in it."""
    async with _turn(interaction):
        if not interaction.response.is_done():
            thinking = beside or interaction.message is None
            await interaction.response.defer(ephemeral=True, thinking=thinking)


async def show(
    interaction: Interaction,
    content: str | None = None,
    *,
    embeds: Sequence[discord.Embed] = (),
    files: Sequence[discord.File] = (),
    view: View | None = None,
) -> None:
    """Answer a command with a message that one person sees, or replace the one that was pressed."""
    shown: dict[str, Any] = {"content": content, "embeds": list(embeds), "allowed_mentions": NOBODY}
    async with _turn(interaction):
        if interaction.response.is_done():
            await interaction.edit_original_response(**shown, attachments=list(files), view=view)
            return
        if interaction.message is not None:
            await interaction.response.edit_message(**shown, attachments=list(files), view=view)
        else:
            controls: Any = discord.utils.MISSING if view is None else view
            await interaction.response.send_message(**shown, files=list(files), view=controls, ephemeral=True)


async def tell(interaction: Interaction, text: str) -> None:
    """Answer privately in a message of its own, whether or not this was answered before."""
    with contextlib.suppress(discord.HTTPException, Down):
        async with _turn(interaction):
            if interaction.response.is_done():
                await interaction.followup.send(text, ephemeral=True, allowed_mentions=NOBODY)
            else:
                await interaction.response.send_message(text, ephemeral=True, allowed_mentions=NOBODY)


async def _late(interaction: Interaction) -> None:
    """Discord waits for three seconds; a dialog, which cannot be announced, comes before that."""
    await asyncio.sleep(PATIENCE)
    with contextlib.suppress(discord.HTTPException, Down):
        await announce(interaction)


def _turn(interaction: Interaction) -> asyncio.Lock:
    """Of two first answers, one waits for the other."""
    lock: asyncio.Lock = interaction.extras.setdefault("panel", asyncio.Lock())
    return lock
