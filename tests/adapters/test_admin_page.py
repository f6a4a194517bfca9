"""The page of whoever runs this bot, over HTTP: who gets in, what it tells and does, and what it never tells."""

from __future__ import annotations

import asyncio
import json
import re
import time
from types import SimpleNamespace

import httpx
import pytest
from visiting import served

from realbot.adapters import adminpage, adminview, password
from realbot.adapters.adminpage import COOKIE, spoken
from realbot.adapters.discord import marked
from realbot.jobs import Failed, Generate, User
from realbot.overview import Failure, Sample, thinned
from studios import ANNA, BERT, HERE, end, until

SECRET, PROMPT = "open-sesame-canary", "a heron nobody else may know of"


@pytest.fixture
async def home(bench, tmp_path):
    async with served(bench, tmp_path, admin=SECRET) as page:
        yield page


class Admin:
    """Somebody who is logged in."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client, self.word, self.parts, self.seen = client, "", {}, ""

    async def log_in(self) -> None:
        answer = await self.client.post("/admin/login", data={"password": SECRET})
        assert (answer.status_code, answer.headers["location"]) == (303, "../admin")
        page = (await self.client.get("/admin")).raise_for_status().text
        self.word = json.loads(re.search(r'id="told">(.*?)</script>', page)[1])["word"]
        self.seen = page

    async def press(self, action: str, **query: str) -> httpx.Response:
        return await self.client.post(f"/admin/do/{action}", params=query, headers={"x-realbot": self.word})

    async def look(self, wanted=lambda parts: True, seconds: float = 10.0) -> dict:
        """Follow the live stream until it tells what is wanted."""
        async with asyncio.timeout(seconds), self.client.stream("GET", "/admin/live", timeout=None) as answer:
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    self.seen += line
                    self.parts |= json.loads(line[6:])
                    if wanted(self.parts):
                        return self.parts
        raise AssertionError(self.parts)


@pytest.fixture
async def stranger(home):
    async with httpx.AsyncClient(base_url=home.url, timeout=30) as client:
        yield client


@pytest.fixture
async def admin(stranger):
    admin = Admin(stranger)
    await admin.log_in()
    return admin


async def test_without_a_password_there_is_no_such_page(page):
    async with httpx.AsyncClient(base_url=page.url) as client:
        for path in ("/admin", "/admin/live", "/admin/admin.js"):
            assert (await client.get(path)).status_code == 404
        assert (await client.post("/admin/login", data={"password": ""})).status_code == 404


async def test_a_stranger_sees_the_question_and_nothing_else(stranger):
    answer = await stranger.get("/admin")
    assert answer.status_code == 401
    assert "whoever runs this bot" in answer.text
    assert '<html lang="en">' in answer.text
    german = await stranger.get("/admin", headers={"accept-language": "de"})
    assert '<html lang="de">' in german.text
    assert (await stranger.get("/admin/live")).status_code == 403
    for action in ("pause", "clear", "restart", "reload"):
        assert (await stranger.post(f"/admin/do/{action}")).status_code == 403
    assert (await stranger.get("/admin/anything")).status_code == 404
    assert not stranger.cookies


async def test_what_platforms_say_of_themselves_is_told_in_the_reader_s_language(bench, home, admin):
    class Front:
        platform, away, limited = "discord", True, 0

        @property
        def health(self) -> str:
            return marked.unconnected()

        def pulse(self) -> float:
            return 0.0

    bench.studio.health.fronts.append(Front())
    admin.client.headers["accept-language"] = "de"
    parts = await admin.look(lambda parts: any(part["name"] == "Discord" for part in parts.get("parts", ())))
    assert [part["says"] for part in parts["parts"] if part["name"] == "Discord"] == ["nicht mit Discord verbunden"]


async def test_guesses_are_answered_one_after_the_other(stranger, monkeypatch):
    monkeypatch.setattr(password, "PENALTY", 0.2)
    begun = time.monotonic()
    answers = await asyncio.gather(*(stranger.post("/admin/login", data={"password": f"guess{n}"}) for n in range(4)))
    assert time.monotonic() - begun >= 0.8
    assert {answer.headers["location"] for answer in answers} == {"../admin?wrong"}
    page = await stranger.get("/admin?wrong")
    assert (page.status_code, "not the password" in page.text) == (401, True)
    assert not stranger.cookies


async def test_the_password_of_the_page_is_another_one(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(password, "PENALTY", 0.01)
    async with (
        served(bench, tmp_path, "for-visitors", admin=SECRET) as page,
        httpx.AsyncClient(base_url=page.url) as client,
    ):
        assert (await client.get("/")).status_code == 401
        wrong = await client.post("/admin/login", data={"password": "for-visitors"})
        assert wrong.headers["location"] == "../admin?wrong"
        await Admin(client).log_in()
        assert (await client.get("/")).status_code == 401
        assert (await client.get("/administrator")).status_code == 401


async def test_the_cookie_is_no_key_to_anything_else_and_ends(admin, monkeypatch):
    answer = await admin.client.post("/admin/login", data={"password": SECRET})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert SECRET not in str(answer.headers)
    later = time.monotonic() + adminpage.STAY + 1
    monkeypatch.setattr(adminpage, "time", SimpleNamespace(monotonic=lambda: later))
    assert (await admin.client.get("/admin")).status_code == 401
    assert (await admin.press("pause")).status_code == 403


async def test_after_logging_out_the_old_cookie_opens_nothing(admin):
    old = admin.client.cookies[COOKIE]
    assert (await admin.client.post("/admin/logout", headers={"x-realbot": admin.word})).status_code == 204
    admin.client.cookies.clear()
    admin.client.cookies[COOKIE] = old
    assert (await admin.client.get("/admin")).status_code == 401


async def test_a_post_from_elsewhere_does_nothing(bench, admin):
    for headers in (
        {},
        {"x-realbot": "guessed"},
        {"x-realbot": admin.word, "origin": "https://evil.example"},
        {"x-realbot": admin.word, "origin": "null"},
        {"x-realbot": admin.word, "sec-fetch-site": "same-site"},
    ):
        assert (await admin.client.post("/admin/do/pause", headers=headers)).status_code == 403
    assert not bench.studio.overview.paused()
    # A proxy may ask under another name than the browser did.
    proxied = {"x-realbot": admin.word, "origin": "https://bot.example", "sec-fetch-site": "same-origin"}
    assert (await admin.client.post("/admin/do/resume", headers=proxied)).status_code == 200
    foreign = await admin.client.post(
        "/admin/login", data={"password": SECRET}, headers={"origin": "https://e.example"}
    )
    assert foreign.headers["location"] == "../admin?wrong"
    assert (await admin.client.get("/admin/do/pause")).status_code in (404, 405)


async def test_nothing_of_another_host_is_allowed_and_nothing_is_kept(admin):
    answer = await admin.client.get("/admin")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-frame-options"] == "DENY"
    script = (await admin.client.get("/admin/admin.js")).text + (await admin.client.get("/admin/admin.css")).text
    assert "innerHTML" not in script
    assert set(re.findall(r"https?://[^\s'\"]+", script)) <= {"http://www.w3.org/2000/svg"}


async def test_the_line_the_engines_and_the_parts_are_told(bench, admin):
    await bench.ask("a frog", steps=8)
    await bench.ask("a frog again", BERT, steps=8)
    await bench.studio.submit(User("discord", "7", "Cleo"), Generate(prompt="an owl", steps=8), HERE)
    await until(bench.pool.working)
    bench.pool.step(2)
    parts = await admin.look(lambda parts: parts["engines"] and parts["engines"][0]["step"] == "Step 2 of 8")
    assert parts["numbers"]["waiting"] == "2"
    assert parts["numbers"]["painting"] == "1"
    rows = parts["line"]["rows"]
    assert [row["position"] for row in rows] == ["", "1st", "2nd"]
    assert [row["what"] for row in rows] == ["picture · Web page", "picture · Web page", "picture · Discord"]
    assert rows[0]["share"] == 0.25
    (engine,) = parts["engines"]
    assert (engine["state"], engine["share"]) == ("painting", 0.25)
    assert {part["name"] for part in parts["parts"]} >= {"Database", "Engine", "Disk", "Event loop"}
    assert ["limits.waiting_per_user", "1000"] in parts["rules"]


async def test_P11_S5_nobody_s_words_and_no_secret_are_in_any_answer(bench, admin):
    jobs = [await bench.ask(PROMPT, user, steps=4) for user in (ANNA, BERT)]
    await until(bench.pool.working)
    bench.pool.fail(kind="style", detail=f"the style of {PROMPT} is broken")
    assert isinstance(await end(jobs[0]), Failed)
    await until(bench.pool.working)
    bench.pool.step(1)
    await admin.look(lambda parts: parts["failures"])
    for action in ("pause", "resume", "reload", "nonsense"):
        admin.seen += (await admin.press(action)).text
    admin.seen += (await admin.press("restart", engine="nobody's")).text
    for secret in (PROMPT, "heron", ANNA.name, BERT.name, ANNA.id, SECRET, admin.client.cookies[COOKIE]):
        assert secret not in admin.seen.replace("nobody's", "")


async def test_pausing_going_on_and_clearing_hold_everywhere_and_are_noted(bench, admin):
    first = await bench.ask("a frog", steps=4)
    await until(bench.pool.working)
    assert "paused" in (await admin.press("pause")).text
    waiting = [await bench.ask(f"an owl {n}") for n in range(3)]
    parts = await admin.look(lambda parts: parts["state"]["paused"] and len(parts["line"]["rows"]) == 4)
    assert parts["state"]["says"] == "Painting is paused"
    assert [row["due"] for row in parts["line"]["rows"][1:]] == ["paused"] * 3
    assert (await admin.press("clear")).text == "3 requests were cancelled."
    assert [job.status.__class__.__name__ for job in waiting] == ["Cancelled"] * 3
    assert (await admin.press("resume")).text == "Painting goes on."
    bench.pool.finish()
    await end(first)
    noted = await bench.studio.audit(None)
    assert {change.by for change in noted} == {"web:admin"}
    assert [change.change for change in noted] == [{"paused": False}, {"cleared": 3}, {"paused": True}]


async def test_an_engine_is_started_anew_and_its_job_painted_again(bench, admin):
    job = await bench.ask("a frog", steps=4)
    await until(bench.pool.working)
    (name,) = [engine.name for engine in bench.studio.overview.engines()]
    assert (await admin.press("restart", engine=name)).status_code == 200
    await until(lambda: bench.pool.working() and bench.pool.works[-1].key.attempt == 2)
    bench.pool.finish()
    await end(job)
    assert (await bench.studio.audit(None))[0].change == {"restarted": name}
    assert bench.studio.overview.engines()[0].restarts == 1
    assert (await admin.press("restart", engine="other")).status_code == 409


async def test_the_settings_are_read_anew_or_stay(bench, admin, tmp_path, monkeypatch):
    told = (await admin.press("reload")).text
    assert told
    assert SECRET not in told


async def test_the_way_there_is_shown_to_who_is_logged_in_only(bench, home, admin):
    from visiting import Tab

    async with Tab(home, bench) as tab:
        assert 'href="admin"' not in tab.parts["foot"]
    async with Tab(home, bench, admin.client.cookies) as tab:
        assert 'href="admin"' in tab.parts["foot"]


@pytest.mark.parametrize(
    ("header", "code"),
    [("de-DE,de;q=0.9,en;q=0.8", "de_DE"), ("en-US,de;q=0.5", "en_US"), ("fr,de;q=0.4,en;q=0.2", "de"), ("", ""),
     ("x" * 9000, ""), ("de;q=oops", "de")],
)  # fmt: skip
async def test_the_browser_s_language(header, code):
    assert spoken(SimpleNamespace(headers={"accept-language": header})) == code


async def test_what_happens_becomes_points_of_the_charts(bench, admin):
    overview = bench.studio.overview
    job = await bench.ask("a frog", steps=3)
    await until(bench.pool.working)
    overview.sample()
    other = await bench.ask("an owl", BERT)
    for n in range(1, 4):
        bench.pool.step(n)
        await asyncio.sleep(0.02)
    await bench.studio.cancel(BERT, other.id)
    bench.pool.finish()
    await end(job)
    point = overview.sample()
    assert point.pictures > 0
    assert point.waiting == 1
    assert 0.005 < point.step < 5
    empty = overview.sample()
    assert (empty.pictures, empty.wait, empty.step) == (0.0, None, None)
    parts = await admin.look(lambda parts: len(parts["charts"][0]["points"]) == 3)
    assert [one["name"] for one in parts["charts"]] == ["queue", "wait", "pictures", "step"]
    assert parts["charts"][3]["points"][-1][1:] == [None, ""]


def test_a_day_of_points_is_thinned_and_no_peak_of_the_line_is_lost():
    samples = [Sample(float(n), n % 7, float(n), 1.0, None) for n in range(1000)]
    few = thinned(samples, 180)
    assert len(few) <= 180
    assert few[-1].at == 999.0
    assert max(one.waiting for one in few) == 6
    assert few[-1].wait == pytest.approx(sum(range(994, 1000)) / 6)
    assert thinned([], 180) == []
    assert all(one.step is None for one in few)


@pytest.mark.parametrize(
    ("value", "top"), [(0.0, 1.0), (0.26, 0.4), (1.0, 1.0), (7.0, 8.0), (11.0, 20.0), (95.0, 100.0)]
)
def test_the_axis_ends_at_a_round_number(value, top):
    assert adminview.nice(value) == pytest.approx(top)


def test_an_engine_that_ended_is_told_among_the_failures():
    told = adminview.failure(Failure(1.0, "", "crashed", "killed by SIGKILL"))
    assert (told["error"], told["detail"], told["job"]) == ("The engine ended: crashed", "killed by SIGKILL", "")
