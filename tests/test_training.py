"""The check of a set of pictures before a style is trained on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from realbot import training
from realbot.errors import Invalid
from realbot.training import Course, Example

LEAST = 64


def picture(number: int, size: tuple[int, int] = (96, 96)) -> Image.Image:
    """Coarse colours, another picture for each number."""
    chance = np.random.default_rng(number)
    coarse = Image.fromarray(chance.integers(0, 256, (6, 6, 3), np.uint8))
    return coarse.resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "pictures"
    made.mkdir()
    for number, name in enumerate(("a_red-apple.png", "dog (2).jpg", "IMG_2041.webp", "tree.png", "house.png")):
        picture(number).save(made / name)
    (made / "tree.txt").write_text("an old  tree\n in the sketchy woods", "utf-8")
    (made / "house.txt").write_text("house", "utf-8")
    return made


def checked(folder: Path, trigger: str = "sketchy") -> training.Checked:
    return training.check(training.pictures(folder), trigger, folder.parent / "plain", LEAST)


def why(found: training.Checked) -> dict[str, str]:
    return {name: str(reason) for name, reason in found.left_out}


def test_captions_come_from_the_text_beside_else_from_the_name_before_the_trigger(folder: Path) -> None:
    found = checked(folder)
    assert sorted(example.caption for example in found.examples) == [
        "a red apple, sketchy",
        "an old tree in the sketchy woods",
        "dog, sketchy",
        "house, sketchy",
        "sketchy",
    ]
    assert found.left_out == found.alike == ()


def test_I5_what_is_learnt_from_is_a_plain_upright_picture(folder: Path) -> None:
    turned = picture(9, (160, 80))
    exif = turned.getexif()
    exif[0x0112] = 6
    exif[0x010E] = "where I live"
    turned.save(folder / "turned.jpg", exif=exif)
    kept = {example.caption: example.path for example in checked(folder).examples}["turned, sketchy"]
    with Image.open(kept) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", (80, 160))
    assert b"where I live" not in kept.read_bytes()


def test_I1_I2_I6_broken_animated_small_and_huge_pictures_are_left_out_with_the_reason(folder: Path) -> None:
    whole = (folder / "tree.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "page.png").write_bytes(b"<html>not a picture</html>")
    picture(7, (96, 40)).save(folder / "low.png")
    frames = [picture(number) for number in (20, 21, 22)]
    frames[0].save(folder / "film.webp", save_all=True, append_images=frames[1:])
    Image.new("L", (12_000, 12_000)).save(folder / "bomb.png")
    found = checked(folder)
    assert len(found.examples) == 5
    told = why(found)
    assert set(told) == {"cut.png", "empty.jpg", "page.png", "low.png", "film.webp", "bomb.png"}
    assert "damaged" in told["cut.png"]
    assert "no PNG, JPEG or WebP" in told["page.png"]
    assert "96×40" in told["low.png"]
    assert "moves" in told["film.webp"]
    assert "too many pixels" in told["bomb.png"]


def test_the_same_picture_twice_is_taken_once_and_one_that_looks_the_same_is_told(folder: Path) -> None:
    with Image.open(folder / "tree.png") as tree:
        tree.save(folder / "tree again.png")
        ImageEnhance.Brightness(tree.resize((200, 190))).enhance(0.8).save(folder / "tree at dusk.jpg", quality=60)
    found = checked(folder)
    assert why(found) == {"tree.png": "is the same picture as tree again.png"}
    assert found.alike == (("tree again.png", "tree at dusk.jpg"),)
    assert len(found.examples) == 6


def test_different_pictures_do_not_look_the_same() -> None:
    hashes = [training.look_of(data) for data in map(png, range(60))]
    nearest = min((a ^ b).bit_count() for i, a in enumerate(hashes) for b in hashes[:i])
    assert nearest > training.ALIKE


def png(number: int) -> bytes:
    import io

    out = io.BytesIO()
    picture(number).save(out, "PNG")
    return out.getvalue()


def test_too_few_pictures_are_refused_with_the_reasons(folder: Path) -> None:
    for name in ("tree.png", "house.png"):
        (folder / name).write_bytes(b"no")
    with pytest.raises(Invalid, match=r"at least 4 pictures and there are 3 \(house\.png is no PNG"):
        checked(folder)
    with pytest.raises(Invalid, match="cannot be read"):
        training.pictures(folder / "nowhere")
    (folder / "none").mkdir()
    with pytest.raises(Invalid, match="holds no"):
        training.pictures(folder / "none")


def test_the_hash_of_a_set_is_of_pictures_and_words_and_not_of_their_order() -> None:
    one = [Example(Path("a"), "a", "1" * 64), Example(Path("b"), "b", "2" * 64)]
    assert training.digest(one) == training.digest(one[::-1])
    assert training.digest(one) != training.digest([replace(one[0], caption="c"), one[1]])


def test_a_course_has_the_rate_and_batch_of_its_model_unless_told() -> None:
    asked = Course(style="My Style", trigger=" sepia\npencil ")
    mini = training.course(asked, "mini")
    assert (mini.style, mini.trigger, mini.rate, mini.batch) == ("my-style", "sepia pencil", *training.USUAL["mini"])
    flux = training.course(asked, "flux-dev")
    assert (flux.batch, flux.recompute, mini.recompute) == (1, True, False)
    assert training.course(asked, "flux-dev", 3e-4, 2).rate == 3e-4
    assert mini.digest != training.course(replace(asked, seed=1), "mini").digest


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"style": "../up"}, "needs a name"),
        ({"style": "con"}, "needs a name"),
        ({"trigger": " \t"}, "a word"),
        ({"steps": 0}, "steps cannot be 0; it goes from 1"),
        ({"rank": 1000}, "from 1 to 256"),
    ],
)
def test_a_course_that_cannot_be_taken_is_refused_in_one_sentence(bad: dict[str, object], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        training.course(replace(Course(style="ok", trigger="ok"), **bad), "mini")  # type: ignore[arg-type]
