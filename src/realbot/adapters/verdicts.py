"""What is said of pictures that were looked at: withheld ones, appeals, what moderators decide."""

from __future__ import annotations

from realbot.adapters.words import _
from realbot.cases import Case


def withheld(case: Case | None, *, reached: bool) -> str:
    """Instead of a picture; `reached` tells whether there is somebody who can be asked."""
    if case is not None and case.reason == "unchecked" and not case.decision:
        return _("The picture is painted, but it cannot be checked at the moment. It comes here as soon as it is.")
    if case is not None and case.decision == "upheld":
        return _("A moderator had a look: the picture stays withheld. It did not count against your limits.")
    if case is not None and case.appealed is not None:
        return _("The picture is withheld, and a moderator was asked to have a look. What comes of it is shown here.")
    text = _(
        "The picture is withheld: it may show something that does not belong here."
        " It did not count against your limits."
    )
    return f"{text} {_('If that is wrong, ask a moderator.')}" if reached else text


def appealable(case: Case | None) -> bool:
    """Whether moderators can be asked about it, which is possible once."""
    return case is not None and case.reason == "unsafe" and case.appealed is None and not case.decision


def appeal() -> str:
    return _("Ask a moderator")


def asked() -> str:
    return _("A moderator was asked to have a look.")


def hidden() -> str:
    """The state of a job in the history."""
    return _("withheld")


def question() -> str:
    """The title of what moderators are asked."""
    return _("May this picture be shown?")


def found(score: float | None) -> str:
    """What the checker says of a picture, for moderators."""
    if score is None:
        return _("It could not be checked.")
    told = _("It was withheld with a score of {score}, and whoever asked for it wants another look.")
    return told.format(score=f"{score:.0%}")


def lift() -> str:
    """On a picture behind a spoiler."""
    return _("Show the picture")


def spoiler() -> str:
    """What a moderator is told of a picture behind a spoiler."""
    return _("Press the picture to see it.")


def release() -> str:
    return _("Release")


def uphold() -> str:
    return _("Keep back")


def decided(who: str, *, released: bool) -> str:
    """Below the question, once it is answered; that can be taken back."""
    if released:
        return _("Released by {who}. It is shown to whoever asked for it.").format(who=who)
    return _("Kept back by {who}.").format(who=who)


def moderators_only() -> str:
    return _("Moderators of the place where it was asked for decide this.")


def unchecked() -> str:
    """In the health of the bot, for administrators."""
    return _("pictures cannot be checked, so some are withheld")


def alarm(*, down: bool) -> str:
    """What moderators are told."""
    if down:
        return _("Pictures cannot be checked at the moment. In open places they are withheld until they are.")
    return _("Pictures can be checked again. What was withheld for that is shown now.")


def lacking(permissions: str) -> str:
    return _("I may not ask there; what I need is: {permissions}.").format(permissions=permissions)


def moderators_title() -> str:
    return _("Withheld pictures")


def where() -> str:
    """The way from a group of Telegram to where its moderators are asked."""
    return _("Where moderators are asked")


def chosen(*, allowed: bool) -> str:
    if allowed:
        return _("From now on moderators are asked there about withheld pictures.")
    return _("Moderators are not asked there any more.")


def chat_number() -> str:
    """How a chat of moderators is named in Telegram."""
    return _(
        "Add me to the moderators' group, where /realbot moderators tells its number, and write that number here: "
        "/realbot moderators allow -1001234567890"
    )


def own_number() -> str:
    """With a gap for it."""
    return _("The number of this group is {number}.")


def foreign_chat() -> str:
    return _("Only an administrator of that chat can choose it, and I have to be in it.")


def original() -> str:
    """Why the file itself is not sent into a group."""
    return _("This picture is shown here behind a spoiler only; in our private chat you get the file.")


def moderators(channels: str) -> str:
    """Where moderators are asked; empty: the bot's owners are."""
    if channels:
        return _("Moderators are asked about withheld pictures in {channels}.").format(channels=channels)
    return _("Nobody is named here, so the owners of this bot are asked about withheld pictures.")
