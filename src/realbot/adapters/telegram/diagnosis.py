"""What `realbot doctor` asks Telegram: the token, what BotFather was told, and where updates go."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import telegram
from telegram.error import InvalidToken, TelegramError

from realbot.findings import Finding, good, unwise, wrong

from .inbox import KINDS
from .limiter import unauthorized
from .wire import Request

if TYPE_CHECKING:
    from realbot.sections import Telegram

#: Seconds for one request; what fails is not tried again.
EACH = 5.0
#: Seconds for which an error of the webhook is news, and updates from which there are too many waiting.
FRESH, MANY = 600.0, 100


async def diagnosis(settings: Telegram) -> list[Finding]:
    """Everything that Telegram can tell without taking an update away from a realbot that runs."""
    base = settings.api_base.rstrip("/")
    asks = Request(read=EACH, pool=1)
    bot = telegram.Bot(settings.token.get_secret_value(), base_url=f"{base}/bot", request=asks)
    try:
        await asks.initialize()
        try:
            me = await bot.get_me()
            hook = await bot.get_webhook_info()
        except InvalidToken as error:
            if not unauthorized(error) and "not found" not in error.message.casefold():
                raise
            return [
                wrong(
                    "Telegram token",
                    "Telegram does not know it.",
                    "Ask @BotFather for it with /token, and put it where telegram.token or telegram.token_file says.",
                )
            ]
    except TelegramError as error:
        return [
            wrong(
                "Telegram",
                f"{base} does not answer: {str(error)[:160]}.",
                "Check this machine's network, proxy and name servers, and telegram.api_base.",
            )
        ]
    finally:
        await asks.shutdown()
    token = good("Telegram token", f"It is that of @{me.username}.")
    return [token, *account(me), *webhook(hook, settings), *owners(settings)]


def account(me: telegram.User) -> Iterator[Finding]:
    """What BotFather was told of the bot."""
    if me.can_read_all_group_messages:
        yield unwise(
            "Telegram privacy",
            "Privacy mode is off: Telegram sends realbot every message of its groups, which it does not need.",
            "Tell @BotFather /setprivacy, Enable, and take the bot out of its groups and in again.",
        )
    else:
        yield good("Telegram privacy", "Privacy mode is on: it hears commands, mentions and answers to it in groups.")
    if me.can_join_groups is False:
        yield unwise("Telegram groups", "It cannot be added to groups.", "Tell @BotFather /setjoingroups, Enable.")
    if not me.supports_inline_queries:
        yield unwise(
            "Telegram inline",
            "It cannot be called by name in other chats, and words cannot be put into the field.",
            "If that is wanted, tell @BotFather /setinline and a placeholder.",
        )


def webhook(hook: telegram.WebhookInfo, settings: Telegram) -> Iterator[Finding]:
    """Whether updates go where realbot listens."""
    wanted = settings.webhook_url or ""
    if hook.url and not wanted:
        yield wrong(
            "Telegram updates",
            f"They go to a webhook at {host(hook.url)}, while realbot asks for them.",
            "Restart realbot, which takes the webhook away, unless another program with this token set it: stop that.",
        )
        return
    if wanted and hook.url != wanted:
        said = f"They go to {host(hook.url)}" if hook.url else "No webhook is set"
        yield wrong(
            "Telegram updates",
            f"{said}, and telegram.webhook_url is {wanted}.",
            "Restart realbot, which sets it, and no other program with this token.",
        )
        return
    failed = hook.last_error_date.timestamp() if hook.last_error_date else 0.0
    if wanted and time.time() - failed < FRESH:
        yield wrong(
            "Telegram updates",
            f"Telegram could not post to {host(wanted)}: {hook.last_error_message}.",
            "Let the proxy there pass posts to telegram.webhook_host and webhook_port, with a valid certificate.",
        )
        return
    if wanted and hook.allowed_updates and not set(KINDS) <= set(hook.allowed_updates):
        yield wrong(
            "Telegram updates", "Telegram sends only some kinds of them.", "Restart realbot, which asks for all."
        )
        return
    if hook.pending_update_count > MANY:
        yield unwise(
            "Telegram updates",
            f"{hook.pending_update_count} wait at Telegram to be fetched.",
            "Start realbot if it does not run; else look into its log.",
        )
        return
    way = f"Telegram posts them to {host(wanted)}" if wanted else "realbot asks for them"
    yield good("Telegram updates", f"{way}; {hook.pending_update_count} wait.")


def owners(settings: Telegram) -> Iterator[Finding]:
    """Whether somebody may administer the bot everywhere."""
    if settings.owners:
        number = len(settings.owners)
        yield good("Telegram owners", f"{number} {'person' if number == 1 else 'people'} may use /realbot everywhere.")
    else:
        yield unwise(
            "Telegram owners",
            "Nobody may use /realbot in every chat.",
            "Set telegram.owners to your number, which /help tells you.",
        )


def host(url: str) -> str:
    """The part of an address that says where; its path may be secret."""
    return url.split("://", 1)[-1].split("/", 1)[0] or "nowhere"
