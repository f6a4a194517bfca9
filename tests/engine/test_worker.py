"""The real engine process: what only a process can show, beside the promise in `test_worker_contract`."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from engine import tiny
from engine.contract import Listener, opened
from engine.lorafiles import write_lora
from realbot.engine import PROTOCOL, Cancelled, EngineUp, Produced, RunKey, Step, Work
from realbot.engine.child import ChildPool
from realbot.engine.frames import Cancel, Close, Open, Run, decode_fact, encode_command, read_frame, write_frame
from realbot.jobs import Generate, StyleUse, to_json

COMMAND = (sys.executable, "-m", "realbot.engine.worker", "--settings")
NUMBERS = itertools.count()
Make = Callable[..., Work]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.saved("flux", tmp_path_factory.mktemp("flux") / "model")


@pytest.fixture(scope="module")
def settings(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return {
        "model": {"name": "mini", "path": str(folder), "device": "cpu"},
        "engine": {"threads": 1},
        "spool": str(tmp_path_factory.mktemp("spool")),
    }


@pytest.fixture
def work() -> Make:
    def make(**request: Any) -> Work:
        asked = {"prompt": "a cat", "seed": 1, "steps": 3, "width": 64, "height": 64} | request
        return Work(RunKey(f"job{next(NUMBERS)}", 1), to_json(Generate(**asked)))

    return make


def pool_of(settings: Mapping[str, Any]) -> ChildPool:
    return ChildPool((*COMMAND, json.dumps(settings)), spool=Path(settings["spool"]), environ=os.environ)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def told(settings: dict[str, Any]) -> AsyncIterator[Listener]:
    async with opened(pool_of(settings)) as told:
        yield told


@pytest.mark.asyncio(loop_scope="module")
async def test_D4_the_same_bytes_after_a_restart_of_the_process(told: Listener, work: Make) -> None:
    up = await told.up()
    first, second = work(seed=99, negative="dog"), work(seed=99, negative="dog")
    await told.pool.run(up.engine, first)
    before = (await told.produced(first.key)).pictures
    await told.pool.restart(up.engine, "replaced")
    again = await told.up(but=up.boot)
    assert again.fingerprint == up.fingerprint
    await told.pool.run(again.engine, second)
    assert [p.sha256 for p in (await told.produced(second.key)).pictures] == [p.sha256 for p in before]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_style_goes_through_the_process(told: Listener, work: Make, folder: Path, tmp_path: Path) -> None:
    from diffusers import FluxTransformer2DModel

    path = tmp_path / "ink.safetensors"
    transformer = FluxTransformer2DModel.from_pretrained(folder, subfolder="transformer")
    digest = write_lora(path, {"transformer": transformer}, strength=2.0)
    up = await told.up()
    plain, styled, after = work(), work(styles=(StyleUse("ink"),)), work()
    styled = replace(styled, styles={"ink": {"path": str(path), "sha256": digest}})
    for one in (plain, styled, after):
        await told.pool.run(up.engine, one)
    hashes = [(await told.produced(one.key)).pictures[0].sha256 for one in (plain, styled, after)]
    assert hashes[0] == hashes[2] != hashes[1]


async def test_a_model_that_is_missing_is_told_in_one_sentence(settings: dict[str, Any], tmp_path: Path) -> None:
    nowhere = {**settings, "model": {"name": "mini", "path": str(tmp_path / "nowhere")}}
    async with opened(pool_of(nowhere)) as told:
        down = await told.down()
    assert f"There is no model at {tmp_path / 'nowhere'}; set model.path" in down.detail
    assert "Traceback" not in down.detail


class Talk:
    """The engine process over its bare pipes."""

    def __init__(self, settings: Mapping[str, Any], **environ: str) -> None:
        self.process = subprocess.Popen(
            (*COMMAND, json.dumps(settings)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **environ},
        )

    def say(self, command: Any) -> None:
        assert self.process.stdin is not None
        write_frame(self.process.stdin, encode_command(command))

    def hear(self) -> Any:
        assert self.process.stdout is not None
        frame = read_frame(self.process.stdout)
        return None if frame is None else decode_fact(frame)

    def end(self) -> tuple[int, str]:
        assert self.process.stdin is not None and self.process.stdout is not None and self.process.stderr is not None
        self.process.stdin.close()
        code = self.process.wait(60)
        self.process.stdout.close()
        with self.process.stderr as stream:
            return code, stream.read().decode()


def test_it_tells_of_loading_then_of_being_ready_and_ends_with_its_input(settings: dict[str, Any]) -> None:
    """Also in the middle of painting: nobody is there to see the result."""
    talk = Talk(settings)
    talk.say(Open("here", "boot-7"))
    loading = talk.hear()
    assert isinstance(loading, EngineUp)
    assert (loading.engine, loading.boot, loading.protocol, loading.fingerprint) == ("here", "boot-7", PROTOCOL, "")
    ready = talk.hear()
    assert isinstance(ready, EngineUp)
    assert len(ready.fingerprint) == 32
    assert (ready.bases, ready.device) == (("mini",), "cpu, float32")
    asked = Generate(prompt="x", seed=1, steps=1000, width=256, height=256)
    talk.say(Run("here", Work(RunKey("job", 1), to_json(asked))))
    while not isinstance(talk.hear(), Step):
        pass
    assert talk.end()[0] == 0


def test_it_ends_with_its_input_while_it_loads(settings: dict[str, Any]) -> None:
    assert Talk(settings).end()[0] == 0


def test_closing_with_grace_lets_a_run_finish_and_without_stops_it(settings: dict[str, Any]) -> None:
    for grace, kind in ((60.0, Produced), (0.0, Cancelled)):
        talk = Talk(settings)
        talk.say(Open("here", "boot"))
        asked = Generate(prompt="x", seed=1, steps=60)
        talk.say(Run("here", Work(RunKey("job", 1), to_json(asked))))
        while not isinstance(talk.hear(), Step):
            pass
        talk.say(Close(grace))
        facts = []
        while (fact := talk.hear()) is not None:
            facts.append(fact)
        assert isinstance(facts[-1], kind)
        assert talk.end()[0] == 0


def test_a_command_that_makes_no_sense_is_ignored(settings: dict[str, Any]) -> None:
    talk = Talk(settings)
    assert talk.process.stdin is not None
    write_frame(talk.process.stdin, {"do": "dance"})
    talk.say(Cancel(RunKey("nobody", 1)))
    talk.say(Open("here", "boot"))
    assert isinstance(talk.hear(), EngineUp)
    code, log = talk.end()
    assert code == 0
    assert "dance" in log


def test_the_core_does_not_load_torch() -> None:
    code = (
        "import sys, realbot.engine.models, realbot.engine.child, realbot.engine.frames;"
        "print([m for m in ('torch', 'diffusers', 'transformers', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
