"""People in front of Discord: they see what their client offers them, and cannot do what it would not let them do."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loopback_world import DM, GROUP, Channel, Guild, Interaction, Message, Person, walk

if TYPE_CHECKING:
    from loopback import Loopback

SUB, GROUPED, STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, NUMBER, FILE = 1, 2, 3, 4, 5, 6, 7, 8, 10, 11
SELECTS = (3, 5, 6, 7, 8)


class Unable(Exception):
    """The person's client does not let them do this."""


@dataclass(frozen=True)
class Upload:
    """A file for an option."""

    name: str
    data: bytes
    kind: str = "image/png"


class Actor:
    """One person, who acts."""

    def __init__(self, home: Loopback, person: Person) -> None:
        self.home, self.person = home, person
        self.patience = 3.2  #: seconds until the client shows "the application did not respond"

    @property
    def id(self) -> str:
        return self.person.id

    @property
    def mention(self) -> str:
        return f"<@{self.id}>"

    @property
    def dm(self) -> Channel:
        """The direct conversation with the bot."""
        return self.home.dm(self.person)

    def sees(self, channel: Channel) -> list[Message]:
        return channel.seen_by(self.person)

    # What a person does

    async def slash(self, channel: Channel, command: str, **options: Any) -> Interaction:
        """Send a command, "imagine" or "realbot queue clear", and wait for the first answer."""
        return await self.ask(channel, 2, self._command(channel, command, options))

    async def complete(self, channel: Channel, command: str, option: str, typed: str, **others: Any) -> list[Any]:
        """Type into an option and look at what is offered: (name, value) pairs."""
        data = self._command(channel, command, {**others, option: typed}, focused=option)
        asked = await self.ask(channel, 4, data)
        return [(choice["name"], choice["value"]) for choice in asked.choices]

    async def press(self, message: Message, button: str, *, nth: int = 0) -> Interaction:
        """Press the button with this label, emoji or custom_id."""
        return await self.ask(message.channel, 3, self.pressing(message, button, nth=nth), source=message)

    def pressing(self, message: Message, button: str, *, nth: int = 0) -> dict[str, Any]:
        """What the client sends when the button is pressed."""
        self._look(message)
        names = [
            item
            for item in message.buttons
            if button in (item.get("label"), item.get("custom_id"), (item.get("emoji") or {}).get("name"))
        ]
        if len(names) <= nth:
            raise Unable(f"no button {button!r} among {message.labels}")
        found = names[nth]
        if found.get("disabled") or not found.get("custom_id"):
            raise Unable(f"the button {button!r} cannot be pressed")
        return {"custom_id": found["custom_id"], "component_type": 2, "id": found.get("id", 1)}

    async def forge(self, message: Message, custom_id: str) -> Interaction:
        """Press a button that is not there, as a tampered client does."""
        return await self.ask(message.channel, 3, {"custom_id": custom_id, "component_type": 2}, source=message)

    async def choose(self, message: Message, values: Sequence[str], *, nth: int = 0) -> Interaction:
        """Choose options of a select by their labels or values."""
        self._look(message)
        selects = [item for item in walk(message.components) if item["type"] in SELECTS]
        if len(selects) <= nth or selects[nth].get("disabled"):
            raise Unable("there is nothing to choose from")
        found = selects[nth]
        picked = list(values)
        if found["type"] == 3:
            known = {option["label"]: option["value"] for option in found["options"]}
            picked = [known.get(value, value) for value in values]
            if strange := set(picked) - set(known.values()):
                raise Unable(f"{strange} cannot be chosen")
        if not found.get("min_values", 1) <= len(picked) <= found.get("max_values", 1):
            raise Unable(f"{len(picked)} options cannot be chosen")
        data = {"custom_id": found["custom_id"], "component_type": found["type"], "values": picked}
        return await self.ask(message.channel, 3, data, source=message)

    async def fill(self, asked: Interaction, **values: Any) -> Interaction:
        """Fill in the modal that an interaction opened; fields go by custom_id or label, the rest stays as it is."""
        modal = asked.modal
        if modal is None:
            raise Unable("no modal is open")
        files: dict[str, Any] = {}
        rows = [self._row(row, values, asked.channel, files) for row in modal["components"]]
        if values:
            raise Unable(f"the modal has no {sorted(values)}")
        data = {"custom_id": modal["custom_id"], "components": rows}
        if files:
            data["resolved"] = {"attachments": files}
        return await self.ask(asked.channel, 5, data, source=asked.source)

    async def menu(self, name: str, message: Message) -> Interaction:
        """Use a command of a message's context menu."""
        self._look(message)
        command = self._find(message.channel, name, 3)
        data = {
            "id": command["id"], "name": name, "type": 3, "target_id": message.id,
            "resolved": {"messages": {message.id: message.form()}},
        }  # fmt: skip
        return await self.ask(message.channel, 2, data)

    async def ask(
        self, channel: Channel, kind: int, data: dict[str, Any], *, source: Message | None = None
    ) -> Interaction:
        """Send an interaction and wait for its first answer, as long as a client does."""
        asked = self.begin(channel, kind, data, source=source)
        try:
            async with asyncio.timeout(self.patience):
                await asked.answered.wait()
        except TimeoutError:
            pass
        return asked

    def begin(self, channel: Channel, kind: int, data: dict[str, Any], *, source: Message | None = None) -> Interaction:
        """Send an interaction and go on at once."""
        home = self.home
        token = "loopback-" + secrets.token_urlsafe(60)
        asked = Interaction(home.ids(), token, kind, self.person, channel, home.clock(), data, source)
        home.interactions[token] = asked
        home.gateway.dispatch("INTERACTION_CREATE", self.form(asked))
        return asked

    def form(self, asked: Interaction) -> dict[str, Any]:
        """The event that the bot gets."""
        channel, person = asked.channel, self.person
        guild = channel.guild
        owners: dict[str, str] = {"1": person.id} if person.installed else {}
        told: dict[str, Any] = {
            "id": asked.id, "token": asked.token, "type": asked.kind, "version": 1, "data": asked.data,
            "application_id": self.home.application, "locale": person.locale, "channel_id": channel.id,
            "channel": channel.form(partial=True), "app_permissions": str(channel.bot_permissions),
            "entitlements": [], "attachment_size_limit": self.home.file_limit,
        }  # fmt: skip
        if guild is not None:
            told["context"] = 0
            if guild.joined:
                owners["0"] = guild.id
            told |= {"guild_id": guild.id, "guild_locale": guild.locale, "member": person.member()}
            told["guild"] = {"id": guild.id, "locale": guild.locale, "features": []}
        else:
            told |= {"context": 1 if self.home.bot in channel.people else 2, "user": person.user()}
            if told["context"] == 1:
                owners["0"] = "0"
        told["authorizing_integration_owners"] = owners
        if asked.source is not None:
            told["message"] = asked.source.form()
        return told

    # What the client checks

    def offered(self, channel: Channel, kind: int = 1) -> list[dict[str, Any]]:
        """The commands that the client shows in a channel."""
        guild = channel.guild
        groups = [self.home.commands.get(None, [])]
        if guild is not None:
            groups.append(self.home.commands.get(guild.id, []))
        return [c for group in groups for c in group if c["type"] == kind and self._may(c, channel, guild)]

    def _may(self, command: dict[str, Any], channel: Channel, guild: Guild | None) -> bool:
        needed = command.get("default_member_permissions")
        if guild is not None and needed is not None and "administrator" not in self.person.powers:
            bits = int(needed)
            if bits == 0 or self.person.permissions & bits != bits:
                return False
        context = 0 if guild is not None else 1 if self.home.bot in channel.people else 2
        contexts = command.get("contexts")
        if contexts is not None and context not in contexts:
            return False
        by_person = (guild is not None and not guild.joined) or channel.kind == GROUP
        if by_person and not (self.person.installed and 1 in (command.get("integration_types") or [0])):
            return False
        return not command.get("nsfw") or channel.nsfw or channel.kind == DM

    def _find(self, channel: Channel, name: str, kind: int) -> dict[str, Any]:
        offered = self.offered(channel, kind)
        found = next((command for command in offered if command["name"] == name), None)
        if found is None:
            raise Unable(f"no command {name!r} among {[command['name'] for command in offered]}")
        return found

    def _look(self, message: Message) -> None:
        if message.id not in message.channel.messages or message not in self.sees(message.channel):
            raise Unable("the message is not there")

    def _command(
        self, channel: Channel, command: str, values: dict[str, Any], *, focused: str | None = None
    ) -> dict[str, Any]:
        first, *path = command.split()
        found = self._find(channel, first, 1)
        level, resolved = found, {}
        chain: list[dict[str, Any]] = []
        for word in path:
            level = next((o for o in level.get("options") or [] if o["name"] == word and o["type"] in (1, 2)), None)
            if level is None:
                raise Unable(f"{command!r} has no {word!r}")
            chain.append({"name": word, "type": level["type"]})
        known = {option["name"]: option for option in level.get("options") or []}
        if strange := set(values) - set(known):
            raise Unable(f"{command!r} has no options {sorted(strange)}, only {sorted(known)}")
        if focused is None and (
            missing := {n for n, o in known.items() if o.get("required") and values.get(n) is None}
        ):
            raise Unable(f"{command!r} needs {sorted(missing)}")
        given = []
        for name, value in values.items():
            if value is None:
                continue
            option: dict[str, Any] = {"name": name, "type": known[name]["type"]}
            if name == focused:
                if not known[name].get("autocomplete"):
                    raise Unable(f"nothing is offered for {name!r}")
                option |= {"value": value, "focused": True}
            else:
                option["value"] = self._value(known[name], value, resolved, channel)
            given.append(option)
        data: dict[str, Any] = {"id": found["id"], "name": first, "type": 1}
        inner = given
        for step in reversed(chain):
            inner = [{**step, "options": inner}]
        if inner:
            data["options"] = inner
        if resolved:
            data["resolved"] = resolved
        if found.get("guild_id"):
            data["guild_id"] = found["guild_id"]
        return data

    def _value(self, option: dict[str, Any], value: Any, resolved: dict[str, Any], channel: Channel) -> Any:
        kind, name = option["type"], option["name"]
        if choices := option.get("choices"):
            known = {choice["name"]: choice["value"] for choice in choices}
            value = known.get(value, value)
            if value not in known.values():
                raise Unable(f"{name}: {value!r} is not a choice")
        right = {STRING: str, INTEGER: int, BOOLEAN: bool, NUMBER: (int, float)}.get(kind)
        if right is not None and (not isinstance(value, right) or (kind != BOOLEAN and isinstance(value, bool))):
            raise Unable(f"{name}: {value!r} is not of the right kind")
        if kind in (INTEGER, NUMBER):
            low, high = option.get("min_value", -(2**53)), option.get("max_value", 2**53)
            if not low <= value <= high:
                raise Unable(f"{name}: {value} is not from {low} to {high}")
        if kind == STRING and not option.get("min_length", 0) <= len(value) <= option.get("max_length", 6000):
            raise Unable(f"{name}: {len(value)} characters are too few or too many")
        match kind, value:
            case 11, Upload():
                return self._upload(channel, value, resolved.setdefault("attachments", {}))
            case 7, Channel():
                resolved.setdefault("channels", {})[value.id] = value.form(partial=True)
                return value.id
            case 6, Actor():
                resolved.setdefault("users", {})[value.id] = value.person.user()
                if channel.guild is not None:
                    held = {**value.person.member(whole=False), "permissions": str(value.person.permissions)}
                    resolved.setdefault("members", {})[value.id] = held
                return value.id
        return value

    def _upload(self, channel: Channel, file: Upload, files: dict[str, Any]) -> str:
        """Its id, once it is there."""
        held = self.home.attachment(channel, file.name, file.data)
        held.kind = file.kind
        files[held.id] = {**held.form(), "ephemeral": True}
        return held.id

    def _row(
        self, row: dict[str, Any], values: dict[str, Any], channel: Channel, files: dict[str, Any]
    ) -> dict[str, Any]:
        if row["type"] == 10:
            return row
        inner = [row["component"]] if row["type"] == 18 else row["components"]
        filled = []
        for item in inner:
            label = row.get("label") if row["type"] == 18 else item.get("label")
            key = next((k for k in (item["custom_id"], label) if k in values), None)
            if item["type"] == 4:
                value = values.pop(key) if key is not None else item.get("value") or ""
                least = item.get("min_length", 1 if item.get("required", True) else 0)
                if not least <= len(value) <= item.get("max_length", 4000):
                    raise Unable(f"{label}: {len(value)} characters are too few or too many")
                filled.append({"type": 4, "custom_id": item["custom_id"], "value": value, "id": 1})
            elif item["type"] == 19:
                given = [] if key is None else values.pop(key)
                if not item.get("min_values", 1) <= len(given) <= item.get("max_values", 1):
                    raise Unable(f"{label}: {len(given)} files are too few or too many")
                chosen = [self._upload(channel, file, files) for file in given]
                filled.append({"type": 19, "custom_id": item["custom_id"], "values": chosen, "id": 1})
            else:
                default = [o["value"] for o in item.get("options") or [] if o.get("default")]
                chosen = values.pop(key) if key is not None else default
                filled.append({"type": item["type"], "custom_id": item["custom_id"], "values": chosen, "id": 1})
        if row["type"] == 18:
            return {"type": 18, "id": 1, "component": filled[0]}
        return {"type": 1, "id": 1, "components": filled}


def admin(actor: Actor) -> Actor:
    """The same person, with an administrator's powers."""
    actor.person.powers.add("administrator")
    return actor
