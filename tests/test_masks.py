"""Masks from transparency, a second picture and words: white is what is painted."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from drawing import overlap, photo, plain
from realbot import masks, regions
from realbot.decoder import Refusal


def test_what_is_transparent_is_painted_and_what_is_half_so_too() -> None:
    picture = Image.new("RGBA", (60, 40), "red")
    picture.paste((0, 0, 0, 0), (10, 10, 30, 30))
    picture.paste((0, 0, 0, 128), (40, 0, 60, 40))
    mask = masks.by_alpha(picture)
    assert mask is not None
    expected = Image.new("L", (60, 40))
    expected.paste(255, (10, 10, 30, 30))
    expected.paste(255, (40, 0, 60, 40))
    assert mask.tobytes() == expected.tobytes()


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_picture_without_transparent_parts_has_no_mask(mode: str) -> None:
    assert masks.by_alpha(Image.new(mode, (20, 20), "red")) is None


def test_a_second_picture_is_a_mask_where_it_is_light_in_the_size_of_the_first() -> None:
    picture = Image.new("RGB", (100, 50))
    picture.paste("white", (50, 0, 100, 50))
    mask = masks.by_light(picture, (200, 200))
    assert mask.size == (200, 200)
    assert mask.getcolors() == [(20_000, 0), (20_000, 255)]
    assert (mask.getpixel((10, 10)), mask.getpixel((190, 10))) == (0, 255)


def test_transparent_parts_of_a_second_picture_are_painted_but_white_strokes_on_nothing_are_strokes() -> None:
    hole = Image.new("RGBA", (40, 40), "red")
    hole.paste((0, 0, 0, 0), (0, 0, 20, 40))
    strokes = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    strokes.paste("white", (0, 0, 20, 40))
    assert masks.by_light(hole, (40, 40)).tobytes() == masks.by_light(strokes, (40, 40)).tobytes()
    assert masks.by_light(hole, (40, 40)).getpixel((5, 5)) == 255


def test_a_mask_that_is_black_all_over_is_refused() -> None:
    with pytest.raises(Refusal, match="dark"):
        masks.by_light(Image.new("RGB", (20, 20), (60, 60, 60)), (20, 20))


@pytest.mark.parametrize("name", regions.BOXES)
def test_a_named_region_is_its_box_and_opposites_do_not_meet(name: str) -> None:
    picture = Image.new("RGB", (200, 100))
    mask = np.asarray(masks.by_region(picture, name)) > 0
    x, y, width, height = regions.BOXES[name]
    assert mask.mean() == pytest.approx(width * height / 10_000, abs=0.01)
    rows, columns = np.nonzero(mask)
    assert (columns.min(), rows.min()) == (x * 2, y)
    other = {"left": "right", "top": "bottom", "top-left": "bottom-right", "top-right": "bottom-left"}.get(name)
    if other:
        assert not (mask & (np.asarray(masks.by_region(picture, other)) > 0)).any()


@pytest.mark.parametrize(
    ("text", "box"),
    [("10,10,60,80%", (20, 10, 140, 90)), ("0,0,0.1,0.1%", (0, 0, 1, 1)), ("99,99,50,50%", (198, 99, 200, 100))],
)
def test_a_region_in_percent_is_at_least_a_pixel(text: str, box: tuple[int, int, int, int]) -> None:
    mask = masks.by_region(Image.new("RGB", (200, 100)), regions.read(text))
    assert mask.getbbox() == box


@pytest.mark.parametrize(
    "text", ["", "lefft", "1,2,3", "1,2,3,4,5%", "100,0,1,1%", "0,0,0,1%", "nan,0,1,1%", "1e9,0,1,1"]
)
def test_what_is_no_region_cannot_be_read(text: str) -> None:
    with pytest.raises(ValueError):
        regions.read(text)


@pytest.mark.parametrize("name", regions.NAMES)
def test_a_region_that_was_read_reads_the_same_again(name: str) -> None:
    assert regions.read(regions.read(f" {name.upper()} ")) == regions.read(name)


@pytest.mark.parametrize("seed", range(6))
def test_the_background_of_a_thing_on_a_plain_ground_is_the_ground(seed: int) -> None:
    picture = plain(seed)
    ground = np.linalg.norm(np.asarray(picture).astype(float) - np.array(picture.getpixel((0, 0))), axis=2) < 60
    found = masks.by_region(picture, "background")
    assert overlap(found, ground) > 0.9
    assert overlap(masks.by_region(picture, "foreground"), ~ground) > 0.8


def test_where_colours_tell_nothing_the_background_is_what_lies_around_the_middle() -> None:
    for picture in (Image.new("RGB", (300, 200), "red"), photo(3, (300, 200)), Image.effect_noise((300, 200), 255)):
        mask = masks.by_region(picture.convert("RGB"), "background")
        assert 0.2 < np.mean(np.asarray(mask) > 0) < 0.95
        assert mask.getpixel((150, 100)) == 0 or picture.mode != "RGB" or len(set(picture.get_flattened_data())) > 1


def test_an_overlay_tints_the_mask_only_and_is_small_enough_to_be_shown() -> None:
    picture, mask = Image.new("RGB", (3000, 1500), (0, 128, 0)), Image.new("L", (3000, 1500))
    mask.paste(255, (0, 0, 1500, 1500))
    shown = masks.overlay(picture, mask)
    assert shown.size == (1280, 640)
    red, green, _ = shown.getpixel((100, 300))
    assert red > 100 > green
    assert shown.getpixel((1000, 300)) == (0, 128, 0)
    assert picture.getpixel((0, 0)) == (0, 128, 0)


@pytest.mark.parametrize("place", [(50, 20, 100, 60), (-50, 0, 100, 60), (100, 0, 100, 60), (0, 30, 100, 60)])
def test_a_canvas_holds_the_picture_unchanged_and_continues_its_edges(place: tuple[int, int, int, int]) -> None:
    picture = photo(7, (100, 60))
    size = (200, 100)
    found, mask = masks.canvas(picture, size, place), masks.around(size, place)
    assert found.size == mask.size == size
    expected = Image.new("RGB", size)
    expected.paste(picture, place[:2])
    inside = np.asarray(mask) == 0
    assert np.array_equal(np.asarray(found)[inside], np.asarray(expected)[inside])
    assert inside.sum() == sum(
        0 <= x < size[0] and 0 <= y < size[1]
        for x in range(place[0], place[0] + 100)
        for y in range(place[1], place[1] + 60)
    )
    assert np.asarray(found)[~inside].std() > 5


def test_parts_are_numbered_by_what_touches() -> None:
    grid = np.array([[1, 0, 1, 1], [0, 1, 0, 0], [0, 0, 0, 1], [1, 1, 0, 1]], bool)
    straight, count = masks.components(grid, diagonal=False)
    assert count == 5
    assert (straight > 0).tolist() == grid.tolist()
    _, slanted = masks.components(grid, diagonal=True)
    assert slanted == 3
    assert masks.components(np.zeros((3, 3), bool), diagonal=True)[1] == 0


def test_what_is_enclosed_is_filled_and_what_is_open_is_not() -> None:
    picture = Image.new("L", (30, 30))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((5, 5, 15, 15), outline=1)
    pen.line((20, 5, 20, 25), 1)
    found = masks.filled(np.asarray(picture) > 0)
    assert found[10, 10]
    assert not found[25, 25]
    assert found.sum() == 11 * 11 + 21
