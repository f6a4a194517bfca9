"""Files that a place takes: as painted while they fit, then smaller formats, and always a picture in the end."""

from __future__ import annotations

import io
import random

import discord
import pytest
from PIL import Image

from realbot.adapters.discord.files import LIMIT, TOTAL, attached, fitted, renamed
from realbot.adapters.discord.payload import Picture


def noise(side: int, seed: int = 1) -> bytes:
    """A PNG that no format can make small."""
    out = io.BytesIO()
    Image.frombytes("RGB", (side, side), random.Random(seed).randbytes(side * side * 3)).save(
        out, "PNG", compress_level=1
    )
    return out.getvalue()


@pytest.fixture(scope="module")
def large() -> bytes:
    return noise(1400)


async def test_a_small_picture_is_sent_as_it_was_painted(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(noise(32))
    (sized,) = await fitted([Picture(path, "frog-7.png", "a frog")])
    assert (sized.data, sized.name, sized.alt) == (path.read_bytes(), "frog-7.png", "a frog")


async def test_R5_a_large_picture_becomes_webp_then_jpeg_then_smaller(large):
    picture = Picture(large, "frog-7.png", "a frog")
    names, sizes = [], []
    for limit in (len(large), 4_500_000, 1_800_000, 150_000):
        (sized,) = await fitted([picture], limit)
        assert len(sized.data) <= limit
        shown = Image.open(io.BytesIO(sized.data))
        names.append((sized.name, shown.format))
        sizes.append(shown.width)
    assert names[0] == ("frog-7.png", "PNG")
    assert {name for name, _ in names[1:]} <= {"frog-7.webp", "frog-7.jpg"}
    assert all((form == "WEBP") == name.endswith("webp") for name, form in names[1:])
    assert sizes[:2] == [1400, 1400]
    assert sizes[3] < 1400


async def test_R5_thirty_megabytes_of_noise_fit_everywhere(large):
    large_ones = [Picture(noise(1900, seed), f"frog-{seed}.png", "a frog") for seed in range(3)]
    assert sum(len(one.source) for one in large_ones) > 25 * 2**20
    sized = await fitted(large_ones, LIMIT)
    assert all(len(one.data) <= LIMIT for one in sized)
    assert sum(len(one.data) for one in sized) < TOTAL


async def test_R6_a_refused_format_is_not_offered_again(large):
    for first, endings in ((1, {"webp"}), (2, {"jpg"})):
        (sized,) = await fitted([Picture(large, "frog.png", "")], 50 * 2**20, first)
        assert {sized.name.rpartition(".")[2]} == endings


async def test_the_card_shows_the_file_under_its_new_name(large):
    picture = Picture(large, "frog.png", "a frog")
    (sized,) = await fitted([picture], 1_800_000)
    embed = discord.Embed(title="frog").set_image(url="attachment://frog.png")
    (copy,) = renamed([embed], [picture], [attached(sized)])
    assert sized.name != picture.name
    assert copy.image.url == f"attachment://{sized.name}"
    assert embed.image.url == "attachment://frog.png", "the payload can be sent again"
    assert attached(sized).description == "a frog"
