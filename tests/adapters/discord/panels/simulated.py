"""A simulated Discord in this process, with a bot that has the private panels of a studio and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import discord
import simcord
from discord import app_commands

from realbot.adapters.clock import Clock
from realbot.adapters.discord import admin, audits, bans, history, link, quota, settings
from realbot.adapters.discord.card import Cards
from realbot.jobs import Done, Generate, Origin, User
from realbot.studio import Studio
from studios import Rig, end, until


class Bot(discord.Client):
    """A client with the commands of `history`, `quota`, `settings`, `link`, `admin`, `bans` and `audits`."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(intents=discord.Intents(guilds=True))
        self.tree = app_commands.CommandTree(self)
        cards = Cards(studio, Clock())
        front: Any = SimpleNamespace(studio=studio, client=self, tree=self.tree, clock=Clock(), cards=cards, health="")
        self.front = front
        for part in (history, quota, settings, link, admin, bans, audits):
            part.register(front)

    async def setup_hook(self) -> None:
        await self.tree.sync()


@dataclass
class World:
    """One server with a channel, an administrator and two members."""

    env: simcord.Env
    rig: Rig
    guild: Any
    channel: Any
    admin: Any
    anna: Any
    bert: Any

    async def restart(self) -> None:
        """The bot is started anew on the same studio."""
        await self.env.restart_bot(Bot(self.rig.studio))

    async def ask(self, person: Any, prompt: str, **fields: Any) -> str:
        """A request of this person, given in the channel; the id of its job."""
        origin = Origin("discord", place=str(self.channel.id), server=str(self.guild.id))
        fields.setdefault("steps", 4)
        job = await self.rig.studio.submit(user(person), Generate(prompt=prompt, **fields), origin)
        return job.id

    async def paint(self, person: Any, prompt: str, **fields: Any) -> str:
        """A picture of this person that was painted and seen; the id of its job."""
        job_id = await self.ask(person, prompt, **fields)
        await until(self.rig.pool.working)
        self.rig.pool.finish()
        status = await end(self.rig.studio.job(user(person), job_id))
        assert isinstance(status, Done)
        await self.rig.studio.delivered(job_id)
        return job_id


def user(person: Any) -> User:
    """A simulated person as the studio knows them."""
    return User("discord", str(person.id), person.name)


def populated(env: simcord.Env, rig: Rig) -> World:
    """A server with a channel, an administrator and two members."""
    guild = env.create_guild()
    role = guild.create_role("Admins", permissions=discord.Permissions(manage_guild=True))
    return World(
        env,
        rig,
        guild,
        guild.create_text_channel("general"),
        guild.add_member(env.create_user("root"), roles=[role]),
        guild.add_member(env.create_user("anna")),
        guild.add_member(env.create_user("bert")),
    )


def said(result: Any) -> str:
    """All the text of an answer: its message, its embeds, the labels of its controls, follow-ups too."""
    messages = [one for one in (result.response, *result.followups) if one is not None]
    return "\n".join(text for message in messages for text in _texts(message))


def _texts(message: Any) -> list[str]:
    texts = [message.content]
    for embed in message.embeds:
        texts += [str(embed.title), str(embed.description), str(embed.footer.text)]
        texts += [f"{field.name}: {field.value}" for field in embed.fields]
    for item in controls(message):
        texts += [str(item.get("label", "")), str(item.get("placeholder", ""))]
        texts += [f"{option['label']} {option.get('description', '')}" for option in item.get("options", ())]
    return texts


def controls(message: Any) -> list[dict[str, Any]]:
    """The buttons and menus of a message."""
    return [item for row in message.components for item in row["components"]]


def control(message: Any, start: str) -> str:
    """The id of the one control whose id begins so."""
    (found,) = {item["custom_id"] for item in controls(message) if item["custom_id"].startswith(start)}
    return found


def offered(message: Any, start: str) -> list[str]:
    """The values of a menu."""
    menu = next(item for item in controls(message) if item["custom_id"].startswith(start))
    return [option["value"] for option in menu["options"]]
