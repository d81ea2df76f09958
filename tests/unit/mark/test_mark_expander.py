# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from ducktape.mark import defaults, env, ignore, matrix, parametrize
from ducktape.mark.mark_expander import MarkedFunctionExpander
from ducktape.mark.resource import cluster


def _expand(function: Any, parameters: dict[str, Any] | None = None) -> list[Any]:
    return MarkedFunctionExpander(function=function).expand(parameters)


def _arguments(function: Any) -> list[Any]:
    return [context.injected_args for context in _expand(function)]


def _ignored(function: Any) -> dict[str, bool]:
    return {str(context.injected_args): context.ignore for context in _expand(function)}


def test_an_unmarked_function_is_one_test_without_arguments() -> None:
    def function() -> None: ...

    expander = MarkedFunctionExpander(module="m", cls=dict, function=function, file="/a.py", cluster=[1])
    (context,) = expander.expand()
    assert context is expander.seed_context
    assert (context.module, context.cls, context.file, vars(context)["cluster"]) == ("m", dict, "/a.py", [1])
    assert (context.injected_args, context.ignore, context.function) == (None, False, function)


def test_everything_may_be_omitted() -> None:
    expander = MarkedFunctionExpander()
    assert expander.expand() == [expander.seed_context]


def test_a_parametrized_function_starts_from_nothing() -> None:
    expander = MarkedFunctionExpander(function=parametrize(x=1)(lambda x: x))
    assert expander.context_list == []


def test_the_matrix_comes_out_reversed() -> None:
    @matrix(x=[1, 2], y=["a", "b"])
    def function() -> None: ...

    assert [tuple(args.values()) for args in _arguments(function)] == [(2, "b"), (2, "a"), (1, "b"), (1, "a")]


def test_later_decorators_come_first() -> None:
    @parametrize(x=1)
    @parametrize(x=2)
    @matrix(x=[3, 4])
    def function() -> None: ...

    assert _arguments(function) == [{"x": 1}, {"x": 2}, {"x": 4}, {"x": 3}]


def test_defaults_complete_what_is_below() -> None:
    @defaults(z=[1, 2])
    @matrix(x=[1], y=[1, 2])
    @parametrize(x=3, y=4)
    @parametrize(x=3, y=4, z=999)
    def function() -> None: ...

    assert [list(args.items()) for args in _arguments(function)] == [
        [("x", 3), ("y", 4), ("z", 999)],
        [("z", 2), ("x", 3), ("y", 4)],
        [("z", 1), ("x", 3), ("y", 4)],
        [("z", 2), ("x", 1), ("y", 1)],
        [("z", 1), ("x", 1), ("y", 1)],
        [("z", 2), ("x", 1), ("y", 2)],
        [("z", 1), ("x", 1), ("y", 2)],
    ]


def test_defaults_leave_alone_what_is_above() -> None:
    @parametrize(x=1)
    @defaults(z=[1, 2])
    @parametrize(x=2)
    def function() -> None: ...

    assert _arguments(function) == [{"x": 1}, {"z": 2, "x": 2}, {"z": 1, "x": 2}]


def test_defaults_alone_are_a_matrix() -> None:
    assert _arguments(defaults(z=[1, 2])(lambda z: z)) == [{"z": 2}, {"z": 1}]


def test_defaults_keep_what_marks_below_have_said() -> None:
    @defaults(z=[1])
    @ignore
    @cluster(num_nodes=3)
    @parametrize(x=1)
    def function() -> None: ...

    (context,) = _expand(function)
    assert (context.ignore, context.cluster_use_metadata) == (True, {"num_nodes": 3})


def test_the_innermost_cluster_wins() -> None:
    @cluster(num_nodes=10)
    @parametrize(x=1)
    @cluster(num_nodes=20)
    @cluster()
    @parametrize(x=2)
    def function() -> None: ...

    uses = {context.injected_args["x"]: context.cluster_use_metadata for context in _expand(function)}
    assert uses == {1: {"num_nodes": 10}, 2: {"num_nodes": 20}}


def test_tests_below_one_cluster_share_its_metadata() -> None:
    one, two = _expand(cluster(num_nodes=1)(matrix(x=[1, 2])(lambda x: x)))
    assert one.cluster_use_metadata is two.cluster_use_metadata


@pytest.mark.parametrize(
    ("mark", "text"),
    [
        (ignore, "^ignore annotation is not being applied to any test cases"),
        (ignore(x=1), "^ignore annotation is not being applied to any test cases"),
        (cluster(num_nodes=1), "^cluster use annotation is not being applied to any test cases"),
    ],
)
def test_a_mark_with_nothing_below_is_an_error(mark: Any, text: str) -> None:
    function = parametrize(x=1)(mark(lambda x: x))
    with pytest.raises(AssertionError, match=text):
        _expand(function)


def test_env_with_nothing_below_has_no_effect() -> None:
    assert _ignored(parametrize(x=1)(env(NO_SUCH_VARIABLE="2")(lambda x: x))) == {"{'x': 1}": False}


def test_env_skips_what_is_below() -> None:
    @parametrize(x=1)
    @env(NO_SUCH_VARIABLE="2")
    @parametrize(x=2)
    def function() -> None: ...

    assert _ignored(function) == {"{'x': 1}": False, "{'x': 2}": True}


def test_ignore_skips_only_what_is_below() -> None:
    @parametrize(x=1)
    @ignore
    @parametrize(x=2)
    def function() -> None: ...

    assert _ignored(function) == {"{'x': 1}": False, "{'x': 2}": True}


def test_ignore_with_arguments_takes_the_exact_match_only() -> None:
    @ignore(x=1)
    @parametrize(x=1, y=2)
    @parametrize(x=1)
    def function() -> None: ...

    assert _ignored(function) == {"{'x': 1, 'y': 2}": False, "{'x': 1}": True}


def test_ignore_with_empty_parentheses_skips_all() -> None:
    @ignore()
    def function() -> None: ...

    assert _ignored(function) == {"None": True}


def test_a_matrix_over_nothing_is_one_ignored_test() -> None:
    function = matrix(x=[], y=[1])(lambda x, y: x)
    assert _ignored(function) == {"None": True}
    assert _ignored(cluster(num_nodes=1)(defaults(z=[1, 2])(function))) == {"None": True}


def test_an_empty_matrix_is_one_test_with_empty_arguments() -> None:
    assert _ignored(matrix()(lambda: None)) == {"{}": False}


def test_defaults_over_nothing_skip_what_they_cannot_complete() -> None:
    assert _ignored(defaults(z=[])(parametrize(x=1)(lambda x, z: x))) == {"{'x': 1}": True}
    assert _ignored(defaults(z=[])(parametrize(z=1)(lambda z: z))) == {"{'z': 1}": False}


def test_texts_and_dicts_are_iterated() -> None:
    assert _arguments(matrix(x="ab")(lambda x: x)) == [{"x": "b"}, {"x": "a"}]
    assert _arguments(matrix(x={"k": 1})(lambda x: x)) == [{"x": "k"}]


def test_expanding_twice_gives_the_same() -> None:
    function = matrix(x=iter([1, 2]))(lambda x: x)
    assert _arguments(function) == _arguments(function) == [{"x": 2}, {"x": 1}]


def test_given_parameters_replace_every_parametrization() -> None:
    @ignore
    @defaults(z=[1, 2])
    @cluster(num_nodes=2)
    @matrix(x=[1, 2])
    def function(self: str, q: int) -> tuple[str, int]:
        return self, q

    (context,) = _expand(function, {"q": 7})
    assert (context.injected_args, context.ignore, context.cluster_use_metadata) == ({"q": 7}, True, {"num_nodes": 2})
    assert context.function("me") == ("me", 7)


def test_given_parameters_make_one_test_of_an_unmarked_method() -> None:
    (context,) = _expand(lambda self, x: (self, x), {"x": 1})
    assert context.injected_args == {"x": 1}


def test_each_test_has_arguments_of_its_own() -> None:
    function = parametrize(x=1)(lambda x: x)
    (one,), (two,) = _expand(function), _expand(function)
    one.injected_args["x"] = 2
    assert two.injected_args == {"x": 1}
