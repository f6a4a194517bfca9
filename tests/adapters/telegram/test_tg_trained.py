"""A style that was trained in Telegram: its owner uses it, shares it, takes its files and deletes it."""

from __future__ import annotations

import pytest
from botapi_files import Document
from tg_fronts import house, shows
from tg_lessons import begun, last, learnt, looked, names, pictures
from tg_scenes import asks, finishes, rows, soon, user

OPEN = {"training": {"roles": ("everyone",)}}


@pytest.fixture
def sections():
    return OPEN


@pytest.fixture
async def home(api, tmp_path, sections):
    async with house(tmp_path, api, hand=True, sections=sections) as home:
        yield home


async def test_its_owner_shares_it_with_a_group_and_takes_that_back(home, api, anna, bert):
    group = api.supergroup("painters", anna, bert)
    status = await anna.ask(group, "/train dots dotty steps:6")
    anna.album(group, pictures(), reply_to=status)
    await shows(status, "5 pictures so far")
    await looked(anna, status)
    await anna.press(status, "Train")
    await learnt(home)
    card = last(group)
    assert rows(card)[0] == ["Share with this group"]
    assert await names(home, bert, group) == []
    wrong = await bert.ask(group, "/imagine dotty style:dots steps:4")
    assert "no style dots" in wrong.words
    assert "dots" not in (await bert.ask(group, "/styles")).words
    refused = await bert.press(card, "Share with this group")
    assert refused.alert
    assert refused.text == "Only the person whose style this is can do that."
    pressed = await anna.press(card, "Share with this group")
    assert pressed.text == "Everybody here may use the style dots now."
    assert rows(card)[0] == ["Share with this group no longer"]
    assert "nobody else" not in card.words
    assert await names(home, bert, group) == ["dots"]
    assert await names(home, bert) == []
    assert "dots" in (await bert.ask(group, "/styles")).words
    await asks(home, bert, "/imagine dotty style:dots steps:4", group)
    assert [use["sha256"] for use in home.easel.works[-1].styles.values()]
    await finishes(home)
    await anna.press(card, "Share with this group no longer")
    assert await names(home, bert, group) == []


async def test_the_files_of_a_style_are_its_owners(home, anna):
    card = await begun(home, anna)
    await soon(home.easel.working, "nothing is learnt")
    folder = home.studio._store.wardrobe.lesson(home.easel.works[-1].key.job)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.csv").write_text("step,loss\n1,0.5\n")
    await learnt(home)
    await anna.press(card, "Metrics")
    await soon(lambda: isinstance(last(anna.chat).media, Document), "no table")
    assert last(anna.chat).media.name == "dots.csv"
    assert last(anna.chat).uploaded.startswith(b"step,loss")
    await anna.press(card, "Weights")
    await soon(lambda: last(anna.chat).media.name == "dots.safetensors", "no style")
    assert last(anna.chat).uploaded == home.studio.weights(user(anna), "dots").read_bytes()


async def test_a_style_is_deleted_with_its_card_after_asking_once_more(home, anna):
    card = await begun(home, anna)
    await learnt(home)
    pressed = await anna.press(card, "🗑")
    assert "Delete the style dots for good?" in pressed.text
    await anna.press(card, "Keep it")
    await anna.press(card, "🗑")
    await anna.press(card, "Delete")
    assert card.deleted
    assert await names(home, anna) == []
    assert not home.studio.trained(user(anna))


async def test_a_style_is_managed_below_its_page(home, api, anna, bert):
    await begun(home, anna)
    await learnt(home)
    group = api.supergroup("painters", anna, bert)
    page = await anna.ask(group, "/styles dots")
    await anna.press(page, "Share with this group")
    assert await names(home, bert, group) == ["dots"]
    assert "Share with this group" not in str((await bert.ask(group, "/styles dots")).labels)
    page = await anna.ask(anna.chat, "/styles dots")
    assert "Share with this group" not in page.labels
    await anna.press(page, "🗑 Delete")
    assert "for good?" in page.words
    await anna.press(page, "Delete")
    assert await names(home, anna) == []
    card = next(m for m in anna.chat.told if "Metrics" in m.labels)
    gone = await anna.press(card, "Metrics")
    assert gone.text == "This style is not there any more."


async def test_a_training_in_the_history_is_shown_and_found(home, anna):
    await begun(home, anna)
    await learnt(home)
    history = await anna.ask(anna.chat, "/history")
    assert "Style dots" in history.words
    await anna.press(history, next(label for label in history.labels if "Style dots" in label))
    await soon(lambda: "Metrics" in last(anna.chat).labels, "it is not shown")
    shown = last(anna.chat)
    await anna.press(shown, "⭐")
    assert "⭐ ✓" in shown.labels
    await anna.press(shown, "Recipe")
    await soon(lambda: "dotty" in last(anna.chat).words, "no recipe")
    assert "5 pictures · up to 6 steps · rank 16" in last(anna.chat).words
    assert not last(anna.chat).labels


async def test_own_styles_stand_in_every_menu(home, anna, bert):
    await begun(home, anna)
    await learnt(home)
    card = await anna.ask(anna.chat, "a red fox steps:4 seed:7")
    await finishes(home)
    await anna.press(card, "Change…")
    await anna.press(card, "Style: none")
    assert "dots" in card.labels
    settings = await anna.ask(anna.chat, "/settings style")
    assert "dots" in settings.labels
    assert "dots" not in (await bert.ask(bert.chat, "/settings style")).labels
