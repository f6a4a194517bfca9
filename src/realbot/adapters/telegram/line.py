"""/queue and /cancel: a person's own requests with their places and times, and of others how many there are."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from realbot.adapters import captions, lessonwords, notices, sentences, words
from realbot.adapters.plain import plain
from realbot.adapters.telegram import phrases, sayings
from realbot.adapters.telegram.presses import actions
from realbot.adapters.telegram.screens import Screen, Viewer, to
from realbot.adapters.telegram.text import Text, bold, filled, quoted, small
from realbot.errors import Invalid, Refused
from realbot.jobs import Cancelled, Job, Running, Waiting

if TYPE_CHECKING:
    from realbot.adapters.telegram import Front
    from realbot.adapters.telegram.asked import Asked

#: Own requests that are listed, each with a button.
SHOWN = 10
#: What is said after /cancel to mean every request.
ALL = "all"


def register(front: Front) -> None:
    line = Line(front)
    front.command("queue", line.queue)
    front.command("cancel", line.cancel)
    front.screens.add("queue", line.draw)


class Line:
    """The commands and their screen. In a group it tells of what was asked for there only."""

    def __init__(self, front: Front) -> None:
        self._front, self._studio = front, front.studio

    async def queue(self, asked: Asked) -> None:
        await self._front.screens.open(asked, "queue")

    async def cancel(self, asked: Asked) -> None:
        """Give up the one request there is, the one that is answered, or all; else ask which. Raises Refused."""
        viewer = Viewer(asked.bot, asked.user, asked.origin, asked.private)
        own, said = self._own(viewer), asked.text.casefold()
        if said not in ("", ALL):
            raise Invalid(sayings.cancel_how())
        answered = await self._answered(asked, own) if not said else None
        if not own:
            await asked.reply(sentences.queue_empty())
        elif said == ALL:
            await asked.reply(notices.cleared(await self._all(viewer)))
        elif answered is None and len(own) > 1:
            await self._front.screens.open(asked, "queue", choose=True)
        else:
            job = answered or own[0]
            stopped = await self._studio.cancel(asked.user, job.id)
            await asked.reply(Text(_subject(job), " · ", words.say(Cancelled()) if stopped else captions.too_late()))

    async def draw(self, viewer: Viewer, state: dict[str, Any]) -> Screen:
        """The line, after one of the own requests or all of them were given up. Raises NotYours."""
        note, choose = "", bool(state.get("choose"))
        if state.get("all"):
            note = notices.cleared(await self._all(viewer))
        elif "cancel" in state:
            stopped = await self._studio.cancel(viewer.user, str(state["cancel"]))
            note = words.say(Cancelled()) if stopped else captions.too_late()
        own = self._own(viewer)
        lines = [Text(f"{number}. ", self._told(job)) for number, job in enumerate(own[:SHOWN], 1)]
        if len(own) > SHOWN:
            lines.append(Text(sentences.and_more(len(own) - SHOWN)))
        elsewhere = len(self._studio.waiting(viewer.user)) - len(own)
        text = Text.lines(
            [
                bold(sayings.cancel_which() if choose and own else sentences.queue_title()),
                *(lines or [Text(sentences.queue_empty())]),
                sayings.elsewhere(elsewhere) if elsewhere else "",
                small(" · ".join(filter(None, (self._others(viewer), self._engine())))),
            ]
        )
        keep: dict[str, Any] = {"choose": True} if choose else {}
        labels = {job.id: f"✖ {plain(words.subject(job.request), 40)}" for job in own[:SHOWN]}
        rows = [[to(label, "queue", cancel=job_id, **keep)] for job_id, label in labels.items()]
        if choose and len(own) > 1:
            rows.append([to(sayings.cancel_all(), "queue", style="danger", all=True, **keep)])
        rows.append([to(f"🔄 {sentences.refresh()}", "queue", **keep)])
        return Screen(text, rows, note=note)

    def _own(self, viewer: Viewer) -> list[Job]:
        """This person's requests that may be told of here, those that are painted first."""
        own = self._studio.waiting(viewer.user)
        if not viewer.private:
            here = (viewer.origin.platform, viewer.origin.place)
            own = [job for job in own if (job.origin.platform, job.origin.place) == here]
        return sorted(own, key=lambda job: (not isinstance(job.status, Running), getattr(job.status, "position", 0)))

    async def _all(self, viewer: Viewer) -> int:
        """Give up everything of this person that is told of here; how many requests that were."""
        return sum([await self._studio.cancel(viewer.user, job.id) for job in self._own(viewer)])

    async def _answered(self, asked: Asked, own: list[Job]) -> Job | None:
        """The request whose card the message answers."""
        message = asked.message.reply_to_message
        for action_id in actions(message) if message is not None else ():
            try:
                action = await self._studio.acted(action_id, asked.user, press=False)
            except Refused:
                continue
            return next((job for job in own if job.id == action.job_id), None)
        return None

    def _told(self, job: Job) -> Text:
        """One request on one line: what, how far, when."""
        status = job.status
        if not isinstance(status, Waiting | Running):
            return _subject(job)
        if isinstance(status, Waiting) and status.paused:
            return Text(_subject(job), " · ", captions.paused())
        if isinstance(status, Waiting) and status.until is not None:
            when = filled(lessonwords.waiting("{when}"), when=sayings.moment(status.until))
            return Text(_subject(job), " · ", when)
        text = Text(_subject(job), " · ", words.say(replace(status, eta=None), job))
        eta = status.eta
        if eta is None or not math.isfinite(eta.high):
            return text
        return Text(text, " · ", phrases.ready(words.eta(eta), self._front.clock.now() + eta.high))

    def _others(self, viewer: Viewer) -> str:
        """Of other people how many wait, and never what for."""
        own = self._studio.waiting(viewer.user)
        mine = sum(isinstance(job.status, Running) for job in own)
        waiting, running = self._studio.line()
        return sentences.others(max(waiting - (len(own) - mine), 0), max(running - mine, 0))

    def _engine(self) -> str:
        state = self._studio.engine()
        return "" if state.up else words.engine(state.up, state.loading, state.device, state.reason)


def _subject(job: Job) -> Text:
    return Text(quoted(words.subject(job.request), 80))
