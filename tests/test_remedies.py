"""What is wrong with a configuration, as one line: the key, where it stands, and what was probably meant."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from realbot.config import Settings
from realbot.errors import ConfigError
from realbot.remedies import quoted
from realbot.sections import members


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "realbot.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refused(path: Path, environ: dict[str, str] | None = None) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        Settings.load(path, environ or {})
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith((".", "?", ")"))
    assert caught.value.key
    return caught.value


BAD = [
    # text, key, what the sentence says
    ("[limits]\nper_day = -3", "limits.per_day", r"line 2\) is -3, it must be a whole number from 0 to 1000000"),
    ("[limits]\nper_day = 'many'", "limits.per_day", "is 'many'"),
    ("[limits]\nper_day = 1.5", "limits.per_day", "a whole number"),
    ("[limits]\nper_day = true", "limits.per_day", "is True, it must be a whole number"),
    ("[limits]\nper_day = 99999999999999999999", "limits.per_day", "from 0 to 1000000"),
    ("[limits]\nper_day = []", "limits.per_day", "a whole number"),
    ("[limits]\nper_dya = 3", "limits.per_dya", r"Unknown setting .*line 2\); did you mean limits.per_day\?"),
    ("[limits]\nMAX_STEPS = 3", "limits.MAX_STEPS", "did you mean limits.max_steps"),
    ("[limits]\nwaiting_total = 3", "limits.waiting_total", r"waiting_total belongs to \[queue\]"),
    ("[limits]\nzzz = 3", "limits.zzz", "the settings here are waiting_per_user, waiting_per_server"),
    ("[limits]\nmax_guidance = nan", "limits.max_guidance", "a number from 0 to 100"),
    ("[limits]\nmax_guidance = inf", "limits.max_guidance", "a number from 0 to 100"),
    ("[limits]\nmax_guidance = 1e400", "limits.max_guidance", "a number from 0 to 100"),
    ("[limits]\nmax_steps = 0", "limits.max_steps", "from 1 to 1000"),
    ("[limits]\nmin_side = 512\nmax_side = 256", "limits", "min_side 512 is larger than max_side 256"),
    ("[limits]\nmax_pixels = 300", "limits", "max_pixels 300 is less than"),
    ("limits = 4", "limits", r"is a section: write \[limits\]"),
    ("[[limits]]\nper_day = 3", "limits", "is a section"),
    ("[limitz]\nper_day = 3", "limitz", r"did you mean limits\?"),
    ("[wibble]\na = 3", "wibble", "the sections here are paths, model"),
    ("per_day = 3", "per_day", r"per_day belongs to \[limits\]"),
    ("[queue]\norder = 'fiffo'", "queue.order", r"it must be fifo or round_robin; did you mean fifo\?"),
    ("[queue]\nwaiting_total = 0", "queue.waiting_total", "from 1 to 100000"),
    ("[cache]\nenabled = 'perhaps'", "cache.enabled", "true or false"),
    ("[cache]\nscope = 'all'", "cache.scope", "user, server or everyone"),
    ("[model]\ndevice = 'gpu'", "model.device", "auto, cpu, mps, cuda or cuda:N"),
    ("[model]\ndtype = 'bf16'", "model.dtype", "did you mean bfloat16"),
    ("[model]\nname = ''", "model.name", "a text that is not empty"),
    ("[engine]\nquantize = 'int4'", "engine.quantize", "none, nf4, int8 or fp8; did you mean int8"),
    ("[engine]\nhang_seconds = 0", "engine.hang_seconds", "a number from 1 to 3600"),
    ("[engine]\nthreads = 2.5", "engine.threads", "a whole number from 0 to 1024"),
    ("[paths]\ndata = 3", "paths.data", "a path"),
    ("[web]\nport = 70000", "web.port", "from 0 to 65535"),
    ("[web]\npassword = ''", "web.password", "a text that is not empty"),
    ("[discord]\n", "discord.token", "is missing: set REALBOT_DISCORD__TOKEN or REALBOT_DISCORD__TOKEN_FILE"),
    ("[discord]\ntoken = ''", "discord.token", "a text that is not empty"),
    ("[telegram]\ntoken = ' '", "telegram.token", "a text that is not empty"),
    ("[discord]\ntoken = 'a'\ntoken_file = 'b'", "discord", "set token or token_file, not both"),
    ("[discord]\ntoken_file = '/absent'", "discord", r"token_file .*/absent: No such file"),
    ("[discord]\ntoken = 'a'\ngateway = 'https://x'", "discord.gateway", "wss:// or ws://"),
    ("[telegram]\ntoken = 'a'\napi_base = 'ftp://x'", "telegram.api_base", "https:// or http://"),
    ("[moderation]\nblocked = [1]", "moderation.blocked", "a list of texts"),
    ("[privacy]\nhistory_days = -1", "privacy.history_days", "from 0 to 36500"),
    ("[limits\nper_day = 1", "realbot.toml", "not valid TOML: .*line 1"),
    ("[limits]\nper_day = 1\nper_day = 2\nmax_steps = 3", "realbot.toml", "not valid TOML: .*line 3"),
    ("a = " + "[" * 5000, "realbot.toml", "not valid TOML"),
    (r'"a\nb" = 3', r'"a\nb"', "Unknown setting"),
    ("override = 3", "override", "is a section"),
    ("[override.1.limits]\nper_day = 3", "override.1", "must name a place or a role"),
    ('[override."discord:1"]\nlimits = 3', 'override."discord:1".limits', "is a section"),
    ('[override."discord:1".limts]\nper_day = 3', 'override."discord:1".limts', "did you mean"),
    ('[override."discord:1".limits]\n\nper_day = -3', 'override."discord:1".limits.per_day', r"line 3\) is -3"),
    ('[override."discord:1".limits]\nper_dya = 3', 'override."discord:1".limits.per_dya', "limits.per_day"),
    ('[override."discord:1".model]\nname = "x"', 'override."discord:1".model', "queue, cache, limits, moderation"),
]


@pytest.mark.parametrize(("text", "key", "says"), BAD, ids=[f"{n:02}-{bad[1]}" for n, bad in enumerate(BAD)])
def test_Q6_X12_a_bad_file_is_refused_in_one_line_with_its_key(write, text, key, says):
    error = refused(write(text))
    assert error.key == key
    assert re.search(says, str(error)), str(error)


@pytest.mark.parametrize(
    ("name", "value", "key", "says"),
    [
        ("REALBOT_LIMITS__PER_DAY", "x", "limits.per_day", r"\(REALBOT_LIMITS__PER_DAY\) is 'x', it must be a whole"),
        ("REALBOT_LIMITS__PER_DAY", "NaN", "limits.per_day", "a whole number"),
        ("REALBOT_LIMITS__PERDAY", "1", "limits.perday", r"did you mean limits.per_day\?"),
        ("REALBOT_LIMTS__PER_DAY", "1", "REALBOT_LIMTS__PER_DAY", "did you mean REALBOT_LIMITS__PER_DAY"),
        ("REALBOT_LIMITS", "1", "REALBOT_LIMITS", "REALBOT_LIMITS__KEY"),
        ("REALBOT_TOKEN", "t", "REALBOT_TOKEN", "REALBOT_SECTION__KEY is the form"),
        ("REALBOT_DISCORD__API_BASE", "https://x", "discord.token", "is missing"),
        ("REALBOT_DISCORD__TOKEN_FILE", "/absent", "discord", "/absent: No such file"),
        ("REALBOT_DISCORD__TOKEN_FILE", "/", "discord", "Is a directory"),
        ("REALBOT_LIMITS__PER_DAY__MORE", "1", "limits.per_day", "a whole number"),
    ],
)
def test_Q6_a_bad_variable_is_refused_by_name(write, name, value, key, says):
    error = refused(write(""), {name: value})
    assert error.key == key
    assert re.search(says, str(error)), str(error)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("discrod:1", "discord:1"),
        ("telegarm:-100", "telegram:-100"),
        ("discord:rle:789", "discord:role:789"),
        ("discord:roles:789", "discord:role:789"),
        ("discord:role:owner", "discord:role:owners"),
        ("telegram:role:adminstrators", "telegram:role:administrators"),
        ("telegram:administrators", "telegram:role:administrators"),
        ("Discord:Role:Owners", "discord:role:owners"),
        ("telegram:role:789", ""),
        ("telegram:@painters", ""),
        ("discord:general", ""),
        ("discord:", ""),
        ("mars:1", ""),
        ("1234", ""),
    ],
)
def test_Q6_a_misspelt_place_or_role_is_refused_with_the_nearest(write, name, meant):
    error = refused(write(f'[limits]\nper_day = 1\n[override."{name}".limits]\nper_day = 3\n'))
    assert f"override.{quoted(name)} (realbot.toml, line 3)" in str(error)
    hint = f'must name a place or a role; did you mean "{meant}"?' if meant else 'by its number, such as "discord:1234"'
    assert hint in str(error)


WILD = [
    "-1",
    "0",
    "1e308",
    "-inf",
    "nan",
    "''",
    "'x'",
    "' '",
    "'\\u0000'",
    "[]",
    "[[1]]",
    "{a = 1}",
    "true",
    "2026-01-01",
]


@pytest.mark.parametrize("name", sorted(set(Settings.model_fields) - {"override"}))
def test_Q6_whatever_a_setting_is_set_to_the_outcome_is_settings_or_a_sentence(write, name):
    section = next(kind for kind in members(Settings.model_fields[name]) if hasattr(kind, "model_fields"))
    rest = "token = 't'\n" if "token" in section.model_fields else ""
    for key in section.model_fields:
        for value in WILD:
            others = "" if key == "token" else rest
            try:
                Settings.load(write(f"[{name}]\n{others}{key} = {value}\n"), {})
            except ConfigError as error:
                assert f"{name}" in str(error)
                assert key in str(error)
                assert "\n" not in str(error)
