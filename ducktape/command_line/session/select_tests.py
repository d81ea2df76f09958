# SPDX-License-Identifier: Apache-2.0
"""Loads the tests, and selects those to run and their order."""

from __future__ import annotations

import dataclasses
import logging
import random
import sys
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from ducktape.command_line.options.errors import CommandError
from ducktape.command_line.options.options import Options

# Imported where they are used: `--collect-only` needs no recorded sessions, and wrong options need nothing.
if TYPE_CHECKING:
    from ducktape.tests.loading.discovery import ImportFailure
    from ducktape.tests.recording.not_run import NotRun
    from ducktape.tests.recording.state import RecordedSession
    from ducktape.tests.session import SessionContext
    from ducktape.tests.test_context import TestContext

_SEEDS = 2**32


@dataclasses.dataclass
class Choice:
    """The tests to run, in order."""

    tests: list[TestContext]
    first: Collection[str] = ()  # ids of the tests to run first
    seed: int | None = None  # of a random order
    gone: list[NotRun] = dataclasses.field(default_factory=list)  # tests of a resumed session that no longer exist
    lost: list[str] = dataclasses.field(default_factory=list)  # failed tests that no longer exist
    durations: Mapping[str, float] = dataclasses.field(default_factory=dict)  # in seconds by test id


def load_tests(
    session_context: SessionContext, logger: logging.Logger, options: Options
) -> tuple[list[TestContext], list[ImportFailure]]:
    """Return the tests that the options name, and the files that could not be imported."""
    from ducktape.tests.loader import LoaderException, NoTestsError, TestLoader
    from ducktape.tests.loading.expressions import Expression

    try:
        loader = TestLoader(
            session_context,
            logger,
            repeat=options.repeat,
            injected_args=options.parameters,
            subset=options.subset,
            subsets=options.subsets,
            historical_report=options.historical_report,
            keyword=None if options.keyword is None else Expression.parse(options.keyword),
            tags=None if options.tags is None else Expression.parse(options.tags),
        )
        tests = loader.load(options.test_path, excluded_test_symbols=options.exclude)
    except LoaderException as error:
        found_broken_files = isinstance(error, NoTestsError) and bool(loader.import_failures)
        if found_broken_files and options.collect_only:
            show_import_failures(loader.import_failures)
            found_broken_files = False
        tolerated = isinstance(error, NoTestsError) and options.allow_empty_tests_list
        if isinstance(error, NoTestsError) and options.exclude and options.test_path == Options().test_path:
            logger.warning("No path is given, and --exclude takes all words after it: write the paths before it")
        if not tolerated and not found_broken_files:
            raise CommandError(f"Failed while trying to discover tests: {error}", on_stdout=True) from error
        tests = []
    return tests, loader.import_failures


def show_collection(tests: list[TestContext], import_failures: list[ImportFailure], options: Options) -> None:
    """Print the tests, their tags or their number of nodes, as the options ask."""
    from ducktape.tests.loading.flaws import FlawedTest

    flawed = [test for test in tests if isinstance(test, FlawedTest)]
    tests = [test for test in tests if not isinstance(test, FlawedTest)]
    if options.list_tags:
        from ducktape.tests.loading.expressions import tag_counts

        for tag, count in tag_counts(tests):
            print(f"{tag}: {count}")
    elif options.collect_only:
        print(f"Collected {len(tests)} tests:")
        for test in tests:
            print(f"    {test}")
    else:
        print(sum(test.expected_num_nodes for test in tests))
    show_import_failures(import_failures)
    for test in flawed:
        print(f"{test.test_id}: {test.flaw}", file=sys.stderr)


def show_import_failures(import_failures: list[ImportFailure]) -> None:
    """Print on standard error which files could not be imported."""
    for failure in import_failures:
        print(f"{failure.file} could not be imported: {failure.summary}", file=sys.stderr)


def select_tests(
    tests: list[TestContext],
    session_context: SessionContext,
    recorded: RecordedSession | None,
    options: Options,
    logger: logging.Logger,
) -> Choice:
    """Return the tests to run."""
    if recorded is not None:
        from ducktape.command_line.session.resume import tests_to_run

        missing, gone = tests_to_run(tests, recorded)
        choice = Choice(missing, gone=gone)
    else:
        choice = _chosen_by_options(tests, options)
    if options.shuffle is not None:
        choice.seed = random.randrange(_SEEDS) if options.shuffle == "random" else options.shuffle
        print(f"Running in random order; the same order again: --shuffle {choice.seed}")
    elif choice.tests:
        choice.durations = _durations(choice.tests, session_context, options, logger)
    return choice


def _chosen_by_options(tests: list[TestContext], options: Options) -> Choice:
    if options.sample is not None:
        from ducktape.tests.loading import selection

        print(f"Running a sample of {options.sample} tests")
        if options.sample > len(tests):
            print(f"sample size {options.sample} greater than number of tests {len(tests)}; running all tests")
        tests = list(selection.sample(tests, options.sample, random.Random()))
    if not options.last_failed and not options.failed_first:
        return Choice(tests)
    from ducktape.command_line.session.resume import NoEarlierSessionError, failed_among, last_failed
    from ducktape.tests.recording.state import RecordError

    try:
        session_id, failed_ids = last_failed(options.results_root)
    except RecordError as error:
        if isinstance(error, NoEarlierSessionError) and not options.last_failed:
            return Choice(tests)  # no test has failed yet
        raise CommandError(str(error)) from error
    failed = failed_among(tests, failed_ids)
    lost = _lost(tests, failed_ids, options)
    for test_id in lost:
        print(f"{test_id} failed in session {session_id} and was not found again", file=sys.stderr)
    if not options.last_failed:
        return Choice(tests, first={test.test_id for test in failed})
    if failed_ids and not failed:
        raise CommandError(
            f"{len(failed_ids)} tests failed in session {session_id}, and none of them is among those found now"
        )
    print(f"{len(failed)} of these tests failed in session {session_id}")
    return Choice(failed, lost=lost)


def _lost(tests: list[TestContext], failed_ids: Collection[str], options: Options) -> list[str]:
    """Return the failed tests that no longer exist in their modules.

    With options that may select only some tests of a file, none counts as lost.
    """
    selective = (options.keyword, options.tags, options.exclude, options.sample, options.parameters)
    if any(selective) or options.subsets > 1 or any("::" in path for path in options.test_path):
        return []
    found = {test.test_id for test in tests}
    modules = tuple({f"{test.module_name}." for test in tests})
    return sorted(
        failed
        for failed in failed_ids
        if failed not in found and failed.startswith(modules) and not failed.endswith(".<import>")
    )


def _durations(
    tests: list[TestContext], session_context: SessionContext, options: Options, logger: logging.Logger
) -> Mapping[str, float]:
    """Return the durations of tests, from the report that the user names or from earlier sessions."""
    from ducktape.tests.loader import LoaderException, read_durations
    from ducktape.tests.scheduling.durations import durations_below

    if options.historical_report:
        try:
            return read_durations(options.historical_report)
        except LoaderException as error:
            raise CommandError(str(error), on_stdout=True) from error
    wanted = {test.test_id for test in tests}
    durations = durations_below(options.results_root, except_session=session_context.session_id, wanted=wanted)
    logger.debug("Durations of %d tests are known from earlier sessions", len(durations))
    return durations
