# SPDX-License-Identifier: Apache-2.0
"""How one waits for a condition of many parts.

Each part is asked in a thread of its own: one that hangs holds up neither the others nor the caller. The caller looks
at the last answers of all of them whenever one is new.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ducktape.errors import TimeoutError
from ducktape.utils.support.deadline import Deadline
from ducktape.utils.waiting.probes import Answer, shortened

# An answer stands until the next one, if that takes not much longer than the one before.
_PATIENCE_SEC = 1.0
_PATIENCE_FACTOR = 3.0
# A question may take longer than the wait, which nobody waits for: one that had only the rest of the time would be
# answered by "no answer", and that would be the last thing that is told.
_LONGER_SEC = 2.0


class Part(Protocol):
    """What is asked."""

    name: str

    def answer(self, deadline: Deadline) -> Answer:
        """Ask once."""


class Whole(Protocol):
    """What is waited for."""

    def singles(self) -> Iterator[Any]:
        """The parts that are asked."""

    def value(self, value_of: Callable[[Any], bool | None]) -> bool | None:
        """Whether it holds, given the parts; ``None`` if that is not known."""


@dataclass(frozen=True)
class Standing:
    """How it stood with a single condition when the time was over.

    Attributes:
        name: of the condition.
        answer: the last one; ``None`` if there never was any.
        asked: how often it was asked.
        silent_sec: for so long the last question has been without answer; 0 if none is open.
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
        lines = [f"{sign:4}{self.name}: {'; then '.join(said)} (asked {_times(self.asked)})"]
        lines += [f"    | {shortened(line)}" for line in (self.answer.tail if self.answer else ())]
        return "\n".join(lines)


class NotReadyError(TimeoutError):
    """A condition did not hold in time; the text has the last answer of each part, and the ends of the logs.

    Attributes:
        timeout_sec: how long was waited.
        standings: how it stood with each single condition, in order.
    """

    def __init__(self, message: str, timeout_sec: float = 0.0, standings: tuple[Standing, ...] = ()) -> None:
        super().__init__(message)
        self.timeout_sec = timeout_sec
        self.standings = standings


class _Watch:
    """What is known of one single condition during one wait."""

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
        # Without what was raised, of which nobody knows whether it can be sent to another process
        answer = None if self.answer is None else replace(self.answer, error=None)
        return Standing(self.single.name, answer, self.asked, self.silent_sec())

    def value(self) -> bool | None:
        """The last answer, unless a later question hangs: what held before that may not hold any more."""
        if self.answer is None or self.silent_sec() > _PATIENCE_SEC + _PATIENCE_FACTOR * self._took:
            return None
        return self.answer.holds


class Wait:
    """One wait.

    Args:
        condition: what to wait for.
        timeout_sec: most seconds for everything.
        poll_sec: from an answer to the next question.
    """

    def __init__(self, condition: Whole, timeout_sec: float, poll_sec: float) -> None:
        self._condition = condition
        self._timeout_sec = timeout_sec
        self._poll_sec = poll_sec
        self._deadline = Deadline(timeout_sec)
        self._end_of_questions = Deadline(timeout_sec + _LONGER_SEC)
        self._watches = {single: _Watch(single) for single in condition.singles()}
        self._news = threading.Condition()
        self._over = threading.Event()
        self._raised: BaseException | None = None

    def run(self, err_msg: str) -> None:
        """Block until the condition holds.

        Args:
            err_msg: begin of the error's message.

        Raises:
            NotReadyError: it did not hold in time.
        """
        try:
            for watch in self._watches.values():
                # A copy for each, because one can only be entered once at a time
                context = contextvars.copy_context()
                name = f"waiting for {watch.single.name}"
                threading.Thread(target=context.run, args=(self._ask, watch), name=name, daemon=True).start()
            with self._news:
                standings = self._watch()
        finally:
            self._over.set()
        if standings is not None:
            raise self._not_ready(err_msg, standings) from self._first_error()

    def _ask(self, watch: _Watch) -> None:
        """Ask one condition again and again; the thread's work."""
        while not self._over.is_set():
            with self._news:
                watch.begin()
            try:
                answer = watch.single.answer(self._end_of_questions)
            except BaseException as error:  # belongs to the waiting thread
                with self._news:
                    self._raised = error
                    self._news.notify()
                return
            with self._news:
                watch.end(answer)
                self._news.notify()
            self._over.wait(self._poll_sec)

    def _watch(self) -> tuple[Standing, ...] | None:
        """Block until the condition holds; returns how everything stands if it does not do so in time."""
        while True:
            if self._raised is not None:
                raise self._raised
            if self._condition.value(lambda single: self._watches[single].value()) is True:
                return None
            if self._deadline.is_over:
                return tuple(watch.standing() for watch in self._watches.values())
            self._news.wait(self._deadline.left())

    def _not_ready(self, err_msg: str, standings: tuple[Standing, ...]) -> NotReadyError:
        begin = f"{err_msg}: not ready" if err_msg else "Not ready"
        lines = [f"{begin} after {self._timeout_sec:g} s: {self._condition}", *map(str, standings)]
        return NotReadyError("\n".join(lines), self._timeout_sec, standings)

    def _first_error(self) -> Exception | None:
        answers = [watch.answer for watch in self._watches.values()]
        return next((each.error for each in answers if each is not None and each.error is not None), None)


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
