# SPDX-License-Identifier: Apache-2.0
"""What happens inside a test's own process: attempts, their outcome, and messages to the driver."""

from __future__ import annotations

import contextlib
import dataclasses
import faulthandler
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING

from ducktape.command_line.defaults import ConsoleDefaults
from ducktape.json_serializable import jsonable
from ducktape.services.service import MultiRunServiceIdFactory
from ducktape.tests.driver.retries import PASSED, counted, keeps, outcome_of
from ducktape.tests.driver.retries import run_summaries as summaries_of_runs
from ducktape.tests.event import (
    Attempt,
    Attempted,
    Finished,
    Heartbeat,
    Kept,
    Log,
    Message,
    Outcome,
    Phase,
    Running,
    ServiceGone,
    ServiceNoted,
    Tolerated,
)
from ducktape.tests.loggermaker import also_to_files
from ducktape.tests.recording.bounds import LONGEST_LINE, bounded_attempt, bounded_outcome, bounded_text
from ducktape.tests.status import FAIL, FLAKY, IGNORE, PASS, TestStatus
from ducktape.tests.test_context import TestContext, shown
from ducktape.tests.worker.crash_cleanup import CrashCleanUp
from ducktape.tests.worker.debugger import Debugger
from ducktape.tests.worker.interrupts import InterruptGate
from ducktape.tests.worker.lifecycle import TestRun
from ducktape.tests.worker.request import (
    CLEAN_UP_STACKS_FILE,
    OUTPUT_FILE,
    STACKS_FILE,
    STACKS_SIGNAL,
    CleanUpRequest,
    RunSettings,
)
from ducktape.utils.process.spawn import HELD_BACK, release_signals
from ducktape.utils.process.tree import Family, child_pids, end_processes
from ducktape.utils.process.watchdog import announce_teardown
from ducktape.utils.support import strictness
from ducktape.utils.support.files import without_waiting
from ducktape.utils.support.guard import tolerated, value_or
from ducktape.utils.support.stable_text import stable_text
from ducktape.utils.support.text import one_line

if TYPE_CHECKING:
    from ducktape.tests.worker.node_metrics import NodeMetrics

_SECONDS_BETWEEN_SIGNS_OF_LIFE = 1.0
_LONGEST_LINE_SHOWN = 200
_LEFTOVER_GRACE_SEC = 1.0
_SECONDS_FOR_THREADS = 5.0


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
            self._send(Heartbeat(one_line(value_or("", record.getMessage), _LONGEST_LINE_SHOWN)))


class RunnerClient:
    """Runs one test in this process; ``send`` takes a message to the driver, and must not raise."""

    def __init__(self, context: TestContext, settings: RunSettings, send: Callable[[Message], None]) -> None:
        self.test_context = context
        self.settings = settings
        self._send = send
        self._is_kept = False
        self.gate = InterruptGate()
        self.debugger = Debugger(settings.why_no_debugger, self.send)
        context.test_index = settings.test_index
        # Which a test can change with its arguments
        self._test_name = context.test_name
        self._results_dir = TestContext.results_dir(context, settings.test_index)
        self.logger = context.logger
        self.logger.addHandler(_SignOfLife(self.send))

    def show_warning(self, warning: str) -> None:
        """Report a mistake in the suite to the driver, which has the console, and in the log of the test."""
        with tolerated():  # handlers of users
            self.logger.info("%s", warning)
        self.send(Tolerated(warning))

    def send(self, message: Message) -> None:
        """Send a message to the driver; half a line would be worse than an interrupt that is a moment late."""
        with self.gate.held_back():
            self._send(message)

    @property
    def results_dir(self) -> str:
        """Directory of this test's logs and reports."""
        return self._results_dir

    def log(self, log_level: int, msg: str) -> None:
        """Write a line to the log of the test and to that of the session."""
        line = f"RunnerClient: {self._test_name}: {msg}"
        # Handlers of user code may raise, and a line less is better than a teardown less.
        with tolerated():
            self.logger.log(log_level, line)
        whole = os.path.join(self.results_dir, "test_log.debug")
        self.send(Log(log_level, bounded_text(line, LONGEST_LINE, whole=whole)))

    def run(self) -> None:
        """Run the test from its first attempt to its result; blocks; raises nothing of what the test raises."""
        metadata = stable_text(self.test_context.test_metadata, self.test_context.argument_numbers)
        loading = f"RunnerClient: Loading test {metadata}"
        self.logger.info(loading)
        self.send(Log(logging.INFO, loading))
        self.send(Running(os.getpid()))
        if self.test_context.ignore:
            now = time.time()
            outcome = Outcome(str(IGNORE), "", None, now, now, 0, [])
        else:
            outcome = self._attempts()
        outcome = bounded_outcome(dataclasses.replace(outcome, data=jsonable(outcome.data)))
        if self._is_kept:
            self.send(Kept())
        else:
            self._end_leftovers()
        self.send(Finished(outcome))
        self.test_context.close()

    def clean_up(self, request: CleanUpRequest) -> None:
        """Do what the dead process of this test cannot do any more, and report the result; blocks."""
        clean_up = CrashCleanUp(
            self.test_context,
            request.services,
            request.nodes,
            log=self.log,
            enter=lambda phase: self.send(Phase(phase, len(self.settings.earlier) + 1)),
            user_code=self.gate.user_code,
        )
        done = clean_up.run(
            dump=request.dump, collect=request.collect, keeps=request.keeps, seconds_ago=request.seconds_ago
        )
        if not request.keeps:
            self._end_leftovers()
        self.send(done)
        self.test_context.close()

    def on_sigterm(self, *_: object) -> None:
        """Turn SIGTERM into an interrupt of the test, and of the programs that it started on this machine."""
        self.send(Heartbeat())
        if os.getppid() != self.settings.driver_pid:
            announce_teardown()  # to the one who ends what a dead driver has left
        if self.gate.requested:
            return  # it is ending already, and must not be interrupted in its teardown
        self.logger.warning("Received SIGTERM: ending the test, then tearing it down")
        self.debugger.is_ending = True
        # The group holds this process too: it gets the interrupt like its programs.
        os.killpg(os.getpgrp(), signal.SIGINT)

    def on_sigint(self, *_: object) -> None:
        """Interrupt the test."""
        self.send(Heartbeat())
        if not self.debugger.on_interrupt():
            self.gate.interrupt()

    def _attempts(self) -> Outcome:
        plan = self.settings.plan
        attempts = list(self.settings.earlier)
        if self.settings.debugger:
            self.debugger.attach(lambda line: self.log(logging.INFO, line))
        while True:
            own, attempt = self._attempt(attempts)
            attempts.append(attempt)
            self.send(Attempted(attempt))
            # After a failure of the infrastructure the driver looks for other nodes
            if self.gate.requested or not plan.wants_more(attempts) or plan.blames_infrastructure(attempts):
                break
        self.log(logging.INFO, f"Data: {shown(own.data)}")
        outcome = outcome_of(
            attempts,
            plan,
            data=own.data,
            stop_time=own.stop_time,
            nodes_used=self.test_context.cluster.max_used(),
            faults=own.faults,
        )
        return self._check_cluster_utilization(outcome)

    def _attempt(self, earlier: list[Attempt]) -> tuple[Outcome, Attempt]:
        """Make one attempt; returns its own outcome, and the same as it is reported."""
        plan = self.settings.plan
        number = len(earlier) + 1
        several = not plan.is_single
        directory = f"attempt-{number}" if several else ""
        path = os.path.join(self.results_dir, directory)
        self.test_context.attempt_dir = path
        own_log = also_to_files(self.logger, path, "test_log", ConsoleDefaults.TEST_LOG_FORMATTER)
        with own_log if directory else contextlib.nullcontext():
            self.log(logging.INFO, f"on run {number}/{plan.most_runs(earlier)}")
            run = TestRun(
                self.test_context,
                self.log,
                self.gate,
                enter=lambda phase: self.send(Phase(phase, number)),
                listener=self._note_service,
                wants_evidence=self._wants_evidence,
                post_mortem=self.debugger.post_mortem if self.settings.post_mortem else None,
                keeps=lambda status, reason: keeps(self.settings.keep, status, reason, earlier, plan),
                max_data_bytes=self.settings.max_data_bytes,
            )
            watched = self._node_metrics(path)
            with watched or contextlib.nullcontext():
                own = run.run(MultiRunServiceIdFactory(number) if several or number > 1 else None)
            if watched is not None:
                own = dataclasses.replace(own, node_metrics=watched.summary())
            self._is_kept = run.is_kept
            reported = {**vars(own), "data": None, "faults": []}
            attempt = Attempt(**reported, number=number, nodes=self.settings.nodes, directory=directory)
            attempt = bounded_attempt(attempt, plan.most_runs([*earlier, attempt]))
            after_failures = plan.detect_flakes is None and len(counted([*earlier, attempt], plan)) > 1
            status = FLAKY if attempt.status == PASS and after_failures else attempt.status
            self.log(logging.INFO, str(status).upper() + (f": {attempt.summary}" if attempt.summary else ""))
        return own, attempt

    def _node_metrics(self, directory: str) -> NodeMetrics | None:
        if not self.settings.node_metrics:
            return None
        # Most runs have none
        from ducktape.tests.worker.node_metrics import NodeMetrics

        return NodeMetrics(self.test_context.cluster.nodes, directory, self.log)

    def _wants_evidence(self) -> bool:
        # The driver asks for stacks when the time of the test is over, and in no other case
        try:
            return os.path.getsize(os.path.join(self.results_dir, STACKS_FILE)) > 0
        except OSError:
            return False

    def _note_service(self, change: dict[str, object] | str) -> None:
        self.send(ServiceGone(change) if isinstance(change, str) else ServiceNoted(change))

    def process_run_summaries(self, run_summaries: list[list[str]], test_status: TestStatus) -> list[str]:
        """Combine the lines of the failed runs of a test; runs that said the same share a paragraph."""
        return summaries_of_runs(run_summaries, test_status, self.settings.plan.deflake)

    def _check_cluster_utilization(self, found: Outcome) -> Outcome:
        """Say, or fail the test for it, that it was given more nodes than its services took at any time."""
        cluster = self.test_context.cluster
        used, total = cluster.max_used(), len(cluster)
        if used >= total:
            return found
        message = f"Test requested {total} nodes, used only {used}"
        if not self.settings.fail_bad_cluster_utilization:
            self.log(logging.WARNING, message)
            return found
        if found.status == FAIL:
            return dataclasses.replace(found, summary=f"{found.summary}\n{message}")
        self.log(logging.INFO, f"FAIL: {message}")
        summary = message if found.summary == PASSED else f"{found.summary}\n{message}"
        return dataclasses.replace(found, status=str(FAIL), summary=summary, reason="error")

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
    """Run a test in this process, which exists for that alone; blocks. ``send`` must not raise."""
    client = RunnerClient(context, settings, send)
    with _in_charge(client, STACKS_FILE):
        client.run()
    _end_despite_threads(client)


def run_clean_up(request: CleanUpRequest, send: Callable[[Message], None]) -> None:
    """Stop, collect and clean the services of a test whose process is dead, in this process; blocks."""
    client = RunnerClient(request.loaded(), request.settings, send)
    with _in_charge(client, CLEAN_UP_STACKS_FILE):
        client.clean_up(request)
    _end_despite_threads(client)


@contextlib.contextmanager
def _in_charge(client: RunnerClient, stacks_file: str) -> Iterator[None]:
    """Let a client have the signals of this process for the length of a block.

    On request and in a crash the stacks of all threads are written to a file; the driver removes it if it stays empty.
    """
    Family(client.settings.mark, os.getpid()).found()
    client.debugger.install()
    # Session contexts of library users may be mocks, whose attributes are all true
    strict = getattr(client.test_context.session_context, "strict", False) is True
    strictness.begin(strict=strict, show=client.show_warning)
    signal.signal(signal.SIGINT, client.on_sigint)
    signal.signal(signal.SIGTERM, client.on_sigterm)
    release_signals()
    if client.settings.keep_output:
        _keep_output(os.path.join(client.results_dir, OUTPUT_FILE), client.logger)
    with contextlib.ExitStack() as undo:
        stacks: IO[str] = sys.__stderr__ or sys.stderr  # without any file the signal would be deadly
        with contextlib.suppress(OSError):
            path = os.path.join(client.results_dir, stacks_file)
            stacks = undo.enter_context(open(path, "w", encoding="utf-8", opener=without_waiting))
        faulthandler.enable(stacks)
        undo.callback(faulthandler.disable)
        faulthandler.register(STACKS_SIGNAL, file=stacks, all_threads=True)
        undo.callback(faulthandler.unregister, STACKS_SIGNAL)
        yield
    # A thread that the test left may keep this process going, but not against a signal.
    for sig in HELD_BACK:
        signal.signal(sig, signal.SIG_DFL)


def _keep_output(path: str, logger: logging.Logger) -> None:
    """Let this process and those that it starts write to a file instead of the terminal; log lines have other files."""
    for handler in list(logger.handlers):
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
            logger.removeHandler(handler)
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
            if stream is not None:
                stream.flush()
            os.dup2(file, descriptor)
        os.close(file)


def _end_despite_threads(client: RunnerClient) -> None:
    """End this process now if threads that the test left do not end soon: nobody waits for what they do."""
    deadline = time.monotonic() + _SECONDS_FOR_THREADS
    threads = [each for each in threading.enumerate() if each is not threading.current_thread() and not each.daemon]
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    left = ", ".join(thread.name for thread in threads if thread.is_alive())
    if not left:
        return
    client.send(Log(logging.WARNING, f"{client._test_name}: threads that outlived the test are cut off: {left}"))
    for stream in (sys.stdout, sys.stderr):
        with tolerated():  # the test may have replaced it
            stream.flush()
    os._exit(0)
