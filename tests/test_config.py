"""Settings: where a value comes from, what is refused and how it is said, what stays secret."""

import os
import re
import tomllib
from pathlib import Path

import pytest
from pydantic import SecretStr

from realbot.config import Settings, proxy
from realbot.listing import MASK, show, template
from realbot.rulebook import Limits
from wrong import refused

DEPLOY = Path(__file__).parents[1] / "deploy" / "realbot.toml"


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "realbot.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_without_file_and_environment_the_web_page_is_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = Settings.load(environ={})
    assert (settings.web.host, settings.web.port, settings.web.password) == ("127.0.0.1", 7860, None)
    assert settings.discord is None
    assert settings.telegram is None
    assert settings.model.name == "mini"
    assert settings.paths.styles == Path("data/styles")
    assert set(settings.origins.values()) == {"default"}
    assert settings.cautions == ()


def test_the_file_in_the_working_folder_is_found(write, monkeypatch):
    monkeypatch.chdir(write("[queue]\norder = 'round_robin'\n").parent)
    assert Settings.load(environ={}).queue.order == "round_robin"


def test_the_file_is_named_by_argument_or_variable(write, tmp_path):
    path = write("[limits]\nper_day = 3\n")
    assert Settings.load(path, {}).limits.per_day == 3
    assert Settings.load(environ={"REALBOT_CONFIG": str(path)}).limits.per_day == 3
    missing = refused(tmp_path / "absent.toml")
    assert "absent.toml cannot be read: No such file or directory" in str(missing)
    assert "--config" in str(missing)


def test_the_environment_goes_over_the_file_and_origins_tell(write):
    path = write("[limits]\nper_day = 3\nmax_steps = 40\n")
    settings = Settings.load(path, {"REALBOT_LIMITS__PER_DAY": "20", "REALBOT_MODEL__NAME": "", "HOME": "/root"})
    assert (settings.limits.per_day, settings.limits.max_steps, settings.limits.max_count) == (20, 40, 4)
    origins = settings.origins
    assert origins["limits.per_day"] == "environment"
    assert origins["limits.max_steps"] == "realbot.toml, line 3"
    assert origins["limits.max_count"] == origins["model.name"] == "default"


@pytest.mark.parametrize(
    ("name", "value", "key", "expected"),
    [
        ("REALBOT_PATHS__DATA", "/srv/realbot", "paths.data", Path("/srv/realbot")),
        ("REALBOT_WEB__PORT", "0", "web.port", 0),
        ("REALBOT_MODEL__NAME", "flux-dev", "model.name", "flux-dev"),
        ("REALBOT_ENGINE__PREVIEWS", "false", "engine.previews", False),
        ("REALBOT_LIMITS__COOLDOWN", "2.5", "limits.cooldown", 2.5),
        ("REALBOT_MODERATION__BLOCKED", "gore, knife fight ,", "moderation.blocked", ("gore", "knife fight")),
        ("REALBOT_MODERATION__BLOCKED", '["gore", "to be, or not"]', "moderation.blocked", ("gore", "to be, or not")),
        ("REALBOT_TRAINING__ROLES", ' ["everyone"] ', "training.roles", ("everyone",)),
        ("REALBOT_TRAINING__ROLES", "[]", "training.roles", ()),
        ("REALBOT_MODEL__DEVICE", "cuda:1", "model.device", "cuda:1"),
    ],
)
def test_each_kind_of_value_can_come_from_the_environment(tmp_path, monkeypatch, name, value, key, expected):
    monkeypatch.chdir(tmp_path)
    settings = Settings.load(environ={name: value})
    section, field = key.split(".")
    assert getattr(getattr(settings, section), field) == expected
    assert settings.origins[key] == "environment"


@pytest.mark.parametrize("value", ["1, 2", "[1, 2]", '["1", 2]'])
def test_a_list_of_numbers_can_come_from_the_environment(write, value):
    environ = {"REALBOT_TELEGRAM__TOKEN": "1:a", "REALBOT_TELEGRAM__OWNERS": value}
    assert Settings.load(write(""), environ).telegram.owners == (1, 2)


def test_styles_stand_in_the_data_folder_unless_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Settings.load(environ={"REALBOT_PATHS__DATA": "/srv"}).paths.styles == Path("/srv/styles")
    named = {"REALBOT_PATHS__DATA": "/srv", "REALBOT_PATHS__STYLES": "~/loras"}
    assert Settings.load(environ=named).paths.styles == Path("~/loras").expanduser()


def test_a_front_end_is_on_when_its_section_is_there(write):
    settings = Settings.load(write(""), {"REALBOT_DISCORD__TOKEN": "secret-1"})
    assert settings.discord.token == SecretStr("secret-1")
    assert settings.discord.api_base == "https://discord.com/api/v10"
    assert settings.web is None
    both = Settings.load(write("[web]\n"), {"REALBOT_TELEGRAM__TOKEN": "1:a"})
    assert both.telegram.api_base == "https://api.telegram.org"
    assert both.web is not None


def test_S6_a_secret_may_stand_in_a_file(write, tmp_path):
    secret = tmp_path / "token"
    secret.write_text("from-file\n")
    secret.chmod(0o600)
    settings = Settings.load(write(""), {"REALBOT_DISCORD__TOKEN_FILE": str(secret)})
    assert settings.discord.token.get_secret_value() == "from-file"
    assert settings.cautions == ()
    in_file = Settings.load(write(f"[telegram]\ntoken_file = '{secret}'\n"), {})
    assert in_file.telegram.token.get_secret_value() == "from-file"


def test_S6_the_environment_wins_over_either_form_in_the_file(write, tmp_path):
    secret = tmp_path / "token"
    secret.write_text("from-file")
    secret.chmod(0o600)
    path = write(f"[discord]\ntoken_file = '{secret}'\n")
    assert Settings.load(path, {"REALBOT_DISCORD__TOKEN": "direct"}).discord.token.get_secret_value() == "direct"
    path = write("[discord]\ntoken = 'direct'\n")
    environ = {"REALBOT_DISCORD__TOKEN_FILE": str(secret)}
    assert Settings.load(path, environ).discord.token.get_secret_value() == "from-file"


@pytest.mark.skipif(os.name != "posix", reason="file modes are those of POSIX")
def test_S6_a_secret_that_others_can_read_is_a_caution_and_refused_when_strict(write, tmp_path):
    secret = tmp_path / "token"
    secret.write_text("from-file")
    secret.chmod(0o644)
    environ = {"REALBOT_DISCORD__TOKEN_FILE": str(secret)}
    (caution,) = Settings.load(write(""), environ).cautions
    assert f"chmod 600 {secret}" in caution
    assert "from-file" not in caution
    strict = refused(write("[privacy]\nstrict_secrets = true\n"), environ)
    assert strict.key == "discord.token"
    assert "chmod 600" in str(strict)
    path = write("[telegram]\ntoken = '1:a'\n")
    path.chmod(0o644)
    assert str(path) in Settings.load(path, {}).cautions[0]
    path.chmod(0o600)
    assert Settings.load(path, {}).cautions == ()


def test_an_open_page_without_a_password_is_a_caution(write):
    path = write("[web]\nhost = '0.0.0.0'\n")
    assert "everyone on the network" in Settings.load(path, {}).cautions[0]
    assert Settings.load(path, {"REALBOT_WEB__PASSWORD": "x"}).cautions == ()


def test_a_secret_is_taken_without_the_blanks_around_it(write):
    assert Settings.load(write(""), {"REALBOT_DISCORD__TOKEN": " a\n"}).discord.token.get_secret_value() == "a"


def test_secrets_are_shown_nowhere(write):
    canary = "canary-7f3a"
    environ = {"REALBOT_DISCORD__TOKEN": canary, "REALBOT_WEB__PASSWORD": canary}
    settings = Settings.load(write("[telegram]\ntoken = 'canary-7f3a'\n"), environ)
    rows = show(settings)
    assert ("discord.token", MASK, "environment") in rows
    assert ("telegram.token", MASK, "realbot.toml, line 2") in rows
    assert canary not in repr(rows) + repr(settings) + str(settings) + settings.model_dump_json()
    assert settings.secrets() == (canary, canary, canary)
    error = refused(write("[discord]\ntoken = ['canary-7f3a']\n[telegram]\ntoken = 1\n"))
    assert canary not in str(error)


def test_show_has_every_setting_as_toml(write):
    rows = show(Settings.load(write("[moderation]\nblocked = ['a \"b\"']\n"), {}))
    table = {key: value for key, value, _ in rows}
    assert table["moderation.blocked"] == '["a \\"b\\""]'
    assert table["engine.previews"] == "true"
    assert table["web.password"] == ""
    for key, value in table.items():
        if value:
            tomllib.loads(f"{key} = {value}")


def test_Q6_overrides_change_one_place_only(write):
    settings = Settings.load(
        write(
            "[limits]\nper_day = 50\nmax_steps = 40\n"
            '[override."discord:1".limits]\nper_day = 5\n'
            '[override."telegram:-2".moderation]\nblocked = ["gore"]\n'
        ),
        {},
    )
    place = settings.for_place("discord:1")
    assert (place.limits.per_day, place.limits.max_steps) == (5, 40)
    assert place.origins["limits.per_day"] == "discord:1, realbot.toml, line 5"
    assert place.queue == settings.queue
    assert settings.for_place("discord:2") is settings
    assert settings.limits.per_day == 50
    assert settings.for_place("telegram:-2").moderation.blocked == ("gore",)


def test_Q6_a_role_goes_over_server_and_channel_and_the_last_in_the_file_over_the_others(write):
    settings = Settings.load(
        write(
            "[limits]\nmax_steps = 40\n"
            '[override."discord:role:7".limits]\nper_day = 70\nmax_steps = 70\n'
            '[override."discord:role:administrators".limits]\nper_day = 90\n'
            '[override."discord:10".limits]\nper_day = 10\ncooldown = 10\n'
            '[override."discord:1".limits]\nper_day = 1\ncooldown = 1\nmax_count = 1\n'
            '[override."discord:1".safety]\nsuspect = 0.1\n'
        ),
        {},
    )
    limits = settings.for_place("discord:1", "discord:10").limits
    assert (limits.per_day, limits.cooldown, limits.max_count, limits.max_steps) == (10, 10, 1, 40)
    for roles in (("discord:role:7", "discord:role:administrators"), ("discord:role:administrators", "discord:role:7")):
        here = settings.for_place("discord:1", "discord:10", *roles, "discord:role:8")
        assert (here.limits.per_day, here.limits.cooldown, here.limits.max_steps) == (90, 10, 70)
        assert here.safety.suspect == 0.1
        assert here.origins["limits.per_day"] == "discord:role:administrators, realbot.toml, line 7"
        assert here.origins["limits.cooldown"] == "discord:10, realbot.toml, line 10"
        assert here.origins["limits.max_styles"] == "default"
    assert settings.for_place("discord:role:7").limits.max_steps == 70


def test_overrides_that_do_not_go_together_are_told_and_the_wider_one_holds(write, caplog):
    settings = Settings.load(
        write('[override."discord:1".limits]\nmax_side = 512\n[override."discord:2".limits]\nmin_side = 1024\n'), {}
    )
    here = settings.for_place("discord:1", "discord:2").limits
    assert (here.min_side, here.max_side) == (64, 512)
    assert '[override."discord:2".limits] is left out: min_side 1024 is larger' in caplog.text


def test_settings_do_not_change_after_loading(write):
    settings = Settings.load(write(""), {})
    with pytest.raises(ValueError, match="frozen"):
        settings.limits.per_day = 9


def test_variables_that_kubernetes_sets_for_a_service_are_no_settings(write):
    environ = {"REALBOT_PORT": "tcp://10.0.0.1:80", "REALBOT_SERVICE_HOST": "10.0.0.1", "REALBOT_PORT_80_TCP": "x"}
    assert Settings.load(write(""), environ).web.port == 7860


def test_an_unreadable_file_is_named(tmp_path):
    path = tmp_path / "realbot.toml"
    path.write_bytes(b"# caf\xe9\n")
    assert "is not UTF-8 text" in str(refused(path))
    assert "Is a directory" in str(refused(tmp_path))


def test_a_byte_order_mark_is_no_error(tmp_path):
    path = tmp_path / "realbot.toml"
    path.write_bytes(b"\xef\xbb\xbf[limits]\nper_day = 3\n")
    assert Settings.load(path, {}).limits.per_day == 3


def test_several_errors_are_counted(write):
    assert "(1 more error after this one.)" in str(refused(write("[limits]\nper_day = -1\nmax_steps = 0\n")))


def test_the_deployed_file_is_current_and_holds_the_defaults(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert DEPLOY.read_text(encoding="utf-8") == template()
    assert Settings.load(DEPLOY, {}).model_dump() == Settings.load(environ={}).model_dump()


def test_the_deployed_file_has_every_setting_with_a_comment():
    text = template()
    for name, field in Settings.model_fields.items():
        section = getattr(field.annotation, "__args__", [field.annotation])[0]
        for key, entry in getattr(section, "model_fields", {}).items():
            assert re.search(rf"^# .+\n(# )?{key} = \S", text, re.M), f"{name}.{key}"
            assert entry.description
    assert max(map(len, text.splitlines())) <= 120


def test_the_examples_in_the_deployed_file_are_valid(tmp_path):
    active = re.sub(r"^# (?=\[|\w+ = )", "", template(), flags=re.M)
    active = re.sub(r"^\w+_file = .*$", "", active, flags=re.M)
    active = active.replace('webhook_secret = "…"', f'webhook_secret = "{"x" * 32}"')
    active = active.replace('admin_password = "…"', 'admin_password = "correct horse"')
    path = tmp_path / "realbot.toml"
    path.write_text(active)
    settings = Settings.load(path, {})
    assert settings.discord.gateway == "wss://gateway.discord.gg"
    assert settings.for_place("discord:1234").limits.per_day == 20


def test_limits_can_be_made_without_a_file():
    assert Limits(max_steps=12).max_steps == 12


def test_H16_a_proxy_is_taken_from_the_environment_as_by_other_programs(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    assert proxy("https://discord.com/api/v10") is None
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "localhost,.inside.example")
    assert proxy("https://discord.com/api/v10") == proxy("wss://gateway.discord.gg") == "http://proxy:3128"
    assert proxy("http://discord.com/api/v10") is None
    assert proxy("https://api.inside.example/") is None
    monkeypatch.setenv("ALL_PROXY", "http://other:3128")
    assert proxy("ws://discord.com/") == "http://other:3128"
