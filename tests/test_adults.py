"""Words and pictures that are for adults: where they are taken, shown, and answered from before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from realbot.errors import Blocked
from realbot.jobs import Done, Generate, Origin, Upscale, User
from studios import Rig, end, rig, until

ANN, BOB = User("discord", "7", "Ann"), User("discord", "8", "Bob")
ADMIN = User("discord", "1", "Admin")
ADULTS, OPEN = Origin("discord", "18", server="1", adult=True), Origin("discord", "10", server="1")


async def ask(r: Rig, origin: Origin, prompt: str = "a cat", user: User = ANN, **fields: Any):
    return await r.studio.submit(user, Generate(prompt=prompt, steps=2, **fields), origin)


@pytest.mark.parametrize("policy", ["restricted", "never", "anywhere"])
@pytest.mark.parametrize("adult", [True, False])
async def test_words_for_adults_follow_the_place_and_the_server(tmp_path: Path, policy: str, adult: bool):
    moderation = {"adult": policy, "adult_words": ("gore",)}
    async with rig(tmp_path, hand=True, sections={"moderation": moderation}) as r:
        here, there = (Origin("discord", n, server=n, adult=adult) for n in ("1", "2"))
        if policy == "anywhere" or (policy == "restricted" and adult):
            await ask(r, here, "much g o r e")
        else:
            with pytest.raises(Blocked, match="gore"):
                await ask(r, here, "much g o r e")
        await ask(r, here, "a category")
        await r.studio.rule("discord:2", ADMIN, moderation={"adult": "never", "blocked": ["dog"]})
        for prompt in ("gore", "a d0g"):
            with pytest.raises(Blocked):
                await ask(r, there, prompt)
        await ask(r, here, "a dog")


async def test_X14_where_a_picture_may_be_shown_is_decided_by_the_rules_of_that_moment(tmp_path: Path):
    async with rig(tmp_path, sections={"moderation": {"adult_words": ("gore",)}}) as r:
        job = await ask(r, ADULTS, "gore")
        plain = await ask(r, OPEN, "a cat")
        await end(job)
        assert await r.studio.showing(job, adult=True) == "here"
        assert await r.studio.showing(job, adult=False) == "directly"
        assert await r.studio.showing(plain, adult=False) == "here"
        await r.studio.rule("discord:18", ADMIN, moderation={"adult": "never"})
        assert await r.studio.showing(job, adult=True) == "nowhere"


async def test_X14_a_picture_made_from_one_for_adults_is_for_adults_too(tmp_path: Path):
    async with rig(tmp_path, sections={"moderation": {"adult_words": ("gore",)}}) as r:
        first = await end(await ask(r, ADULTS, "gore"))
        assert isinstance(first, Done)
        large = await r.studio.submit(ANN, Upscale(source=first.images[0]), ADULTS)
        larger = await end(large)
        assert isinstance(larger, Done)
        for request in (
            Upscale(source=first.images[0]),
            Upscale(source=larger.images[0]),
            Generate(prompt="a cat", source=larger.images[0], strength=0.1, steps=2),
        ):
            with pytest.raises(Blocked, match="gore"):
                await r.studio.submit(ANN, request, OPEN)
            await r.studio.submit(ANN, request, ADULTS)
        assert await r.studio.showing(large, adult=False) == "directly"
        innocent = await end(await ask(r, OPEN, "a dog"))
        assert isinstance(innocent, Done)
        await r.studio.submit(ANN, Upscale(source=innocent.images[0]), OPEN)


@pytest.mark.parametrize("policy", ["restricted", "never"])
async def test_P6_no_word_is_told_of_a_picture_that_somebody_else_made(tmp_path: Path, policy: str):
    async with rig(tmp_path, sections={"moderation": {"adult": "anywhere", "adult_words": ("gore",)}}) as r:
        theirs = await end(await ask(r, OPEN, "a secret gore", BOB))
        assert isinstance(theirs, Done)
        r.studio._desk.uploads.show(ANN, theirs.images[0])
        await r.studio.rule("discord:10", ADMIN, moderation={"adult": policy})
        for request in (Upscale(source=theirs.images[0]), Generate(prompt="a cat", reference=theirs.images[0])):
            with pytest.raises(Blocked, match="was made with words") as found:
                await r.studio.submit(ANN, request, OPEN)
            assert "gore" not in str(found.value)
        with pytest.raises(Blocked, match="gore"):
            await ask(r, OPEN, "my own gore")


@pytest.mark.parametrize("scope", ["user", "server", "everyone"])
@pytest.mark.parametrize("seed", [7, None], ids=["seed", "no seed"])
async def test_X16_a_picture_from_a_place_for_adults_answers_in_such_places_only(
    tmp_path: Path, scope: str, seed: int | None
):
    async with rig(tmp_path, sections={"cache": {"scope": scope}}) as r:

        async def cached(origin: Origin, user: User) -> bool:
            status = await end(await ask(r, origin, "a sunbather", user, seed=seed))
            assert isinstance(status, Done)
            return status.cached

        shared = scope != "user" and seed is not None
        assert not await cached(ADULTS, ANN)
        assert not await cached(OPEN, BOB)
        assert await cached(ADULTS, ANN)
        # Her own picture is no exception, but now one from an open place may answer, where others' may.
        assert await cached(OPEN, ANN) == shared
        assert await cached(OPEN, ANN)
        assert await cached(ADULTS, BOB)


async def test_X16_who_waits_in_an_open_place_does_not_share_a_picture_that_is_painted_for_adults(tmp_path: Path):
    async with rig(tmp_path, hand=True, sections={"cache": {"scope": "everyone"}}) as r:
        jobs = [await ask(r, origin, seed=7) for origin in (ADULTS, OPEN, ADULTS)]
        await until(r.pool.working)
        r.pool.finish()
        await until(lambda: isinstance(jobs[0].status, Done) and isinstance(jobs[2].status, Done))
        assert not isinstance(jobs[1].status, Done)
