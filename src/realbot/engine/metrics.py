"""What people watch while a style is trained: a table as CSV, a chart and a grid of samples as PNG."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

#: How slowly the smoothed loss follows.
_SLOW = 0.97


@dataclass(frozen=True, slots=True)
class Row:
    """One step; step 0 is before the first."""

    step: int
    loss: float | None = None
    smoothed: float | None = None
    validation: float | None = None
    rate: float | None = None
    pictures_per_second: float | None = None


class Metrics:
    """The rows of one training, on the disk as they come."""

    def __init__(self, path: Path, until: int) -> None:
        """Rows up to the step `until` are read back; later ones, which are learnt again, are dropped."""
        self.rows = [row for row in _read(path) if row.step <= until]
        part = path.with_suffix(".part")
        with part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(field.name for field in fields(Row))
            writer.writerows(_cells(row) for row in self.rows)
        part.replace(path)
        self._path = path

    def add(self, row: Row) -> None:
        self.rows.append(row)
        with self._path.open("a", encoding="utf-8", newline="") as file:
            csv.writer(file).writerow(_cells(row))

    def smoothed(self, loss: float) -> float:
        """The loss with those before it, each counting a little less than the next."""
        before = next((row.smoothed for row in reversed(self.rows) if row.smoothed is not None), None)
        slow = min(_SLOW, 1 - 1 / (1 + len(self.rows)))
        return loss if before is None else slow * before + (1 - slow) * loss


def _cells(row: Row) -> list[str]:
    return ["" if value is None else repr(value) for value in asdict(row).values()]


def _read(path: Path) -> list[Row]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            cells = {name: float(cell) if cell else None for name, cell in line.items()}
            step = int(cells.pop("step") or 0)
            found.append(Row(step, **cells))
        except (TypeError, ValueError):
            break  # A line that a crash cut short is the last.
    return found


_INK, _PALE, _GRID, _PAPER = (32, 36, 44), (122, 130, 142), (232, 235, 240), (255, 255, 255)
_RAW, _SMOOTH, _HELD = (206, 222, 246), (46, 104, 214), (226, 116, 32)
#: Width and height of the chart in pixels, drawn larger and made smaller for smooth lines.
_WIDTH, _HEIGHT, _FINE = 960, 480, 3


def chart(rows: Sequence[Row], title: str, path: Path) -> None:
    """Loss, smoothed loss and validation loss by step, as a PNG."""
    chart = _Chart([row for row in rows if row.loss is not None or row.validation is not None])
    chart.draw(title).save(path, "PNG")


def board(rows: Sequence[Row], title: str, samples: Path | None) -> Image.Image:
    """The chart, and below it the grid of samples, if there is one."""
    chart = _Chart([row for row in rows if row.loss is not None or row.validation is not None]).draw(title)
    if samples is None:
        return chart
    with Image.open(samples, formats=("PNG",)) as grid:
        whole = Image.new("RGB", (_WIDTH, chart.height + grid.height), _PAPER)
        whole.paste(chart, (0, 0))
        whole.paste(grid, (0, chart.height))
    return whole


class _Chart:
    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self._left, self._right, self._top, self._bottom = 72, _WIDTH - 28, 74, _HEIGHT - 48
        last = max([row.step for row in rows], default=1)
        self._last = max(last, 1)
        losses = sorted(row.loss for row in rows if row.loss is not None)
        told = [value for row in rows for value in (row.smoothed, row.validation) if value is not None]
        # A few wild steps must not flatten all the others.
        most = losses[int(0.98 * (len(losses) - 1)) :][:1] + told
        least = losses[int(0.02 * (len(losses) - 1)) :][:1] + told
        self._ticks = _ticks(min(least, default=0.0), max(most, default=1.0))
        self._low, self._high = self._ticks[0], self._ticks[-1]

    def draw(self, title: str) -> Image.Image:
        image = Image.new("RGB", (_WIDTH * _FINE, _HEIGHT * _FINE), _PAPER)
        draw = ImageDraw.Draw(image)
        self._axes(draw)
        for name, colour, width in (("loss", _RAW, 1.2), ("smoothed", _SMOOTH, 2.4), ("validation", _HELD, 2.4)):
            points = [(row.step, value) for row in self._rows if (value := getattr(row, name)) is not None]
            places = [self._place(step, value) for step, value in points]
            if len(places) > 1:
                draw.line(places, fill=colour, width=round(width * _FINE), joint="curve")
            if name == "validation":
                for x, y in places:
                    dot = 3.2 * _FINE
                    draw.ellipse((x - dot, y - dot, x + dot, y + dot), fill=colour)
        self._head(draw, title)
        return image.resize((_WIDTH, _HEIGHT), Image.Resampling.LANCZOS)

    def _place(self, step: float, value: float) -> tuple[float, float]:
        x = self._left + (self._right - self._left) * step / self._last
        share = (min(max(value, self._low), self._high) - self._low) / (self._high - self._low)
        return x * _FINE, (self._bottom - (self._bottom - self._top) * share) * _FINE

    def _axes(self, draw: ImageDraw.ImageDraw) -> None:
        small = _font(13)
        for tick in self._ticks:
            x, y = self._place(0, tick)
            draw.line((x, y, self._right * _FINE, y), fill=_GRID, width=_FINE)
            draw.text((x - 10 * _FINE, y), f"{tick:.4g}", fill=_PALE, font=small, anchor="rm")
        for step in _ticks(0, self._last):
            if step <= self._last and step == int(step):
                x, y = self._place(step, self._low)
                draw.text((x, y + 10 * _FINE), f"{step:.0f}", fill=_PALE, font=small, anchor="mt")
        draw.text((self._right * _FINE, (_HEIGHT - 8) * _FINE), "step", fill=_PALE, font=small, anchor="rs")

    def _head(self, draw: ImageDraw.ImageDraw, title: str) -> None:
        draw.text((self._left * _FINE, 18 * _FINE), title, fill=_INK, font=_font(19), anchor="lt")
        place, small = float(self._right * _FINE), _font(13)
        for name, label, colour in (
            ("validation", "held-out pictures", _HELD), ("smoothed", "loss, smoothed", _SMOOTH), ("loss", "loss", _RAW),
        ):  # fmt: skip
            latest = next((v for row in reversed(self._rows) if (v := getattr(row, name)) is not None), None)
            if latest is None:
                continue
            text = f"{label} {latest:.4f}"
            place -= draw.textlength(text, font=small)
            draw.text((place, 48 * _FINE), text, fill=_INK, font=small, anchor="lt")
            place -= 22 * _FINE
            draw.rounded_rectangle(
                (place, 53 * _FINE, place + 16 * _FINE, 57 * _FINE), radius=2 * _FINE, fill=colour
            )  # fmt: skip
            place -= 22 * _FINE


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers from at most `low` to at least `high`, four to eight of them."""
    spread = max(high - low, abs(high) * 1e-3, 1e-9)
    power = 10 ** math.floor(math.log10(spread / 4))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if spread / (power * factor) <= 6)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [step * i for i in range(first, max(last, first + 1) + 1)]


def grid(pictures: Sequence[Image.Image], captions: Sequence[str], title: str, path: Path) -> None:
    """Samples side by side, with their captions below, as a PNG as wide as the chart."""
    columns, gap, foot, head = 4, 16, 28, 40
    wide = (_WIDTH - gap) // columns - gap
    shown = [picture.resize((wide, round(picture.height * wide / picture.width)), Image.Resampling.LANCZOS)
             for picture in pictures]  # fmt: skip
    high, lines = max(picture.height for picture in shown), math.ceil(len(shown) / columns)
    sheet = Image.new("RGB", (_WIDTH, head + (high + foot) * lines + gap // 2), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((gap, 12), title, fill=_INK, font=_font(16, 1))
    font = _font(12, 1)
    for index, (picture, caption) in enumerate(zip(shown, captions, strict=True)):
        x, y = gap + (wide + gap) * (index % columns), head + (high + foot) * (index // columns)
        sheet.paste(picture, (x, y + (high - picture.height) // 2))
        draw.text((x, y + high + 6), _fitted(caption, wide, font), fill=_PALE, font=font)
    sheet.save(path, "PNG")


def _fitted(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"


def _font(size: int, fine: int = _FINE) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size * fine)
