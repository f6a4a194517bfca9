"""What every front-end promises to the person in front of it. Its tests subclass `Contract` and give a `face`."""

from __future__ import annotations

import asyncio
import io
from typing import Protocol

import pytest
from PIL import Image

from studios import BERT, Rig, until


class Face(Protocol):
    """A front-end with one person before it, on a studio whose engine moves at the test's command."""

    bench: Rig
    done: str  #: words that stand on a finished card only

    async def ask(self, text: str) -> None:
        """The person types a line and sends it."""

    async def sees(self) -> str:
        """All the text that was before the person's eyes, up to this moment."""

    async def bar(self) -> float:
        """The share that the progress bar shows now, 0 to 1."""

    async def pictures(self) -> list[bytes]:
        """The picture files that the person has."""

    async def cancel(self) -> None:
        """The person gives the job up."""

    async def stranger_sees(self) -> str:
        """What another person gets who looks around and tries this person's ids."""


class Contract:
    """The scenarios."""

    async def test_an_accepted_card_shows_position_then_progress_then_the_picture(self, face: Face):
        pool = face.bench.pool
        await face.bench.ask("somebody else's picture", BERT)
        await until(pool.working)
        await face.ask("a red apple steps:4 seed:7")
        await shows(face, "Next in line")
        pool.finish()
        await until(lambda: len(pool.works) == 2)
        for step, share in ((1, 0.25), (3, 0.75)):
            pool.step(step)
            await shows(face, f"Step {step} of 4")
            assert await face.bar() == pytest.approx(share, abs=0.03)
        assert not await face.pictures()
        pool.finish()
        await shows(face, face.done)
        await shows(face, "seed 7")
        (data,) = await face.pictures()
        assert Image.open(io.BytesIO(data)).size == (128, 128)

    async def test_the_recipe_is_shown_and_asks_for_the_same_again(self, face: Face):
        await paint(face, 'a red apple steps:4 seed:7 guidance:2.5 no:"blur"')
        text = await face.sees()
        for part in ("a red apple", "steps:4", "seed:7", "guidance:2.5", "blur"):
            assert part in text

    async def test_cancelling_ends_the_job_and_says_so(self, face: Face):
        pool = face.bench.pool
        await face.ask("a red apple steps:4")
        await until(pool.working)
        pool.step(1)
        await shows(face, "Step 1 of 4")
        await face.cancel()
        await shows(face, "Cancelled")
        await until(lambda: pool.working() is None)
        assert not await face.pictures()

    async def test_a_refusal_names_the_word_and_what_was_meant_and_takes_nothing(self, face: Face):
        await face.ask("a red apple scheduler:eulr")
        await shows(face, "eulr")
        await shows(face, "euler")
        assert not face.bench.pool.works

    async def test_a_failure_is_an_apology_without_internals(self, face: Face):
        await face.ask("a red apple steps:4")
        await until(face.bench.pool.working)
        face.bench.pool.fail("out_of_memory")
        await shows(face, "Sorry")
        await shows(face, "smaller size")
        text = await face.sees()
        assert "Traceback" not in text
        assert "OutOfMemory" not in text

    async def test_the_same_again_comes_from_the_history_at_once_and_says_so(self, face: Face):
        await paint(face, "a red apple steps:4")
        before = await face.pictures()
        await face.ask("a red apple steps:4")
        await shows(face, "From your history")
        assert len(face.bench.pool.works) == 1
        after = await face.pictures()
        assert before
        assert set(after) == set(before), (len(before), len(after))

    async def test_what_one_person_made_nobody_else_reaches(self, face: Face):
        await paint(face, "a private apple steps:4")
        assert "private" in await face.sees()
        assert "private" not in await face.stranger_sees()


async def paint(face: Face, text: str) -> None:
    """Ask for a picture and paint it."""
    await face.ask(text)
    await until(face.bench.pool.working)
    face.bench.pool.finish()
    await shows(face, face.done)


async def shows(face: Face, text: str, seconds: float = 20.0) -> None:
    """Wait until the person sees a text."""
    seen = ""
    try:
        async with asyncio.timeout(seconds):
            while text not in (seen := await face.sees()):
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"{text!r} is not in {seen!r}") from None
