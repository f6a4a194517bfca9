"""/whose, and the recipe of a message that is no card: whether a picture was painted here, told to one person only."""

from __future__ import annotations

import pytest
from staged import stage

from drawing import photo
from exhibits import jpeg, painted, png
from realbot.jobs import User

PICTURE = photo(5, (512, 384))
COPY = jpeg(PICTURE.resize((400, 300)))
MENU = "Recipe"


@pytest.fixture
async def here(tmp_path):
    async with stage(tmp_path, parts=("imagine", "presses", "menus", "whose")) as here:
        yield here


def person(actor) -> User:
    return User("discord", str(actor.id))


async def test_ones_own_picture_comes_with_its_card(here):
    await painted(here.bench, PICTURE, person(here.anna), prompt="a fox on green")
    said = await here.bert.send(here.channel, "look", attachments=[("copy.jpg", COPY)])
    shown = await here.anna.context_menu(here.channel, MENU, said)
    assert shown.ephemeral and "looks like a picture of yours, painted on 2" in shown.response.content
    assert "a fox on green" in str(shown.response.embeds[0].to_dict())
    assert shown.response.attachments and shown.response.components
    exact = await here.anna.send(here.channel, "look", attachments=[("copy.png", png(PICTURE))])
    assert "Yes, this is yours" in (await here.anna.context_menu(here.channel, MENU, exact)).response.content


async def test_P6_of_anothers_picture_only_the_day_is_told(here):
    await painted(here.bench, PICTURE, person(here.anna), prompt="a secret fox")
    said = await here.bert.send(here.channel, "look", attachments=[("copy.jpg", COPY)])
    shown = await here.bert.context_menu(here.channel, MENU, said)
    assert shown.ephemeral and "for somebody else" in shown.response.content
    assert not shown.response.embeds and "secret" not in shown.response.content


async def test_what_was_not_painted_here_and_what_is_no_picture(here):
    await painted(here.bench, PICTURE, person(here.anna))
    said = await here.bert.send(here.channel, "look", attachments=[("photo.png", png(photo(3, (300, 200))))])
    shown = await here.anna.context_menu(here.channel, MENU, said)
    assert shown.response.content.startswith("No, this is none")
    shown = await here.anna.slash(here.channel, "whose", picture=("copy.jpg", COPY))
    assert shown.ephemeral and "looks like a picture of yours" in shown.response.content


async def test_somebody_who_is_banned_has_nothing_looked_at(here, monkeypatch):
    studio, asked = here.bench.studio, []
    monkeypatch.setattr(studio.finder, "whose", lambda *given: asked.append(given))
    await studio.gate.ban(person(here.anna), None, User("cli", "local"), reason="frogs")
    shown = await here.anna.slash(here.channel, "whose", picture=("copy.jpg", COPY))
    assert shown.ephemeral and "frogs" in shown.response.content
    said = await here.bert.send(here.channel, "look", attachments=[("copy.jpg", COPY)])
    assert "frogs" in (await here.anna.context_menu(here.channel, MENU, said)).response.content
    assert asked == []
