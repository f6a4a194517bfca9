"""People in front of the panels: what they read, what they press, and what the studio makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botapi_people import Actor, Press
from botapi_world import Chat, Message
from tg_fronts import House

from realbot.jobs import Done, Generate, Origin, User
from realbot.studio import Studio
from studios import end, until


@dataclass
class World:
    """One group, which `carl` owns, with two members; `root` owns the bot and is not in the group."""

    home: House
    group: Chat
    anna: Actor
    bert: Actor
    carl: Actor
    root: Actor

    @property
    def studio(self) -> Studio:
        return self.home.studio

    async def ask(self, person: Actor, prompt: str, chat: Chat | None = None, **fields: Any) -> str:
        """A request of this person, given in the group unless said otherwise; the id of its job."""
        fields.setdefault("steps", 4)
        where = origin(chat or self.group)
        return (await self.studio.submit(user(person), Generate(prompt=prompt, **fields), where)).id

    async def paint(self, person: Actor, prompt: str, chat: Chat | None = None, **fields: Any) -> str:
        """A picture of this person that was painted and seen; the id of its job."""
        job_id = await self.ask(person, prompt, chat, **fields)
        await until(self.home.easel.working)
        self.home.easel.finish()
        assert isinstance(await end(self.studio.job(user(person), job_id)), Done)
        await self.studio.delivered(job_id)
        return job_id


def user(person: Actor) -> User:
    """A person as the studio knows them."""
    return User("telegram", str(person.id), person.account.name.title())


def origin(chat: Chat) -> Origin:
    """Where a request comes from."""
    return Origin("telegram", str(chat.id), server="" if chat.kind == "private" else str(chat.id))


async def tap(person: Actor, message: Message, words: str) -> Press:
    """Press the one button whose label holds these words."""
    (label,) = {button["text"] for button in message.buttons if words in button["text"] and "callback_data" in button}
    return await person.press(message, label)


def seen(message: Message) -> str:
    """All the text of a message, that of its buttons too."""
    return "\n".join([message.words, *message.labels])


def addresses(message: Message) -> list[str]:
    """Where its buttons lead."""
    return [button["url"] for button in message.buttons if "url" in button]


def copied(message: Message) -> list[str]:
    """What its buttons copy."""
    return [button["copy_text"]["text"] for button in message.buttons if "copy_text" in button]
