"""Who is visiting: each sees their own, nobody gets in or reads a file, and it comes and goes cleanly."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from pathlib import Path

import httpx
import pytest
from contract import paint, shows
from visiting import Tab, free_port, plain, served

from realbot.adapters import web, words
from realbot.adapters.door import PASS, VISITOR, visitor
from realbot.errors import ConfigError
from studios import until


async def test_two_visitors_see_only_their_own(face: Tab):
    async with Tab(face.page, face.bench) as other:
        await face.ask("a lost umbrella steps:4")
        await other.ask("a tall tractor steps:4")
        await until(lambda: "tractor" in other.parts["stage"] and "umbrella" in face.parts["stage"])
        await until(face.bench.pool.working)
        face.bench.pool.finish()
        await until(lambda: len(face.bench.pool.works) == 2)
        face.bench.pool.finish()
        await shows(face, "Done in")
        await shows(other, "Done in")
        assert "tractor" not in "".join([*face.parts.values(), *face.text])
        assert "umbrella" not in "".join([*other.parts.values(), *other.text])
        assert (await other.client.get(f"/picture/{face.images()[0]}")).status_code == 404


async def test_after_a_reload_the_running_job_is_shown_again(face: Tab):
    await face.ask("a red apple steps:4")
    await until(face.bench.pool.working)
    face.bench.pool.step(2)
    await shows(face, "Step 2 of 4")
    async with Tab(face.page, face.bench, face.client.cookies) as again:
        assert "Step 2 of 4" in plain(again.parts["stage"])
        face.bench.pool.finish()
        await shows(again, "Done in")
        assert len(await again.pictures()) == 1


async def test_a_restart_of_the_page_takes_the_jobs_up_again(bench, tmp_path):
    async with served(bench, tmp_path) as page, Tab(page, bench) as tab:
        await tab.ask("a red apple steps:4")
        await until(bench.pool.working)
        cookies = tab.client.cookies
    async with served(bench, tmp_path) as page, Tab(page, bench, cookies) as tab:
        assert "a red apple" in tab.parts["stage"]
        bench.pool.finish()
        await shows(tab, "Done in")
        await until(lambda: not bench.studio.pending("web"))


async def test_a_picture_that_was_finished_while_nobody_looked_is_there(bench, tmp_path):
    async with served(bench, tmp_path) as page:
        async with Tab(page, bench) as tab:
            await tab.ask("a red apple steps:4")
            await until(bench.pool.working)
        bench.pool.finish()
        await until(lambda: not bench.studio.pending("web"))
        async with Tab(page, bench, tab.client.cookies) as again:
            assert len(await again.pictures()) == 1


async def test_the_cookie_is_long_secret_and_kept(page):
    async with httpx.AsyncClient(base_url=page.url) as client:
        first = await client.get("/")
        cookie = first.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        token = client.cookies[VISITOR]
        assert len(token) == 43
        assert token not in visitor(client.cookies).key
        assert "set-cookie" not in (await client.get("/")).headers
        client.cookies.set(VISITOR, "short", domain="127.0.0.1")
        assert "set-cookie" in (await client.get("/")).headers


async def test_without_cookies_nothing_is_taken_and_the_page_says_why(face: Tab):
    async with httpx.AsyncClient(base_url=face.page.url) as client:
        answer = await client.get("/live")
        assert (answer.status_code, answer.text) == (403, words.NEEDS_COOKIES)
    face.client.cookies.clear()
    (notice,) = await face.fire("imagine", "click", face.form(prompt="a frog"))
    assert "cookies" in notice
    assert not face.bench.pool.works


# Safety


async def test_no_name_is_looked_up_and_no_foreign_address_is_on_the_page(bench, tmp_path, monkeypatch):
    asked, real = [], socket.getaddrinfo

    def watched(host, *rest, **named):
        asked.append(host)
        return real(host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", watched)
    async with served(bench, tmp_path) as page, Tab(page, bench) as tab:
        await paint(tab, "a red apple steps:2")
        policy = (await tab.client.get("/")).headers["content-security-policy"]
    assert "'self'" in policy
    assert "http" not in policy
    for host in asked:
        ipaddress.ip_address(host)


async def test_a_posted_path_reads_no_file(face: Tab, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("top secret")
    stolen = {"path": str(secret), "meta": {"_type": "gradio.FileData"}}
    for data in (face.form(prompt=stolen), face.form(prompt="a frog", styles={"ink": stolen})):
        try:
            result = str(await face.fire("imagine", "click", data))
        except AssertionError as error:
            result = str(error)
        assert "top secret" not in result
    for path in (secret, tmp_path / "data" / "realbot.db", "/etc/hostname"):
        assert (await face.client.get(f"/gradio_api/file={path}")).status_code in (403, 404)
    assert not [path for path in (tmp_path / "web").rglob("*") if path.is_file()]


@pytest.mark.parametrize("checked", [True, False])
async def test_mounting_keeps_the_check_of_posted_paths(tmp_path, monkeypatch, checked):
    """With a file field a path that was never uploaded is refused; without our mounting it would be handed out."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "web"))
    import gradio as gr

    secret = tmp_path / "secret.txt"
    secret.write_text("top secret")
    with gr.Blocks(analytics_enabled=False) as demo:
        field, go, out = gr.File(), gr.Button(elem_id="go"), gr.Textbox()
        go.click(lambda path: path and Path(path).read_text(), field, out)
    app = web.mounted(demo, [])
    demo.has_launched = checked
    door = web.listen("127.0.0.1", 0)
    import uvicorn

    server = web.Server(uvicorn.Config(app, log_config=None, ws="none", timeout_graceful_shutdown=1))
    task = asyncio.create_task(server.serve(sockets=[door]))
    await until(lambda: server.started)
    try:
        async with httpx.AsyncClient(base_url=web.address("127.0.0.1", door.getsockname()[1]), timeout=30) as client:
            body = {"data": [{"path": str(secret), "meta": {"_type": "gradio.FileData"}}], "fn_index": 0}
            await client.post("/gradio_api/queue/join", json={**body, "session_hash": "s"})
            answer = await client.get("/gradio_api/queue/data", params={"session_hash": "s"})
    finally:
        server.should_exit = True
        await task
        door.close()
    assert ("top secret" in answer.text) is not checked


async def test_the_page_offers_no_api_and_no_documentation(face: Tab):
    for path in ("/docs", "/redoc", "/openapi.json", "/monitoring", "/gradio_api/openapi.json", "/gradio_api/mcp/sse"):
        text = (await face.client.get(path)).text.lower()
        assert "swagger" not in text, path
        assert '"openapi"' not in text, path
    info = (await face.client.get("/gradio_api/info")).json()
    assert not info["named_endpoints"]
    assert not info["unnamed_endpoints"]


# Password


async def test_a_password_closes_everything(bench, tmp_path):
    async with served(bench, tmp_path, "let me in") as page, httpx.AsyncClient(base_url=page.url) as client:
        for path in ("/", "/config", "/live", "/picture/" + "a" * 64, "/gradio_api/info", "/favicon.ico", "/theme.css"):
            answer = await client.get(path)
            assert answer.status_code == 401, path
            assert "set-cookie" not in answer.headers
        assert (await client.post("/gradio_api/queue/join", json={})).status_code == 401
        assert (await client.post("/jobs/x/cancel")).status_code == 401


async def test_the_password_opens_the_page_and_a_wrong_one_costs_a_second(bench, tmp_path):
    async with served(bench, tmp_path, "let me in") as page, httpx.AsyncClient(base_url=page.url, timeout=30) as client:
        started = time.monotonic()
        wrong = await client.post("/login", data={"password": "let me"})
        assert time.monotonic() - started >= 0.9
        assert wrong.status_code == 401
        assert words.WRONG_PASSWORD in wrong.text
        right = await client.post("/login", data={"password": "let me in"})
        assert right.status_code == 303
        assert "HttpOnly" in right.headers["set-cookie"]
        assert "let me in" not in right.headers["set-cookie"]
        assert (await client.get("/")).status_code == 200
        assert (await client.get("/config")).status_code == 200
        client.cookies.set(PASS, "forged", domain="127.0.0.1")
        assert (await client.get("/config")).status_code == 401


# Coming and going


def test_a_taken_port_is_one_sentence_that_names_the_setting():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"web\.port {port}") as caught:
            web.listen("127.0.0.1", port)
    assert caught.value.key == "web.port"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("host", ["192.0.2.77", "no such host"])
def test_a_host_that_is_not_ours_names_the_setting(host):
    with pytest.raises(ConfigError, match=r"web\.host") as caught:
        web.listen(host, free_port())
    assert caught.value.key == "web.host"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
    ],
)
def test_the_address_is_one_that_a_browser_takes(host, url):
    assert web.address(host, 80) == url


async def test_it_stops_within_three_seconds_with_open_tabs(bench, tmp_path):
    async with served(bench, tmp_path) as page:
        port = int(page.url.rpartition(":")[2])
        tabs = [Tab(page, bench) for _ in range(3)]
        for tab in tabs:
            await tab.__aenter__()
        heart = tabs[0].client.stream("GET", "/gradio_api/heartbeat/s", timeout=None)
        await heart.__aenter__()
        started = time.monotonic()
    assert time.monotonic() - started < 3
    for tab in tabs:
        await tab.__aexit__()
    names = {task.get_name() for task in asyncio.all_tasks()}
    assert not [name for name in names if name.startswith(("card", "web"))]
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))
