# SPDX-License-Identifier: Apache-2.0
"""Marks that users wrote themselves."""

from __future__ import annotations

from typing import Any

from ducktape.mark._mark import Ignore, Mark
from ducktape.tests.test import Test


class IgnoreAlways(Ignore):
    def __init__(self) -> None:
        super().__init__()
        self.injected_args = None  # type: ignore[assignment]

    def apply(self, seed_context: Any, context_list: list[Any]) -> list[Any]:
        for ctx in context_list:
            ctx.ignore = ctx.ignore or True
        return list(context_list)


class Repeat(Mark):
    """Makes one test per number, and passes for a parametrization."""

    def __init__(self, times: int, first: int) -> None:
        super().__init__()
        self.turns = range(first, first + times)

    @property
    def name(self) -> str:
        return "PARAMETRIZE"

    def apply(self, seed_context: Any, context_list: list[Any]) -> list[Any]:
        made = [seed_context.copy(function=seed_context.function, injected_args={"turn": turn}) for turn in self.turns]
        return made + list(context_list)


class Label(Mark):
    """Only leaves a word in the cluster metadata."""

    @property
    def name(self) -> str:
        return "LABEL"

    def apply(self, seed_context: Any, context_list: list[Any]) -> list[Any]:
        for ctx in context_list:
            if not ctx.cluster_use_metadata:
                ctx.cluster_use_metadata = {"num_nodes": 2}
        return list(context_list)


def ignore_always(function: Any) -> Any:
    Mark.mark(function, IgnoreAlways())
    return function


def repeat(times: int, first: int = 0) -> Any:
    def decorator(function: Any) -> Any:
        Mark.mark(function, Repeat(times, first))
        return function

    return decorator


def label(function: Any) -> Any:
    Mark.mark(function, Label())
    return function


class SubclassedTest(Test):
    @ignore_always
    def test_ignored_by_a_subclass(self) -> None:
        pass

    @repeat(3)
    def test_repeated(self, turn: int) -> None:
        pass

    @label
    @repeat(2)
    def test_labelled(self, turn: int) -> None:
        pass

    @repeat(1, first=5)
    @ignore_always
    @repeat(1)
    def test_both(self, turn: int) -> None:
        pass
