# SPDX-License-Identifier: Apache-2.0
"""What all faults have in common: they are looked at beforehand, injected, effective, healed and recorded."""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

from ducktape.errors import TimeoutError
from ducktape.faults.errors import FaultError, FaultUnavailable
from ducktape.faults.lifeline import Lifeline, Measure
from ducktape.faults.place import Place
from ducktape.faults.record import log_of

TTL_SEC = 60.0
_SECONDS_BETWEEN_LOOKS = 0.05
T = TypeVar("T")
F = TypeVar("F", bound="Fault")


class Fault(ABC):
    """Something bad that is done to nodes for a while; a context manager that injects it first and heals it last.

    Args:
        nodes: that it is done to.
        **details: for the records.

    Attributes:
        kind: of fault, one word.
        details: for the records.
        injected, effective, healed: when; Unix seconds, ``None`` before.
        healed_by: ``test``, or ``node`` when a node had undone it because nobody renewed it.
        error: why it could not be injected; everything has been undone then.
    """

    kind = "fault"

    def __init__(self, nodes: Sequence[Any], **details: Any) -> None:
        self.nodes = list(nodes)
        self.details = {name: value for name, value in details.items() if value is not None}
        self.injected: float | None = None
        self.effective: float | None = None
        self.healed: float | None = None
        self.healed_by: str | None = None
        self.error: str | None = None
        self._record = log_of(self.nodes)
        self._guard = threading.RLock()

    def __str__(self) -> str:
        details = ", ".join(f"{name}={value}" for name, value in self.details.items())
        names = ", ".join(str(node.account.hostname) for node in self.nodes)
        return f"{self.kind} of {names or 'nothing'}" + (f" ({details})" if details else "")

    def __repr__(self) -> str:
        return f"<{self}>"

    def to_json(self) -> dict[str, Any]:
        """Return what the records say of it."""
        content = {
            "fault": self.kind,
            "nodes": [str(node.account.hostname) for node in self.nodes],
            "details": self.details,
            "injected": self.injected,
            "effective": self.effective,
            "healed": self.healed,
            "healed_by": self.healed_by,
        }
        return content | ({} if self.error is None else {"error": self.error})

    @property
    def active(self) -> bool:
        """Whether it has been injected and not been healed."""
        return self.injected is not None and self.healed is None

    def probe(self) -> None:
        """Look whether the machines can do it; changes nothing, blocks for a round trip to each.

        Raises:
            FaultUnavailable: one of them cannot; the text says which and why.
        """
        self._probe()

    def inject(self: F) -> F:
        """Bring it about, after a look whether the machines can; blocks until it is done everywhere.

        Returns:
            The fault itself.

        Raises:
            FaultUnavailable: a machine cannot; nothing has changed.
            FaultError: it failed on a machine; what had been done elsewhere has been undone. Or it is in force already.
        """
        with self._guard:
            if self.active:
                raise FaultError(f"{self} is in force already")
            self.probe()
            self.injected, self.effective, self.healed, self.healed_by = time.time(), None, None, None
            self.error = None
            self._record.note(self)
            try:
                self._inject()
            except BaseException as error:
                self.error = str(error) or type(error).__name__
                self._note_healed("test")
                raise
            self._log(logging.INFO, "injected")
        return self

    def wait_effective(self, timeout_sec: float = 10) -> None:
        """Block until its effect is there on every machine.

        Args:
            timeout_sec: seconds.

        Raises:
            TimeoutError: (the framework's) it has not come into effect.
            FaultError: it is not injected.
        """
        if not self.active:
            raise FaultError(f"{self} is not in force: inject() it first")
        self._wait(self._is_effective, timeout_sec, "has not come into effect")
        self.effective = time.time()
        self._record.note(self)
        self._log(logging.INFO, "in effect")

    def heal(self) -> None:
        """Undo it; does nothing if there is nothing to undo. Blocks until it is undone everywhere.

        Raises:
            FaultError: a machine could not undo it; it tries once more by itself when the time to live is over.
        """
        with self._guard:
            if not self.active:
                return
            self._heal()
            self._note_healed(self.healed_by or "test")
            self._log(logging.INFO, f"healed by the {self.healed_by}")

    def wait_healed(self, timeout_sec: float = 10) -> None:
        """Block until every machine is as it was.

        Args:
            timeout_sec: seconds.

        Raises:
            TimeoutError: (the framework's) it is not.
        """
        self._wait(self._is_healed, timeout_sec, "has not been healed")

    def __enter__(self: F) -> F:
        self.inject()
        try:
            self.wait_effective()
        except BaseException:
            self.heal()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.heal()
            self.wait_healed()
        except Exception as problem:
            if error is None:
                raise
            # What went wrong first is what the test is about
            self._log(logging.WARNING, f"not healed: {problem}")

    @abstractmethod
    def _probe(self) -> None:
        """Raise :class:`FaultUnavailable` if it cannot be done."""

    @abstractmethod
    def _inject(self) -> None:
        """Do it everywhere, or nowhere."""

    @abstractmethod
    def _heal(self) -> None:
        """Undo it."""

    def _is_effective(self) -> bool:
        return True

    def _is_healed(self) -> bool:
        return not self.active

    def _wait(self, condition: Callable[[], bool], timeout_sec: float, complaint: str) -> None:
        deadline = time.monotonic() + timeout_sec
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self} {complaint} within {timeout_sec} seconds")
            time.sleep(_SECONDS_BETWEEN_LOOKS)

    def _note_healed(self, by: str) -> None:
        self.healed, self.healed_by = time.time(), by
        self._record.note(self)

    def _log(self, level: int, what: str) -> None:
        for node in self.nodes[:1]:
            node.account.logger.log(level, "Fault: %s: %s", self, what)


class MeasuredFault(Fault):
    """A fault that consists of scripts on machines, each with a script beside it that undoes it in time.

    Args:
        nodes: that it is done to.
        ttl: seconds after which a machine undoes it by itself when the test does not renew it, which a thread of the
            test's process does as long as that lives.
        **details: for the records.
    """

    def __init__(self, nodes: Sequence[Any], *, ttl: float = TTL_SEC, **details: Any) -> None:
        if ttl < 2:
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
        _side_by_side(places, lambda place: place.facts)
        return places

    def _probe(self) -> None:
        self.token = secrets.token_hex(5)
        self._measures = self._plan()

    def _inject(self) -> None:
        self._lines = [Lifeline(measure, token, self.ttl) for token, measure in self._measures_by_token().items()]
        self._over = threading.Event()
        try:
            _side_by_side(self._lines, Lifeline.tie)
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
            _side_by_side(self._lines, Lifeline.cut)
        except Exception as second:
            self._log(logging.WARNING, f"after {error!r} it could not be undone: {second}")

    def _heal(self) -> None:
        self._over.set()
        if not all(_side_by_side(self._lines, Lifeline.cut)):
            self.healed_by = "node"

    def _is_effective(self) -> bool:
        return all(_side_by_side(self._lines, lambda line: line.is_effective))

    def _is_healed(self) -> bool:
        return not self.active and all(_side_by_side(self._lines, lambda line: line.is_gone))

    def _renew(self, lines: list[Lifeline], over: threading.Event, pid: int) -> None:
        # The script on the machine counts in whole seconds, and so may be one ahead
        while not over.wait((self.ttl - 1) / 4) and os.getpid() == pid:
            for line in lines:
                try:
                    alive = line.renew()
                except Exception as error:  # a node may be away for a moment
                    self._log(logging.WARNING, f"could not be renewed on {line.place.name}: {error}")
                    continue
                if not alive and not over.is_set():
                    self.healed_by = "node"
                    self._log(logging.WARNING, f"{line.place.name} has undone it: it was not renewed in time")


def _side_by_side(items: Sequence[Any], work: Callable[[Any], T]) -> list[T]:
    """Do something with every item at the same time; raises the first error after all had their turn."""
    if len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(len(items), thread_name_prefix="fault") as pool:
        futures = [pool.submit(work, item) for item in items]
    errors = [error for future in futures if (error := future.exception()) is not None]
    if not errors:
        return [future.result() for future in futures]
    unavailable = [error for error in errors if isinstance(error, FaultUnavailable)]
    raise (unavailable or errors)[0]
