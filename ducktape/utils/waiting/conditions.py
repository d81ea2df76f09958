# SPDX-License-Identifier: Apache-2.0
"""Conditions and their combinations; users import them from ``ducktape.utils.wait``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import NoReturn

from ducktape.errors import Skip
from ducktape.utils.support.hooks import HookError
from ducktape.utils.support.times import Deadline, seconds_of
from ducktape.utils.waiting.engine import Wait
from ducktape.utils.waiting.probes import Answer, shortened


class Condition(ABC):
    """A condition to wait for.

    ``a & b`` holds when both do, ``a | b`` when one does, ``~a`` when ``a`` does not. If it is unknown whether ``a``
    holds, because a node does not answer, ``~a`` is unknown, too.
    """

    def wait(self, timeout: float | str = "30s", *, poll: float | str = "100ms", err_msg: str = "") -> None:
        """Block until the condition holds; see :func:`wait_for`."""
        wait_for(self, timeout, poll=poll, err_msg=err_msg)

    @abstractmethod
    def singles(self) -> Iterator[Single]:
        """Return the single conditions that this one consists of, in order."""

    @abstractmethod
    def value(self, value_of: Callable[[Single], bool | None]) -> bool | None:
        """Return whether the condition holds, given the values of the single ones; ``None`` if unknown."""

    def __and__(self, other: Condition) -> Condition:
        return AllOf(self, other) if isinstance(other, Condition) else NotImplemented

    def __or__(self, other: Condition) -> Condition:
        return AnyOf(self, other) if isinstance(other, Condition) else NotImplemented

    def __invert__(self) -> Condition:
        return Not(self)

    def __bool__(self) -> NoReturn:
        # `a and b` would silently be `b`
        raise TypeError("a condition is neither true nor false: combine with &, | and ~, and wait for it")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"


class Single(Condition):
    """A condition that one function checks; its exceptions mean "unknown"."""

    def __init__(self, name: str, ask: Callable[[Deadline], Answer]) -> None:
        self.name = name
        self._ask = ask

    def answer(self, deadline: Deadline) -> Answer:
        """Check once; only ``Skip`` and ``HookError`` propagate."""
        try:
            return self._ask(deadline)
        except (Skip, HookError):
            raise
        except Exception as error:  # reported if it persists until the end
            return Answer(None, shortened(f"{type(error).__name__}: {error}"), error=error)

    def singles(self) -> Iterator[Single]:
        yield self

    def value(self, value_of: Callable[[Single], bool | None]) -> bool | None:
        return value_of(self)

    def __str__(self) -> str:
        return self.name


class _Combined(Condition):
    """Several conditions; nested ones of the same kind are flattened."""

    _sign = ""
    _decisive = False  # one part with this value decides

    def __init__(self, *parts: Condition) -> None:
        self._parts: list[Condition] = []
        for part in parts:
            self._parts += part._parts if isinstance(part, type(self)) else [part]

    def singles(self) -> Iterator[Single]:
        for part in self._parts:
            yield from part.singles()

    def value(self, value_of: Callable[[Single], bool | None]) -> bool | None:
        values = [part.value(value_of) for part in self._parts]
        if self._decisive in values:
            return self._decisive
        return None if None in values else not self._decisive

    def __str__(self) -> str:
        return f" {self._sign} ".join(f"({part})" if isinstance(part, _Combined) else str(part) for part in self._parts)


class AllOf(_Combined):
    """Holds when all parts do."""

    _sign = "&"


class AnyOf(_Combined):
    """Holds when one part does."""

    _sign = "|"
    _decisive = True


class Not(Condition):
    """Holds when another condition does not."""

    def __init__(self, part: Condition) -> None:
        self._part = part

    def singles(self) -> Iterator[Single]:
        return self._part.singles()

    def value(self, value_of: Callable[[Single], bool | None]) -> bool | None:
        value = self._part.value(value_of)
        return None if value is None else not value

    def __str__(self) -> str:
        return f"~({self._part})" if isinstance(self._part, _Combined) else f"~{self._part}"


def wait_for(
    condition: Condition, timeout: float | str = "30s", *, poll: float | str = "100ms", err_msg: str = ""
) -> None:
    """Block until a condition holds.

    The timeout includes everything; checks that hang do not extend it. They are not cancelled: a command that hangs
    keeps running.

    Args:
        condition: the condition.
        timeout: seconds, or a string such as ``"90s"`` or ``"2m"``.
        poll: likewise, the pause between two checks.
        err_msg: start of the error's message.

    Raises:
        NotReadyError: it did not hold in time; a ``ducktape.errors.TimeoutError``.
        Skip: a function raised it.
        HookError: a function is async or contains ``yield``, so that its body did not run.
        ValueError: a duration is invalid.
        TypeError: the argument is not a condition.
    """
    if not isinstance(condition, Condition):
        raise TypeError(f"{condition!r} is no condition; condition(function, name) makes one of a function")
    Wait(condition, seconds_of(timeout), seconds_of(poll)).run(err_msg)
