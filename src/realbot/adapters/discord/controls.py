"""The buttons and the menu of a card. What each does is looked up by the random id that it carries, nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import discord
from discord import ButtonStyle
from discord.ui import Button, DynamicItem, Item, Select, View

from realbot.adapters import buttons, captions, verdicts
from realbot.cases import Case
from realbot.jobs import Done, Generate, Request, Status, Upscale, is_final

Interaction: TypeAlias = discord.Interaction[Any]
#: Called with the action's id and the value chosen in a menu, empty for a button.
Pressed: TypeAlias = Callable[[Interaction, str, str], Awaitable[None]]

_pressed: WeakKeyDictionary[discord.Client, Pressed] = WeakKeyDictionary()


def listen(client: discord.Client, pressed: Pressed) -> None:
    """Let this client's cards answer presses, those of an earlier life too."""
    _pressed[client] = pressed
    client.add_dynamic_items(Press)


class Press(DynamicItem[Item[View]], template=buttons.ID):
    """A button or a menu of a card."""

    @classmethod
    async def from_custom_id(cls, interaction: Interaction, item: Item[Any], match: Any, /) -> Press:
        return cls(item)

    async def callback(self, interaction: Interaction) -> None:
        pressed = _pressed.get(interaction.client)
        action = buttons.action_id(self.custom_id)
        if pressed is None or action is None:
            return
        data: Any = interaction.data or {}
        values = data.get("values") or [""]
        await pressed(interaction, action, str(values[0]))


@dataclass(frozen=True, slots=True)
class Control:
    """One thing that can be done with a job; `index` is the picture's, from 0."""

    verb: str
    index: int = 0
    row: int = 0
    style: ButtonStyle = ButtonStyle.secondary
    icon: str = ""  #: instead of a label
    label: str = ""  #: name of the label, when it is not the verb
    said: str = ""  #: the label itself, when it has no name


def controls(request: Request, status: Status, *, favourite: bool = False) -> list[Control]:
    """What a card offers, in reading order: rows of buttons, or one where a menu of several pictures follows."""
    if not is_final(status):
        return [Control("cancel")]
    keep = [
        Control("favourite", row=1, icon="⭐", style=ButtonStyle.primary if favourite else ButtonStyle.secondary),
        Control("delete", row=1, icon="🗑️"),
    ]
    painted = isinstance(request, Generate)
    if not isinstance(status, Done):
        return [Control("again", label="retry"), *([Control("remix"), Control("recipe")] if painted else [])]
    if isinstance(request, Upscale):
        return [Control("recipe", row=1), Control("download", row=1), *keep]
    again = Control("again", label="fresh", style=ButtonStyle.primary) if status.cached else Control("again")
    if len(status.images) > 1:
        return [again, Control("remix"), Control("recipe"), *(replace(control, row=0) for control in keep)]
    about = [Control(verb, row=1) for verb in (AROUND, "remix", "recipe", "download")]
    return [again, *(Control(verb) for verb in CHANGES), *about, *(replace(control, row=2) for control in keep)]


def closed(case: Case | None, *, reached: bool) -> list[Control]:
    """What a card offers whose picture is withheld."""
    ask = [Control(APPEAL, said=verdicts.appeal())] if reached and verdicts.appealable(case) else []
    return [*ask, Control("delete", icon="🗑️")]


def around() -> list[Control]:
    """What opens beside a card whose picture is to be continued."""
    return [Control(verb, row=0 if verb in buttons.ZOOMS else 1) for verb in buttons.AROUND]


#: Asks moderators about a picture that is withheld, and what they answer.
APPEAL, RELEASE, UPHOLD = "appeal", "release", "uphold"
#: Opens what is around a picture.
AROUND = "around"
#: What a picture can be made into, and what the menu of several pictures offers for each.
CHANGES = ("subtle", "strong", "upscale2", "upscale4")
CHOICES = (*CHANGES, AROUND, "download")
#: What anybody who sees a card may do: read how it was made, take the file, make their own of it.
OPEN = frozenset({"recipe", "download", "remix"})
#: The verb of the menu itself.
PICK = "pick"
#: Pictures in one menu, which has at most 25 lines.
EACH = 4


def chosen(value: str, pictures: int) -> tuple[str, int] | None:
    """The verb and the picture of a menu's value, None for a value that the menu does not have."""
    verb, _, number = value.partition(".")
    if verb not in CHOICES or not (number.isascii() and number.isdigit() and len(number) < 3):
        return None
    return (verb, int(number)) if int(number) < pictures else None


def menus(status: Status) -> list[Control]:
    """The menus of a card of several pictures; each is for a few of them."""
    pictures = len(status.images) if isinstance(status, Done) else 0
    return [Control(PICK, first, row=1 + first // EACH) for first in range(0, pictures, EACH)] if pictures > 1 else []


def view(offered: Sequence[Control], ids: Sequence[str], *, pictures: int = 1) -> View:
    """The controls and menus with their actions' ids."""
    shown = View(timeout=None)
    for control, action in zip(offered, ids, strict=True):
        if control.verb == PICK:
            shown.add_item(Press(_menu(control, action, pictures)))
            continue
        button: Button[View] = Button(
            style=control.style,
            label=None if control.icon else control.said or captions.button(control.label or control.verb),
            emoji=control.icon or None,
            custom_id=buttons.custom_id(action),
            row=control.row,
        )
        shown.add_item(Press(button))
    return shown


def _menu(control: Control, action: str, pictures: int) -> Select[View]:
    options = [
        discord.SelectOption(label=captions.choice(verb, n + 1), value=f"{verb}.{n}")
        for n in range(control.index, min(pictures, control.index + EACH))
        for verb in CHOICES
    ]
    return Select(placeholder=captions.pick(), options=options, custom_id=buttons.custom_id(action), row=control.row)
