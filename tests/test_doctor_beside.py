"""`realbot doctor` beside a realbot that runs: real processes, the bundled model."""

from __future__ import annotations

import asyncio
import json
import sys

import httpx
import pytest
from program import SOURCE, Program
from visiting import free_port

ADMIN = "open-sesame-canary"


class Served(Program):
    """One with a page and a monitor; ready once both say so."""

    async def ready(self) -> None:
        async with httpx.AsyncClient(timeout=5) as client:
            while True:
                try:
                    port = self.environ["REALBOT_MONITOR__PORT"]
                    if (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200:
                        return
                except httpx.HTTPError:
                    pass
                await self.alive(0.2)


async def doctor(program: Program, *arguments: str) -> tuple[int, dict[str, list[dict[str, str]]], str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "realbot", "doctor", "--json", *arguments,
        cwd=program.folder, env=program.environ | {"PYTHONPATH": str(SOURCE)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 120)
    parts: dict[str, list[dict[str, str]]] = {}
    for finding in json.loads(out)["findings"]:
        parts.setdefault(finding["part"], []).append(finding)
    return process.returncode or 0, parts, (out + err).decode()


@pytest.mark.slow
async def test_the_doctor_beside_a_bot_that_runs_and_after_its_end(tmp_path):
    environ = {
        "REALBOT_WEB__PORT": str(free_port()), "REALBOT_WEB__ADMIN_PASSWORD": ADMIN,
        "REALBOT_MONITOR__PORT": str(free_port()), "REALBOT_STORAGE__FREE_MB": "1", "REALBOT_STORAGE__TIDY_MB": "1",
    }  # fmt: skip
    async with Served(tmp_path, **environ) as realbot:
        code, parts, told = await doctor(realbot)
        assert code == 0, told
        assert f"process {realbot.process.pid}" in parts["data folder"][0]["said"], told
        assert "answers" in parts["web page"][0]["said"]
        assert any(part.split(":")[0] in ("monitor", "running") for part in parts), told
        assert "schema" in parts["database"][0]["said"]
        assert ADMIN not in told

        url = f"http://127.0.0.1:{environ['REALBOT_WEB__PORT']}"
        async with httpx.AsyncClient(base_url=url, timeout=10) as client:
            assert (await client.get("/admin")).status_code == 401
            await client.post("/admin/login", data={"password": ADMIN})
            assert (await client.get("/admin")).status_code == 200
        assert ADMIN not in realbot.log()

        # Settings that were not taken over are told, though the bot goes on with the old ones.
        (tmp_path / "realbot.toml").write_text("[limits]\nper_dya = 3\n")
        code, parts, told = await doctor(realbot)
        assert code == 1
        assert "did you mean limits.per_day" in parts["configuration"][0]["said"]
        (tmp_path / "realbot.toml").unlink()

        assert (await realbot.stop())[0] == 0
        code, parts, told = await doctor(realbot, "--engine")
        assert code == 0, told
        assert "no realbot runs" in parts["data folder"][0]["said"]
        assert "painted on cpu" in parts["engine"][0]["said"], told
        assert "painted anew" not in parts["engine"][0]["said"]
        assert parts["fingerprint"][0]["said"].rstrip(".").split()[-1] in parts["engine"][0]["said"]
