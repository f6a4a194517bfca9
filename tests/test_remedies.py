"""What is wrong with a configuration, as one line: the key, where it stands, and what was probably meant."""

from __future__ import annotations

import math
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realbot.config import Settings, leaves, section_of
from realbot.errors import ConfigError
from realbot.remedies import quoted
from realbot.sections import members
from wrong import WRONG, refused


@pytest.fixture
def write(tmp_path):
    def write(text: str | bytes) -> Path:
        path = tmp_path / "realbot.toml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


@pytest.mark.parametrize(
    ("text", "key", "line", "says"), WRONG, ids=[f"{n:02}-{one[1]}" for n, one in enumerate(WRONG)]
)
def test_Q6_X12_a_bad_file_is_refused_in_one_line_with_its_key_and_where_it_stands(write, text, key, line, says):
    error = refused(write(text))
    assert error.key == key
    assert re.search(says, str(error)), str(error)
    assert f"line {line}" in str(error) or not line, str(error)


def test_forty_files_are_bad():
    assert len(WRONG) >= 40


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
        ("REALBOT_DISCORD__TOKEN_FILE", "/absent", "discord.token_file", "/absent: No such file"),
        ("REALBOT_DISCORD__TOKEN_FILE", "/", "discord.token_file", "Is a directory"),
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
    "'~nobody-of-that-name/x'",
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


SPECIAL = st.one_of(
    st.sampled_from(["nan", "-nan", "+inf", "-inf", "1e400", "-1e400", "1e308", "0x7fffffffffffffff", "9" * 30]),
    st.floats().map(lambda number: str(number).replace("infinity", "inf")),
    st.integers().map(str),
    st.text(max_size=8).map(lambda text: " + text + "),
)
NUMBERS = [
    f"{name}.{key}"
    for name in Settings.model_fields
    if (section := section_of(name)) and name not in ("discord", "telegram")
    for key, field in section.model_fields.items()
    if {int, float} & set(members(field))
]


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(NUMBERS), SPECIAL, min_size=1, max_size=3), st.booleans())
def test_X12_no_special_number_gets_into_the_settings(values, override):
    lines = [f"{key} = {value}" for key, value in values.items()]
    if override:
        lines = [f'override."discord:1".{line}' for line in lines]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "realbot.toml"
        file.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="ignore")
        try:
            loaded = Settings.load(file, {})
        except ConfigError as error:
            assert "\n" not in str(error)
            return
    for found in (loaded, loaded.for_place("discord:1")):
        for key, field, value in leaves(found):
            if isinstance(value, int | float):
                assert math.isfinite(value), key
                for rule in field.metadata:
                    assert getattr(rule, "ge", value) <= value <= getattr(rule, "le", value), key
