# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pickle
from typing import Any

import pytest

from ducktape.errors import DucktapeError
from ducktape.mark import allow_logs, defaults, env, expected_failure, ignore, matrix, parametrize, tag, timeout
from ducktape.mark._mark import Mark
from ducktape.mark.mark_expander import MarkedFunctionExpander
from ducktape.mark.policies import ExpectedFailure, Tag, Timeout, class_marks
from ducktape.mark.resource import cluster
from ducktape.tests.test_context import TestContext


def _expand(function: Any, cls: Any = None, parameters: dict[str, Any] | None = None) -> list[TestContext]:
    return MarkedFunctionExpander(cls=cls, function=function).expand(parameters)


def _timeouts(function: Any, cls: Any = None) -> dict[Any, dict[str, float]]:
    return {_key(context): dict(context.timeouts) for context in _expand(function, cls)}


def _reasons(function: Any) -> dict[Any, str | None]:
    return {_key(context): context.expected_failure for context in _expand(function)}


def _tags(function: Any, cls: Any = None) -> dict[Any, set[str]]:
    return {_key(context): set(context.tags) for context in _expand(function, cls)}


def _key(context: TestContext) -> Any:
    arguments = context.injected_args
    return None if arguments is None else arguments.get("x")


# --- on methods


def test_a_method_without_marks_has_nothing_of_its_own() -> None:
    (context,) = _expand(lambda self: None)
    assert (context.timeouts, context.expected_failure, context.tags) == ({}, None, frozenset())


def test_decorators_return_the_function_itself() -> None:
    def function() -> None: ...

    assert timeout(test=1)(expected_failure("why")(tag("slow")(function))) is function
    assert function.marks == [  # type: ignore[attr-defined]
        Tag(("slow",)),
        ExpectedFailure("why"),
        Timeout({"test": 1}),
    ]


def test_all_three_reach_the_test() -> None:
    @timeout(test="20m", setup=90, teardown="500ms")
    @expected_failure("the leader is lost")
    @tag("slow", "nightly/eu-1:a.b_c")
    def function() -> None: ...

    (context,) = _expand(function)
    assert context.timeouts == {"test": 1200.0, "setup": 90.0, "teardown": 0.5}
    assert context.expected_failure == "the leader is lost"
    assert context.tags == {"slow", "nightly/eu-1:a.b_c"}


def test_what_is_not_limited_is_not_mentioned() -> None:
    assert _timeouts(timeout(teardown="2h", test=None)(lambda: None)) == {None: {"teardown": 7200.0}}


def test_the_nearest_limit_wins_for_each_part() -> None:
    @timeout(test=3, setup=3, teardown=3)
    @timeout(test=2, setup=2)
    @timeout(test=1)
    def function() -> None: ...

    assert _timeouts(function) == {None: {"test": 1.0, "setup": 2.0, "teardown": 3.0}}


def test_a_parametrization_keeps_the_first_limit_above_it() -> None:
    @timeout(test="1h", setup=9)
    @parametrize(x=3)
    @timeout(test="1m")
    @matrix(x=[1, 2])
    def function(x: int) -> None: ...

    small = {"test": 60.0, "setup": 9.0}
    assert _timeouts(function) == {1: small, 2: small, 3: {"test": 3600.0, "setup": 9.0}}


def test_a_mark_below_all_parametrizations_concerns_the_whole_method_and_yields_to_those_above() -> None:
    @timeout(test="1h")
    @parametrize(x=2)
    @parametrize(x=1)
    @timeout(test="1m", setup=5)
    @tag("all")
    def function(x: int) -> None: ...

    @parametrize(x=2)
    @parametrize(x=1)
    @expected_failure("broken")
    @timeout(test="1m")
    def other(x: int) -> None: ...

    large = {"test": 3600.0, "setup": 5.0}
    assert _timeouts(function) == {1: large, 2: large}
    assert _tags(function) == {1: {"all"}, 2: {"all"}}
    assert _timeouts(other) == {1: {"test": 60.0}, 2: {"test": 60.0}}
    assert _reasons(other) == {1: "broken", 2: "broken"}


@pytest.mark.parametrize("position", range(4))
def test_they_may_stand_anywhere_among_the_other_marks(position: int) -> None:
    def function(x: int) -> None: ...

    others = [parametrize(x=1), cluster(num_nodes=3), ignore, env(NO_SUCH_VARIABLE="1")]
    ours = [timeout(test=1), expected_failure("why", x=1), tag("slow")]
    for decorate in [*others[:position], *ours, *others[position:]]:
        decorate(function)
    (context,) = _expand(function)
    assert (context.timeouts, context.expected_failure) == ({"test": 1.0}, "why")
    assert context.tags == {"slow"}
    assert (context.cluster_use_metadata, context.ignore) == ({"num_nodes": 3}, True)


def test_defaults_keep_what_was_said_below() -> None:
    @defaults(z=[1, 2])
    @tag("slow")
    @expected_failure("why", x=1)
    @timeout(test=5)
    @cluster(num_nodes=2)
    @parametrize(x=1)
    def function(x: int, z: int) -> None: ...

    seen = [
        (each.injected_args, each.timeouts, each.expected_failure, each.tags, each.cluster_use_metadata)
        for each in _expand(function)
    ]
    said = ({"test": 5.0}, "why", frozenset({"slow"}), {"num_nodes": 2})
    assert seen == [({"z": 2, "x": 1}, *said), ({"z": 1, "x": 1}, *said)]


def test_given_parameters_take_the_marks_of_the_method() -> None:
    @timeout(test="1h")
    @parametrize(x=1)
    @timeout(test="1m")
    @tag("slow")
    def function(x: int) -> None: ...

    (context,) = _expand(function, parameters={"x": 7})
    assert (context.injected_args, context.timeouts) == ({"x": 7}, {"test": 3600.0})
    assert context.tags == {"slow"}


def test_a_failure_may_be_expected_of_some_arguments_only() -> None:
    @expected_failure("any other", x=4)
    @expected_failure("exactly this one", x=1)
    @expected_failure("no such test", x=1, y=2)
    @matrix(x=[1, 2])
    def function(x: int) -> None: ...

    assert _reasons(function) == {1: "exactly this one", 2: None}


def test_the_nearest_reason_wins() -> None:
    @expected_failure("far")
    @parametrize(x=2)
    @expected_failure("near")
    @parametrize(x=1)
    def function(x: int) -> None: ...

    assert _reasons(function) == {1: "near", 2: "far"}


def test_tags_add_up() -> None:
    @tag("a")
    @parametrize(x=1)
    @tag("b", "c")
    @parametrize(x=2)
    @tag("d")
    def function(x: int) -> None: ...

    assert _tags(function) == {1: {"a", "d"}, 2: {"a", "b", "c", "d"}}


def test_tests_with_the_same_marks_share_what_they_say() -> None:
    @timeout(test=1)
    @tag("b")
    class Tests:
        @tag("a")
        @timeout(setup=2)
        @matrix(x=range(50))
        def test(self, x: int) -> None: ...

    contexts = _expand(Tests.test, Tests)
    assert [context.timeouts for context in contexts] == [{"test": 1.0, "setup": 2.0}] * 50
    assert len({id(context.timeouts) for context in contexts}) == 1
    assert len({id(context.tags) for context in contexts}) == 1


def test_what_one_method_says_does_not_leak_into_another() -> None:
    @timeout(test=1)
    class Tests:
        @timeout(setup=2)
        def one(self) -> None: ...
        def two(self) -> None: ...

    assert _timeouts(Tests.one, Tests) == {None: {"test": 1.0, "setup": 2.0}}
    assert _timeouts(Tests.two, Tests) == {None: {"test": 1.0}}
    assert _timeouts(Tests.one, Tests) == {None: {"test": 1.0, "setup": 2.0}}


# --- on classes


def test_the_marks_of_a_class_are_the_defaults_of_its_methods() -> None:
    @timeout(test="1h", setup="1m")
    @tag("kafka")
    class Tests:
        @timeout(test=5)
        @tag("quick")
        def own(self) -> None: ...
        @matrix(x=[1])
        def plain(self, x: int) -> None: ...

    assert _timeouts(Tests.own, Tests) == {None: {"test": 5.0, "setup": 60.0}}
    assert _tags(Tests.own, Tests) == {None: {"kafka", "quick"}}
    assert _timeouts(Tests.plain, Tests) == {1: {"test": 3600.0, "setup": 60.0}}
    assert _tags(Tests.plain, Tests) == {1: {"kafka"}}


def test_the_marks_of_parents_are_inherited_and_the_nearest_class_wins() -> None:
    @timeout(test=1, setup=1, teardown=1)
    @tag("grandparent")
    class Grandparent:
        def test_it(self) -> None: ...
        @timeout(test=0.5)
        def test_own(self) -> None: ...

    @timeout(setup=4)
    @tag("mixin")
    class Mixin: ...

    @timeout(test=2)
    @tag("parent")
    class Parent(Mixin, Grandparent): ...

    class Child(Parent): ...

    assert _timeouts(Child.test_it, Child) == {None: {"test": 2.0, "setup": 4.0, "teardown": 1.0}}
    assert _tags(Child.test_it, Child) == {None: {"grandparent", "mixin", "parent"}}
    assert _timeouts(Child.test_own, Child) == {None: {"test": 0.5, "setup": 4.0, "teardown": 1.0}}
    assert _timeouts(Grandparent.test_it, Grandparent) == {None: {"test": 1.0, "setup": 1.0, "teardown": 1.0}}
    assert class_marks(Child) == [
        Tag(("parent",)),
        Timeout({"test": 2}),
        Tag(("mixin",)),
        Timeout({"setup": 4}),
        Tag(("grandparent",)),
        Timeout({"test": 1, "setup": 1, "teardown": 1}),
    ]


def test_a_decorated_class_is_the_same_class_without_other_attributes() -> None:
    class Tests:
        marks = "the user's own"

    assert timeout(test=1)(Tests) is Tests
    assert Tests.marks == "the user's own"
    assert not hasattr(Tests, "mark_names")


@pytest.mark.parametrize("cls", [None, object(), 5])
def test_what_is_no_class_has_no_marks(cls: Any) -> None:
    assert class_marks(cls) == []


# --- what is wrong

# Wrong in ways that a type checker would tell
_timeout: Any = timeout
_expected_failure: Any = expected_failure
_tag: Any = tag

WRONG: list[tuple[Any, str]] = [
    (lambda: _timeout(test="20 min"), "Wrong limit of test in @timeout: '20 min' is not a span of time: write seconds"),
    (lambda: _timeout(setup=0), "Wrong limit of setup in @timeout: 0 is not a span of time: it must be finite"),
    (lambda: _timeout(teardown=[1]), "Wrong limit of teardown in @timeout: [1] is not a span of time: write seconds"),
    (lambda: _timeout(), '@timeout limits nothing: write @timeout(test="20m"), setup=… or teardown=…'),
    (lambda: _timeout("20m"), '@timeout takes its arguments by name, in parentheses: write @timeout(test="20m")'),
    (lambda: _timeout(_expand), '@timeout takes its arguments by name, in parentheses: write @timeout(test="20m")'),
    (lambda: _timeout(tests=3), "@timeout has the unknown keyword tests (did you mean test?); there are setup, teardo"),
    (
        lambda: _expected_failure(""),
        "@expected_failure needs a reason, not '': write @expected_failure(\"why it fails\")",
    ),
    (lambda: _expected_failure(_expand), "@expected_failure needs a reason, not the function _expand: write"),
    (lambda: _expected_failure(5), "@expected_failure needs a reason, not 5: write"),
    (
        lambda: _expected_failure("why")(TestContext),
        "@expected_failure is written on methods, and TestContext is a class",
    ),
    (lambda: _tag(), '@tag needs a word: write @tag("slow")'),
    (lambda: _tag(_expand), "Wrong word in @tag: the function _expand (use letters"),
    (lambda: _tag("slow", "two words"), "Wrong word in @tag: 'two words' (use letters, digits and _-.:/ in words"),
    (lambda: _tag("slow\n"), "Wrong word in @tag: 'slow\\n' (use letters"),
    (lambda: _tag(""), "Wrong word in @tag: '' (use letters"),
    (lambda: _tag(["slow"]), "Wrong word in @tag: ['slow'] (use letters"),
    (lambda: _tag("not"), "Wrong word in @tag: 'not' has a meaning of its own in --tags"),
]


@pytest.mark.parametrize(("decorate", "message"), WRONG)
def test_a_wrong_mark_is_told_in_one_line(decorate: Any, message: str) -> None:
    with pytest.raises(DucktapeError) as error:
        decorate()
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


# --- as marks


def test_marks_are_equal_if_they_say_the_same() -> None:
    assert Timeout({"test": 60}) == Timeout({"test": "1m", "setup": None})
    assert Timeout({"test": 60}) != Timeout({"setup": 60})
    assert Tag(("a", "b")) == Tag(("b", "a"))
    assert Tag(("a",)) != Tag(("b",))
    assert ExpectedFailure("a", x=1) == ExpectedFailure("a", x=1)
    assert ExpectedFailure("a", x=1) != ExpectedFailure("a")
    assert ExpectedFailure("a") != ExpectedFailure("b")
    assert ExpectedFailure("a") != ignore(lambda: None)
    assert hash(Timeout({"test": 60})) == hash(Timeout({"test": "1m"}))


def test_marks_show_what_they_say() -> None:
    marks: list[Mark] = [Timeout({"test": "1m"}), ExpectedFailure("why", x=1), Tag(("b", "a"))]
    assert [repr(mark) for mark in marks] == [
        "Timeout({'test': 60.0})",
        "ExpectedFailure('why')",
        "Tag(['a', 'b'])",
    ]
    assert [mark.name for mark in marks] == ["TIMEOUT", "EXPECTED_FAILURE", "TAG"]


def test_a_mark_of_users_with_the_same_name_is_left_where_it_is() -> None:
    class Theirs(Mark):
        @property
        def name(self) -> str:
            return "TIMEOUT"

        def apply(self, seed_context: Any, context_list: list[Any]) -> list[Any]:
            for context in context_list:
                context.theirs = True
            return context_list

    def function(x: int) -> None: ...

    Mark.mark(function, Theirs())
    parametrize(x=1)(function)
    (context,) = _expand(function)
    assert not hasattr(context, "theirs")


def test_what_tests_are_given_can_be_pickled() -> None:
    @timeout(test=1)
    @tag("a")
    @expected_failure("why")
    def function() -> None: ...

    (context,) = _expand(function)
    plain = TestContext()
    for each in (context, plain):
        said = (each.timeouts, each.expected_failure, each.tags)
        assert pickle.loads(pickle.dumps(said)) == said


def test_nothing_else_of_a_test_changes() -> None:
    @cluster(num_nodes=2)
    def plain() -> None: ...

    @timeout(test=1)
    @tag("a")
    @expected_failure("why")
    @cluster(num_nodes=2)
    def marked() -> None: ...

    marked.__name__ = "plain"
    (one,), (other,) = _expand(plain), _expand(marked)
    assert repr(one) == repr(other)
    assert one.cluster_use_metadata == other.cluster_use_metadata
    assert (one.test_id, one.test_metadata) == (other.test_id, other.test_metadata)


def test_lines_are_allowed_by_methods_and_classes() -> None:
    @allow_logs("c", "d")
    @parametrize(x=1)
    @allow_logs("b")
    def function(x: int) -> None: ...

    (context,) = _expand(function)
    assert sorted(context.allowed_logs) == ["b", "c", "d"]

    @allow_logs("a")
    class Marked: ...

    assert [repr(mark) for mark in class_marks(Marked)] == ["AllowLogs(('a',))"]


@pytest.mark.parametrize(
    ("patterns", "said"), [((), "needs a regular expression"), (("(",), "missing"), ((7,), "text")]
)
def test_wrong_patterns_are_refused_where_they_are_written(patterns: tuple[Any, ...], said: str) -> None:
    with pytest.raises(DucktapeError, match=said):
        allow_logs(*patterns)
