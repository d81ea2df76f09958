# SPDX-License-Identifier: Apache-2.0
"""Faults that are scripts on machines: done side by side, renewed as long as the test lives, undone in time."""

from __future__ import annotations

import logging
import os
import secrets
import threading
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from ducktape.faults.engine.action import Lifeline, Measure, Renewal
from ducktape.faults.engine.host import Place
from ducktape.faults.engine.validation import need_number
from ducktape.faults.errors import FaultUnavailable
from ducktape.faults.fault import Fault
from ducktape.utils.support.parallel import run_parallel
from ducktape.utils.support.text import reason_of

TTL_SEC = 60.0
T = TypeVar("T")
R = TypeVar("R")


class MeasuredFault(Fault):
    """A fault that consists of scripts on machines, each with a script beside it that undoes it in time.

    Args:
        nodes: that it is done to.
        ttl: seconds after which a machine undoes it by itself when the test does not renew it, which a thread of the
            test's process does as long as that lives.
        **details: for the records.
    """

    def __init__(self, nodes: Sequence[Any], *, ttl: float = TTL_SEC, **details: Any) -> None:
        if need_number(ttl, "ttl", "seconds") < 2:
            raise ValueError(f"a time to live of {ttl} seconds is too short: give 2 or more")
        super().__init__(nodes, **details)
        self.ttl = ttl
        self.token = secrets.token_hex(5)
        self._measures: list[Measure] = []
        self._lines: list[Lifeline] = []
        self._over = threading.Event()

    def to_json(self) -> dict[str, Any]:
        """Return what the records say of it; while it is in force, also how others can undo it."""
        if not self.active:
            return super().to_json()
        undo = [[measure.place.name, token] for token, measure in self._measures_by_token().items()]
        return {**super().to_json(), "undo": undo}

    @abstractmethod
    def _plan(self) -> list[Measure]:
        """Look at the machines, and say what is to be done to them."""

    def _places(self) -> list[Place]:
        """The machines of the nodes, all asked for their facts side by side."""
        places = [Place.of(node) for node in self.nodes]
        side_by_side(places, lambda place: place.facts)
        return places

    def _probe(self) -> None:
        self.token = secrets.token_hex(5)
        self._measures = self._plan()

    def _inject(self) -> None:
        self._lines = [Lifeline(measure, token, self.ttl) for token, measure in self._measures_by_token().items()]
        self._over = threading.Event()
        try:
            side_by_side(self._lines, Lifeline.tie)
        except BaseException as error:
            self._cut_what_was_tied(error)
            raise
        # The pid: a forked process has the object and not the thread, and must not believe that it renews
        threading.Thread(
            target=self._renew, args=(self._lines, self._over, os.getpid()), name=f"fault-{self.token}", daemon=True
        ).start()

    def _measures_by_token(self) -> dict[str, Measure]:
        # Machines may share the directory
        return {f"{self.token}n{number}": measure for number, measure in enumerate(self._measures)}

    def _cut_what_was_tied(self, error: BaseException) -> None:
        try:
            side_by_side(self._lines, Lifeline.cut)
        except Exception as second:
            self._log(logging.WARNING, f"after {error!r} it could not be undone: {reason_of(second)}")

    def _heal(self) -> None:
        self._over.set()
        if not all(side_by_side(self._lines, Lifeline.cut)):
            self.healed_by = "node"

    def _is_effective(self) -> bool:
        return all(side_by_side(self._lines, lambda line: line.is_effective))

    def _is_healed(self) -> bool:
        return not self.active and all(side_by_side(self._lines, lambda line: line.is_gone))

    def power_returned(self, node: Any) -> None:
        """Put it back into force on a node whose rules have gone with its power; blocks until it is there."""
        name = str(node.account.hostname)
        with self._guard:
            for line in self._lines:
                if line.place.name != name:
                    continue
                if self.active:
                    self._renew_line(line, self._over)
                else:
                    line.sweep()

    def _renew(self, lines: list[Lifeline], over: threading.Event, pid: int) -> None:
        # The script on the machine counts in whole seconds, and so may be one ahead
        while not over.wait((self.ttl - 1) / 4) and os.getpid() == pid:
            for line in lines:
                try:
                    self._renew_line(line, over)
                except Exception as error:  # a node may be away for a moment
                    self._log(logging.WARNING, f"could not be renewed on {line.place.name}: {reason_of(error)}")

    def _renew_line(self, line: Lifeline, over: threading.Event) -> None:
        found = line.renew()
        if found is Renewal.GONE and not over.is_set():
            self.healed_by = "node"
            self._log(logging.WARNING, f"{line.place.name} has undone it: it was not renewed in time")
        if found is not Renewal.ORPHANED:
            return
        with self._guard:
            # Somebody else may have put it back meanwhile, and to do so again would lift it for a moment
            if over.is_set() or line.renew() is not Renewal.ORPHANED:
                return
            line.tie_again()
        self._log(logging.INFO, f"in force again on {line.place.name}, which was off")


def side_by_side(items: Sequence[T], work: Callable[[T], R]) -> list[R]:
    """Call ``work(item)`` for all items in parallel; raises the first error, preferably that a fault is unavailable."""
    attempts = run_parallel(items, work)
    errors = [attempt.error for attempt in attempts if attempt.error is not None]
    if errors:
        raise next((error for error in errors if isinstance(error, FaultUnavailable)), errors[0])
    return [cast(R, attempt.result) for attempt in attempts]
