"""What the doctor hears of Telegram beside a bot that listens there: nothing is taken away from it."""

from __future__ import annotations

import socket

from tg_fronts import house, section

from realbot.adapters.telegram.diagnosis import diagnosis

SECRET = "a-secret-of-many_letters"


def said(found, part):
    return next(one for one in found if one.part == part)


async def test_a_bot_that_polls_is_well_and_goes_on(api, anna, tmp_path):
    async with house(tmp_path, api):
        found = await diagnosis(section(api, owners=(anna.account.id,)))
        assert {one.verdict for one in found} == {"good"}, found
        assert "realbot asks for them" in said(found, "Telegram updates").said
        polls = [call for call in api.called("getUpdates") if call.get("offset")]
        assert len(polls) <= 1
    api.privacy = False
    assert "/setprivacy" in said(await diagnosis(section(api)), "Telegram privacy").remedy


async def test_a_webhook_that_works_and_one_that_was_taken_away(api, tmp_path):
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
    hook = {"webhook_url": f"http://127.0.0.1:{port}/hook", "webhook_port": port, "webhook_secret": SECRET}
    async with house(tmp_path, api, telegram=hook):
        found = await diagnosis(section(api, owners=(7,), **hook))
        assert f"posts them to 127.0.0.1:{port}" in said(found, "Telegram updates").said
        assert SECRET not in str(found)
    assert said(await diagnosis(section(api)), "Telegram updates").verdict == "wrong"
