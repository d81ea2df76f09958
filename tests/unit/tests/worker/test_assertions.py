# SPDX-License-Identifier: Apache-2.0
"""The values of a failed assertion, without side effects and secrets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from ducktape.tests.worker.assertions import values_in_assertion


class Thing:
    """Something with code of its own."""

    asked = 0

    def __init__(self, value: Any) -> None:
        self.value = value

    @property
    def counted(self) -> int:
        type(self).asked += 1
        return 3

    def __repr__(self) -> NoReturn:
        raise RuntimeError("no text")


def values_of(check: Callable[[], None]) -> list[str]:
    with pytest.raises(AssertionError) as caught:
        check()
    return values_in_assertion(caught.value)


def test_the_values_of_two_runs_differ_only_if_the_runs_do() -> None:
    class Plain:
        pass

    def check() -> None:
        plain = Plain()
        assert plain is None

    assert values_of(check) == values_of(check) == [f"plain = <{__name__}.{Plain.__qualname__} object>"]


def test_the_parts_of_a_comparison_are_shown_and_only_those() -> None:
    def check() -> None:
        found, limit = {"a": [1, 2]}, 3
        assert len(found["a"]) > limit + 1

    assert values_of(check) == [
        'len(found["a"]) = 2'.replace('"', "'"),
        "limit + 1 = 4",
        "found['a'] = [1, 2]",
        "limit = 3",
        "found = {'a': [1, 2]}",
    ]


def test_nothing_with_side_effects_is_called_again() -> None:
    Thing.asked = 0

    def check() -> None:
        thing = Thing(5)
        assert thing.counted == 4

    assert values_of(check) == ["thing = <Thing instance>"]
    assert Thing.asked == 1


def test_an_assertion_of_several_lines_is_found_by_any_of_them() -> None:
    def check() -> None:
        first, second = 1, 2
        assert (
            first
            == second
        )  # fmt: skip

    assert values_of(check) == ["first = 1", "second = 2"]


def test_secrets_are_masked_and_long_values_cut() -> None:
    def check() -> None:
        password, url, many = "hunter2", "http://u:pw@host/", list(range(1000))
        options = {"api_key": "k1", "port": 1}
        assert [password, url, many, options] == []

    values = values_of(check)
    assert "password = ***" in values
    assert "url = 'http://u:***@host/'" in values
    assert "many = [0, 1, 2, 3, 4, 5, 6, 7, ...]" in values
    assert "options = {'api_key': '***', 'port': 1}" in values
    assert not any("hunter2" in line or "k1" in line for line in values)


@pytest.mark.parametrize("error", [ValueError("x"), AssertionError("raised, not asserted")])
def test_other_errors_have_no_values(error: Exception) -> None:
    def check() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        check()
    assert values_in_assertion(caught.value) == []


def test_a_source_that_is_not_there_costs_only_the_values() -> None:
    code = compile("def check():\n    x = 1\n    assert x == 2\n", "/nowhere/at_all.py", "exec")
    space: dict[str, Any] = {}
    exec(code, space)
    assert values_of(space["check"]) == []
