# SPDX-License-Identifier: Apache-2.0
"""How much of what a test returns, says and records goes on to the driver, the session log and the reports.

What a test hands over is untrusted: it may be too much by mistake or on purpose. Its own process cuts it and says so;
the driver holds a process that sends more all the same to the same limits, and ends it.
"""

from __future__ import annotations

import dataclasses
import json
import time
from typing import TypeVar

from ducktape.command_line.defaults import ConsoleDefaults
from ducktape.json_serializable import DucktapeJSONEncoder, unserializable_part
from ducktape.tests.event import Attempt, Attempted, CleanedUp, Finished, Message, Outcome
from ducktape.tests.reports.text import excerpt
from ducktape.tests.status import FAIL
from ducktape.utils.support.guard import UserCodeError, value_or

T = TypeVar("T")

DEFAULT_DATA_BYTES = ConsoleDefaults.MAX_DATA_BYTES
LONGEST_SUMMARY = 1_000_000  # characters, as everywhere below
LONGEST_LINE = 100_000
LONGEST_DESCRIPTION = 100_000
# Of one message, beside the data; all that one test makes the driver remember is bounded by a multiple
ROOM_BESIDE_DATA = 32 * 1024 * 1024
ROOM_TO_REMEMBER = 64 * 1024 * 1024

_SHOWN_OF_DATA = 10_000
_ROOM_FOR_SUMMARIES = 20_000_000
_ROOM_FOR_LISTS = 4_000_000
_MOST_OF_A_MESSAGE_SHOWN = 10_000
# What is surely larger than this is not written down only to know its exact size
_WORTH_COUNTING = 300_000_000
_NO_NEED_FOR_DIGITS = 10**15
_SHORT = frozenset({int, float, bool, type(None)})  # one byte at least
_ESCAPED = 6  # bytes that a character outside of ASCII takes in JSON


def bounded_text(text: str, limit: int = LONGEST_SUMMARY, *, whole: str = "") -> str:
    """Return a text, or its beginning and end around a line that says how much is left out."""
    return excerpt(text, limit if text.isascii() else limit // _ESCAPED, whole)


def longest_summary(runs: int) -> int:
    """Return how many characters of the summary of each attempt are kept."""
    return min(LONGEST_SUMMARY, max(LONGEST_SUMMARY // 100, _ROOM_FOR_SUMMARIES // max(1, runs)))


def data_problem(data: object, limit: int) -> tuple[str, str] | None:
    """Say why what a test returned cannot be its data."""
    size, at_least = _least_size(data), "at least "
    if size <= max(limit, _WORTH_COUNTING):
        encoder = _MeasuringEncoder(max(limit, _WORTH_COUNTING))
        try:
            size, at_least = len(encoder.encode(data)), ""
        except (MemoryError, _TooMuchError):
            size = max(size, encoder.size, limit + 1)
        except UserCodeError:
            problem = unserializable_part(data) or "encoding it failed"
            return f"The test returned data that cannot be written as JSON: {problem}", ""
    if size <= limit:
        return None
    shown = f"{size:,}" if size < _NO_NEED_FOR_DIGITS else f"{_NO_NEED_FOR_DIGITS:,}"
    problem = (
        f"The test returned {at_least}{shown} bytes of data as JSON, the limit is {limit:,} (--max-data-bytes): "
        "return less, or write it to a file in the directory of the test"
    )
    return problem, _beginning(data)


class _TooMuchError(Exception):
    """What objects offer as their JSON has no end in sight."""


class _MeasuringEncoder(DucktapeJSONEncoder):
    """Gives up when the replacements of objects have more bytes than anybody would keep."""

    def __init__(self, ceiling_bytes: int) -> None:
        super().__init__()
        self.size = 0
        self._ceiling = ceiling_bytes

    def default(self, o: object) -> object:
        replacement = super().default(o)
        self.size += _least_size(replacement)
        if self.size > self._ceiling:
            raise _TooMuchError
        return replacement


def _least_size(value: object) -> int:
    """Return how many bytes a value has as JSON at least; 0 if it is nested too deeply, or its own code fails."""
    return value_or(0, _least, value, {})


def _least(value: object, known: dict[int, int]) -> int:
    """Return the same with the sizes of the containers seen so far, so that a shared part is measured once."""
    if isinstance(value, str):
        return len(value) + 2
    if not isinstance(value, (dict, list, tuple)):
        return 1
    if id(value) in known:
        return known[id(value)]
    known[id(value)] = 0  # while it is measured: a value that contains itself is not JSON
    if isinstance(value, dict):
        size = 2 + sum(_least(key, known) + _least(item, known) + 4 for key, item in value.items())
    else:
        size = 2 + 3 * len(value) + sum(_least(item, known) - 1 for item in value if item.__class__ not in _SHORT)
    known[id(value)] = size
    return size


def _beginning(data: object) -> str:
    text = ""
    try:
        for piece in DucktapeJSONEncoder().iterencode(data):
            text += piece[: _SHOWN_OF_DATA - len(text)]
            if len(text) >= _SHOWN_OF_DATA:
                break
    except UserCodeError as error:
        text += f" ({type(error).__name__})"
    return text


def bounded_attempt(attempt: Attempt, runs: int) -> Attempt:
    """Return an attempt with what is too much of it cut, and said to be."""
    summary = bounded_text(attempt.summary, longest_summary(runs))
    metrics, left_out = _fitting(list(attempt.metrics.items()), _ROOM_FOR_LISTS // max(1, runs))
    more = [f"{left_out:,} metrics are too many for the report and left out"] if left_out else []
    services, errors = _fitting_lists(attempt.services, [*attempt.teardown_errors, *more])
    found, _ = _fitting(attempt.findings)
    return dataclasses.replace(
        attempt,
        summary=summary,
        services=services,
        teardown_errors=errors,
        metrics=dict(metrics),
        node_metrics=dict(_fitting(list(attempt.node_metrics.items()), _ROOM_FOR_LISTS // max(1, runs))[0]),
        findings=found,
    )


def bounded_outcome(outcome: Outcome) -> Outcome:
    """Return an outcome with what is too much of it cut, and said to be; its data have a limit of their own."""
    faults, left_out = _fitting(outcome.faults)
    findings, _ = _fitting(outcome.findings)
    attempts, _ = _fitting(outcome.attempts, _ROOM_FOR_SUMMARIES)
    more = [f"{left_out:,} faults are too many for the report and left out"] if left_out else []
    services, errors = _fitting_lists(outcome.services, [*outcome.teardown_errors, *more])
    return dataclasses.replace(
        outcome,
        summary=bounded_text(outcome.summary),
        services=services,
        teardown_errors=errors,
        attempts=attempts,
        faults=faults,
        findings=findings,
    )


def _fitting_lists(services: list[T], errors: list[str]) -> tuple[list[T], list[str]]:
    fitting, left_out = _fitting(services)
    errors = [bounded_text(error, LONGEST_LINE) for error in errors]
    if left_out:
        errors.append(f"{left_out:,} services are too many, or too large, for the report and left out")
    kept, lost = _fitting(errors)
    return fitting, [*kept, f"{lost:,} more errors are left out"] if lost else kept


def _fitting(items: list[T], room: int = _ROOM_FOR_LISTS) -> tuple[list[T], int]:
    """Return the items for which there is room, in order, and how many others there are."""
    kept = []
    for item in items:
        size = len(json.dumps(item))
        if size <= room:
            room -= size
            kept.append(item)
    return kept, len(items) - len(kept)


def substitute(message: Message, size: int, limit: int) -> Message | None:
    """Return what is sent in place of a message that the driver would not take; ``None`` for nothing."""
    if isinstance(message, Finished):
        return Finished(_unspeakable(message.outcome, size, limit))
    if isinstance(message, CleanedUp):  # as one that failed, so that the nodes count as dirty
        now = time.time()
        return Finished(_unspeakable(Outcome(str(FAIL), "", None, now, now, 0, []), size, limit))
    if isinstance(message, Attempted):
        summary = bounded_text(message.attempt.summary, _MOST_OF_A_MESSAGE_SHOWN)
        return Attempted(
            dataclasses.replace(
                message.attempt,
                summary=summary,
                services=[],
                teardown_errors=[],
                metrics={},
                findings=[],
                node_metrics={},
            )
        )
    return None


def _unspeakable(outcome: Outcome, size: int, limit: int) -> Outcome:
    text = f"The result of the test takes {size:,} bytes, the driver takes {limit:,}"
    summary = f"{text}\n\n{bounded_text(outcome.summary, _MOST_OF_A_MESSAGE_SHOWN)}"
    times = (outcome.start_time, outcome.stop_time)
    return Outcome(str(FAIL), summary, None, *times, outcome.nodes_used, [], "error")
