# SPDX-License-Identifier: Apache-2.0
"""The driver: one thread that starts tests while nodes are free, and supervises those that run."""

from __future__ import annotations

import errno
import logging
import math
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from functools import partial

from ducktape.cluster.cluster import Cluster
from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.node_container import InsufficientResourcesError
from ducktape.cluster.pool.cluster_file import mistake_in_cluster_file
from ducktape.command_line.defaults import ConsoleDefaults
from ducktape.tests.driver.allocator import NodeAllocator, names_of
from ducktape.tests.driver.deadlines import limits_of
from ducktape.tests.driver.dispatcher import Dispatcher
from ducktape.tests.driver.failure_cause import Cause, describe_exception, failed, too_large
from ducktape.tests.driver.holders import Holders
from ducktape.tests.driver.job import HAS_NODES, Job, State, TestKey, key_of
from ducktape.tests.driver.recorder import ClientStatus, InterimReports, Observer, Recorder
from ducktape.tests.driver.requests import test_request
from ducktape.tests.driver.signals import StopRequests
from ducktape.tests.driver.supervisor import Supervisor
from ducktape.tests.keeping.registry import KeptTest
from ducktape.tests.loading.flaws import FlawedTest
from ducktape.tests.recording.bounds import LONGEST_LINE, bounded_text
from ducktape.tests.recording.journal import Journal
from ducktape.tests.recording.state import RecordedSession
from ducktape.tests.result import TestResults
from ducktape.tests.scheduler import TestScheduler
from ducktape.tests.session import SessionContext
from ducktape.tests.status import FAIL
from ducktape.tests.test_context import TestContext
from ducktape.utils.support.guard import UserCodeError
from ducktape.utils.support.times import Stopwatch
from ducktape.utils.terminal_size import get_terminal_size

__all__ = ["DEFAULT_MP_JOIN_TIMEOUT", "DEFAULT_TIMEOUT_EXCEPTION_JOIN_TIMEOUT", "ClientStatus", "TestKey", "TestRunner"]

DEFAULT_MP_JOIN_TIMEOUT = 30
DEFAULT_TIMEOUT_EXCEPTION_JOIN_TIMEOUT = 300
_DEFAULT_SILENCE_LIMIT_MS = 1_800_000
_SECONDS_BETWEEN_LOOKS = 1.0  # for nodes that come back, and where the system cannot wait for a death
_ALLOCATION_ATTEMPTS = 5
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM}


class TestRunner:
    """Runs tests, each in a process of its own, and gathers their results.

    Args:
        cluster: owns the nodes.
        session_context: options of the session.
        session_logger: log of the session.
        tests: contexts of the tests.
        deflake_num: most attempts at a test that keeps failing.
        min_port, max_port: without effect, since no port is opened any more.
        finish_join_timeout: seconds that a process may take to end after it has reported.
        timeout_exception_join_timeout: seconds for each step of the ending of a test that was asked to end.
        report: writes reports of the results so far; called now and then.
        stop_requests: an entered :class:`StopRequests`; without it the runner handles signals while it runs.
        scheduler: the queue; by default one of the tests.
        journal: gets every event.
        next_round: returns another queue when all tests of the one before have run and none failed, or ``None``.
        explain: takes a line about each decision.
        resumed: the session that this run continues.
        observe: takes the name and the fields of every event of the run, and ``tick`` once a second at least.
    """

    __test__ = False

    def __init__(
        self,
        cluster: Cluster,
        session_context: SessionContext,
        session_logger: logging.Logger,
        tests: Iterable[TestContext],
        deflake_num: int,
        min_port: int = ConsoleDefaults.TEST_DRIVER_MIN_PORT,
        max_port: int = ConsoleDefaults.TEST_DRIVER_MAX_PORT,
        finish_join_timeout: float = DEFAULT_MP_JOIN_TIMEOUT,
        timeout_exception_join_timeout: float = DEFAULT_TIMEOUT_EXCEPTION_JOIN_TIMEOUT,
        *,
        report: Callable[[TestResults], object] | None = None,
        stop_requests: StopRequests | None = None,
        scheduler: TestScheduler | None = None,
        journal: Journal | None = None,
        next_round: Callable[[], TestScheduler | None] | None = None,
        explain: Callable[[str], object] | None = None,
        resumed: RecordedSession | None = None,
        observe: Observer = lambda event, fields: None,
    ) -> None:
        self.cluster = cluster
        self.session_context = session_context
        self.deflake_num = deflake_num
        self.finish_join_timeout = finish_join_timeout
        self.timeout_exception_join_timeout = timeout_exception_join_timeout
        self.stop_testing = False
        self.scheduler = TestScheduler(tests, cluster) if scheduler is None else scheduler
        self.total_tests = len(self.scheduler)
        self.test_counter = 0
        self.test_schedule_log: list[TestKey] = []
        self.client_report: dict[TestKey, ClientStatus] = {}
        self.results = TestResults(session_context, cluster, client_status=self.client_report)
        if resumed is not None:
            self.results = resumed.continued(session_context, cluster, self.client_report)
            self.test_counter = resumed.highest_test_index
            self.total_tests += self.test_counter
        self._logger = session_logger
        complain = partial(self._log, logging.ERROR)
        self.recorder = Recorder(self.results, self.client_report, journal, complain, observe)
        self._holders = Holders(cluster, session_context, self._log)
        self._supervisor = Supervisor(
            self._log,
            self.recorder,
            conclude=self._conclude,
            requeued=lambda: self._dispatcher.look_again(),
            finish_join_timeout=finish_join_timeout,
            no_teardown=bool(session_context.no_teardown),
            holders=self._holders,
        )
        self._interim_reports = InterimReports(report)
        self._stop_requests = stop_requests
        self._next_round = next_round
        self._explain = explain
        self._ran_before = 0
        self._interrupts_obeyed = 0
        self._abort_reason: str | None = None
        self._why_not_run = "the run was stopped"
        self._nodes = NodeAllocator(cluster, self._log, self._supervisor.orphans)
        self._dispatcher = Dispatcher(cluster, self._nodes)
        self._session_deadline = math.inf
        timeout_ms = session_context.test_runner_timeout
        self._silence_limit_sec = (_DEFAULT_SILENCE_LIMIT_MS if timeout_ms is None else timeout_ms) / 1000

    @property
    def active_tests(self) -> dict[TestKey, Job]:
        """The tests that run."""
        return {key: job for key, job in self._supervisor.jobs.items() if job.state is State.RUNNING}

    # --- the loop

    def run_all_tests(self) -> TestResults:
        """Run everything; blocks until the last process is gone.

        Returns:
            The results so far when a request to stop came, otherwise all of them.
        """
        with StopRequests() if self._stop_requests is None else nullcontext(self._stop_requests) as requests:
            self.results.begin()
            session_timeout = getattr(self.session_context, "session_timeout", None)
            if session_timeout:
                self._session_deadline = time.monotonic() + session_timeout
            self._supervisor.adopt()
            try:
                self._fail_unschedulable()
                self._log(logging.INFO, f"starting test run with session id {self.session_context.session_id}...")
                self._log(logging.INFO, f"running {len(self.scheduler)} tests...")
                self._loop(requests)
            finally:
                self._supervisor.close()
            for job in self._supervisor.jobs_in(State.QUEUED):
                self._report(job)
            self.recorder.not_run(self.scheduler.drain_remaining_tests(), self._why_not_run)
            self.recorder.look_at_nodes(self.cluster)
            self.results.stop_time = self.results.now()
        return self.results

    def _loop(self, requests: StopRequests) -> None:
        supervisor = self._supervisor
        while True:
            self._obey(requests)
            self._trigger_tests()
            self.recorder.observe("tick", {})
            if not supervisor.workers() and not self._may_trigger() and not self._begin_next_round():
                return
            until = min(time.monotonic() + _SECONDS_BETWEEN_LOOKS, self._session_deadline)
            if self._may_trigger():
                until = min(until, self._dispatcher.look_again_at)
            before = time.monotonic()
            supervisor.wait([requests.fileno(), *self._holders.waitables()], until)
            if requests.debugged:
                self._session_deadline += time.monotonic() - before
            requests.clear()
            supervisor.reap_orphans()
            supervisor.handle_events()
            for released in self._holders.ended():
                self._give_back(released.key, released.nodes, released.dirty)
            requests.divert(supervisor.debugged, self._interrupts_obeyed)
            supervisor.enforce_deadlines()
            if not self._may_trigger():
                supervisor.log_lingering_processes()
            self._interim_reports.write(self.results)

    def _begin_next_round(self) -> bool:
        """Fill the queue again when everything passed and that is wanted."""
        results = self.results
        if self._next_round is None or self.stop_testing or results.num_failed:
            return False
        ran = len(results) - results.num_ignored
        if ran == self._ran_before:
            return False  # a round in which nothing runs would be repeated forever
        self._ran_before = ran
        scheduler = self._next_round()
        if scheduler is None:
            return False
        self.scheduler = scheduler
        self.total_tests += len(scheduler)
        self._fail_unschedulable()
        return len(scheduler) > 0

    # --- starting tests

    def _may_trigger(self) -> bool:
        if self.stop_testing or not (len(self.scheduler) or self._supervisor.jobs_in(State.QUEUED)):
            return False
        # Those that run once more keep their slots while their processes end
        return len(self._supervisor.jobs_in(*HAS_NODES, State.RETRYING)) < int(self.session_context.max_parallel)

    def _trigger_tests(self) -> None:
        dispatcher = self._dispatcher
        if not self.stop_testing and len(self.scheduler) > 0 and self._nodes.has_recovered():
            dispatcher.look_again()
        while self._may_trigger() and time.monotonic() >= dispatcher.look_again_at:
            job = dispatcher.next_job(self._supervisor.jobs_in(State.QUEUED), self.scheduler)
            if job is not None:
                self._run_single_test(job)
                continue
            if dispatcher.waits_for_leases():
                return
            if not self._supervisor.jobs_in(*HAS_NODES, State.RETRYING) and not self._nodes.awaits_return():
                self._fail_unschedulable()
                self._why_not_run = self._holders.shortage() or "there were no nodes for it"
                self.stop_testing = True  # nothing runs that could give nodes back
                return
            dispatcher.wait(_SECONDS_BETWEEN_LOOKS)

    def _run_single_test(self, job: Job) -> None:
        if isinstance(job.context, FlawedTest):
            self._fail(job, Cause(job.context.flaw, "error"))
            return
        nodes = self._allocate(job)
        if nodes is None:
            return
        entire_cluster = not self.cluster.num_available_nodes()
        is_first = job.key is None
        key = job.key or key_of(job.context, self.test_counter + 1)
        clock = Stopwatch()
        try:
            limits = limits_of(job.context, silence=self._silence_limit_sec, ending=self.timeout_exception_join_timeout)
            request = test_request(job, key, nodes, self.session_context, self.deflake_num)
            self._supervisor.start(job, key, request, nodes, limits)
        except UserCodeError as error:  # what the request consists of is the user's, and may be impossible to pickle
            self._give_back(key, nodes)
            if isinstance(error, OSError) and error.errno in _EXHAUSTED and self._supervisor.workers():
                # Those that run give back what is missing
                self._dispatcher.wait(_SECONDS_BETWEEN_LOOKS)
                return
            summary = f"The process of the test could not be started: {describe_exception(error)}"
            self._fail(job, Cause(summary, "error"), clock=clock, nodes=len(nodes))
            return
        if is_first and self._explain is not None:
            self._explain(f"{job.context.test_id}: {self.scheduler.why(job.context)}")
        if is_first:
            self.scheduler.remove(job.context)
            self._number(job)
        self.scheduler.started(job.context, time.monotonic(), nodes)
        if self.session_context.max_parallel > 1 and self._supervisor.busy == 1 and entire_cluster:
            hint = "It's possible this test has no associated cluster metadata."
            self._log(logging.WARNING, f"Test {key.test_id} is using entire cluster. {hint}")
        self._log(logging.INFO, f"Triggering test {key.test_index} of {self.total_tests}...")

    def _number(self, job: Job) -> None:
        self.test_counter += 1
        job.key = key_of(job.context, self.test_counter)
        self.test_schedule_log.append(job.key)

    def _allocate(self, job: Job) -> list[ClusterNode] | None:
        """Return nodes for a test; ``None`` if it has to wait or cannot run at all."""
        try:
            return self._dispatcher.allocate(job)
        except InsufficientResourcesError as error:
            why = describe_exception(error)
            self._log(logging.INFO, f"Couldn't schedule test context {job.context!r} but we'll keep trying: {why}")
            self._fail_hopeless(job, error)
        except UserCodeError as error:
            why = mistake_in_cluster_file(error) or describe_exception(error)
            self._fail(job, Cause(f"Test not run: the cluster could not give it nodes: {why}", "infrastructure"))
        return None

    def _fail_hopeless(self, job: Job, error: Exception) -> None:
        """Let a test fail, and others, if the cluster will never give it the nodes that seemed to be free."""
        if self._nodes.awaits_return():
            return
        self._fail_unschedulable()  # the cluster may have quarantined nodes
        if self._supervisor.busy or self._dispatcher.failed_allocations < _ALLOCATION_ATTEMPTS:
            return
        if job.key or any(waiting is job.context for waiting in self.scheduler):
            summary = f"Test not run: the cluster did not give it nodes in {_ALLOCATION_ATTEMPTS} attempts: {error}"
            self._fail(job, Cause(summary, "infrastructure"))

    # --- results

    def _conclude(self, job: Job, dirty: dict[str, str]) -> None:
        """Record the result of a test, or that it runs once more, and take its nodes back."""
        if not job.is_kept and not self.stop_testing and job.wants_more():
            if job.plan.blames_infrastructure(job.attempts):
                job.avoid |= frozenset(names_of(job.nodes))
            self._log(logging.INFO, f"{job.known_key.test_id}: running it once more after {job.attempts[-1].reason}")
            job.state = State.RETRYING
        else:
            self._report(job)
        if not job.is_kept:
            self._give_back(job.known_key, job.nodes, dirty)
        self.scheduler.finished(job.context, time.monotonic())
        if self.session_context.max_parallel == 1 and len(self.scheduler) > 0 and not self.stop_testing:
            self._log(logging.INFO, "~" * int(2 * get_terminal_size()[0] / 3))

    @property
    def kept_tests(self) -> list[KeptTest]:
        """The tests whose nodes are kept."""
        return self._holders.kept

    def _give_back(self, key: TestKey, nodes: list[ClusterNode], dirty: dict[str, str] | None = None) -> None:
        self._nodes.give_back(nodes, dirty)
        self.recorder.nodes_returned(key)
        self.recorder.look_at_nodes(self.cluster)
        self._dispatcher.look_again()

    def _report(self, job: Job) -> None:
        """Record the result of a test."""
        assert job.outcome is not None  # it has run
        job.state = State.DONE
        nodes = job.nodes_allocated
        result = self.recorder.finished(job.context, job.known_key, job.outcome, nodes_allocated=nodes)
        if result.test_status == FAIL and self.session_context.exit_first:
            self._why_not_run = f"{result.test_id} failed before, and --exit-first was given"
            self.stop_testing = True

    def _fail(
        self,
        job: Job,
        cause: Cause,
        *,
        clock: Stopwatch | None = None,
        nodes: int | None = None,
        is_queued: bool = True,
    ) -> None:
        """Record the failure of a test that has no process; if it ran before, that outcome counts."""
        test_id = job.context.test_id
        self._log(logging.ERROR, cause.text if test_id in cause.text else f"{test_id}: {cause.text}")
        if job.key is not None:
            self._supervisor.jobs.pop(job.key, None)
        else:
            if is_queued:
                self.scheduler.remove(job.context)
            self._number(job)
        if job.outcome is None:
            clock = clock or Stopwatch()
            job.outcome = failed(cause, clock.start_time, clock.now())
            job.nodes_allocated = job.context.expected_num_nodes if nodes is None else nodes
        self._report(job)

    def _fail_unschedulable(self) -> None:
        """Record the failures of the tests that would not fit even if every node were free."""
        unschedulable = self.scheduler.filter_unschedulable_tests()
        if unschedulable:
            text = f"There are {len(unschedulable)} tests which cannot be run due to insufficient cluster resources"
            self._log(logging.ERROR, text)
        for context in unschedulable:
            self._fail(Job(context), too_large(context, self.cluster), is_queued=False)

    # --- requests to stop

    def _obey(self, requests: StopRequests) -> None:
        """Act on signals that have arrived since the last look, and on the end of the session's time."""
        if requests.terminated is not None and self._abort_reason is None:
            self._abort(f"the run received {requests.terminated.name}", "interrupted")
            remaining = self.scheduler.drain_remaining_tests()
            if remaining:
                self._log(logging.ERROR, f"Marking {len(remaining)} remaining tests as failed: {self._abort_reason}")
            for context in remaining:
                cause = Cause(f"Test not run: {self._abort_reason}", "interrupted")
                self._fail(Job(context), cause, is_queued=False)
        if time.monotonic() >= self._session_deadline and self._abort_reason is None:
            limit = self.session_context.session_timeout
            self._abort(f"the session took longer than {limit:g} seconds (--session-timeout)", "timeout")
        while self._interrupts_obeyed < requests.interrupts:
            self._interrupts_obeyed += 1
            if self._interrupts_obeyed > 1:
                self._log(logging.WARNING, "Received KeyboardInterrupt again: ending at once, without teardown")
                end = self._supervisor.kill
            elif self._abort_reason is None:
                text = "Received KeyboardInterrupt. Now waiting for currently running tests to finish..."
                self._log(logging.INFO, text)
                end = self._supervisor.interrupt
            else:
                continue  # everything is ending already; a second one is for those who do not want to wait
            self._why_not_run = "the run was interrupted"
            self.stop_testing = True
            end()

    def _abort(self, reason: str, word: str) -> None:
        """Let running tests tear down, and start no others."""
        self._abort_reason = self._why_not_run = reason
        self.stop_testing = True
        self._session_deadline = math.inf
        if self.active_tests:
            self._log(logging.ERROR, f"Marking {len(self.active_tests)} active tests as failed: {reason}")
        self._supervisor.terminate(Cause(f"Test aborted: {reason}", word))

    def _log(self, log_level: int, msg: str) -> None:
        self._logger.log(log_level, bounded_text(msg, LONGEST_LINE))
