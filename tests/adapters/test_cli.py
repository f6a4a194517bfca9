"""The terminal: the bar, the files it writes, its exit codes, and what an interrupt leaves behind."""

from __future__ import annotations

import asyncio
import io
import re
from pathlib import Path
from typing import Any

import pytest
from contract import Contract
from easel import easel
from PIL import Image
from rich.console import Console

from drawing import photo
from exhibits import jpeg, painted
from judges import Judge
from realbot.adapters import cli
from realbot.eta import Features
from realbot.jobs import Done, Generate, Origin, User
from studios import Rig, lora, rig, until

BAR = 24


class Terminal:
    """A person at a terminal."""

    done = "Done in"

    def __init__(self, bench: Rig, folder: Path, *, pipe: bool = False) -> None:
        self.bench, self.folder, self.pool = bench, folder, bench.pool
        self.screen = io.StringIO()
        self.console = Console(file=self.screen, force_terminal=not pipe, no_color=True, width=100)
        self.task: asyncio.Task[int] | None = None

    async def ask(self, text: str, out: Path | None = None, **pictures: Any) -> None:
        await self.close()
        work = cli.imagine(self.bench.studio, text, out or self.folder, console=self.console, **pictures)
        self.task = asyncio.create_task(work)
        await asyncio.sleep(0)

    async def run(self, text: str, out: Path | None = None, **pictures: Any) -> int:
        """Ask, paint without ado, and return the exit code."""
        await self.ask(text, out, **pictures)
        assert self.task is not None
        await until(lambda: self.pool.working() or self.task.done())
        if self.pool.working():
            self.pool.finish()
        return await self.task

    async def sees(self) -> str:
        return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", self.screen.getvalue())

    async def bar(self) -> float:
        last = re.findall(r"(━*)(╸?) *Step", await self.sees())[-1]
        return (len(last[0]) + 0.5 * len(last[1])) / BAR

    async def pictures(self) -> list[bytes]:
        return [path.read_bytes() for path in sorted(self.folder.glob("*.png"))]

    async def cancel(self) -> None:
        assert self.task is not None
        self.task.cancel()
        assert await self.task == cli.INTERRUPTED

    async def stranger_sees(self) -> str:
        screen = Terminal(self.bench, self.folder)
        mine, cli.USER = cli.USER, User("cli", "stranger")
        try:
            await cli.history(self.bench.studio, console=screen.console)
        finally:
            cli.USER = mine
        return await screen.sees()

    async def close(self) -> None:
        if self.task is not None and not self.task.done():
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
async def face(tmp_path):
    async with rig(tmp_path, pool=easel(tmp_path)) as bench:
        folder = tmp_path / "out"
        folder.mkdir()
        terminal = Terminal(bench, folder)
        yield terminal
        await terminal.close()


class TestTerminal(Contract):
    """The scenarios of every front-end."""


async def test_the_path_the_seed_and_the_recipe_are_printed(face: Terminal):
    out = face.folder / "apple.png"
    assert await face.run("a red apple on a blue background steps:8 seed:7", out) == cli.DONE
    text = await face.sees()
    assert f"Saved as {out}" in text.replace("\n", "")
    assert "seed 7" in text
    assert "steps:8" in text
    assert out.read_bytes().startswith(b"\x89PNG")


async def test_the_file_is_the_original_byte_for_byte(face: Terminal):
    await face.run("a red apple steps:2", face.folder / "apple.png")
    (entry,) = await face.bench.studio.history(cli.USER)
    assert (face.folder / "apple.png").read_bytes() == (
        await face.bench.studio.picture(cli.USER, entry.images[0])
    ).read_bytes()


@pytest.mark.parametrize("verb", cli.VERBS)
async def test_more_is_made_of_a_picture_of_the_history(face: Terminal, verb: str):
    await face.run("a red apple steps:2 count:2 seed:4")
    await face.run("a blue cup steps:2 seed:5")
    entries = await face.bench.studio.history(cli.USER)
    face.task = asyncio.create_task(cli.more(face.bench.studio, verb, 2, 2, face.folder / "more.png", face.console))
    await until(lambda: face.pool.working() or face.task.done())
    assert face.pool.working(), await face.sees()
    request = face.pool.works[-1].request
    face.pool.finish()
    assert await face.task == cli.DONE
    if verb == "again":
        assert request["prompt"] == "a red apple"
        assert request["seed"] != 4
        assert (face.folder / "more-2.png").exists()
        return
    assert (face.folder / "more.png").exists()
    if verb in ("subtle", "strong", "upscale2", "upscale4"):
        assert request["source"] == entries[1].images[1]
        assert request.get("factor", 0) == {"upscale2": 2, "upscale4": 4}.get(verb, 0)
    else:
        assert request["mask"], "what is there stays, and what is around it is painted"
        assert request["prompt"] == "a red apple"


@pytest.mark.parametrize(
    ("verb", "line", "number", "said"),
    [
        ("zom", 1, 1, "There is no zom"),
        ("zoom", 2, 1, "The history has 1 lines"),
        ("zoom", 1, 2, "not there any more"),
    ],
)
async def test_what_there_is_not_more_of_is_one_sentence(face: Terminal, verb: str, line: int, number: int, said: str):
    await face.run("a blue cup steps:2 seed:5")
    assert await cli.more(face.bench.studio, verb, line, number, None, face.console) == cli.REFUSED
    assert said in (await face.sees()).replace("\n", " ")


@pytest.mark.parametrize("part", ["mask", "region", "both words"])
async def test_a_part_of_a_file_is_painted_anew(face: Terminal, tmp_path: Path, part: str):
    Image.new("RGB", (96, 64), "red").save(tmp_path / "in.jpg")
    mask = Image.new("RGBA", (96, 64), "red")
    mask.paste((0, 0, 0, 0), (0, 0, 48, 64))
    mask.save(tmp_path / "mask.png")
    given = {"mask": {"mask": tmp_path / "mask.png"}, "region": {"region": "left"}, "both words": {}}[part]
    words = "a red apple steps:2" + (" region:left" if part == "both words" else "")
    assert await face.run(words, source=tmp_path / "in.jpg", strength=0.8, **given) == cli.DONE
    work = face.pool.works[-1]
    assert work.request["strength"] == 0.8
    assert set(work.files) == {work.request["source"], work.request["mask"]}
    with Image.open(work.files[work.request["mask"]]) as picture:
        assert picture.size == (96, 64)
        assert picture.getbbox() == (0, 0, 48, 64)
    assert ("region:left" in (await face.sees()).replace("\n", "")) is (part != "mask")


async def test_a_start_that_makes_no_sense_is_one_sentence(face: Terminal, tmp_path: Path):
    Image.new("RGB", (96, 64), "red").save(tmp_path / "in.png")
    Image.new("RGB", (96, 64)).save(tmp_path / "black.png")
    source, black = tmp_path / "in.png", tmp_path / "black.png"
    cases = [
        ({"mask": source}, "--source"),
        ({"source": tmp_path / "gone.png"}, "cannot be read"),
        ({"source": source, "mask": black}, "black all over"),
        ({"source": source, "region": "lft"}, "There is no region lft"),
        ({"region": "left"}, "say with source"),
        ({"strength": 0.5}, "needs a source picture"),
    ]
    for given, says in cases:
        assert await face.run("a red apple steps:2", **given) == cli.REFUSED
        assert says in (await face.sees()).replace("\n", " ")
    assert face.pool.works == []


async def test_the_look_of_a_file_is_taken(face: Terminal, tmp_path: Path):
    Image.new("RGB", (90, 70), "red").save(tmp_path / "style.jpg")
    assert await face.run("a red apple steps:2", look=tmp_path / "style.jpg", look_weight=0.7) == cli.DONE
    request = face.pool.works[-1].request
    assert request["reference_weight"] == 0.7
    with Image.open(face.pool.works[-1].files[request["reference"]]) as picture:
        assert picture.size == (90, 70)
    assert f"reference:{request['reference']}" in (await face.sees()).replace("\n", "")


async def test_a_look_that_is_no_picture_or_not_there_is_one_sentence(face: Terminal, tmp_path: Path):
    (tmp_path / "style.txt").write_text("no picture")
    for name in ("style.txt", "gone.png"):
        assert await face.run("a red apple steps:2", look=tmp_path / name) == cli.REFUSED
    assert await face.run("a red apple steps:2", look_weight=0.5) == cli.REFUSED
    assert "needs a reference" in await face.sees()
    assert face.pool.works == []


async def test_several_pictures_are_numbered(face: Terminal):
    await face.run("a red apple steps:2 count:3", face.folder / "apple.png")
    assert sorted(path.name for path in face.folder.iterdir()) == ["apple-1.png", "apple-2.png", "apple-3.png"]


async def test_a_picture_of_before_is_never_overwritten_without_a_name_for_it(face: Terminal):
    await face.run("a red apple steps:2 seed:7")
    await face.run("a red apple steps:2 seed:7")
    assert sorted(path.name for path in face.folder.iterdir()) == ["a-red-apple-7-2.png", "a-red-apple-7.png"]


@pytest.mark.parametrize(
    ("out", "index", "count", "expected"),
    [
        ("x.png", 0, 1, "x.png"),
        ("x", 0, 1, "x.png"),
        ("x.png", 1, 2, "x-2.png"),
        ("v1.5.png", 0, 2, "v1.5-1.png"),
    ],
)
def test_where_a_picture_goes(tmp_path, out, index, count, expected):
    assert cli.destination(tmp_path / out, "name.png", index, count) == tmp_path / expected


async def test_a_folder_that_cannot_be_written_keeps_the_picture_in_the_history(face: Terminal):
    blocked = face.folder / "file"
    blocked.write_text("")
    assert await face.run("a red apple steps:2", blocked / "apple.png") == cli.FAILED
    assert "cannot be saved" in await face.sees()
    (entry,) = await face.bench.studio.history(cli.USER)
    assert entry.state == "kept"


async def test_a_refusal_has_its_exit_code(face: Terminal):
    assert await face.run("a red apple steps:many") == cli.REFUSED
    assert "steps:many" in await face.sees()


async def test_a_failure_has_its_exit_code(face: Terminal):
    await face.ask("a red apple steps:2")
    await until(face.pool.working)
    face.pool.fail("model")
    assert await face.task == cli.FAILED


async def test_an_interrupt_cancels_the_job_and_the_engine_stops(face: Terminal):
    await face.ask("a red apple steps:4")
    await until(face.pool.working)
    await face.cancel()
    assert face.pool.working() is None
    assert not face.bench.studio.pending("cli")


async def test_what_a_dear_picture_costs_is_printed_first(tmp_path):
    async with rig(tmp_path, pool=easel(tmp_path), sections={"limits": {"quote_seconds": 60}}) as bench:
        usual = bench.studio.usual(Generate(prompt="x", steps=10))
        for _ in range(5):
            bench.studio._timings.record(Features.of(usual), {"denoise": 20.0})
        face = Terminal(bench, tmp_path / "pictures", pipe=True)
        face.folder.mkdir()
        assert await face.run("a hut steps:4") == cli.DONE
        assert "Painting this takes" not in await face.sees()
        assert await face.run("a castle steps:60") == cli.DONE
        assert "Painting this takes about" in await face.sees()
        assert len(list(face.folder.iterdir())) == 2


async def test_a_pipe_gets_no_bar(tmp_path):
    async with rig(tmp_path, pool=easel(tmp_path)) as bench:
        pipe = Terminal(bench, tmp_path, pipe=True)
        assert await pipe.run("a red apple steps:2", tmp_path / "apple.png") == cli.DONE
        text = pipe.screen.getvalue()
        assert "━" not in text
        assert "\x1b" not in text
        assert "Saved as" in text


async def test_an_aspect_ratio_keeps_the_size_of_the_model(face: Terminal):
    await face.run("a red apple steps:2 --ar 16:9")
    request = face.pool.works[-1].request
    assert request["width"] * request["height"] == pytest.approx(128 * 128, rel=0.15)
    assert request["width"] > request["height"]


async def test_what_a_closed_terminal_left_behind_is_ended_and_kept(tmp_path):
    async with rig(tmp_path, pool=easel(tmp_path)) as bench:
        done = await bench.studio.submit(cli.USER, Generate(prompt="first", steps=2), Origin("cli"))
        await until(bench.pool.working)
        bench.pool.finish()
        await until(lambda: isinstance(done.status, Done))
        await bench.studio.submit(cli.USER, Generate(prompt="second", steps=2), Origin("cli"))
        await until(bench.pool.working)
        folder = tmp_path / "out"
        folder.mkdir()
        terminal = Terminal(bench, folder)
        await terminal.ask("third steps:2")
        await until(lambda: bench.pool.works[-1].request["prompt"] == "third")
        bench.pool.finish()
        assert await terminal.task == cli.DONE
        assert not bench.studio.pending("cli")
        assert await bench.state(done) == "kept"


async def test_the_history_lists_the_newest_first_and_finds_words(face: Terminal):
    await face.run("a red apple steps:2")
    await face.run("a green frog steps:2")
    screen = Terminal(face.bench, face.folder)
    await cli.history(face.bench.studio, console=screen.console)
    text = await screen.sees()
    assert text.index("frog") < text.index("apple")
    screen = Terminal(face.bench, face.folder)
    await cli.history(face.bench.studio, console=screen.console, search="frog")
    text = await screen.sees()
    assert "frog" in text
    assert "apple" not in text


async def test_an_empty_history_and_no_styles_say_so(face: Terminal):
    await cli.history(face.bench.studio, console=face.console)
    await cli.styles(face.bench.studio, console=face.console)
    text = await face.sees()
    assert "will be kept here" in text
    assert "No styles" in text


async def test_the_styles_are_listed_as_they_are_written(tmp_path):
    (tmp_path / "styles").mkdir()
    lora(tmp_path / "styles" / "ink.safetensors", trigger="ink drawing")
    async with rig(tmp_path, pool=easel(tmp_path)) as bench:
        terminal = Terminal(bench, tmp_path)
        await cli.styles(bench.studio, console=terminal.console)
        text = await terminal.sees()
        assert "style:ink" in text
        assert "ink drawing" in text


async def test_whose_a_picture_is_is_told(face: Terminal, tmp_path: Path):
    picture, copy = photo(5, (256, 192)), tmp_path / "copy.jpg"
    await painted(face.bench, picture, cli.USER, prompt="a lighthouse at dusk", seed=5)
    for data, code, said in (
        (jpeg(picture), cli.DONE, ("looks like a picture of yours", "a lighthouse at dusk")),
        (jpeg(photo(6, (256, 192))), cli.FAILED, ("No, this is none of the pictures",)),
        (b"hello", cli.REFUSED, ("not a PNG, JPEG or WebP picture",)),
    ):
        copy.write_bytes(data)
        screen = Terminal(face.bench, face.folder)
        assert await cli.whose(face.bench.studio, copy, console=screen.console) == code
        text = await screen.sees()
        assert all(one in text for one in said)
    assert await cli.whose(face.bench.studio, tmp_path / "missing.png", console=face.console) == cli.REFUSED


async def test_a_withheld_picture_is_not_written_and_its_history_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sections = {"safety": {"checker": "judge", "private_unsafes": "withhold"}}
    async with rig(tmp_path, sections=sections, classifier=Judge(0.95)) as r:
        console = Console(file=io.StringIO(), width=200)
        code = await cli.imagine(r.studio, "a red apple steps:4", tmp_path / "x.png", console=console)
        assert code == cli.REFUSED
        assert "withheld" in console.file.getvalue()
        assert not (tmp_path / "x.png").exists()
        await cli.history(r.studio, console=console)
        assert console.file.getvalue().rstrip().endswith("withheld")
