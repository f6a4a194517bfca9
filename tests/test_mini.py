"""The bundled model: an ordinary FLUX folder and LoRA files, small enough, and as good as the README says."""

import sys
from pathlib import Path

import pytest

from realbot.engine.models import bundled

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "recipes" / "mini"))


def test_package_data_is_small() -> None:
    files = [p for p in bundled().parent.rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in files) < 40e6
    assert {p.stem for p in (bundled().parent / "styles").glob("*.safetensors")} == {"realism", "ink"}
    assert not [p for p in files if p.suffix in (".bin", ".pt", ".ckpt", ".pkl")]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_evaluation(capsys: pytest.CaptureFixture[str]) -> None:
    import evaluate

    found = evaluate.evaluate(bundled(), bundled().parent / "styles")
    with capsys.disabled():
        print(f"\n{found}")
    assert found.background >= 97
    assert found.object >= 75
    assert found.realism >= 90
    none, weak, strong = found.margins
    assert none < weak < strong
    assert found.ink >= 20
