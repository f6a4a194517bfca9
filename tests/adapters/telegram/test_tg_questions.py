"""Questions to moderators that nobody could take away on Telegram when their picture was deleted."""

from __future__ import annotations

from tg_fronts import house, shows
from tg_scenes import asks, finishes, soon, user

from judges import Judge
from studios import rig


async def test_P12_what_was_deleted_while_realbot_was_stopped_is_deleted_at_the_next_start(api, anna, tmp_path):
    boss = api.person("boss")
    checked = {"classifier": Judge(0.95), "sections": {"safety": {"checker": "judge"}}}
    about = {"telegram": {"owners": (boss.id,)}, **checked}
    async with house(tmp_path, api, hand=True, **about) as home:
        card = await asks(home, anna, "/imagine a red fox steps:4", api.supergroup("Friends", anna))
        await finishes(home)
        await shows(card, "withheld")
        await anna.press(card, "Ask a moderator")
        await soon(lambda: [m for m in boss.chat.told if m.picture], "the owner is not asked")
    async with rig(tmp_path, clock=api.clock, **checked) as r:
        await r.studio.erase(user(anna))
    assert [m for m in boss.chat.told if m.picture], "nobody could take it away"
    async with house(tmp_path, api, hand=True, **about):
        await soon(lambda: not [m for m in boss.chat.told if m.picture], "the picture is still there")
