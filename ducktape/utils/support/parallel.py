# SPDX-License-Identifier: Apache-2.0
"""Calls one function for many items, in parallel or one after another."""

from __future__ import annotations

import contextvars
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, cast

from ducktape.utils.support.times import Deadline

T = TypeVar("T")
R = TypeVar("R")


class Attempt(Generic[T, R]):
    """The call for one item: once it is ``done``, it has either a result or an error."""

    def __init__(self, item: T) -> None:
        self.item = item
        self.result: R | None = None
        self.error: BaseException | None = None
        self.done = False

    def run(self, work: Callable[[T], R]) -> None:
        """Call the function; never raises."""
        try:
            self.result = work(self.item)
        except BaseException as error:  # raised again by whoever reads the attempt
            self.error = error
        self.done = True


class _Threads(Generic[T, R]):
    """Daemon threads that work on the attempts; both methods can be called again after an interrupt."""

    def __init__(self, attempts: Sequence[Attempt[T, R]], work: Callable[[T], R], at_once: int) -> None:
        self.pending = deque(attempts)
        self._work = work
        # A new thread has an empty context, but acts on behalf of the caller
        self._threads = [
            threading.Thread(target=contextvars.copy_context().run, args=(self._run,), daemon=True)
            for _ in range(min(at_once, len(attempts)))
        ]

    def _run(self) -> None:
        while True:
            try:
                attempt = self.pending.popleft()
            except IndexError:
                return
            attempt.run(self._work)

    def start(self) -> None:
        for thread in self._threads:
            if thread.ident is None:
                thread.start()

    def join(self, timeout: float | None = None) -> None:
        deadline = Deadline(timeout)
        for thread in self._threads:
            thread.join(deadline.left())


def run_parallel(
    items: Sequence[T], work: Callable[[T], R], *, at_once: int | None = None, timeout: float | None = None
) -> list[Attempt[T, R]]:
    """Call ``work(item)`` for all items in parallel and wait; returns one attempt per item, in their order.

    At most ``at_once`` calls run at the same time. After ``timeout`` seconds, and after an interrupt, no more calls
    start, and those that run are abandoned in threads that keep no process alive.
    """
    attempts: list[Attempt[T, R]] = [Attempt(item) for item in items]
    if len(attempts) == 1 and timeout is None:
        attempts[0].run(work)
        if isinstance(attempts[0].error, KeyboardInterrupt):
            raise attempts[0].error
        return attempts
    threads = _Threads(attempts, work, at_once or len(attempts))
    try:
        threads.start()
        threads.join(timeout)
    finally:
        threads.pending.clear()
    return attempts


def run_each(
    items: Sequence[T],
    work: Callable[[T], R],
    note: Callable[[T, BaseException], None],
    *,
    parallel: bool,
    try_all: bool,
) -> list[R]:
    """Return ``work(item)`` for each item in their order, or raise the most important failure at the end.

    ``note(item, error)`` gets every other failure. With ``try_all``, later items follow after a failure; parallel calls
    have all started by then, so it only decides whether an interrupt waits for them (a second one does not).

    Raises:
        KeyboardInterrupt: on an interrupt, before any other failure.
        BaseException: the failure of the first item, in their order, that failed.
    """
    attempts: list[Attempt[T, R]] = [Attempt(item) for item in items]
    interrupt: KeyboardInterrupt | None = None
    if parallel and len(attempts) > 1:
        threads = _Threads(attempts, work, len(attempts))
        for step in (threads.start, threads.join):
            try:
                step()
            except KeyboardInterrupt as error:
                if not try_all or interrupt is not None:
                    raise
                interrupt = error
                step()
    else:
        for attempt in attempts:
            attempt.run(work)
            if attempt.error is not None and not try_all:
                break
    failed = [(attempt.item, attempt.error) for attempt in attempts if attempt.error is not None]
    if interrupt is None:
        interrupt = next((error for _, error in failed if isinstance(error, KeyboardInterrupt)), None)
    chosen = interrupt if interrupt is not None or not failed else failed[0][1]
    for item, failure in failed:
        if failure is not chosen:
            note(item, failure)
    if chosen is not None:
        raise chosen
    return [cast(R, attempt.result) for attempt in attempts]
