"""/realbot on a loopback Telegram: administrators settle their group, owners of the bot everywhere, nobody else."""

from __future__ import annotations

import pytest
from botapi_world import ADMINISTRATOR, MEMBER
from tg_panels import origin, seen, tap, user

from realbot.errors import Blocked, Invalid
from realbot.jobs import Generate, Origin, Running, StyleUse
from studios import lora, until

COMMANDS = (
    "",
    "limits",
    "limits max_steps",
    "limits max_steps 5",
    "styles",
    "styles deny ink",
    "words",
    "words block gore",
    "pause",
    "resume",
    "clear",
    "stats",
)
ONLY = "Only administrators of this group can do that."


@pytest.fixture
def sections():
    return {"limits": {"max_steps": 60, "per_day": 500}, "moderation": {"blocked": ("gore",)}}


async def settled(world, group=None):
    return await world.studio.place(f"telegram:{(group or world.group).id}")


async def refused(world, chat=None, **fields) -> str:
    """Why a request of Anna's is not taken."""
    request = Generate(prompt=fields.pop("prompt", "a frog"), **{"steps": 4, **fields})
    with pytest.raises((Invalid, Blocked)) as caught:
        await world.studio.submit(user(world.anna), request, origin(chat or world.group))
    return str(caught.value)


# Who may


@pytest.mark.parametrize("command", COMMANDS)
async def test_P5_members_settle_nothing(world, command):
    answer = await world.anna.ask(world.group, f"/realbot {command}")
    assert answer.words == ONLY
    assert not answer.labels
    assert not (await settled(world)).data()


@pytest.mark.parametrize("command", COMMANDS)
async def test_P5_in_private_it_is_for_the_owners_of_the_bot(world, command):
    for person in (world.anna, world.carl):
        answer = await person.ask(person.chat, f"/realbot {command}")
        assert "owners of this bot" in answer.words
        assert not answer.labels
    assert not (await world.studio.place(None)).data()


async def test_P5_an_administrator_settles_the_own_group_and_no_other(world):
    other = world.home.api.supergroup("others", world.bert, world.anna, world.carl)
    await world.bert.ask(other, "/realbot limits max_steps 5")
    await world.bert.ask(other, "/realbot pause")
    assert (await settled(world, other)).limits == {"max_steps": 5}
    assert not (await settled(world)).data()
    assert (await world.carl.ask(other, "/realbot")).words == ONLY
    assert (await world.bert.ask(world.group, "/realbot")).words == ONLY
    await world.ask(world.anna, "a frog", steps=6)
    await until(world.home.easel.working)
    await world.ask(world.anna, "another frog")
    assert "Nothing is waiting" in (await world.bert.ask(other, "/realbot clear")).words
    assert len(world.studio.waiting(user(world.anna))) == 2


async def test_P5_rights_are_asked_for_again_at_each_press(world):
    world.anna.join(world.group, ADMINISTRATOR)
    shown = await world.anna.ask(world.group, "/realbot")
    await tap(world.anna, shown, "Pause")
    assert (await settled(world)).paused
    world.anna.join(world.group, MEMBER)
    world.home.front.rights._known.clear()
    pressed = await tap(world.anna, shown, "Resume")
    assert (pressed.text, pressed.alert) == (ONLY, True)
    assert (await settled(world)).paused


async def test_P5_nobody_presses_the_buttons_of_an_administrator(world):
    await world.ask(world.anna, "a frog")
    await until(world.home.easel.working)
    await world.ask(world.anna, "another frog")
    shown = await world.carl.ask(world.group, "/realbot clear")
    yes = next(button["callback_data"] for button in shown.buttons if "Cancel them" in button["text"])
    other = world.home.api.supergroup("others", world.bert, world.anna)
    theirs = await world.bert.ask(other, "/realbot")
    for person, message in ((world.anna, shown), (world.bert, shown), (world.bert, theirs), (world.root, shown)):
        assert (await person.forge(message, yes)).alert
    assert len(world.studio.waiting(user(world.anna))) == 2
    await world.carl.forge(shown, yes)
    assert len(world.studio.waiting(user(world.anna))) == 1


async def test_P5_an_owner_of_the_bot_settles_any_group(world):
    world.root.join(world.group)
    await world.root.ask(world.group, "/realbot limits max_steps 9")
    assert (await settled(world)).limits == {"max_steps": 9}


# Limits


async def test_all_limits_are_shown_with_what_they_may_be(world):
    shown = await world.carl.ask(world.group, "/realbot limits")
    for part in (
        "max_steps 60 · 1 to 60",
        "per_day 500 · 1 to 500",
        "cooldown 0 · 0 to 86400",
        "4194304 · 256 to 4194304",
        "cache.scope user · user",
        "cache.enabled true · true or false",
    ):
        assert part in shown.words
    assert ("code", "max_steps") in shown.marks
    assert "How much in an hour, a day and a month" in shown.labels
    await tap(world.carl, shown, "One picture")
    assert "max_steps" in shown.labels
    assert "per_day" not in shown.words
    await tap(world.carl, shown, "Back")
    assert "per_day 500" in shown.words


async def test_a_limit_holds_at_once_by_command_and_by_button(world):
    shown = await world.carl.ask(world.group, "/realbot limits max_steps 30")
    assert "max_steps · 30 · ✏️" in shown.words
    assert "It may be 1 to 60." in shown.words
    assert "30" in await refused(world, steps=31)
    pressed = await tap(world.carl, shown, "20")
    assert pressed.text == "max_steps is now 20."
    assert "✓ 20" in shown.labels
    assert "20" in await refused(world, steps=21)
    await tap(world.carl, shown, "As the bot has it")
    assert "max_steps · 60" in shown.words
    assert "✏️" not in shown.words
    await world.ask(world.anna, "a frog", steps=60)
    await tap(world.carl, shown, "Back")
    await tap(world.carl, shown, "Back")
    await tap(world.carl, shown, "Pictures from before")
    await tap(world.carl, shown, "cache.enabled")
    await tap(world.carl, shown, "false")
    assert (await settled(world)).cache == {"enabled": False}
    await world.carl.ask(world.group, "/realbot limits cache.enabled reset")
    assert not (await settled(world)).data()


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("max_steps 61", "60"),
        ("max_steps 0", "from 1"),
        ("max_steps many", "many is not a number"),
        ("cooldown -1", "from 0"),
        ("cache.enabled perhaps", "perhaps"),
        ("cache.scope servr", "server"),
        ("max_stepz 5", "max_steps"),
        ("{0.__class__} 5", "no limit"),
    ],
)
async def test_what_a_limit_cannot_be_is_refused_with_the_range_and_changes_nothing(world, typed, says):
    answer = await world.carl.ask(world.group, f"/realbot limits {typed}")
    assert says in answer.words
    assert not answer.labels
    assert not (await settled(world)).data()


async def test_only_possible_values_are_offered(world):
    shown = await world.carl.ask(world.group, "/realbot limits per_day")
    numbers = [int(label.removeprefix("✓ ")) for label in shown.labels if label.removeprefix("✓ ").isdecimal()]
    assert numbers == [5, 10, 20, 50, 100, 200, 500]
    for number in numbers:
        assert not (
            await world.carl.press(shown, next(x for x in shown.labels if x in (str(number), f"✓ {number}")))
        ).alert


# Styles and words


async def test_styles_are_allowed_and_denied_by_command_and_by_button(world):
    shown = await world.carl.ask(world.group, "/realbot styles")
    assert "All 2 styles may be used here." in shown.words
    await tap(world.carl, shown, "✓ ink")
    assert (await settled(world)).styles == ("glow",)
    assert "Only these styles may be used here: glow." in shown.words
    assert "not allowed here" in await refused(world, styles=(StyleUse("ink"),))
    last = await tap(world.carl, shown, "✓ glow")
    assert "only style left" in last.text
    await tap(world.carl, shown, "ink")
    assert (await settled(world)).styles == ()
    allowed = await world.carl.ask(world.group, "/realbot styles allow Ink")
    assert "Only these styles may be used here: ink." in allowed.words
    await tap(world.carl, allowed, "Allow every style")
    assert (await settled(world)).styles == ()
    assert "did you mean ink?" in (await world.carl.ask(world.group, "/realbot styles deny inc")).words
    assert "Say which style" in (await world.carl.ask(world.group, "/realbot styles allow")).words


async def test_every_style_is_reached(world, tmp_path):
    for number in range(50):
        lora(tmp_path / "styles" / f"style-{number:02}.safetensors", fill=number + 3)
    world.home.bench.styles.sweep()
    shown = await world.carl.ask(world.group, "/realbot styles")
    found = set()
    for _ in range(3):
        found |= {label for label in shown.labels if label.startswith("✓")}
        await tap(world.carl, shown, "›")
    assert len(found) == 52


async def test_words_are_blocked_and_allowed_again(world):
    shown = await world.carl.ask(world.group, "/realbot words")
    assert "1 more is blocked by whoever runs this bot." in shown.words
    shown = await world.carl.ask(world.group, "/realbot words block canary, Dark  red")
    assert ("spoiler", "canary, Dark red") in shown.marks
    assert "gore" not in shown.words.splitlines()[1]
    assert "canary" in await refused(world, prompt="a C4nary")
    assert "dark red" in (await refused(world, prompt="a dark red frog")).casefold()
    await world.ask(world.anna, "a canary", world.anna.chat)
    await world.carl.ask(world.group, "/realbot words block CANARY")
    assert (await settled(world)).moderation["blocked"] == ["canary", "Dark red"]
    await world.carl.ask(world.group, "/realbot words allow dark red")
    assert (await settled(world)).moderation["blocked"] == ["canary"]
    for said in ("strip 8k, uhd", "together cat, dog + hat", "pattern x{3,}y", "adult nude", "avoid text,  blur"):
        shown = await world.carl.ask(world.group, f"/realbot words {said}")
    assert "Not together: cat, dog + hat" in shown.words and "What every picture avoids: text, blur" in shown.words
    assert "not allowed together" in await refused(world, prompt="a dog in a hat")
    assert "xxxy" in await refused(world, prompt="xxxy")
    assert (await settled(world)).moderation["stripped"] == ["8k", "uhd"]
    assert "cannot be used" in (await world.carl.ask(world.group, "/realbot words pattern (a")).words
    assert "two lists" in (await world.carl.ask(world.group, "/realbot words together cat")).words
    for said in ("x{3,}y", "cat, dog + hat", "8k, nude"):
        await world.carl.ask(world.group, f"/realbot words allow {said}")
    assert (await settled(world)).moderation == {
        "blocked": ["canary"],
        "stripped": ["uhd"],
        "negative": "text, blur",
    }
    assert "not among the words" in (await world.carl.ask(world.group, "/realbot words allow gore")).words
    assert "Say which words" in (await world.carl.ask(world.group, "/realbot words block ,")).words
    shown = await world.carl.ask(world.group, "/realbot words")
    await tap(world.carl, shown, "Allow all of them")
    assert not (await settled(world)).data()
    assert "gore" in await refused(world, prompt="gore")


# The line


async def test_a_group_is_paused_and_resumed(world):
    shown = await world.carl.ask(world.group, "/realbot")
    assert "State: open" in shown.words
    pressed = await tap(world.carl, shown, "Pause")
    assert "Waiting now: 0" in pressed.text
    assert "State: paused" in shown.words
    await world.ask(world.anna, "a frog")
    await world.ask(world.anna, "a canary", world.anna.chat)
    await until(world.home.easel.working)
    running = [job for job in world.studio.waiting(user(world.anna)) if isinstance(job.status, Running)]
    assert [job.origin.place for job in running] == [str(world.anna.chat.id)]
    await tap(world.carl, shown, "Resume")
    assert "State: open" in shown.words
    await world.carl.ask(world.group, "/realbot pause")
    assert (await settled(world)).paused
    await world.carl.ask(world.group, "/realbot resume")
    assert not (await settled(world)).data()


async def test_clearing_asks_first_and_cancels_what_waits_in_this_group(world):
    await world.ask(world.anna, "a canary", world.anna.chat)
    await until(world.home.easel.working)
    for person in (world.anna, world.bert):
        await world.ask(person, "a frog")
    shown = await world.carl.ask(world.group, "/realbot clear")
    assert "Not finished yet: 2" in shown.words
    assert (await tap(world.carl, shown, "Let them wait")).text == "Nothing was cancelled."
    await tap(world.carl, shown, "Cancel what waits")
    pressed = await tap(world.carl, shown, "Cancel them")
    assert pressed.text == "Cancelled: 2 requests."
    assert len(world.studio.waiting(user(world.anna))) == 1
    assert not world.studio.waiting(user(world.bert))


async def test_P11_the_numbers_name_nobody_and_no_prompt(world):
    await world.paint(world.anna, "a secret canary", styles=(StyleUse("ink"),))
    await world.paint(world.bert, "another canary")
    shown = await world.carl.ask(world.group, "/realbot stats")
    assert "Pictures in 24 hours: 2" in shown.words
    assert "People in 30 days: 2" in shown.words
    assert "Most used styles: ink (1)" in shown.words
    assert "Health: all is well" in shown.words
    for secret in ("canary", str(world.anna.id), "Anna"):
        assert secret not in seen(shown)
    await world.paint(world.bert, "one more")
    await tap(world.carl, shown, "Count again")
    assert "Pictures in 24 hours: 3" in shown.words


# Everywhere


async def test_P5_owners_settle_everywhere_and_no_group_is_looser(world):
    shown = await world.root.ask(world.root.chat, "/realbot")
    assert "Everywhere" in shown.words
    limits = await world.root.ask(world.root.chat, "/realbot limits max_steps 30")
    assert "It may be 1 to 60." in limits.words
    for chat in (world.group, world.anna.chat):
        assert "30" in await refused(world, chat, steps=31)
    assert "30" in (await world.carl.ask(world.group, "/realbot limits max_steps 31")).words
    assert "It may be 1 to 30." in (await world.carl.ask(world.group, "/realbot limits max_steps 20")).words
    await world.root.ask(world.root.chat, "/realbot styles deny ink")
    assert "Only these styles" not in (await world.carl.ask(world.group, "/realbot styles")).words
    assert "✓ ink" not in world.group.last.labels
    await world.root.ask(world.root.chat, "/realbot words block canary")
    assert "canary" in await refused(world, prompt="a canary")
    assert "2 more are blocked" in (await world.carl.ask(world.group, "/realbot words")).words
    assert (await world.studio.place(None)).data() == {
        "limits": {"max_steps": 30},
        "moderation": {"blocked": ["canary"]},
        "styles": ("glow",),
    }


async def test_owners_pause_resume_and_clear_everywhere(world):
    await world.root.ask(world.root.chat, "/realbot pause")
    await world.ask(world.anna, "a frog")
    await world.ask(world.bert, "a cat", world.bert.chat)
    await world.studio.submit(user(world.anna), Generate(prompt="x", steps=4), Origin("telegram", "5"))
    shown = await world.carl.ask(world.group, "/realbot")
    assert "State: paused" in shown.words
    assert "Paused everywhere by an owner" in shown.words
    stats = await world.root.ask(world.root.chat, "/realbot stats")
    assert "Waiting: 3" in stats.words
    asked = await world.root.ask(world.root.chat, "/realbot clear")
    assert "of everyone and everywhere" in asked.words
    assert (await tap(world.root, asked, "Cancel them")).text == "Cancelled: 3 requests."
    await world.root.ask(world.root.chat, "/realbot resume")
    assert not (await world.studio.stats(None)).paused


@pytest.mark.parametrize("typed", ["everything", "styles paint ink", "words gore", "limit"])
async def test_something_else_after_the_command_says_what_there_is(world, typed):
    answer = await world.carl.ask(world.group, f"/realbot {typed}")
    assert ("limits max_steps 20" in answer.words) != (typed == "limit")
