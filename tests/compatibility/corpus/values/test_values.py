# SPDX-License-Identifier: Apache-2.0
"""Every kind of argument value that ends up in an id."""

from __future__ import annotations

import enum
from collections import OrderedDict
from typing import Any, NamedTuple

from ducktape.mark import matrix, parametrize
from ducktape.tests.test import Test


class Text(str, enum.Enum):
    ONE = "one"
    BLANK = "with blank"


class Plain(enum.Enum):
    RED = 1
    GREEN = "g"


class Point(NamedTuple):
    x: int
    y: str = "p"


class Settings(dict):  # type: ignore[type-arg]
    """A dict subclass."""


class ValuesTest(Test):
    def test_none(self) -> None:
        pass

    @parametrize()
    def test_no_arguments(self) -> None:
        pass

    @parametrize(a=1, b=2)
    @parametrize(b=1, a=2)
    def test_order(self, a: int, b: int) -> None:
        pass

    @parametrize(a=True, b=1.5, c=-3)
    def test_numbers(self, a: bool, b: float, c: int) -> None:
        pass

    @parametrize(a="x y\tz", b="it's", c='"q"')
    def test_quotes(self, a: str, b: str, c: str) -> None:
        pass

    @parametrize(a="/etc/foo bar/", b="..", c="a=b")
    def test_paths(self, a: str, b: str, c: str) -> None:
        pass

    @parametrize(a=[1, 2], b={"k": "v"}, c=(1,))
    def test_containers(self, a: list[int], b: dict[str, str], c: tuple[int]) -> None:
        pass

    @parametrize(a="", b="é")
    def test_empty_and_accent(self, a: str, b: str) -> None:
        pass

    @parametrize(a="end.")
    def test_full_stop_at_the_end(self, a: str) -> None:
        pass

    @parametrize(a=None)
    def test_nothing(self, a: None) -> None:
        pass

    @matrix(a=[0.1, 1e100, 1.0, -0.5])
    def test_floats(self, a: float) -> None:
        pass

    @matrix(a=[{}, {"k": {"l": [1, None]}}, OrderedDict(z=1), Settings(z=2)])
    def test_dicts(self, a: Any) -> None:
        pass

    @matrix(a=[(), (1, 2), ("a", ("b",))])
    def test_tuples(self, a: Any) -> None:
        pass

    @matrix(a=[[], [1, [2, [3]]], ["x y"]])
    def test_lists(self, a: Any) -> None:
        pass

    @matrix(a=list(Text))
    def test_text_enum(self, a: Text) -> None:
        pass

    @matrix(a=list(Plain))
    def test_plain_enum(self, a: Plain) -> None:
        pass

    @matrix(a=[Point(1), Point(2, "q")])
    def test_named_tuple(self, a: Point) -> None:
        pass

    @matrix(a=["x" * 255, "y" * 300, "/" + "z" * 260 + "/"])
    def test_long(self, a: str) -> None:
        pass

    @parametrize(**{f"argument_number_{i}": f"value_number_{i}" for i in range(12)})
    def test_many(self, **kwargs: str) -> None:
        pass

    @matrix(
        a=[
            "日本",
            "a\u00a0b",
            "\x00",
            "c\nd",
            "%s",
            "{e}",
            "f..g",
            ".h.",
            "-_=",
            "@::x",
            "i#",
            "j:k,l;m",
            "\u200bn",
            "o\\p",
        ]
    )
    def test_characters(self, a: str) -> None:
        pass

    @parametrize(**{"self_": 1, "ü": 2})
    def test_keys(self, **kwargs: int) -> None:
        pass

    @matrix(a=[b"bytes", frozenset([1]), range(3), 1 + 2j])
    def test_rare(self, a: Any) -> None:
        pass
