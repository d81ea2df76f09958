# SPDX-License-Identifier: Apache-2.0
"""Sessions that ran parts of the same tests, as one."""

from __future__ import annotations

import copy
import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence

from ducktape.cluster.pool.quarantine import unhealthy_nodes
from ducktape.tests.recording.state import RecordedCluster, RecordedSession
from ducktape.tests.result import TestResults

_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class Merged:
    """The results of several sessions.

    Attributes:
        results: as of one session; directories of tests are relative to where the reports are.
        expected: how many tests were to run.
        offsets: what was added to the indices of the tests of each session.
        problems: for people: parts that are missing or still running, and tests that several sessions ran.
    """

    results: TestResults
    expected: int
    offsets: list[int]
    problems: list[str]


def merge(parts: Sequence[RecordedSession], directory: str) -> Merged:
    """Return sessions as one whose reports are in a directory, which gives it its name."""
    of_parts = [part.results() for part in parts]
    context = copy.copy(parts[0].session_context)
    context.session_id, context.results_dir = os.path.basename(directory), directory
    size = sum(len(results.cluster) for results in of_parts)
    cluster = RecordedCluster(size, [node for results in of_parts for node in unhealthy_nodes(results.cluster)])
    statuses = {key: status for results in of_parts for key, status in results.client_status.items()}
    merged = TestResults(context, cluster, statuses)
    merged.start_time = min(results.start_time for results in of_parts)
    merged.stop_time = max(results.stop_time for results in of_parts)
    offsets: list[int] = []
    problems = list(_problems(parts, of_parts))
    for part, results in zip(parts, of_parts, strict=True):
        offsets.append(sum(each.highest_test_index for each in parts[: len(offsets)]))
        where = os.path.relpath(part.results_dir, directory)
        for result in results:
            if result.test_index is not None:
                result.test_index += offsets[-1]
            if result.relative_results_dir:
                result.relative_results_dir = os.path.join(where, result.relative_results_dir)
            merged.append(result)
        merged.not_run += results.not_run
    lengths = [len(results) + len(results.not_run) for results in of_parts]
    expected = sum(max(part.expected or 0, length) for part, length in zip(parts, lengths, strict=True))
    return Merged(merged, expected, offsets, problems)


def _problems(parts: Sequence[RecordedSession], of_parts: Sequence[TestResults]) -> Iterator[str]:
    for part in parts:
        if part.going_on:
            yield f"{part.results_dir} is still running: call again when it has ended"
    yield from _missing_parts(parts)
    places: dict[str, list[str]] = {}
    for part, results in zip(parts, of_parts, strict=True):
        for test_id in {result.test_id for result in results}:
            places.setdefault(test_id, []).append(part.results_dir)
    twice = {test_id: directories for test_id, directories in sorted(places.items()) if len(directories) > 1}
    if twice:
        names = _few(f"{test_id} ({', '.join(directories)})" for test_id, directories in twice.items())
        yield f"{len(twice):,} {'test was' if len(twice) == 1 else 'tests were'} run by several sessions: {names}"


def _missing_parts(parts: Sequence[RecordedSession]) -> Iterator[str]:
    numbers = sorted({part.subsets for part in parts})
    if len(numbers) > 1:
        divisions = _few(f"{part.results_dir} has --subsets {part.subsets}" for part in parts)
        yield f"These are not parts of the same division: {divisions}"
        return
    found = {part.subset for part in parts}
    if missing := [str(number) for number in range(numbers[0]) if number not in found]:
        yield f"Parts are missing, of --subsets {numbers[0]}: --subset {_few(missing)}"


def _few(names: Iterable[str]) -> str:
    """Return the first of some names, and how many others there are."""
    all_names = list(names)
    more = f" and {len(all_names) - _SHOWN:,} more" if len(all_names) > _SHOWN else ""
    return ", ".join(all_names[:_SHOWN]) + more
