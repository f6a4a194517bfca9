"""Whether a request is taken, what is left of each limit, and roles: on a real studio."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from realbot.errors import Blocked, Invalid, OverQuota, QueueFull, Refused, TooSoon
from realbot.eta import Features
from realbot.jobs import Done, Generate, Job, Origin, StyleUse, User
from realbot.spending import DAY, HOUR, MONTH
from studios import Rig, end, lora, rig, until

ANN, BOB = User("discord", "7", "Ann"), User("discord", "8", "Bob")
ADMIN = User("discord", "1", "Admin", frozenset({"administrators"}))
OWNER = User("discord", "2", "Owner", frozenset({"owners"}))
A, B = Origin("discord", "10", server="1"), Origin("discord", "20", server="2")
SUPPORTER, FRIEND = "discord:role:55", "discord:role:66"
NOW = 1_000_000_000.0


def having(*roles: str, user: User = ANN) -> User:
    return replace(user, roles=frozenset(roles))


async def ask(r: Rig, user: User = ANN, prompt: str = "a cat", origin: Origin = A, **fields: Any) -> Job:
    fields.setdefault("steps", 2)
    return await r.studio.submit(user, Generate(prompt=prompt, **fields), origin)


async def learned(r: Rig, seconds: float = 1.0) -> None:
    """The studio has seen what a step of a picture of the usual size takes."""
    request = r.studio.usual(Generate(prompt="x", steps=10))
    for _ in range(5):
        r.studio._timings.record(Features.of(request), {"denoise": 10 * seconds})


# Quotas and the line


@pytest.mark.parametrize(("limit", "window"), [("per_hour", HOUR), ("per_day", DAY), ("per_month", MONTH)])
async def test_Q1_each_window_slides(tmp_path: Path, limit: str, window: float):
    now = NOW
    async with rig(tmp_path, sections={"limits": {limit: 2}}, clock=lambda: now) as r:
        await end(await ask(r))
        now += window / 2
        await end(await ask(r, prompt="a dog"))
        with pytest.raises(OverQuota) as caught:
            await ask(r, prompt="a cow")
        assert caught.value.resets == NOW + window
        now = NOW + window + 1
        await end(await ask(r, prompt="a cow"))
        with pytest.raises(OverQuota):
            await ask(r, prompt="an ox")


async def test_Q1_what_was_not_painted_costs_nothing(tmp_path: Path):
    async with rig(tmp_path, hand=True, sections={"limits": {"per_hour": 1, "seconds_per_hour": 60}}) as r:
        await learned(r)
        job = await ask(r, steps=30)
        with pytest.raises(OverQuota):
            await ask(r, prompt="a dog")
        await r.studio.cancel(ANN, job.id)
        purse = await r.studio.budget.purse(ANN, A)
        assert [one.used for one in purse.allowances] == [0, 0]
        await ask(r, prompt="a dog")


async def test_Q1_nobody_has_more_seconds_than_their_share_by_queueing(tmp_path: Path):
    async with rig(tmp_path, hand=True, sections={"limits": {"seconds_per_hour": 60}}) as r:
        await learned(r)
        first = await ask(r, steps=30)
        with pytest.raises(OverQuota, match="of painting for 60 minutes 30 s is left, and this takes about 40 s"):
            await ask(r, prompt="a dog", steps=40)
        with pytest.raises(OverQuota, match="This takes about 100 s of painting, and only 60 s may be used"):
            await ask(r, prompt="a dog", steps=100)
        await ask(r, prompt="a dog", steps=30)
        with pytest.raises(OverQuota, match="is used up"):
            await ask(r, prompt="a cow", steps=1)
        await ask(r, BOB, prompt="a cow", steps=30)
        assert first.status is not None


async def test_Q1_a_painted_picture_counts_with_the_seconds_that_it_took(tmp_path: Path):
    async with rig(tmp_path, sections={"limits": {"seconds_per_day": 1000}}) as r:
        await learned(r)
        done = await end(await ask(r, steps=50))
        assert isinstance(done, Done)
        (allowance,) = (await r.studio.budget.purse(ANN, A)).allowances
        assert allowance.used == pytest.approx(done.seconds)
        again = await end(await ask(r, steps=50))
        assert isinstance(again, Done)
        assert again.cached
        (allowance,) = (await r.studio.budget.purse(ANN, A)).allowances
        assert allowance.used == pytest.approx(done.seconds)


@pytest.mark.parametrize(
    "limits",
    [{"waiting_per_server": 7}, {"waiting_per_user": 7}, {"per_hour": 7}, {"per_month": 7}, {"seconds_per_day": 75}],
)
async def test_Q3_of_hundreds_at_once_as_many_are_taken_as_there_is_room_for(tmp_path: Path, limits: dict[str, int]):
    async with rig(tmp_path, hand=True, sections={"limits": limits}) as r:
        await learned(r)
        asked = [ask(r, prompt=f"a cat {n}", steps=10) for n in range(300)]
        found = await asyncio.gather(*asked, return_exceptions=True)
        taken = [one for one in found if isinstance(one, Job)]
        assert len(taken) == 7
        assert all(isinstance(one, Refused) for one in found if not isinstance(one, Job))
        await r.studio.cancel(ANN, taken[0].id)
        await ask(r, prompt="one more", steps=10)


async def test_Q4_a_server_whose_line_is_full_is_refused_and_others_are_not(tmp_path: Path):
    async with rig(tmp_path, hand=True, sections={"limits": {"waiting_per_server": 2}}) as r:
        await ask(r)
        await ask(r, BOB, prompt="a dog")
        with pytest.raises(QueueFull, match="2 requests are waiting here already, of at most 2"):
            await ask(r, prompt="a cow")
        await ask(r, prompt="a cow", origin=B)
        await ask(r, prompt="an ox", origin=Origin("discord", "30"))


async def test_Q5_lowered_limits_leave_what_waits_and_hold_for_what_comes(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        waiting = [await ask(r, prompt=f"a cat {n}", steps=50) for n in range(4)]
        await r.studio.rule(
            "discord:1", ADMIN, limits={"per_hour": 2, "waiting_per_server": 2, "max_steps": 10, "running_per_user": 1}
        )
        with pytest.raises(Invalid, match="from 1 to 10"):
            await ask(r, steps=50)
        with pytest.raises(OverQuota, match="2 pictures for 60 minutes are used up"):
            await ask(r, prompt="one more")
        assert len(r.studio.waiting(ANN)) == 4
        for job in waiting:
            await until(r.pool.working)
            r.pool.finish()
            assert isinstance(await end(job), Done)


async def test_P15_deleting_everything_is_no_way_around_the_limit_of_a_month(tmp_path: Path):
    now = NOW
    sections = {"limits": {"per_month": 2, "seconds_per_month": 1000}}
    async with rig(tmp_path, sections=sections, clock=lambda: now) as r:
        await end(await ask(r, count=2))
        await r.studio.erase(ANN)
        now += 20 * DAY
        await r.store.expire(now - DAY)
        with pytest.raises(OverQuota, match="2 pictures for 30 days are used up"):
            await ask(r)
        assert [one.used > 0 for one in (await r.studio.budget.purse(ANN, A)).allowances] == [True, True]
        now = NOW + MONTH + 1
        await r.store.expire(now - DAY)
        await end(await ask(r))


async def test_D4_what_is_expected_of_waiting_requests_counts_after_a_restart_too(tmp_path: Path):
    sections = {"limits": {"seconds_per_hour": 60}}
    async with rig(tmp_path, hand=True, sections=sections) as r:
        await learned(r)
        await ask(r, steps=50)
    async with rig(tmp_path, hand=True, sections=sections) as r:
        await learned(r)
        with pytest.raises(OverQuota, match="10 s is left, and this takes about 20 s"):
            await ask(r, prompt="a dog", steps=20)


async def test_who_is_exempt_is_held_by_no_quota(tmp_path: Path):
    sections = {
        "limits": {"per_day": 1, "waiting_per_user": 1, "cooldown": 60},
        "access": {"exempt": ["discord:8", SUPPORTER]},
    }
    async with rig(tmp_path, hand=True, sections=sections) as r:
        for user in (BOB, having("55", user=User("discord", "9"))):
            for n in range(3):
                await ask(r, user, prompt=f"a cat {n}")
        await ask(r)
        with pytest.raises(TooSoon):
            await ask(r, prompt="a dog")
        assert (await r.studio.budget.purse(BOB, A)).exempt
        assert not (await r.studio.budget.purse(ANN, A)).exempt


# Roles


async def test_a_role_replaces_what_its_server_settled_and_never_what_the_operator_did(tmp_path: Path):
    sections = {"limits": {"per_day": 50, "max_steps": 40}}
    async with rig(tmp_path, hand=True, sections=sections) as r:
        await r.studio.rule("discord:1", ADMIN, limits={"per_day": 5, "max_steps": 10, "max_count": 1})
        await r.studio.lend(SUPPORTER, "discord:1", ADMIN, limits={"per_day": 30, "max_steps": 35})
        await r.studio.lend(FRIEND, "discord:1", ADMIN, limits={"per_day": 20, "max_count": 3})
        expected = {(): (5, 10, 1), ("55",): (30, 35, 1), ("66",): (20, 10, 3), ("55", "66", "77"): (30, 35, 3)}
        for roles, (day, steps, count) in expected.items():
            limits = r.studio.limits(having(*roles), A)
            assert (limits.per_day, limits.max_steps, limits.max_count) == (day, steps, count)
        await ask(r, having("55"), steps=35)
        with pytest.raises(Invalid, match="from 1 to 10"):
            await ask(r, having("66"), steps=35)
        for looser in ({"per_day": 60}, {"per_day": 0}, {"max_steps": 41}):
            with pytest.raises(Invalid, match="looser than"):
                await r.studio.lend(SUPPORTER, "discord:1", ADMIN, limits=looser)
        for other in ({"moderation": {"adult": "never"}}, {"styles": ["ink"]}, {"paused": True}):
            with pytest.raises(Invalid, match="cannot be settled for a role"):
                await r.studio.lend(SUPPORTER, "discord:1", ADMIN, **other)
    # The operator is stricter by now.
    async with rig(tmp_path, hand=True, sections={"limits": {"per_day": 10, "max_steps": 20}}) as r:
        limits = r.studio.limits(having("55"), A)
        assert (limits.per_day, limits.max_steps) == (10, 20)
        assert {one.key for one in r.studio.roles("discord:1")} == {SUPPORTER, FRIEND}
        assert r.studio.roles("discord:2") == []
        await r.studio.left("discord:1")
        assert r.studio.roles("discord:1") == []


async def test_without_a_limit_of_the_operator_a_role_can_have_none(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        await r.studio.rule("discord:1", ADMIN, limits={"per_day": 5})
        await r.studio.lend(SUPPORTER, "discord:1", ADMIN, limits={"per_day": 0})
        await r.studio.lend(FRIEND, "discord:1", ADMIN, limits={"per_day": 9})
        assert r.studio.limits(having("66"), A).per_day == 9
        assert r.studio.limits(having("55", "66"), A).per_day == 0


async def test_overrides_for_roles_hold_in_ranges_styles_and_defaults(tmp_path: Path):
    sections = {
        "limits": {"max_steps": 20, "styles": ["ink"]},
        "override": {
            SUPPORTER: {"limits": {"max_steps": 60, "styles": ["ink", "gold"], "max_side": 1024}},
            "discord:role:administrators": {"limits": {"max_steps": 80}},
        },
    }
    async with rig(tmp_path, hand=True, sections=sections) as r:
        for name in ("ink", "gold"):
            lora(tmp_path / "styles" / f"{name}.safetensors")
        supporter = having("55")
        with pytest.raises(Invalid, match="from 1 to 20"):
            await ask(r, steps=60)
        await ask(r, supporter, steps=60)
        await ask(r, having("55", "administrators"), steps=80)
        with pytest.raises(Invalid, match="gold is not allowed here; these are: ink"):
            await ask(r, styles=(StyleUse("gold"),))
        await ask(r, supporter, styles=(StyleUse("gold"),))
        assert [one.name for one in r.studio.styles(A, ANN)] == ["ink"]
        assert [one.name for one in r.studio.styles(A, supporter)] == ["gold", "ink"]
        await r.studio.prefer(supporter, steps=50)
        assert (await r.studio.defaulted(supporter, Generate(prompt="x"), A)).steps == 50
        assert (await r.studio.defaulted(ANN, Generate(prompt="x"), A)).steps == 20
        assert r.studio.heeds_roles("discord")
        assert not r.studio.heeds_roles("telegram")


# What is left, and handing it back


async def test_what_is_left_of_each_limit_is_told(tmp_path: Path):
    now, sections = NOW, {"limits": {"per_hour": 4, "per_day": 10, "cooldown": 30, "waiting_per_user": 3}}
    async with rig(tmp_path, hand=True, sections=sections, clock=lambda: now) as r:
        purse = await r.studio.budget.purse(ANN, A)
        assert [(one.quota.name, one.used, one.left, one.frees) for one in purse.allowances] == [
            ("per_hour", 0, 4, None),
            ("per_day", 0, 10, None),
        ]
        assert (purse.waiting, purse.waiting_most, purse.rested) == (0, 3, None)
        await ask(r, count=3)
        now += 10
        purse = await r.studio.budget.purse(ANN, A)
        assert [(one.used, one.left, one.frees) for one in purse.allowances] == [
            (3, 1, NOW + HOUR),
            (3, 7, NOW + DAY),
        ]
        assert (purse.waiting, purse.rested) == (1, NOW + 30)


async def test_administrators_hand_back_what_they_settled_and_owners_everything(tmp_path: Path):
    now = NOW
    sections = {"limits": {"per_day": 4}}
    async with rig(tmp_path, sections=sections, clock=lambda: now) as r:
        await r.studio.rule("discord:1", ADMIN, limits={"per_day": 2})
        for n in range(2):
            await end(await ask(r, prompt=f"a cat {n}"))
        with pytest.raises(OverQuota):
            await ask(r, prompt="one more")
        now += 1
        await r.studio.budget.reset(ANN, ADMIN, "discord:1")
        assert (await r.studio.audit("discord:1"))[0].change == {
            "quota": "handed back",
            "person": ANN.key,
            "name": ANN.name,
        }
        (left,) = (await r.studio.budget.purse(ANN, A)).allowances
        assert left.left == 2
        now += 1
        await end(await ask(r, prompt="one more"))
        await end(await ask(r, prompt="and one"))
        # What whoever runs the bot has set still counts everything.
        await r.studio.budget.reset(ANN, ADMIN, "discord:1")
        (left,) = (await r.studio.budget.purse(ANN, A)).allowances
        assert left.left == 0
        with pytest.raises(OverQuota, match="4 pictures for 24 hours"):
            await ask(r, prompt="too many")
        with pytest.raises(Blocked, match="Only the owners"):
            await r.studio.budget.reset(ANN, ADMIN, None)
        await r.studio.budget.reset(ANN, OWNER, None)
        await end(await ask(r, prompt="too many"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("per_hour", -1),
        ("per_month", 10**12),
        ("waiting_per_server", 2**64),
        ("running_per_user", 1.5),
        ("seconds_per_hour", float("nan")),
        ("seconds_per_day", float("inf")),
        ("seconds_per_month", 1e400),
        ("quote_seconds", -0.1),
        ("per_day", "many"),
        ("running_per_server", None),
        ("styles", ["ink"]),
    ],
)
async def test_Q17_a_limit_that_makes_no_sense_is_refused_and_changes_nothing(tmp_path: Path, name: str, value: Any):
    async with rig(tmp_path, hand=True) as r:
        for settle in (
            r.studio.rule("discord:1", ADMIN, limits={name: value}),
            r.studio.lend(SUPPORTER, "discord:1", ADMIN, limits={name: value}),
        ):
            if value is None:
                await settle  # takes back what was never settled
                continue
            with pytest.raises(Invalid):
                await settle
        assert not (await r.studio.place("discord:1")).limits
        assert r.studio.roles("discord:1") == []
        assert r.studio.limits(having("55"), A) == r.studio.limits(ANN)
