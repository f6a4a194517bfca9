"""What is said of limits on how much a person may have: what is left of them, and what a dear request costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from realbot.adapters import words
from realbot.adapters.languages import N_, Phrasebook
from realbot.adapters.words import _, ngettext
from realbot.budget import Purse, Quote
from realbot.spending import DAY, HOUR, MONTH, Allowance, Quota

#: Squares of a bar.
BAR = 10
_SPANS = Phrasebook({"hour": N_("60 minutes"), "day": N_("24 hours"), "month": N_("30 days")})
_NAMES = {HOUR: "hour", DAY: "day", MONTH: "month"}


def title() -> str:
    return _("What you may still ask for")


def title_of(name: str) -> str:
    """`name` is a mention or a name, escaped already."""
    return _("What {name} may still ask for").format(name=name)


def unlimited(*, own: bool = True) -> str:
    if own:
        return _("There is no limit here on how much you may ask for.")
    return _("There is no limit here on how much they may ask for.")


def exempt(*, own: bool = True) -> str:
    """`own` is false in what somebody else reads of a person."""
    return _("None of this holds for you: you are exempt.") if own else _("None of this holds: they are exempt.")


def span(quota: Quota) -> str:
    return _SPANS[_NAMES[quota.window]]


def name(quota: Quota) -> str:
    """What a limit counts, and how far back."""
    text = _("Pictures in {span}") if quota.unit == "pictures" else _("Painting in {span}")
    return text.format(span=span(quota))


def bar(one: Allowance) -> str:
    """How much of it is used."""
    share = min(one.used / one.limit, 1.0) if one.limit else 1.0
    full = math.ceil(share * BAR) if share < 1 else BAR
    return "▰" * full + "▱" * (BAR - full)


def used(one: Allowance) -> str:
    """What is used and what is left, "3 of 10 used, 7 left"."""
    amounts = {"used": amount(one, one.used), "all": amount(one, one.limit), "left": amount(one, one.left)}
    return _("{used} of {all} used, {left} left").format(**amounts)


def amount(one: Allowance, number: float) -> str:
    if one.quota.unit == "pictures":
        return str(int(number))
    if number < 0.05:
        return _("{number} s").format(number=0)
    return words.duration(round(number) if number >= 10 else number)


def back(one: Allowance) -> str:
    """When it comes back, with gaps for the moments `{when}` and `{whole}`; empty while nothing is used."""
    if one.frees is None or one.whole is None:
        return ""
    return _("back {whole}") if one.whole - one.frees < 60 else _("some of it back {when}, all of it {whole}")


def short(one: Allowance) -> str:
    """What is left of it, in few words."""
    left, whole = amount(one, one.left), amount(one, one.limit)
    if one.quota.unit == "seconds":
        return _("{left} of {all} of painting left in {span}").format(left=left, all=whole, span=span(one.quota))
    return ngettext(
        "{left} of {all} picture left in {span}", "{left} of {all} pictures left in {span}", int(one.limit)
    ).format(left=left, all=whole, span=span(one.quota))


def waiting(purse: Purse, *, own: bool = True) -> str:
    text = ngettext(
        "{number} of your requests is on its way, and {most} may be.",
        "{number} of your requests are on their way, and {most} may be.",
        purse.waiting,
    )
    if not own:
        text = ngettext(
            "{number} request of theirs is on its way, and {most} may be.",
            "{number} requests of theirs are on their way, and {most} may be.",
            purse.waiting,
        )
    return text.format(number=purse.waiting, most=purse.waiting_most)


def rested(when: str, *, own: bool = True) -> str:
    return (_("You can ask again {when}.") if own else _("They can ask again {when}.")).format(when=when)


def handed_back(name: str, *, everywhere: bool = False) -> str:
    if everywhere:
        return _("What {name} has asked for so far does not count anywhere any more.").format(name=name)
    return _("What {name} has asked for so far does not count here any more.").format(name=name)


def hand_back() -> str:
    return _("Hand it back")


def whom() -> str:
    return _("Say whose.")


# What a dear request costs


def quote(asked: Quote, *, private: bool = True) -> list[str]:
    """What somebody is asked before a dear request is taken, a sentence each.

    Where others read it, it says nothing of what they have left.
    """
    told = [_("Painting this takes {time}.").format(time=words.eta(asked.painting))]
    place, time = words.say(replace(asked.waiting, eta=None)), words.eta(asked.waiting.eta)
    told.append(_("{place}, ready in {time}.").format(place=place, time=time) if time else f"{place}.")
    if private and not asked.purse.exempt:
        told += [_cost(one, asked) for one in tightest(asked.purse.allowances)]
    return told


def paint_it() -> str:
    return _("Paint it")


def leave_it() -> str:
    return _("Leave it")


def question() -> str:
    return _("Shall it be painted?")


def tightest(allowances: Sequence[Allowance]) -> list[Allowance]:
    """Of pictures and of seconds the limit of which the least is left."""
    found: dict[str, Allowance] = {}
    for one in allowances:
        known = found.get(one.quota.unit)
        if known is None or one.left < known.left:
            found[one.quota.unit] = one
    return list(found.values())


def _cost(one: Allowance, asked: Quote) -> str:
    if one.quota.unit == "pictures":
        return ngettext(
            "It counts as the {left} picture that you have left in {span}.",
            "It counts as {number} of the {left} pictures that you have left in {span}.",
            int(one.left),
        ).format(number=asked.pictures, left=int(one.left), span=span(one.quota))
    return _("It uses about {time} of the {left} of painting that you have left in {span}.").format(
        time=amount(one, asked.seconds), left=amount(one, one.left), span=span(one.quota)
    )
