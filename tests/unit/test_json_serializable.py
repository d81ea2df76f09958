# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import enum
import json
import math
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ducktape.json_serializable import DucktapeJSONEncoder, jsonable, unserializable_part


class Point(NamedTuple):
    x: int
    y: int


class Number(enum.IntEnum):
    ONE = 1


class Word(str, enum.Enum):
    HELLO = "hello"


class Plain(enum.Enum):
    RED = 1


class Convertible:
    def __init__(self, content: object) -> None:
        self.content = content

    def to_json(self) -> object:
        return self.content


class Broken:
    def to_json(self) -> object:
        raise ValueError("no idea\nat all")

    def __str__(self) -> str:
        raise ValueError("nor a text")

    __repr__ = __str__


class Endless:
    def to_json(self) -> object:
        return [Endless()]


def test_the_encoder_uses_to_json_at_any_depth() -> None:
    assert json.dumps({"a": [Convertible({"b": 1})]}, cls=DucktapeJSONEncoder) == '{"a": [{"b": 1}]}'


def test_the_encoder_refuses_what_it_does_not_know() -> None:
    with pytest.raises(TypeError, match="Object of type set is not JSON serializable"):
        json.dumps({1}, cls=DucktapeJSONEncoder)


def test_the_encoder_does_not_call_to_json_of_a_class() -> None:
    with pytest.raises(TypeError):
        json.dumps(Convertible, cls=DucktapeJSONEncoder)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (1.5, 1.5),
        ((1, "a"), [1, "a"]),
        (Point(1, 2), [1, 2]),
        ({3, 1, 20}, [1, 3, 20]),
        (frozenset({"b", 1}), ["b", 1]),
        (Number.ONE, 1),
        (Word.HELLO, "hello"),
        (Plain.RED, "Plain.RED"),
        (Convertible(Point(1, 2)), [1, 2]),
        ({1: "a", None: "b", False: "c", 2.5: "d"}, {"1": "a", "null": "b", "false": "c", "2.5": "d"}),
        ({(1, 2): "a", Word.HELLO: "b", Number.ONE: "c"}, {"(1, 2)": "a", "hello": "b", "1": "c"}),
        (b"x", "b'x'"),
        (Broken(), f"{__name__}.Broken"),
        ([Broken()], [f"{__name__}.Broken"]),
    ],
)
def test_a_value_becomes_json_ready(value: object, expected: object) -> None:
    copy = jsonable(value)
    assert copy == expected
    assert json.loads(json.dumps(copy)) == expected


def test_enumerations_lose_their_type() -> None:
    assert [type(item) for item in jsonable([Number.ONE, Word.HELLO])] == [int, str]


def test_non_finite_numbers_stay() -> None:
    assert jsonable([math.inf, -math.inf]) == [math.inf, -math.inf]
    assert math.isnan(jsonable(math.nan))


def test_a_cycle_is_cut_off() -> None:
    items: list[Any] = [1]
    items.append(items)
    assert jsonable(items) == [1, "<list that contains itself>"]


def test_the_same_object_twice_is_no_cycle() -> None:
    inner = [1]
    assert jsonable([inner, inner]) == [[1], [1]]


def test_endless_conversions_and_deep_nesting_survive() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert isinstance(json.dumps(jsonable(Endless())), str)
    assert isinstance(json.dumps(jsonable(deep)), str)
    while deep:  # taken apart by hand, or deleting it would exhaust the stack of older interpreters
        deep = deep[0]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_what_json_can_express_stays_as_it_is(value: object) -> None:
    assert jsonable(value) == value
    assert unserializable_part(value) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"x": [1, 2, {3}]}, "data['x'][2] is a set, which JSON cannot express"),
        ({1}, "data is a set, which JSON cannot express"),
        ([object()], "data[0] is an object, which JSON cannot express"),
        ({"a": {(1, 2): 3}}, "data['a'] has a key that is a tuple, which JSON cannot express"),
        (Convertible([{1}]), "data.to_json()[0] is a set, which JSON cannot express"),
        ([Broken()], "data[0].to_json() failed: ValueError: no idea"),
        (
            [Plain.RED],
            "data[0] is a tests.unit.test_json_serializable.Plain, which JSON cannot express",
        ),
    ],
)
def test_the_part_that_json_cannot_express_is_named(value: object, expected: str) -> None:
    assert unserializable_part(value) == expected


def test_the_caller_gives_the_first_word() -> None:
    assert unserializable_part([{1}], name="result") == "result[0] is a set, which JSON cannot express"


def test_a_cycle_is_named() -> None:
    items: dict[str, Any] = {}
    items["self"] = items
    assert unserializable_part(items) == "data['self'] contains itself, which JSON cannot express"


def test_endless_conversions_are_named() -> None:
    assert unserializable_part(Endless()) == "data is nested too deeply for JSON"


@pytest.mark.parametrize("value", [Number.ONE, Word.HELLO, Point(1, 2), {1: 2, None: 3}, Convertible(1), math.nan])
def test_what_the_encoder_accepts_has_no_such_part(value: object) -> None:
    assert unserializable_part(value) is None
