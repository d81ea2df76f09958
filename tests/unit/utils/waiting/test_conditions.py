# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from ducktape.errors import Skip
from ducktape.utils.support.times import Deadline
from ducktape.utils.waiting.conditions import AllOf, Condition, Single, wait_for
from ducktape.utils.waiting.probes import Answer


def single(name: str) -> Single:
    return Single(name, lambda deadline: Answer(True, "it is so"))


A, B, C = map(single, "abc")


def value(condition: Condition, **values: bool | None) -> bool | None:
    return condition.value(lambda part: values[part.name])


@pytest.mark.parametrize(("a", "b"), list(product((True, False, None), repeat=2)))
def test_what_is_not_known_is_neither_true_nor_false(a: bool | None, b: bool | None) -> None:
    both = False if False in (a, b) else None if None in (a, b) else True
    either = True if True in (a, b) else None if None in (a, b) else False
    assert (value(A & B, a=a, b=b), value(A | B, a=a, b=b)) == (both, either)
    assert value(~A, a=a) is (None if a is None else not a)
    assert value(~(A & B), a=a, b=b) == value(~A | ~B, a=a, b=b)


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (A & B & C, "a & b & c"),
        (A & (B & C), "a & b & c"),
        (A | B & C, "a | (b & c)"),
        ((A | B) & ~C, "(a | b) & ~c"),
        (~(A | B), "~(a | b)"),
        (~~A, "~~a"),
    ],
)
def test_a_condition_is_told_as_it_was_written(condition: Condition, text: str) -> None:
    assert (str(condition), repr(condition)) == (text, f"<{type(condition).__name__} {text}>")


def test_the_single_conditions_come_in_order() -> None:
    assert list(((C | A) & ~B).singles()) == [C, A, B]


@pytest.mark.parametrize("use", [bool, lambda condition: condition and A, lambda condition: not condition])
def test_words_instead_of_signs_are_refused(use: Any) -> None:
    with pytest.raises(TypeError, match=r"combine with &, \| and ~"):
        use(A)


@pytest.mark.parametrize("other", [True, None, lambda: True])
def test_only_conditions_are_combined_and_waited_for(other: Any) -> None:
    with pytest.raises(TypeError):
        A & other
    with pytest.raises(TypeError):
        other | A
    with pytest.raises(TypeError, match=r"is no condition; condition\(function, name\) makes one of a function$"):
        wait_for(other)


def test_what_is_raised_is_an_answer() -> None:
    def ask(deadline: Deadline) -> Answer:
        raise OSError("gone")

    answer = Single("broken", ask).answer(Deadline(1))
    assert (answer.holds, answer.text, type(answer.error)) == (None, "OSError: gone", OSError)


def test_a_wish_to_skip_goes_through() -> None:
    def ask(deadline: Deadline) -> Answer:
        raise Skip("not here")

    with pytest.raises(Skip, match="not here"):
        Single("not for this machine", ask).wait("10s")


@pytest.mark.parametrize("span", ["soon", 0, -1, float("inf"), ""])
def test_spans_of_time_that_make_no_sense_are_refused(span: Any) -> None:
    with pytest.raises(ValueError, match="is not a span of time"):
        A.wait(span)
    with pytest.raises(ValueError, match="is not a span of time"):
        A.wait("1s", poll=span)


def test_one_part_alone_may_be_all() -> None:
    assert (str(AllOf(A)), value(AllOf(A), a=None)) == ("a", None)
