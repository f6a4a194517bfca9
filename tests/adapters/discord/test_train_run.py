"""A style is trained by `realbot run` itself with the bundled model, on a Discord on this machine."""

from __future__ import annotations

import pytest
from fronts import arrives, shows, soon
from learning import given, set_of
from loopback_people import Upload
from running import Process

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]


def uploads(count: int) -> dict[str, Upload]:
    return {option: Upload(*file) for option, file in given(set_of(count)).items()}


async def planned(person, channel, **options):
    """The panel of a set, once what was found in it is told."""
    asked = await person.slash(channel, "train", name="tiles", trigger="tilework", **options)
    assert asked.waited is not None
    assert asked.waited < 2.8

    def panel():
        return [one for one in person.sees(channel) if "to learn from" in one.text]

    try:
        await soon(panel, "nothing is planned", 20)
    except AssertionError:
        print([m.text for m in person.sees(channel)], asked.text)
        raise
    return panel()[-1]


async def styles(person, channel) -> list[str]:
    return [value for _, value in await person.complete(channel, "imagine", "style", "tiles", prompt="x")]


async def test_a_style_is_trained_while_pictures_go_first_used_by_its_owner_and_shared(
    discord, channel, anna, bert, tmp_path
):
    async with Process(tmp_path, discord, REALBOT_TRAINING__ROLES="everyone") as realbot:
        panel = await planned(anna, channel, steps=150, **uploads(5))
        assert panel.ephemeral
        assert panel not in bert.sees(channel)
        begun = await anna.press(panel, "Train")
        card = begun.message
        assert card in bert.sees(channel)
        await shows(card, "loss", 150)

        asked = await bert.slash(channel, "imagine", prompt="a red apple on a blue background", steps=6, seed=3)
        await arrives(asked.message, seconds=150)
        assert "The style is trained" not in card.text
        await arrives(card, "The style is trained", seconds=300)
        assert "150 steps" in card.text
        assert card.attachments[0].description

        assert await styles(anna, channel) == ["tiles"]
        assert await styles(bert, channel) == []
        refused = await bert.slash(channel, "imagine", prompt="a tile", style="tiles", steps=6)
        assert refused.private
        mine = await anna.slash(channel, "imagine", prompt="tilework, a gold tile", style="tiles", steps=6, seed=5)
        await arrives(mine.message, "tiles 1", seconds=150)

        assert "whose style this is" in (await bert.press(card, "Share with this server")).text
        await anna.press(card, "Share with this server")
        await shows(card, "Everybody here may use")
        assert await styles(bert, channel) == ["tiles"]
        theirs = await bert.slash(channel, "imagine", prompt="tilework, a teal tile", style="tiles", steps=6, seed=6)
        await arrives(theirs.message, "tiles 1", seconds=150)

        table = await anna.press(card, "Metrics")
        await soon(lambda: table.message is not None and table.message.attachments, "there is no table")
        assert table.message.attachments[0].data.startswith(b"step")
        file = await anna.press(card, "Weights")
        await soon(lambda: file.message is not None and file.message.attachments, "there is no file")
        assert file.message.attachments[0].name == "tiles.safetensors"
        assert "Traceback" not in realbot.log()


async def test_a_training_is_given_up_on_its_card_after_a_kill_and_tried_again(discord, channel, anna, tmp_path):
    async with Process(tmp_path, discord, REALBOT_TRAINING__ROLES="everyone") as realbot:
        card = (await anna.press(await planned(anna, channel, steps=400, **uploads(4)), "Train")).message
        await shows(card, "loss", 150)
        await realbot.kill()
        await realbot.start()
        await anna.press(card, "Cancel")
        await shows(card, "Cancelled.", 60)
        again = await anna.press(card, "Try again")
        await shows(again.message, "loss", 150)
