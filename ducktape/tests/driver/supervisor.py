# SPDX-License-Identifier: Apache-2.0
"""The processes of the tests that run: heard, bounded in time, ended, buried, and cleaned up after."""

from __future__ import annotations

import dataclasses
import logging
import math
import os
import select
import signal
import time
from collections.abc import Callable, Iterable
from typing import Any

from ducktape.cluster.finite_subcluster import FiniteSubcluster
from ducktape.services.support.record import named_nodes, of_run
from ducktape.tests.driver.allocator import names_of
from ducktape.tests.driver.deadlines import SETUP, Limits, Step
from ducktape.tests.driver.failure_cause import Cause, cause_of_death, describe_exception
from ducktape.tests.driver.recorder import ClientStatus, Recorder, TestKey, key_of
from ducktape.tests.driver.retries import outcome_of, verdict
from ducktape.tests.driver.worker import RunningChild, start_method
from ducktape.tests.event import (
    Attempted,
    CleanedUp,
    Finished,
    Log,
    Message,
    Outcome,
    Phase,
    ServiceGone,
    ServiceNoted,
    Tolerated,
)
from ducktape.tests.recording.bounds import bounded_outcome
from ducktape.tests.worker.request import CleanUpRequest, RunSettings, TestRequest
from ducktape.utils.process.tree import Orphans, end_processes
from ducktape.utils.process.watchdog import Guardian
from ducktape.utils.support.stopwatch import Stopwatch
from ducktape.utils.support.strictness import show_once

_LONGEST_DEBUG_LINE = 10_000
_NODES_TO_NAME = 20

# Takes what became of a test: its child, the outcome, and the nodes that are not clean, with the reason
Conclude = Callable[[TestKey, RunningChild, Outcome, dict[str, str]], None]


class Children:
    """The children of a run.

    Args:
        log: takes a level and a line for the log of the session.
        recorder: is told what happens.
        conclude: is called when the outcome of a test is known and its nodes are as clean as they get.
        bury: is called when a child is gone for good.
        finish_join_timeout: seconds that a process may take to end after it has reported.
        no_teardown: leave everything as it is.

    Attributes:
        active: tests whose outcome is not known.
        cleaning: processes that clean up after a test whose process is dead; the test is that of the key.
        ending: processes that have reported and still exist.
    """

    def __init__(
        self,
        log: Callable[[int, str], None],
        recorder: Recorder,
        *,
        conclude: Conclude,
        bury: Callable[[TestKey, RunningChild], None],
        finish_join_timeout: float,
        no_teardown: bool,
    ) -> None:
        self.active: dict[TestKey, RunningChild] = {}
        self.cleaning: dict[TestKey, RunningChild] = {}
        self.ending: dict[int, tuple[TestKey, RunningChild]] = {}
        self.orphans = Orphans()
        self._log = log
        self._recorder = recorder
        self._conclude = conclude
        self._bury_test = bury
        self._finish_join_timeout = finish_join_timeout
        self._no_teardown = no_teardown
        self._guardian = Guardian()
        # Tests that are over and whose nodes are being cleaned, with what they reported if they did
        self._over: dict[TestKey, tuple[RunningChild, Outcome | None]] = {}
        self._killing = False

    def adopt(self) -> None:
        """Begin: what tests leave running is ended from now on, by this process or by its guardian."""
        if not self._no_teardown:
            self._guardian.start()
        self.orphans.adopt()

    def close(self) -> None:
        """End what is left, and the guardian; there must be no child any more."""
        self._end_leftovers(self._orphan_pids)
        self._guardian.stop()

    @property
    def busy(self) -> int:
        """How many tests have nodes now."""
        return len(self.active) + len(self.cleaning)

    def all(self) -> list[RunningChild]:
        """Return every child that exists."""
        return [*self.active.values(), *self.cleaning.values(), *(child for _, child in self.ending.values())]

    # --- starting

    def start(self, key: TestKey, request: TestRequest, nodes: list[Any], limits: Limits) -> RunningChild:
        """Start the process of a test.

        Args:
            key: of the test.
            request: what it is to do.
            nodes: what it may use.
            limits: how long it may take.

        Raises:
            Exception: it could not be started.
        """
        child = self._start(request, nodes, limits)
        self.active[key] = child
        status = ClientStatus("RUNNING", child.pid, child.process.name, child.start_time)
        self._recorder.started(key, child.attempt, status, names_of(nodes))
        return child

    def _start(self, request: TestRequest, nodes: list[Any], limits: Limits) -> RunningChild:
        guardian = [self._guardian.descriptor] if self._guardian.descriptor >= 0 else []
        child = RunningChild(request, nodes, start_method(), limits=limits, siblings=self.all(), not_for_child=guardian)
        self._guardian.watch(child.pid, request.settings.mark)
        return child

    # --- waiting

    def wait(self, extra: Iterable[int], until: float) -> None:
        """Sleep until there is news of a child, a descriptor is readable, or a deadline has come.

        Args:
            extra: descriptors.
            until: seconds of the monotonic clock.
        """
        poller = select.poll()
        for descriptor in extra:
            poller.register(descriptor, select.POLLIN)
        for child in self.all():
            for descriptor in child.waitables():
                poller.register(descriptor, select.POLLIN)
        deadlines = [-math.inf if child.has_more else _deadline(child) for child in self.all()]
        poller.poll(max(0, (min([*deadlines, until]) - time.monotonic()) * 1000 + 1))

    def reap(self) -> None:
        """Take leave of dead processes that tests have left."""
        self.orphans.reap(keep=self._own_pids())

    def _own_pids(self) -> set[int]:
        return {child.pid for child in self.all()} | {self._guardian.pid}

    # --- news

    def take_news(self) -> None:
        """Act on what the children have sent, and on their deaths."""
        for key, child in [*self.active.items(), *self.cleaning.items(), *list(self.ending.values())]:
            # Asked first: what a dead child has sent is all in the pipe then.
            dead = child.is_dead()
            try:
                for message in child.messages(everything=dead):
                    self._handle(key, child, message)
            except Exception as error:
                self._end_misbehaving(key, child, error)
            if dead:
                self._bury(key, child)

    def _end_misbehaving(self, key: TestKey, child: RunningChild, error: Exception) -> None:
        """End a child with whose messages nothing can be done; no other test is to suffer from it."""
        why = str(error) if isinstance(error, ValueError) else describe_exception(error)
        self._log(logging.ERROR, f"{key.test_id}: {why}")
        child.cause_of_end = Cause(f"Test process sent something that is not a message: {why}", "crash")
        child.stop_listening()
        child.signal(signal.SIGKILL)

    def _handle(self, key: TestKey, child: RunningChild, message: Message) -> None:
        if not isinstance(message, ServiceNoted):  # whose attributes are the user's
            self._log(logging.DEBUG, str(message)[:_LONGEST_DEBUG_LINE])
        if isinstance(message, Log):
            self._log(message.level, message.message)
        elif isinstance(message, Tolerated):
            show_once(message.warning)
        elif isinstance(message, Phase):
            self._enter(key, child, message)
        elif isinstance(message, ServiceNoted):
            child.remember(message)
        elif isinstance(message, ServiceGone):
            child.forget(message.service_id)
        elif isinstance(message, Attempted):
            child.remember(message.record)
            self._recorder.attempt(key, message.record)
        elif isinstance(message, Finished):
            self._finish(key, child, message.outcome)
        elif isinstance(message, CleanedUp):
            self._cleaned(key, child, message)

    def _enter(self, key: TestKey, child: RunningChild, phase: Phase) -> None:
        child.watch.entered(phase.name, time.monotonic())
        self._recorder.phase(key, phase.attempt, phase.name, child.clock.now())
        if phase.name == SETUP:
            child.attempt, child.attempt_clock = phase.attempt, Stopwatch()

    def _finish(self, key: TestKey, child: RunningChild, outcome: Outcome) -> None:
        """Take the result that a child reports; its process may still need a moment to end."""
        if self.active.get(key) is child:
            del self.active[key]
            self._let_end(key, child)
            # Services are left if an interrupt cut their ending short
            self._clean_up_after(key, child, outcome)
        elif self.cleaning.get(key) is child:
            self._cleaned(key, child, _not_cleaned(key, child, outcome.summary))

    def _cleaned(self, key: TestKey, child: RunningChild, done: CleanedUp) -> None:
        """Take the result of a clean-up."""
        if not child.is_clean_up:
            raise ValueError("a test reported a clean-up")
        if self.cleaning.pop(key, None) is not None:
            self._let_end(key, child)
            self._settle(key, done)

    def _let_end(self, key: TestKey, child: RunningChild) -> None:
        self.ending[child.pid] = (key, child)
        child.deadline = time.monotonic() + self._finish_join_timeout

    # --- death

    def _bury(self, key: TestKey, child: RunningChild) -> None:
        """Take leave of a dead child, of whatever it left running, and see to its nodes if it could not."""
        self._guardian.forget(child.pid)
        self.ending.pop(child.pid, None)
        if self.cleaning.get(key) is child:
            del self.cleaning[key]
            self._close(child)
            cause = child.cause_of_end or cause_of_death(child.exit_code)
            self._settle(key, _not_cleaned(key, child, cause.text))
            return
        if child.is_clean_up:
            self._close(child)
            return
        self._recorder.process_is(key, exitcode=child.exit_code, runner_end_time=child.clock.now())
        self._close(child)
        if self.active.get(key) is not child:
            if key not in self._over:
                self._bury_test(key, child)
            return
        del self.active[key]
        child.cause_of_end = child.cause_of_end or cause_of_death(child.exit_code)
        self._log(logging.ERROR, f"{key.test_id}: {child.cause_of_end.text}")
        self._clean_up_after(key, child, None)

    def _close(self, child: RunningChild) -> None:
        child.close()
        self._end_leftovers(lambda: child.family.members(self._orphan_pids()))

    def _clean_up_after(self, key: TestKey, child: RunningChild, outcome: Outcome | None) -> None:
        """Stop, collect and clean what a child could not, in a process of its own; settle its test at once if it could.

        Args:
            key: of the test.
            child: has reported, or is dead.
            outcome: what it reported.
        """
        self._over[key] = (child, outcome)
        services = list(child.services.values())
        if child.attempt > 1 or not child.plan.is_single:
            # The logs of each attempt have directories of their own
            services = [of_run(record, child.attempt) for record in services]
        if not services or self._no_teardown or self._killing:
            self._settle(key, CleanedUp())
            return
        self._log(logging.INFO, f"{key.test_id}: cleaning up after its process")
        settings = RunSettings(
            test_index=child.test_index,
            earlier=child.records,
            nodes=names_of(child.nodes),
            mark=child.family.mark,
            driver_pid=os.getpid(),
        )
        request = CleanUpRequest(
            child.test_context,
            FiniteSubcluster(child.nodes),
            settings,
            nodes=child.nodes,
            services=services,
            collect=outcome is None,
            dump=outcome is None and child.cause_of_end is not None and child.cause_of_end.reason == "timeout",
        )
        try:
            cleaner = self._start(request, child.nodes, child.watch.limits)
        except Exception as error:
            self._settle(key, _not_cleaned(key, child, describe_exception(error)))
            return
        cleaner.watch.ending = True
        self.cleaning[key] = cleaner

    def _settle(self, key: TestKey, done: CleanedUp) -> None:
        """Report what became of a test, now that its nodes are clean, or are not."""
        child, outcome = self._over.pop(key)
        self._recorder.process_is(key, status="TERMINATED" if outcome is None else "FINISHED")
        if child.cause_of_end is not None:
            outcome = self._outcome_of_end(child, child.cause_of_end, outcome, done)
        assert outcome is not None  # a child that died without a cause has got one
        if done.problems:
            outcome = dataclasses.replace(outcome, teardown_errors=[*outcome.teardown_errors, *done.problems])
        self._conclude(key, child, outcome, done.dirty)
        if child.pid not in self.ending:
            self._bury_test(key, child)

    def _outcome_of_end(self, child: RunningChild, cause: Cause, outcome: Outcome | None, done: CleanedUp) -> Outcome:
        """Return the outcome of a test that was told to end, or that died."""
        record = child.end_record(cause, done)
        self._recorder.attempt(key_of(child.test_context, child.test_index), record)
        found = outcome_of(
            verdict(child.records, child.plan),
            child.records,
            data=outcome.data if outcome else None,
            stop_time=record.stop_time,
            nodes_used=outcome.nodes_used if outcome else len(child.nodes),
        )
        return bounded_outcome(dataclasses.replace(found, faults=outcome.faults if outcome else child.faults()))

    def _orphan_pids(self) -> list[int]:
        return self.orphans.pids(keep=self._own_pids())

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
        for _, child in self.ending.values():
            if child.deadline is not None and now >= child.deadline and not child.is_dead():
                self._log(
                    logging.ERROR,
                    f"after waiting {self._finish_join_timeout}s, process {child.process.name} failed to complete.  "
                    "Terminating...",
                )
                self._kill(child)
                child.deadline = now + self._finish_join_timeout
        for key, child in [*self.active.items(), *self.cleaning.items()]:
            why = child.watch.describe(now)
            step = None if child.is_dead() else child.watch.due(now)
            if step is Step.ASK:
                self._note_lateness(key, child, why)
                child.dump_stacks()
            elif step is Step.INTERRUPT:
                self._log(logging.INFO, f"Sending SIGTERM to process {child.process.name} for graceful shutdown")
                child.terminate()
            elif step is Step.KILL:
                self._kill(child)

    def _note_lateness(self, key: TestKey, child: RunningChild, why: str) -> None:
        # Often it is a node that makes a test silent, and the stacks do not tell which.
        names = names_of(child.nodes)
        more = [f"{len(names) - _NODES_TO_NAME} more"] if len(names) > _NODES_TO_NAME else []
        nodes = ", ".join([*names[:_NODES_TO_NAME], *more]) or "no nodes"
        reason = f"Test aborted: TimeoutError: {why} (on {nodes})"
        self._log(logging.ERROR, f"{key.test_id}: {reason}")
        if child.cause_of_end is None:
            child.cause_of_end = Cause(reason, "timeout")
            child.ended_attempt = child.attempt
        else:
            child.late.append(reason)

    def _kill(self, child: RunningChild) -> None:
        self._log(logging.WARNING, f"Process {child.process.name} did not respond to SIGTERM, escalating to SIGKILL")
        child.signal(signal.SIGKILL)

    # --- ending all of them

    def interrupt(self) -> None:
        """Pass a Ctrl-C on to all tests that run."""
        for child in self.active.values():
            child.interrupt()

    def terminate(self, cause: Cause) -> None:
        """Let all tests that run tear down and end."""
        for key, child in self.active.items():
            self._log(logging.ERROR, f"{key.test_id}: {cause.text}")
            child.cause_of_end = child.cause_of_end or cause
            child.let_end()

    def kill(self) -> None:
        """End all tests at once, without teardown."""
        self._killing = True
        for child in self.all():
            child.cause_of_end = child.cause_of_end or Cause("Test aborted: KeyboardInterrupt", "interrupted")
            child.signal(signal.SIGKILL)


def _not_cleaned(key: TestKey, child: RunningChild, why: str) -> CleanedUp:
    """Return the end of a clean-up that came to nothing."""
    problem = f"cleaning up after {key.test_id} failed: {why}"
    return CleanedUp(problems=[problem], dirty=dict.fromkeys(named_nodes(child.nodes), problem.splitlines()[0]))


def _deadline(child: RunningChild) -> float:
    return child.watch.deadline if child.deadline is None else child.deadline
