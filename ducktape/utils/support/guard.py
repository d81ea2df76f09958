# SPDX-License-Identifier: Apache-2.0
"""Calls code of users, which may raise anything; the only broad handlers beside those that end an attempt of a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

R = TypeVar("R")
D = TypeVar("D")

# A repr that calls sys.exit() must not end the run; an interrupt is never the fault of the code that it interrupts
UserCodeError = (Exception, SystemExit)


def value_or(default: D, call: Callable[..., R], *args: object) -> R | D:
    """Return what a call returns, or the default if it raises."""
    try:
        return call(*args)
    except UserCodeError:
        return default


@contextmanager
def tolerated(report: Callable[[BaseException], object] = lambda error: None) -> Iterator[None]:
    """Pass what a block raises, except interrupts, to ``report``, and continue after the block."""
    try:
        yield
    except UserCodeError as error:
        report(error)


def error_of(call: Callable[[], object]) -> BaseException | None:
    """Call, and return what it raises, interrupts included; the caller decides when to raise them again."""
    try:
        call()
    except BaseException as error:
        return error
    return None
