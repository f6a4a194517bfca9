"""The tree of errors: who can fix it, and that nothing is said twice."""

import pytest

from realbot import errors
from realbot.errors import (
    ConfigError,
    EngineError,
    Invalid,
    OverQuota,
    RealbotError,
    Refused,
    TooSoon,
)

EVERY = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, RealbotError)]
LEAVES = [kind for kind in EVERY if kind not in (RealbotError, Refused, EngineError)]


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_the_docstring_is_the_default_message(kind):
    message = str(kind())
    assert message == kind.__doc__
    assert message.endswith(".")
    assert "\n" not in message
    assert str(kind("Something else.")) == "Something else."


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_exactly_one_kind_of_person_can_fix_it(kind):
    assert sum(issubclass(kind, who) for who in (Refused, EngineError, ConfigError)) == 1
    assert not issubclass(kind, OSError | ValueError)


def test_the_tree_in_the_module_is_complete():
    for kind in EVERY:
        assert kind.__name__ in errors.__doc__


def test_data_rides_on_the_exception():
    assert Invalid("No.", word="stepz", nearest="steps").word == "stepz"
    assert Invalid(word="stepz", nearest="steps").nearest == "steps"
    assert TooSoon(wait=2.5).wait == 2.5
    assert OverQuota(resets=1e9).resets == 1e9
    assert ConfigError(key="limits.per_day").key == "limits.per_day"
    assert (Invalid().word, TooSoon().wait, OverQuota().resets, ConfigError().key) == ("", 0.0, 0.0, "")
