"""What owners of the bot settle for everywhere: it holds in every place, which can only be stricter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from realbot.errors import Blocked, Invalid
from realbot.jobs import Cancelled, Generate, Origin, Running, StyleUse, User
from realbot.places import PlaceRules
from studios import Rig, end, lora, rig, until

ANN, BOB = User("discord", "7", "Ann"), User("discord", "8", "Bob")
ADMIN = User("discord", "1", "Admin")
A, B = Origin("discord", "10", server="1"), Origin("discord", "20", server="2")
DM = Origin("discord", "30")


async def ask(r: Rig, origin: Origin = A, prompt: str = "a cat", user: User = ANN, **fields: Any):
    fields.setdefault("steps", 2)
    return await r.studio.submit(user, Generate(prompt=prompt, **fields), origin)


async def test_P5_what_is_settled_for_everywhere_holds_in_every_place_and_after_a_restart(tmp_path: Path):
    places = (A, B, DM, Origin("telegram", "-5", server="-5"), Origin("web", "page"))
    async with rig(tmp_path, hand=True) as r:
        rules = await r.studio.rule(None, ADMIN, limits={"max_steps": 10}, moderation={"blocked": ["gore"]})
        assert rules == await r.studio.place(None)
        assert await r.studio.place("discord:1") == PlaceRules("discord:1")
    async with rig(tmp_path, hand=True) as r:
        for origin in places:
            with pytest.raises(Invalid, match="from 1 to 10"):
                await ask(r, origin, steps=11)
            with pytest.raises(Blocked):
                await ask(r, origin, "gore")
        with pytest.raises(Invalid, match="from 1 to 10"):
            await r.studio.prefer(ANN, steps=11)
        assert r.studio.limits(ANN).max_steps == r.studio.settled()["limits"].max_steps == 10
        assert r.studio.configured()["limits"].max_steps == 100
        await r.studio.rule(None, ADMIN, limits={"max_steps": None})
        for origin in places:
            await ask(r, origin, steps=11)


async def test_P5_a_place_is_never_looser_than_everywhere_nor_that_than_the_settings(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        await r.studio.rule("discord:1", ADMIN, limits={"max_steps": 50})
        with pytest.raises(Invalid, match="cannot be looser than 100"):
            await r.studio.rule(None, ADMIN, limits={"max_steps": 101})
        await r.studio.rule(None, ADMIN, limits={"max_steps": 30})
        assert r.studio.limits(ANN, A).max_steps == 30
        with pytest.raises(Invalid, match="cannot be looser than 30"):
            await r.studio.rule("discord:1", ADMIN, limits={"max_steps": 31})
        await r.studio.rule("discord:1", ADMIN, limits={"max_steps": 20})
        assert (r.studio.limits(ANN, A).max_steps, r.studio.limits(ANN, B).max_steps) == (20, 30)
        await r.studio.rule(None, ADMIN, limits={"max_steps": 60})
        assert (r.studio.limits(ANN, A).max_steps, r.studio.limits(ANN, B).max_steps) == (20, 60)


async def test_styles_are_allowed_everywhere_and_a_place_takes_some_of_them(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        for fill, name in enumerate(("ink", "realism", "glow"), 1):
            lora(tmp_path / "styles" / f"{name}.safetensors", fill=fill)
        r.styles.sweep()
        await r.studio.rule(None, ADMIN, styles=["ink", "glow"])
        await r.studio.rule("discord:1", ADMIN, styles=["ink", "realism"])
        assert [style.name for style in r.studio.styles(A)] == ["ink"]
        assert [style.name for style in r.studio.styles(B)] == ["glow", "ink"]
        for origin, name in ((A, "glow"), (A, "realism"), (B, "realism"), (DM, "realism")):
            with pytest.raises(Invalid, match="not allowed here"):
                await ask(r, origin, styles=(StyleUse(name),))


async def test_channels_belong_to_their_server_and_are_not_settled_for_everywhere(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        for changes in ({"denied": ["10"]}, {"allowed": ["10"]}):
            with pytest.raises(Invalid, match="in the server that they belong to"):
                await r.studio.rule(None, ADMIN, **changes)
        await ask(r)


async def test_P10_pictures_kept_to_their_people_everywhere_are_kept_back_also_when_they_are_older(tmp_path: Path):
    async with rig(tmp_path, sections={"cache": {"scope": "everyone"}}) as r:
        await end(await ask(r, A, seed=1))
        await r.studio.rule(None, ADMIN, cache={"scope": "user"})
        assert not (await end(await ask(r, B, user=BOB, seed=1))).cached
        await r.studio.rule(None, ADMIN, cache={"scope": None})
        assert not (await end(await ask(r, DM, user=User("discord", "9"), seed=1))).cached


async def test_everywhere_is_cleared_and_it_is_noted_who_did(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        running = await ask(r, A, "0")
        await until(lambda: isinstance(running.status, Running))
        waiting = [await ask(r, origin, f"{n}") for n, origin in enumerate((A, B, DM), 1)]
        await r.studio.rule("discord:1", ADMIN, limits={"max_steps": 10})
        await r.studio.rule(None, BOB, limits={"max_steps": 20})
        assert await r.studio.clear(None, BOB) == 3
        assert all(job.status == Cancelled() for job in waiting)
        assert not isinstance(running.status, Cancelled)
        assert [entry.change for entry in await r.studio.audit(None)] == [{"cleared": 3}, {"limits": {"max_steps": 20}}]
        assert len(await r.studio.audit("discord:1")) == 1
