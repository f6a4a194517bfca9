"""What `realbot doctor` asks Discord: token, application, gateway, servers, commands, and the rights in a channel."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING

import aiohttp
import discord
from discord.http import Route

from realbot.adapters.outbox import Down
from realbot.findings import Finding, good, unwise, wrong

from .client import Client
from .sync import NAMES
from .wire import Patience, trying

if TYPE_CHECKING:
    from realbot.sections import Discord

#: Seconds for one request; what fails is not tried again.
EACH = 5.0
QUICK = Patience(tries=1, seconds=EACH, each=EACH)
PORTAL = "discord.com/developers/applications"
#: What realbot does in a channel, by the names of discord.py and of Discord's settings.
NEEDED = {
    "view_channel": "View Channel",
    "send_messages": "Send Messages",
    "embed_links": "Embed Links",
    "attach_files": "Attach Files",
    "read_message_history": "Read Message History",
}
#: The same as a number, with Send Messages in Threads, for the address that invites the bot.
INVITED = discord.Permissions(send_messages_in_threads=True, **dict.fromkeys(NEEDED, True))


async def diagnosis(
    settings: Discord, channel: str = "", *, recall: Callable[[str], str] = lambda _: ""
) -> list[Finding]:
    """Everything that Discord can tell. `channel` is an id; `recall` looks up what realbot keeps under a name."""
    client = Client(settings.api_base, settings.gateway)
    try:
        with trying(QUICK):
            return [finding async for finding in _asked(client, settings, channel, recall)]
    finally:
        await client.close()


async def _asked(
    client: Client, settings: Discord, channel: str, recall: Callable[[str], str]
) -> AsyncIterator[Finding]:
    try:
        await client.login(settings.token.get_secret_value())
    except discord.LoginFailure:
        yield wrong(
            "Discord token",
            "Discord does not know it.",
            f"Make a new one at {PORTAL}, Bot, Reset Token, and put it where discord.token or discord.token_file says.",
        )
        return
    except (Down, discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError) as error:
        yield wrong(
            "Discord",
            f"{settings.api_base} does not answer: {str(error)[:160]}.",
            "Check this machine's network, proxy and name servers, discord.api_base, and discordstatus.com.",
        )
        return
    yield good("Discord token", f"It is that of {client.user}.")
    for part in (_application(client), _gateway(client, settings), _servers(client), _commands(client, recall)):
        try:
            async for finding in part:
                yield finding
        except (Down, discord.HTTPException, discord.DiscordException, OSError, TimeoutError) as error:
            yield unwise("Discord", f"A question was not answered: {str(error)[:160]}.", "Try again in a minute.")
    if channel:
        yield await _channel(client, channel)


async def _application(client: Client) -> AsyncIterator[Finding]:
    found = client.application
    assert found is not None, "told when logging in"
    if found.interactions_endpoint_url:
        yield wrong(
            "Discord application",
            "Commands go to its Interactions Endpoint URL, so that realbot never hears of them.",
            f"Empty that field at {PORTAL}, General Information.",
        )
    if found.bot_require_code_grant:
        yield wrong(
            "Discord application",
            "It requires the OAuth2 code grant, so that nobody can add the bot.",
            f"Turn Requires OAuth2 Code Grant off at {PORTAL}, Bot.",
        )
    owner = f"the team {found.team.name}" if found.team else str(found.owner)
    yield good("Discord owner", f"{owner} may use /realbot everywhere; no privileged intent is needed.")


async def _gateway(client: Client, settings: Discord) -> AsyncIterator[Finding]:
    told = await client.http.request(Route("GET", "/gateway/bot"))
    limit = told.get("session_start_limit") or {}
    left = limit.get("remaining", 1)
    if left == 0:
        wait = limit.get("reset_after", 0) / 3_600_000
        yield wrong(
            "Discord gateway",
            "All of today's connections are used up.",
            f"Wait {wait:.1f} hours, and find out what restarts so often: realbot, or another program with this token.",
        )
        return
    url = settings.gateway or told.get("url", "")
    begun = time.monotonic()
    try:
        async with (
            asyncio.timeout(EACH),
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{url.rstrip('/')}/?v=10&encoding=json") as socket,
        ):
            hello = await socket.receive_json()
        if hello.get("op") != 10:
            raise ValueError("it does not say hello")
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError, TypeError) as error:
        yield wrong(
            "Discord gateway",
            f"No connection can be opened to {url}: {str(error)[:120] or type(error).__name__}.",
            "Let this machine open websockets to it (port 443), also through the proxy, or mend discord.gateway.",
        )
        return
    yield good(
        "Discord gateway", f"It says hello after {(time.monotonic() - begun) * 1000:.0f} ms; {left} starts left today."
    )


async def _servers(client: Client) -> AsyncIterator[Finding]:
    names = [guild.name async for guild in client.fetch_guilds(limit=200, with_counts=False)]
    if names:
        listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        yield good("Discord servers", f"It is in {listed}.")
        return
    invite = discord.utils.oauth_url(client.application_id or 0, permissions=INVITED)
    yield unwise("Discord servers", "It is in no server.", f"Invite it: {invite}")


async def _commands(client: Client, recall: Callable[[str], str]) -> AsyncIterator[Finding]:
    """Whether Discord shows the commands that realbot told it."""
    shown = {str(one["name"]) for one in await client.http.get_global_commands(client.application_id or 0)}
    told = set(json.loads(recall(NAMES.format(client.application_id)) or "[]"))
    if lost := sorted(told - shown):
        yield wrong(
            "Discord commands",
            f"Discord has forgotten {', '.join(lost[:5])}{' …' if len(lost) > 5 else ''}.",
            "Find the other program with this token that takes them away, and make a new token.",
        )
    elif told and (strange := sorted(shown - told)):
        yield unwise(
            "Discord commands",
            f"Discord also shows {', '.join(strange[:5])}, which realbot did not tell it.",
            "Use this token for no other program; what is left of one is gone when realbot tells its commands again.",
        )
    elif not shown:
        yield unwise(
            "Discord commands",
            "Discord was told none yet.",
            "Start realbot, which does so, and reload the Discord app (Ctrl+R) a minute later.",
        )
    else:
        yield good("Discord commands", f"Discord shows {len(shown)}.")


async def _channel(client: Client, channel: str) -> Finding:
    """Whether realbot may do in a channel or thread what it does there."""
    part = "Discord channel"
    try:
        found = await client.fetch_channel(int(channel))
        if not isinstance(found, discord.abc.GuildChannel | discord.Thread):
            return good(part, "It is a conversation outside servers, where nothing is needed.")
        guild = await client.fetch_guild(found.guild.id)
        home = found.parent_id if isinstance(found, discord.Thread) else found.id
        place = await guild.fetch_channel(home)
        assert client.user is not None
        me = await guild.fetch_member(client.user.id)
    except ValueError:
        return wrong(
            part, f"{channel} is not the id of a channel.", "Copy it with Copy Channel ID from the channel's menu."
        )
    except discord.NotFound:
        return wrong(
            part, f"There is none with the id {channel}.", "Copy it with Copy Channel ID from the channel's menu."
        )
    except discord.Forbidden:
        return wrong(
            part,
            "realbot may not see it; missing: View Channel.",
            "Give its role View Channel there, or invite it to that server.",
        )
    except (discord.DiscordException, Down, OSError, TimeoutError) as error:
        return wrong(part, f"It cannot be looked at: {str(error)[:160]}.", "Try again in a minute.")
    if isinstance(place, discord.ForumChannel | discord.CategoryChannel) and not isinstance(found, discord.Thread):
        return wrong(part, "It is a forum or category, which holds no messages.", "Take a channel or a post of it.")
    thread = isinstance(found, discord.Thread)
    assert not isinstance(place, discord.Thread), "threads have no threads"
    # A channel in which nobody writes may have threads in which they do.
    allowed = discord.abc.GuildChannel.permissions_for(place, me) if thread else place.permissions_for(me)
    missing = list(lacking(allowed, thread=thread))
    if missing:
        return wrong(
            part,
            f"realbot lacks in {place.name}: {', '.join(missing)}.",
            f"Open the channel's settings, Permissions, add {client.user.name} and allow {', '.join(missing)}.",
        )
    return good(part, f"In {place.name} realbot may do everything that it needs to.")


def lacking(allowed: discord.Permissions, *, thread: bool = False) -> Iterator[str]:
    """The names of the permissions that realbot needs and has not."""
    for name, label in NEEDED.items():
        if thread and name == "send_messages":
            name, label = "send_messages_in_threads", "Send Messages in Threads"
        if not getattr(allowed, name):
            yield label
