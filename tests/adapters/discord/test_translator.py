"""The commands in other languages: whole, and as Discord takes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import discord
import pytest
from discord import app_commands
from discord.app_commands import TranslationContext, TranslationContextLocation, locale_str
from fronts import arrives, section, shows, soon

from realbot.adapters import languages
from realbot.adapters.discord import Front, translator
from realbot.adapters.discord.translator import Catalogues, is_name

#: Types of a command that is typed, as opposed to one in the menu of a message; and of options that hold others.
TYPED, NESTED = 1, (1, 2)


@pytest.fixture
async def commands(atelier, discord) -> list[dict[str, Any]]:
    """Every command as Discord is told it."""
    tree = Front(atelier.studio, section(discord)).tree
    return [await command.get_translated_payload(tree, Catalogues()) for command in tree.get_commands()]


def every(commands: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for command in commands:
        yield command
        yield from every(command.get("options", []))


def german(part: dict[str, Any]) -> str:
    return part.get("name_localizations", {}).get("de", part["name"])


async def test_every_command_and_option_is_explained_in_german(commands):
    assert len(commands) > 5
    for part in every(commands):
        if part.get("description"):
            assert 1 <= len(part["description_localizations"]["de"]) <= 100, part["name"]
        for choice in part.get("choices", []):
            assert 1 <= len(german(choice)) <= 100
    assert {german(part) for part in every(commands)} >= {"verlauf", "stile", "warteschlange", "schritte", "größe"}


async def test_names_are_those_that_discord_takes_and_no_two_are_alike(commands):
    typed = [command for command in commands if command.get("type", TYPED) == TYPED]
    menus = [command for command in commands if command not in typed]
    for siblings in (typed, *(part.get("options", []) for part in every(typed))):
        names = [german(part) for part in siblings]
        assert all(is_name(name) for name in names), names
        assert len(set(names)) == len(names), names
        for part in siblings:
            # A name of one language must not be the English name of another command.
            assert german(part) not in {other["name"] for other in siblings if other is not part}
    assert all(1 <= len(german(menu)) <= 32 for menu in menus)
    assert {german(menu) for menu in menus} >= {"Rezept", "Als Vorlage nutzen"}


async def test_english_is_said_once(commands):
    for part in every(commands):
        for table in ("name_localizations", "description_localizations"):
            assert set(part.get(table) or {}) <= {"de"}


async def test_discord_is_told_the_translations(front, discord):
    told = {command["name"]: command for command in discord.commands[None]}
    assert told["history"]["name_localizations"] == {"de": "verlauf"}


def context(location: TranslationContextLocation, data: Any = None) -> Any:
    return TranslationContext(location=location, data=data)


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("steps", True),
        ("größe", True),
        ("as-source_2", True),
        ("名前", True),
        ("x" * 32, True),
        ("x" * 33, False),
        ("", False),
        ("Größe", False),
        ("two words", False),
        ("a.b", False),
    ],
)
def test_what_a_name_looks_like(text, taken):
    assert is_name(text) is taken


@pytest.mark.parametrize(
    ("location", "text", "bad"),
    [
        (TranslationContextLocation.command_name, "history", "Der Verlauf"),
        (TranslationContextLocation.group_name, "queue", "x" * 33),
        (TranslationContextLocation.parameter_name, "steps", "Schritte"),
        (TranslationContextLocation.command_description, "Only you see it", "x" * 101),
        (TranslationContextLocation.choice_name, "Recipe", "x" * 101),
        (TranslationContextLocation.parameter_description, "Only you see it", ""),
    ],
)
async def test_a_translation_that_discord_refuses_is_left_out(monkeypatch, location, text, bad):
    monkeypatch.setattr(translator, "gettext", lambda _: bad)
    monkeypatch.setattr(translator, "pgettext", lambda *_: bad)
    assert await Catalogues().translate(locale_str(text), discord.Locale.german, context(location)) is None


async def test_a_menu_may_have_blanks_and_capitals():
    async def callback(interaction: discord.Interaction, message: discord.Message) -> None: ...

    menu = app_commands.ContextMenu(name="Use as source", callback=callback)
    place = context(TranslationContextLocation.command_name, menu)
    text = await Catalogues().translate(locale_str("Use as source"), discord.Locale.german, place)
    assert text == "Als Vorlage nutzen"


@pytest.mark.parametrize("locale", [one for one in discord.Locale if languages.closest(one.value) == "en"])
async def test_languages_without_a_catalogue_are_left_to_discord(locale):
    place = context(TranslationContextLocation.parameter_name)
    assert await Catalogues().translate(locale_str("steps"), locale, place) is None
    assert languages.spoken() == "en"


async def test_a_german_is_answered_in_german_and_an_american_beside_them_in_english(
    front, atelier, discord, channel, anna
):
    hans = discord.person("hans", locale="de")
    card = (await hans.slash(channel, "imagine", prompt="a red apple", steps=2, seed=7)).message
    await soon(atelier.pool.working)
    other = (await anna.slash(channel, "imagine", prompt="a green frog", steps=2, seed=7)).message
    await soon(lambda: "Cancel" in labels(other) and "Abbrechen" in labels(card))
    await shows(other, "line")
    atelier.pool.finish()
    await arrives(card)
    await soon(atelier.pool.working)
    atelier.pool.finish()
    await arrives(other)
    assert "Noch einmal" in labels(card)
    assert "Again" in labels(other)


def labels(message: Any) -> list[str]:
    return [button.get("label", "") for row in message.components for button in row["components"]]


@pytest.mark.parametrize(
    ("prompt", "english", "german"),
    [
        ("a cat steps:900", "steps must be a whole number", "steps muss eine ganze Zahl von 1 bis"),
        ("a cat --stepz 3", "did you mean", "gibt es nicht; meintest du"),
        ("a cat style:inc", "did you mean ink?", "Den Stil inc gibt es nicht; meintest du ink?"),
    ],
)
async def test_a_refusal_is_in_the_language_of_the_one_who_asked(
    front, discord, channel, anna, prompt, english, german
):
    hans = discord.person("hans", locale="de")
    assert english in (await anna.slash(channel, "imagine", prompt=prompt)).text
    assert german in (await hans.slash(channel, "imagine", prompt=prompt)).text
