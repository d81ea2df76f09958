# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import ducktape.mark
from ducktape.errors import DucktapeError
from ducktape.mark import defaults, env, ignore, ignored, is_env, matrix, parametrize, parametrized
from ducktape.mark._mark import (
    ENV,
    IGNORE,
    PARAMETRIZED,
    Defaults,
    Env,
    Ignore,
    IgnoreAll,
    Mark,
    Matrix,
    Parametrize,
    _inject,
    _is_parametrize_mark,
    cartesian_product_dict,
)
from ducktape.mark.consts import CLUSTER_NODE_TYPE_KEYWORD, CLUSTER_SIZE_KEYWORD, CLUSTER_SPEC_KEYWORD
from ducktape.mark.resource import ClusterUseMetadata, cluster


def _marks(function: Any) -> list[Mark]:
    return function.marks  # type: ignore[no-any-return]


def test_the_public_names_are_the_documented_ones() -> None:
    assert sorted(ducktape.mark.__all__) == [
        "defaults", "env", "ignore", "ignored", "is_env", "matrix", "parametrize", "parametrized",
    ]  # fmt: skip


def test_the_keywords_of_cluster_are_constants() -> None:
    assert (CLUSTER_SPEC_KEYWORD, CLUSTER_SIZE_KEYWORD, CLUSTER_NODE_TYPE_KEYWORD) == (
        "cluster_spec",
        "num_nodes",
        "node_type",
    )


def test_importing_the_marks_loads_nothing_heavy() -> None:
    heavy = "paramiko boto3 winrm jinja2 requests yaml psutil ducktape.tests.test_context"
    program = (
        f"import sys, ducktape.mark, ducktape.mark.resource; print([m for m in '{heavy}'.split() if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_decorators_return_the_function_itself() -> None:
    def function() -> None: ...

    for decorate in (
        parametrize(x=1),
        matrix(x=[1]),
        defaults(x=[1]),
        ignore,
        ignore(x=1),
        env(),
        cluster(num_nodes=1),
    ):
        assert decorate(function) is function


def test_marks_are_kept_in_the_order_in_which_the_decorators_run() -> None:
    @ignore
    @cluster(num_nodes=2)
    @parametrize(x=1)
    def function() -> None: ...

    assert _marks(function) == [Parametrize(x=1), ClusterUseMetadata(num_nodes=2), IgnoreAll()]
    assert vars(function)["mark_names"] == {"PARAMETRIZE", "RESOURCE_HINT_CLUSTER_USE", "IGNORE"}


def test_predicates_look_at_names() -> None:
    @ignore
    @env(X="1")
    @matrix(x=[1])
    def function() -> None: ...

    def bare() -> None: ...

    assert (parametrized(function), ignored(function), is_env(function)) == (True, True, True)
    assert (parametrized(bare), ignored(bare), is_env(bare)) == (False, False, False)
    assert (parametrized(None), ignored(None), is_env(None), Mark.marked(None, IGNORE)) == (False,) * 4


@pytest.mark.parametrize("decorate", [parametrize(x=1), matrix(x=[1]), defaults(x=[1])])
def test_every_parametrizing_decorator_counts_as_parametrized(decorate: Any) -> None:
    def function() -> None: ...

    assert parametrized(decorate(function))
    assert _is_parametrize_mark(_marks(function)[0])


def test_clearing_removes_both_attributes() -> None:
    @ignore
    def function() -> None: ...

    Mark.clear_marks(function)
    Mark.clear_marks(function)
    assert vars(function) == {}


def test_marks_without_names_are_found_through_the_list() -> None:
    @parametrize(x=1)
    def function() -> None: ...

    def wrapped() -> None: ...

    vars(wrapped)["marks"] = _marks(function)
    assert parametrized(wrapped)
    ignore(wrapped)
    assert vars(wrapped)["mark_names"] == {"PARAMETRIZE", "IGNORE"}


def test_marks_of_a_class_are_not_those_of_its_parent() -> None:
    class Parent: ...

    class Child(Parent): ...

    ignore(Parent)
    ignore(Child)
    assert _marks(Parent) == [IgnoreAll()]
    assert _marks(Child) == [IgnoreAll()]


def test_equality_needs_type_name_and_arguments() -> None:
    assert Parametrize(x=1) == Parametrize(x=1)
    assert Parametrize(x=1) != Parametrize(x=2)
    assert Parametrize(x=[1]) != Matrix(x=[1])
    assert Ignore(x=1) != IgnoreAll()
    assert IgnoreAll() == IgnoreAll()
    assert ClusterUseMetadata(num_nodes=1) != ClusterUseMetadata(num_nodes=2)
    assert Parametrize() == PARAMETRIZED != object()
    assert len({Parametrize(x=1), Parametrize(x=1)}) == 1


def test_the_base_mark_says_what_is_missing() -> None:
    assert Mark().name == "MARK"
    with pytest.raises(NotImplementedError, match="override apply"):
        Mark().apply(None, [])


def test_ignore_with_empty_parentheses_is_bare() -> None:
    @ignore()
    def function() -> None: ...

    assert _marks(function) == [IgnoreAll()]


def test_ignore_takes_remarks() -> None:
    @ignore("slow", "and flaky")
    @ignore("one reason")
    def function() -> None: ...

    assert _marks(function) == [IgnoreAll(), IgnoreAll()]


def test_ignore_of_two_functions_does_nothing_to_them() -> None:
    def one() -> None: ...
    def two() -> None: ...

    ignore(one, two)
    assert (vars(one), vars(two)) == ({}, {})


@pytest.mark.parametrize("decorator", [matrix, defaults])
def test_values_have_to_be_iterable(decorator: Any) -> None:
    expected = rf"^Expected all values in @{decorator.__name__} decorator to be iterable: y=5 is not$"
    with pytest.raises(DucktapeError, match=expected):
        decorator(x=[1], y=5)


def test_iterators_are_kept_when_the_decorator_runs() -> None:
    mark = Matrix(x=iter([1, 2]), y=(c for c in "ab"))
    assert mark.injected_args == {"x": [1, 2], "y": ["a", "b"]}
    assert Defaults(x=map(str, [1])).injected_args == {"x": ["1"]}


def test_the_environment_is_read_when_the_decorator_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUCK", "quack")
    assert not Env(DUCK="quack").should_ignore
    assert Env(DUCK="quack", DRAKE="x").should_ignore
    assert not ENV.should_ignore


def test_env_compares_with_the_environment_on_the_left(monkeypatch: pytest.MonkeyPatch) -> None:
    class AnyOf(tuple[str, ...]):
        def __eq__(self, other: object) -> bool:
            return other in tuple(self)

        def __ne__(self, other: object) -> bool:
            return not self == other

        __hash__ = tuple.__hash__

    monkeypatch.setenv("DUCK", "b")
    assert not Env(DUCK=AnyOf(("a", "b"))).should_ignore
    assert Env(DUCK=AnyOf(("c",))).should_ignore


def test_the_last_key_of_a_product_varies_fastest() -> None:
    assert cartesian_product_dict({"x": [1, 2], "y": "ab"}) == [
        {"x": 1, "y": "a"},
        {"x": 1, "y": "b"},
        {"x": 2, "y": "a"},
        {"x": 2, "y": "b"},
    ]
    assert cartesian_product_dict({}) == [{}]
    assert cartesian_product_dict({"x": []}) == []


def test_an_injected_function_remembers_where_it_comes_from() -> None:
    def function(self: str, x: int, y: int = 0) -> tuple[str, int, int]:
        """Says something."""
        return self, x, y

    bound: Any = _inject(x=1)(function)
    assert bound("me") == ("me", 1, 0)
    assert bound("me", y=2) == ("me", 1, 2)
    assert (bound.__name__, bound.__doc__, bound.__wrapped__) == ("function", "Says something.", function)
    assert (bound.args, bound.kwargs, bound.function) == ((), {"x": 1}, function)
    assert _inject("me", 1)(function)() == ("me", 1, 0)


def test_a_wrong_argument_name_is_noticed_by_the_call() -> None:
    bound = _inject(z=1)(lambda self: None)
    with pytest.raises(TypeError):
        bound("me")
