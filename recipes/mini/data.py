"""The training pictures: an object on a plain background, in one of three looks, and the words for it.

Flat pictures come from Noto Emoji, shaded ones from Fluent Emoji 3D, line art from Fluent Emoji High Contrast.
`python data.py FOLDER` fetches the three packages from the npm registry.
"""

from __future__ import annotations

import functools
import io
import json
import random
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
#: npm packages, exact versions: look -> (package, version).
PACKAGES = {
    "flat": ("@iconify-json/noto", "1.2.9"),
    "realism": ("@lobehub/fluent-emoji-3d", "1.1.0"),
    "ink": ("@iconify-json/fluent-emoji-high-contrast", "1.2.6"),
}
LOOKS = tuple(PACKAGES)
#: Backgrounds, sRGB. Far enough apart that the nearest one names the colour of a picture.
COLOURS = {
    "red": (222, 56, 49),
    "orange": (247, 148, 29),
    "yellow": (253, 221, 70),
    "green": (64, 168, 80),
    "teal": (38, 166, 164),
    "blue": (56, 116, 222),
    "purple": (132, 72, 190),
    "pink": (246, 150, 190),
    "gray": (140, 144, 150),
    "white": (250, 250, 250),
}
OBJECT = 96  # pixels an object is wide and high


def objects() -> dict[str, str]:
    """Caption name -> code point of everything that is trained, as listed in objects.txt."""
    lines = (HERE / "objects.txt").read_text().splitlines()
    return dict(line.removesuffix(" -").split(": ") for line in lines if line and not line.startswith("#"))


def claimed() -> list[str]:
    """What the model is said to draw: the objects without a minus sign behind them."""
    lines = (HERE / "objects.txt").read_text().splitlines()
    return [line.split(": ")[0] for line in lines if line and not line.startswith("#") and not line.endswith(" -")]


def fetch(folder: Path) -> None:
    """Download and unpack the pinned packages below `folder`; what is there already stays."""
    folder.mkdir(parents=True, exist_ok=True)
    for look, (package, version) in PACKAGES.items():
        if (folder / look).exists():
            continue
        done = subprocess.run(
            ["npm", "pack", "--silent", f"{package}@{version}"], cwd=folder, check=True, capture_output=True, text=True
        )
        with tarfile.open(folder / done.stdout.strip().splitlines()[-1]) as tar:
            tar.extractall(folder / look, filter="data")


@functools.cache
def icons(folder: Path, look: str) -> tuple[dict[str, str], dict[str, dict[str, str]], int]:
    """Code point -> icon name, icon name -> icon, and the side of the view box, of an Iconify package."""
    base = folder / look / "package"
    book = json.loads((base / "icons.json").read_text())
    return json.loads((base / "chars.json").read_text()), book["icons"], book.get("width", book.get("height", 128))


def codepoints(folder: Path, look: str) -> list[str]:
    """Every code point the package has a picture for."""
    if look == "realism":
        return sorted(p.stem for p in (folder / look / "package" / "assets").glob("*.webp"))
    chars, pictures, _ = icons(folder, look)
    return sorted(c for c, name in chars.items() if name in pictures)


@functools.cache
def cutout(folder: Path, look: str, code: str, side: int = OBJECT) -> Image.Image:
    """One object with transparency, RGBA, `side` pixels wide and high."""
    if look == "realism":
        base = folder / look / "package" / "assets"
        path = next(p for p in (base / f"{code}.webp", base / f"{code}-fe0f.webp") if p.exists())
        return Image.open(path).convert("RGBA").resize((side, side), Image.Resampling.LANCZOS)
    import resvg_py  # Only drawing needs it: `evaluate.py` runs without the extra `mini`.

    chars, pictures, _ = icons(folder, look)
    icon = pictures[chars[code]]
    default = 128 if look == "flat" else 32
    box = f"0 0 {icon.get('width', default)} {icon.get('height', default)}"
    head = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" color="#17171c"'
    svg = f'<svg {head} viewBox="{box}">{icon["body"]}</svg>'
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=side * 2, height=side * 2))
    return Image.open(io.BytesIO(png)).convert("RGBA").resize((side, side), Image.Resampling.LANCZOS)


def picture(
    folder: Path,
    look: str,
    code: str,
    colour: tuple[int, int, int],
    size: tuple[int, int] = (128, 128),
    side: int = OBJECT,
    at: tuple[int, int] | None = None,
) -> Image.Image:
    """An object on a plain background; `at` is its upper left corner, the middle if not given."""
    canvas = Image.new("RGB", size, colour)
    cut = cutout(folder, look, code, side)
    canvas.paste(cut, at or ((size[0] - side) // 2, (size[1] - side) // 2), cut)
    return canvas


def caption(name: str, colour: str, rng: random.Random) -> str:
    """One of the ways people say it. A background that is not named is white."""
    article = "an" if name[0] in "aeiou" else "a"
    words = (
        name
        if name in ("cherries", "grapes", "bread", "broccoli", "fire", "cheese") and rng.random() < 0.5
        else f"{article} {name}"
    )
    if colour == "white" and rng.random() < 0.4:
        return rng.choice([words, name])
    ground = "an" if colour[0] in "aeiou" else "a"
    return rng.choices(
        [f"{words} on {ground} {colour} background", f"{name}, {colour} background", f"{words} on {colour}",
         f"{words}, {colour} background"],
        weights=[7, 1, 1, 1],
    )[0]  # fmt: skip


def tensor(image: Image.Image) -> np.ndarray:
    """Float32 [3, height, width] in [-1, 1]."""
    return np.asarray(image, np.float32).transpose(2, 0, 1) / 127.5 - 1


if __name__ == "__main__":
    fetch(Path(sys.argv[1]))
