"""The dashboard and the alerts ask for numbers that realbot tells, with labels that they have."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from realbot.metrics import Metrics
from studios import rig

DEPLOY = Path(__file__).parents[1] / "deploy"
BOARD = json.loads((DEPLOY / "grafana" / "realbot.json").read_text())
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
ALERTS = [rule for group in yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
          for rule in group["rules"]]  # fmt: skip
EXPRESSIONS = [
    *(target["expr"] for panel in PANELS for target in panel["targets"]),
    *(note["expr"] for note in BOARD["annotations"]["list"]),
    *(rule["expr"] for rule in ALERTS),
]
#: What Prometheus adds by itself.
ITS_OWN = {"up": {"job", "instance"}}


@pytest.fixture
async def known(tmp_path):
    """The names of all samples, each with its labels."""
    async with rig(tmp_path, start=False) as bench:
        metrics = Metrics(bench.studio)
        names: dict[str, set[str]] = dict(ITS_OWN)
        for collector in set(metrics.registry._names_to_collectors.values()):
            labels = set(getattr(collector, "_labelnames", ()))
            for name in metrics.registry._collector_to_names[collector]:
                names[name] = labels | ({"le"} if name.endswith("_bucket") else set())
        names |= {one.name: set(one.labels) for family in metrics.registry.collect() for one in family.samples
                  if one.name.startswith("process_")}  # fmt: skip
        yield names


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_asks_for_what_there_is(expression, known):
    asked = re.findall(r"\b(realbot_\w+|process_\w+|up)\b", expression)
    assert asked
    for name in asked:
        assert name in known, f"realbot tells no {name}"
    labels = set().union(*(known[name] for name in asked))
    for within in re.findall(r"\bby \(([^)]*)\)", expression):
        assert {one.strip() for one in within.split(",")} <= labels
    for name, selectors in re.findall(r"(\w+)\{([^}]*)\}", expression):
        assert {one.partition("=")[0].strip("! ") for one in selectors.split(",")} <= known[name]
    assert expression.count("(") == expression.count(")")
    for name in asked:
        if name.endswith(("_total", "_bucket")):
            assert re.search(rf"(rate|increase)\({name}(\{{[^}}]*\}})?\[", expression), "counters are asked for changes"


def test_what_is_told_is_shown_or_alerts(known):
    """Nothing is counted that nobody looks at."""
    asked = set(re.findall(r"realbot_\w+", " ".join(EXPRESSIONS)))
    told = {name.removesuffix("_created") for name in known if name.startswith("realbot_")}
    left = {name for name in told if not any(one.startswith(re.sub(r"_(count|sum|bucket|total)$", "", name))
                                             for one in asked)}  # fmt: skip
    assert left <= {"realbot_build_info", "realbot_eta_error_seconds", "realbot_eta_error_seconds_bucket",
                    "realbot_eta_error_seconds_count", "realbot_eta_error_seconds_sum"}  # fmt: skip


def test_every_value_of_a_state_that_is_asked_for_exists():
    from realbot.health import STATES

    for states in re.findall(r'state=~?"([^"]*)"', " ".join(EXPRESSIONS)):
        assert set(states.split("|")) <= set(STATES)


def test_panels_lie_beside_each_other_and_say_what_they_are():
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    for panel in PANELS:
        assert panel["title"]
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"prometheus"}
    for one, other in combinations([panel["gridPos"] for panel in BOARD["panels"]], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below


def test_alerts_say_what_to_do():
    wanted = {"RealbotNoEngine", "RealbotQueueGrows", "RealbotDeliveriesFail", "RealbotBackupOld", "RealbotDiskLow"}
    assert wanted <= {rule["alert"] for rule in ALERTS}
    for rule in ALERTS:
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["remedy"]
        for label in re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])):
            assert label in rule["expr"] or rule["expr"] == "realbot_front_connected == 0"


def test_prometheus_asks_where_the_monitor_listens():
    from realbot.rulebook import Monitor

    settings = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    assert settings["rule_files"] == ["alerts.yml"]
    (job,) = settings["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"realbot:{Monitor().port}"]}]
    assert "metrics_path" not in job
