"""/train and "Train on these pictures": a person gathers pictures in a private panel, sees what is found in them, and
says whether a style is trained on them.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import discord
from discord import Attachment, app_commands
from discord.app_commands import Range, locale_str
from discord.ui import FileUpload, Label, Modal, TextInput

from realbot.academy import Plan
from realbot.adapters import lessonwords
from realbot.adapters.buttons import custom_id
from realbot.adapters.discord import brought, marked, markup, panels, place, trainsheet
from realbot.adapters.discord.controls import Press
from realbot.adapters.discord.panels import Interaction
from realbot.adapters.discord.traindraft import GATHER, START, Draft, Drafts, fetched
from realbot.adapters.languages import phrase
from realbot.errors import Blocked, Invalid, NotYours
from realbot.jobs import Origin, User
from realbot.phrases import Phrase
from realbot.rulebook import Training
from realbot.studio import Studio
from realbot.training import FEWEST

if TYPE_CHECKING:
    from realbot.adapters.discord import Front

#: Pictures that one command, one dialog or one message has at most.
EACH = 10
PICTURES = tuple(f"picture{n}" for n in range(1, EACH + 1))
#: Remarks on pictures, and captions, that a panel tells.
TOLD = 6
#: Characters of a style's name and of the words that bring it out, and seconds for which a dialog is listened to.
NAME, TRIGGER, OPEN = 64, 60, 3600.0


class Train:
    """The command, the menu of a message, and their panel."""

    def __init__(self, studio: Studio, drafts: Drafts) -> None:
        self._studio, self._drafts = studio, drafts

    def commands(self) -> list[app_commands.Command[Any, ..., Any] | app_commands.ContextMenu]:
        command = app_commands.Command[Any, ..., Any](
            name=locale_str("train"),
            description=locale_str("Train a style on your own pictures"),
            callback=self.train,
            allowed_installs=panels.ANY_INSTALL,
            allowed_contexts=panels.ANYWHERE,
        )
        menu = app_commands.ContextMenu(
            name=locale_str("Train on these pictures"),
            callback=self.these,
            allowed_installs=panels.ANY_INSTALL,
            allowed_contexts=panels.ANYWHERE,
        )
        return [command, menu]

    def handlers(self) -> Mapping[str, panels.Handler]:
        return {"train": self.press}

    @app_commands.rename(name=locale_str("name"), trigger=locale_str("trigger"), steps=locale_str("steps"))
    @app_commands.describe(
        name=locale_str("Name of the style: letters a-z, digits, - and _"),
        trigger=locale_str("Words that bring it out; one of its own teaches best, such as mycat"),
        steps=locale_str("More steps: closer to the pictures, and longer"),
        **dict.fromkeys(PICTURES, locale_str("A picture to learn from; its name or its alt text says what is on it")),
    )
    async def train(
        self,
        interaction: Interaction,
        *,
        name: Range[str, 1, NAME],
        trigger: Range[str, 1, TRIGGER],
        steps: Range[int, 1, 100_000] | None = None,
        picture1: Attachment | None = None,
        picture2: Attachment | None = None,
        picture3: Attachment | None = None,
        picture4: Attachment | None = None,
        picture5: Attachment | None = None,
        picture6: Attachment | None = None,
        picture7: Attachment | None = None,
        picture8: Attachment | None = None,
        picture9: Attachment | None = None,
        picture10: Attachment | None = None,
    ) -> None:
        given = (picture1, picture2, picture3, picture4, picture5, picture6, picture7, picture8, picture9, picture10)
        async with panels.speaking(interaction):
            found = [one for one in given if one is not None]
            await self.gather(interaction, name, trigger, found, steps=steps)

    async def these(self, interaction: Interaction, message: discord.Message) -> None:
        """Ask for the name of the style that the pictures of a message are for."""
        async with panels.speaking(interaction):
            user, _ = self._allowed(interaction)
            found = brought.pictures(message)
            if not found:
                raise Invalid("This message has no picture.")
            await interaction.response.send_modal(These(self, found, await self._drafts.latest(user)))

    async def gather(
        self,
        interaction: Interaction,
        name: str,
        trigger: str,
        found: Sequence[Attachment],
        *,
        steps: int | None = None,
    ) -> None:
        """Begin a set with these pictures, or go on with the one of this name. Raises Refused."""
        user, origin = self._allowed(interaction)
        most = self._rules(origin).max_steps
        if steps is not None and steps > most:
            raise Invalid(
                "{name} must be a whole number from {low} to {high}, not {value}.",
                name="steps",
                low=1,
                high=most,
                value=steps,
                word=str(steps),
            )
        draft = await self._drafts.begin(user, name, trigger, steps, named=not found)
        draft = self._drafts.add(user, draft, found, self._rules(origin))
        await self._show(interaction, draft, interaction.token)

    async def add(self, interaction: Interaction, draft: Draft, token: str, found: Sequence[Attachment]) -> None:
        """Add pictures to the set of a panel. Raises Refused."""
        user, origin = self._allowed(interaction)
        draft = self._drafts.add(user, draft, found, self._rules(origin))
        await self._show(interaction, draft, token)

    async def press(self, interaction: Interaction, verb: str, arguments: tuple[str, ...], _chosen: list[str]) -> None:
        """Ask for more pictures, or give the set up. Raises Refused."""
        user, _ = self._allowed(interaction)
        action_id = arguments[0] if arguments else ""
        action = await self._studio.acted(action_id, user, press=False)
        if action.verb not in (START, GATHER):
            raise NotYours
        draft, token = self._drafts.of(user, action)
        if verb == "more":
            await interaction.response.send_modal(More(self, draft, token))
            return
        await self._studio.acted(action_id, user)
        self._drafts.drop(draft)
        await panels.show(interaction, lessonwords.dropped())

    def _allowed(self, interaction: Interaction) -> tuple[User, Origin]:
        """Who asks and where. Raises Blocked when they may not train there."""
        user, origin = place.user(interaction), place.origin(interaction)
        self._studio.gate.admit(user, origin)
        if not self._studio.may_train(user, origin):
            raise Blocked(lessonwords.some_people())
        return user, origin

    def _rules(self, origin: Origin) -> Training:
        rules = self._studio.settled(origin)["training"]
        assert isinstance(rules, Training)
        return rules

    async def _show(self, interaction: Interaction, draft: Draft, token: str) -> None:
        """The panel: what is gathered, and, where it is enough, what was found and what the training costs."""
        user, origin = self._allowed(interaction)
        await panels.announce(interaction)
        title = lessonwords.title(markup.escaped(draft.name, NAME))
        embed = discord.Embed(title=title, colour=panels.COLOUR)
        plan, files = None, []
        if len(draft.files) < FEWEST:
            embed.description = f"{lessonwords.so_far(len(draft.files))}\n-# {lessonwords.how_many()}"
        else:
            given = await fetched(interaction.client, draft)
            try:
                plan = await self._studio.plan(user, origin, draft.name, draft.trigger, given, steps=draft.steps)
            except Invalid as error:
                embed.description = f"{lessonwords.so_far(len(draft.files))}\n{marked.refusal(error)}"
        if plan is not None:
            _told(embed, plan)
            shown = await trainsheet.sheet([await self._studio.source(user, one) for one in plan.request.images])
            alt = lessonwords.sheet(len(plan.request.images))
            files = [discord.File(io.BytesIO(shown), "pictures.webp", description=alt)]
            embed.set_image(url="attachment://pictures.webp")
        action = await self._drafts.buttons(user, draft, plan.request if plan else None, token)
        view = discord.ui.View(timeout=None)
        if plan is not None:
            begin: discord.ui.Button[discord.ui.View] = discord.ui.Button(
                style=discord.ButtonStyle.primary, label=lessonwords.button("train"), custom_id=custom_id(action)
            )
            view.add_item(Press(begin))
        view.add_item(panels.button(lessonwords.button("more"), "train", "more", action))
        view.add_item(panels.button(lessonwords.button("drop"), "train", "drop", action))
        await panels.show(interaction, embeds=[embed], files=files, view=view)


class More(Modal):
    """Asks for more pictures of a set."""

    def __init__(self, train: Train, draft: Draft, token: str) -> None:
        super().__init__(title=lessonwords.button("more")[:45], timeout=OPEN)
        self._train, self._draft, self._token = train, draft, token
        self.files: FileUpload[More] = FileUpload(min_values=1, max_values=EACH)
        self.add_item(Label(text=lessonwords.upload()[:45], component=self.files))

    async def on_submit(self, interaction: Interaction) -> None:
        async with panels.speaking(interaction):
            await self._train.add(interaction, self._draft, self._token, self.files.values)


class These(Modal):
    """Asks which style the pictures of a message are for; what is gathered already is proposed."""

    def __init__(self, train: Train, found: Sequence[Attachment], draft: Draft | None) -> None:
        super().__init__(title=lessonwords.course()[:45], timeout=OPEN)
        self._train, self._found = train, found
        self.name: TextInput[These] = TextInput(
            default=draft.name if draft else None, placeholder=lessonwords.name_hint()[:100], max_length=NAME
        )
        self.trigger: TextInput[These] = TextInput(
            default=draft.trigger if draft else None, placeholder=lessonwords.trigger_hint()[:100], max_length=TRIGGER
        )
        self.add_item(Label(text=lessonwords.name()[:45], component=self.name))
        self.add_item(Label(text=lessonwords.trigger()[:45], component=self.trigger))

    async def on_submit(self, interaction: Interaction) -> None:
        async with panels.speaking(interaction):
            await self._train.gather(interaction, self.name.value, self.trigger.value, self._found)


def _told(embed: discord.Embed, plan: Plan) -> None:
    """Write into a panel what was found among the pictures, and what the training is."""
    request = plan.request
    embed.title = lessonwords.title(request.style)
    remarks = [
        lessonwords.left_out(markup.escaped(name, 60), markup.escaped(_said(reason), 200))
        for name, reason in plan.left_out
    ]
    remarks += [lessonwords.alike(markup.escaped(one, 60), markup.escaped(other, 60)) for one, other in plan.alike]
    lines = [f"⚠️ {remark}" for remark in _first(remarks)]
    embed.description = "\n".join([f"**{lessonwords.count(len(request.images))}**", *lines])
    embed.add_field(name=lessonwords.trigger(), value=markup.escaped(request.trigger))
    embed.add_field(name=lessonwords.course(), value=lessonwords.steps(request.steps))
    said = [markup.escaped(caption, 100) for caption in dict.fromkeys(request.captions)]
    embed.add_field(name=lessonwords.captions(), value="\n".join(_first(said)), inline=False)
    embed.add_field(name=lessonwords.time(), value=lessonwords.cost(plan.duration), inline=False)
    embed.set_footer(text=lessonwords.consent())


def _said(reason: str) -> str:
    return phrase(reason) if isinstance(reason, Phrase) else reason


def _first(lines: Sequence[str]) -> list[str]:
    """As many as a panel tells, and how many more there are."""
    rest = len(lines) - TOLD
    return [*lines[:TOLD], *([lessonwords.more(rest)] if rest > 0 else [])]


def register(front: Front) -> None:
    """Add the command and the menu to a front-end."""
    train = Train(front.studio, front.intake.drafts)
    for command in train.commands():
        front.tree.add_command(command)
    panels.attach(front.client, train.handlers())
