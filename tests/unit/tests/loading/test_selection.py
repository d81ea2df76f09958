# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import decimal
import random
from enum import Enum, IntEnum
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ducktape.json_serializable import jsonable
from ducktape.mark import matrix, parametrize
from ducktape.mark.mark_expander import MarkedFunctionExpander
from ducktape.tests.loading.selection import (
    argument_key,
    balanced_subset,
    disambiguate,
    repeat,
    sample,
    shuffle,
    subset,
    unique,
    without,
)
from ducktape.tests.test_context import TestContext


def _context(name: str, **kwargs: Any) -> TestContext:
    return TestContext(module=name, **kwargs)


def _ids(contexts: list[TestContext]) -> list[str]:
    return [context.test_id for context in contexts]


class Colour(IntEnum):
    RED = 1


class Word(str, Enum):
    ONE = "one"


class Plain(Enum):
    A = 1


class Point(NamedTuple):
    x: int


def _key(arguments: object) -> object:
    return argument_key(jsonable(arguments), exact=False)


@pytest.mark.parametrize(
    ("one", "other"), [(1, True), (1, 1.0), (0.0, -0.0), (0, False), (float("nan"), None), (float("inf"), "inf")]
)
def test_an_exact_key_tells_apart_what_python_calls_equal(one: object, other: object) -> None:
    assert argument_key({"x": [one]}) != argument_key({"x": [other]})
    assert argument_key({"x": [one]}) == argument_key({"x": [one]})


@pytest.mark.parametrize(
    ("python", "decoded"),
    [
        ((1, (2,)), [1, [2]]),
        ({1: "a", None: "b"}, {"1": "a", "null": "b"}),
        (Colour.RED, 1),
        (Word.ONE, "one"),
        (Point(3), [3]),
        ({"b", "a"}, ["a", "b"]),
        (1, 1.0),
    ],
)
def test_arguments_are_compared_as_json_shows_them(python: object, decoded: object) -> None:
    assert _key({"x": python}) == _key({"x": decoded})


@pytest.mark.parametrize(
    ("one", "other"),
    [({}, None), ([], {}), (["x"], {"x": None}), (1, "1"), ({"x": 1}, {"x": 1, "y": 2}), (None, False)],
)
def test_what_json_tells_apart_stays_apart(one: object, other: object) -> None:
    assert _key(one) != _key(other)


def test_any_value_has_a_key() -> None:
    assert hash(_key({"x": object(), "y": Plain.A, "z": float("nan")})) is not None


def test_uniqueness_is_that_of_objects() -> None:
    one, two = _context("a"), _context("a")
    assert unique([one, two, one]) == [one, two]
    assert without([one, two], [two]) == [one]


def test_tests_are_sorted_by_id() -> None:
    tests = [_context("c"), _context("a"), _context("b")]
    assert _ids(disambiguate(tests).settle(tests)) == ["a", "b", "c"]


def test_different_tests_of_one_id_are_numbered() -> None:
    tests = [_context("a", cls=None, function=None) for _ in range(3)]
    for number, test in enumerate(tests):
        test.injected_args = {"": " " * (number + 1)}
    others = [_context("a.=-2"), _context("b")]
    identities = disambiguate([*tests, *others])
    assert _ids(identities.settle(reversed([*tests, *others]))) == ["a.=", "a.=-2", "a.=-3", "a.=-4", "b"]
    assert identities.renamed == {"a.=": ["a.=", "a.=-3", "a.=-4"]}
    assert [test.disambiguator for test in tests] == ["", "-3", "-4"]


def test_one_test_written_twice_is_one_test() -> None:
    def test_it(x: object) -> None: ...

    expanded = MarkedFunctionExpander(function=parametrize(x=[1])(parametrize(x=[1])(test_it))).expand()
    identities = disambiguate(expanded)
    assert identities.settle(expanded) == expanded[:1]
    assert identities.settle(expanded[1:]) == expanded[:1]
    assert identities.renamed == {}


def test_equal_values_of_different_types_are_different_tests() -> None:
    def test_it(x: object) -> None: ...

    expanded = MarkedFunctionExpander(function=matrix(x=[1.5, decimal.Decimal("1.5")])(test_it)).expand()
    identities = disambiguate(expanded)
    assert _ids(identities.settle(expanded)) == ["test_it.x=1.5", "test_it.x=1.5-2"]


def test_values_with_a_broken_comparison_are_different() -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            raise ValueError("ambiguous")

        __hash__ = None  # type: ignore[assignment]

        def __str__(self) -> str:
            return "odd"

    def test_it(x: object) -> None: ...

    expanded = MarkedFunctionExpander(function=parametrize(x=Odd())(parametrize(x=Odd())(test_it))).expand()
    assert _ids(disambiguate(expanded).settle(expanded)) == ["test_it.x=odd", "test_it.x=odd-2"]


def test_ids_that_users_make_may_stay_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TestContext, "test_name", property(lambda self: "same"))
    tests = [_context("a", cls=int), _context("b", cls=str)]
    assert disambiguate(tests).settle(reversed(tests)) == tests


def test_a_subset_is_every_nth_test() -> None:
    assert [subset("abcdefg", index, 3) for index in range(3)] == [list("adg"), list("be"), list("cf")]
    assert subset("a", 1, 2) == []


def test_balanced_subsets_take_about_the_same_time() -> None:
    tests = [_context(name) for name in "abcde"]
    durations = {"a": 1.0, "b": 7.0, "c": 4.0, "d": 4.0, "gone": 4.0}
    # the mean of 4 seconds is what is assumed of "e"
    assert [_ids(balanced_subset(tests, durations, index, 2)) for index in range(2)] == [["b", "e"], ["c", "d", "a"]]
    assert _ids(balanced_subset(tests, {}, 1, 2)) == ["b", "d"]
    assert [_ids(balanced_subset(tests[:1], durations, index, 2)) for index in range(2)] == [["a"], []]


@given(
    st.lists(st.integers(0, 60).map(str), unique=True, max_size=40),
    st.dictionaries(st.integers(0, 80).map(str), st.floats(0, 1e6), max_size=60),
    st.integers(1, 7),
)
def test_every_test_is_in_exactly_one_part(names: list[str], durations: dict[str, float], count: int) -> None:
    tests = [_context(name) for name in sorted(names)]
    parts = [_ids(balanced_subset(tests, durations, index, count)) for index in range(count)]
    assert sorted(name for part in parts for name in part) == sorted(names)
    assert parts == [_ids(balanced_subset(tests, dict(durations), index, count)) for index in range(count)]


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=40), st.integers(1, 7))
def test_parts_differ_by_no_more_than_the_longest_test(seconds: list[float], count: int) -> None:
    durations = {str(index): value for index, value in enumerate(seconds)}
    tests = [_context(name) for name in sorted(durations)]
    parts = [_ids(balanced_subset(tests, durations, index, count)) for index in range(count)]
    totals = [sum(durations[name] for name in part) for part in parts]
    assert max(totals) - min(totals) <= max(seconds) * 1.000001


def test_the_same_seed_makes_the_same_random_order() -> None:
    tests = list(range(50))
    assert shuffle(tests, 3) == shuffle(tuple(tests), 3)
    assert shuffle(tests, 3) != shuffle(tests, 4)
    assert sorted(shuffle(tests, 3)) == tests == list(range(50))
    assert shuffle([], 3) == []


def test_the_whole_list_is_repeated() -> None:
    assert repeat(["a", "b"], 2) == ["a", "b", "a", "b"]


def test_a_sample_is_a_part_of_the_list() -> None:
    assert sample("abc", 2, random.Random(1)) == random.Random(1).sample(["a", "b", "c"], 2)
    assert sample("abc", 5, random.Random(1)) == ["a", "b", "c"]
    with pytest.raises(ValueError, match="negative"):
        sample("abc", -1, random.Random(1))
