"""/privacy in a simulated Discord: one's own data, complete, or gone for good."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from simulated import control, said, user

from realbot.adapters.discord import privacy
from realbot.jobs import Cancelled
from realbot.preferences import Preferences
from studios import until


async def archives(result) -> list[zipfile.ZipFile]:
    files = [file for one in (result.response, *result.followups) if one for file in one.attachments]
    return [zipfile.ZipFile(io.BytesIO(await file.read())) for file in files]


async def test_P16_the_export_is_ones_own_and_complete(world):
    job = await world.paint(world.anna, "a red canary", seed=7)
    await world.paint(world.bert, "a secret frog")
    await world.rig.studio.prefer(user(world.anna), steps=31)
    answer = await world.anna.slash(world.channel, "privacy export")
    assert answer.ephemeral
    (archive,) = await archives(answer)
    assert archive.testzip() is None
    everything = b"".join(archive.read(name) for name in archive.namelist())
    for part in (b"a red canary", job.encode(), b"31"):
        assert part in everything
    assert b"secret frog" not in everything
    assert str(world.bert.id).encode() not in everything
    (image,) = (await world.rig.studio.entry(user(world.anna), job)).images
    original = (await world.rig.studio.picture(user(world.anna), image)).read_bytes()
    assert original in [archive.read(name) for name in archive.namelist()]
    assert not list(world.rig.store.folder.rglob("*.zip"))


async def test_P16_an_export_larger_than_a_message_comes_in_files_that_open_by_themselves(world, monkeypatch):
    for number in range(6):
        await world.paint(world.anna, f"picture {number}", seed=number)
    monkeypatch.setattr(privacy, "allowed", lambda interaction: privacy.SPARE + 3500)
    answer = await world.anna.slash(world.channel, "privacy export")
    parts = await archives(answer)
    assert len(parts) > 1
    assert f"file 1 of {len(parts)}" in said(answer)
    names = [name for part in parts for name in part.namelist()]
    assert len(names) == len(set(names))
    pictures = [part.read(name) for part in parts for name in part.namelist() if name.endswith(".png")]
    assert len(set(pictures)) == 6
    monkeypatch.setattr(privacy, "VOLUMES", 1)
    first = await world.anna.slash(world.channel, "privacy export")
    assert "from:2" in said(first)
    second = await world.anna.slash(world.channel, "privacy export", **{"from": 2})
    assert (await archives(second))[0].namelist() == parts[1].namelist()
    beyond = await world.anna.slash(world.channel, "privacy export", **{"from": 100})
    assert "nothing after" in said(beyond)


def test_pictures_too_large_for_any_message_are_counted(tmp_path):
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.json", json.dumps({"jobs": []}))
        archive.writestr("large.png", bytes(9000))
    volumes = privacy.plan(path, 4000)
    assert (volumes.files, volumes.large) == ([["data.json"]], 1)


async def test_P12_deleting_asks_first_and_then_nothing_is_left(world):
    await world.paint(world.anna, "a secret canary", seed=7)
    await world.rig.studio.prefer(user(world.anna), negative="canary feathers")
    theirs = await world.paint(world.bert, "a frog of somebody else")
    asked = await world.anna.slash(world.channel, "privacy delete")
    assert asked.ephemeral
    assert "for good" in said(asked)
    assert "canary" in said(await world.anna.slash(world.channel, "history"))
    await world.restart()
    done = await world.anna.click(asked.response, custom_id=control(asked.response, "pb:privacy:erase"))
    assert "Deleted: 1 request" in said(done)
    assert not done.response.components
    assert "canary" not in said(await world.anna.slash(world.channel, "history"))
    assert await world.rig.studio.preferences(user(world.anna)) == Preferences()
    kept = [path for path in world.rig.store.folder.rglob("*") if path.is_file()]
    for path in kept:
        data = path.read_bytes()
        assert b"canary" not in data, path
    assert await world.rig.studio.entry(user(world.bert), theirs)


async def test_P12_nothing_is_deleted_when_the_answer_is_no(world):
    await world.paint(world.anna, "a red apple")
    asked = await world.anna.slash(world.channel, "privacy delete")
    kept = await world.anna.click(asked.response, custom_id=control(asked.response, "pb:privacy:keep"))
    assert "Nothing was deleted" in said(kept)
    assert "red apple" in said(await world.anna.slash(world.channel, "history"))


async def test_P2_the_question_is_answered_once_and_by_the_person_who_asked(world):
    await world.paint(world.anna, "a red apple")
    await world.paint(world.bert, "a green frog")
    asked = await world.anna.slash(world.channel, "privacy delete")
    theirs = await world.bert.slash(world.channel, "privacy delete")
    stolen = control(asked.response, "pb:privacy:erase")
    message = world.env.backend.get_message(world.channel.id, theirs.response.id)
    message.components[0]["components"][0]["custom_id"] = stolen
    refused = await world.bert.click(theirs.response, custom_id=stolen)
    assert "someone else" in said(refused)
    assert "green frog" in said(await world.bert.slash(world.channel, "history"))
    await world.anna.click(asked.response, custom_id=stolen)
    await world.paint(world.anna, "a later picture")
    message = world.env.backend.get_message(world.channel.id, theirs.response.id)
    again = await world.anna.slash(world.channel, "privacy delete")
    message = world.env.backend.get_message(world.channel.id, again.response.id)
    message.components[0]["components"][0]["custom_id"] = stolen
    replayed = await world.anna.click(again.response, custom_id=stolen)
    assert "button" in said(replayed)
    assert "a later picture" in said(await world.anna.slash(world.channel, "history"))


@pytest.mark.parametrize("made_up", ["", "AAAAAAAAAAAAAAAA", "clear", "' OR 1=1"])
async def test_P2_a_made_up_answer_deletes_nothing(world, made_up):
    await world.paint(world.anna, "a red apple")
    asked = await world.anna.slash(world.channel, "privacy delete")
    message = world.env.backend.get_message(world.channel.id, asked.response.id)
    message.components[0]["components"][0]["custom_id"] = f"pb:privacy:erase:{made_up}"
    await world.anna.click(asked.response, custom_id=f"pb:privacy:erase:{made_up}")
    assert "red apple" in said(await world.anna.slash(world.channel, "history"))


async def test_P13_what_is_being_painted_while_everything_is_deleted_is_thrown_away(world):
    job_id = await world.ask(world.anna, "a secret canary")
    await until(world.rig.pool.working)
    job = world.rig.studio.job(user(world.anna), job_id)
    asked = await world.anna.slash(world.channel, "privacy delete")
    await world.anna.click(asked.response, custom_id=control(asked.response, "pb:privacy:erase"))
    await until(lambda: isinstance(job.status, Cancelled))
    await until(lambda: world.rig.pool.working() is None)
    assert "canary" not in said(await world.anna.slash(world.channel, "history"))
    assert not world.rig.studio.waiting(user(world.anna))
