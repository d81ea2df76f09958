# SPDX-License-Identifier: Apache-2.0
"""Supervises the worker processes: messages, deadlines, reaping and clean-up."""

from __future__ import annotations

import dataclasses
import logging
import math
import select
import signal
import time
from collections.abc import Callable, Iterable

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.tests.driver.allocator import names_of
from ducktape.tests.driver.deadlines import SETUP, Limits, Step
from ducktape.tests.driver.failure_cause import Cause, cause_of_death, describe_exception
from ducktape.tests.driver.holders import Holders
from ducktape.tests.driver.job import HAS_NODES, Job, State, TestKey
from ducktape.tests.driver.recorder import ClientStatus, Recorder
from ducktape.tests.driver.requests import clean_up_request
from ducktape.tests.driver.terminal import Terminal
from ducktape.tests.driver.worker import Worker, start_method
from ducktape.tests.event import (
    Attempted,
    CleanedUp,
    Finished,
    Heartbeat,
    Kept,
    Log,
    Message,
    Outcome,
    Paused,
    Phase,
    Resumed,
    ServiceGone,
    ServiceNoted,
    Tolerated,
)
from ducktape.tests.worker.request import TestRequest
from ducktape.utils.process.tree import Orphans, end_processes
from ducktape.utils.process.watchdog import Watchdog
from ducktape.utils.support.guard import tolerated
from ducktape.utils.support.strictness import show_once
from ducktape.utils.support.times import Stopwatch

_LONGEST_DEBUG_LINE = 10_000
_NODES_TO_NAME = 20
_SECONDS_BEFORE_LINGERING = 1.0


class Supervisor:
    """Supervises the worker processes of a run.

    ``conclude`` takes a job whose outcome is known, and the nodes that are dirty, with the reason; it sets the state.
    ``requeued`` is called when a job that runs once more waits for nodes.
    """

    def __init__(
        self,
        log: Callable[[int, str], None],
        recorder: Recorder,
        *,
        conclude: Callable[[Job, dict[str, str]], None],
        requeued: Callable[[], None],
        finish_join_timeout: float,
        no_teardown: bool,
        holders: Holders,
    ) -> None:
        self.jobs: dict[TestKey, Job] = {}  # tests that have processes or wait for another attempt
        self.orphans = Orphans()
        self._log = log
        self._recorder = recorder
        self._conclude = conclude
        self._requeued = requeued
        self._finish_join_timeout = finish_join_timeout
        self._no_teardown = no_teardown
        self._holders = holders
        self._watchdog = Watchdog()
        self._terminal = Terminal()
        self._killing = False
        self._all_over_since: float | None = None

    def adopt(self) -> None:
        """Begin: what tests leave running is ended from now on, by this process or by its watchdog."""
        if not self._no_teardown:
            self._watchdog.start()
        self.orphans.adopt()

    def close(self) -> None:
        """End what is left, and the watchdog; there must be no worker any more."""
        self._end_leftovers(self._orphan_pids)
        self._watchdog.stop()
        self.orphans.release()

    def jobs_in(self, *states: State) -> list[Job]:
        """Return the jobs in some states, those that have waited longest first."""
        return [job for job in self.jobs.values() if job.state in states]

    @property
    def busy(self) -> int:
        """How many tests have nodes now."""
        return len(self.jobs_in(*HAS_NODES))

    def workers(self) -> list[Worker]:
        """Return every process that exists."""
        return [worker for job in self.jobs.values() for worker in job.workers()]

    # --- starting

    def start(self, job: Job, key: TestKey, request: TestRequest, nodes: list[ClusterNode], limits: Limits) -> None:
        """Start the process of a test.

        Raises:
            Exception: it could not be started; then nothing has changed.
        """
        worker = self._start(request, limits)
        job.begin(key, worker, nodes, request.settings.plan)
        self.jobs[key] = job
        status = ClientStatus("RUNNING", worker.pid, worker.process.name, worker.clock.start_time)
        self._recorder.started(key, job.attempt, status, names_of(nodes))

    def _start(self, request: TestRequest, limits: Limits) -> Worker:
        watchdog = [self._watchdog.descriptor] if self._watchdog.descriptor >= 0 else []
        worker = Worker(request, start_method(), limits=limits, siblings=self.workers(), not_for_child=watchdog)
        self._watchdog.watch(worker.pid, request.settings.mark)
        return worker

    # --- waiting

    def wait(self, extra: Iterable[int], until: float) -> None:
        """Sleep until a worker sends or dies, a descriptor is readable, or a deadline has come."""
        poller = select.poll()
        for descriptor in extra:
            poller.register(descriptor, select.POLLIN)
        for worker in self.workers():
            until = min(until, worker.next_deadline)
            for descriptor in worker.waitables():
                poller.register(descriptor, select.POLLIN)
        poller.poll(max(0, (until - time.monotonic()) * 1000 + 1))

    def reap_orphans(self) -> None:
        """Collect the exit codes of processes that tests have left."""
        self.orphans.reap(keep=self._own_pids())

    def _own_pids(self) -> set[int]:
        return {worker.pid for worker in self.workers()} | {self._watchdog.pid} | self._holders.pids

    # --- messages

    def handle_events(self) -> None:
        """Act on what the workers have sent, and on their deaths."""
        for job in list(self.jobs.values()):
            for worker in job.workers():
                # Asked first: what a dead process has sent is all in the pipe then.
                dead = worker.is_dead()
                try:
                    for message in worker.messages(everything=dead):
                        self._handle(job, worker, message)
                except Exception as error:  # one test attempt: no other test is to suffer from it
                    why = str(error) if isinstance(error, ValueError) else describe_exception(error)
                    self._log(logging.ERROR, f"{job.known_key.test_id}: {why}")
                    worker.cause_of_end = Cause(f"Test process sent something that is not a message: {why}", "crash")
                    worker.stop_listening()
                    worker.signal(signal.SIGKILL)
                if dead:
                    self._reap(job, worker)

    def _handle(self, job: Job, worker: Worker, message: Message) -> None:
        if not isinstance(message, ServiceNoted):  # whose attributes are the user's
            self._log(logging.DEBUG, str(message)[:_LONGEST_DEBUG_LINE])
        if isinstance(message, Log):
            self._log(message.level, message.message)
            self._show_line(job, message.message.removeprefix(f"RunnerClient: {job.known_key.test_id}: "))
        elif isinstance(message, Heartbeat):
            self._show_line(job, message.line)
        elif isinstance(message, Tolerated):
            show_once(message.warning)
        elif isinstance(message, Phase):
            self._enter(job, worker, message)
        elif isinstance(message, (Paused, Resumed)):
            self._debugged(worker, message)
        elif isinstance(message, Finished):
            self._finished(job, worker, message.outcome)
        elif isinstance(message, Kept):
            self._keep(job, worker)
        elif isinstance(message, CleanedUp):
            self._cleaned(job, worker, message)
        elif isinstance(message, (ServiceNoted, ServiceGone, Attempted)):
            self._note(job, worker, message)

    def _show_line(self, job: Job, line: str) -> None:
        self._recorder.observe("line", {"test_index": job.known_key.test_index, "line": line})

    def _enter(self, job: Job, worker: Worker, phase: Phase) -> None:
        worker.watch.entered(phase.name, time.monotonic())
        self._recorder.phase(job.known_key, phase.attempt, phase.name, worker.clock.now())
        if phase.name == SETUP and worker is job.worker:
            job.attempt, job.attempt_clock = phase.attempt, Stopwatch()

    def _debugged(self, worker: Worker, message: Paused | Resumed) -> None:
        if not worker.has_terminal:
            raise ValueError("a debugger without a terminal")
        if isinstance(message, Paused):
            worker.watch.paused(time.monotonic())
        else:
            worker.watch.resumed(time.monotonic())
            self._terminal.restore()
        self._recorder.observe("debugger", {"is_open": isinstance(message, Paused)})

    @property
    def debugged(self) -> int:
        """Return the process id of the test whose debugger has the terminal, 0 if there is none."""
        return next((worker.pid for worker in self.workers() if worker.watch.is_paused), 0)

    def _note(self, job: Job, worker: Worker, message: ServiceNoted | ServiceGone | Attempted) -> None:
        if worker is not job.worker:
            raise ValueError("a clean-up reported services or attempts")
        if isinstance(message, ServiceNoted):
            job.remember(message)
        elif isinstance(message, ServiceGone):
            job.forget(message.service_id)
        else:
            job.remember(message.attempt)
            self._recorder.attempt(job.known_key, message.attempt)

    def _finished(self, job: Job, worker: Worker, outcome: Outcome) -> None:
        """Take the result that a worker reports; its process may still need time to end."""
        if worker is job.cleaner:
            self._cleaned(job, worker, job.not_cleaned(outcome.summary))
        elif job.state is State.RUNNING:
            self._let_end(worker)
            job.outcome = outcome
            # Services are left if an interrupt cut their ending short
            self._clean_up_after(job)

    def _keep(self, job: Job, worker: Worker) -> None:
        """Note that a worker has left everything as it is."""
        if worker is not job.worker or self._holders.option is None:
            raise ValueError("a test that was not to be kept")
        job.is_kept = True

    def _cleaned(self, job: Job, worker: Worker, done: CleanedUp) -> None:
        """Take the result of a clean-up."""
        if worker is not job.cleaner:
            raise ValueError("a test reported a clean-up")
        if job.state is State.CLEANING:
            self._let_end(worker)
            self._settle(job, done)

    def _let_end(self, worker: Worker) -> None:
        worker.deadline = time.monotonic() + self._finish_join_timeout

    # --- death

    def _reap(self, job: Job, worker: Worker) -> None:
        """Release a dead worker, end what it left running, and see to its nodes if it could not."""
        if worker is job.worker:
            self._recorder.process_is(job.known_key, exitcode=worker.exit_code, runner_end_time=worker.clock.now())
        if worker.has_terminal:
            self._terminal.restore()
        if worker.watch.is_paused:
            self._recorder.observe("debugger", {"is_open": False})
        worker.close()
        cause = worker.cause_of_end or cause_of_death(worker.exit_code)
        died = worker is job.worker and job.state is State.RUNNING
        job.is_kept |= died and job.is_kept_after(cause, self._holders.option)
        job.is_kept &= not self._killing
        if worker is not job.worker or not job.is_kept:
            self._watchdog.forget(worker.pid)
        if not job.is_kept:
            self._end_leftovers(lambda: worker.family.members(self._orphan_pids()))
        if worker is job.cleaner and job.state is State.CLEANING:
            self._settle(job, job.not_cleaned(cause.text))
        elif died:
            worker.cause_of_end = cause
            self._log(logging.ERROR, f"{job.known_key.test_id}: {cause.text}")
            self._clean_up_after(job)
        else:
            self._release(job)

    def _clean_up_after(self, job: Job) -> None:
        """Stop, collect and clean what a worker left, in a process of its own; settle at once if it left nothing.

        Of a test that is kept, only the logs are collected, if its own process could not do so.
        """
        job.state = State.CLEANING
        is_done = job.outcome is not None if job.is_kept else self._no_teardown
        if not job.services or is_done or self._killing:
            self._settle(job, CleanedUp())
            return
        assert job.worker is not None  # it has reported, or is dead
        self._log(logging.INFO, f"{job.known_key.test_id}: cleaning up after its process")
        # What the request consists of is the user's, and may be impossible to pickle
        with tolerated() as start:
            request = clean_up_request(job, job.worker.family.mark)
            job.cleaner = self._start(request, job.worker.watch.limits)
            job.cleaner.watch.ending = True
        if start.error is not None:
            self._settle(job, job.not_cleaned(describe_exception(start.error)))

    def _settle(self, job: Job, done: CleanedUp) -> None:
        """Conclude a test, now that its nodes are clean, or dirty for good."""
        self._recorder.process_is(job.known_key, status="TERMINATED" if job.outcome is None else "FINISHED")
        if job.cause_of_end is not None and not job.could_not_be_kept:
            self._recorder.attempt(job.known_key, job.cut_short(job.cause_of_end, done))
        assert job.outcome is not None  # one that died without a cause has got one
        if done.problems:
            errors = [*job.outcome.teardown_errors, *done.problems]
            job.outcome = dataclasses.replace(job.outcome, teardown_errors=errors)
        if job.is_kept and not self._keeps(job):
            self._clean_up_after(job)
            return
        self._conclude(job, done.dirty)
        self._release(job)

    def _keeps(self, job: Job) -> bool:
        """Hand a test over to a process that keeps it; returns whether that succeeded."""
        worker = job.worker
        assert worker is not None  # it has left what is kept
        job.is_kept = self._holders.keep(job)
        job.could_not_be_kept = not job.is_kept
        self._watchdog.forget(worker.pid)  # only now: meanwhile nobody else would have ended what it has left
        if not job.is_kept:
            self._end_leftovers(lambda: worker.family.members(self._orphan_pids()))
        return job.is_kept

    def _release(self, job: Job) -> None:
        """Let go of a test that is concluded and has no process any more, or queue it once more."""
        if job.workers() or job.state not in (State.RETRYING, State.DONE):
            return
        del self.jobs[job.known_key]
        if job.state is State.RETRYING:
            job.state = State.QUEUED
            self.jobs[job.known_key] = job  # behind those that wait already
            self._requeued()

    def _orphan_pids(self) -> list[int]:
        return self._holders.spared(self.orphans.pids(keep=self._own_pids()))

    def _end_leftovers(self, pids: Callable[[], list[int]]) -> None:
        """End what tests could not end themselves, because they died or because it hid from them."""
        if self._no_teardown or not pids():
            return
        for process in end_processes(pids, grace_sec=0):
            self._log(logging.WARNING, f"process {process} outlived its test and was killed")

    # --- time

    def enforce_deadlines(self) -> None:
        """Ask for stacks, interrupt or kill, wherever the time is over."""
        now = time.monotonic()
        for job in self.jobs.values():
            for worker in job.workers():
                if worker.deadline is None:
                    self._enforce_limits(job, worker, now)
                elif now >= worker.deadline and not worker.is_dead():
                    self._log(
                        logging.ERROR,
                        f"after waiting {self._finish_join_timeout}s, process {worker.process.name} failed to "
                        "complete.  Terminating...",
                    )
                    self._kill(worker)
                    worker.deadline = now + self._finish_join_timeout

    def _enforce_limits(self, job: Job, worker: Worker, now: float) -> None:
        why = worker.watch.describe(now)
        step = None if worker.is_dead() else worker.watch.due(now)
        if step is Step.ASK:
            # Often it is a node that makes a test silent, and the stacks do not tell which.
            names = names_of(job.nodes)
            more = [f"{len(names) - _NODES_TO_NAME} more"] if len(names) > _NODES_TO_NAME else []
            nodes = ", ".join([*names[:_NODES_TO_NAME], *more]) or "no nodes"
            reason = f"Test aborted: TimeoutError: {why} (on {nodes})"
            self._log(logging.ERROR, f"{job.known_key.test_id}: {reason}")
            if worker is job.worker:
                job.note_late(reason)
            worker.cause_of_end = worker.cause_of_end or Cause(reason, "timeout")
            worker.dump_stacks()
        elif step is Step.INTERRUPT:
            self._log(logging.INFO, f"Sending SIGTERM to process {worker.process.name} for graceful shutdown")
            worker.terminate()
        elif step is Step.KILL:
            self._kill(worker)

    def _kill(self, worker: Worker) -> None:
        self._log(logging.WARNING, f"Process {worker.process.name} did not respond to SIGTERM, escalating to SIGKILL")
        worker.signal(signal.SIGKILL)

    def log_lingering_processes(self) -> None:
        """Log, once, why a run does not end; to be called while no other test can start."""
        if self.busy or not self.workers() or self._all_over_since == math.inf:
            return
        if self._all_over_since is None:
            self._all_over_since = time.monotonic()
        if time.monotonic() - self._all_over_since >= _SECONDS_BEFORE_LINGERING:
            self._all_over_since = math.inf
            left = {str(key): worker.process.name for key, job in self.jobs.items() for worker in job.workers()}
            text = f"Some clients failed to clean up, waiting {self._finish_join_timeout}s to join: {left}"
            self._log(logging.WARNING, text)

    # --- ending all of them

    def interrupt(self) -> None:
        """Pass a Ctrl-C on to all tests that run."""
        for worker in self._running().values():
            worker.signal(signal.SIGINT)

    def terminate(self, cause: Cause) -> None:
        """Let all tests that run tear down and end."""
        for key, worker in self._running().items():
            self._log(logging.ERROR, f"{key.test_id}: {cause.text}")
            worker.cause_of_end = worker.cause_of_end or cause
            worker.let_end()

    def _running(self) -> dict[TestKey, Worker]:
        return {job.known_key: job.worker for job in self.jobs_in(State.RUNNING) if job.worker is not None}

    def kill(self) -> None:
        """End all tests at once, without teardown."""
        self._killing = True
        for worker in self.workers():
            worker.cause_of_end = worker.cause_of_end or Cause("Test aborted: KeyboardInterrupt", "interrupted")
            worker.signal(signal.SIGKILL)
