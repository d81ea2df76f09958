# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ducktape.tests.loading.expressions import And, Expression, ExpressionError, Not, Or, Word, select, tag_counts
from ducktape.tests.test_context import TestContext

ID = "pkg.test_kafka.ReplicationTest.test_Leader.acks=all.size=10MB"


def parse(text: str) -> Expression:
    return Expression.parse(text)


# --- reading

a, b, c = Word("a"), Word("b"), Word("c")


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("a", a),
        (" a\n", a),
        ("(a)", a),
        ("a and b", And((a, b))),
        ("a and b and c", And((a, b, c))),
        ("a or b and c", Or((a, And((b, c))))),
        ("(a or b) and c", And((Or((a, b)), c))),
        ("not a and b", And((Not(a), b))),
        ("not (a and b)", Not(And((a, b)))),
        ("not not a", Not(Not(a))),
        ("a and (b and c)", And((a, And((b, c))))),
        ("not(a)or(b)", Or((Not(a), b))),
        ("android", Word("android")),
        ("x=1.y=2", Word("x=1.y=2")),
        ("nightly/eu-1:a_b", Word("nightly/eu-1:a_b")),
        ("\"x=[1, 2]\" or 'and'", Or((Word("x=[1, 2]"), Word("and")))),
        ("""'say "hi"'""", Word('say "hi"')),
        ("AND or Not", Or((Word("AND"), Word("Not")))),
        ("größe", Word("größe")),
    ],
)
def test_expressions_are_read(text: str, expression: Expression) -> None:
    assert parse(text) == expression


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The expression is empty"),
        (" \t ", "The expression is empty"),
        ("a b", """Cannot understand 'a b': expected "and", "or" or its end at character 3, found 'b'"""),
        ("a)", """Cannot understand 'a)': expected "and", "or" or its end at character 2, found ')'"""),
        ("(a b)", """Cannot understand '(a b)': expected "and", "or" or ")" at character 4, found 'b'"""),
        ("(a", """Cannot understand '(a': "and", "or" or ")" is missing at its end"""),
        ("a or", """Cannot understand 'a or': a word, "not" or "(" is missing at its end"""),
        ("a or and b", """Cannot understand 'a or and b': expected a word, "not" or "(" at character 6, found 'and'"""),
        ("()", """Cannot understand '()': expected a word, "not" or "(" at character 2, found ')'"""),
        ("not", """Cannot understand 'not': a word, "not" or "(" is missing at its end"""),
        (
            "a AND b",
            """Cannot understand 'a AND b': expected "and", "or" or its end at character 3, found 'AND'"""
            " (write and, or, not in lower case)",
        ),
        ("a, b", "Cannot understand 'a, b': a word with ',', at character 2, has to stand in quotes"),
        ("a &&  b", "Cannot understand 'a &&  b': a word with '&', at character 3, has to stand in quotes"),
        ("x=[1]", "Cannot understand 'x=[1]': a word with '[', at character 3, has to stand in quotes"),
        ("a or 'b", """Cannot understand "a or 'b": the quote ' at character 6 is not closed"""),
        ('a or ""', """Cannot understand 'a or ""': the word at character 6 is empty"""),
        ("a\n\nb", """Cannot understand 'a\\n\\nb': expected "and", "or" or its end at character 4, found 'b'"""),
    ],
)
def test_what_is_wrong_is_told_in_one_line_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as error:
        parse(text)
    assert str(error.value) == message


@pytest.mark.parametrize("opening", ["(", "not ", "not("])
def test_very_deep_expressions_are_refused_before_the_stack_is_full(opening: str) -> None:
    closing = ")" * opening.count("(")
    assert parse(opening * 25 + "a" + closing * 25).matches_tags({"a"}) is (opening == "(")
    with pytest.raises(ExpressionError, match="more than 50 levels of parentheses and negations at character"):
        parse(opening * 10_000 + "a" + closing * 10_000)


def test_very_long_expressions_are_fine() -> None:
    text = " or ".join(f"w{number}" for number in range(20_000))
    assert parse(text).matches_tags({"w19999"})
    assert not parse(text).matches_tags({"w20000"})


# --- meaning


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("kafka", True),
        ("KAFKA", True),
        ("test_leader", True),
        ("replicationtest.TEST_L", True),
        ("acks=all", True),
        ("'acks=all'", True),
        ("acks=all and not size=1MB", True),
        ("zookeeper", False),
        ("zookeeper or kafka", True),
        ("not kafka", False),
        ("kafka and zookeeper", False),
        ('"size=10 MB"', True),
        ("\"{'acks'\"", True),
        ('"acks=all, size"', True),
        ('"[["', False),
        ('" "', False),
        ("test_kafka.", True),
        ("kafka.test_kafka", False),
    ],
)
def test_words_are_parts_of_ids_in_any_case(text: str, matches: bool) -> None:
    assert parse(text).matches(ID) is matches


def test_arguments_may_be_quoted_as_they_are_written_in_the_code() -> None:
    context = TestContext(cls=dict, function=dict.get, injected_args={"sizes": [1, 2], "path": "/etc/x y"})
    assert context.test_id == "dict.get.sizes=.1.2.path=.etc.xy"
    assert parse('"sizes=[1, 2]"').matches(context.test_id)
    assert parse('"path=/etc/x y"').matches(context.test_id)
    assert parse("path=/etc").matches(context.test_id)
    assert not parse('"sizes=[1, 3]"').matches(context.test_id)


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("slow", True),
        ("'slow'", True),
        ("Slow", False),
        ("slo", False),
        ("slow and nightly", True),
        ("slow and not nightly", False),
        ("not quick", True),
        ("quick or (slow and nightly)", True),
    ],
)
def test_words_are_whole_tags(text: str, matches: bool) -> None:
    assert parse(text).matches_tags({"slow", "nightly"}) is matches


# --- laws

words = st.sampled_from("abcde").map(Word) | st.text(st.characters(exclude_characters="\"'"), min_size=1).map(Word)
expressions = st.recursive(
    words,
    lambda inner: (
        inner.map(Not)
        | st.lists(inner, min_size=2, max_size=4).map(lambda each: And(tuple(each)))
        | st.lists(inner, min_size=2, max_size=4).map(lambda each: Or(tuple(each)))
    ),
    max_leaves=20,
)
tag_sets = st.frozensets(st.sampled_from("abcde"))


@given(expressions)
def test_what_is_written_out_is_read_back(expression: Expression) -> None:
    assert parse(str(expression)) == expression


@given(expressions, expressions, tag_sets)
def test_negation_goes_through_and_and_or(one: Expression, other: Expression, tags: frozenset[str]) -> None:
    def holds(text: str) -> bool:
        return parse(text).matches_tags(tags)

    assert holds(f"not (({one}) and ({other}))") == holds(f"not ({one}) or not ({other})")
    assert holds(f"not (({one}) or ({other}))") == holds(f"not ({one}) and not ({other})")
    assert holds(f"not not ({one})") == holds(str(one))


@given(expressions, tag_sets)
def test_an_expression_means_what_python_says_it_means(expression: Expression, tags: frozenset[str]) -> None:
    def python(each: Expression) -> str:
        match each:
            case Word(text):
                return str(text in tags)
            case Not(operand):
                return f"(not {python(operand)})"
            case And(operands):
                return "(" + " and ".join(map(python, operands)) + ")"
            case Or(operands):
                return "(" + " or ".join(map(python, operands)) + ")"
        raise AssertionError(each)

    assert expression.matches_tags(tags) is eval(python(expression))


@given(st.text(st.sampled_from("ab()'\" ,") | st.characters()) | st.text("abnotrd ()'"))
def test_whatever_is_written_is_an_expression_or_an_expression_error(text: str) -> None:
    try:
        expression = parse(text)
    except ExpressionError as error:
        assert "\n" not in str(error)
        return
    assert parse(str(expression)) == expression


# --- choosing


def method(name: str) -> Callable[[], None]:
    def function() -> None: ...

    function.__name__ = name
    return function


def context(name: str, *tags: str, **kwargs: Any) -> TestContext:
    return TestContext(module="m", function=method(name), tags=frozenset(tags), **kwargs)


TESTS = [context("test_c", "slow", "net"), context("test_a", "slow"), context("test_b"), context("test_d", "net")]


def names(**expressions: str) -> list[str]:
    parsed = {name: parse(text) for name, text in expressions.items()}
    return [each.function_name for each in select(TESTS, **{"keyword": None, "tags": None, **parsed})]


def test_tests_are_chosen_in_their_order() -> None:
    assert names() == ["test_c", "test_a", "test_b", "test_d"]
    assert names(keyword="test_a or test_c") == ["test_c", "test_a"]
    assert names(tags="slow") == ["test_c", "test_a"]
    assert names(tags="not slow") == ["test_b", "test_d"]
    assert names(tags="slow or net", keyword="not test_a") == ["test_c", "test_d"]
    assert names(keyword="nothing") == []


def test_numbered_tests_are_chosen_by_their_number() -> None:
    twin = context("test_c")
    twin.disambiguator = "-2"
    assert select([TESTS[0], twin], keyword=parse("test_c-2")) == [twin]


def test_tags_are_counted_and_sorted_the_untagged_last() -> None:
    assert tag_counts(TESTS) == [("net", 2), ("slow", 2), ("(untagged)", 1)]
    assert tag_counts(TESTS[:2]) == [("net", 1), ("slow", 2)]
    assert tag_counts([]) == []


def test_a_test_that_runs_several_times_is_counted_once() -> None:
    assert tag_counts(TESTS * 3) == [("net", 2), ("slow", 2), ("(untagged)", 1)]
