"""Configurations that are wrong: the text, its key, the line, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from realbot.config import Settings
from realbot.errors import ConfigError

WRONG: list[tuple[str | bytes, str, int, str]] = [
    ("[limits]\nper_day = -3", "limits.per_day", 2, "line 2\\) is -3, it must be a whole number from 0 to 1000000"),
    ("[limits]\nper_day = 'many'", "limits.per_day", 2, "is 'many'"),
    ("[limits]\nper_day = 1.5", "limits.per_day", 2, "a whole number"),
    ("[limits]\nper_day = true", "limits.per_day", 2, "is True, it must be a whole number"),
    ("[limits]\nper_day = 99999999999999999999", "limits.per_day", 2, "from 0 to 1000000"),
    ("[limits]\nper_day = []", "limits.per_day", 2, "a whole number"),
    ("[limits]\nper_dya = 3", "limits.per_dya", 2, "Unknown setting .*line 2\\); did you mean limits.per_day\\?"),
    ("[limits]\nMAX_STEPS = 3", "limits.MAX_STEPS", 2, "did you mean limits.max_steps"),
    ("[limits]\nwaiting_total = 3", "limits.waiting_total", 2, "waiting_total belongs to \\[queue\\]"),
    ("[limits]\nzzz = 3", "limits.zzz", 2, "the settings here are waiting_per_user, waiting_per_server"),
    ("[limits]\nmax_guidance = nan", "limits.max_guidance", 2, "a number from 0 to 100"),
    ("[limits]\nmax_guidance = inf", "limits.max_guidance", 2, "a number from 0 to 100"),
    ("[limits]\nmax_guidance = 1e400", "limits.max_guidance", 2, "a number from 0 to 100"),
    ("[limits]\nmax_steps = 0", "limits.max_steps", 2, "from 1 to 1000"),
    ("[limits]\nmin_side = 512\nmax_side = 256", "limits.min_side", 2, "min_side 512 is larger than max_side 256"),
    ("[limits]\nmax_pixels = 300", "limits.max_pixels", 2, "max_pixels 300 is less than"),
    ("limits = 4", "limits", 1, "is a section: write \\[limits\\]"),
    ("[[limits]]\nper_day = 3", "limits", 1, "is a section"),
    ("[limitz]\nper_day = 3", "limitz", 1, "did you mean limits\\?"),
    ("[wibble]\na = 3", "wibble", 1, "the sections here are paths, model"),
    ("per_day = 3", "per_day", 1, "per_day belongs to \\[limits\\]"),
    ("[queue]\norder = 'fiffo'", "queue.order", 2, "it must be fifo or round_robin; did you mean fifo\\?"),
    ("[queue]\nwaiting_total = 0", "queue.waiting_total", 2, "from 1 to 100000"),
    ("[cache]\nenabled = 'perhaps'", "cache.enabled", 2, "true or false"),
    ("[cache]\nscope = 'all'", "cache.scope", 2, "user, server or everyone"),
    ("[model]\ndevice = 'gpu'", "model.device", 2, "auto, cpu, mps, cuda or cuda:N"),
    ("[model]\ndtype = 'bf16'", "model.dtype", 2, "did you mean bfloat16"),
    ("[model]\nname = ''", "model.name", 2, "a text that is not empty"),
    ("[engine]\nquantize = 'int4'", "engine.quantize", 2, "none, nf4, int8 or fp8; did you mean int8"),
    ("[engine]\nhang_seconds = 0", "engine.hang_seconds", 2, "a number from 1 to 3600"),
    ("[engine]\nthreads = 2.5", "engine.threads", 2, "a whole number from 0 to 1024"),
    ("[paths]\ndata = 3", "paths.data", 2, "a path"),
    ("[web]\nport = 70000", "web.port", 2, "from 0 to 65535"),
    ("[web]\npassword = ''", "web.password", 2, "a text that is not empty"),
    ("[discord]\n", "discord.token", 1, "is missing: set REALBOT_DISCORD__TOKEN or REALBOT_DISCORD__TOKEN_FILE"),
    ("[discord]\ntoken = ''", "discord.token", 2, "a text that is not empty"),
    ("[telegram]\ntoken = ' '", "telegram.token", 2, "a text that is not empty"),
    ("[discord]\ntoken = 'a'\ntoken_file = 'b'", "discord", 1, "set token or token_file, not both"),
    ("[discord]\ntoken_file = '/absent'", "discord.token_file", 2, "token_file .*/absent: No such file"),
    ("[discord]\ntoken = 'a'\ngateway = 'https://x'", "discord.gateway", 3, "wss:// or ws://"),
    ("[telegram]\ntoken = 'a'\napi_base = 'ftp://x'", "telegram.api_base", 3, "https:// or http://"),
    ("[moderation]\nblocked = [1]", "moderation.blocked", 2, "a list of texts"),
    ("[privacy]\nhistory_days = -1", "privacy.history_days", 2, "from 0 to 36500"),
    ("[limits\nper_day = 1", "realbot.toml", 1, "not valid TOML: .*line 1"),
    ("[limits]\nper_day = 1\nper_day = 2\nmax_steps = 3", "realbot.toml", 3, "not valid TOML: .*line 3"),
    ("a = " + "[" * 5000, "realbot.toml", 0, "not valid TOML"),
    ('"a\\nb" = 3', '"a\\nb"', 0, "Unknown setting"),
    ("override = 3", "override", 1, "is a section"),
    ("[override.1.limits]\nper_day = 3", "override.1", 1, "must name a place or a role"),
    ('[override."discord:1"]\nlimits = 3', 'override."discord:1".limits', 2, "is a section"),
    ('[override."discord:1".limts]\nper_day = 3', 'override."discord:1".limts', 1, "did you mean"),
    ('[override."discord:1".limits]\n\nper_day = -3', 'override."discord:1".limits.per_day', 3, "line 3\\) is -3"),
    ('[override."discord:1".limits]\nper_dya = 3', 'override."discord:1".limits.per_dya', 2, "limits.per_day"),
    ('[override."discord:1".model]\nname = "x"', 'override."discord:1".model', 1, "queue, cache, limits, moderation"),
    (
        "[access]\ndenied = ['discrod:1']",
        "access.denied",
        2,
        'access.denied .*\\"discrod:1\\" must name a person, a place or a role; did you mean \\"discord:1\\"\\?',
    ),
    ("[access]\nallowed = []\nexempt = ['owner']", "access.exempt", 3, 'did you mean \\"owners\\"\\?'),
    (
        "[training]\nroles = ['everybody']",
        "training.roles",
        2,
        '\\"everybody\\" must name .*; did you mean \\"everyone\\"\\?',
    ),
    ("[moderation]\npatterns = ['(']", "moderation.patterns", 2, "the pattern \\( in patterns cannot be used"),
    ("[moderation]\ntogether = ['knife']", "moderation.together", 2, "the rule knife in together cannot be used"),
    ("[moderation]\nadult = 'restrict'", "moderation.adult", 2, "did you mean restricted"),
    ("[safety]\nsuspect = 0.9", "safety.suspect", 2, "suspect 0.9 is larger than unsafe 0.8"),
    ("[safety]\nunsafe = nan", "safety.unsafe", 2, "a number from 0 to 1"),
    ("[safety]\nunsafes = 'hide'", "safety.unsafes", 2, "pass, spoiler or withhold"),
    ("[monitor]\nport = 94640", "monitor.port", 2, "from 0 to 65535"),
    ("[log]\nlevel = 'warn'", "log.level", 2, "did you mean warning"),
    ("[backup]\nhours = 1e400", "backup.hours", 2, "from 0 to 8760"),
    ("[storage]\nfree_mb = -1", "storage.free_mb", 2, "from 0 to 1048576"),
    ("[telegram]\ntoken = '1:a'\nowners = ['me']", "telegram.owners", 3, "a list of whole numbers"),
    ("[paths]\ndata = '~nobody-of-that-name/x'", "paths.data", 2, "nobody has that home folder"),
    ("limits.per_day = -3", "limits.per_day", 1, "from 0 to 1000000"),
    ("limits = {per_day = -3}", "limits.per_day", 1, "from 0 to 1000000"),
    ("[limits]\nper_day = 1\n[limits]\nper_day = 2", "realbot.toml", 3, "not valid TOML: .*line 3"),
    (
        '[override."discord:1".limits]\nmax_guidance = nan',
        'override."discord:1".limits.max_guidance',
        2,
        "a number from 0 to 100",
    ),
    ('[override."discord:1".safety]\nsuspect = 0.9', 'override."discord:1".safety.suspect', 2, "larger than unsafe"),
    (
        '[override."discord:rle:7".limits]\nper_day = 1',
        'override."discord:rle:7"',
        1,
        'did you mean "discord:role:7"\\?',
    ),
    (
        '[override."telegram:role:owner".limits]\nper_day = 1',
        'override."telegram:role:owner"',
        1,
        'did you mean "telegram:role:owners"\\?',
    ),
    ('[overide."discord:1".limits]\nper_day = 1', "overide", 1, "did you mean override\\?"),
    (b"# caf\xe9\n[limits]\nper_day = 1\n", "realbot.toml", 1, "is not UTF-8 text"),
    (b"[limits]\nper_day = \x00 1\n", "realbot.toml", 2, "not valid TOML: .*line 2"),
    (
        "[override.\"discord:1\".safety]\nchecker = 'opennsfw'",
        'override."discord:1".safety.checker',
        2,
        "it must be off or that of .safety., .off., because one checker is loaded for all",
    ),
]


def refused(path: Path, environ: dict[str, str] | None = None) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        Settings.load(path, environ or {})
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith((".", "?", ")"))
    assert caught.value.key
    return caught.value
