"""Pictures as Telegram takes them: measured before they are sent, and once more in another way when it refuses."""

from __future__ import annotations

import hashlib
import io
import random

import pytest
from botapi_clients import client
from botapi_faults import Error, Status
from botapi_files import Document, Photo
from PIL import Image
from tg_fronts import border, house, near
from tg_scenes import asks, finishes, jobs, names, shown, uploads

from realbot.adapters.files import Picture
from realbot.adapters.telegram import files
from realbot.adapters.telegram.text import CAPTION, Text, bold, units

MB = 10**6


def saved(picture: Image.Image, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, compress_level=1)
    return out.getvalue()


def noise(width: int, height: int, seed: int = 1) -> Image.Image:
    """A picture that cannot be made small."""
    return Image.frombytes("RGB", (width, height), random.Random(seed).randbytes(width * height * 3))


def picture(data: bytes) -> Picture:
    return Picture(data, "a-fox-7.png", "a fox")


def size(data: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(data)).size


async def sent(api, anna, photo: files.Photo, text: Text | None = None):
    """The message that a photo becomes; an error when Telegram does not take it."""
    async with client(api) as bot:
        made = await files.send(bot, photo, text or Text("a fox"), chat_id=anna.id)
        return anna.chat.everything[made.message_id]


async def test_a_picture_that_fits_is_sent_as_it_was_painted(api, anna):
    data = saved(Image.new("RGB", (1024, 768), "red"))
    photo = await files.shown(picture(data))
    assert (photo.data, photo.name, photo.document) == (data, "a-fox-7.png", False)
    message = await sent(api, anna, photo)
    assert isinstance(message.media, Photo)
    assert message.uploaded == data


async def test_R5_a_noise_picture_of_30_mb_is_shown_as_a_photo_and_kept_as_a_document(api, anna):
    data = saved(noise(3200, 3200))
    assert 30 * MB < len(data) < 50 * MB
    photo = await files.shown(picture(data))
    assert len(photo.data) <= 10 * MB
    assert not photo.document
    message = await sent(api, anna, photo)
    assert isinstance(message.media, Photo)
    assert size(photo.data) == (3200, 3200)
    whole, exact = await files.original(picture(data))
    assert exact
    assert whole.data == data


@pytest.mark.parametrize("shape", [(5000, 5000), (9500, 500)])
async def test_sides_of_ten_thousand_pixels_together_are_a_photo(api, anna, shape):
    data = saved(Image.new("1", shape))
    photo = await files.shown(picture(data))
    assert photo.data == data
    assert isinstance((await sent(api, anna, photo)).media, Photo)


@pytest.mark.parametrize("shape", [(5001, 5000), (8000, 4000), (9990, 600)])
async def test_R6_longer_sides_are_made_shorter(api, anna, shape):
    photo = await files.shown(picture(saved(Image.new("1", shape))))
    width, height = size(photo.data)
    assert width + height <= 10_000
    assert width / height == pytest.approx(shape[0] / shape[1], rel=0.01)
    assert isinstance((await sent(api, anna, photo)).media, Photo)


async def test_R6_a_shape_that_is_no_photo_is_a_document(api, anna):
    data = saved(Image.new("RGB", (2100, 100), "red"))
    photo = await files.shown(picture(data))
    assert (photo.document, photo.data) == (True, data)
    message = await sent(api, anna, photo, Text(bold("a fox")))
    assert isinstance(message.media, Document)
    assert (message.uploaded, message.caption) == (data, "a fox")
    assert not (await files.shown(picture(saved(Image.new("RGB", (2000, 100)))))).document


async def test_R6_each_way_is_another_one_and_the_last_is_the_file_itself():
    data = saved(noise(64, 64))
    ways = [await files.shown(picture(data), way) for way in range(files.WAYS)]
    assert [(one.name, one.document) for one in ways] == [
        ("a-fox-7.png", False), ("a-fox-7.webp", False), ("a-fox-7.jpg", False), ("a-fox-7.png", True),
    ]  # fmt: skip
    assert ways[-1].data == data


async def test_R5_an_original_that_is_too_large_is_the_best_copy(monkeypatch):
    monkeypatch.setattr(files, "DOCUMENT", files.REST + 30_000)
    data = saved(noise(128, 128))
    whole, exact = await files.original(picture(data))
    assert not exact
    assert len(whole.data) <= 30_000
    assert size(whole.data) == (128, 128)


async def test_T12_a_caption_is_cut_and_its_looks_with_it(api, anna):
    text = Text(bold("🦊" * 700), " and more")
    photo = files.Photo(saved(Image.new("RGB", (64, 64))), "a.png")
    message = await sent(api, anna, photo, text)
    assert units(message.caption) <= CAPTION
    assert message.caption.endswith("🦊…")
    assert message.marks == [("bold", message.caption[:-1])]
    assert units(str(files.media(photo, text).caption)) <= CAPTION


async def test_a_lost_file_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match=r"no\.png"):
        await files.shown(Picture(tmp_path / "no.png", "no.png", ""))


UNFIT = [
    Error(400, "Bad Request: PHOTO_INVALID_DIMENSIONS"), Error(400, "Bad Request: IMAGE_PROCESS_FAILED"),
    Error(400, "Bad Request: file of size 9 bytes is too big for a photo"), Error(413, "Request Entity Too Large"),
    Status(status=413),
]  # fmt: skip


@pytest.mark.parametrize("refusal", UNFIT, ids=str)
async def test_R6_what_telegram_refuses_all_the_same_comes_in_the_next_format(api, anna, tmp_path, refusal):
    async with house(tmp_path, api, hand=True) as home:
        card = await asks(home, anna, "a red fox on a blue background")
        api.fault("editMessageMedia", refusal)
        await finishes(home)
        assert names(uploads(api)) == [["png"], ["webp"]]
        assert shown(api, "a red fox") == [card]
        assert near(border(card.picture), (0, 0, 255))


async def test_R6_R5_each_format_is_tried_once_and_the_document_last(api, anna, tmp_path):
    async with house(tmp_path, api, hand=True) as home:
        card = await asks(home, anna, "a red fox")
        api.fault("editMessageMedia", Error(400, "Bad Request: PHOTO_INVALID_DIMENSIONS"), 3)
        await finishes(home)
        assert names(uploads(api)) == [["png"], ["webp"], ["jpg"], ["png"]]
        assert shown(api, "a red fox") == [card]
        assert isinstance(card.media, Document)
        assert len(anna.chat.told) == 1


async def test_R5_a_picture_of_more_than_ten_mb_goes_the_whole_way(api, anna, tmp_path, monkeypatch):
    monkeypatch.setattr("easel.draw", lambda request, seed: noise(2000, 2000))
    async with house(tmp_path, api, hand=True) as home:
        card = await asks(home, anna, "noise")
        await finishes(home)
        assert shown(api, "noise") == [card]
        assert isinstance(card.media, Photo)
        assert len(card.uploaded) <= 10 * MB
        await anna.press(card, "Original")
        document = anna.chat.last
        assert isinstance(document.media, Document)
        assert len(document.uploaded) > 10 * MB
        (job,) = jobs(home)
        assert hashlib.sha256(document.uploaded).hexdigest() == job.status.images[0]


async def test_R6_an_album_of_long_pictures_is_one_of_documents(api, anna, tmp_path, monkeypatch):
    monkeypatch.setattr("easel.draw", lambda request, seed: Image.new("RGB", (2100, 100), "red"))
    async with house(tmp_path, api, hand=True) as home:
        await asks(home, anna, "a red fox count:2")
        await finishes(home)
        assert [type(m.media) for m in anna.chat.told] == [Document, Document, type(None)]
        assert all(m.album for m in anna.chat.told[:2])


async def test_R6_an_album_changes_its_format_as_a_whole(api, anna, tmp_path):
    async with house(tmp_path, api, hand=True) as home:
        await asks(home, anna, "a red fox count:3")
        api.fault("sendMediaGroup", Error(400, "Bad Request: IMAGE_PROCESS_FAILED"))
        await finishes(home)
        assert names(uploads(api)) == [["png"] * 3, ["webp"] * 3]
        assert len(anna.chat.pictures) == 3
