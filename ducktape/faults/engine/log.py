# SPDX-License-Identifier: Apache-2.0
"""The log of the faults of one test, for ``events.json`` and the report."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Protocol

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.faults.engine.validation import in_sandbox
from ducktape.json_serializable import jsonable, strict_dumps
from ducktape.utils.support.files import write_atomically
from ducktape.utils.support.guard import tolerated
from ducktape.utils.support.text import reason_of

EVENTS_FILE = "events.json"


class Recordable(Protocol):
    """What the log needs of a fault; see :class:`ducktape.faults.fault.Fault`."""

    nodes: list[ClusterNode]
    injected: float | None

    @property
    def ends_processes(self) -> bool: ...
    def heal(self) -> None: ...
    def to_json(self) -> dict[str, object]: ...
    def power_returned(self, node: ClusterNode) -> None: ...


class FaultLog:
    """The faults of one test, also in ``events.json`` of its results directory, if one is given."""

    def __init__(self, directory: str | None = None) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._faults: list[Recordable] = []

    def __repr__(self) -> str:
        return f"<FaultLog of {self._directory}>"

    def __reduce__(self) -> tuple[type[FaultLog], tuple[str | None]]:
        # An account that is sent to another process takes its log along, which starts empty there
        return type(self), (self._directory,)

    def note(self, fault: Recordable) -> None:
        """Record that a fault was injected, became effective or was healed; rewrites the file."""
        with self._lock:
            if fault not in self._faults:
                self._faults.append(fault)
            if self._directory is not None:
                write_events(self._directory, self._to_json())

    def power_returned(self, node: ClusterNode) -> None:
        """Restore all faults in force on a node whose power is back; blocks until that is done."""
        with self._lock:
            faults = list(self._faults)
        for fault in faults:
            fault.power_returned(node)

    def to_json(self) -> list[dict[str, object]]:
        """Return the records of all faults in the order of their injection."""
        with self._lock:
            return self._to_json()

    def _to_json(self) -> list[dict[str, object]]:
        return [dict(jsonable(fault.to_json())) for fault in self._faults]

    def has_ended_processes(self, node: ClusterNode, since: float) -> bool:
        """Return whether a fault since a time (Unix seconds) was meant to end processes of a node."""
        with self._lock:
            faults = list(self._faults)
        return any(
            fault.ends_processes and (fault.injected or 0) >= since
            for fault in faults
            if node.account.hostname in [each.account.hostname for each in fault.nodes]
        )

    def heal_all(self) -> list[str]:
        """Heal all faults in force, the newest first; returns the errors, one line each.

        Called at the end of a test, before its services are stopped: paused or isolated ones would not stop.
        """
        with self._lock:
            faults = list(reversed(self._faults))
        problems: list[str] = []

        def note(fault: Recordable, error: BaseException) -> None:
            problems.append(f"healing {fault}: {reason_of(error)}")

        for fault in faults:
            with tolerated(partial(note, fault)):
                fault.heal()
        return problems


def write_events(directory: str, faults: Sequence[Mapping[str, object]]) -> None:
    """Write the records of faults into ``events.json`` of a test's results directory."""
    # On a full disk the file is missing; the report has the faults all the same
    with contextlib.suppress(OSError):
        os.makedirs(directory, exist_ok=True)
        text = strict_dumps({"faults": faults}, indent=1)
        write_atomically(os.path.join(directory, EVENTS_FILE), text + "\n")


def log_of(nodes: list[ClusterNode]) -> FaultLog:
    """Return the log of the test that owns the nodes, or one without a file if no test is known to."""
    logs = [getattr(node.account, "fault_log", None) for node in nodes]
    found = next((log for log in logs if isinstance(log, FaultLog)), None) or FaultLog()
    for node, log in zip(nodes, logs, strict=True):
        # So that the log is notified when the power of the node returns
        if log is None and in_sandbox(node):
            node.account.fault_log = found
    return found
