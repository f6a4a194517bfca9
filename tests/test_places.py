"""Rules of servers and channels: they only make stricter, hold at once, pause and clear, and are noted with who did."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from realbot.errors import Blocked, Invalid, NotYours, OverQuota, QueueFull
from realbot.jobs import Cancelled, Done, Generate, Origin, Running, StyleUse, User, Waiting
from realbot.office import Change
from realbot.places import PlaceRules
from realbot.tally import Stats
from studios import Rig, end, lora, rig, until

ANN, BOB = User("discord", "7", "Ann"), User("discord", "8", "Bob")
ADMIN = User("discord", "1", "Admin")
A, B = Origin("discord", "10", server="1"), Origin("discord", "20", server="2")
DM = Origin("discord", "30")


async def ask(r: Rig, origin: Origin = A, prompt: str = "a cat", user: User = ANN, **fields: Any):
    fields.setdefault("steps", 2)
    return await r.studio.submit(user, Generate(prompt=prompt, **fields), origin)


# Rules


async def test_rules_hold_at_once_in_their_server_alone_and_after_a_restart(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        waits = await ask(r, steps=50)
        rules = await r.studio.rule("discord:1", ADMIN, limits={"max_steps": 10})
        assert rules == await r.studio.place("discord:1") == PlaceRules("discord:1", {"max_steps": 10})
        with pytest.raises(Invalid, match="from 1 to 10"):
            await ask(r, steps=11)
        for elsewhere in (B, DM, Origin("telegram", "10", server="1"), Origin("discord", "1x")):
            await ask(r, elsewhere, steps=11)
        assert not isinstance(waits.status, Cancelled)
    async with rig(tmp_path, hand=True) as r:
        with pytest.raises(Invalid, match="from 1 to 10"):
            await ask(r, steps=11)
        assert r.studio.limits(ANN, A).max_steps == 10
        assert r.studio.limits(ANN).max_steps == 100
        await r.studio.rule("discord:1", ADMIN, limits={"max_steps": None})
        await ask(r, steps=11)


async def test_rules_of_a_channel_go_over_those_of_its_server_and_hold_in_its_threads(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        await r.studio.rule("discord:1", ADMIN, limits={"max_steps": 20, "max_count": 2})
        await r.studio.rule("discord:10", ADMIN, limits={"max_steps": 5})
        thread = Origin("discord", "99", thread="99", server="1", parent="10")
        for origin in (A, thread):
            assert (r.studio.limits(ANN, origin).max_steps, r.studio.limits(ANN, origin).max_count) == (5, 2)
        assert r.studio.limits(ANN, Origin("discord", "11", server="1")).max_steps == 20
        # A channel cannot be looser than its server.
        await r.studio.rule("discord:10", ADMIN, limits={"max_steps": 50})
        assert r.studio.limits(ANN, A).max_steps == 20


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"limits": {"max_steps": 101}}, "max_steps cannot be looser than 100"),
        ({"limits": {"per_day": 51}}, "per_day cannot be looser than 50"),
        ({"limits": {"per_day": 0}}, "per_day cannot be looser than 50"),
        ({"limits": {"cooldown": 1}}, "cooldown cannot be looser than 5"),
        ({"limits": {"min_side": 32}}, "min_side cannot be looser than 64"),
        ({"limits": {"max_steps": 0}}, "a whole number from 1 to 1000, not 0"),
        ({"limits": {"max_steps": "many"}}, "a whole number"),
        ({"limits": {"max_side": 48}}, "min_side 64 is larger than max_side 48"),
        ({"limits": {"max_stepz": 5}}, "no rule max_stepz"),
        ({"moderation": {"adult": "anywhere"}}, "adult cannot be looser than restricted"),
        ({"moderation": {"adult": "sometimes"}}, "restricted, never or anywhere"),
        ({"cache": {"scope": "everyone"}}, "scope cannot be looser than server"),
        ({"cache": {"enabled": "maybe"}}, "true or false"),
        ({"styles": ["unknown"]}, "unknown"),
        ({"token": "x"}, "no rule token"),
    ],
)
async def test_a_rule_that_is_wrong_or_looser_is_refused_and_changes_nothing(tmp_path: Path, changes: dict, says: str):
    sections = {"limits": {"per_day": 50, "cooldown": 5}, "cache": {"scope": "server"}}
    async with rig(tmp_path, hand=True, sections=sections) as r:
        with pytest.raises(Invalid, match=says):
            await r.studio.rule("discord:1", ADMIN, **changes)
        assert await r.studio.place("discord:1") == PlaceRules("discord:1")
        assert await r.studio.audit("discord:1") == []


@pytest.mark.parametrize("key", ["", "discord", "1", "discord:", "discord:1 2", "*", "mars:1"])
async def test_what_is_no_place_gets_no_rules(tmp_path: Path, key: str):
    async with rig(tmp_path, hand=True) as r:
        for verb in (r.studio.rule(key, ADMIN, limits={}), r.studio.pause(key, ADMIN), r.studio.clear(key, ADMIN)):
            with pytest.raises(Invalid, match="not a place"):
                await verb


async def test_quota_and_cooldown_of_a_server_hold_there(tmp_path: Path):
    now = 1_000_000.0
    async with rig(tmp_path, hand=True, clock=lambda: now) as r:
        await r.studio.rule("discord:1", ADMIN, limits={"per_day": 1, "waiting_per_user": 1})
        await ask(r)
        with pytest.raises(OverQuota):
            await ask(r, prompt="more")
        await ask(r, B, prompt="more")
        with pytest.raises(QueueFull):
            now += 90_000
            await ask(r, prompt="more")


async def test_rules_that_do_not_go_with_new_settings_never_loosen_them(tmp_path: Path):
    async with rig(tmp_path, hand=True, sections={"limits": {"max_side": 1024}}) as r:
        await r.studio.rule("discord:1", ADMIN, limits={"min_side": 512, "max_side": 800})
    async with rig(tmp_path, hand=True, sections={"limits": {"max_side": 256}}) as r:
        assert (r.studio.limits(ANN, A).min_side, r.studio.limits(ANN, A).max_side) == (64, 256)
        await ask(r, width=128, height=128)
        with pytest.raises(Invalid):
            await ask(r, width=512, height=512)


async def test_channels_are_allowed_or_denied_with_their_threads(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        inside, other = (
            Origin("discord", "99", thread="99", server="1", parent="10"),
            Origin("discord", "11", server="1"),
        )
        await r.studio.rule("discord:1", ADMIN, denied=["10"])
        for origin in (A, inside):
            with pytest.raises(Blocked, match="in this channel"):
                await ask(r, origin)
        await ask(r, other)
        await r.studio.rule("discord:1", ADMIN, denied=(), allowed=["10"])
        await ask(r, A)
        await ask(r, inside)
        with pytest.raises(Blocked) as caught:
            await ask(r, other)
        assert caught.value.places == ("10",)
        await ask(r, B)


async def test_only_the_allowed_styles_can_be_used(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        lora(tmp_path / "styles" / "ink.safetensors")
        lora(tmp_path / "styles" / "realism.safetensors", fill=2)
        r.styles.sweep()
        assert (await r.studio.rule("discord:1", ADMIN, styles=["Ink"])).styles == ("ink",)
        await ask(r, styles=(StyleUse("ink"),))
        with pytest.raises(Invalid, match=r"realism is not allowed here; these are: ink"):
            await ask(r, styles=(StyleUse("Realism"),))
        await ask(r, B, styles=(StyleUse("realism"),))
        assert [style.name for style in r.studio.styles(A)] == ["ink"]
        assert len(r.studio.styles(B)) == len(r.studio.styles()) == 2
        await r.studio.prefer(ANN, styles=(StyleUse("realism"),))
        assert (await r.studio.defaulted(ANN, Generate(prompt="x"), A)).styles == ()
        assert (await r.studio.defaulted(ANN, Generate(prompt="x"), B)).styles == (StyleUse("realism"),)


async def test_who_changed_what_is_noted(tmp_path: Path):
    now = 1_000_000.0
    async with rig(tmp_path, hand=True, clock=lambda: now) as r:
        await r.studio.rule("discord:1", ADMIN, limits={"max_steps": 10})
        now += 5
        await r.studio.pause("discord:1", BOB)
        await r.studio.rule("discord:2", ADMIN, denied=["20"])
        assert await r.studio.audit("discord:1") == [
            Change(1_000_005.0, BOB.key, {"paused": True}),
            Change(1_000_000.0, ADMIN.key, {"limits": {"max_steps": 10}}),
        ]
        assert len(await r.studio.audit("discord:2")) == 1
        assert (await r.studio.place("discord:1")).paused


# Pauses


async def test_a_paused_server_waits_while_others_go_on_and_then_keeps_its_order(tmp_path: Path):
    async with rig(tmp_path) as r:
        await r.studio.pause("discord:1", ADMIN)
        held = [await ask(r, prompt=f"{n}") for n in range(3)]
        assert all(isinstance(job.status, Waiting) and job.status.paused for job in held)
        other = await ask(r, B)
        assert isinstance(await end(other), Done)
        await asyncio.sleep(0.1)
        assert r.pool.jobs == [other.id]
        assert all(job.status == Waiting(1, paused=True) for job in held)
        assert (await r.studio.stats("discord:1")).paused
        assert not (await r.studio.stats("discord:2")).paused
        await r.studio.resume("discord:1", ADMIN)
        for job in held:
            assert isinstance(await end(job), Done)
        assert r.pool.jobs == [other.id, *(job.id for job in held)]


async def test_a_pause_survives_a_restart_and_what_is_painted_is_finished(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        first, second = await ask(r, prompt="1"), await ask(r, prompt="2")
        await until(lambda: isinstance(first.status, Running))
        await r.studio.pause("discord:1", ADMIN)
        await until(lambda: second.status == Waiting(1, paused=True))
        r.pool.finish()
        assert isinstance(await end(first), Done)
    async with rig(tmp_path) as r:
        await until(lambda: r.studio.engine().up)
        await asyncio.sleep(0.1)
        (job,) = r.studio.waiting(ANN)
        assert (job.id, r.pool.jobs) == (second.id, [])
        await r.studio.resume("discord:1", ADMIN)
        assert isinstance(await end(job), Done)


async def test_everywhere_is_paused_and_answers_from_before_still_come(tmp_path: Path):
    async with rig(tmp_path) as r:
        first = await end(await ask(r, DM, seed=1))
        await r.studio.pause(None, ADMIN)
        waits = [await ask(r, origin, "new") for origin in (A, B, DM)]
        again = await end(await ask(r, DM, seed=1))
        assert isinstance(again, Done)
        assert again.images == first.images
        await asyncio.sleep(0.1)
        assert len(r.pool.works) == 1
        await r.studio.resume(None, ADMIN)
        for job in waits:
            assert isinstance(await end(job), Done)


async def test_nobody_behind_a_paused_server_is_shown_a_place_behind_it(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        await until(lambda: r.studio.engine().up)
        await ask(r, B, "painted")
        await until(r.pool.working)
        held, free = await ask(r, A, "held"), await ask(r, B, "free")
        assert free.status.position == 2
        await r.studio.pause("discord:1", ADMIN)
        await until(lambda: free.status.position == 1)
        assert held.status == Waiting(1, paused=True)


async def test_clearing_cancels_what_waits_in_that_server_only(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        running = await ask(r, A, "0")
        await until(lambda: isinstance(running.status, Running))
        mine = [await ask(r, A, f"{n}", user) for n, user in enumerate((ANN, BOB, ANN), 1)]
        others = [await ask(r, origin, "5") for origin in (B, DM, Origin("telegram", "10", server="1"))]
        assert await r.studio.clear("discord:1", ADMIN) == 3
        assert all(job.status == Cancelled() for job in mine)
        assert not any(isinstance(job.status, Cancelled) for job in (running, *others))
        assert (await r.studio.audit("discord:1"))[0].change == {"cleared": 3}
        assert await r.studio.clear("discord:1", ADMIN) == 0
        assert (await r.store.usage(BOB, 0)).waiting_user == 0


async def test_P21_leaving_a_server_cancels_what_it_waits_for_and_forgets_its_rules(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        await r.studio.rule("discord:1", ADMIN, limits={"max_steps": 10})
        jobs = [await ask(r, origin, f"{n}") for n, origin in enumerate((A, A, B))]
        assert await r.studio.left("discord:1") == 2
        assert [isinstance(job.status, Cancelled) for job in jobs] == [True, True, False]
        assert await r.studio.place("discord:1") == PlaceRules("discord:1")


# Rights


@pytest.mark.parametrize("verb", ["cancel", "forget"])
async def test_P1_P5_a_moderator_decides_over_the_jobs_of_their_server_only(tmp_path: Path, verb: str):
    async with rig(tmp_path, hand=True) as r:
        for origin in (A, B, DM):
            job = await ask(r, origin, f"in {origin.place}")
            for who, server in (
                (BOB, ""),
                (BOB, "3"),
                (User("telegram", "8"), "1"),
                (User("telegram", "7"), "2"),
                (BOB, "1" if origin is not A else "2"),
            ):
                with pytest.raises(NotYours):
                    await getattr(r.studio, verb)(who, job.id, server)
            if origin is DM:
                await getattr(r.studio, verb)(ANN, job.id, "1")
            else:
                await getattr(r.studio, verb)(BOB, job.id, origin.server)
            assert job.status == Cancelled()
            assert (await r.store.row(job.id) is None) == (verb == "forget")
        with pytest.raises(NotYours):
            await getattr(r.studio, verb)(BOB, "no such job", "1")


# What is shared


@pytest.mark.parametrize("scope", ["user", "server", "everyone"])
async def test_P9_P10_a_picture_answers_others_only_as_far_as_the_scope_reaches(tmp_path: Path, scope: str):
    async with rig(tmp_path, sections={"cache": {"scope": scope}}) as r:
        secret = Origin("discord", "10", server="1", private=True)
        await end(await ask(r, secret, "private", seed=1))
        await end(await ask(r, A, "open", seed=1))

        async def cached(origin: Origin, prompt: str, user: User) -> bool:
            status = await end(await ask(r, origin, prompt, user, seed=1))
            return status.cached

        assert not await cached(A, "private", User("discord", "100"))
        assert await cached(B, "private", ANN)
        assert await cached(DM, "open", ANN)
        assert await cached(A, "open", User("discord", "101")) == (scope != "user")
        assert await cached(B, "open", User("discord", "102")) == (scope == "everyone")
        assert await cached(DM, "open", User("discord", "103")) == (scope == "everyone")
        assert await cached(Origin("telegram", "10", server="1"), "open", User("telegram", "104")) == (
            scope == "everyone"
        )


async def test_P10_a_server_that_keeps_its_pictures_to_itself_does_so_for_older_ones_too(tmp_path: Path):
    async with rig(tmp_path, sections={"cache": {"scope": "everyone"}}) as r:
        first = await end(await ask(r, A, seed=1))
        await r.studio.rule("discord:1", ADMIN, cache={"scope": "server"})
        elsewhere = await end(await ask(r, B, user=BOB, seed=1))
        assert not elsewhere.cached
        assert (await end(await ask(r, A, user=BOB, seed=1))).cached
        await r.studio.rule("discord:1", ADMIN, cache={"scope": "user"})
        inside = await end(await ask(r, A, user=User("discord", "9"), seed=1))
        assert not inside.cached
        assert first.images == elsewhere.images == inside.images


async def test_P10_R12_one_question_in_two_servers_is_painted_twice_at_once(tmp_path: Path):
    async with rig(tmp_path, hand=True, sections={"cache": {"scope": "server"}}) as r:
        jobs = [
            await ask(r, origin, user=User("discord", f"{n}"), seed=1) for n, origin in enumerate((A, A, B, DM, DM))
        ]
        for painted in range(1, 5):
            await until(lambda n=painted: r.pool.working() and len(r.pool.works) == n)
            r.pool.finish()
        for job in jobs:
            assert isinstance(await end(job), Done)
        assert [job.status.cached for job in jobs] == [False, True, False, False, False]


async def test_P11_the_line_shows_numbers_and_one_persons_own_jobs(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        mine = await ask(r, prompt="mine")
        await ask(r, prompt="a secret", user=BOB)
        assert r.studio.line() == (1, 1)
        assert r.studio.waiting(ANN) == [mine]
        assert r.studio.waiting(User("telegram", "7")) == []
        assert "secret" not in repr(await r.studio.stats("discord:1"))


async def test_stats_count_one_server_and_name_nobody(tmp_path: Path):
    now = 100 * 86_400.0
    async with rig(tmp_path, clock=lambda: now) as r:
        lora(tmp_path / "styles" / "ink.safetensors")
        assert await r.studio.stats("discord:1") == Stats()
        await end(await ask(r, prompt="old"))
        now += 31 * 86_400
        await end(await ask(r, prompt="this month", count=2, styles=(StyleUse("ink"),)))
        now += 2 * 86_400
        await end(await ask(r, prompt="today", user=BOB, styles=(StyleUse("ink", 0.5),)))
        await end(await ask(r, B, prompt="elsewhere"))
        await until(lambda: r.studio.line() == (0, 0))
        await r.studio.pause("discord:1", ADMIN)
        await ask(r, prompt="waits")
        stats = await r.studio.stats("discord:1")
        assert (stats.today, stats.month, stats.people, stats.waiting, stats.paused) == (1, 3, 2, 1, True)
        assert stats.styles == (("ink", 2),)
        assert stats.wait is not None
        assert stats.wait >= 0
        whole = await r.studio.stats()
        assert (whole.today, whole.month, whole.paused) == (2, 4, False)
