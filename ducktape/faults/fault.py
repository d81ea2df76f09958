# SPDX-License-Identifier: Apache-2.0
"""What all faults have in common: they are looked at beforehand, injected, effective, healed and recorded."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, TypeVar

from ducktape.errors import TimeoutError
from ducktape.faults.engine.log import log_of
from ducktape.faults.errors import FaultError
from ducktape.utils.support.stopwatch import Stopwatch
from ducktape.utils.support.text import reason_of

_SECONDS_BETWEEN_LOOKS = 0.05
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
        self._lock = threading.RLock()
        self._clock = Stopwatch()

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
        with self._lock:
            if self.active:
                raise FaultError(f"{self} is in force already")
            self.probe()
            self._clock = Stopwatch()
            self.injected, self.effective, self.healed, self.healed_by = self._clock.start_time, None, None, None
            self.error = None
            self._record.note(self)
            try:
                self._inject()
            except BaseException as error:
                self.error = reason_of(error)
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
        self.effective = self._clock.now()
        self._record.note(self)
        self._log(logging.INFO, "in effect")

    def heal(self) -> None:
        """Undo it; does nothing if there is nothing to undo. Blocks until it is undone everywhere.

        Raises:
            FaultError: a machine could not undo it; it tries once more by itself when the time to live is over.
        """
        with self._lock:
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

    def power_returned(self, node: Any) -> None:
        """Do what there is to do when a node has its power back, before anything is started on it.

        Args:
            node: which is on again.
        """

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
        self.healed, self.healed_by = self._clock.now(), by
        self._record.note(self)

    def _log(self, level: int, what: str) -> None:
        for node in self.nodes[:1]:
            node.account.logger.log(level, "Fault: %s: %s", self, what)
