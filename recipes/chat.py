"""Draws docs/chat.png: a conversation with realbot in Telegram, the bundled model's pictures included.

`realbot run` answers on a Bot API on this machine; a page shows its messages as a client does, and Chromium draws it.

    .venv/bin/python recipes/chat.py [--all FOLDER]
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import html
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("tests/adapters/telegram", "tests/adapters", "tests", "src")]

from botapi import BotApi  # noqa: E402
from botapi_people import Actor, until  # noqa: E402
from botapi_world import Message  # noqa: E402
from playwright.async_api import async_playwright  # noqa: E402
from tg_running import Process  # noqa: E402

STYLE = """
body{margin:0;background:#cfdcc9;font:15px/1.35 'DejaVu Sans','Noto Color Emoji',sans-serif;width:430px;padding:14px}
.m{background:#fff;border-radius:12px;padding:7px 11px;margin:6px 0 0;max-width:330px;width:fit-content;
white-space:pre-wrap;overflow-wrap:anywhere;box-shadow:0 1px 1px #0002}
.me{background:#e6fbcf;margin-left:auto}.pic{padding:0;overflow:hidden}.pic img{display:block;width:330px}
.veil img{filter:blur(22px);clip-path:inset(0)}.pic div{padding:7px 11px}
.k{display:flex;gap:4px;max-width:330px;margin:4px 0 0;width:330px}
.k span{flex:1;background:#5f7f5fb8;color:#fff;border-radius:8px;text-align:center;padding:7px 3px;font-size:13px;
white-space:nowrap;overflow:hidden;text-overflow:ellipsis}.primary{background:#3a8fd9d9!important}
.danger{background:#d9534fd9!important}.success{background:#4aa564d9!important}
.q{border-left:3px solid #4aa564;padding-left:7px;margin-bottom:4px;color:#567;font-size:13px;white-space:nowrap;
overflow:hidden;text-overflow:ellipsis}code,pre{color:#a0306a;font-size:13px;margin:0;white-space:pre-wrap}
"""
TAGS = {"bold": "b", "italic": "i", "code": "code", "pre": "pre", "date_time": "u"}


def drawn(message: Message) -> str:
    """A message as a client shows it."""
    text = marked(message)
    answered = message.reply_to
    quote = f'<div class="q">{html.escape(answered.words[:60] or "Photo")}</div>' if answered is not None else ""
    picture = message.picture
    if picture is not None:
        source = base64.b64encode(picture).decode()
        body = (
            f'<div class="m pic{" veil" if message.spoiler else ""}"><img src="data:image/png;base64,{source}">'
            f"{f'<div>{text}</div>' if text else ''}</div>"
        )
    else:
        body = f'<div class="m{"" if message.by_bot else " me"}">{quote}{text}</div>'
    rows = (message.markup or {}).get("inline_keyboard") or []
    return body + "".join(f'<div class="k">{"".join(map(button, row))}</div>' for row in rows)


def button(told: dict[str, Any]) -> str:
    return f'<span class="{told.get("style", "")}">{html.escape(told["text"])}</span>'


def marked(message: Message) -> str:
    """The words with their entities, which are counted in UTF-16 units."""
    units, parts, at = message.words.encode("utf-16-le"), [], 0
    for entity in sorted(message.entities, key=lambda one: one["offset"]):
        begin, end = 2 * entity["offset"], 2 * (entity["offset"] + entity["length"])
        if begin < at:
            continue
        tag = TAGS.get(entity["type"], "span")
        inner = html.escape(units[begin:end].decode("utf-16-le"))
        parts += [html.escape(units[at:begin].decode("utf-16-le")), f"<{tag}>{inner}</{tag}>"]
        at = end
    return "".join([*parts, html.escape(units[at:].decode("utf-16-le"))])


async def shot(messages: list[Message], path: Path) -> None:
    """Draw messages as a picture file."""
    page = f"<meta charset=utf-8><style>{STYLE}</style>{''.join(map(drawn, messages))}"
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=shutil.which("chromium"))
        tab = await browser.new_page(viewport={"width": 458, "height": 100}, device_scale_factor=1.5)
        await tab.set_content(page)
        await tab.screenshot(path=path, full_page=True)
        await browser.close()


async def painted(person: Actor, number: int) -> None:
    await until(lambda: len(person.chat.pictures) >= number and "Cancel" not in person.chat.told[-1].labels, 150)


async def conversation(more: Path | None) -> None:
    with tempfile.TemporaryDirectory() as name:
        async with BotApi() as api, Process(Path(name), api):
            anna, bert = api.person("anna"), api.person("bert")
            await anna.ask(anna.chat, "/imagine a rocket on a purple background steps:20 seed:818616870")
            await painted(anna, 1)
            await shot(anna.chat.messages, ROOT / "docs" / "chat.png")
            if more is None:
                return
            await bert.ask(bert.chat, "a rocket on a purple background count:3")
            await painted(bert, 3)
            await shot(bert.chat.messages, more / "album.png")
            card = anna.chat.told[-1]
            for labels in (["Change…"], ["Style: none"], ["ink"]):
                await anna.press(card, labels[0])
                await shot(anna.chat.messages, more / f"menu-{labels[0].split(':')[0].strip('…')}.png")
            waiting = await anna.ask(anna.chat, "a cat on a green background steps:100")
            await until(lambda: "Step" in waiting.words, 60)
            await shot([waiting], more / "painting.png")
            for command in ("/help", "/queue", "/history", "/styles", "/settings", "/privacy", "/link", "/start"):
                said = await bert.ask(bert.chat, command)
                await shot([said], more / f"{command[1:]}.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="draw menus and panels too")
    told = parser.parse_args()
    if told.all is not None:
        told.all.mkdir(parents=True, exist_ok=True)
    asyncio.run(conversation(told.all))
