# SPDX-License-Identifier: Apache-2.0
"""Conditions and how they are combined. For users, ``ducktape.utils.wait`` has all this."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import NoReturn

from ducktape.errors import Skip
from ducktape.utils.support.deadline import Deadline
from ducktape.utils.support.duration import seconds_of
from ducktape.utils.support.hooks import HookError
from ducktape.utils.waiting.engine import Wait
from ducktape.utils.waiting.probes import Answer, shortened


class Condition(ABC):
    """Something that one can wait for.

    ``a & b`` holds when both do, ``a | b`` when one does, ``~a`` when ``a`` does not. What cannot be found out, because
    a node does not answer, is neither true nor false: ``~`` does not make it hold.
    """

    def wait(self, timeout: float | str = "30s", *, poll: float | str = "100ms", err_msg: str = "") -> None:
        """Block until the condition holds; see :func:`wait_for`."""
        wait_for(self, timeout, poll=poll, err_msg=err_msg)

    @abstractmethod
    def singles(self) -> Iterator[Single]:
        """The single conditions of which this one is made, in order."""

    @abstractmethod
    def value(self, value_of: Callable[[Single], bool | None]) -> bool | None:
        """Whether the condition holds, ``None`` if that is not known.

        Args:
            value_of: tells the same of a single condition.
        """

    def __and__(self, other: Condition) -> Condition:
        return AllOf(self, other) if isinstance(other, Condition) else NotImplemented

    def __or__(self, other: Condition) -> Condition:
        return AnyOf(self, other) if isinstance(other, Condition) else NotImplemented

    def __invert__(self) -> Condition:
        return Not(self)

    def __bool__(self) -> NoReturn:
        # `a and b` would be b alone, and nobody would notice.
        raise TypeError("a condition is neither true nor false: combine with &, | and ~, and wait for it")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"


class Single(Condition):
    """A condition that is asked by one function.

    Args:
        name: for messages.
        ask: called with the end of the wait; what it raises is taken as "not known".
    """

    def __init__(self, name: str, ask: Callable[[Deadline], Answer]) -> None:
        self.name = name
        self._ask = ask

    def answer(self, deadline: Deadline) -> Answer:
        """Ask once.

        Raises:
            Skip: the function wants the test to be skipped.
            HookError: nothing of the function ran.
        """
        try:
            return self._ask(deadline)
        except (Skip, HookError):
            raise
        except Exception as error:  # whatever is wrong is told if it stays so
            return Answer(None, shortened(f"{type(error).__name__}: {error}"), error=error)

    def singles(self) -> Iterator[Single]:
        """This one."""
        yield self

    def value(self, value_of: Callable[[Single], bool | None]) -> bool | None:
        """What is told of it."""
        return value_of(self)

    def __str__(self) -> str:
        return self.name


class _Combined(Condition):
    """Several conditions.

    Args:
        *parts: at least one; those that are combined in the same way are taken apart.
    """

    _sign = ""
    _decisive = False  # one part with this value decides

    def __init__(self, *parts: Condition) -> None:
        self._parts: list[Condition] = []
        for part in parts:
            self._parts += part._parts if isinstance(part, type(self)) else [part]

    def singles(self) -> Iterator[Single]:
        """Those of all parts."""
        for part in self._parts:
            yield from part.singles()

    def value(self, value_of: Callable[[Single], bool | None]) -> bool | None:
        """Decided by one part or by all."""
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
    """Holds when another condition does not.

    Args:
        part: the other one.
    """

    def __init__(self, part: Condition) -> None:
        self._part = part

    def singles(self) -> Iterator[Single]:
        """Those of the other one."""
        return self._part.singles()

    def value(self, value_of: Callable[[Single], bool | None]) -> bool | None:
        """The opposite, if it is known."""
        value = self._part.value(value_of)
        return None if value is None else not value

    def __str__(self) -> str:
        return f"~({self._part})" if isinstance(self._part, _Combined) else f"~{self._part}"


def wait_for(
    condition: Condition, timeout: float | str = "30s", *, poll: float | str = "100ms", err_msg: str = ""
) -> None:
    """Block until a condition holds.

    The time counts for everything together; a question that hangs does not make it longer, and its answer is not waited
    for. Questions that were asked are not withdrawn: a command that hangs goes on.

    Args:
        condition: what to wait for.
        timeout: seconds, or a text such as ``"90s"`` or ``"2m"``.
        poll: the same, from an answer to the next question.
        err_msg: begin of the error's message.

    Raises:
        NotReadyError: it did not hold in time; a ``ducktape.errors.TimeoutError``.
        Skip: a function that was asked raised it.
        HookError: a function is async or contains ``yield``, so that nothing of it ran.
        ValueError: a span of time makes no sense.
        TypeError: that is no condition.
    """
    if not isinstance(condition, Condition):
        raise TypeError(f"{condition!r} is no condition; condition(function, name) makes one of a function")
    Wait(condition, seconds_of(timeout), seconds_of(poll)).run(err_msg)
