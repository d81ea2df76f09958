# SPDX-License-Identifier: Apache-2.0
"""One attempt at a test: construct, set up, run, tear down, stop, collect logs, clean, free.

This is the one place where what user code raises becomes an outcome. Errors of the test itself decide its status;
errors of everything after it are logged and recorded, and decide it only with ``--fail-on-teardown-error``.
"""

from __future__ import annotations

import inspect
import logging
import os
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ducktape.cluster.account.in_flight import unended_commands
from ducktape.errors import Skip
from ducktape.json_serializable import jsonable
from ducktape.services.service import Service, ServiceIdFactory
from ducktape.services.service_registry import Listener
from ducktape.tests.driver.deadlines import CLEAN, SETUP, STOP, TEARDOWN, TEST
from ducktape.tests.driver.failure_cause import UNENDED, describe_exception, failure_reason, paragraphs
from ducktape.tests.event import Outcome
from ducktape.tests.recording.bounds import DEFAULT_DATA_BYTES, bounded_text, data_problem
from ducktape.tests.reports.text import findings_paragraph
from ducktape.tests.status import FAIL, IGNORE, PASS
from ducktape.tests.test import Test
from ducktape.tests.test_context import TestContext
from ducktape.tests.worker.assertions import values_in_assertion
from ducktape.tests.worker.ending import Ending, Log
from ducktape.tests.worker.interrupts import InterruptGate
from ducktape.tests.worker.remote_errors import place_of
from ducktape.utils.support.files import NO_ROOM
from ducktape.utils.support.hooks import HookError, called
from ducktape.utils.support.times import Stopwatch

if TYPE_CHECKING:
    from ducktape.services.process import ProcessService

_SECONDS_TO_HAND_OVER = 60.0


class TestRun(Ending):
    """One run of one test, on a fresh instance with a fresh registry of services.

    ``wants_evidence`` returns whether the test was ended because its time was over. ``post_mortem`` gets what an
    attempt failed with while everything still runs. ``keeps`` takes the status and the reason, and returns whether
    everything is left as it is.
    """

    __test__ = False

    def __init__(
        self,
        context: TestContext,
        log: Log,
        gate: InterruptGate,
        *,
        enter: Callable[[str], object] = lambda phase: None,
        listener: Listener | None = None,
        wants_evidence: Callable[[], bool] = lambda: False,
        post_mortem: Callable[[BaseException], object] | None = None,
        keeps: Callable[[str, str | None], bool] = lambda status, reason: False,
        max_data_bytes: int = DEFAULT_DATA_BYTES,
    ) -> None:
        super().__init__(context, log, enter, gate.user_code)
        self._gate = gate
        self._listener = listener
        self._wants_evidence = wants_evidence
        self._post_mortem = post_mortem
        self._keeps = keeps
        self._max_data_bytes = max_data_bytes
        self._test: Test | None = None
        self._hook_never_ran = False
        self._clock = Stopwatch()
        self._status = FAIL
        self._reason: str | None = None
        self._summary: list[str] = []
        self._data: Any = None
        self._faults: list[dict[str, object]] = []
        self._test_id = context.test_id  # which a test can change with its arguments

    def run(self, id_factory: ServiceIdFactory | None = None) -> Outcome:
        """Go through all phases; blocks until everything is over."""
        context = self.context
        context.renew_services()
        context.services.listener = self._listener
        self.watch_for_crashes(context.cluster.nodes)
        self._decide()
        if id_factory is not None:
            for service in context.services.ever_registered:
                service.service_id_factory = id_factory
            context.services.note_all()
        is_late = self._wants_evidence()
        reason = "timeout" if is_late else self._reason
        self.is_kept = self._keeps(str(FAIL if is_late else self._status), reason)
        if self.is_kept:
            self._note_what_stays()
        self.end(dump=is_late, no_teardown=getattr(context.session_context, "no_teardown", False))
        if self._hook_never_ran or context.services.hook_never_ran:
            self.judge()
        if self.is_kept and self._faults:
            self.step("", "extending faults", self._extend_faults)
        metrics = context.end_metrics()
        self._report_findings()
        thread_names = "\n".join(thread.name for thread in threading.enumerate())
        self.log(logging.DEBUG, f"Threads after {self._test_id} finished: {thread_names}")
        return Outcome(
            status=str(self._status),
            summary="\n".join(self._summary),
            data=self._data,
            start_time=self._clock.start_time,
            stop_time=self._clock.now(),
            nodes_used=context.cluster.max_used(),
            services=self.services,
            reason=self._reason,
            teardown_errors=self.errors,
            faults=self._faults,
            metrics=metrics,
            findings=self.findings,
        )

    def _extend_faults(self) -> None:
        """Let faults stay until the process that keeps the test has extended them: nobody renews them meanwhile."""
        # Most tests have no faults, and are not kept
        from ducktape.faults.engine.recovery import extend_remaining

        directory = TestContext.results_dir(self.context, self.context.test_index)
        for problem in extend_remaining(directory, self.context.cluster.nodes, _SECONDS_TO_HAND_OVER):
            self.log(logging.WARNING, problem)

    def _decide(self) -> None:
        """Do what decides the status: make the test, set it up, run it."""
        context = self.context
        self.enter(SETUP)
        try:
            self._make_directory()
            with self._gate.user_code(unless_requested=True):
                self._test = context.cls(context)
            context.services.note_all()
            self.log(logging.INFO, "Setting up...")
            with self._gate.user_code(unless_requested=True):
                called(self._test.setup)
            context.services.note_all()
            self.log(logging.INFO, "Running...")
            self.enter(TEST)
            with self._gate.user_code(unless_requested=True):
                data = context.function(self._test)
        except Skip as skip:
            self._status = IGNORE
            text = f"Skipped: {skip.reason}"
            self._summary = bounded_text(text).split("\n")
            self.log(logging.INFO, text)
            return
        except BaseException as error:
            reason = failure_reason(error, self.phase)
            if reason == "interrupted" and not self._gate.requested:
                reason = "error"  # it raised that itself
            commands = unended_commands() if self._gate.requested else []
            unended = "\n".join([UNENDED, *(f"  {text}" for text in commands)]) if commands else ""
            self._fail(paragraphs(unended, describe_exception(error) + place_of(error, self.phase)), reason)
            if values := values_in_assertion(error):
                self._summary += ["Values in the assertion:", *(f"    {line}" for line in values), ""]
            if self._post_mortem is not None and context.expected_failure is None and not self._gate.requested:
                with self._gate.user_code():
                    self._post_mortem(error)
            # After an interrupt the time for the teardown is running
            deaths = "" if self._gate.requested else self._unexpected_deaths()
            self._summary.extend(["", "", *deaths.split("\n")] if deaths else [])
            return
        problem = self._problem_with_data(data) or self._unexpected_deaths()
        if problem:
            self._fail(problem, "error")
            return
        self._status = PASS
        self._data = data

    def _problem_with_data(self, data: Any) -> str | None:
        """Say in one line why what the test returned cannot be its data."""
        if inspect.isgenerator(data) or inspect.isasyncgen(data):
            return "The test contains 'yield', so calling it made a generator and ran nothing of it: take the yield out"
        if inspect.iscoroutine(data):
            data.close()
            return "The test is an async function, so calling it ran nothing of it: make it a plain function"
        found = data_problem(data, self._max_data_bytes)
        if found is None:
            return None
        problem, beginning = found
        if beginning:
            self.log(logging.INFO, f"The data begin with: {beginning}")
        return problem

    def _unexpected_deaths(self) -> str:
        """Return the texts of the services' processes that died although nobody stopped them."""
        # Suites that use them have loaded it; others save the time
        module = sys.modules.get("ducktape.services.process")
        if module is None:
            return ""
        found: list[str] = []
        for service in self.context.services:
            if isinstance(service, module.ProcessService):
                self.step("", "looking after the processes of a service", partial(self._add_deaths, service, found))
        # A process that died while it was started is what the test has failed with
        said = "\n".join(self._summary)
        return "\n".join(text for text in found if text not in said)

    @staticmethod
    def _add_deaths(service: ProcessService, found: list[str]) -> None:
        found.extend(service.unexpected_deaths())

    def _make_directory(self) -> None:
        try:
            os.makedirs(TestContext.results_dir(self.context, self.context.test_index), exist_ok=True)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            # A full disk costs files, not results: the test does not suffer from it, and the driver logs it
            self.log(logging.DEBUG, f"The directory of the test cannot be made: {error}")

    def _fail(self, summary: str, reason: str) -> None:
        self._status = FAIL
        self._summary = summary.split("\n")
        self._reason = reason

    # --- the steps of its end

    def _note_what_stays(self) -> None:
        """Let others end the services and heal the faults later, from what is recorded of them now."""
        self.context.services.note_all()
        if "fault_log" in vars(self.context):
            self._faults = self.context.fault_log.to_json()
        self.log(logging.INFO, "Its nodes are kept: nothing is torn down, stopped or cleaned")

    def heal(self) -> None:
        if "fault_log" in vars(self.context):
            self.step("", "healing faults", self._heal_faults)
        self.log(logging.INFO, "Tearing down...")
        if self._test is None:
            self.log(logging.WARNING, f"{self._test_id} failed to instantiate")

    def _heal_faults(self) -> None:
        self.errors.extend(self.context.fault_log.heal_all())
        self._faults = self.context.fault_log.to_json()

    def tear_down(self) -> None:
        self.enter(TEARDOWN)
        if self._test is not None:
            self.step(TEARDOWN, "running teardown method", partial(called, self._test.teardown))

    def judge(self) -> None:
        """Add the services' own errors, and fail the test where the options or a hook that never ran demand it."""
        problems = self.context.services.problems
        self.errors.extend(problems)
        problems.clear()
        wanted = bool(getattr(self.context.session_context, "fail_on_teardown_error", False))
        # An error of a teardown fails no test, but nobody can rely on a teardown that has never run at all
        wanted = wanted or self._hook_never_ran or self.context.services.hook_never_ran
        if wanted and self.errors and self._status != FAIL:
            said = self._summary
            self._fail("The test itself did not fail, but its ending did:\n" + "\n".join(self.errors), "error")
            self._summary.extend(["", "", *said] if said else [])

    def is_failing(self) -> bool:
        # One whose time was over fails, whatever it came to itself
        return self._status == FAIL or self._wants_evidence()

    def collect(self) -> None:
        collector = self._instance()
        status = FAIL if self.is_failing() else self._status
        self.step("", "copying service logs", lambda: called(collector.copy_service_logs, status))
        missing = getattr(collector, "_missing_logs", [])
        if missing:
            gap = ["", ""] if self._summary else []
            self._summary.extend([*gap, "Logs that are missing:", *(f"  {line}" for line in missing)])

    def _report_findings(self) -> None:
        paragraph = findings_paragraph(self.findings)
        if not paragraph:
            return
        wanted = getattr(self.context.session_context, "fail_on_findings", False) is True
        said = self._summary
        if wanted and self._status != FAIL:
            self._fail(f"The test itself did not fail, but there are findings\n\n{paragraph}", "finding")
            self._summary.extend(["", "", *said] if said else [])
        else:
            self._summary = [*said, *(["", ""] if said else []), *paragraph.split("\n")]

    def _instance(self) -> Test:
        # A constructor that failed may have made services all the same: a bare test collects for them and frees them.
        return self._test if self._test is not None else Test(self.context)

    def describe(self, services: list[Service]) -> None:
        self.step("", "asking services for their errors", self._add_service_errors)
        for service in services:

            def describe(service: Service = service) -> None:
                self.services.append(jsonable(service.to_json()))

            self.step("", "describing a service", describe)

    def _add_service_errors(self) -> None:
        errors = self.context.services.errors()
        if errors:
            self._summary.extend(["", "", *errors.split("\n")])

    def free_nodes(self) -> None:
        called(self._instance().free_nodes)

    def failed(self, phase: str, activity: str, error: BaseException) -> None:
        """Log what a step raised; errors of the teardown stand in the result, too."""
        text = f"Error {activity}: {describe_exception(error)}{place_of(error, self.phase)}"
        self.log(logging.WARNING, text)
        self._hook_never_ran |= isinstance(error, HookError)
        if phase in (TEARDOWN, STOP, CLEAN) or isinstance(error, HookError):
            self.errors.append(text)
