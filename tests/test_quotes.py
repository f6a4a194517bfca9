"""What a dear request costs is told before it is taken, and what is agreed to is what was quoted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from realbot.errors import Invalid, OverQuota
from realbot.jobs import Done, Generate, Train, seed_of
from studios import end, rig
from test_budget import ANN, BOB, A, ask, learned


async def test_a_dear_request_has_a_quote_and_is_painted_as_it_was_quoted(tmp_path: Path):
    sections = {"limits": {"quote_seconds": 20, "per_day": 10}}
    async with rig(tmp_path, hand=True, sections=sections) as r:
        dear = Generate(prompt="a castle", steps=60, count=2)
        assert await r.studio.budget.quote(ANN, dear, A) is None, "nothing is known yet"
        await learned(r)
        assert await r.studio.budget.quote(ANN, replace(dear, steps=5), A) is None
        await ask(r, BOB, prompt="first", steps=50)
        await ask(r, BOB, prompt="second", steps=50)
        quote = await r.studio.budget.quote(ANN, dear, A)
        assert quote is not None
        assert quote.seconds == pytest.approx(120, rel=0.01)
        assert quote.painting.low < 120 < quote.painting.high
        assert quote.waiting.position == 2
        assert quote.waiting.eta is not None
        assert quote.waiting.eta.high > quote.painting.high
        assert (quote.pictures, [one.left for one in quote.purse.allowances]) == (2, [10])
        # Nothing came of asking.
        assert r.studio.waiting(ANN) == []
        assert isinstance(quote.request, Generate)
        assert quote.request.seed is not None
        job = await r.studio.submit(ANN, quote.request, A)
        assert (job.request, job.status.position) == (r.studio.usual(quote.request), 2)
        unasked = await ask(r, prompt="a tower", steps=60)
        other = await r.studio.budget.quote(ANN, Generate(prompt="a tower", steps=60), A)
        assert other is not None
        assert seed_of(other.request) == seed_of(unasked.request), "the same question is on its way"


async def test_no_quote_for_what_would_be_refused_or_is_known_or_is_a_training(tmp_path: Path):
    async with rig(tmp_path, sections={"limits": {"quote_seconds": 0.01, "per_day": 2}}) as r:
        await learned(r)
        assert isinstance(await end(await ask(r, steps=3)), Done)
        assert await r.studio.budget.quote(ANN, Generate(prompt="a cat", steps=3), A) is None
        assert await r.studio.budget.quote(ANN, Train(style="x", trigger="x", images=()), A) is None
        with pytest.raises(OverQuota):
            await r.studio.budget.quote(ANN, Generate(prompt="a dog", count=2), A)
        with pytest.raises(Invalid):
            await r.studio.budget.quote(ANN, Generate(prompt="a dog", steps=5000), A)


async def test_a_quote_leaves_turns_as_they_are(tmp_path: Path):
    sections = {"queue": {"order": "round_robin"}, "limits": {"quote_seconds": 1}}
    async with rig(tmp_path, hand=True, sections=sections) as r:
        await learned(r)
        await ask(r, BOB, prompt="painted")
        for n in range(3):
            await ask(r, BOB, prompt=f"crowd {n}")
        for _ in range(5):
            quote = await r.studio.budget.quote(ANN, Generate(prompt="mine", steps=50), A)
            assert quote is not None
            assert quote.waiting.position <= 2
        job = await ask(r, prompt="mine", steps=50)
        assert job.status.position == quote.waiting.position
