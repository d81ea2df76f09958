# SPDX-License-Identifier: Apache-2.0
"""Calls code of users, which may raise anything; the only broad handlers beside those that end an attempt of a test."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
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


class Tolerance:
    """A block whose ``error``, unless it is an interrupt, is reported and kept instead of raised.

    A variable that holds the block of its own function is a reference cycle with all frames of its callers: where
    something relies on being dropped at once, use ``report``.
    """

    def __init__(self, report: Callable[[BaseException], object]) -> None:
        self._report = report
        self.error: BaseException | None = None

    def __enter__(self) -> Tolerance:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, UserCodeError):
            return False
        self.error = error
        self._report(error)
        return True


def tolerated(report: Callable[[BaseException], object] = lambda error: None) -> Tolerance:
    """Pass what a block raises, except interrupts, to ``report``, and continue after the block."""
    return Tolerance(report)


class OnError:
    """A block that passes what it raises, interrupts included, to a function before the error leaves it."""

    def __init__(self, act: Callable[[BaseException], object]) -> None:
        self._act = act

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self._act(error)


def error_of(call: Callable[[], object]) -> BaseException | None:
    """Call, and return what it raises, interrupts included; the caller decides when to raise them again."""
    try:
        call()
    except BaseException as error:
        return error
    return None
