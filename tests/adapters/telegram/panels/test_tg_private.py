"""What is a person's own is never drawn where others see it, whatever a button says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tg_panels import origin, user

from realbot.adapters.telegram.screens import Viewer
from realbot.errors import Refused
from realbot.preferences import Preferences

STATES = {
    "history": ({}, {"search": "canary"}, {"favourites": True}),
    "settings": ({}, {"at": "steps"}, {"set": {"steps": 5}}),
    "privacy": ({}, {"ask": True}, {"export": True}, {"erase": True}),
    "link": ({}, {"linked": True}, {"unlink": True}),
}


@pytest.mark.parametrize(("name", "state"), [(name, state) for name, states in STATES.items() for state in states])
async def test_P6_a_private_screen_is_not_drawn_in_a_group(world, name, state):
    job = await world.paint(world.anna, "a secret canary", world.anna.chat)
    await world.studio.link(
        user(world.anna), await world.studio.link_code(replace(user(world.bert), platform="discord"))
    )
    front = world.home.front
    viewer = Viewer(front.bot, user(world.anna), origin(world.group), private=False)
    for told in (state, {**state, "open": job}):
        with pytest.raises(Refused, match="our private chat"):
            await front.screens._draws[name](viewer, dict(told))
    assert not world.group.told
    assert await world.studio.entry(user(world.anna), job)
    assert await world.studio.linked(user(world.anna))
    assert await world.studio.preferences(user(world.anna)) == Preferences()
