# SPDX-License-Identifier: Apache-2.0
"""The base class of faults: probe, inject, wait, heal, record."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TypeVar

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.errors import TimeoutError
from ducktape.faults.engine.log import log_of
from ducktape.faults.errors import FaultError
from ducktape.utils.support.guard import OnError, tolerated
from ducktape.utils.support.text import reason_of
from ducktape.utils.support.times import Stopwatch

_SECONDS_BETWEEN_LOOKS = 0.05
F = TypeVar("F", bound="Fault")


class Fault(ABC):
    """A failure of nodes for some time; a context manager that injects it and heals it at the end.

    Args:
        nodes: the nodes to break.
        **details: for the records.

    Attributes:
        kind: name of the kind of fault.
        details: for the records.
        injected, effective, healed: Unix seconds; ``None`` before.
        healed_by: ``test``, or ``node`` if a node undid it because it was not renewed.
        error: why the injection failed; it has been undone then.
    """

    kind = "fault"

    @property
    def ends_processes(self) -> bool:
        """Whether processes on its nodes are meant to end."""
        return False

    def __init__(self, nodes: Sequence[ClusterNode], **details: object) -> None:
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

    def to_json(self) -> dict[str, object]:
        """Return the record for reports."""
        content: dict[str, object] = {
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
        """Whether it is injected and not healed."""
        return self.injected is not None and self.healed is None

    def probe(self) -> None:
        """Check whether the machines support it, without changing anything; blocks for a round trip to each.

        Raises:
            FaultUnavailable: one of them does not; the text says which and why.
        """
        self._probe()

    def inject(self: F) -> F:
        """Probe and inject it; blocks until that is done on every node.

        Returns:
            The fault itself.

        Raises:
            FaultUnavailable: a machine does not support it; nothing has changed.
            FaultError: it failed on a machine and was undone on the others, or it is already in force.
        """
        with self._lock:
            if self.active:
                raise FaultError(f"{self} is in force already")
            self.probe()
            self._clock = Stopwatch()
            self.injected, self.effective, self.healed, self.healed_by = self._clock.start_time, None, None, None
            self.error = None
            self._record.note(self)
            with OnError(self._note_failure):
                self._inject()
            self._log(logging.INFO, "injected")
        return self

    def wait_effective(self, timeout_sec: float = 10) -> None:
        """Block until it is effective on every machine.

        Args:
            timeout_sec: seconds.

        Raises:
            TimeoutError: (the framework's) it is not effective in time.
            FaultError: it is not injected.
        """
        if not self.active:
            raise FaultError(f"{self} is not in force: inject() it first")
        self._wait(self._is_effective, timeout_sec, "has not come into effect")
        self.effective = self._clock.now()
        self._record.note(self)
        self._log(logging.INFO, "in effect")

    def heal(self) -> None:
        """Undo it if it is in force; blocks until that is done on every node.

        Raises:
            FaultError: a machine could not undo it; it tries again by itself at the end of the time to live.
        """
        with self._lock:
            if not self.active:
                return
            self._heal()
            self._note_healed(self.healed_by or "test")
            self._log(logging.INFO, f"healed by the {self.healed_by}")

    def wait_healed(self, timeout_sec: float = 10) -> None:
        """Block until every machine is restored.

        Args:
            timeout_sec: seconds.

        Raises:
            TimeoutError: (the framework's) it is not.
        """
        self._wait(self._is_healed, timeout_sec, "has not been healed")

    def __enter__(self: F) -> F:
        self.inject()
        with OnError(lambda error: self.heal()):
            self.wait_effective()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.heal()
            self.wait_healed()
            return
        # The first error is the one that matters for the test
        with tolerated(lambda problem: self._log(logging.WARNING, f"not healed: {problem}")):
            self.heal()
            self.wait_healed()

    def power_returned(self, node: ClusterNode) -> None:
        """Restore the fault on a node whose power is back, before anything is started there."""

    @abstractmethod
    def _probe(self) -> None:
        """Raise :class:`FaultUnavailable` if a machine does not support it."""

    @abstractmethod
    def _inject(self) -> None:
        """Inject it on all nodes or on none."""

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

    def _note_failure(self, error: BaseException) -> None:
        self.error = reason_of(error)
        self._note_healed("test")

    def _note_healed(self, by: str) -> None:
        self.healed, self.healed_by = self._clock.now(), by
        self._record.note(self)

    def _log(self, level: int, what: str) -> None:
        for node in self.nodes[:1]:
            node.account.logger.log(level, "Fault: %s: %s", self, what)
