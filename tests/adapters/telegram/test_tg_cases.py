"""Withheld and veiled pictures on Telegram: the card, the question to moderators, and what they decide."""

from __future__ import annotations

import io

import pytest
from botapi_faults import Error
from botapi_world import ADMINISTRATOR
from PIL import Image
from tg_fronts import house, shows
from tg_scenes import asks, calm, finishes, painted, shown, soon, user

from judges import Judge

ON = {"sections": {"safety": {"checker": "judge"}}}


def plain(message) -> bool:
    """Whether a message shows nothing but grey."""
    picture = Image.open(io.BytesIO(message.picture)).convert("RGB")
    return len(set(picture.resize((8, 8)).get_flattened_data())) == 1


async def privately(person, answer):
    """What the way from a group leads to in the private chat."""
    (found,) = [button["url"] for button in answer.buttons if "start=" in button.get("url", "")]
    return await person.ask(person.chat, f"/start {found.partition('start=')[2]}")


async def withheld(home, who, chat=None, text="a red fox steps:4"):
    card = await asks(home, who, text, chat)
    await finishes(home)
    await shows(card, "withheld")
    assert card.picture is None
    return card


@pytest.mark.parametrize(("score", "group", "spoiler"), [
    (0.1, True, False), (0.6, True, True), (0.6, False, False), (0.95, False, True),
])  # fmt: skip
async def test_a_suspect_picture_is_behind_a_spoiler_as_its_chat_is(score, group, spoiler, api, anna, tmp_path):
    async with house(tmp_path, api, hand=True, classifier=Judge(score), **ON) as home:
        chat = api.supergroup("Friends", anna) if group else anna.chat
        card = await painted(home, anna, "/imagine a red fox steps:4" if group else "a red fox steps:4", chat)
        assert card.picture is not None
        assert card.spoiler == spoiler


async def test_an_album_is_behind_a_spoiler_too(api, anna, tmp_path):
    async with house(tmp_path, api, hand=True, classifier=Judge(0.6), **ON) as home:
        chat = api.supergroup("Friends", anna)
        await asks(home, anna, "/imagine a red fox steps:4 count:2", chat)
        await finishes(home)
        pictures = [message for message in chat.told if message.picture is not None]
        assert [message.spoiler for message in pictures] == [True, True]


async def test_a_withheld_picture_can_be_appealed_and_released_and_kept_back_again(api, anna, bert, tmp_path):
    boss = api.person("boss")
    async with house(tmp_path, api, hand=True, classifier=Judge(0.95), **ON) as home:
        chat, office = api.supergroup("Friends", anna, bert), api.supergroup("Moderators")
        for place in (chat, office):
            boss.join(place, ADMINISTRATOR)
        bert.join(office)
        screen = await boss.ask(office, "/realbot moderators")
        assert ("code", str(office.id)) in screen.marks
        told = await bert.ask(chat, f"/realbot moderators allow {office.id}")
        assert "administrators" in told.words
        told = await boss.ask(chat, f"/realbot moderators allow {office.id}")
        assert "From now on moderators are asked there" in told.words
        assert "Moderators" not in told.words
        rules = await home.studio.place(f"telegram:{chat.id}")
        assert rules.moderators == (str(office.id),)
        card = await withheld(home, anna, chat, "/imagine a red fox steps:4")
        refused = await bert.press(card, "Ask a moderator")
        assert refused.alert
        assert not [message for message in office.told if message.picture]
        await anna.press(card, "Ask a moderator")
        await soon(lambda: [m for m in office.told if m.picture], "nobody is asked")
        (question,) = [message for message in office.told if message.picture]
        assert question.spoiler
        assert "95%" in question.words
        assert "Friends" in question.words
        assert "fox" not in question.words
        assert "for Anna" in question.words
        assert ("code", str(anna.id)) in question.marks, "nobody can be banned by that number"
        await shows(card, "asked to have a look")
        assert "Ask a moderator" not in card.labels
        refused = await bert.press(question, "Release")
        assert refused.alert
        assert "Moderators" in refused.text
        await calm(0.1)
        assert card.picture is None
        await boss.press(question, "Release")
        await soon(lambda: card.picture is not None, "it is not shown")
        assert card.spoiler
        await shows(question, "Released by Boss")
        assert question.labels == ["Keep back"]
        await boss.press(question, "Keep back")
        await shows(card, "stays withheld")
        assert plain(card), "the picture is gone"
        assert not shown(chat, "fox")
        assert question.labels == ["Release"]
        await boss.press(question, "Release")
        await soon(lambda: shown(chat, "fox"), "it is not shown again")
        await home.studio.erase(user(anna))
        await soon(lambda: not [m for m in office.told if m.picture], "moderators see it after it was deleted")


async def test_an_album_disappears_when_it_is_kept_back(api, anna, tmp_path):
    boss = api.person("boss")
    async with house(tmp_path, api, hand=True, classifier=Judge(0.95), telegram={"owners": (boss.id,)}, **ON) as home:
        chat = api.supergroup("Friends", anna)
        card = await withheld(home, anna, chat, "/imagine a red fox steps:4 count:2")
        await anna.press(card, "Ask a moderator")
        await soon(lambda: [m for m in boss.chat.told if m.labels], "the owner is not asked")
        (question,) = [message for message in boss.chat.told if message.labels]
        await boss.press(question, "Release")
        await soon(lambda: len([m for m in chat.told if m.picture]) == 2, "no album")
        await boss.press(question, "Keep back")
        await soon(lambda: not [m for m in chat.told if m.picture], "the album stays")
        await soon(lambda: any("stays withheld" in message.words for message in chat.told), "it is not told")
        assert len([m for m in boss.chat.told if m.picture]) == 2
        await home.studio.erase(user(anna))
        await soon(lambda: not [m for m in boss.chat.told if m.picture], "moderators see it after it was deleted")
        assert not [m for m in boss.chat.told if m.labels]


async def test_an_album_whose_question_is_not_taken_does_not_stay(api, anna, tmp_path):
    boss = api.person("boss")
    async with house(tmp_path, api, hand=True, classifier=Judge(0.95), telegram={"owners": (boss.id,)}, **ON) as home:
        chat, office = api.supergroup("Friends", anna, boss), api.supergroup("Moderators")
        for place in (chat, office):
            boss.join(place, ADMINISTRATOR)
        await boss.ask(chat, f"/realbot moderators allow {office.id}")
        card = await withheld(home, anna, chat, "/imagine a red fox steps:4 count:2")
        before = len(office.told)
        api.fault("sendMessage", Error(403, "Forbidden: bot was kicked from the supergroup chat"), times=1)
        await anna.press(card, "Ask a moderator")
        await soon(lambda: [m for m in boss.chat.told if m.labels], "the owner is not asked")
        assert len([m for m in boss.chat.told if m.picture]) == 2
        assert len(office.told) == before, "an album stays without its question"


async def test_P5_where_moderators_are_asked_is_shown_in_private_to_administrators_only(api, anna, bert, tmp_path):
    async with house(tmp_path, api, hand=True, **ON) as home:
        chat, office = api.supergroup("Friends", anna, bert), api.supergroup("canary")
        for place in (chat, office):
            anna.join(place, ADMINISTRATOR)
        await anna.ask(chat, f"/realbot moderators allow {office.id}")
        start = f"/start moderators_{chat.id}"
        assert "canary" not in (await bert.ask(bert.chat, start)).words
        shown = await anna.ask(anna.chat, start)
        assert shown.words.startswith("Friends")
        assert "canary" in shown.words
        await anna.press(shown, "✖ canary")
        assert not (await home.studio.place(f"telegram:{chat.id}")).moderators
        assert "Nobody is named here" in shown.words


async def test_what_people_call_themselves_and_their_groups_is_no_link_for_moderators(api, anna, tmp_path):
    boss = api.person("@canary")
    async with house(tmp_path, api, hand=True, classifier=Judge(0.95), telegram={"owners": (boss.id,)}, **ON) as home:
        chat = api.supergroup("t.me/canary", anna, boss)
        screen = await privately(boss, await boss.ask(chat, "/realbot moderators allow here"))
        assert ("code", "t.me/canary") in [(look, text.rstrip(".")) for look, text in screen.marks]
        await boss.ask(chat, f"/realbot moderators deny {chat.id}")
        card = await withheld(home, anna, chat, "/imagine a red fox steps:4")
        await anna.press(card, "Ask a moderator")
        await soon(lambda: [m for m in boss.chat.told if "Release" in m.labels], "the owner is not asked")
        (question,) = [message for message in boss.chat.told if "Release" in message.labels]
        assert ("code", "t.me/canary") in question.marks
        await boss.press(question, "Release")
        await shows(question, "Released by")
        assert any(look == "code" and text.casefold().startswith("@canary") for look, text in question.marks)


async def test_T13_a_group_of_moderators_that_became_a_supergroup_is_asked_there(api, anna, tmp_path):
    boss = api.person("boss")
    async with house(tmp_path, api, hand=True, classifier=Judge(0.95), **ON) as home:
        chat, office = api.supergroup("Friends", anna), api.group("Moderators", boss)
        boss.join(chat, ADMINISTRATOR)
        await boss.ask(chat, f"/realbot moderators allow {office.id}")
        new = api.migrate(office)
        await soon(lambda: home.front.moves._known.get(str(office.id)), "the move is not noted")
        shown = await boss.ask(chat, "/realbot moderators")
        assert "Moderators" not in shown.words, "what another chat is called is read by everybody"
        own = await privately(boss, shown)
        assert "Moderators" in own.words.partition("pictures in")[2]
        assert any("Moderators" in label for label in own.labels)
        card = await withheld(home, anna, chat, "/imagine a red fox steps:4")
        await anna.press(card, "Ask a moderator")
        await soon(lambda: [m for m in new.told if m.labels], "nobody is asked")


async def test_a_restart_between_the_appeal_and_the_decision(api, anna, tmp_path):
    boss = api.person("boss")
    about = {"classifier": Judge(0.95), "telegram": {"owners": (boss.id,)}, **ON}
    async with house(tmp_path, api, hand=True, **about) as home:
        chat = api.supergroup("Friends", anna)
        card = await withheld(home, anna, chat, "/imagine a red fox steps:4")
        api.fault("sendPhoto", Error(400, "Bad Request: chat not found"), times=1)
        await anna.press(card, "Ask a moderator")
        await shows(card, "asked to have a look")
    async with house(tmp_path, api, hand=True, **about) as home:
        await soon(lambda: [m for m in boss.chat.told if m.labels], "the owner is not asked after the restart")
        (question,) = [message for message in boss.chat.told if message.labels]
        (job,) = await home.studio.safety.pending("telegram")
        await home.studio.safety._cases.decide(job.id, "released", "telegram:1")
    async with house(tmp_path, api, hand=True, **about):
        await soon(lambda: shown(chat, "fox"), "what was decided is not shown after a kill")
        await boss.press(question, "Keep back")
        await soon(lambda: not shown(chat, "fox"), "it is still shown")


async def test_X15_what_cannot_be_checked_comes_when_it_can(api, anna, tmp_path):
    judge = Judge(0.1)
    async with house(tmp_path, api, hand=True, classifier=judge, **ON) as home:
        chat = api.supergroup("Friends", anna)
        home.studio.safety._first = 0.2
        judge.away = True
        card = await asks(home, anna, "/imagine a red fox steps:4", chat)
        await finishes(home)
        await shows(card, "cannot be checked")
        assert card.picture is None
        assert "cannot be checked" in home.front.health
        judge.away = False
        await soon(lambda: shown(chat, "fox"), "it never comes")
        assert not card.spoiler


async def test_what_is_veiled_is_no_inline_answer_and_no_file_in_a_group(api, anna, tmp_path):
    async with house(tmp_path, api, hand=True, classifier=Judge(0.6), **ON) as home:
        chat = api.supergroup("Friends", anna)
        card = await painted(home, anna, "/imagine a red fox steps:4", chat)
        assert not (await anna.search("fox")).results
        pressed = await anna.press(card, "Original")
        assert pressed.alert
        assert "private chat" in pressed.text
        own = await painted(home, anna, "a blue fox steps:4")
        await anna.press(own, "Original")
        assert [message for message in anna.chat.told if message.media is not None]


async def test_the_history_says_that_a_picture_is_withheld(api, anna, tmp_path):
    async with house(tmp_path, api, hand=True, classifier=Judge(0.95), **ON) as home:
        chat = api.supergroup("Friends", anna)
        await withheld(home, anna, chat, "/imagine a red fox steps:4")
        told = await anna.ask(anna.chat, "/history")
        await shows(told, "withheld")
        assert not told.picture
