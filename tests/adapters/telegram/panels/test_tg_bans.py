"""/realbot ban, unban, bans and audit on a loopback Telegram: administrators for their group, owners everywhere."""

from __future__ import annotations

import pytest
from botapi_world import ADMINISTRATOR, MEMBER
from tg_panels import addresses, origin, seen, tap, user

from realbot.errors import Blocked
from realbot.jobs import Cancelled, Generate
from studios import until

COMMANDS = ("ban", "ban 3 days frogs", "unban", "bans", "audit")
ONLY = "Only administrators of this group can do that."


def banned(world, chat=None):
    return [ban.subject for ban in world.studio.gate.bans(f"telegram:{(chat or world.group).id}")]


async def refused(world, person, chat=None) -> str:
    """Why a request of this person is not taken."""
    with pytest.raises(Blocked) as caught:
        await world.studio.submit(user(person), Generate(prompt="a frog", steps=4), origin(chat or world.group))
    return str(caught.value)


async def privately(world, person, answer):
    """What the way from the group leads to in the private chat."""
    (found,) = [one for one in addresses(answer) if "start=" in one]
    return await person.ask(person.chat, f"/start {found.partition('start=')[2]}")


# Who may


@pytest.mark.parametrize("command", COMMANDS)
async def test_P5_members_ban_nobody_and_read_nothing(world, command):
    said = world.bert.write(world.group, "hello")
    answer = await world.anna.ask(world.group, f"/realbot {command}", reply_to=said)
    assert answer.words == ONLY
    assert not answer.buttons
    assert banned(world) == []


@pytest.mark.parametrize("command", [*COMMANDS, "ban 123456 1h"])
async def test_P5_in_private_it_is_for_the_owners_of_the_bot(world, command):
    for person in (world.anna, world.carl):
        answer = await person.ask(person.chat, f"/realbot {command}")
        assert "owners of this bot" in answer.words
    assert world.studio.gate.bans(None) == []


@pytest.mark.parametrize("word", ["bans", "audit"])
async def test_P5_the_way_into_the_private_chat_opens_for_administrators_of_that_group_only(world, word):
    await world.carl.ask(world.group, f"/realbot ban {world.anna.id} 1h canary")
    other = world.home.api.supergroup("others", world.bert)
    for person in (world.anna, world.bert):
        answer = await person.ask(person.chat, f"/start {word}_{world.group.id}")
        assert answer.words == ONLY
    own = await world.bert.ask(world.bert.chat, f"/start {word}_{other.id}")
    assert "canary" not in own.words
    shown = await world.carl.ask(world.carl.chat, f"/start {word}_{world.group.id}")
    assert "canary" in shown.words


async def test_P5_rights_are_asked_for_again_at_each_press_and_buttons_are_nobody_elses(world):
    world.anna.join(world.group, ADMINISTRATOR)
    await world.anna.ask(world.group, f"/realbot ban {world.bert.id} 1 day")
    shown = await privately(world, world.anna, await world.anna.ask(world.group, "/realbot bans"))
    lift = next(button["callback_data"] for button in shown.buttons if "✖" in button["text"])
    theirs = await world.bert.ask(world.bert.chat, "/help")
    assert (await world.bert.forge(theirs, lift)).alert
    world.anna.join(world.group, MEMBER)
    world.home.front.rights._known.clear()
    pressed = await tap(world.anna, shown, "✖ Bert")
    assert (pressed.text, pressed.alert) == (ONLY, True)
    assert banned(world) == [f"telegram:{world.bert.id}"]


async def test_P5_nobody_bans_an_owner_or_themselves(world):
    world.root.join(world.group)
    said = world.root.write(world.group, "hello")
    answer = await world.carl.ask(world.group, "/realbot ban 1 day", reply_to=said)
    assert answer.words == "An owner of this bot cannot be banned."
    answer = await world.carl.ask(world.group, f"/realbot ban {world.carl.id} 1 day")
    assert answer.words == "You cannot ban yourself."
    assert banned(world) == []


# Bans


async def test_an_answer_to_a_message_bans_whoever_wrote_it(world):
    said = world.anna.write(world.group, "hello")
    answer = await world.carl.ask(world.group, "/realbot ban 3 days too many @frogs", reply_to=said)
    assert answer.words.startswith("Anna is banned here until 20")
    assert "too many @frogs" in answer.words
    assert ("code", "@frogs") in answer.marks
    told = await refused(world, world.anna)
    assert told.startswith("You are banned here until")
    assert "(too many @frogs); ask the administrators here" in told
    await world.ask(world.anna, "a frog", world.anna.chat)
    await tap(world.carl, answer, "Lift the ban")
    assert answer.words == "Anna is not banned here any more."
    await world.ask(world.anna, "a frog")


async def test_a_ban_without_a_time_asks_for_how_long(world):
    said = world.anna.write(world.group, "hello")
    answer = await world.carl.ask(world.group, "/realbot ban", reply_to=said)
    assert answer.words == "For how long is Anna banned here?"
    assert answer.labels == ["1 hour", "1 day", "1 week", "30 days", "for good"]
    assert banned(world) == []
    await tap(world.carl, answer, "for good")
    assert answer.words == "Anna is banned here for good."
    assert banned(world) == [f"telegram:{world.anna.id}"]


async def test_an_answer_to_a_picture_bans_whoever_asked_for_it(world):
    await world.anna.ask(world.group, "/imagine a frog steps:4")
    await until(world.home.easel.working)
    world.home.easel.finish()
    await until(lambda: any(one.picture for one in world.group.told))
    (card,) = [one for one in world.group.told if one.picture]
    await world.carl.ask(world.group, "/realbot ban 1h", reply_to=card)
    assert banned(world) == [f"telegram:{world.anna.id}"]


async def test_people_are_named_by_number_or_by_the_name_they_asked_under(world):
    await world.ask(world.anna, "a frog")
    await world.carl.ask(world.group, "/realbot ban @Anna 2h")
    assert banned(world) == [f"telegram:{world.anna.id}"]
    answer = await world.carl.ask(world.group, "/realbot ban @nobody 2h")
    assert "Nobody called nobody asked for a picture here." in answer.words
    await world.carl.ask(world.group, f"/realbot ban {world.bert.id} 2h spam")
    assert len(banned(world)) == 2
    await world.carl.ask(world.group, f"/realbot unban {world.bert.id}")
    await world.carl.ask(world.group, "/realbot unban @Anna")
    assert banned(world) == []
    assert "no such ban" in (await world.carl.ask(world.group, f"/realbot unban {world.bert.id}")).words


async def test_of_several_people_of_one_name_nobody_is_banned(world):
    other = world.home.api.person("Anna Bella")
    other.join(world.group)
    twin = world.home.api.person("Bella")
    twin.join(world.group)
    for person in (world.anna, other, twin):
        await world.ask(person, "a frog")
    await world.carl.ask(world.group, "/realbot ban @Anna 2h")
    assert banned(world) == [f"telegram:{world.anna.id}"], "the whole name is nobody else's"
    another = world.home.api.person("Anna")
    another.join(world.group)
    await world.ask(another, "a newt")
    answer = await world.carl.ask(world.group, "/realbot ban @Anna 2h")
    assert answer.words.startswith("Several people called Anna asked here.")
    assert len(banned(world)) == 1


async def test_who_banned_somebody_is_no_mention(world):
    boss = world.home.api.person("@canary")
    boss.join(world.group, ADMINISTRATOR)
    await boss.ask(world.group, f"/realbot ban {world.anna.id} 1 day")
    shown = await privately(world, boss, await boss.ask(world.group, "/realbot bans"))
    assert "by @Canary, just now" in shown.words
    assert ("code", "@Canary") in shown.marks


async def test_in_a_topic_a_command_that_answers_nothing_bans_nobody(world):
    topics = world.home.api.forum("topics", world.anna, world.carl)
    world.carl.join(topics, ADMINISTRATOR)
    answer = await world.carl.ask(topics, "/realbot ban 1h", topic=world.home.api.topic(topics, "pictures"))
    assert banned(world, topics) == []
    assert "administrators" in answer.words


async def test_what_waits_is_cancelled_and_the_card_says_so(world):
    await world.anna.ask(world.group, "/imagine a frog steps:4")
    await until(world.home.easel.working)
    waiting = await world.ask(world.anna, "another frog")
    own = await world.ask(world.bert, "a cat")
    answer = await world.carl.ask(world.group, f"/realbot ban {world.anna.id} 1 day")
    assert "2 requests of theirs were cancelled." in answer.words
    await until(lambda: any("may not ask here any more" in one.words for one in world.group.told))
    (card,) = [one for one in world.group.told if "may not ask here any more" in one.words]
    assert "Cancelled. Whoever asked for this may not ask here any more." in card.words
    assert isinstance(world.studio.job(user(world.anna), waiting).status, Cancelled)
    assert not isinstance(world.studio.job(user(world.bert), own).status, Cancelled)
    refusal = await world.anna.ask(world.group, "/imagine a third frog")
    assert "You are banned here until" in refusal.words


async def test_the_list_is_shown_in_private_has_pages_and_lifts_bans(world):
    people = [world.home.api.person(f"p{n}") for n in range(8)]
    for person in people:
        person.join(world.group)
        await world.carl.ask(world.group, f"/realbot ban {person.id} 1 day reason {person.account.name}")
    answer = await world.carl.ask(world.group, "/realbot bans")
    assert "reason" not in seen(answer)
    shown = await privately(world, world.carl, answer)
    assert "Banned here · 8" in shown.words
    assert "reason p7" in shown.words
    assert "by Carl" in shown.words
    assert "reason p0" not in shown.words
    await tap(world.carl, shown, "›")
    assert "reason p0" in shown.words
    await tap(world.carl, shown, "✖ P0")
    assert "P0 is not banned here any more." in shown.words
    assert "Banned here · 7" in shown.words
    assert len(banned(world)) == 7


async def test_a_banned_person_is_told_before_anything_is_begun(world):
    await world.carl.ask(world.group, f"/realbot ban {world.anna.id} 1 day")
    world.anna.join(world.group, ADMINISTRATOR)
    for command in ("/imagine a frog", "/train dots dotty"):
        answer = await world.anna.ask(world.group, command)
        assert answer.words.startswith("You are banned here until"), answer.words
    assert not world.home.easel.works


class TestLists:
    @pytest.fixture
    def sections(self):
        return {"access": {"denied": ("telegram:role:administrators",)}}

    async def test_roles_and_owners_are_found_out_where_a_list_names_some(self, world):
        assert "You may not ask this bot" in (await world.carl.ask(world.group, "/imagine a frog")).words
        assert "You may not ask this bot" not in (await world.anna.ask(world.group, "/imagine a frog")).words
        world.root.join(world.group, ADMINISTRATOR)
        assert "You may not ask this bot" not in (await world.root.ask(world.group, "/imagine a cat")).words


async def test_somebody_is_chosen_among_those_who_asked_lately(world):
    for person in (world.anna, world.bert, world.carl):
        await world.ask(person, "a frog")
    shown = await privately(world, world.carl, await world.carl.ask(world.group, "/realbot ban"))
    await tap(world.carl, shown, "Ban somebody")
    assert "Anna" in shown.labels
    assert "Carl" not in shown.labels
    await tap(world.carl, shown, "Anna")
    assert shown.words == "painters\nFor how long is Anna banned here?"
    await tap(world.carl, shown, "1 week")
    assert banned(world) == [f"telegram:{world.anna.id}"]
    await tap(world.carl, shown, "All bans")
    assert "Banned here · 1" in shown.words
    await tap(world.carl, shown, "Ban somebody")
    assert "Anna" not in shown.labels


async def test_owners_ban_everywhere(world):
    await world.root.ask(world.root.chat, f"/realbot ban {world.anna.id} 1 day canary")
    for chat in (world.group, world.anna.chat):
        assert "banned from this bot until" in await refused(world, world.anna, chat)
    shown = await world.root.ask(world.root.chat, "/realbot bans")
    assert "Banned everywhere · 1" in shown.words
    assert "canary" in shown.words
    await tap(world.root, shown, "✖ Anna")
    assert "not banned everywhere any more" in shown.words
    await world.ask(world.anna, "a frog")


async def test_P15_deleting_everything_lifts_no_ban_and_the_list_names_nobody(world):
    await world.carl.ask(world.group, f"/realbot ban {world.anna.id} 1 day")
    await world.studio.erase(user(world.anna))
    await refused(world, world.anna)
    shown = await privately(world, world.carl, await world.carl.ask(world.group, "/realbot bans"))
    assert "somebody who had everything deleted" in shown.words
    assert "Anna" not in seen(shown)
    await tap(world.carl, shown, "✖ somebody")
    await world.ask(world.anna, "a frog")


async def test_P21_a_group_that_realbot_is_taken_out_of_keeps_no_bans(world):
    await world.carl.ask(world.group, f"/realbot ban {world.anna.id} 1 day")
    await world.studio.left(f"telegram:{world.group.id}")
    assert banned(world) == []


# The audit log


async def test_the_audit_log_is_read_as_sentences_in_private(world):
    for command in ("limits max_steps 20", "limits max_steps reset", "words block gore, canary", "styles deny ink",
                    "pause", "resume", f"ban {world.anna.id} 1 day frogs", f"unban {world.anna.id}"):  # fmt: skip
        await world.carl.ask(world.group, f"/realbot {command}")
    answer = await world.carl.ask(world.group, "/realbot audit")
    assert "max_steps" not in seen(answer)
    shown = await privately(world, world.carl, answer)
    assert shown.words.startswith("painters\nWhat was changed here\n")
    lines = [line.rpartition(" · ")[0] for line in shown.words.splitlines()[2:]]
    assert lines[0] == "• Carl lifted the ban of Anna"
    assert lines[1].startswith("• Carl banned Anna until 20")
    assert lines[1].endswith("UTC: frogs")
    assert lines[2:] == [
        "• Carl let the painting go on",
        "• Carl paused the painting",
        "• Carl allowed these styles only: glow",
        "• Carl set moderation.blocked to 2 entries",
        "• Carl took max_steps back to what it is for everybody",
        "• Carl set max_steps to 20",
    ]
    assert "canary" not in shown.words
    assert "just now" in shown.words


async def test_the_audit_log_names_the_chats_in_which_moderators_are_asked(world):
    office = world.home.api.supergroup("office", world.carl)
    world.carl.join(office, ADMINISTRATOR)
    await world.carl.ask(world.group, f"/realbot moderators allow {office.id}")
    shown = await privately(world, world.carl, await world.carl.ask(world.group, "/realbot audit"))
    assert "Carl has moderators asked in office" in shown.words
    assert str(office.id) not in shown.words


async def test_the_audit_log_has_pages_and_owners_read_that_of_every_group(world):
    for steps in range(1, 13):
        await world.carl.ask(world.group, f"/realbot limits max_steps {steps}")
    await world.root.ask(world.root.chat, "/realbot pause")
    shown = await world.root.ask(world.root.chat, "/realbot")
    await tap(world.root, shown, "Audit log")
    lines = shown.words.splitlines()
    assert lines[1:5] == ["everywhere", "• Root paused the painting · just now", "in painters", lines[4]]
    assert "in painters" not in lines[5:]
    await tap(world.root, shown, "Older")
    assert "set max_steps to 1 " in shown.words
    await tap(world.root, shown, "Latest")
    assert "paused" in shown.words


async def test_a_page_of_the_audit_log_ends_where_the_room_does_and_nothing_is_left_out(world):
    lists = {name: ["canary"] for name in ("blocked", "adult_words", "stripped", "patterns")}
    for _ in range(12):
        await world.studio.rule(f"telegram:{world.group.id}", user(world.carl), moderation=lists)
    shown = await privately(world, world.carl, await world.carl.ask(world.group, "/realbot audit"))
    count = shown.words.count("moderation.blocked")
    assert 1 < count < 10
    while any("Older" in label for label in shown.labels):
        await tap(world.carl, shown, "Older")
        assert len(shown.marks) <= 100
        count += shown.words.count("moderation.blocked")
    assert count == 12
