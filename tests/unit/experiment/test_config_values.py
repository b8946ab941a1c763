"""Values of a config: whatever YAML can hold is named by its key, however deep or long."""

import datetime

import pytest

from blastfold.experiment.config_values import DEEPEST, MOST_VALUES, shown, value_faults


def nested(depth):
    config = {}
    for _ in range(depth):
        config = {"a": config}
    return config


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (None, "top level: received None, expected keys"),
        ([1], "top level: received [1], expected keys"),
        ({1: 2}, "top level: received the key 1, expected text; put quotes round it"),
        ({"datasets": {False: {}}}, "datasets: received the key False, expected text; YAML reads"),
        ({"datasets": {"a\n": {}}}, "expected printable text"),
        ({"datasets": {"x" * 300: {}}}, "xxx... of 300 characters, expected 255 at most"),
        ({"title": "a\nb"}, "title: received 'a\\nb', which has the character '\\n'"),
        ({"title": "a\tb"}, "has the character '\\t'"),
        ({"title": "\ud800"}, "has the character '\\ud800'"),
        ({"title": "  "}, "title: received '  ', expected text"),
        ({"a": [{"b": ["", 1]}]}, "a.0.b.0: received '', expected text"),
        ({"title": datetime.date(2022, 1, 1)}, "(date), expected text, a number"),
        ({"title": b"x"}, "title: received b'x' (bytes)"),
        ({"a": {1, 2}}, "a: received {1, 2} (set)"),
        ({"seed": 10**400}, "seed: received 1000"),
        ({"seed": -(10**5000)}, "seed: received a very long int, expected a number below 2^63"),
        (nested(DEEPEST + 1), f"a.a.a...: more than {DEEPEST} levels"),
        ({"a": [0] * MOST_VALUES}, f"top level: more than {MOST_VALUES} values"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(config, expected):
    [fault] = value_faults(config)
    assert expected in fault
    assert len(fault) < 400


def test_a_config_within_itself_ends():
    config = {"a": {}}
    config["a"]["a"] = config
    assert any("levels" in fault for fault in value_faults(config))


def test_usual_values_are_not_faults():
    usual = {"a": [None, True, 1, -1.5, float("nan"), "Universität Köln, 1 < 2 {x}"], "b": {}}
    assert list(value_faults(usual)) == []
    assert list(value_faults(nested(DEEPEST))) == []


def test_a_long_value_is_shortened():
    assert shown("x" * 1000) == "'" + "x" * 76 + "..."
    assert shown([1, 2]) == "[1, 2]"
