"""Pictures to train a style on, and the words to ask for it."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from realbot.academy import Brought, Plan
from realbot.jobs import Done, Generate, Job, Origin, StyleUse, User
from studios import ANNA, HERE, Rig, end, until

BOSS = replace(ANNA, roles=frozenset({"administrators"}))
SERVER = Origin("web", "page", server="1")
OTHER = Origin("web", "page", server="2")
#: Anybody may train.
OPEN = {"training": {"roles": ("everyone",)}}
USE = Generate(prompt="a cat", steps=2, styles=(StyleUse("dots"),))


def drawn(seed: int, size: tuple[int, int] = (160, 144), **saved: Any) -> bytes:
    """A picture file unlike that of any other seed."""
    spots = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(spots).resize(size, Image.Resampling.NEAREST).save(buffer, "PNG", **saved)
    return buffer.getvalue()


def brought(count: int = 5) -> list[Brought]:
    return [Brought(f"a-cat-{n}.png", drawn(n)) for n in range(count)]


async def planned(rig: Rig, user: User = ANNA, name: str = "dots", origin: Origin = HERE, **options: Any) -> Plan:
    return await rig.studio.plan(user, origin, name, "dotty", brought(), **{"steps": 6} | options)


async def lesson(rig: Rig, user: User = ANNA, name: str = "dots", origin: Origin = HERE, **options: Any) -> Job:
    plan = await planned(rig, user, name, origin, **options)
    return await rig.studio.submit(user, plan.request, origin)


async def learnt(rig: Rig, user: User = ANNA, name: str = "dots", origin: Origin = HERE) -> Job:
    job = await lesson(rig, user, name, origin)
    assert isinstance(await end(job), Done), job.status
    await until(lambda: any(one.name == name for one in rig.styles.all()))
    return job
