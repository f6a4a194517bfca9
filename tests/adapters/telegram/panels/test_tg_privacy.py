"""/privacy on a loopback Telegram: one's own data, complete, or gone for good."""

from __future__ import annotations

import io
import zipfile

from tg_panels import addresses, seen, tap, user

from realbot.adapters.telegram import privacy
from realbot.jobs import Cancelled
from realbot.preferences import Preferences
from studios import until


def archives(chat) -> list[zipfile.ZipFile]:
    """The ZIP files that came, each of which opens by itself."""
    found = [m.media.data for m in chat.told if m.media is not None and m.media.kind == "document"]
    return [zipfile.ZipFile(io.BytesIO(data)) for data in found]


async def test_P16_the_export_is_ones_own_and_complete(world):
    job = await world.paint(world.anna, "a red canary", seed=7)
    await world.paint(world.bert, "a secret frog")
    await world.studio.prefer(user(world.anna), steps=31)
    await world.anna.ask(world.anna.chat, "/privacy export")
    (archive,) = archives(world.anna.chat)
    assert archive.testzip() is None
    assert "Everything that is kept of you." in world.anna.chat.told[0].words
    everything = b"".join(archive.read(name) for name in archive.namelist())
    for part in (b"a red canary", job.encode(), b"31"):
        assert part in everything
    assert b"secret frog" not in everything
    assert str(world.bert.id).encode() not in everything
    (image,) = (await world.studio.entry(user(world.anna), job)).images
    original = (await world.studio.picture(user(world.anna), image)).read_bytes()
    assert original in [archive.read(name) for name in archive.namelist()]
    # The answer is there before the file that it was sent from is not.
    await until(lambda: not list(world.home.bench.store.folder.rglob("*.zip")))


async def test_P16_an_export_larger_than_a_document_comes_in_files_that_open_by_themselves(world, monkeypatch):
    for number in range(6):
        await world.paint(world.anna, f"picture {number}", seed=number)
    monkeypatch.setattr(privacy, "FILE", 3500)
    shown = await world.anna.ask(world.anna.chat, "/privacy")
    await tap(world.anna, shown, "Send me a copy")
    parts = archives(world.anna.chat)
    assert len(parts) > 1
    assert f"file 1 of {len(parts)}" in world.anna.chat.told[1].words
    names = [name for part in parts for name in part.namelist()]
    assert len(names) == len(set(names))
    pictures = [part.read(name) for part in parts for name in part.namelist() if name.endswith(".png")]
    assert len(set(pictures)) == 6


async def test_P12_deleting_asks_first_and_then_nothing_is_left(world):
    await world.paint(world.anna, "a secret canary", seed=7)
    await world.studio.prefer(user(world.anna), negative="canary feathers")
    theirs = await world.paint(world.bert, "a frog of somebody else")
    shown = await world.anna.ask(world.anna.chat, "/privacy delete")
    assert "for good" in shown.words
    assert "linked" in shown.words
    assert await world.studio.history(user(world.anna))
    await tap(world.anna, shown, "Delete everything")
    assert "Deleted: 1 request" in shown.words
    assert not shown.labels
    assert not await world.studio.history(user(world.anna))
    assert await world.studio.preferences(user(world.anna)) == Preferences()
    for path in world.home.bench.store.folder.rglob("*"):
        assert not path.is_file() or b"canary" not in path.read_bytes(), path
    assert await world.studio.entry(user(world.bert), theirs)


async def test_P12_nothing_is_deleted_when_the_answer_is_no(world):
    await world.paint(world.anna, "a red apple")
    shown = await world.anna.ask(world.anna.chat, "/privacy")
    await tap(world.anna, shown, "Delete everything")
    pressed = await tap(world.anna, shown, "Keep it")
    assert pressed.text == "Nothing was deleted."
    assert "What is kept of you" in shown.words
    assert await world.studio.history(user(world.anna))


async def test_P2_the_question_is_answered_once_in_time_and_by_the_person_who_asked(world):
    await world.paint(world.anna, "a red apple")
    await world.paint(world.bert, "a green frog")
    shown = await world.anna.ask(world.anna.chat, "/privacy delete")
    (stolen,) = [button["callback_data"] for button in shown.buttons if "Delete" in button["text"]]
    theirs = await world.bert.ask(world.bert.chat, "/privacy delete")
    refused = await world.bert.forge(theirs, stolen)
    assert refused.alert
    assert await world.studio.history(user(world.bert))
    await tap(world.anna, shown, "Delete everything")
    await world.paint(world.anna, "a later picture")
    replayed = await world.anna.forge(shown, stolen)
    assert replayed.alert
    assert await world.studio.history(user(world.anna))
    late = await world.bert.ask(world.bert.chat, "/privacy delete")
    world.home.api.clock.advance(601)
    assert (await tap(world.bert, late, "Delete everything")).alert
    assert await world.studio.history(user(world.bert))


async def test_P13_what_is_being_painted_while_everything_is_deleted_is_thrown_away(world):
    job = world.studio.job(user(world.anna), await world.ask(world.anna, "a secret canary"))
    await until(world.home.easel.working)
    shown = await world.anna.ask(world.anna.chat, "/privacy delete")
    await tap(world.anna, shown, "Delete everything")
    await until(lambda: isinstance(job.status, Cancelled))
    await until(lambda: world.home.easel.working() is None)
    assert not world.studio.waiting(user(world.anna))


async def test_P6_nothing_of_it_happens_in_a_group(world):
    await world.paint(world.anna, "a red apple")
    for command in ("/privacy", "/privacy export", "/privacy delete"):
        answer = await world.anna.ask(world.group, command)
        assert addresses(answer) == ["https://t.me/realbot_bot?start=privacy"]
        assert "kept of you" not in seen(answer)
    assert not archives(world.group)
    assert not archives(world.anna.chat)
    assert "kept of you" in (await world.anna.ask(world.anna.chat, "/start privacy")).words


async def test_something_else_after_the_command_says_what_there_is(world):
    assert "/privacy export" in (await world.anna.ask(world.anna.chat, "/privacy everything")).words
