# SPDX-License-Identifier: Apache-2.0
"""Errors of users' code are contained; interrupts are not."""

from __future__ import annotations

import sys

import pytest

from ducktape.utils.support.guard import OnError, error_of, tolerated, value_or


def raising(error: BaseException) -> int:
    raise error


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3)])
def test_the_default_stands_in_for_what_raises(error: BaseException) -> None:
    assert value_or("default", raising, error) == "default"
    assert value_or("default", len, "abc") == 3


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3)])
def test_a_tolerated_error_is_reported_once(error: BaseException) -> None:
    reported: list[BaseException] = []
    with tolerated(reported.append):
        raising(error)
    assert reported == [error]
    with tolerated(reported.append):
        pass
    assert reported == [error]
    with tolerated() as block:
        sys.exit(1)
    assert isinstance(block.error, SystemExit)


def test_an_interrupt_passes() -> None:
    with pytest.raises(KeyboardInterrupt):
        value_or(None, raising, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt), tolerated():
        raising(KeyboardInterrupt())


def test_the_error_of_a_call_is_returned_even_if_it_is_an_interrupt() -> None:
    interrupt = KeyboardInterrupt()
    assert error_of(lambda: raising(interrupt)) is interrupt
    assert error_of(lambda: None) is None


def test_an_error_is_seen_before_it_leaves_its_block() -> None:
    seen: list[BaseException] = []
    interrupt = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt), OnError(seen.append):
        raising(interrupt)
    with OnError(seen.append):
        pass
    assert seen == [interrupt]
