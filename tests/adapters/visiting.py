"""A browser without a screen: it holds cookies, follows the live stream and fires the page's events over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import html
import json
import re
import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from realbot.adapters import web
from studios import Rig, until


def free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return door.getsockname()[1]


@asynccontextmanager
async def served(
    bench: Rig, folder: Path, password: str | None = None, *, admin: str | None = None
) -> AsyncIterator[web.Page]:
    """The page on a free port of this machine."""
    page = web.Page(bench.studio, host="127.0.0.1", port=0, password=password, folder=folder / "web", admin=admin)
    ready = asyncio.Event()
    task = asyncio.create_task(page.serve(ready=ready))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if task.done():
        task.result()
    try:
        yield page
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def plain(markup: str) -> str:
    """The text of some HTML."""
    return html.unescape(re.sub(r"<[^>]*>", " ", markup))


class Tab:
    """One visitor's tab."""

    done = "Done in"

    def __init__(self, page: web.Page, bench: Rig, cookies: httpx.Cookies | None = None) -> None:
        self.page, self.bench = page, bench
        self.client = httpx.AsyncClient(base_url=page.url, cookies=cookies, timeout=30)
        self.parts: dict[str, str] = {}
        self.text: list[str] = []
        self.config: dict[str, Any] = {}
        self.live: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Tab:
        (await self.client.get("/")).raise_for_status()
        self.config = (await self.client.get("/config")).json()
        self.look()
        await until(lambda: "stage" in self.parts)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.live is not None:
            self.live.cancel()
            await asyncio.gather(self.live, return_exceptions=True)
        await self.client.aclose()

    def look(self, **query: str) -> None:
        """Open the live stream."""
        self.live = asyncio.create_task(self._follow(query))

    async def _follow(self, query: dict[str, str]) -> None:
        async with self.client.stream("GET", "/live", params=query, timeout=None) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    news = json.loads(line[6:])
                    self.parts |= news
                    self.text += [plain(news[name]) for name in ("stage", "foot") if name in news]

    def component(self, elem_id: str) -> dict[str, Any]:
        return next(c for c in self.config["components"] if c["props"].get("elem_id") == elem_id)

    async def fire(self, elem_id: str, event: str, data: list[Any], event_data: Any = None) -> list[Any]:
        """Fire an event of the page as its own script does, and return what it puts into the fields."""
        source = self.component(elem_id)["id"]
        rule = next(d for d in self.config["dependencies"] if [source, event] in [list(t) for t in d["targets"]])
        session = uuid.uuid4().hex
        body = {"data": data, "fn_index": rule["id"], "session_hash": session, "event_data": event_data}
        (await self.client.post("/gradio_api/queue/join", json=body)).raise_for_status()
        stream = self.client.stream("GET", "/gradio_api/queue/data", params={"session_hash": session})
        async with stream as answer:
            async for line in answer.aiter_lines():
                message = json.loads(line[6:]) if line.startswith("data: ") else {}
                if message.get("msg") == "process_completed":
                    assert message["success"], message
                    return message["output"]["data"]
        raise AssertionError("the stream ended without an answer")

    def form(self, **values: Any) -> list[Any]:
        """The form's fields as the page shows them at first, with some changed."""
        source = self.component("imagine")["id"]
        rule = next(d for d in self.config["dependencies"] if [source, "click"] in [list(t) for t in d["targets"]])
        by_id = {c["id"]: c for c in self.config["components"]}
        data = []
        for component in (by_id[i] for i in rule["inputs"]):
            props = component["props"]
            name = props.get("elem_id") if props.get("elem_id") in values else props.get("label")
            data.append(values.pop(name, props.get("value")))
        assert not values, f"no such field: {values}"
        return data

    async def press(self, action: str, job: str | None = None, **form: str) -> httpx.Response:
        """Press a button of the card on the stage, or of any job."""
        if job is None:
            found = re.search(rf'data-act="{action}" data-job="([^"]*)"', self.parts["stage"])
            assert found, self.parts["stage"]
            job = found[1]
        return await self.client.post(f"/jobs/{job}/{action}", data=form)

    async def bring(self, data: bytes, **query: str) -> httpx.Response:
        """Send a picture; with `source`, its mask."""
        address = "/masks" if "source" in query else "/uploads"
        return await self.client.post(address, content=data, params=query)

    def images(self) -> list[str]:
        return list(dict.fromkeys(re.findall(r'src="picture/([0-9a-f]{64})"', self.parts["stage"])))

    # A face of the contract

    async def ask(self, text: str) -> None:
        (notice,) = await self.fire("imagine", "click", self.form(prompt=text))
        self.text.append(plain(notice or ""))

    async def sees(self) -> str:
        return "\n".join(self.text)

    async def bar(self) -> float:
        found = re.search(r'<i style="width:([\d.]+)%">', self.parts["stage"])
        assert found, self.parts["stage"]
        return float(found[1]) / 100

    async def pictures(self) -> list[bytes]:
        answers = [await self.client.get(f"/picture/{image}") for image in self.images()]
        return [answer.raise_for_status().content for answer in answers]

    async def cancel(self) -> None:
        assert (await self.press("cancel")).status_code == 204

    async def stranger_sees(self) -> str:
        job = re.search(r'data-job="([^"]+)"', self.parts["stage"])
        assert job
        async with Tab(self.page, self.bench) as other:
            answers = [await other.client.get(f"/card/{job[1]}"), await other.client.get(f"/preview/{job[1]}")]
            for image in self.images():
                answers += [await other.client.get(f"/picture/{image}"), await other.client.get(f"/thumb/{image}")]
            for action in ("cancel", "retry", "fresh", "favourite", "forget", "subtle", "upscale2", "zoom", "left"):
                answers.append(await other.press(action, job[1]))
            assert {answer.status_code for answer in answers} <= {403, 404}
            fields = await other.fire("board", "reuse", [], {"job": job[1]})
            return "\n".join([*(answer.text for answer in answers), str(fields), *other.parts.values()])
