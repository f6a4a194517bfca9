"""The table, the chart and the samples of a training."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from PIL import Image

from realbot.engine.metrics import Metrics, Row, _ticks, chart, grid


def filled(path: Path, steps: int) -> Metrics:
    metrics = Metrics(path, -1)
    metrics.add(Row(0, validation=1.0))
    for step in range(1, steps + 1):
        loss = 1 / step
        validation = 0.9 / step if step % 5 == 0 else None
        metrics.add(Row(step, loss, metrics.smoothed(loss), validation, 1e-4, 12.5))
    return metrics


def test_rows_are_there_as_they_come_and_read_back_exactly(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    metrics = filled(path, 10)
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["step"] for line in lines] == [str(n) for n in range(11)]
    assert float(lines[7]["loss"]) == 1 / 7
    assert Metrics(path, 10).rows == metrics.rows


def test_rows_behind_the_checkpoint_and_a_torn_line_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    metrics = filled(path, 10)
    with path.open("a") as file:
        file.write("11,0.0909,0.")
    again = Metrics(path, 7)
    assert again.rows == metrics.rows[:8]
    assert again.smoothed(1 / 8) == metrics.rows[8].smoothed
    assert Metrics(path, 99).rows == metrics.rows[:8]


def test_the_smoothed_loss_lies_between_the_losses_and_follows(tmp_path: Path) -> None:
    rows = filled(tmp_path / "metrics.csv", 50).rows[1:]
    assert rows[0].smoothed == rows[0].loss
    assert all(row.loss <= row.smoothed <= 1 for row in rows)  # type: ignore[operator]
    assert rows[-1].smoothed < rows[5].smoothed  # type: ignore[operator]


@pytest.mark.parametrize("steps", [0, 1, 60])
def test_the_chart_is_a_picture_from_the_first_step_on(tmp_path: Path, steps: int) -> None:
    metrics = filled(tmp_path / "metrics.csv", steps)
    chart(metrics.rows, "dots", tmp_path / "chart.png")
    with Image.open(tmp_path / "chart.png") as image:
        assert image.size == (960, 480)
        blue = sum(count for count, (r, g, b) in image.getcolors(2**20) or () if b > r + 100 and b > g + 60)
    assert (blue > 300) == (steps == 60) or steps == 1


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.31, 0.32), (5, 5), (0, 1000), (-2, 3), (1e-6, 3e-6)])
def test_ticks_are_few_and_enclose_the_numbers(low: float, high: float) -> None:
    ticks = _ticks(low, high)
    assert 2 <= len(ticks) <= 9
    assert ticks[0] <= low + 1e-9
    assert ticks[-1] >= high - 1e-9


def test_samples_of_any_shape_stand_in_a_grid(tmp_path: Path) -> None:
    pictures = [Image.new("RGB", (64, 48), "red"), Image.new("RGB", (48, 64), "blue")] * 3
    grid(
        pictures,
        ["a very long caption that does not fit below a small picture"] * 6,
        "dots, step 3",
        tmp_path / "g.png",
    )
    with Image.open(tmp_path / "g.png") as image:
        colours = {colour for _, colour in image.getcolors(2**20) or ()}
    assert {(255, 0, 0), (0, 0, 255)} <= colours
