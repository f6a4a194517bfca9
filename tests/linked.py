"""Several accounts, some of them one person's, and the words to talk of them."""

from __future__ import annotations

from typing import Any

from realbot.jobs import Done, Generate, Job, Origin, User
from studios import Rig, end

ANN, BOB = User("discord", "7000000000000000007", "Ann"), User("discord", "8", "Bob")
#: The same number on another platform is another person, until it is linked.
TWIN, EVE = User("telegram", "7000000000000000007", "Twin"), User("web", "eve", "Eve")
NOW = 1_000_000.0


def room(user: User) -> Origin:
    return Origin(user.platform, "10", server="1" if user.platform == "discord" else "")


async def ask(r: Rig, user: User, prompt: str = "a cat", **fields: Any) -> Job:
    fields.setdefault("steps", 2)
    return await r.studio.submit(user, Generate(prompt=prompt, **fields), room(user))


async def paint(r: Rig, user: User, prompt: str = "a cat", **fields: Any) -> tuple[Job, Done]:
    job = await ask(r, user, prompt, **fields)
    done = await end(job)
    assert isinstance(done, Done), done
    return job, done


async def link(r: Rig, user: User, *others: User) -> None:
    for other in others:
        await r.studio.link(other, await r.studio.link_code(user))
