"""`realbot run` itself takes new settings over at SIGHUP, by itself and at a command, while it paints."""

from __future__ import annotations

import signal

import pytest
from botapi_people import until
from test_tg_run import ASKED, arrives, is_blue
from tg_running import Process

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]


async def test_Q5_Q6_a_running_realbot_takes_good_settings_over_and_keeps_its_own_when_they_are_wrong(
    api, anna, tmp_path
):
    root = api.person("root")
    file = tmp_path / "realbot.toml"
    file.write_text("[limits]\nmax_steps = 60\n")
    async with Process(tmp_path, api, REALBOT_TELEGRAM__OWNERS=f"[{root.id}]") as realbot:

        async def logged(words: str, times: int = 1) -> None:
            await until(lambda: realbot.log().count(words) == times, 90)

        await anna.ask(anna.chat, f"/imagine {ASKED} steps:60 seed:1")
        await anna.ask(anna.chat, "/imagine a green cup on a blue background steps:50 seed:2")

        await logged("started on engine")
        file.write_text("[limits]\nmax_steps = 10\n[web]\nport = 1\n")
        realbot.process.send_signal(signal.SIGHUP)
        await logged("read anew: limits.max_steps")
        await logged("take effect after a restart: web")
        assert "from 1 to 10" in (await anna.ask(anna.chat, f"/imagine {ASKED} steps:11")).words

        file.write_text("[limits]\nmax_steps = 20\nmax_stepz = 20\n")
        told = await root.ask(root.chat, "/realbot reload")
        assert "The settings stay as they were" in told.words
        assert "limits.max_stepz (realbot.toml, line 3); did you mean limits.max_steps?" in told.words
        assert "from 1 to 10" in (await anna.ask(anna.chat, f"/imagine {ASKED} steps:11")).words

        # Nobody says so: the file alone is enough.
        file.write_text("[limits]\nmax_steps = 20\n")
        await logged("read anew: limits.max_steps", 2)
        await anna.ask(anna.chat, "/imagine a red apple on a yellow background steps:11 seed:3")

        assert is_blue((await arrives(anna.chat, "a red apple on a blue")).picture)
        await arrives(anna.chat, "a green cup")
        await arrives(anna.chat, "on a yellow background")
        assert len(anna.chat.pictures) == 3
        code, _ = await realbot.stop()
        assert code == 0
        assert "Traceback" not in realbot.log()
