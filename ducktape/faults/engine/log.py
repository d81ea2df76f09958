# SPDX-License-Identifier: Apache-2.0
"""What happened to the nodes of one test, and when: for its log, for ``events.json`` and for the report."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import Any, Protocol

from ducktape.faults.engine.validation import in_sandbox
from ducktape.json_serializable import jsonable, strict_dumps
from ducktape.utils.support.files import write_atomically
from ducktape.utils.support.text import reason_of

EVENTS_FILE = "events.json"


class Recordable(Protocol):
    """What the record needs of a fault."""

    def heal(self) -> Any:
        """Undo it."""

    def to_json(self) -> Any:
        """Return what reports say of it."""

    def power_returned(self, node: Any) -> None:
        """Do what there is to do when a node has its power back."""


class FaultLog:
    """The faults of one test.

    Args:
        directory: of the test's results, for ``events.json``; without one there is no file.
    """

    def __init__(self, directory: str | None = None) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._faults: list[Recordable] = []

    def __repr__(self) -> str:
        return f"<FaultLog of {self._directory}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # It may hang on an account that goes to another process, where it begins anew
        return type(self), (self._directory,)

    def note(self, fault: Recordable) -> None:
        """Remember a fault, and write down how it is with all of them now.

        Args:
            fault: that has just been injected, become effective, or healed.
        """
        with self._lock:
            if fault not in self._faults:
                self._faults.append(fault)
            if self._directory is None:
                return
            write_events(self._directory, self._to_json())

    def power_returned(self, node: Any) -> None:
        """Tell the faults that a node has its power back; blocks until those in force are so there, too.

        Args:
            node: which is on again, and on which nothing has been started yet.
        """
        with self._lock:
            faults = list(self._faults)
        for fault in faults:
            fault.power_returned(node)

    def to_json(self) -> list[dict[str, Any]]:
        """Return all faults in the order of their injection; times are Unix seconds, ``None`` for what has not been."""
        with self._lock:
            return self._to_json()

    def _to_json(self) -> list[dict[str, Any]]:
        return [dict(jsonable(fault.to_json())) for fault in self._faults]

    def heal_all(self) -> list[str]:
        """Heal whatever is still in force, the youngest first; returns what went wrong, one line each.

        To be called at the end of a test, before its services are stopped: they would not stop while they are paused
        or cut off.
        """
        with self._lock:
            faults = list(reversed(self._faults))
        problems = []
        for fault in faults:
            try:
                fault.heal()
            except Exception as error:
                problems.append(f"healing {fault}: {reason_of(error)}")
        return problems


def write_events(directory: str, faults: list[dict[str, Any]]) -> None:
    """Write the file of a test that tells of its faults.

    Args:
        directory: of the test's results; made if it is not there.
        faults: ready for JSON, in the order of their injection.
    """
    # A full disk costs the file; the report has it all the same
    with contextlib.suppress(OSError):
        os.makedirs(directory, exist_ok=True)
        text = strict_dumps({"faults": faults}, indent=1)
        write_atomically(os.path.join(directory, EVENTS_FILE), text + "\n")


def log_of(nodes: list[Any]) -> FaultLog:
    """The log of the test that uses some nodes; one that writes nothing if they are not known to belong to a test."""
    logs = [getattr(node.account, "fault_log", None) for node in nodes]
    found = next((log for log in logs if isinstance(log, FaultLog)), None) or FaultLog()
    for node, log in zip(nodes, logs, strict=True):
        # By which it learns when the node is switched off and on
        if log is None and in_sandbox(node):
            node.account.fault_log = found
    return found
