# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import collections
import dataclasses
import enum
import functools
import json
import math
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pytest

from ducktape.utils.support.stable_text import (
    in_stable_order,
    numbers_from_order,
    numbers_in_order,
    numbers_of,
    stable_text,
)

HERE = __name__


class Thing:
    def method(self) -> None:
        pass


class TellsItsId:
    def __str__(self) -> str:
        return f"thing {id(self)}"


class TellsItsIdInHexadecimal:
    def __repr__(self) -> str:
        return f"<thing {id(self):x}>"


class CountsItsTexts:
    count = 0

    def __str__(self) -> str:
        CountsItsTexts.count += 1
        return f"text {self.count}"


class JoinsASet:
    def __init__(self, *tags: str) -> None:
        self.tags = set(tags)

    def __repr__(self) -> str:
        return "+".join(self.tags)


class Mute:
    def __repr__(self) -> str:
        raise ValueError("no text")


@dataclasses.dataclass(frozen=True)
class Settings:
    tags: frozenset[str]
    action: Any = None
    password: str = "hunter2"


class Pair(NamedTuple):
    one: Any
    two: Any


class Choice(enum.Enum):
    BOTH = frozenset({"x", "y", "z"})


def function(*_: Any) -> Any:
    pass


def generator() -> Any:
    yield


STABLE: list[Any] = [
    1,
    True,
    1.5,
    None,
    "a b",
    "at 0x7f0011223344",
    ["at 0x7f0011223344"],
    [1, ("a",)],
    (),
    {"k": [b"x"]},
]
STABLE += [int, Thing, len, range(3), re.compile("a"), Path("/x"), ValueError("x"), Choice.BOTH, Pair(1, "x"), math.inf]
STABLE += [set(), frozenset(), {1}, collections.OrderedDict(a=1), functools.partial(len, "a"), 10**30, "\ud800"]


@pytest.mark.parametrize("value", STABLE)
def test_a_text_that_is_stable_stays(value: object) -> None:
    assert stable_text(value) == str(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b", "a"}, "{'a', 'b'}"),
        ([{"b", "a"}, frozenset({"d", "c"})], "[{'a', 'b'}, frozenset({'c', 'd'})]"),
        ({frozenset({"b", "a"}): ({"y", "x"},)}, "{frozenset({'a', 'b'}): ({'x', 'y'},)}"),
        (function, f"{HERE}.function"),
        (Thing().method, f"<bound method Thing.method of {HERE}.Thing>"),
        (functools.partial(function, 1), f"functools.partial({HERE}.function, 1)"),
        ([].append, "list.append"),
        (json, "<module 'json'>"),
        (Thing(), f"{HERE}.Thing"),
        ([Thing()], f"[{HERE}.Thing]"),
        (object(), "object"),
        (generator(), "generator"),
        (threading.Lock(), f"_thread.{type(threading.Lock()).__name__}"),
        (TellsItsId(), f"{HERE}.TellsItsId"),
        (TellsItsIdInHexadecimal(), f"{HERE}.TellsItsIdInHexadecimal"),
        (CountsItsTexts(), f"{HERE}.CountsItsTexts"),
        (JoinsASet("c", "b", "a"), "a+b+c"),
        (Mute(), f"{HERE}.Mute"),
        ([Mute()], f"[{HERE}.Mute]"),
        (
            Settings(frozenset({"b", "a"}), function),
            f"Settings(tags=frozenset({{'a', 'b'}}), action={HERE}.function, password='***')",
        ),
        (Pair({"b", "a"}, Thing()), f"Pair(one={{'a', 'b'}}, two={HERE}.Thing)"),
        (collections.deque([{"b", "a"}]), "deque([{'a', 'b'}])"),
        (collections.defaultdict(function, a={"y", "x"}), f"defaultdict({HERE}.function, {{'a': {{'x', 'y'}}}})"),
        pytest.param(10**5000, hex(10**5000), id="huge"),
        ({"db_password": "hunter2", "url": "amqp://u:hunter2@h/"}, "{'db_password': '***', 'url': 'amqp://u:***@h/'}"),
    ],
)
def test_what_differs_between_processes_is_replaced(value: object, text: str) -> None:
    assert stable_text(value).replace("_thread.LockType", "_thread.lock") == text.replace(
        "_thread.lock", "_thread.lock"
    )


def test_a_value_that_contains_itself_has_a_text() -> None:
    endless: list[Any] = [{"b", "a"}]
    endless.append(endless)
    assert stable_text(endless) == "[{'a', 'b'}, [...]]"


def test_a_single_object_is_not_changed_by_asking_for_its_text() -> None:
    assert stable_text([Choice.BOTH]) == "[<Choice.BOTH: frozenset({'x', 'y', 'z'})>]"
    assert type(Choice.BOTH.value) is frozenset


def test_objects_of_one_text_are_numbered_as_they_appear() -> None:
    one, two, secret, other = Thing(), Thing(), "hunter2", "hunter3"
    rows: list[dict[str, Any]] = [{"x": one, "password": secret}, {"x": [two]}, {"x": one, "password": other}]
    numbers = numbers_of(rows)
    assert [stable_text(row["x"], numbers) for row in rows] == [f"{HERE}.Thing", f"[{HERE}.Thing-2]", f"{HERE}.Thing"]
    assert [stable_text(row, numbers).partition("password")[2] for row in rows[::2]] == ["': '***'}", "': '***-2'}"]


def test_numbers_reach_another_process() -> None:
    rows: list[dict[str, Any]] = [{"x": Thing()}, {"x": [Thing(), Thing()]}]
    order = numbers_in_order(rows[1], numbers_of(rows))
    copy: dict[str, Any] = {"x": [Thing(), Thing()]}
    text = stable_text(copy["x"], numbers_from_order(copy, order))
    assert text == f"[{HERE}.Thing-2, {HERE}.Thing-3]"


def test_functions_of_one_name_are_ordered_by_their_place() -> None:
    first = lambda: 1  # noqa: E731
    second = lambda: 2  # noqa: E731
    assert in_stable_order({second, first}) == [first, second]


def test_texts_are_the_same_under_any_hash_seed() -> None:
    code = (
        "from tests.unit.utils.support.test_stable_text import *\n"
        "print(stable_text([set('abcdef'), Settings(frozenset('abc')), JoinsASet(*'abc'), {Thing(), len, 'a', 1}]))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    thing = "tests.unit.utils.support.test_stable_text.Thing"
    settings = "Settings(tags=frozenset({'a', 'b', 'c'}), action=None, password='***')"
    assert texts == {
        f"[{{'a', 'b', 'c', 'd', 'e', 'f'}}, {settings}, a+b+c, {{'a', 1, <built-in function len>, {thing}}}]\n"
    }


class Tags(set[str]):
    pass


class FrozenTags(frozenset[str]):
    pass


@pytest.mark.parametrize(("kind", "name"), [(Tags, "Tags"), (FrozenTags, "FrozenTags")])
def test_sets_of_a_subclass_are_sorted(kind: type[Any], name: str) -> None:
    names = [f"name{number}" for number in range(8)]
    spelled = ", ".join(map(repr, names))
    assert stable_text(kind(reversed(names))) == f"{name}({{{spelled}}})"
    assert stable_text(kind()) == f"{name}()"


def test_what_nested_objects_consist_of_is_looked_at_once() -> None:
    class Node:
        asked = 0

        def __init__(self, child: object) -> None:
            self.child = child

        def __repr__(self) -> str:
            Node.asked += 1
            return f"0x{id(self):x}"

    chain: object = None
    for _ in range(15):
        chain = Node(chain)
    assert stable_text(chain) == f"{HERE}.test_what_nested_objects_consist_of_is_looked_at_once.<locals>.Node"
    assert Node.asked < 2_000


class AnswersEverything:
    def __getattr__(self, name: str) -> AnswersEverything:
        return AnswersEverything()


@pytest.mark.parametrize("kind", [AnswersEverything, mock.Mock, mock.MagicMock])
def test_an_object_that_makes_its_parts_when_asked_has_an_end(kind: type[Any]) -> None:
    assert stable_text(kind()) == f"{kind.__module__}.{kind.__qualname__}"
