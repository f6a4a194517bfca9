"""Pictures as Telegram takes them: a photo to be looked at, and the file itself as a document, each measured first."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from telegram import InputMediaDocument, InputMediaPhoto, Message

from realbot.adapters import files
from realbot.adapters.files import Picture, Sized
from realbot.adapters.telegram.text import CAPTION, Text

if TYPE_CHECKING:
    from .wire import Bot

#: Bytes of a photo and of a document, and of a file that a bot can download.
PHOTO, DOCUMENT, DOWNLOAD = 10 * 10**6, 50 * 10**6, 20 * 10**6
#: Width and height of a photo together, in pixels, and the longer side divided by the shorter.
SIDES, RATIO = 10_000, 20
#: Bytes that the rest of a request may take.
REST = 64 * 2**10
#: How many ways there are to show a picture: a photo in each format, and the file as a document.
WAYS = files.STEPS + 1


@dataclass(frozen=True, slots=True)
class Photo:
    """What is shown: a photo, or a document where Telegram takes no photo of that shape."""

    data: bytes
    name: str
    document: bool = False
    spoiler: bool = False  #: Telegram has none for documents, so one with it is always a photo


async def shown(picture: Picture, way: int = 0) -> Photo:
    """The picture as a photo, smaller or in another format where it must be.

    `way` counts the ones before that Telegram did not take. Raises OSError for a file that cannot be read.
    """
    narrow, picture = await asyncio.to_thread(_within, picture)
    document = (narrow or way >= files.STEPS) and not picture.spoiler
    room = (DOCUMENT if document else PHOTO) - REST
    (sized,) = await files.fitted([picture], room, way % files.STEPS)
    return Photo(sized.data, sized.name, document, picture.spoiler)


async def original(picture: Picture) -> tuple[Sized, bool]:
    """The file as it was painted, or the largest copy of it that Telegram takes; whether it is the original."""
    (sized,) = await files.fitted([picture], DOCUMENT - REST)
    return sized, sized.name == picture.name


def media(photo: Photo, text: Text | None = None, *, document: bool = False) -> InputMediaPhoto | InputMediaDocument:
    """A picture that takes the place of another or stands in an album, with its caption."""
    caption = (text or Text()).cut(CAPTION)
    given: dict[str, Any] = {
        "filename": photo.name, "caption": str(caption) or None, "caption_entities": caption.entities(),
    }  # fmt: skip
    if document or photo.document:
        # A small WebP file would otherwise become a sticker.
        return InputMediaDocument(photo.data, disable_content_type_detection=True, **given)
    return InputMediaPhoto(photo.data, has_spoiler=photo.spoiler or None, **given)


async def send(bot: Bot, photo: Photo, text: Text, **where: Any) -> Message:
    """Send a picture as a message of its own. Raises Down and the errors of Telegram."""
    caption = text.cut(CAPTION)
    given = {"filename": photo.name, "caption": str(caption) or None, "caption_entities": caption.entities(), **where}
    if photo.document:
        return await bot.send_document(document=photo.data, disable_content_type_detection=True, **given)
    return await bot.send_photo(photo=photo.data, has_spoiler=photo.spoiler or None, **given)


def _within(picture: Picture) -> tuple[bool, Picture]:
    """Whether the shape is too long for a photo; the picture with sides that are short enough."""
    source = io.BytesIO(picture.source) if isinstance(picture.source, bytes) else Path(picture.source)
    with Image.open(source) as opened:
        width, height = opened.size
        if max(width, height) > RATIO * min(width, height):
            return True, picture
        if width + height <= SIDES:
            return False, picture
        share = SIDES / (width + height)
        smaller = opened.convert("RGB").resize((int(width * share), int(height * share)), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    smaller.save(out, "PNG")
    return False, replace(picture, source=out.getvalue())
