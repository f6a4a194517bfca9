"""Albums that people send, which Telegram tells picture by picture, one message each."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from telegram import Message, Update

#: Albums that are remembered, for a picture that comes late.
REMEMBERED = 100


class Albums:
    """The messages of the latest albums."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, dict[int, Message]] = OrderedDict()

    def keep(self, updates: Sequence[Update]) -> None:
        """Remember those that belong to albums."""
        for message in (update.message for update in updates):
            if message is not None and message.media_group_id is not None:
                self._known.setdefault(message.media_group_id, {})[message.message_id] = message
                self._known.move_to_end(message.media_group_id)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def together(self, message: Message) -> list[Message]:
        """The messages of its album, in their order; itself alone where it is in none."""
        known = self._known.get(message.media_group_id or "", {message.message_id: message})
        return [known[number] for number in sorted(known)]

    def speaker(self, message: Message) -> bool:
        """Whether what is said to an album is said to this message: it has words, or is the first where none has."""
        album = self.together(message)
        first = message.message_id == album[0].message_id
        return bool(message.caption) or (first and not any(one.caption for one in album))
