# SPDX-License-Identifier: Apache-2.0
"""What the driver records while it runs: results in memory, their files, and every event in the journal."""

from __future__ import annotations

import dataclasses
import functools
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from ducktape.cluster.pool.quarantine import unhealthy_nodes
from ducktape.tests.driver.job import TestKey
from ducktape.tests.event import Attempt, Outcome
from ducktape.tests.recording.journal import Journal
from ducktape.tests.recording.not_run import NotRun
from ducktape.tests.result import TestResult, TestResults
from ducktape.tests.test_context import TestContext
from ducktape.utils.support.files import NO_ROOM
from ducktape.utils.support.guard import tolerated

# Waiting for reports is not all that they cost: what is loaded makes the start of each test a little slower
_REPORTS_SHARE_OF_TIME = 0.04
# A run of a few seconds needs no reports before its end
_SECONDS_BEFORE_THE_FIRST_REPORT = 3.0


@dataclasses.dataclass(slots=True)
class ClientStatus:
    """State of one test's process, as report.json shows it; there is one for every test of a session."""

    status: str
    pid: int
    name: str
    runner_start_time: float
    exitcode: int | None = None
    runner_end_time: float | None = None

    def to_json(self) -> dict[str, object]:
        """Return the fields that are known."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value is not None}


# Takes the name of an event, as in the journal or one that is only shown, and its fields
Observer: TypeAlias = Callable[[str, Mapping[str, object]], object]


class Recorder:
    """Keeps the results of a run and the states of its processes, and writes its journal, if there is one."""

    def __init__(
        self,
        results: TestResults,
        client_report: dict[TestKey, ClientStatus],
        journal: Journal | None,
        complain: Callable[[str], None],
        observe: Observer = lambda event, fields: None,
    ) -> None:
        self.results = results
        self.observe = observe
        self._client_report = client_report
        self._journal = journal
        self._complain = complain
        self._trouble_logged = False
        self._unhealthy: dict[tuple[str, float], bool] = {}

    def write(self, event: str, *, flush: bool = False, **fields: object) -> None:
        """Write an event to the journal."""
        self.observe(event, fields)
        if self._journal is None:
            return
        self._journal.write(event, **fields)
        if flush:
            self._journal.flush()
            self._log_trouble(self._journal.trouble)

    def _log_trouble(self, trouble: OSError | None) -> None:
        if trouble is not None and not self._trouble_logged:
            self._trouble_logged = True
            self._complain(
                f"The results directory takes no more: {trouble}. The run goes on, its results are kept in memory and "
                "written when there is room, or to another directory at its end"
            )

    def started(self, key: TestKey, attempt: int, status: ClientStatus, nodes: Sequence[str]) -> None:
        """Note that a test got its nodes and its process."""
        self._client_report[key] = status
        index = key.test_index
        self.write("nodes_given", test_index=index, nodes=list(nodes))
        self.write(
            "started",
            flush=True,
            test_id=key.test_id,
            test_index=index,
            attempt=attempt,
            pid=status.pid,
            process=status.name,
            start_time=status.runner_start_time,
        )

    def process_is(self, key: TestKey, **changes: object) -> None:
        """Note what is known now of the process of a test."""
        status = self._client_report[key]
        for name, value in changes.items():
            setattr(status, name, value)
        self.write("process", test_id=key.test_id, test_index=key.test_index, status=status.to_json())

    def phase(self, key: TestKey, attempt: int, phase: str, since: float) -> None:
        """Note that a test is in another part of its life."""
        self.write("phase", test_index=key.test_index, attempt=attempt, phase=phase, since=since)

    def attempt(self, key: TestKey, attempt: Attempt) -> None:
        """Note that an attempt is over."""
        # Its nodes are known, and there may be many
        known = {name: value for name, value in attempt.to_json().items() if name != "nodes"}
        self.write("attempt", test_index=key.test_index, record=known)

    def finished(self, context: TestContext, key: TestKey, outcome: Outcome, *, nodes_allocated: int) -> TestResult:
        """Keep the result of a test, write its files, and let the result survive the death of this process."""
        result = None
        # What a context says of itself may be code of the user
        with tolerated(lambda error: self._complain(f"{key.test_id}: the test cannot say what it is: {error!r}")):
            result = TestResult.from_outcome(context, key.test_index, outcome, nodes_allocated=nodes_allocated)
        if result is None:
            record = {**vars(outcome), "test_id": key.test_id, "test_index": key.test_index}
            record["test_status"] = outcome.status.upper()
            result = TestResult.from_record(record, self.results.session_context)
        with tolerated(functools.partial(self._log_unwritten, result)):  # one report among many
            result.report()
        self.add(result)
        return result

    def _log_unwritten(self, result: TestResult, error: BaseException) -> None:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            self._log_trouble(error)
        else:
            self._complain(f"Error writing the report of {result.test_id}: {error!r}")

    def add(self, result: TestResult) -> None:
        """Keep a result."""
        self.results.append(result)
        self.write(
            "finished", flush=True, test_id=result.test_id, test_index=result.test_index, result=result.to_record()
        )

    def not_run(self, contexts: Iterable[TestContext], why: str) -> None:
        """Note tests that do not run any more."""
        for context in contexts:
            missed = NotRun.of(context, why)
            self.results.not_run.append(missed)
            self.write("not_run", **missed.to_json())

    def nodes_returned(self, key: TestKey) -> None:
        """Note that a test has given its nodes back."""
        self.write("nodes_returned", test_index=key.test_index)

    def look_at_nodes(self, cluster: object) -> None:
        """Record nodes that were quarantined, or returned, since the last look."""
        for node in unhealthy_nodes(cluster):
            identity, is_back = (node.name, node.put_aside_at), node.back_at is not None
            known = self._unhealthy.get(identity)
            if known is None:
                self.write("node_put_aside", name=node.name, reason=node.reason, put_aside_at=node.put_aside_at)
            if is_back and not known:
                self.write("node_back", name=node.name, back_at=node.back_at)
            self._unhealthy[identity] = is_back


def write_missing_files(results: Iterable[TestResult]) -> bool:
    """Write the reports of single tests that could not be written at their time; returns whether all are there."""
    try:
        for result in results:
            if result.relative_results_dir and not os.path.exists(os.path.join(result.results_dir, "report.json")):
                result.report()
    except OSError:
        return False
    return True


class InterimReports:
    """Writes reports of an unfinished run so rarely that they take a small share of its time."""

    def __init__(self, report: Callable[[TestResults], object] | None) -> None:
        self._report = report
        self._written = 0
        self._took = 0.0
        self._last_took = 0.0
        self._start = time.monotonic()

    def write(self, results: TestResults) -> None:
        """Write the reports if there is something new and it is not too early."""
        if self._report is None or len(results) == self._written:
            return
        start = time.monotonic()
        elapsed = start - self._start
        # More results take longer; without the bound a session that makes them quickly would have no second report
        expected = self._last_took * min(len(results) / max(self._written, 1), 2)
        if elapsed < _SECONDS_BEFORE_THE_FIRST_REPORT or self._took + expected > _REPORTS_SHARE_OF_TIME * elapsed:
            return
        self._report(results)
        self._written = len(results)
        self._last_took = time.monotonic() - start
        self._took += self._last_took
