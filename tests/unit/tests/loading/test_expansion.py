# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ducktape.tests.loading.discovery import DEFAULT_TEST_FUNCTION_PATTERN, ModuleAndFile
from ducktape.tests.loading.expansion import Expansion, bind
from ducktape.tests.loading.symbols import LoaderException, TestSymbol, parse_symbol

_TEXT = """
from ducktape.mark import ignore, matrix, parametrize
from ducktape.tests.test import Test

class T(Test):
    @matrix(x=[1, (2, 3)])
    def test_a(self, x): return x
    def test_b(self): pass
"""


def _source(text: str, file: str = "/made/up.py") -> ModuleAndFile:
    module = ModuleType("made.up")
    exec(text, vars(module))
    return ModuleAndFile(module, file)


def _expansion(**kwargs: Any) -> Expansion:
    fields = {"session_context": None, "cluster": None, "injected_args": None, **kwargs}
    return Expansion(function_pattern=DEFAULT_TEST_FUNCTION_PATTERN, **fields)


def _ids(expansion: Expansion, source: ModuleAndFile, symbol: str) -> list[str]:
    return [context.test_id for context in expansion.contexts(source, parse_symbol(symbol))]


def test_binding_without_arguments_changes_nothing() -> None:
    def function(self: str, x: int = 0) -> tuple[str, int]:
        return self, x

    assert bind(function, None) is function
    assert bind(function, {"x": 1})("me") == ("me", 1)
    assert bind(function, {}).__name__ == "function"


def test_contexts_know_where_they_come_from() -> None:
    expansion = _expansion(session_context="session", cluster=["node"])
    source = _source(_TEXT)
    (context,) = expansion.contexts(source, TestSymbol("p", "T", "test_b"))
    assert (context.module, context.file, context.cls) == ("made.up", "/made/up.py", source.module.T)
    given = vars(context)
    assert (given["session_context"], given["cluster"], given["function"]) == (
        "session",
        ["node"],
        source.module.T.test_b,
    )


def test_symbols_choose_methods_and_arguments() -> None:
    expansion, source = _expansion(), _source(_TEXT)
    assert _ids(expansion, source, "p") == ["made.up.T.test_a.x=.2.3", "made.up.T.test_a.x=1", "made.up.T.test_b"]
    assert _ids(expansion, source, 'p::T.test_a@{"x": 1}') == ["made.up.T.test_a.x=1"]
    assert _ids(expansion, source, 'p::.test_a@[{"x": [2, 3]}, {"x": 5}, {"x": 1}, {"x": 1}]') == [
        "made.up.T.test_a.x=.2.3",
        "made.up.T.test_a.x=1",
    ]
    assert _ids(expansion, source, "p::T.test_b@{}") == []
    assert _ids(expansion, source, "p::T.test_b@[null]") == ["made.up.T.test_b"]


def test_a_method_is_expanded_once() -> None:
    expansion, source = _expansion(), _source(_TEXT)
    everything = expansion.contexts(source, parse_symbol("p"))
    (one,) = expansion.contexts(source, parse_symbol("p::T.test_b"))
    assert one is everything[2]


def test_siblings_do_not_depend_on_what_was_asked_for() -> None:
    expansion, source = _expansion(), _source(_TEXT)
    (one,) = expansion.contexts(source, parse_symbol('p::T.test_a@{"x": 1}'))
    expansion.contexts(source, parse_symbol("p::T.test_b"))
    assert [context.injected_args for context in expansion.siblings([one])] == [{"x": (2, 3)}, {"x": 1}]
    assert expansion.siblings([]) == []


def test_given_arguments_replace_all_others() -> None:
    contexts = _expansion(injected_args={"x": 7}).contexts(_source(_TEXT), parse_symbol("p"))
    assert [(context.function_name, context.injected_args) for context in contexts] == [
        ("test_a", {"x": 7}),
        ("test_b", {"x": 7}),
    ]


def test_a_misplaced_mark_is_told_with_the_name_of_the_test(tmp_path: Path) -> None:
    source = _source(_TEXT + "    @parametrize(x=1)\n    @ignore\n    def test_c(self, x): pass\n", "/a/b.py")
    expansion = _expansion()
    contexts = expansion.contexts(source, parse_symbol("p"))
    with pytest.raises(LoaderException) as error:
        expansion.check(contexts)
    assert str(error.value).startswith(
        "made.up.T.test_c in /a/b.py: ignore annotation is not being applied to any test cases"
    )


def test_marks_of_classes_and_their_parents_reach_the_tests() -> None:
    text = """
from ducktape.mark import expected_failure, parametrize, tag, timeout
from ducktape.tests.test import Test

@timeout(test="1h", setup=5)
@tag("base")
class Base(Test):
    def test_inherited(self): pass

@timeout(test="2h")
@tag("child")
class Child(Base):
    @timeout(test=1)
    @tag("own")
    @parametrize(x=1)
    @expected_failure("why", x=1)
    def test_own(self, x): pass
"""
    inherited, own = _expansion().contexts(_source(text), parse_symbol("p"))
    assert (inherited.test_id, inherited.timeouts) == ("made.up.Child.test_inherited", {"test": 7200.0, "setup": 5.0})
    assert inherited.expected_failure is None
    assert inherited.tags == {"base", "child"}
    assert (own.test_id, own.timeouts) == ("made.up.Child.test_own.x=1", {"test": 1.0, "setup": 5.0})
    assert own.expected_failure == "why"
    assert own.tags == {"base", "child", "own"}
