"""`realbot run` with the bundled model: a look moves the picture, and around a picture it stays as it was."""

from __future__ import annotations

import io

import numpy as np
import pytest
from botapi_files import Document
from botapi_people import Actor, until
from botapi_world import Message
from PIL import Image
from tg_running import Process

APPLE = "a red apple on a blue background steps:8 seed:7"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]


async def card(person: Actor, number: int) -> Message:
    """The card of the so many'th request, once its picture is there."""

    def found() -> list[Message]:
        return [one for one in person.chat.told if one.picture is not None and " · seed " in one.words]

    try:
        await until(lambda: len(found()) >= number, 150)
    except TimeoutError:
        raise AssertionError(f"no {number} pictures in {person.chat.told}") from None
    return found()[number - 1]


async def file(person: Actor, number: int) -> np.ndarray:
    """The picture of the so many'th request as it was painted, height by width by 3."""
    chat = person.chat
    await person.press(await card(person, number), "Original")
    await until(lambda: isinstance(chat.last.media, Document))
    return np.asarray(Image.open(io.BytesIO(chat.last.uploaded)).convert("RGB")).astype(int)


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """How far the backgrounds of two pictures are from each other, in the mean of 0..255."""
    edges = [np.concatenate([picture[:16].reshape(-1, 3), picture[-16:].reshape(-1, 3)]) for picture in (one, other)]
    return float(np.abs(edges[0].mean(0) - edges[1].mean(0)).mean())


def png(picture: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture.astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


async def test_a_look_moves_the_picture_of_the_same_seed_and_two_pictures_are_one_request(api, anna, tmp_path):
    async with Process(tmp_path, api) as realbot:
        anna.write(anna.chat, "a gold crown on a purple background steps:8 seed:5 style:realism")
        crown = await file(anna, 1)
        anna.write(anna.chat, APPLE)
        plain = await file(anna, 2)
        anna.write(anna.chat, f"/look {APPLE} look:0.8", reply_to=await card(anna, 1))
        looking = await file(anna, 3)
        assert apart(looking, crown) < 0.7 * apart(plain, crown)

        # Begun with the apple, in the look of the crown, and without it.
        anna.album(anna.chat, [png(plain), png(crown)], f"{APPLE} look:0.8 strength:0.6")
        both = await file(anna, 4)
        anna.photo(anna.chat, png(plain), f"{APPLE} strength:0.6")
        begun = await file(anna, 5)
        assert apart(both, crown) < 0.7 * apart(begun, crown)
        assert apart(begun, plain) < 12
        assert "from a picture · look of a picture 0.8" in (await card(anna, 4)).words
        assert "Traceback" not in realbot.log()


async def test_what_is_around_a_picture_is_painted_and_the_picture_stays(api, anna, tmp_path):
    async with Process(tmp_path, api):
        anna.write(anna.chat, APPLE)
        picture = await file(anna, 1)
        height, width, _ = picture.shape
        first = await card(anna, 1)
        await anna.press(first, "More around it")
        await until(lambda: "Right →" in first.labels)
        await anna.press(first, "Right →")
        aside = await file(anna, 2)
        assert aside.shape == picture.shape
        assert np.array_equal(aside[:, : width // 2], picture[:, width // 2 :])
        assert apart(aside[:, width // 2 :], picture) < 40
        await anna.press(first, "Zoom out ×1.5")
        wide = await file(anna, 3)
        top, left = (wide.shape[0] - height) // 2, (wide.shape[1] - width) // 2
        assert (top, left) == (height // 4, width // 4)
        assert np.array_equal(wide[top : top + height, left : left + width], picture)
        assert apart(wide, picture) < 40
