# SPDX-License-Identifier: Apache-2.0
"""Doing one thing on each of several nodes: one after another or side by side, all of them or up to the first error."""

from __future__ import annotations

import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

Work = Callable[[Any], Any]
Note = Callable[[Any, BaseException], None]


def run_on_nodes(nodes: Sequence[Any], work: Work, note: Note, *, side_by_side: bool, try_all: bool) -> list[Any]:
    """Call ``work(node)`` for each node; blocks until it is done.

    Args:
        nodes: whatever ``work`` takes; each node is given exactly once.
        work: what to do on one node.
        note: told of every failure that is not raised, as ``note(node, error)``.
        side_by_side: one thread per node; otherwise one node after another in this thread.
        try_all: a failure on one node does not keep the others from their turn. Side by side all nodes have begun
            anyway, so this only says what an interrupt does: with it the threads are waited for, without it
            the interrupt goes on at once and leaves them to themselves.

    Returns:
        What ``work`` returned, in the order of the nodes.

    Raises:
        KeyboardInterrupt: at an interrupt, before any other failure.
        BaseException: what ``work`` raised on the first node, in their order, that failed.
    """
    turns = [_Turn(node, work) for node in nodes]
    if side_by_side and len(turns) > 1:
        interrupt = _run_side_by_side(turns, patient=try_all)
    else:
        interrupt = None
        _run_in_turn(turns, try_all=try_all)
    _raise_most_important(turns, interrupt, note)
    return [turn.result for turn in turns]


def work_off(jobs: Sequence[Callable[[], object]], *, at_once: int, timeout: float | None = None) -> bool:
    """Call all jobs, several at a time; blocks until they are done or the time is over.

    Args:
        jobs: what to do; must not raise.
        at_once: most of them at the same time.
        timeout: seconds; ``None`` is without limit. Jobs under way then are left to themselves, in threads that keep
            no process alive; the others do not begin any more.

    Returns:
        Whether all were done in time.
    """
    if len(jobs) == 1 and timeout is None:
        jobs[0]()
        return True
    waiting = deque(jobs)
    left = threading.Semaphore(0)

    def work() -> None:
        while waiting:
            try:
                job = waiting.popleft()
            except IndexError:
                return
            try:
                job()
            finally:
                left.release()

    for _ in range(min(at_once, len(jobs))):
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(work,), daemon=True).start()
    deadline = None if timeout is None else time.monotonic() + timeout
    try:
        return all(left.acquire(timeout=_remaining(deadline)) for _ in jobs)
    finally:
        waiting.clear()


def _remaining(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())


class _Turn:
    """One node's share of the work, and what came of it."""

    def __init__(self, node: Any, work: Work) -> None:
        self.node = node
        self.result: Any = None
        self.error: BaseException | None = None
        self._work = work
        # A thread starts with an empty context, but what holds for the caller holds for what is done in its name
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self.run,), daemon=True)

    def run(self) -> None:
        try:
            self.result = self._work(self.node)
        except BaseException as error:
            self.error = error

    def start(self) -> None:
        if self._thread.ident is None:
            self._thread.start()

    def join(self) -> None:
        self._thread.join()


def _run_in_turn(turns: Sequence[_Turn], *, try_all: bool) -> None:
    for turn in turns:
        turn.run()
        if turn.error is not None and not try_all:
            return


def _run_side_by_side(turns: Sequence[_Turn], *, patient: bool) -> KeyboardInterrupt | None:
    """Begin all turns and wait for them; a patient caller is stopped by the second interrupt only."""
    interrupt: KeyboardInterrupt | None = None
    steps = [turn.start for turn in turns] + [turn.join for turn in turns]
    for step in steps:
        try:
            step()
        except KeyboardInterrupt as error:
            if not patient or interrupt is not None:
                raise
            interrupt = error
            step()
    return interrupt


def _raise_most_important(turns: Sequence[_Turn], interrupt: KeyboardInterrupt | None, note: Note) -> None:
    failed = [(turn.node, turn.error) for turn in turns if turn.error is not None]
    if interrupt is None:
        interrupt = next((error for _, error in failed if isinstance(error, KeyboardInterrupt)), None)
    chosen = interrupt if interrupt is not None or not failed else failed[0][1]
    for node, error in failed:
        if error is not chosen:
            note(node, error)
    if chosen is not None:
        raise chosen
