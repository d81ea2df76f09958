# SPDX-License-Identifier: Apache-2.0
"""Waits for a condition with several parts.

Each part is checked in a thread of its own, so that one that hangs blocks neither the others nor the caller, which
evaluates the latest answers whenever there is a new one.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from ducktape.errors import TimeoutError
from ducktape.utils.support.parallel import Attempt
from ducktape.utils.support.times import Deadline
from ducktape.utils.waiting.probes import Answer, shortened

# An answer is valid until the next one, unless that takes much longer than the one before
_PATIENCE_SEC = 1.0
_PATIENCE_FACTOR = 3.0
# A check may outlast the wait: if it had only the remaining time, the last answer would be "no answer"
_LONGER_SEC = 2.0


class Part(Protocol):
    """A single condition."""

    name: str

    def answer(self, deadline: Deadline) -> Answer:
        """Check once."""


S = TypeVar("S", bound=Part)
S_co = TypeVar("S_co", bound=Part, covariant=True)


class Whole(Protocol[S_co]):
    """A condition."""

    def singles(self) -> Iterator[S_co]:
        """Return its single conditions."""

    def value(self, value_of: Callable[[S_co], bool | None]) -> bool | None:
        """Return whether it holds, given the values of its parts; ``None`` if unknown."""


@dataclass(frozen=True)
class Standing:
    """The state of a single condition at the end of a wait.

    Attributes:
        name: name of the condition.
        answer: the last answer; ``None`` without one.
        asked: number of checks.
        silent_sec: duration of the check that is still running; 0 without one.
    """

    name: str
    answer: Answer | None
    asked: int
    silent_sec: float

    def __str__(self) -> str:
        holds = None if self.answer is None else self.answer.holds
        sign = "?" if holds is None else "yes" if holds else "no"
        said = [self.answer.text] if self.answer else []
        if self.silent_sec >= _PATIENCE_SEC or not self.answer:
            said.append(f"no answer since {self.silent_sec:.1f} s")
        times = "once" if self.asked == 1 else f"{self.asked} times"
        lines = [f"{sign:4}{self.name}: {'; then '.join(said)} (asked {times})"]
        lines += [f"    | {shortened(line)}" for line in (self.answer.tail if self.answer else ())]
        return "\n".join(lines)


class NotReadyError(TimeoutError):
    """A condition did not hold in time; the text has the last answer of each part, and the ends of the logs.

    Attributes:
        timeout_sec: duration of the wait.
        standings: the states of the single conditions, in order.
    """

    def __init__(self, message: str, timeout_sec: float = 0.0, standings: tuple[Standing, ...] = ()) -> None:
        super().__init__(message)
        self.timeout_sec = timeout_sec
        self.standings = standings


class _Watch:
    """The state of one single condition during one wait."""

    def __init__(self, single: Part) -> None:
        self.single = single
        self.answer: Answer | None = None
        self.asked = 0
        self._asked_at = 0.0
        self._took = 0.0
        self._open = False

    def begin(self) -> None:
        self.asked += 1
        self._asked_at = time.monotonic()
        self._open = True

    def end(self, answer: Answer) -> None:
        self.answer = answer
        self._took = time.monotonic() - self._asked_at
        self._open = False

    def silent_sec(self) -> float:
        return time.monotonic() - self._asked_at if self._open else 0.0

    def standing(self) -> Standing:
        # Without the exception, which may not be picklable
        answer = None if self.answer is None else replace(self.answer, error=None)
        return Standing(self.single.name, answer, self.asked, self.silent_sec())

    def value(self) -> bool | None:
        """Return the last answer, unless a later check hangs."""
        if self.answer is None or self.silent_sec() > _PATIENCE_SEC + _PATIENCE_FACTOR * self._took:
            return None
        return self.answer.holds


class Wait(Generic[S]):
    """One wait."""

    def __init__(self, condition: Whole[S], timeout_sec: float, poll_sec: float) -> None:
        self._condition = condition
        self._timeout_sec = timeout_sec
        self._poll_sec = poll_sec
        self._deadline = Deadline(timeout_sec)
        self._end_of_questions = Deadline(timeout_sec + _LONGER_SEC)
        self._watches = {single: _Watch(single) for single in condition.singles()}
        self._news = threading.Condition()
        self._over = threading.Event()
        self._held = False
        self._raised: BaseException | None = None

    def run(self, err_msg: str) -> None:
        """Block until the condition holds, or raise ``NotReadyError``."""
        try:
            for watch in self._watches.values():
                # A copy for each thread, since a context can only be entered once at a time
                context = contextvars.copy_context()
                name = f"waiting for {watch.single.name}"
                threading.Thread(target=context.run, args=(self._ask, watch), name=name, daemon=True).start()
            with self._news:
                standings = self._watch()
        finally:
            self._over.set()
        if standings is None:
            return
        begin = f"{err_msg}: not ready" if err_msg else "Not ready"
        lines = [f"{begin} after {self._timeout_sec:g} s: {self._condition}", *map(str, standings)]
        answers = [watch.answer for watch in self._watches.values()]
        cause = next((each.error for each in answers if each is not None and each.error is not None), None)
        raise NotReadyError("\n".join(lines), self._timeout_sec, standings) from cause

    def _ask(self, watch: _Watch) -> None:
        """Check one condition repeatedly, in its own thread."""
        while not self._over.is_set():
            with self._news:
                watch.begin()
            attempt: Attempt[Deadline, Answer] = Attempt(self._end_of_questions)
            attempt.run(watch.single.answer)
            with self._news:
                self._news.notify()
                if attempt.result is None:
                    self._raised = attempt.error  # raised by the waiting thread
                    return
                watch.end(attempt.result)
                # Here, since the waiting thread may wake up after the next answer
                self._held = self._held or self._holds()
            self._over.wait(self._poll_sec)

    def _watch(self) -> tuple[Standing, ...] | None:
        """Block until the condition holds; returns the states of its parts if it does not in time."""
        while True:
            if self._raised is not None:
                raise self._raised
            if self._held or self._holds():
                return None
            if self._deadline.is_over:
                return tuple(watch.standing() for watch in self._watches.values())
            self._news.wait(self._deadline.left())

    def _holds(self) -> bool:
        return self._condition.value(lambda single: self._watches[single].value()) is True
