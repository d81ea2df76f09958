# SPDX-License-Identifier: Apache-2.0
"""The end of a test, written once: for a test in its own process and for the services of a dead one."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from functools import partial

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.health.clocks import clock_offsets
from ducktape.cluster.health.crashes import CrashWatch
from ducktape.services.log_rules import LogRule
from ducktape.services.service import Service
from ducktape.services.support.diagnostics import dump_services
from ducktape.services.support.log_paths import service_directory
from ducktape.tests.driver.deadlines import CLEAN, COLLECT, DUMP, STOP
from ducktape.tests.recording.clocks import write_offsets
from ducktape.tests.reports.text import finding_line
from ducktape.tests.test_context import TestContext
from ducktape.utils.support.guard import error_of, value_or
from ducktape.utils.support.hooks import called

Log = Callable[[int, str], None]


class Ending:
    """Dump, heal, stop, collect, clean, describe, free: each step is tried whatever the others raise.

    A ``KeyboardInterrupt`` in the main thread ends the step that it meets, and the next one begins. ``enter`` takes the
    name of each phase before it begins; ``user_code`` makes the contexts within which interrupts are allowed to come.
    """

    def __init__(
        self,
        context: TestContext,
        log: Log,
        enter: Callable[[str], object],
        user_code: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.context = context
        self.log = log
        self.phase = ""  # the one that was entered last
        self.is_kept = False  # whether everything is left as it is, for people to look inside
        self.errors: list[str] = []  # what went wrong, each a string
        self.services: list[dict[str, object]] = []
        self.findings: list[dict[str, object]] = []
        self.crash_watch: CrashWatch | None = None
        self._enter = enter
        self._user_code = user_code

    def end(self, *, dump: bool, collect: bool = True, no_teardown: bool = False) -> None:
        """Go through all steps; blocks, and raises nothing of what they raise."""
        registry = self.context.services
        services = registry.ever_registered
        if dump:
            self.step(DUMP, "dumping the state of services", lambda: dump_services(registry, self.log))
        no_teardown = no_teardown or self.is_kept
        if not self.is_kept:
            self.heal()  # services that are paused or cut off would not stop
        if not no_teardown:
            self.tear_down()
            self.step(STOP, "stopping services", self.stop)
            self.judge()
        if collect:
            self.enter(COLLECT)
            self.log(logging.DEBUG, "Copying logs from services...")
            self.collect()
            self.step(COLLECT, "searching service logs", lambda: self._search_logs(services))
            if self.crash_watch is not None and (self._looks_always or self.is_failing()):
                # Before services are cleaned: core files may be among their data
                self.step(COLLECT, "looking for crashes", partial(self._look_for_crashes, self.crash_watch))
            if self.crash_watch is not None and self.is_failing() and not self.is_kept:
                self.step(COLLECT, "comparing clocks", partial(self._compare_clocks, self.crash_watch.answering))
        if not no_teardown:
            self.enter(CLEAN)
            self.log(logging.DEBUG, "Cleaning up services...")
            self.step(CLEAN, "cleaning services", self.clean)
            self.judge()
        self.describe(services)
        if not self.is_kept:
            self.log(logging.DEBUG, "Freeing nodes...")
            self.step("", "freeing nodes", self.free_nodes)
        for service in services:
            self.step("", "closing a service", partial(called, service.close))
        self.errors += registry.problems
        registry.problems.clear()

    def _search_logs(self, services: list[Service]) -> None:
        """Search the logs of services that have rules for them."""
        ruled = [(service, rules) for service in services if (rules := _rules_of(service))]
        if not ruled:
            return
        # Suites that have rules have loaded it
        from ducktape.services.support.log_search import LogSearch

        directory = TestContext.results_dir(self.context, self.context.test_index)
        search = LogSearch(directory, [re.compile(pattern) for pattern in self.context.allowed_logs])
        self.findings = search.findings  # those that it has when it is interrupted
        for service, rules in ruled:
            service_id = str(service.service_id)
            search.search(service_id, service_directory(directory, service_id), rules)
        self._log_findings(search.findings)
        if search.left_out:
            self.log(logging.WARNING, f"Logs were not searched completely: {search.left_out}")

    def _look_for_crashes(self, watch: CrashWatch) -> None:
        allowed = [re.compile(pattern) for pattern in self.context.allowed_logs]
        found = [each for each in watch.findings() if not any(one.search(str(each["text"])) for one in allowed)]
        self.findings = [*self.findings, *found]
        self._log_findings(found)

    def _compare_clocks(self, nodes: Collection[ClusterNode]) -> None:
        """Note which clocks are wrong, for whoever reads the logs; faults have been healed."""
        offsets = clock_offsets(nodes)
        if offsets:
            write_offsets(TestContext.results_dir(self.context, self.context.test_index), offsets)

    def _log_findings(self, findings: Iterable[Mapping[str, object]]) -> None:
        for finding in findings:
            self.log(logging.WARNING, f"Finding: {finding_line(finding)}")

    def watch_for_crashes(self, nodes: Collection[ClusterNode], *, seconds_ago: float = 0.0) -> None:
        """Look for crashes on nodes at the end: if the test has failed, or after every test if that is wanted."""
        self.crash_watch = CrashWatch(nodes, seconds_ago=seconds_ago)

    @property
    def _looks_always(self) -> bool:
        session = self.context.session_context
        return any(getattr(session, name, False) is True for name in ("find_crashes", "fail_on_findings"))

    def is_failing(self) -> bool:
        """Return whether the test has failed so far, as one has whose process died."""
        return True

    def enter(self, phase: str) -> None:
        """Begin a phase, unless it has begun already."""
        if phase != self.phase:
            self.phase = phase
            self._enter(phase)

    def step(self, phase: str, activity: str, work: Callable[[], object]) -> None:
        """Do something that may raise anything, in a phase of its own if that has a name."""
        if phase:
            self.enter(phase)

        def work_of_users() -> None:
            with self._user_code():
                work()

        error = error_of(work_of_users)
        if error is not None:
            self.failed(phase, activity, error)

    def tear_down(self) -> None:
        """Tear down the test itself, where there is one."""

    def judge(self) -> None:
        """Let what has gone wrong count for the outcome, where it does."""

    def heal(self) -> None:
        """End the faults that are still in force."""

    def stop(self) -> None:
        """Stop the services."""
        self.context.services.stop_all()

    def collect(self) -> None:
        """Collect the logs."""

    def clean(self) -> None:
        """Clean the services."""
        self.context.services.clean_all()

    def describe(self, services: list[Service]) -> None:
        """Note what reports show of the services."""

    def free_nodes(self) -> None:
        """Free the nodes of all services."""
        self.context.services.free_all()

    def failed(self, phase: str, activity: str, error: BaseException) -> None:
        """Note what a step raised."""


def _rules_of(service: Service) -> list[LogRule]:
    """Return the rules for the logs of a service, which may be a property of the user that fails."""
    rules = value_or((), lambda: tuple(service.log_rules))
    return [rule for rule in rules if isinstance(rule, LogRule)]
