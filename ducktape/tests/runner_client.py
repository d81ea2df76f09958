# SPDX-License-Identifier: Apache-2.0
"""What happens inside a test's own process: attempts, summary, result files, and messages to the driver."""

from __future__ import annotations

import contextlib
import dataclasses
import faulthandler
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

from ducktape.json_serializable import jsonable
from ducktape.services.service import MultiRunServiceIdFactory
from ducktape.tests.event import Finished, Heard, Log, Message, Outcome, Running
from ducktape.tests.lifecycle import Attempt, InterruptGate, TestRun, describe_exception
from ducktape.tests.result import TestResult
from ducktape.tests.status import FAIL, FLAKY, IGNORE, PASS, TestStatus, status_named
from ducktape.tests.test_context import TestContext
from ducktape.utils.child import HELD_BACK, release_signals
from ducktape.utils.processes import Family, child_pids, end_processes

STACKS_FILE = "stacks.txt"
# Only tests that use this one themselves are disturbed; SIGUSR1 is what people take first
STACKS_SIGNAL = signal.SIGUSR2
_SECONDS_BETWEEN_SIGNS_OF_LIFE = 1.0
_LEFTOVER_GRACE_SEC = 1.0


@dataclasses.dataclass
class RunSettings:
    """What a test's process is told beside the test itself.

    Attributes:
        test_index: number of the test within the session.
        deflake_num: most attempts while it keeps failing.
        fail_bad_cluster_utilization: fail a test that used fewer nodes than it was given.
        mark: what the processes that it starts on this machine are known by.
        driver_pid: process id of the driver, which adopts those of them that lose their parents.
    """

    test_index: int
    deflake_num: int = 1
    fail_bad_cluster_utilization: bool = False
    mark: str = ""
    driver_pid: int = 0


class _SignOfLife(logging.Handler):
    """Tells the driver, once a second at most, that the test still writes to its log."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        super().__init__(logging.DEBUG)
        self._send = send
        self._last = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        now = time.monotonic()
        if now - self._last >= _SECONDS_BETWEEN_SIGNS_OF_LIFE:
            self._last = now
            self._send(Heard())


class RunnerClient:
    """Runs one test in this process.

    Args:
        context: the test, with its cluster.
        settings: its number and how it is to be run.
        send: takes a message to the driver; must not raise.
    """

    def __init__(self, context: TestContext, settings: RunSettings, send: Callable[[Message], None]) -> None:
        self.test_context = context
        self.settings = settings
        self.send = send
        self.gate = InterruptGate()
        context.test_index = settings.test_index
        self.logger = context.logger
        self.logger.addHandler(_SignOfLife(send))

    @property
    def results_dir(self) -> str:
        """Directory of this test's logs and reports."""
        return TestContext.results_dir(self.test_context, self.settings.test_index)

    def log(self, log_level: int, msg: str) -> None:
        """Write a line to the log of the test and to that of the session.

        Args:
            log_level: as in the standard library's ``logging``.
            msg: the line.
        """
        line = f"RunnerClient: {self.test_context.test_name}: {msg}"
        # Handlers of user code may raise, and a line less is better than a teardown less.
        with contextlib.suppress(Exception):
            self.logger.log(log_level, line)
        self.send(Log(log_level, line))

    def run(self) -> None:
        """Run the test from its first attempt to its result; blocks; raises nothing of what the test raises."""
        loading = f"RunnerClient: Loading test {self.test_context.test_metadata!s}"
        self.logger.info(loading)
        self.send(Log(logging.INFO, loading))
        self.send(Running(os.getpid()))
        outcome = self._ignored() if self.test_context.ignore else self._attempts()
        self._report(outcome)
        self._end_leftovers()
        self.send(Finished(dataclasses.replace(outcome, data=jsonable(outcome.data))))
        self.test_context.close()

    def on_sigterm(self, *_: Any) -> None:
        """Turn SIGTERM into an interrupt of the test, and of the programs that it started on this machine."""
        self.send(Heard())
        if self.gate.requested:
            return  # it is ending already, and must not be interrupted in its teardown
        self.logger.warning("Received SIGTERM: ending the test, then tearing it down")
        # The group holds this process too: it gets the interrupt like its programs.
        os.killpg(os.getpgrp(), signal.SIGINT)

    def on_sigint(self, *_: Any) -> None:
        """Interrupt the test."""
        self.gate.interrupt()

    def _ignored(self) -> Outcome:
        now = time.time()
        return Outcome(str(IGNORE), "", None, now, now, 0, [])

    def _attempts(self) -> Outcome:
        attempts: list[Attempt] = []
        deflake_num = self.settings.deflake_num
        while True:
            attempts.append(self._attempt(len(attempts) + 1))
            last = attempts[-1]
            if last.status == PASS or len(attempts) >= deflake_num or self.gate.requested:
                break
        stop_time = time.time()
        status = FLAKY if last.status == PASS and len(attempts) > 1 else last.status
        failed = [attempt.summary for attempt in attempts if attempt.status == FAIL]
        summary = self.process_run_summaries(failed, status)
        if last.status == PASS and last.summary:
            summary = ([] if status == PASS else summary) + last.summary
        status, summary, reason = self._check_cluster_utilization(status, summary, last.reason)
        self.log(logging.INFO, f"Data: {last.data!s}")
        return Outcome(
            status=str(status),
            summary="\n".join(summary),
            data=last.data,
            start_time=last.start_time,
            stop_time=stop_time,
            nodes_used=self.test_context.cluster.max_used(),
            services=[service for attempt in attempts for service in attempt.services],
            reason=reason,
        )

    def _attempt(self, number: int) -> Attempt:
        deflake_num = self.settings.deflake_num
        self.log(logging.INFO, f"on run {number}/{deflake_num}")
        id_factory = MultiRunServiceIdFactory(number) if deflake_num > 1 else None
        attempt = TestRun(self.test_context, self.log, self.gate).run(id_factory)
        shown = FLAKY if attempt.status == PASS and number > 1 else attempt.status
        summary = "\n".join(attempt.summary)
        self.log(logging.INFO, str(shown).upper() + (f": {summary}" if summary else ""))
        return attempt

    def process_run_summaries(self, run_summaries: list[list[str]], test_status: TestStatus) -> list[str]:
        """Combine what the failed runs of a test said.

        Args:
            run_summaries: the lines of every failed run, in order.
            test_status: of the test as a whole.

        Returns:
            The lines of one text; runs that said the same share a paragraph.
        """
        if not run_summaries:
            return ["Test Passed"]
        if self.settings.deflake_num <= 1:
            return run_summaries[0]
        groups: dict[tuple[str, ...], list[int]] = {}
        for number, lines in enumerate(run_summaries, start=1):
            groups.setdefault(tuple(lines), []).append(number)
        paragraphs = [[_runs_heading(numbers), *lines] for lines, numbers in groups.items()]
        if test_status == FLAKY:
            paragraphs.append([f"run {len(run_summaries) + 1}: PASSED"])
        text: list[str] = []
        for paragraph in paragraphs:
            if text:
                text.append("~" * max(len(line) for line in text))
            text.extend(paragraph)
        return text

    def _check_cluster_utilization(
        self, status: TestStatus, summary: list[str], reason: str | None
    ) -> tuple[TestStatus, list[str], str | None]:
        """Say, or fail the test for it, that it was given more nodes than its services took at any time."""
        cluster = self.test_context.cluster
        used, total = cluster.max_used(), len(cluster)
        if used >= total:
            return status, summary, reason
        message = f"Test requested {total} nodes, used only {used}"
        if not self.settings.fail_bad_cluster_utilization:
            self.log(logging.WARNING, message)
            return status, summary, reason
        if status == FAIL:
            return FAIL, [*summary, message], reason
        self.log(logging.INFO, f"FAIL: {message}")
        kept = [] if summary == ["Test Passed"] else summary
        return FAIL, [*kept, message], "error"

    def _report(self, outcome: Outcome) -> None:
        """Write the files of the test; a full disk costs the files, not the result."""
        context = self.test_context
        try:
            result_of(context, self.settings.test_index, outcome, nodes_allocated=len(context.cluster)).report()
        except Exception as error:
            self.log(logging.ERROR, f"Error writing the report of the test: {describe_exception(error)}")

    def _end_leftovers(self) -> None:
        """End what the test started on this machine and did not end."""
        if getattr(self.test_context.session_context, "no_teardown", False):
            return
        family = Family(self.settings.mark, os.getpid())

        def leftovers() -> set[int]:
            # The driver has the orphans; or, if it is dead, whoever adopted this process too.
            adopted = child_pids(self.settings.driver_pid or os.getppid()) | child_pids(os.getppid())
            return child_pids() | set(family.members(adopted - {os.getpid()}))

        if not leftovers():
            return
        for process in end_processes(leftovers, grace_sec=_LEFTOVER_GRACE_SEC):
            self.logger.warning("process %s did not terminate on its own, killing with %d", process, signal.SIGTERM)


def run_client(context: TestContext, settings: RunSettings, send: Callable[[Message], None]) -> None:
    """Run a test in this process, which exists for that alone; blocks.

    Args:
        context: the test, with its cluster.
        settings: its number and how it is to be run.
        send: takes a message to the driver; must not raise.
    """
    Family(settings.mark, os.getpid()).found()
    client = RunnerClient(context, settings, send)
    signal.signal(signal.SIGINT, client.on_sigint)
    signal.signal(signal.SIGTERM, client.on_sigterm)
    release_signals()
    with _stacks_on_demand(os.path.join(client.results_dir, STACKS_FILE)):
        client.run()
    # A thread that the test left may keep this process going, but not against a signal.
    for sig in HELD_BACK:
        signal.signal(sig, signal.SIG_DFL)


@contextlib.contextmanager
def _stacks_on_demand(path: str) -> Iterator[None]:
    """Write the stacks of all threads to a file on request and in a crash; the driver removes it if it stays empty."""
    with open(path, "w", encoding="utf-8") as stacks:
        faulthandler.enable(stacks)
        faulthandler.register(STACKS_SIGNAL, file=stacks, all_threads=True)
        try:
            yield
        finally:
            faulthandler.unregister(STACKS_SIGNAL)
            faulthandler.disable()


def result_of(context: TestContext, test_index: int, outcome: Outcome, *, nodes_allocated: int) -> TestResult:
    """Return the result of a test as reports want it.

    Args:
        context: the test.
        test_index: its number within the session.
        outcome: what became of it.
        nodes_allocated: how many nodes it was given.
    """
    return TestResult(
        context,
        test_index,
        context.session_context,
        test_status=status_named(outcome.status),
        summary=outcome.summary,
        data=outcome.data,
        start_time=outcome.start_time,
        stop_time=outcome.stop_time,
        nodes_allocated=nodes_allocated,
        nodes_used=outcome.nodes_used,
        services=outcome.services,
        reason=outcome.reason,
    )


def _runs_heading(numbers: list[int]) -> str:
    if len(numbers) == 1:
        return f"run {numbers[0]} summary:"
    return f"runs {', '.join(str(number) for number in numbers)} summary:"
