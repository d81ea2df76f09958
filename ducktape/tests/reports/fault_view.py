# SPDX-License-Identifier: Apache-2.0
"""Faults in reports: kind, place, start, end and outcome."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ducktape.tests.result import TestResult

_LONGEST_TEXT = 300
_ENDINGS = {
    "test": "by the test",
    "node": "by the node, since nobody renewed it",
    "clean-up": "after the test's process had died",
}


def fault_view(fault: Mapping[str, object], result: TestResult) -> dict[str, str]:
    """Return the texts of one row, with times relative to the attempt; what is missing or makes no sense is empty."""
    injected, effective, healed = (time_in(fault, name) for name in ("injected", "effective", "healed"))
    start_time, of_attempt = float(result.start_time), ""
    for attempt in result.attempts:
        start = time_in(attempt, "start_time")
        if start is not None and injected is not None and start <= injected:
            start_time, of_attempt = start, f" (attempt {attempt.get('number')})"
    details = fault.get("details")
    items = details.items() if isinstance(details, Mapping) else ()
    error = fault.get("error")
    by = str(fault.get("healed_by") or "test")
    lag = None if injected is None or effective is None else effective - injected
    ending = "not healed when the test ended" if healed is None else _ENDINGS.get(by, f"by {by}")
    return {
        "kind": _short(str(fault.get("fault") or "fault")),
        "details": _short(", ".join(f"{name}={_plain(value)}" for name, value in items)),
        "nodes": _short(_plain(fault.get("nodes") or [])),
        "injected": _relative(injected, start_time) + of_attempt,
        "injected_at": clock_text(injected)
        + (f", in effect {lag:.1f} s later" if lag is not None and lag >= 0 else ""),
        "healed": "" if error else _relative(healed, start_time),
        "healed_at": "" if error else clock_text(healed),
        "ending": _short(f"failed: {error}") if error else ending,
    }


def time_in(record: Mapping[str, object], name: str) -> float | None:
    """Return a time of a record in Unix seconds, if it makes sense."""
    value = record.get(name)
    return float(value) if isinstance(value, (int, float)) and abs(value) < 1e11 else None


def _plain(value: object) -> str:
    """Return a value in few characters, without quotes and needless braces."""
    if isinstance(value, Mapping):
        return " ".join(f"{key}: {_plain(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        # Groups of nodes are told apart by more than what is between their members
        separator = " | " if any(isinstance(item, (list, tuple)) for item in value) else ", "
        return separator.join(map(_plain, value))
    return str(value)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"


def _relative(moment: float | None, start: float) -> str:
    if moment is None:
        return ""
    # A clock that was set meanwhile, and a test of which nobody knows when it started
    return f"{moment - start:.1f} s" if 0 <= start <= moment else clock_text(moment)


def clock_text(moment: float | None) -> str:
    """Return a time as servers write it into their logs, independent of the time zone of this machine."""
    if moment is None:
        return ""
    seconds, tenth = divmod(round(moment * 10), 10)
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(seconds))}.{tenth} UTC"
