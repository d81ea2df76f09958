# SPDX-License-Identifier: Apache-2.0
"""The driver: one thread that starts tests while nodes are free, and waits for news of those that run."""

from __future__ import annotations

import dataclasses
import errno
import logging
import math
import os
import select
import signal
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ducktape.cluster.finite_subcluster import FiniteSubcluster
from ducktape.cluster.health import unhealthy_nodes
from ducktape.cluster.lease import NodesLeasedElsewhereError
from ducktape.cluster.node_container import InsufficientResourcesError
from ducktape.command_line.defaults import ConsoleDefaults
from ducktape.tests.abnormal_end import Cause, cause_of_death, ended, failed
from ducktape.tests.child_process import RunningChild, TestRequest, start_method
from ducktape.tests.event import Finished, Log, Message, Outcome
from ducktape.tests.lifecycle import describe_exception
from ducktape.tests.node_supply import NodeSupply
from ducktape.tests.partial_reports import PartialReports
from ducktape.tests.result import TestResult, TestResults
from ducktape.tests.runner_client import RunSettings, result_of
from ducktape.tests.scheduler import TestScheduler
from ducktape.tests.signals import StopRequests
from ducktape.tests.status import FAIL
from ducktape.tests.test_context import TestContext
from ducktape.utils.processes import Orphans, end_processes
from ducktape.utils.terminal_size import get_terminal_size

DEFAULT_MP_JOIN_TIMEOUT = 30
DEFAULT_TIMEOUT_EXCEPTION_JOIN_TIMEOUT = 300
_DEFAULT_SILENCE_LIMIT_MS = 1_800_000
_SECONDS_FOR_STACKS = 0.3
_SECONDS_BETWEEN_LOOKS = 1.0  # for nodes that come back, and where the system cannot wait for a death
_ALLOCATION_ATTEMPTS = 5
_LONGEST_DEBUG_LINE = 10_000
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM}
_SECONDS_BETWEEN_LOOKS_AT_LEASES = 0.2


class TestKey(NamedTuple):
    test_id: str
    test_index: int


TestKey.__test__ = False  # type: ignore[attr-defined]  # not a field: a class body could not say so


@dataclasses.dataclass(slots=True)
class ClientStatus:
    """What became of one test's process, as report.json shows it; there is one for every test of a session."""

    status: str
    pid: int
    name: str
    runner_start_time: float
    exitcode: int | None = None
    runner_end_time: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields that are known."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value is not None}


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
        timeout_exception_join_timeout: seconds that a test may take to tear down after it was told to end.
        report: writes reports of the results so far; called now and then.
        stop_requests: an entered :class:`StopRequests`; without it the runner handles signals while it runs.
    """

    __test__ = False

    def __init__(
        self,
        cluster: Any,
        session_context: Any,
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
    ) -> None:
        self.cluster = cluster
        self.session_context = session_context
        self.deflake_num = deflake_num
        self.finish_join_timeout = finish_join_timeout
        self.timeout_exception_join_timeout = timeout_exception_join_timeout
        self.stop_testing = False
        self.scheduler = TestScheduler(tests, cluster)
        self.total_tests = len(self.scheduler)
        self.test_counter = 0
        self.test_schedule_log: list[TestKey] = []
        self.client_report: dict[TestKey, ClientStatus] = {}
        self.results = TestResults(session_context, cluster, client_status=self.client_report)
        self.active_tests: dict[TestKey, RunningChild] = {}
        self._ending: dict[TestKey, RunningChild] = {}  # have reported, or are told to end, and still exist
        self._logger = session_logger
        self._partial_reports = PartialReports(report)
        self._stop_requests = stop_requests
        self._interrupts_obeyed = 0
        self._abort_reason: str | None = None
        self._look_again_at = 0.0
        self._failed_allocations = 0
        self._unleased: Any = None  # what other runs leave, while it is being decided who gets that
        self._orphans = Orphans()
        self._nodes = NodeSupply(cluster, self._log, self._orphans)
        self._all_over_since: float | None = None
        timeout_ms = session_context.test_runner_timeout
        self._silence_limit_sec = (_DEFAULT_SILENCE_LIMIT_MS if timeout_ms is None else timeout_ms) / 1000

    # --- the loop

    def run_all_tests(self) -> TestResults:
        """Run everything; blocks until the last process is gone.

        Returns:
            The results so far when a request to stop came, otherwise all of them.
        """
        if self._stop_requests is None:
            with StopRequests() as requests:
                return self._run(requests)
        return self._run(self._stop_requests)

    def _run(self, requests: StopRequests) -> TestResults:
        self.results.start_time = time.time()
        self._orphans.adopt()
        self._report_unschedulable(self.scheduler.filter_unschedulable_tests())
        self._log(logging.INFO, f"starting test run with session id {self.session_context.session_id}...")
        self._log(logging.INFO, f"running {len(self.scheduler)} tests...")
        while True:
            self._obey(requests)
            self._trigger_tests()
            if not self.active_tests and not self._ending and not self._may_trigger():
                break
            self._wait(requests)
            self._orphans.reap(keep={child.pid for child in self._children()})
            self._take_news()
            self._enforce_deadlines()
            self._say_who_is_left()
            self._partial_reports.write(self.results)
        self._end_leftovers(self._orphan_pids)
        self.results.stop_time = time.time()
        return self.results

    def _wait(self, requests: StopRequests) -> None:
        """Sleep until there is news, a signal, or a deadline."""
        poller = select.poll()
        poller.register(requests.fileno(), select.POLLIN)
        for child in self._children():
            for descriptor in child.waitables():
                poller.register(descriptor, select.POLLIN)
        now = time.monotonic()
        deadlines = [self._deadline(child) for child in self._children()] + [now + _SECONDS_BETWEEN_LOOKS]
        if self._may_trigger():
            deadlines.append(self._look_again_at)
        poller.poll(max(0, (min(deadlines) - now) * 1000 + 1))
        requests.clear()

    def _say_who_is_left(self) -> None:
        """Tell, once, why a run whose tests are all over does not end."""
        if self.active_tests or not self._ending or self._may_trigger() or self._all_over_since == math.inf:
            return
        if self._all_over_since is None:
            self._all_over_since = time.monotonic()
        if time.monotonic() - self._all_over_since >= _SECONDS_BETWEEN_LOOKS:
            self._all_over_since = math.inf
            left = {str(key): child.process.name for key, child in self._ending.items()}
            self._log(
                logging.WARNING,
                f"Some clients failed to clean up, waiting {self.finish_join_timeout}s to join: {left}",
            )

    def _children(self) -> list[RunningChild]:
        return [*self.active_tests.values(), *self._ending.values()]

    # --- starting tests

    def _may_trigger(self) -> bool:
        return not self.stop_testing and len(self.scheduler) > 0 and self._has_slot()

    def _has_slot(self) -> bool:
        return len(self.active_tests) < int(self.session_context.max_parallel)

    def _trigger_tests(self) -> None:
        if not self.stop_testing and len(self.scheduler) > 0 and self._nodes.has_recovered():
            self._look_again_at = 0.0
        while self._may_trigger() and time.monotonic() >= self._look_again_at:
            test_context = self.scheduler.peek() if self._unleased is None else self._first_fit(self._unleased)
            if test_context is not None:
                self._run_single_test(test_context)
                continue
            if self._unleased is not None:
                self._wait_for_leases()
                return
            if not self.active_tests:
                self._report_unschedulable(self.scheduler.filter_unschedulable_tests())
                self.stop_testing = True  # nothing runs that could give nodes back
                return
            self._look_again_at = time.monotonic() + _SECONDS_BETWEEN_LOOKS

    def _first_fit(self, nodes: Any) -> TestContext | None:
        """Return the first waiting test that some nodes are enough for."""
        if not nodes.size():
            return None
        waiting = iter(self.scheduler)
        return next((test for test in waiting if nodes.can_remove_spec(test.expected_cluster_spec)), None)

    def _wait_for_leases(self) -> None:
        self._unleased = None
        self._look_again_at = time.monotonic() + _SECONDS_BETWEEN_LOOKS_AT_LEASES

    def _run_single_test(self, test_context: TestContext) -> None:
        nodes = self._allocate(test_context)
        if nodes is None:
            return
        entire_cluster = not self.cluster.num_available_nodes()
        key = TestKey(test_context.test_id, self.test_counter + 1)
        start_time = time.time()
        try:
            child = self._start(test_context, key, nodes)
        except Exception as error:
            self._nodes.give_back(nodes)
            if isinstance(error, OSError) and error.errno in _EXHAUSTED and self._children():
                # Those that run give back what is missing
                self._look_again_at = time.monotonic() + _SECONDS_BETWEEN_LOOKS
                return
            self.scheduler.remove(test_context)
            summary = f"The process of the test could not be started: {describe_exception(error)}"
            cause = Cause(summary, "error")
            self._fail(test_context, self._next_key(test_context), cause, start_time=start_time, nodes=len(nodes))
            return
        self.scheduler.remove(test_context)
        self._next_key(test_context)
        if self.session_context.max_parallel > 1 and not self.active_tests and entire_cluster:
            self._log(
                logging.WARNING,
                f"Test {test_context.test_id} is using entire cluster. "
                "It's possible this test has no associated cluster metadata.",
            )
        self._log(logging.INFO, f"Triggering test {key.test_index} of {self.total_tests}...")
        self.active_tests[key] = child
        self.client_report[key] = ClientStatus("RUNNING", child.pid, child.process.name, child.start_time)

    def _start(self, test_context: TestContext, key: TestKey, nodes: list[Any]) -> RunningChild:
        settings = RunSettings(
            test_index=key.test_index,
            deflake_num=self.deflake_num,
            fail_bad_cluster_utilization=bool(self.session_context.fail_bad_cluster_utilization),
            mark=f"{self.session_context.session_id}.{key.test_index}.{os.getpid()}",
            driver_pid=os.getpid(),
        )
        request = TestRequest(test_context, FiniteSubcluster(nodes), settings)
        return RunningChild(request, nodes, start_method(), siblings=self._children())

    def _next_key(self, test_context: TestContext) -> TestKey:
        self.test_counter += 1
        key = TestKey(test_context.test_id, self.test_counter)
        self.test_schedule_log.append(key)
        return key

    def _allocate(self, test_context: TestContext) -> list[Any] | None:
        """Return nodes for a test; ``None`` if it has to wait or cannot run at all."""
        try:
            nodes = self._nodes.take(test_context)
        except NodesLeasedElsewhereError as error:
            if self._unleased is not None:
                self._wait_for_leases()
            else:
                self._unleased = error.unleased
            return None
        except InsufficientResourcesError as error:
            self._log(
                logging.INFO,
                f"Couldn't schedule test context {test_context!r} but we'll keep trying: {describe_exception(error)}",
            )
            self._postpone(test_context, error)
            return None
        except Exception as error:
            self.scheduler.remove(test_context)
            summary = f"Test not run: the cluster could not give it nodes: {describe_exception(error)}"
            self._fail(test_context, self._next_key(test_context), Cause(summary, "infrastructure"))
            return None
        self._failed_allocations = 0
        self._unleased = None
        return nodes

    def _postpone(self, test_context: TestContext, error: Exception) -> None:
        """Let a test wait for nodes that were free by the book and not to be had.

        The cluster may have put them aside, and then some tests will never fit. A cluster that keeps promising what it
        does not give must not keep the run for ever.
        """
        self._failed_allocations += 1
        self._look_again_at = time.monotonic() + min(0.1 * 2**self._failed_allocations, 5)
        self._report_unschedulable(self.scheduler.filter_unschedulable_tests())
        if self.active_tests or self._failed_allocations < _ALLOCATION_ATTEMPTS:
            return
        if any(waiting is test_context for waiting in self.scheduler):
            self.scheduler.remove(test_context)
            summary = f"Test not run: the cluster did not give it nodes in {_ALLOCATION_ATTEMPTS} attempts: {error}"
            self._fail(test_context, self._next_key(test_context), Cause(summary, "infrastructure"))

    # --- news of the children

    def _take_news(self) -> None:
        for key, child in [*self.active_tests.items(), *self._ending.items()]:
            # Asked first: what a dead child has sent is all in the pipe then.
            dead = child.is_dead()
            try:
                for message in child.messages():
                    self._handle(key, child, message)
            except ValueError as error:
                self._log(logging.ERROR, f"{key.test_id}: {error}")
                child.cause_of_end = Cause(f"Test process sent something that is not a message: {error}", "crash")
                child.signal(signal.SIGKILL)
            if dead:
                self._bury(key, child)

    def _handle(self, key: TestKey, child: RunningChild, message: Message) -> None:
        self._log(logging.DEBUG, str(message)[:_LONGEST_DEBUG_LINE])
        if isinstance(message, Log):
            self._log(message.level, message.message)
        elif isinstance(message, Finished) and key in self.active_tests:
            self._finish(key, child, message.outcome)

    def _finish(self, key: TestKey, child: RunningChild, outcome: Outcome) -> None:
        """Take the result that a test reports; its process may still need a moment to end."""
        if child.cause_of_end is not None:
            outcome = ended(child.cause_of_end, outcome, evidence=child.stacks())
        self._conclude(key, child, outcome, "FINISHED")
        if self.session_context.max_parallel == 1 and len(self.scheduler) > 0 and not self.stop_testing:
            self._log(logging.INFO, "~" * int(2 * get_terminal_size()[0] / 3))

    def _conclude(self, key: TestKey, child: RunningChild, outcome: Outcome, status: str) -> None:
        """Record what became of a test, and give its nodes back."""
        del self.active_tests[key]
        self._ending[key] = child
        child.deadline = time.monotonic() + self.finish_join_timeout
        self.client_report[key].status = status
        result = result_of(child.test_context, key.test_index, outcome, nodes_allocated=len(child.nodes))
        self._append(result, write=child.cause_of_end is not None or not os.path.exists(result.results_dir))
        self._nodes.give_back(child.nodes)
        self._look_again_at = 0.0

    def _bury(self, key: TestKey, child: RunningChild) -> None:
        """Take leave of a dead child, of whatever it left running, and of its test if that has no result yet."""
        self.client_report[key].exitcode = child.exit_code
        self.client_report[key].runner_end_time = time.time()
        if key in self.active_tests:
            child.cause_of_end = child.cause_of_end or cause_of_death(child.exit_code)
            self._log(logging.ERROR, f"{key.test_id}: {child.cause_of_end.text}")
            outcome = failed(
                child.cause_of_end,
                child.start_time,
                time.time(),
                nodes_used=len(child.nodes),
                evidence=child.stacks(),
            )
            self._conclude(key, child, outcome, "TERMINATED")
        del self._ending[key]
        child.close()
        self._end_leftovers(lambda: child.family.members(self._orphan_pids()))

    def _orphan_pids(self) -> list[int]:
        return self._orphans.pids(keep={child.pid for child in self._children()})

    def _end_leftovers(self, pids: Callable[[], list[int]]) -> None:
        """End what tests could not end themselves, because they died or because it hid from them."""
        if self.session_context.no_teardown or not pids():
            return
        for process in end_processes(pids, grace_sec=0):
            self._log(logging.WARNING, f"process {process} outlived its test and was killed")

    # --- deadlines and requests to stop

    def _deadline(self, child: RunningChild) -> float:
        if child.deadline is not None:
            return child.deadline
        if child.told_to_end_at is None and child.ask_to_end_at is not None:
            return child.ask_to_end_at
        if child.told_to_end_at is None:
            return child.last_heard + self._silence_limit_sec
        # A child that does not even say that it heard the request is not going to tear anything down.
        answered = child.last_heard > child.told_to_end_at
        return child.told_to_end_at + (self.timeout_exception_join_timeout if answered else self.finish_join_timeout)

    def _enforce_deadlines(self) -> None:
        now = time.monotonic()
        for child in self._ending.values():
            if now >= self._deadline(child) and not child.is_dead():
                self._log(
                    logging.ERROR,
                    f"after waiting {self.finish_join_timeout}s, process {child.process.name} failed to complete.  "
                    "Terminating...",
                )
                self._kill_stubborn(child)
        for key, child in list(self.active_tests.items()):
            if now < self._deadline(child) or child.is_dead():
                continue
            if child.told_to_end_at is None and child.ask_to_end_at is not None:
                self._terminate(child)
            elif child.told_to_end_at is None:
                self._end_silent(key, child)
            else:
                self._kill_stubborn(child)

    def _kill_stubborn(self, child: RunningChild) -> None:
        self._log(logging.WARNING, f"Process {child.process.name} did not respond to SIGTERM, escalating to SIGKILL")
        child.signal(signal.SIGKILL)
        child.deadline = time.monotonic() + self.finish_join_timeout

    def _end_silent(self, key: TestKey, child: RunningChild) -> None:
        # Often it is a node that makes a test silent, and the stacks below do not tell which.
        nodes = ", ".join(str(getattr(node, "name", node)) for node in child.nodes) or "no nodes"
        reason = f"TimeoutError: nothing was heard of the test for {self._silence_limit_sec:g} seconds (on {nodes})"
        self._log(logging.ERROR, f"{key.test_id}: Test aborted: {reason}")
        child.dump_stacks()
        child.cause_of_end = Cause(f"Test aborted: {reason}", "timeout")
        # A thread with a signal pending is passed over when the next one comes, and only the main thread, blocked as it
        # may be, can act on a request to end. So the one has to be dealt with before the other is sent.
        child.ask_to_end_at = time.monotonic() + _SECONDS_FOR_STACKS

    def _terminate(self, child: RunningChild) -> None:
        """Tell a test to end and to tear down, within limits."""
        self._log(logging.INFO, f"Sending SIGTERM to process {child.process.name} for graceful shutdown")
        child.terminate()

    def _obey(self, requests: StopRequests) -> None:
        """Act on signals that have arrived since the last look."""
        if requests.terminated is not None and self._abort_reason is None:
            self._abort(f"the run received {requests.terminated.name}")
        while self._interrupts_obeyed < requests.interrupts:
            self._interrupts_obeyed += 1
            if self._interrupts_obeyed == 1:
                self._interrupt()
            else:
                self._kill_all()

    def _interrupt(self) -> None:
        if self._abort_reason is not None:
            return  # everything is ending already; a second one is for those who do not want to wait
        self._log(
            logging.INFO,
            "Received KeyboardInterrupt. Now waiting for currently running tests to finish...",
        )
        self.stop_testing = True
        for child in self.active_tests.values():
            child.interrupt()

    def _kill_all(self) -> None:
        self._log(logging.WARNING, "Received KeyboardInterrupt again: ending at once, without teardown")
        self.stop_testing = True
        for child in self._children():
            child.cause_of_end = child.cause_of_end or Cause("Test aborted: KeyboardInterrupt", "interrupted")
            child.signal(signal.SIGKILL)

    def _abort(self, reason: str) -> None:
        """End the run in an orderly way: running tests tear down, waiting ones are reported as not run."""
        self._abort_reason = reason
        self.stop_testing = True
        if self.active_tests:
            self._log(logging.ERROR, f"Marking {len(self.active_tests)} active tests as failed: {reason}")
        for key, child in self.active_tests.items():
            self._log(logging.ERROR, f"{key.test_id}: Test aborted: {reason}")
            child.cause_of_end = Cause(f"Test aborted: {reason}", "interrupted")
            self._terminate(child)
        remaining = self.scheduler.drain_remaining_tests()
        if remaining:
            self._log(logging.ERROR, f"Marking {len(remaining)} remaining tests as failed: {reason}")
        for test_context in remaining:
            cause = Cause(f"Test not run: {reason}", "interrupted")
            self._fail(test_context, self._next_key(test_context), cause)

    # --- results

    def _report_unschedulable(self, unschedulable: list[TestContext]) -> None:
        if not unschedulable:
            return
        self._log(
            logging.ERROR,
            f"There are {len(unschedulable)} tests which cannot be run due to insufficient cluster resources",
        )
        nodes = self.cluster.all().nodes
        bad = ", ".join(str(node) for node in unhealthy_nodes(self.cluster) if node.back_at is None)
        for test_context in unschedulable:
            detail = nodes.attempt_remove_spec(test_context.expected_cluster_spec)
            detail += f"Nodes put aside: {bad}. " if bad else ""
            summary = (
                f"Test {test_context.test_id} requires more resources than are available in the whole cluster. {detail}"
            )
            self._fail(test_context, self._next_key(test_context), Cause(summary, "unschedulable"))

    def _fail(
        self,
        test_context: TestContext,
        key: TestKey,
        cause: Cause,
        *,
        start_time: float | None = None,
        nodes: int | None = None,
    ) -> None:
        """Record the failure of a test that has no process of its own."""
        self._log(logging.ERROR, cause.text if key.test_id in cause.text else f"{key.test_id}: {cause.text}")
        now = time.time()
        outcome = failed(cause, now if start_time is None else start_time, now)
        allocated = test_context.expected_num_nodes if nodes is None else nodes
        self._append(result_of(test_context, key.test_index, outcome, nodes_allocated=allocated), write=True)

    def _append(self, result: TestResult, *, write: bool) -> None:
        """Add a result; its files are written here if the test could not write them, or wrote something else."""
        if write:
            try:
                result.report()
            except Exception as error:
                self._log(logging.ERROR, f"Error writing the report of {result.test_id}: {describe_exception(error)}")
        self.results.append(result)
        if result.test_status == FAIL and self.session_context.exit_first:
            self.stop_testing = True

    def _log(self, log_level: int, msg: str) -> None:
        self._logger.log(log_level, msg)
