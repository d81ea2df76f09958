# SPDX-License-Identifier: Apache-2.0
"""One test on its way through the run: its state, its attempts and its processes."""

from __future__ import annotations

import dataclasses
import enum
import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.faults.engine.recovery import recorded_faults
from ducktape.services.support.record import named_nodes
from ducktape.tests.driver.allocator import names_of
from ducktape.tests.driver.failure_cause import UNENDED, Cause, paragraphs
from ducktape.tests.driver.retries import Plan, keeps, outcome_of
from ducktape.tests.event import Attempt, CleanedUp, Outcome, ServiceNoted
from ducktape.tests.recording.bounds import ROOM_TO_REMEMBER, bounded_outcome, longest_summary
from ducktape.tests.reports.text import findings_paragraph
from ducktape.tests.status import FAIL
from ducktape.tests.test_context import TestContext
from ducktape.utils.support.times import Stopwatch

if TYPE_CHECKING:
    from ducktape.tests.driver.worker import Worker


class TestKey(NamedTuple):
    test_id: str
    test_index: int


TestKey.__test__ = False  # type: ignore[attr-defined]  # not a field: a class body could not say so


def key_of(context: TestContext, index: int) -> TestKey:
    """Return the key of a test; its id, which many places remember, exists once in this process."""
    return TestKey(sys.intern(context.test_id), index)


class State(enum.Enum):
    """Where a test is; see :class:`Job`."""

    QUEUED = "waits for nodes"
    RUNNING = "its process runs it"
    CLEANING = "it is over, and another process cleans up after it"
    RETRYING = "its nodes are free, and it is queued again once its processes are gone"
    DONE = "its result is recorded, its processes may still exist"


HAS_NODES = (State.RUNNING, State.CLEANING)


@dataclasses.dataclass(slots=True, eq=False)
class Job:
    """One test on its way through the run."""

    context: TestContext
    key: TestKey | None = None  # once it has a number
    state: State = State.QUEUED
    plan: Plan = dataclasses.field(default_factory=Plan)
    attempts: list[Attempt] = dataclasses.field(default_factory=list)  # those that are over
    avoid: frozenset[str] = frozenset()  # names of nodes that failed it
    outcome: Outcome | None = None  # what its process reported; final if there is no further attempt
    nodes: list[ClusterNode] = dataclasses.field(default_factory=list)  # of the last attempt
    nodes_allocated: int = 0  # how many these are, or would have been
    worker: Worker | None = None  # runs it, or ran it last
    cleaner: Worker | None = None  # cleans up after it
    attempt: int = 1  # number of the attempt that is under way
    attempt_clock: Stopwatch = dataclasses.field(default_factory=Stopwatch)
    services: dict[str, dict[str, object]] = dataclasses.field(default_factory=dict)  # their records by their ids
    is_kept: bool = False  # whether its services and faults were left as they are, for people to look inside
    could_not_be_kept: bool = False  # although they were left
    late_attempt: int = 0  # number of the attempt whose time was over, or 0; it may have ended by itself meanwhile
    late: list[str] = dataclasses.field(default_factory=list)  # what took too long after it was asked to end
    _room_to_remember: int = 0

    @property
    def known_key(self) -> TestKey:
        """The key of a test that has a number."""
        assert self.key is not None
        return self.key

    @property
    def cause_of_end(self) -> Cause | None:
        """Why its process was asked to end, or died."""
        return None if self.worker is None else self.worker.cause_of_end

    def workers(self) -> list[Worker]:
        """Return its processes that exist."""
        return [each for each in (self.worker, self.cleaner) if each is not None and not each.is_closed]

    def begin(self, key: TestKey, worker: Worker, nodes: list[ClusterNode], plan: Plan) -> None:
        """Enter the state of a test whose process has just been started."""
        self.key, self.plan, self.nodes, self.worker, self.cleaner = key, plan, nodes, worker, None
        self.state, self.nodes_allocated, self.outcome = State.RUNNING, len(nodes), None
        self.attempt, self.attempt_clock = len(self.attempts) + 1, worker.clock
        self.services, self.late, self.late_attempt = {}, [], 0
        self.is_kept = self.could_not_be_kept = False
        runs = plan.most_runs(self.attempts)
        self._room_to_remember = ROOM_TO_REMEMBER + longest_summary(runs) * runs

    def remember(self, fact: Attempt | ServiceNoted) -> None:
        """Keep what is needed should the process die.

        Raises:
            ValueError: it has sent more of that than any test has.
        """
        service_id = str(fact.record.get("service_id")) if isinstance(fact, ServiceNoted) else ""
        self.forget(service_id)
        room = self._room_to_remember - _size(vars(fact) if isinstance(fact, Attempt) else fact.record)
        if room < 0:
            raise ValueError("more attempts and services than can be remembered")
        if isinstance(fact, ServiceNoted):
            self.services[service_id] = fact.record
        elif fact.number != len(self.attempts) + 1:
            raise ValueError(f"attempt {fact.number} after {len(self.attempts)} attempts")
        else:
            self.attempts.append(fact)
        self._room_to_remember = room

    def forget(self, service_id: str) -> None:
        """Drop the record of a service."""
        record = self.services.pop(service_id, None)
        if record is not None:
            self._room_to_remember += _size(record)

    def note_late(self, reason: str) -> None:
        """Note that its time was over, or what took too long after it was asked to end."""
        if self.cause_of_end is not None:
            self.late.append(reason)
        else:
            self.late_attempt = self.attempt

    def cut_short(self, cause: Cause, done: CleanedUp) -> Attempt:
        """Complete the attempt in which the test was asked to end, or died, and set the outcome."""
        record = self._attempt_at_end(cause, done)
        others = [each for each in self.attempts if each.number != record.number]
        self.attempts = sorted([*others, record], key=lambda each: each.number)
        own = self.outcome
        directory = TestContext.results_dir(self.context, self.known_key.test_index)
        outcome = outcome_of(
            self.attempts,
            self.plan,
            data=own.data if own else None,
            stop_time=record.stop_time,
            nodes_used=own.nodes_used if own else len(self.nodes),
            faults=own.faults if own else recorded_faults(directory),
        )
        self.outcome = bounded_outcome(outcome)
        return record

    def _attempt_at_end(self, cause: Cause, done: CleanedUp) -> Attempt:
        number = self.late_attempt or self.attempt
        own = next((record for record in self.attempts if record.number == number), None)
        logs = [f"  {line}" for line in done.missing_logs]
        reports = (service.get("report") for service in self.services.values())
        noted = [report for report in reports if report and isinstance(report, dict)]
        start_time = own.start_time if own else self.attempt_clock.start_time
        stacks = "" if self.worker is None else self.worker.stacks()
        summary = own.summary if own else ""
        # A command that hangs says more than the stacks do
        commands, _, summary = summary.partition("\n\n") if summary.startswith(UNENDED) else ("", "", summary)
        return Attempt(
            number=number,
            status=str(FAIL),
            reason=cause.reason,
            data=None,
            nodes_used=own.nodes_used if own else 0,
            summary=paragraphs(
                cause.text,
                commands,
                stacks,
                summary,
                "\n".join(["Logs that are missing:", *logs] if logs else []),
                findings_paragraph(done.findings),
            ),
            start_time=start_time,
            stop_time=start_time + self.attempt_clock.elapsed,
            nodes=names_of(self.nodes),
            teardown_errors=[*(own.teardown_errors if own else []), *self.late],
            services=own.services if own else done.services or noted,
            findings=[*(own.findings if own else []), *done.findings],
            directory=own.directory if own else ("" if self.plan.is_single else f"attempt-{number}"),
        )

    def is_kept_after(self, cause: Cause, keep: str | None) -> bool:
        """Return whether a test whose process has died is kept; ``keep`` is the option."""
        earlier = [record for record in self.attempts if record.number < self.attempt]
        return bool(self.nodes) and keeps(keep, str(FAIL), cause.reason, earlier, self.plan)

    def not_cleaned(self, why: str) -> CleanedUp:
        """Return the result of a clean-up that failed altogether."""
        problem = f"cleaning up after {self.known_key.test_id} failed: {why}"
        return CleanedUp(problems=[problem], dirty=dict.fromkeys(named_nodes(self.nodes), problem.splitlines()[0]))

    def wants_more(self) -> bool:
        """Return whether a test that its own process did not run to the end is to be run once more."""
        if not self.attempts:
            return False
        cut_short = self.cause_of_end is not None or self.plan.blames_infrastructure(self.attempts)
        return cut_short and self.plan.wants_more(self.attempts)


def _size(fields: Mapping[str, object]) -> int:
    return len(json.dumps(fields))
