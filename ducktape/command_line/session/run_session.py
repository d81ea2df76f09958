# SPDX-License-Identifier: Apache-2.0
"""Running the selected tests, with the journal and the reports of the session."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import os
import platform
import random
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from ducktape import __version__
from ducktape.cluster.cluster import Cluster
from ducktape.cluster.elastic import ElasticCluster
from ducktape.command_line.options.errors import CommandError
from ducktape.command_line.options.options import Options
from ducktape.command_line.session.common import make_cluster
from ducktape.command_line.session.reports import SessionReports
from ducktape.command_line.session.select_tests import Choice
from ducktape.command_line.session.start_session import shows_live
from ducktape.tests.driver.holders import lines_about
from ducktape.tests.driver.recorder import Observer
from ducktape.tests.recording.journal import JOURNAL_VERSION, Journal, SessionBusyError
from ducktape.tests.recording.not_run import NotRun
from ducktape.tests.recording.outcomes import seed_of
from ducktape.tests.runner import TestRunner
from ducktape.tests.scheduler import TestScheduler
from ducktape.utils.support.guard import tolerated
from ducktape.utils.support.masking import masked_command_line, masked_options, options_with_secrets
from ducktape.utils.support.text import short_text

if TYPE_CHECKING:
    from ducktape.command_line.progress.live import LiveProgress
    from ducktape.command_line.session.resume import Resumed
    from ducktape.tests.driver.signals import StopRequests
    from ducktape.tests.loading.discovery import ImportFailure
    from ducktape.tests.recording.state import RecordedSession
    from ducktape.tests.result import TestResults
    from ducktape.tests.session import SessionContext
    from ducktape.tests.test_context import TestContext

_EVENTS_PER_FLUSH = 256


def new_journal(session_context: SessionContext, resources: contextlib.ExitStack) -> Journal:
    """Return a new journal for a session; raises ``CommandError`` if it has one."""
    try:
        journal = Journal(session_context.results_dir)
    except SessionBusyError as error:
        raise CommandError(str(error)) from error
    resources.callback(journal.close)
    return journal


def cluster_for(
    tests: list[TestContext], session_context: SessionContext, logger: logging.Logger, options: Options
) -> Cluster:
    """Return the cluster for tests, which is set in each of them; raises ``CommandError`` without one."""
    from ducktape.tests.loading.flaws import sound

    cluster = make_cluster(options)
    for test in tests:
        test.cluster = cluster
    tests[:] = [sound(test, has_cluster=True) for test in tests]
    if options.max_parallel == "auto":
        from ducktape.tests.scheduling.capacity import slots

        session_context.max_parallel = slots(cluster, tests)
        logger.info("Up to %d tests in parallel", session_context.max_parallel)
    if options.no_teardown and options.keep is None and getattr(cluster, "destroys_nodes", False):
        session_context.keep = "always"  # or there would be nothing left to look at
    # Other runs that wait for nodes of this one show the name of its session
    has_leases = isinstance(cluster, Cluster) and cluster.name_session(session_context.session_id)
    if options.lease and not has_leases:
        logger.warning("--lease has no effect on a %s: other runs may use the same nodes", type(cluster).__name__)
    if options.check_nodes and not (isinstance(cluster, Cluster) and cluster.retries_unhealthy):
        logger.warning("--check-nodes has no effect on a %s", type(cluster).__name__)
    return cluster


def conclude(resumed: Resumed, logger: logging.Logger) -> bool:
    """Write the reports, and the missing end of the journal, of a session with all results; returns its success."""
    recorded, journal = resumed.recorded, resumed.journal
    results = recorded.results()
    succeeded = results.get_aggregate_success()
    logger.info("Every test of session %s has a result: writing its reports", recorded.session_id)
    if not recorded.ended:
        _write_end(journal, results, succeeded=succeeded)
    seed = seed_of(recorded.configuration)
    complete = SessionReports(logger, journal, len(results), seed=seed).write(results)
    return succeeded and complete


def _write_end(journal: Journal, results: TestResults, *, succeeded: bool) -> None:
    journal.write(
        "session_end",
        start_time=results.start_time,
        stop_time=results.stop_time,
        exit_code=0 if succeeded else 1,
        cluster_num_nodes=len(results.cluster),
    )


@dataclasses.dataclass
class Run:
    """Runs the selected tests of a session; ``recorded`` is its state if it is resumed."""

    options: Options
    cluster: Cluster
    session_context: SessionContext
    logger: logging.Logger
    journal: Journal
    stop_requests: StopRequests
    recorded: RecordedSession | None

    def run(self, choice: Choice, import_failures: list[ImportFailure]) -> bool:
        """Run the tests, write the reports, and return whether everything went well; blocks.

        The list of tests is emptied, since thousands of finished tests need more memory than results.
        """
        from ducktape.tests.result import TestResult

        earlier = 0 if self.recorded is None else len(self.recorded.kept)
        expected = earlier + len(choice.tests) + len(import_failures) + len(choice.gone)
        self._begin_journal(choice, expected)
        progress = self._progress(choice, expected)
        self._reports = SessionReports(
            self.logger, self.journal, expected, silent=progress is not None, seed=choice.seed
        )
        with contextlib.nullcontext() if progress is None else progress:
            observe = (lambda event, fields: None) if progress is None else progress.observe
            runner = self._runner(choice, None if import_failures else self._rounds(choice), observe)
            choice.tests.clear()
            results = runner.run_all_tests()
        if isinstance(self.cluster, ElasticCluster):
            with tolerated(lambda error: self.logger.warning("Could not end the cluster: %s", short_text(error))):
                self.cluster.close()
        for missed in choice.gone:
            results.not_run.append(missed)
            self.journal.write("not_run", **missed.to_json())
        for index, failure in enumerate(import_failures, start=runner.test_counter + 1):
            runner.recorder.add(
                TestResult.from_import_failure(
                    failure.module, failure.file, failure.summary, index, self.session_context
                )
            )
        succeeded = self._end(results)
        kept = lines_about(runner.kept_tests)
        if progress is not None:
            progress.summarize(results, kept, self._reports.changes)
        else:
            for line in kept:
                self.logger.info(line)
        return succeeded

    def _progress(self, choice: Choice, expected: int) -> LiveProgress | None:
        """Return what shows the run on the terminal, if it is not to be shown as log lines."""
        if not shows_live(self.options):
            return None
        # The library is large
        from ducktape.command_line.progress.live import LiveProgress

        self.session_context.keep_output = True
        return LiveProgress(
            self.logger,
            total=expected - (0 if self.recorded is None else len(self.recorded.kept)),
            num_nodes=len(self.cluster),
            slots=self.session_context.max_parallel,
            verbose=self.options.verbose or self.options.debug,
            quiet=self.options.quiet,
            durations={
                test.test_id: choice.durations[test.test_id]
                for test in choice.tests
                if test.test_id in choice.durations
            },
            argv=masked_command_line(sys.argv[1:]),
        )

    def _runner(
        self, choice: Choice, next_round: Callable[[], TestScheduler | None] | None, observe: Observer
    ) -> TestRunner:
        if self.options.deflake < 1:
            self.logger.warning(
                "specified number of deflake runs specified to be less than 1, running without deflake."
            )
        explain = functools.partial(self.logger.info, "Schedule: %s") if self.options.explain_schedule else None
        scheduler = self._scheduler(choice)
        if explain is not None:
            for line in scheduler.explain():
                explain(line)
        return TestRunner(
            self.cluster,
            self.session_context,
            self.logger,
            [],
            max(1, self.options.deflake),
            report=self._reports.write_partial,
            stop_requests=self.stop_requests,
            scheduler=scheduler,
            journal=self.journal,
            next_round=next_round,
            explain=explain,
            resumed=self.recorded,
            observe=observe,
        )

    def _scheduler(self, choice: Choice) -> TestScheduler:
        return TestScheduler(
            choice.tests,
            self.cluster,
            durations=choice.durations,
            first=choice.first,
            shuffled=None if choice.seed is None else random.Random(choice.seed),
            slots=self.session_context.max_parallel,
        )

    def _rounds(self, choice: Choice) -> Callable[[], TestScheduler | None] | None:
        """Return a function that starts another round of the same tests, for ``--until-failure``."""
        limit = self.options.until_failure
        if limit is None:
            return None
        again = Choice(list(choice.tests), choice.first, choice.seed, durations=choice.durations)
        rounds = 1

        def next_round() -> TestScheduler | None:
            nonlocal rounds
            if limit and rounds >= limit:
                return None
            rounds += 1
            self.logger.info("All tests passed: round %d", rounds)
            self._journal_queued(again.tests)
            self._reports.expected += len(again.tests)
            return self._scheduler(again)

        return next_round

    def _begin_journal(self, choice: Choice, expected: int) -> None:
        journal, context = self.journal, self.session_context
        journal.write(
            "session" if self.recorded is None else "resumed",
            version=JOURNAL_VERSION,
            session_id=context.session_id,
            versions={"ducktape": __version__, "python": sys.version.split()[0], "platform": platform.platform()},
            argv=masked_command_line(sys.argv[1:]),
            first_of_search_path=sys.path[0] if self.recorded is None else self.recorded.first_of_search_path,
            directory=os.getcwd() if self.recorded is None else self.recorded.directory,
            configuration=masked_options(vars(self.options)),
            secrets_left_out=options_with_secrets(vars(self.options)),
            session_context=context.to_json(),
            cluster_num_nodes=len(self.cluster),
            expected=expected,
        )
        self._queued = 0 if self.recorded is None else self.recorded.next_position
        known = set() if self.recorded is None else {test.test_id for test in self.recorded.queued}
        self._journal_queued([test for test in choice.tests if test.test_id not in known])
        journal.flush()

    def _journal_queued(self, tests: list[TestContext]) -> None:
        for test in tests:
            fields = NotRun.of(test, "").to_json()
            del fields["why"]
            self.journal.write("queued", position=self._queued, nodes=test.expected_num_nodes, **fields)
            self._queued += 1
            if self._queued % _EVENTS_PER_FLUSH == 0:
                self.journal.flush()

    def _end(self, results: TestResults) -> bool:
        """Write the reports and the end of the journal; returns whether everything went well."""
        imports = sum(1 for result in results if result.reason == "import")
        run, expected = len(results) - imports, self._reports.expected - imports
        succeeded = results.get_aggregate_success() and run >= expected
        if self.options.until_failure is not None and self.stop_requests.interrupts:
            succeeded = False  # also if it was interrupted between two tests
        _write_end(self.journal, results, succeeded=succeeded)
        complete = self._reports.write(results)
        if run < expected:
            self.logger.warning("All tests were NOT run. Expected %d tests, only %d were run.", expected, run)
        return succeeded and complete
