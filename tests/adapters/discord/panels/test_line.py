"""/queue and /help in a simulated Discord."""

from __future__ import annotations

from simulated import control, controls, said, user

from studios import until


async def test_an_empty_line_says_so(world):
    shown = await world.anna.slash(world.channel, "queue")
    assert shown.ephemeral
    assert "Nothing of yours is waiting" in said(shown)
    assert "Nobody else is waiting" in said(shown)


async def test_own_requests_stand_with_place_time_and_card(world):
    await world.paint(world.bert, "an earlier picture")
    await world.ask(world.bert, "somebody else's canary")
    first = await world.ask(world.anna, "a red apple")
    await world.ask(world.anna, "a green *frog*")
    await until(world.rig.pool.working)
    await world.rig.studio.place_card(first, "4321")
    await until(lambda: all(job.status.eta for job in world.rig.studio.waiting(user(world.anna))))
    lines = said(await world.anna.slash(world.channel, "queue"))
    assert "a red apple" in lines
    assert r"a green \*frog\*" in lines
    assert lines.index("a red apple") < lines.index("a green")
    assert "Next in line" in lines
    assert "2nd in line" in lines
    assert "<t:" in lines
    assert f"https://discord.com/channels/{world.guild.id}/{world.channel.id}/4321" in lines
    assert "Of others: 1 being painted" in lines


async def test_P11_the_line_tells_of_others_how_many_and_nothing_else(world):
    await world.ask(world.anna, "a secret canary")
    await world.ask(world.anna, "another secret canary")
    await until(world.rig.pool.working)
    text = said(await world.bert.slash(world.channel, "queue"))
    assert "canary" not in text
    assert "anna" not in text
    assert str(world.anna.id) not in text
    assert "1 being painted, 1 waiting" in text


async def test_one_of_the_own_requests_is_cancelled_from_the_panel(world):
    first = await world.ask(world.anna, "a red apple")
    second = await world.ask(world.anna, "a green frog")
    await until(world.rig.pool.working)
    shown = await world.anna.slash(world.channel, "queue")
    left = await world.anna.select(shown.response, [second], custom_id=control(shown.response, "pm:queue:cancel"))
    assert "frog" not in said(left)
    assert [job.id for job in world.rig.studio.waiting(user(world.anna))] == [first]
    world.rig.pool.finish()
    await until(lambda: not world.rig.studio.waiting(user(world.anna)))
    later = await world.anna.click(left.response, custom_id="pb:queue:look")
    assert "Nothing of yours is waiting" in said(later)


async def test_P1_nobody_cancels_what_is_somebody_elses(world):
    job = await world.ask(world.anna, "a red apple")
    await world.ask(world.bert, "a green frog")
    await until(world.rig.pool.working)
    shown = await world.bert.slash(world.channel, "queue")
    message = world.env.backend.get_message(world.channel.id, shown.response.id)
    menu = next(item for row in message.components for item in row["components"] if item["custom_id"].startswith("pm:"))
    menu["options"][0]["value"] = job
    forged = await world.bert.select(shown.response, [job], custom_id=menu["custom_id"])
    assert "someone else" in said(forged)
    assert [one.id for one in world.rig.studio.waiting(user(world.anna))] == [job]


async def test_a_long_list_is_cut_and_says_so(world):
    for number in range(23):
        await world.ask(world.anna, f"picture {number}")
    shown = await world.anna.slash(world.channel, "queue")
    assert "…and 3 more" in said(shown)
    (menu,) = [item for item in controls(shown.response) if "options" in item]
    assert len(menu["options"]) == 20


async def test_lines_too_long_for_one_message_are_counted_too(world):
    for number in range(21):
        await world.ask(world.anna, "*_" * 100 + str(number))
        await world.rig.studio.place_card(world.rig.studio.waiting(user(world.anna))[-1].id, "1" * 20)
    shown = await world.anna.slash(world.channel, "queue")
    lines = shown.response.embeds[0].description.splitlines()
    assert lines[-1] == f"…and {21 - len(lines) + 1} more"


async def test_help_is_one_page_with_the_limits_of_the_place(world):
    await world.rig.studio.rule(f"discord:{world.guild.id}", user(world.admin), limits={"max_steps": 33})
    shown = await world.anna.slash(world.channel, "help")
    assert shown.ephemeral
    for part in ("/imagine", "/queue", "/history", "/styles", "/settings", "/privacy", "up to 33 steps"):
        assert part in said(shown)
    direct = await world.env.create_user("carl").slash("help")
    assert "up to 100 steps" in said(direct)
