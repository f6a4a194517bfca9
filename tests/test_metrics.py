"""What is counted, from the outside: real jobs on a real store, and numbers that name nobody."""

from __future__ import annotations

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pools import lora
from realbot.engine import EngineUp, Picture, Produced, RunKey
from realbot.errors import Refused
from realbot.jobs import Generate, Origin, StyleUse, User
from realbot.metrics import NAMED, OTHERS, TRAINED, Metrics, _size
from studios import ANNA, HERE, end, rig, until

CANARY = User("discord", "987654321098765432", "Canary McBird")
GUILD = Origin("discord", "112233445566778899", server="998877665544332211")


def value(metrics: Metrics, name: str, **labels: str) -> float:
    """A sample's value, 0 where there is none yet."""
    return metrics.registry.get_sample_value(f"realbot_{name}", labels) or 0.0


@pytest.fixture
async def seen(tmp_path):
    """A studio and what is counted of it."""
    async with rig(tmp_path, hand=True) as bench:
        bench.metrics = Metrics(bench.studio)
        await until(lambda: bench.studio.engine().up)
        yield bench


async def painted(bench, prompt: str, **fields):
    job = await bench.ask(prompt, **fields)
    await until(bench.pool.working)
    bench.pool.step(1)
    bench.pool.step(2)
    bench.pool.finish(seconds=1.0)
    await end(job)
    return job


async def test_a_job_is_counted_from_acceptance_to_delivery(seen):
    metrics = seen.metrics
    first = await seen.ask("a cat")
    second = await seen.ask("a dog")
    await until(seen.pool.working)
    await metrics.sample()
    assert (value(metrics, "queue_waiting"), value(metrics, "queue_running")) == (1, 1)
    assert value(metrics, "jobs_accepted_total", platform="web", kind="generate") == 2
    seen.pool.step(2)
    seen.pool.finish(seconds=1.0)
    await end(first)
    await seen.studio.delivered(first.id)
    await until(lambda: seen.pool.working() is not None and seen.pool.working().job == second.id)
    await seen.studio.cancel(ANNA, second.id)
    await seen.studio.kept(second.id, "gone")
    await end(second)
    assert value(metrics, "jobs_total", platform="web", outcome="painted") == 1
    assert value(metrics, "jobs_total", platform="web", outcome="cancelled") == 1
    assert value(metrics, "deliveries_total", platform="web", outcome="delivered") == 1
    assert value(metrics, "deliveries_total", platform="web", outcome="kept") == 1
    assert value(metrics, "delivery_seconds_count", platform="web") == 1
    assert value(metrics, "wait_seconds_count") == 2
    assert value(metrics, "job_seconds_count", platform="web") == 1
    assert value(metrics, "store_commit_seconds_count") > 4
    await metrics.sample()
    assert (value(metrics, "queue_waiting"), value(metrics, "queue_running")) == (0, 0)


async def test_answers_from_before_are_hits(seen):
    await painted(seen, "a cat")
    again = await seen.ask("a cat")
    await end(again)
    assert value(seen.metrics, "cache_total", result="hit") == 1
    assert value(seen.metrics, "cache_total", result="miss") == 1
    assert value(seen.metrics, "jobs_total", platform="web", outcome="cached") == 1


async def test_steps_are_timed_by_model_and_size(seen):
    await painted(seen, "a cat", width=256, height=256)
    labels = {"model": "mini", "size": "256"}
    assert value(seen.metrics, "step_seconds_count", **labels) == 1
    assert value(seen.metrics, "step_seconds_sum", **labels) == pytest.approx(0.5), "one second, two steps"
    assert value(seen.metrics, "stage_seconds_total", model="mini", stage="denoise") == 1.0


@pytest.mark.parametrize(
    ("pixels", "size"), [(1, "256"), (65_536, "256"), (65_537, "512"), (1024 * 1024, "1024"), (10**8, "larger")]
)
def test_sizes_are_few(pixels, size):
    assert _size(pixels) == size


async def test_changes_of_style_are_counted_and_uses_by_name(tmp_path):
    (tmp_path / "styles").mkdir()
    lora(tmp_path / "styles" / "ink.safetensors")
    async with rig(tmp_path, hand=True) as seen:
        seen.metrics = metrics = Metrics(seen.studio)
        for styles in ((), (StyleUse("ink"),), (StyleUse("ink"),), ()):
            await painted(seen, f"a cat {seen.pool.works}"[:40], styles=styles, seed=len(seen.pool.works))
        assert value(metrics, "style_uses_total", style="ink") == 2
        assert value(metrics, "style_switches_total") == 2


async def test_names_of_styles_are_few_and_nobodys(seen, monkeypatch):
    names = [seen.metrics._named(f"style-{number}") for number in range(NAMED + 50)]
    assert len(set(names)) == NAMED + 1
    assert names[-1] == OTHERS
    assert seen.metrics._named("style-0") == "style-0"
    monkeypatch.setattr(seen.studio, "learnt", lambda name: name == "annas-cat")
    assert seen.metrics._named("annas-cat") == TRAINED


async def test_refusals_failures_and_uploads_are_counted_by_class(seen):
    with pytest.raises(Refused):
        await seen.ask("a cat", steps=100_000)
    job = await seen.ask("a dog")
    await until(seen.pool.working)
    seen.pool.fail("out_of_memory", "The prompt was a dog.")
    await end(job)
    with pytest.raises(Refused):
        await seen.studio.upload(ANNA, b"no picture", HERE)
    assert value(seen.metrics, "refusals_total", platform="web", reason="Invalid") == 1
    assert value(seen.metrics, "failures_total", error="OutOfMemory") == 1
    assert value(seen.metrics, "jobs_total", platform="web", outcome="failed") == 1
    assert value(seen.metrics, "uploads_total", outcome="refused") == 1


async def test_engines_are_counted_by_how_they_end(seen):
    metrics = seen.metrics
    seen.pool.crash()
    await until(lambda: value(metrics, "engine_ends_total", engine="one", reason="crashed") == 1)
    await until(lambda: value(metrics, "engine_up", engine="one") == 1)
    seen.pool.silent = True
    seen.pool.crash(reason="hung")
    await until(lambda: value(metrics, "engine_up", engine="one") == 0)
    assert value(metrics, "engine_ends_total", engine="one", reason="hung") == 1


async def test_memory_of_the_gpu_is_known_where_the_engine_tells(seen):
    metrics = seen.metrics
    metrics.heard(EngineUp("two", "b", 1, "print", ("mini",), 80 * 1024))
    assert value(metrics, "engine_memory_bytes", engine="two", of="total") == 80 * 2**30
    job = await seen.ask("a cat")
    await until(seen.pool.working)
    file = Picture("/nowhere", "0" * 64, 1, 1)
    metrics.heard(Produced(RunKey(job.id, 1), (file,), "image/png", 1.0, {}, memory_mb=3))
    assert value(metrics, "engine_memory_bytes", engine="one", of="peak") == 3 * 2**20


async def test_arrival_times_are_judged(seen):
    for number in range(6):
        await painted(seen, f"a cat {number}", seed=number)
    total = value(seen.metrics, "eta_total", within="yes") + value(seen.metrics, "eta_total", within="no")
    assert total == value(seen.metrics, "eta_error_seconds_count") > 0


class Front:
    platform, health, limited, away = "telegram", "", 3, False

    def pulse(self) -> float:
        return 0.0


async def test_front_ends_and_parts_are_looked_at(seen):
    front, metrics = Front(), seen.metrics
    seen.studio.health.watch(front)
    await metrics.sample()
    front.limited, front.health, front.away = 5, "Telegram is away", True
    await metrics.sample()
    assert value(metrics, "rate_limited_total", platform="telegram") == 5
    assert value(metrics, "front_connected", platform="telegram") == 0
    assert value(metrics, "part", part="telegram", state="unready") == 1
    assert value(metrics, "part", part="telegram", state="well") == 0
    assert value(metrics, "part", part="store", state="well") == 1
    assert value(metrics, "disk_free_bytes") > 0


async def test_an_observer_that_fails_disturbs_no_job(seen, monkeypatch, caplog):
    for verb in ("accepted", "started", "ended", "heard", "delivered", "committed"):
        monkeypatch.setattr(seen.metrics, verb, lambda *_, **__: 1 / 0)
    job = await painted(seen, "a cat")
    await seen.studio.delivered(job.id)
    assert await seen.state(job) == "delivered"
    assert "an observer failed" in caplog.text


async def test_P18_no_label_names_a_person_a_prompt_a_place_or_a_file(seen):
    job = await seen.studio.submit(CANARY, Generate(prompt="a canary in a coal mine", steps=2), GUILD)
    await until(seen.pool.working)
    seen.pool.step(2)
    seen.pool.finish()
    await end(job)
    await seen.studio.delivered(job.id)
    await seen.metrics.sample()
    text = seen.metrics.text().decode()
    assert "discord" in text
    for canary in ("canary", "Canary", CANARY.id, GUILD.place, GUILD.server, job.id, "coal", str(seen.store.folder)):
        assert canary not in text


async def test_the_text_is_what_prometheus_reads_and_short(seen):
    await painted(seen, "a cat")
    await seen.metrics.sample()
    text = seen.metrics.text().decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["realbot_jobs"].type == "counter"
    assert families["process_resident_memory_bytes"].samples[0].value > 0
    assert all(family.documentation for family in families.values())
    assert len(text.splitlines()) < 400, "nothing has many values"
    assert not re.search(r"\d{15,}\"", text)
