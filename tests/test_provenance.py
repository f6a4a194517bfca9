"""What `realbot settings --for` shows: every value as it holds in a place, where it came from, and what differs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from realbot import database
from realbot.__main__ import app
from realbot.config import Settings
from realbot.errors import ConfigError
from realbot.jobs import Origin, User
from realbot.listing import MASK
from realbot.places import PlaceRules
from realbot.provenance import Value, meant, prevailing
from studios import rig

ADMIN = User("discord", "1", "Admin")
TEXT = """[limits]
per_day = 50
[override."discord:1".limits]
per_day = 20
max_steps = 40
[override."discord:role:7".limits]
per_day = 200
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "realbot.toml"
    path.write_text(TEXT)
    return path


def told(values: list[Value]) -> dict[str, tuple[object, str, bool]]:
    return {one.key: (one.value, one.origin, one.differs) for one in values}


def test_everywhere_no_value_differs_and_secrets_are_masked(file):
    settings = Settings.load(file, {"REALBOT_WEB__PASSWORD": "canary-7f3a", "REALBOT_LIMITS__COOLDOWN": "2"})
    values = prevailing(settings, (), {})
    assert "canary-7f3a" not in repr(values)
    shown = told(values)
    assert shown["limits.per_day"] == (50, "realbot.toml, line 2", False)
    assert shown["limits.cooldown"] == (2.0, "environment", False)
    assert shown["limits.max_steps"] == (100, "default", False)
    assert shown["web.password"] == (MASK, "environment", False)
    assert [one.key for one in values] == list(shown)
    assert not any(one.differs for one in values)


def test_each_value_of_a_place_tells_who_decided(file):
    settings = Settings.load(file, {})
    rules = {
        "*": PlaceRules("*", {"max_count": 2}),
        "discord:1": PlaceRules("discord:1", {"per_day": 10, "max_count": 3}, paused=True),
        "discord:20": PlaceRules("discord:20", {"max_steps": 9, "max_side": 8}, styles=("ink",)),
        "discord:99": PlaceRules("discord:99", {"max_steps": 1}),
    }
    shown = told(prevailing(settings, meant(["discord:1/20"]), rules))
    assert shown["limits.per_day"] == (10, "settled for discord:1", True)
    assert shown["limits.max_count"] == (2, "settled for everywhere", True)
    assert shown["limits.max_steps"] == (9, "settled for discord:20", True)
    # It does not go with the smallest side, and is left out there too.
    assert shown["limits.max_side"] == (2048, "default", False)
    assert shown["discord:1 paused"] == (True, "settled for discord:1", True)
    assert shown["discord:20 styles"] == (("ink",), "settled for discord:20", True)
    role = told(prevailing(settings, meant(["discord:1/role:7"]), {}))
    assert role["limits.per_day"] == (200, "discord:role:7, realbot.toml, line 7", True)
    assert role["limits.max_steps"] == (40, "discord:1, realbot.toml, line 5", True)


async def test_it_is_what_holds_there_and_is_read_while_realbot_runs(tmp_path, file):
    async with rig(tmp_path, hand=True) as r:
        settings = Settings.load(file, {})
        r.studio.configure(settings)
        await r.studio.rule(
            "discord:1", ADMIN, limits={"max_steps": 20, "per_day": 5}, moderation={"blocked": ["gore"]}
        )
        await r.studio.rule("discord:20", ADMIN, limits={"max_steps": 7})
        rules = {key: PlaceRules.load(key, data) for key, data in database.settled(tmp_path / "data").items()}
        for keys, origin in (
            (("discord:1", "discord:20"), Origin("discord", "20", server="1")),
            (("discord:2",), Origin("discord", "21", server="2")),
        ):
            shown = told(prevailing(settings, keys, rules))
            here = r.studio.settled(origin)
            for name in ("limits", "moderation"):
                for key in type(here[name]).model_fields:
                    assert shown[f"{name}.{key}"][0] == getattr(here[name], key), key
        assert told(prevailing(settings, ("discord:20",), rules))["limits.max_steps"][1] == "settled for discord:20"


def test_a_data_folder_without_a_database_has_settled_nothing(tmp_path):
    assert database.settled(tmp_path) == {}
    (tmp_path / database.NAME).write_bytes(b"no database at all, but a text " * 40)
    with pytest.raises(ConfigError, match="cannot be read"):
        database.settled(tmp_path)


@pytest.mark.parametrize(
    ("asked", "keys"),
    [
        (["discord:1"], ("discord:1",)),
        (["discord:1/20/role:7"], ("discord:1", "discord:20", "discord:role:7")),
        (["telegram:-100", "telegram:role:administrators"], ("telegram:-100", "telegram:role:administrators")),
        (["discord:1/discord:2", "discord:1"], ("discord:1", "discord:2")),
    ],
)
def test_places_and_roles_are_named_in_one_text_or_in_several(asked, keys):
    assert meant(asked) == keys


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("discrod:1", '"discord:1"'),
        ("telegram:role:owner", '"telegram:role:owners"'),
        ("discord:1/general", "its number"),
        ("", "by its number"),
    ],
)
def test_what_names_no_place_is_refused_with_the_nearest(asked, says):
    with pytest.raises(ConfigError, match="must name a place or a role") as caught:
        meant([asked])
    assert says in str(caught.value)


def test_the_command_prints_a_line_for_each_and_json_for_programs(tmp_path, file, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = CliRunner().invoke(app, ["settings", "--for", "discord:1"]).stdout.splitlines()
    (line,) = [one for one in lines if "limits.per_day" in one]
    assert line.split() == ["●", "limits.per_day", "50", "→", "20", "discord:1,", "realbot.toml,", "line", "4"]
    data = json.loads(CliRunner().invoke(app, ["settings", "--for", "discord:1", "--json"]).stdout)
    (found,) = [one for one in data if one["key"] == "limits.per_day"]
    assert found == {
        "key": "limits.per_day",
        "value": 20,
        "origin": "discord:1, realbot.toml, line 4",
        "elsewhere": 50,
        "differs": True,
    }
