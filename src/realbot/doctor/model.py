"""The model, its files and the styles as they lie on the disk; and, when asked for, an engine that paints."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from realbot.config import Settings
from realbot.engine import EngineDown, EnginePool, EngineUp, Failed, Produced, RunKey, Work
from realbot.engine.modelfiles import header, is_local
from realbot.engine.models import FAMILIES, Preset, preset, resolve
from realbot.errors import ModelMissing, RealbotError
from realbot.findings import Finding, good, refused, unwise, wrong
from realbot.jobs import Generate, to_json
from realbot.styles import MANIFEST, Styles

from .folder import shown

#: Bytes of files that are read whole without being asked to.
QUICK = 256 * 2**20
#: The file that stands for a large one where git-lfs was not there.
POINTER = b"version https://git-lfs"
#: Seconds that the engine gets to load and to paint.
STARTING = 600.0
#: What to do when the engine said more than fits here.
LINES = "Look at the lines of the engine above."
#: How much of the weights' size the device must hold, by engine.quantize.
SHARE = {"none": 1.0, "int8": 0.55, "fp8": 0.55, "nf4": 0.35}


def model(settings: Settings, *, whole: bool) -> tuple[list[Finding], int]:
    """What there is to say of the model, and the bytes of its weights; `whole` reads every byte of it."""
    try:
        chosen = preset(settings.model.name, settings.model.path)
        root = located(chosen, settings)
    except RealbotError as error:
        return [refused("model", error)], 0
    if root is None:
        return [
            unwise(
                "model",
                f"{chosen.source} is not on this machine yet; the engine fetches it when it starts.",
                f"To have it before, run hf download {chosen.source}.",
            )
        ], 0
    try:
        files = [root] if root.is_file() else complete(root)
        weights = sum(path.stat().st_size for path in files if path.suffix == ".safetensors")
        read, differing = hashed(root, files, whole=whole)
    except ModelMissing as error:
        return [refused("model", error)], 0
    except OSError as error:
        why = f"{root} cannot be read: {error.strerror}."
        return [wrong("model", why, "Let the user that runs realbot read the folder.")], 0
    if differing:
        return [
            wrong("model", f"{differing} does not have the bytes that it should.", "Delete that file and get it again.")
        ], weights
    proven = f"; {read} files have the hash that they should" if read else ""
    return [good("model", f"{chosen.name}, {shown(weights)} in {root}{proven}.")], weights


def located(chosen: Preset, settings: Settings) -> Path | None:
    """The folder or file of the model; None for one that is still to be fetched. Raises ModelMissing."""
    if is_local(chosen.source):
        path = Path(chosen.source).expanduser().resolve()
        if not path.exists():
            raise ModelMissing(f"There is no model at {path}; set model.path to a folder or a .safetensors file.")
        return path
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(chosen.source, revision=settings.model.revision, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, OSError):
        if settings.model.download:
            return None
        raise ModelMissing(
            f"The model {chosen.source} is not on this machine; run hf download {chosen.source},"
            " or set model.download = true, or model.path to its folder."
        ) from None


def complete(root: Path) -> list[Path]:
    """The files of a model's folder. Raises ModelMissing for one that is cut short, a placeholder, or missing."""
    index = root / "model_index.json"
    try:
        parts = json.loads(index.read_text("utf-8"))
        named = [name for name, value in parts.items() if isinstance(value, list) and any(value)]
    except (OSError, ValueError, AttributeError):
        raise ModelMissing(f"{index} is missing or broken; get the model again, in the diffusers layout.") from None
    files = [index]
    for name in named:
        found = [path for path in (root / name).rglob("*") if path.is_file()] if (root / name).is_dir() else []
        if not found:
            raise ModelMissing(f"The folder {root / name} of the model is missing; get the model again.")
        files += found
    for path in files:
        if path.suffix == ".safetensors":
            weighed(path)
        elif path.name.endswith(".index.json"):
            needs = set(json.loads(path.read_text("utf-8")).get("weight_map", {}).values())
            lost = next((one for one in sorted(needs) if not (path.parent / one).is_file()), None)
            if lost:
                raise ModelMissing(f"The file {path.parent / lost} of the model is missing; get the model again.")
    return files


def weighed(path: Path) -> None:
    """Raises ModelMissing for a file of weights that is not as long as its header says."""
    with path.open("rb") as file:
        if file.read(len(POINTER)) == POINTER:
            raise ModelMissing(f"The file {path} is only a git-lfs placeholder; run git lfs pull in its folder.")
    ends = [entry["data_offsets"][1] for entry in header(path).values() if "data_offsets" in entry]
    with path.open("rb") as file:
        length = 8 + int.from_bytes(file.read(8), "little") + max(ends, default=0)
    if path.stat().st_size != length:
        raise ModelMissing(f"The file {path} is cut short or damaged; delete it and get it again.")


def hashed(root: Path, files: list[Path], *, whole: bool) -> tuple[int, str]:
    """How many files have the sha256 that is known of them, and the first that has not.

    Known are files of the hub's cache, which are stored under it, and those that a SHA256SUMS in the folder lists.
    """
    listed: dict[Path, str] = {}
    sums = root / MANIFEST
    if root.is_dir() and sums.is_file():
        for line in sums.read_text("utf-8", "replace").splitlines():
            if match := re.fullmatch(r"([0-9a-f]{64}) [ *](.+)", line):
                listed[(root / match[2]).resolve()] = match[1]
    known = {path: listed.get(path.resolve()) or _named(path.resolve()) for path in files}
    todo = [path for path, digest in known.items() if digest]
    if not whole and sum(path.stat().st_size for path in todo) > QUICK:
        return 0, ""
    for count, path in enumerate(todo):
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != known[path]:
                return count, str(path)
    return len(todo), ""


def _named(path: Path) -> str:
    return path.name if re.fullmatch(r"[0-9a-f]{64}", path.name) else ""


def memory(settings: Settings, weights: int, told: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether the model fits the GPU, by the size of its files."""
    devices = told.get("devices") or []
    number = int(settings.model.device.partition(":")[2] or 0)
    if settings.model.device == "cpu" or number >= len(devices) or not weights:
        return
    gpu = devices[number]
    needs = weights * SHARE[settings.engine.quantize]
    said = f"{shown(gpu['free'])} of {shown(gpu['total'])} are free on {gpu['name']}"
    if settings.engine.offload == "none" and needs > gpu["total"] * 0.95:
        yield unwise(
            "GPU memory",
            f"{said}, but the model takes about {shown(needs)}.",
            'Set engine.offload = "model", or engine.quantize = "nf4".',
        )
    else:
        yield good("GPU memory", f"{said}; the model takes about {shown(needs)}.")


def styles(looks: Styles) -> Iterator[Finding]:
    """Those that can be used, with the beginning of their hash, and why others cannot."""
    for name, reason in looks.broken.items():
        yield unwise("style", f"{name} {reason}.", "Mend the file as said, or take it out of the folder.")
    known = [f"{style.name} {style.sha256[:8]}" for style in looks.all()]
    more = f" and {len(known) - 8} more" if len(known) > 8 else ""
    yield good("styles", f"{len(known)} can be used: {', '.join(known[:8])}{more}." if known else "There are none.")


async def engine(pool: Callable[[Path], EnginePool], settings: Settings, remembered: str) -> Finding:
    """Start an engine beside the one that may run, let it take one step, and stop it."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="realbot-doctor-") as spool:
        engines = pool(Path(spool))
        await engines.open()
        try:
            async with asyncio.timeout(STARTING):
                return await _painted(engines, settings, Path(spool), remembered, begun)
        except TimeoutError:
            return wrong("engine", f"It painted nothing within {STARTING:.0f} s.", LINES)
        except RealbotError as error:
            return refused("engine", error)
        finally:
            await engines.close(0.0)


async def _painted(engines: EnginePool, settings: Settings, spool: Path, remembered: str, begun: float) -> Finding:
    chosen = preset(settings.model.name, settings.model.path)
    side = max(chosen.min_side, FAMILIES[chosen.family].multiple)
    asked = Generate(prompt="a red apple", width=side, height=side, steps=1, seed=1)
    request, _ = resolve(asked, chosen)
    up: EngineUp | None = None
    loaded = begun
    async for fact in engines.facts():
        match fact:
            case EngineUp() if fact.fingerprint and up is None:
                up, loaded = fact, time.monotonic()
                await engines.run(fact.engine, Work(RunKey("doctor", 1), to_json(request), preview=False))
            case EngineDown(detail=detail):
                last = [line for line in detail.splitlines() if line.strip()][-1:] or ["it told nothing"]
                reason = re.sub(r"^\S* ?(ERROR|CRITICAL):?\S* ?", "", last[0])
                return wrong("engine", f"It ended: {reason[:300]}", "Mend what it says; the lines before tell more.")
            case Failed(detail=detail):
                return wrong("engine", f"It started but could not paint: {detail}", LINES)
            case Produced() as done if up is not None:
                path = Path(done.pictures[0].path)
                data = await asyncio.to_thread(path.read_bytes)
                if hashlib.sha256(data).hexdigest() != done.pictures[0].sha256:
                    return wrong(
                        "engine", "Its picture is not what it wrote.", "Check the disk of the temporary folder."
                    )
                anew = (
                    " It is not the engine of the last pictures, so requests are painted anew."
                    if (remembered and remembered != up.fingerprint)
                    else ""
                )
                return good(
                    "engine",
                    f"Loaded in {loaded - begun:.0f} s and painted on {up.device} in {done.seconds:.1f} s;"
                    f" fingerprint {up.fingerprint[:12]}.{anew}",
                )
    return wrong("engine", "It ended without a word.", LINES)
