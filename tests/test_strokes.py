"""What was drawn over a picture is found in a copy that was scaled and compressed; other copies are refused."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from drawing import PENS, drawn, opened, overlap, photo, plain, sent, shows, stroke
from realbot import strokes
from realbot.decoder import Refusal

PICTURES = {"plain": plain(1), "plain too": plain(4), "photo": photo(1), "tall": photo(2, (700, 1200))}


def margin(mask: Image.Image) -> np.ndarray:
    """With the margin that is promised around strokes."""
    return strokes._grown(np.asarray(mask) > 0, max(1, round(strokes._MARGIN * max(mask.size))))


@pytest.mark.parametrize("quality", [70, 87, 95])
@pytest.mark.parametrize("kind", ["loop", "zigzag"])
@pytest.mark.parametrize("name", PICTURES)
def test_strokes_are_found_after_a_messenger_has_compressed_them(name: str, kind: str, quality: int) -> None:
    picture, found = PICTURES[name], []
    for n, (colour, width) in enumerate(zip(PENS.values(), [0.025, 0.04, 0.07] * 2, strict=True)):
        line, meant = stroke(picture.size, n, kind, width)
        if not shows(picture, line, colour):
            continue
        copy = opened(sent(drawn(picture, line, colour), quality, 1280 if n % 2 else 600))
        mask = strokes.by_strokes(picture, copy)
        assert mask.size == picture.size
        assert np.asarray(mask)[np.asarray(meant) > 0].mean() > 0.95 * 255
        found.append(overlap(mask, margin(meant)))
    assert len(found) >= 3
    # Of lines of three pixels, compressed so hard, the edge is lost.
    assert min(found) >= (0.7 if picture.width == 128 and quality == 70 else 0.8)


@pytest.mark.parametrize("name", PICTURES)
def test_a_copy_whose_colours_moved_a_little_is_still_the_same(name: str) -> None:
    picture = PICTURES[name]
    line, meant = stroke(picture.size, 3, "loop", 0.04)
    colour = next(colour for colour in PENS.values() if shows(picture, line, colour))
    for change in (ImageEnhance.Brightness, ImageEnhance.Color, ImageEnhance.Contrast):
        copy = opened(sent(change(drawn(picture, line, colour)).enhance(1.06)))
        assert overlap(strokes.by_strokes(picture, copy), margin(meant)) >= 0.8
        with pytest.raises(Refusal, match="untouched"):
            strokes.by_strokes(picture, opened(sent(change(picture).enhance(1.06))))


def test_a_marker_that_the_picture_shines_through_is_found() -> None:
    for picture in (PICTURES["photo"], PICTURES["plain"]):
        line, meant = stroke(picture.size, 5, "zigzag", 0.07)
        copy = opened(sent(drawn(picture, line, (255, 255, 0), 0.6)))
        assert overlap(strokes.by_strokes(picture, copy), margin(meant)) >= 0.7


def test_a_loop_that_does_not_quite_close_is_one_and_an_open_bow_is_a_line() -> None:
    picture = PICTURES["photo"]
    for degrees, closes in ((2, True), (120, False)):
        line = Image.new("L", picture.size)
        ImageDraw.Draw(line).arc((300, 200, 700, 600), 0, 360 - degrees, 255, 25)
        mask = np.asarray(strokes.by_strokes(picture, opened(sent(drawn(picture, line, PENS["red"])))))
        assert bool(mask[400, 500]) is closes
        assert mask[400, 310] > 0


def test_several_strokes_in_several_colours_are_one_mask() -> None:
    picture, whole = PICTURES["photo"], Image.new("L", PICTURES["photo"].size)
    copy = picture
    for n, colour in enumerate(("red", "yellow", "white")):
        line = Image.new("L", picture.size)
        ImageDraw.Draw(line).line((100 + 280 * n, 100, 160 + 280 * n, 650), 255, 40)
        whole.paste(255, mask=line)
        copy = drawn(copy, line, PENS[colour])
    assert overlap(strokes.by_strokes(picture, opened(sent(copy))), margin(whole)) >= 0.8


@pytest.mark.parametrize("name", PICTURES)
def test_nothing_drawn_is_told(name: str) -> None:
    for quality in (70, 95):
        with pytest.raises(Refusal, match="untouched"):
            strokes.by_strokes(PICTURES[name], opened(sent(PICTURES[name], quality)))


def test_nearly_everything_drawn_over_is_told() -> None:
    picture = PICTURES["photo"]
    line = Image.new("L", picture.size)
    ImageDraw.Draw(line).rectangle((15, 15, 1009, 753), outline=255, width=20)
    with pytest.raises(Refusal, match="everything"):
        strokes.by_strokes(picture, opened(sent(drawn(picture, line, PENS["red"]))))


def test_another_picture_is_told() -> None:
    pairs = [
        (photo(1), photo(5)),
        (photo(1), Image.new("RGB", (1024, 768), "red")),
        (photo(1), photo(1).transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
        (photo(1), photo(1).crop((200, 150, 900, 675))),
        (photo(1), photo(1).crop((0, 0, 768, 768))),
        (photo(1), photo(1).rotate(90, expand=True)),
        (plain(1), plain(2)),
        (plain(4), photo(3, (128, 128))),
    ]
    for original, copy in pairs:
        with pytest.raises(Refusal, match="other"):
            strokes.by_strokes(original, opened(sent(copy)))
