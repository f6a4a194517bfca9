"""The Discord of these tests, held against the library: a bare bot must find everything it finds in the real one."""

from __future__ import annotations

import asyncio
import contextlib
import io

import discord as library
import pytest
import specs
import yarl
from discord import app_commands
from loopback_faults import Limited, Reset, Status
from loopback_people import Unable, Upload

from studios import until


@contextlib.asynccontextmanager
async def running(home, monkeypatch, intents=None):
    """A bare bot of the library."""
    monkeypatch.setattr(library.http.Route, "BASE", home.api_base)
    monkeypatch.setattr(library.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(home.gateway_url))
    client = library.Client(intents=intents or library.Intents(guilds=True))
    tree = app_commands.CommandTree(client)

    @tree.command(description="Paint")
    async def imagine(interaction: library.Interaction, prompt: app_commands.Range[str, 1, 100], steps: int = 5,
                      style: str = "", source: library.Attachment | None = None) -> None:  # fmt: skip
        if prompt == "slow":
            await interaction.response.defer()
            await interaction.edit_original_response(content="late")
            return
        view = library.ui.View(timeout=None)
        view.add_item(library.ui.Button(label="Again", custom_id="again"))
        data = await source.read() if source else b"picture"
        file = library.File(io.BytesIO(data), "picture.png", description="a picture")
        await interaction.response.send_message(f"{prompt} {steps} @everyone", view=view, file=file)

    @imagine.autocomplete("style")
    async def offer(_: library.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name=name, value=name) for name in ("ink", "oil") if typed in name]

    @tree.context_menu(name="Recipe")
    async def recipe(interaction: library.Interaction, message: library.Message) -> None:
        await interaction.response.send_message(message.content, ephemeral=True)

    class Form(library.ui.Modal, title="Edit"):
        prompt = library.ui.TextInput(label="Prompt", default="old")

        async def on_submit(self, interaction: library.Interaction) -> None:
            await interaction.response.send_message(f"now {self.prompt.value}")

    @client.event
    async def on_interaction(interaction: library.Interaction) -> None:
        if interaction.type is library.InteractionType.component:
            await interaction.response.send_modal(Form())

    @client.event
    async def setup_hook() -> None:
        await tree.sync()

    task = asyncio.create_task(client.start(home.token))
    try:
        waiting = asyncio.create_task(home.ready())
        await asyncio.wait([waiting, task], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if task.done():
            task.result()
        yield client
    finally:
        await client.close()
        with contextlib.suppress(asyncio.CancelledError):
            task.cancel()
            await task


async def test_a_command_is_answered_with_a_picture(discord, channel, anna, monkeypatch):
    async with running(discord, monkeypatch):
        asked = await anna.slash(channel, "imagine", prompt="a red apple", steps=3, source=Upload("in.png", b"bytes"))
        assert asked.answer == 4
        assert "a red apple 3" in asked.text
        assert asked.message.pictures == [b"bytes"]
        assert asked.message.attachments[0].description == "a picture"
        assert asked.message.pings == {"everyone"}
        slow = await anna.slash(channel, "imagine", prompt="slow")
        assert slow.deferred_first
        await until(lambda: slow.message.content == "late")
        assert anna.sees(channel) == [asked.message, slow.message]


async def test_the_client_offers_and_refuses_what_discords_does(discord, channel, anna, monkeypatch):
    async with running(discord, monkeypatch):
        assert await anna.complete(channel, "imagine", "style", "i", prompt="x") == [("ink", "ink"), ("oil", "oil")]
        for wrong in ({}, {"prompt": ""}, {"prompt": "x", "steps": "many"}, {"prompt": "x", "size": 1}):
            with pytest.raises(Unable):
                await anna.slash(channel, "imagine", **wrong)


async def test_buttons_forms_and_menus(discord, channel, anna, bert, monkeypatch):
    async with running(discord, monkeypatch):
        asked = await anna.slash(channel, "imagine", prompt="x")
        pressed = await bert.press(asked.message, "Again")
        assert pressed.modal["title"] == "Edit"
        filled = await bert.fill(pressed, Prompt="new")
        assert filled.text == "now new"
        recipe = await bert.menu("Recipe", asked.message)
        assert recipe.private
        assert recipe.message in bert.sees(channel)
        assert recipe.message not in anna.sees(channel)


async def test_a_token_lives_for_fifteen_minutes_and_an_answer_has_three_seconds(discord, channel, anna, monkeypatch):
    async with running(discord, monkeypatch) as client:
        seen = []
        client.event(_keep(seen))
        asked = await anna.slash(channel, "imagine", prompt="x")
        discord.clock.advance(901)
        with pytest.raises(library.HTTPException) as caught:
            await seen[0].edit_original_response(content="late")
        assert (caught.value.status, caught.value.code) == (401, 50027)
        partial = client.get_partial_messageable(int(channel.id)).get_partial_message(int(asked.message.id))
        await partial.edit(content="with the token of the bot")
        assert asked.message.content == "with the token of the bot"


def _keep(seen):
    async def on_interaction(interaction):
        seen.append(interaction)

    return on_interaction


async def test_a_nonce_makes_one_message_of_two(discord, channel, monkeypatch):
    async with running(discord, monkeypatch) as client:
        place = client.get_partial_messageable(int(channel.id))
        first, second = [await place.send("once", nonce="n1") for _ in range(2)]
        assert first.id == second.id
        assert len(channel.messages) == 1
        discord.clock.advance(discord.nonce_window + 1)
        await place.send("once", nonce="n1")
        assert len(channel.messages) == 2


async def test_faults_strike_before_or_after(discord, channel, monkeypatch):
    async with running(discord, monkeypatch) as client:
        place = client.get_partial_messageable(int(channel.id))
        discord.fault("POST", "/channels/*/messages", Reset())
        with pytest.raises(OSError, match=r"(?i)reset|disconnect"):
            await place.send("lost")
        assert not channel.messages
        discord.fault("POST", "/channels/*/messages", Status(after=True, status=503))
        with pytest.raises(library.DiscordServerError):
            await place.send("delivered")
        assert channel.last.content == "delivered"
        discord.fault("POST", "/channels/*/messages", Limited(0.05))
        await place.send("after a while")
        assert channel.last.content == "after a while"
        discord.fault("POST", "/channels/*/messages", Limited(0.05, scope="cloudflare"))
        with pytest.raises(library.HTTPException) as caught:
            await place.send("banned")
        assert caught.value.status == 429


async def test_files_permissions_and_places_have_limits(discord, channel, anna, monkeypatch):
    async with running(discord, monkeypatch) as client:
        place = client.get_partial_messageable(int(channel.id))
        discord.file_limit = 1000
        for size, code in ((1001, 40005), (1000, None)):
            file = library.File(io.BytesIO(b"x" * size), "a.png")
            assert await _code(place.send(file=file)) == code
        channel.denied = {"attach_files"}
        assert await _code(place.send(file=library.File(io.BytesIO(b"x"), "a.png"))) == 50013
        channel.denied = {"view_channel"}
        assert await _code(place.send("x")) == 50001
        discord.close(channel)
        assert await _code(place.send("x")) == 10003
        anna.person.refuses_dms = True
        assert await _code(client.get_partial_messageable(int(anna.dm.id)).send("x")) == 50007


async def _code(sending):
    try:
        await sending
    except library.HTTPException as error:
        return error.code
    return None


async def test_a_session_is_resumed_with_what_was_missed(discord, channel, anna, monkeypatch):
    async with running(discord, monkeypatch):
        await discord.gateway.drop()
        await until(lambda: discord.gateway.session is None or discord.gateway.resumed)
        asked = await anna.slash(channel, "imagine", prompt="while you were away")
        assert asked.answer == 4
        assert len(discord.gateway.resumed) == 1
        assert len(discord.gateway.identified) == 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_a_wrong_token_and_refused_intents_end_the_session(discord, monkeypatch):
    with pytest.raises(library.PrivilegedIntentsRequired):
        async with running(discord, monkeypatch, library.Intents.all()):
            pass
    discord.token, token = "another", discord.token
    assert token


async def test_bodies_are_held_against_the_description(discord, channel, monkeypatch):
    if specs.found() is None:
        pytest.skip("shared/specs/discord-openapi.json is not beside this tree")
    assert specs.request("POST", "/channels/1/messages", {"embeds": [{"title": "x" * 257}]})
    assert specs.request("POST", "/interactions/1/t/callback", {"type": 4, "data": {"content": "x" * 2001}})
    assert not specs.request("POST", "/channels/1/messages", {"content": "x", "attachments": [{"id": 0}]})
    async with running(discord, monkeypatch) as client:
        place = client.get_partial_messageable(int(channel.id))
        assert await _code(place.send("x" * 2001)) == 50035
        assert discord.complaints
        discord.complaints.clear()
        await place.send("fine", embed=library.Embed(title="fine"))
        told = channel.last.form()
        assert not specs.schema("MessageResponse", told)
