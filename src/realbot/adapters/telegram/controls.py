"""The buttons of a card, as data: what can be done with a job, and by whom."""

from __future__ import annotations

from realbot.adapters import buttons, captions, words
from realbot.adapters.telegram import phrases, tweaks
from realbot.adapters.telegram.keyboard import COPY, SWITCH, Key
from realbot.jobs import Done, Generate, Request, Status, Upscale, is_final

#: Pictures whose buttons stand in one row.
EACH = 5
#: What one picture can be made into.
CHANGES = ("subtle", "strong", "upscale2", "upscale4")


def controls(
    job_id: str, request: Request, status: Status, *, favourite: bool = False, inline: bool = False
) -> list[list[Key]]:
    """What a card offers, row by row. `inline`: the bot has inline mode, so that words can be put into the field."""
    if not is_final(status):
        return [[Key(captions.button("cancel"), "cancel", job_id)]]
    if not isinstance(status, Done):
        again = Key(captions.button("retry"), "again", job_id, style="primary")
        return [[again], _edit(request, inline=inline, label=f"✏️ {phrases.edit()}")]
    keep = [starred(job_id, favourite=favourite), Key("🗑", "delete", job_id, style="danger")]
    recipe = Key(captions.button("recipe"), "recipe", job_id, open=True)
    if isinstance(request, Upscale):
        return [[recipe, _original(job_id)], keep]
    again = Key(captions.button("fresh" if status.cached else "again"), "again", job_id, style="primary")
    change = tweaks.opened(phrases.change(), job_id)
    if len(status.images) > 1:
        numbers = [Key(f"🖼 {n + 1}", "picture", job_id, n) for n in range(len(status.images))]
        rows = [numbers[first : first + EACH] for first in range(0, len(numbers), EACH)]
        return [*rows, [again, change], [recipe, *_edit(request, inline=inline), *keep]]
    return [[again, change], *one(job_id, 0), [recipe, *_edit(request, inline=inline), *keep]]


def one(job_id: str, index: int) -> list[list[Key]]:
    """What can be made of one picture, and the picture itself."""
    made = [Key(captions.button(verb), verb, job_id, index) for verb in (*CHANGES, "around")]
    return [made[:2], [*made[2:4], _original(job_id, index)], made[4:]]


def around(job_id: str, index: int, *, several: bool) -> list[list[Key]]:
    """What may be seen around one picture: arrows point where the view goes."""
    keys = {verb: Key(captions.button(verb), verb, job_id, index) for verb in buttons.AROUND}
    return [
        [keys["zoom"], keys["zoom2"]],
        [keys["up"]],
        [keys["left"], keys["right"]],
        [keys["down"]],
        [Key(phrases.back(), "picture" if several else "card", job_id, index if several else 0)],
    ]


def picked(job_id: str, index: int) -> list[list[Key]]:
    """The buttons of one of several pictures, in place of those of the card."""
    *made, more = one(job_id, index)
    return [
        [Key(phrases.picture(index + 1), "card", job_id)],
        *made,
        [*more, tweaks.lent(job_id, index)],
        [Key(phrases.back(), "card", job_id)],
    ]


def deleting(job_id: str) -> list[list[Key]]:
    """Deleting is for good, so it is asked for once more."""
    confirm = Key(captions.button("confirm"), "confirm", job_id, style="danger", uses=1, days=1 / 24)
    return [[confirm, Key(phrases.keep_it(), "card", job_id)]]


def starred(job_id: str, *, favourite: bool) -> Key:
    """The star; pressing it twice by accident of the network changes nothing."""
    return Key("⭐ ✓" if favourite else "⭐", "favourite", job_id, detail="off" if favourite else "on",
               style="success" if favourite else "")  # fmt: skip


def recipe(request: Request, link: str, job_id: str) -> list[list[Key]]:
    """The buttons below a recipe: copy it, share it by a link, paint it."""
    line = words.recipe(request)
    keys = [Key(phrases.copy(), copy=line)] if 0 < len(line) <= COPY else []
    share = [Key(phrases.share(), url=link)] if link else []
    return [[*keys, *share], [Key(phrases.paint(), "paint", job_id, open=True, style="primary")]]


def _original(job_id: str, index: int = 0) -> Key:
    return Key(captions.button("download"), "download", job_id, index, open=True)


def _edit(request: Request, *, inline: bool, label: str = "✏️") -> list[Key]:
    """Puts the words into the field for writing, where they can be changed."""
    line = words.recipe(request) if isinstance(request, Generate) else ""
    return [Key(label, switch=line)] if inline and 0 < len(line) <= SWITCH else []
