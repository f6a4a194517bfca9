"""The courier: what is shown when, and that a result whose fate was unknown is looked for before it is sent again."""

from __future__ import annotations

import asyncio

import pytest
from fronts import arrives, cards, soon
from loopback_faults import Error, Status

from realbot.adapters.discord import courier
from realbot.adapters.discord.delivery import Post, Spot
from realbot.adapters.discord.payload import Payload
from realbot.jobs import Board, Generate, Job, Origin, User, Waiting

MINUTE = 60.0
CARD, NEW = "/channels/*/messages/*", "/channels/*/messages"


async def asks(actor, channel, pool, prompt: str = "a red apple", **options):
    asked = await actor.slash(channel, "imagine", prompt=prompt, steps=9, **options)
    await soon(pool.working, f"nothing is painted: {asked.text}")
    return asked


async def end(atelier, user: str, state: str) -> None:
    """Wait until the latest job of a person is in this state."""
    for _ in range(500):
        entries = await atelier.studio.history(User("discord", user), 1)
        if entries and entries[0].state == state:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"not {state}: {entries}")


def test_a_nonce_follows_from_the_job_and_the_kind_of_message():
    def post(name: str, kind: str) -> Post:
        board = Board(Waiting(1))
        job = Job(name, User("discord", "1"), Generate(prompt="x"), Origin("discord", "1"), 0.0, board)
        return Post(job, Payload(), kind)

    nonces = [post(name, kind).nonce for name in ("a", "b") for kind in ("result", "card", "ping", "result:direct")]
    assert len(set(nonces)) == 8
    assert all(len(nonce) <= 25 for nonce in nonces)
    assert post("a", "card").nonce == post("a", "card").nonce


def test_a_spot_outlives_a_restart_and_a_version():
    spot = Spot(message="5", posted=1.0, channel="7", token="t", until=2.0, sent=3.0, how="direct", pinged=True)
    kept = {"message": "5", "posted": 1.0, **spot.data(), "of a later version": 1}
    assert Spot.load(kept) == spot
    assert Spot.load({}) == Spot()


async def test_R1_a_message_that_arrived_while_its_answer_was_lost_is_found_and_not_sent_again(
    front, atelier, discord, channel, anna
):
    asked = await asks(anna, channel, atelier.pool)
    discord.delete(asked.message)
    rule = discord.fault("POST", NEW, Status(after=True, status=503), times=6)
    atelier.pool.finish()
    await soon(lambda: rule.struck == 6)
    # Discord has forgotten the nonce when it is heard of again.
    discord.clock.advance(30 * MINUTE)
    await end(atelier, anna.id, "delivered")
    assert len(cards(discord.channels.values(), "a red apple")) == 1
    assert len(discord.called("POST", "/messages")) <= 7


async def test_R1_where_nobody_may_look_nothing_is_sent_twice(front, atelier, discord, channel, anna):
    asked = await asks(anna, channel, atelier.pool)
    discord.delete(asked.message)
    discord.fault("GET", NEW, Error(code=50001), times=-1)
    rule = discord.fault("POST", NEW, Status(after=True, status=503), times=6)
    atelier.pool.finish()
    await soon(lambda: rule.struck == 6)
    discord.clock.advance(30 * MINUTE)
    await end(atelier, anna.id, "kept")
    assert len(cards(discord.channels.values(), "a red apple")) == 1


@pytest.mark.parametrize(("refused", "ending"), [(0, ".png"), (1, (".webp", ".jpg")), (2, ".jpg")])
async def test_R6_each_refusal_of_a_file_costs_one_format(refused, ending, front, atelier, discord, channel, anna):
    asked = await asks(anna, channel, atelier.pool)
    rule = discord.fault("PATCH", CARD, Error(code=40005), times=refused, when=lambda call: bool(call.files))
    atelier.pool.finish()
    card = await arrives(asked.message)
    assert rule.struck == refused
    assert card.attachments[0].name.endswith(ending)
    assert f"attachment://{card.attachments[0].name}" in str(card.embeds) or not card.embeds[0].get("image")


async def test_Q12_progress_rests_once_a_card_is_fifty_minutes_old_and_the_result_still_comes(
    front, atelier, discord, channel, anna
):
    asked = await asks(anna, channel, atelier.pool)
    atelier.pool.step(1)
    await soon(lambda: "Step 1 of 9" in asked.message.text)
    discord.clock.advance(51 * MINUTE)
    edits = asked.message.edits
    atelier.pool.step(5)
    await asyncio.sleep(0.8)
    assert asked.message.edits == edits
    atelier.pool.finish()
    await arrives(asked.message)
    assert asked.message.edits == edits + 1


async def test_nobody_is_pinged_who_does_not_want_it_or_waited_for_a_moment(
    front, atelier, discord, channel, anna, bert
):
    await atelier.studio.prefer(User("discord", anna.id), ping=False)
    for actor, wait in ((anna, 16 * MINUTE), (bert, 10.0)):
        asked = await asks(actor, channel, atelier.pool)
        discord.clock.advance(wait)
        atelier.pool.finish()
        await arrives(asked.message)
        await end(atelier, actor.id, "delivered")
    assert not any(m.pings for m in channel.messages.values())


async def test_R3_a_wait_that_is_longer_than_an_answer_lives_is_said_at_once(
    front, atelier, discord, channel, anna, monkeypatch
):
    monkeypatch.setattr(courier, "SHORT", 0.0)
    first = await asks(anna, channel, atelier.pool)
    atelier.pool.finish(seconds=900.0)
    await arrives(first.message)
    asked = await asks(anna, channel, atelier.pool, "a blue cup", private=True)
    await soon(lambda: any("direct message" in one.text for one in asked.followups), "nobody was told")
    atelier.pool.finish()


async def test_R4_what_could_not_be_delivered_is_told_at_the_next_contact_once(
    front, atelier, discord, server, channel, anna
):
    anna.person.refuses_dms = True
    elsewhere = server.channel("elsewhere")
    await asks(anna, elsewhere, atelier.pool)
    discord.close(elsewhere)
    atelier.pool.finish()
    await end(atelier, anna.id, "kept")
    told = []
    for prompt in ("a blue cup", "a green cup"):
        asked = await asks(anna, channel, atelier.pool, prompt)
        atelier.pool.finish()
        await arrives(asked.message)
        await asyncio.sleep(0.2)
        told.append([one.text for one in asked.followups])
    assert "/history" in told[0][0]
    assert told[1] == []


async def test_a_job_that_is_deleted_while_it_waits_ends_its_card(front, atelier, discord, channel, anna, bert):
    await asks(bert, channel, atelier.pool)
    waiting = await anna.slash(channel, "imagine", prompt="a blue cup", steps=1)
    await soon(lambda: waiting.message is not None)
    await atelier.studio.erase(User("discord", anna.id))
    await soon(lambda: "Cancelled" in waiting.message.text, f"the card still says {waiting.message.text!r}")
    assert not waiting.message.labels


async def test_what_was_given_up_is_announced_nowhere_else(front, atelier, discord, channel, anna):
    asked = await asks(anna, channel, atelier.pool)
    discord.delete(asked.message)
    user = User("discord", anna.id)
    (job,) = atelier.studio.pending("discord")
    await atelier.studio.cancel(user, job.id)
    await soon(lambda: not atelier.studio.pending("discord"))
    assert not anna.dm.messages
    assert not channel.messages
