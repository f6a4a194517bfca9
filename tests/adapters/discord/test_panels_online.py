"""The private panels over real HTTP: files and dialogs arrive, and a broken connection shows nothing twice."""

from __future__ import annotations

import io
import zipfile

from fronts import finished
from loopback_faults import Reset

from studios import until


async def painted(front, atelier, anna, channel, prompt):
    asked = await anna.slash(channel, "imagine", prompt=prompt)
    await until(atelier.pool.working)
    atelier.pool.finish()
    await until(lambda: finished(asked.message))
    return asked


async def test_the_history_opens_a_picture_that_was_asked_for_with_imagine(front, atelier, anna, channel):
    await painted(front, atelier, anna, channel, "a red apple steps:4 seed:7")
    listed = await anna.slash(channel, "history")
    await until(lambda: listed.message and listed.message.attachments)
    assert listed.message.attachments[0].data[:4] == b"RIFF"
    before = len(anna.sees(channel))
    await anna.choose(listed.message, [job(listed)])
    await until(lambda: len(anna.sees(channel)) > before and finished(anna.sees(channel)[-1]))
    opened = anna.sees(channel)[-1]
    assert "Recipe" in opened.labels
    recipe = await anna.press(opened, "Recipe")
    assert "seed:7" in recipe.text


async def test_DC5_a_reset_while_a_panel_is_sent_shows_it_once(front, atelier, discord, anna, channel):
    for after in (False, True):
        discord.fault("POST", "/interactions/*/callback", Reset(after=after))
        before = len(anna.sees(channel))
        await anna.slash(channel, "help")
        await until(lambda before=before: len(anna.sees(channel)) > before)
        assert len(anna.sees(channel)) == before + 1
        assert "/queue" in anna.sees(channel)[-1].text


async def test_the_export_arrives_as_files(front, atelier, discord, anna, channel):
    await painted(front, atelier, anna, channel, "a red apple steps:4 seed:7")
    discord.file_limit = 80_000
    await anna.slash(channel, "privacy export")
    await until(lambda: any(m.attachments and m.attachments[0].name.endswith(".zip") for m in anna.sees(channel)))
    files = [a for m in anna.sees(channel) for a in m.attachments if a.name.endswith(".zip")]
    names = [name for file in files for name in zipfile.ZipFile(io.BytesIO(file.data)).namelist()]
    assert any(name.endswith(".png") for name in names)


async def test_P5_the_group_of_the_administrators_is_hidden_and_works(front, discord, server, channel, anna):
    assert "realbot" not in [command["name"] for command in anna.offered(channel)]
    root = discord.person("root", powers="manage_guild")
    answer = await root.slash(channel, "realbot limits", name="max_steps", value="30")
    assert "30" in answer.text
    (await root.slash(channel, "realbot words")).modal["title"]


async def test_panels_speak_the_language_of_the_person(front, discord, channel):
    dora = discord.person("dora", locale="de")
    answer = await dora.slash(channel, "settings")
    assert "Deine Vorgaben" in answer.text
    assert "Your defaults" not in answer.text


def job(listed) -> str:
    """The value of the first line of a menu."""
    rows = listed.message.components
    return next(item["options"][0]["value"] for row in rows for item in row["components"] if item.get("options"))
