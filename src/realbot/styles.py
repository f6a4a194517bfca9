"""LoRA styles found in folders: look up by name, validate, watch.

A file is opened once; what is checked is what is hashed, and the engine compares the hash before it loads. Nothing
here unpickles, follows a link, or believes a header.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import threading
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import Invalid
from .grammar import nearest
from .phrases import Phrase
from .tensors import Broken, read_checked

SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
#: Names that mean something else in the grammar or on a file system.
RESERVED = frozenset(
    {"none", "con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
)
PICKLES = frozenset({".pt", ".pth", ".ckpt", ".bin", ".pkl"})
#: Lines of `sha256sum *.safetensors`; a file that is listed must have that hash.
MANIFEST = "SHA256SUMS"
FAMILIES = {
    "flux": "flux",
    "stable-diffusion-xl": "sdxl",
    "sdxl": "sdxl",
    "stable-diffusion-v1": "sd15",
    "sd_v1": "sd15",
    "stable-diffusion-3": "sd3",
    "sd3": "sd3",
}


@dataclass(frozen=True, slots=True)
class Style:
    """One usable LoRA file."""

    name: str
    path: Path
    sha256: str
    size: int  #: bytes
    title: str = ""
    trigger: str = ""  #: words that its training captions had in common
    description: str = ""
    family: str = ""  #: model family it was trained on, empty when the file does not say
    base: str = ""  #: the preset it was trained on, for models that share a family but not their sizes


#: What tells one version of a file from another without reading it.
_Stamp = tuple[int, int, int]


class Styles:
    """The styles of some folders; an earlier folder wins over a later one with the same name."""

    def __init__(self, folders: Sequence[Path], *, max_bytes: int = 4 << 30) -> None:
        """Reads every file once, so build it outside the event loop. `max_bytes` is the largest file taken."""
        self._folders = tuple(dict.fromkeys(folders))
        self._max_bytes = max_bytes
        self._checked: dict[Path, tuple[_Stamp, str, Style | str]] = {}
        self._styles: Mapping[str, Style] = {}
        self._broken: Mapping[str, str] = {}
        self._sweeping = threading.Lock()
        self.sweep()

    @property
    def broken(self) -> Mapping[str, str]:
        """Why a file is not offered, by file name."""
        return self._broken

    def names(self) -> list[str]:
        return sorted(self._styles)

    def all(self) -> list[Style]:
        """Every style, by name."""
        return [self._styles[name] for name in self.names()]

    def get(self, name: str, visible: Callable[[Style], bool] = lambda _: True) -> Style:
        """The style of that name, however it is capitalised. Raises Invalid with the nearest name.

        One that is not `visible` is as one that there is not.
        """
        style = self._styles.get(slug(name))
        if style is not None and visible(style):
            return style
        known = [one.name for one in self.all() if visible(one)]
        near = nearest(slug(name), known)
        listed = ", ".join(known[:10]) + (", …" if len(known) > 10 else "")
        if near:
            hint = Phrase("did you mean {nearest}?", nearest=near)
        else:
            hint = Phrase("there are {names}.", names=listed) if listed else Phrase("there are no styles here.")
        raise Invalid(
            "There is no style {style}; {hint}", style=_clean(name, 60), hint=hint, word=name[:100], nearest=near
        )

    def sweep(self) -> bool:
        """Look at the folders again, read what is new or changed, and say whether anything is different.

        Blocks while it reads; call it through `asyncio.to_thread`.
        """
        with self._sweeping:
            return self._sweep()

    def _sweep(self) -> bool:
        styles: dict[str, Style] = {}
        broken: dict[str, str] = {}
        checked: dict[Path, tuple[_Stamp, str, Style | str]] = {}
        for folder in self._folders:
            listed = _manifest(folder)
            here: dict[str, list[tuple[Path, Style | str]]] = {}
            for path in _files(folder):
                found = self._check(path, listed.get(path.name, ""))
                if found is not None:
                    checked[path] = found
                    here.setdefault(slug(path.stem), []).append((path, found[2]))
            for name, files in here.items():
                for path, result in files:
                    rivals = [other.name for other, _ in files if other != path]
                    if isinstance(result, str):
                        broken[_label(path, broken)] = result
                    elif rivals:
                        broken[_label(path, broken)] = f"has the same name as {rivals[0]}; rename one of them"
                    elif name in styles:
                        broken[_label(path, broken)] = f"has the same name as {styles[name].path}, which comes first"
                    else:
                        styles[name] = result
        changed = styles != self._styles or broken != self._broken
        self._checked, self._styles, self._broken = checked, styles, broken
        return changed

    def _check(self, path: Path, listed: str) -> tuple[_Stamp, str, Style | str] | None:
        """What is in the file, or why it is refused; None when it is gone."""
        try:
            entry = path.lstat()
            stamp = (entry.st_size, entry.st_mtime_ns, entry.st_ino)
            known = self._checked.get(path)
            if known is not None and known[:2] == (stamp, listed):
                return known
            return stamp, listed, self._read(path, entry, listed)
        except FileNotFoundError:
            return None
        except Broken as reason:
            return stamp, listed, str(reason)
        except OSError as error:
            return stamp, listed, f"cannot be read: {error.strerror}"

    def _read(self, path: Path, entry: os.stat_result, listed: str) -> Style:
        name = slug(path.stem)
        if path.suffix.lower() in PICKLES:
            raise Broken("can run code when it is loaded; convert it to .safetensors")
        if not SLUG.fullmatch(name) or name in RESERVED:
            raise Broken("needs a name of up to 64 letters a-z, digits, - and _ that is not reserved; rename the file")
        if stat.S_ISLNK(entry.st_mode):
            raise Broken("is a link; copy the file here, or set paths.styles to the folder it is in")
        if not stat.S_ISREG(entry.st_mode):
            raise Broken("is not a regular file")
        if entry.st_size > self._max_bytes:
            raise Broken(f"is larger than {self._max_bytes >> 20} MB")
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            opened = os.fstat(file.fileno())
            if not stat.S_ISREG(opened.st_mode) or opened.st_size > self._max_bytes:
                raise Broken("changed while it was read")
            digest = hashlib.sha256()
            tensors, metadata = read_checked(file, opened.st_size, digest)
        sha256 = digest.hexdigest()
        if listed and listed != sha256:
            raise Broken(f"does not have the hash that {MANIFEST} lists")
        return Style(
            name=name,
            path=path,
            sha256=sha256,
            size=opened.st_size,
            title=_told(metadata, 80, "realbot.title", "modelspec.title", "ss_output_name"),
            trigger=_told(metadata, 120, "realbot.trigger", "modelspec.trigger_phrase"),
            description=_told(metadata, 300, "realbot.description", "modelspec.description"),
            family=_family(metadata, tensors),
            base=_told(metadata, 64, "realbot.model"),
        )


def slug(name: str) -> str:
    """A name as it is looked up: compatibility forms and case folded, blanks and dots as dashes.

    What is not a slug after that is in no dictionary, so no name is ever joined to a path.
    """
    return re.sub(r"[\s.]+", "-", unicodedata.normalize("NFKC", name[:200]).strip().casefold())


def _files(folder: Path) -> Iterable[Path]:
    """The files that are, or pretend to be, styles; a folder that is not there has none."""
    try:
        paths = sorted(folder.iterdir())
    except OSError:
        return
    for path in paths:
        if path.suffix.lower() in PICKLES | {".safetensors"} and not path.name.startswith("."):
            yield path


def _manifest(folder: Path) -> dict[str, str]:
    try:
        text = (folder / MANIFEST).read_text("utf-8", "replace")
    except OSError:
        return {}
    lines = (re.fullmatch(r"([0-9a-fA-F]{64}) [ *](.+)", line.strip()) for line in text.splitlines())
    return {line[2]: line[1].lower() for line in lines if line}


def _label(path: Path, taken: Mapping[str, str]) -> str:
    label = _clean(path.name, 255)
    return str(path) if label in taken else label


def _clean(text: str, limit: int) -> str:
    """Text of others on one line, without control and format characters."""
    kept = "".join(
        " " if c in "\t\r\n" else c for c in text[: 4 * limit] if c in "\t\r\n" or unicodedata.category(c)[0] != "C"
    )
    kept = " ".join(kept.split())
    return kept if len(kept) <= limit else f"{kept[: limit - 1]}…"


def _told(metadata: Mapping[str, str], limit: int, *keys: str) -> str:
    return next((text for key in keys if (text := _clean(metadata.get(key, ""), limit))), "")


def _family(metadata: Mapping[str, str], tensors: Mapping[str, tuple[int, ...]]) -> str:
    """The model family a file says it is for, else the one its layers have the names of."""
    for key in ("realbot.family", "modelspec.architecture", "ss_base_model_version"):
        said = metadata.get(key, "").casefold()
        for start, family in FAMILIES.items():
            if said.startswith(start):
                return family
    names = " ".join(tensors)
    if any(layers in names for layers in ("single_transformer_blocks", "single_blocks", "double_blocks")):
        return "flux"
    if "joint_blocks" in names:
        return "sd3"
    if "lora_te2_" in names or "text_encoder_2" in names:
        return "sdxl"
    widths = {shape[1] for name, shape in tensors.items() if "attn2" in name and "to_k" in name and len(shape) == 2}
    return "sdxl" if 2048 in widths else "sd15" if 768 in widths else ""
