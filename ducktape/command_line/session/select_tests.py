# SPDX-License-Identifier: Apache-2.0
"""Which of the tests that were found are run, and in which order."""

from __future__ import annotations

import dataclasses
import logging
import random
import sys
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from ducktape.command_line.session.common import give_up, refuse
from ducktape.errors import DucktapeError

if TYPE_CHECKING:
    from ducktape.tests.loading.discovery import ImportFailure
    from ducktape.tests.loading.expressions import Expression
    from ducktape.tests.recording.not_run import NotRun
    from ducktape.tests.recording.state import RecordedSession
    from ducktape.tests.session import SessionContext
    from ducktape.tests.test_context import TestContext

_SEEDS = 2**32


@dataclasses.dataclass
class Choice:
    """What is to be run.

    Attributes:
        tests: the tests, in order.
        first: ids of those that go before all others.
        seed: of their random order; ``None`` for any other order.
        gone: tests of the session that is resumed which are not there any more.
        lost: ids of tests that failed in the last session and are not there any more.
        durations: how long each took in earlier sessions, in seconds by id.
    """

    tests: list[TestContext]
    first: Collection[str] = ()
    seed: int | None = None
    gone: list[NotRun] = dataclasses.field(default_factory=list)
    lost: list[str] = dataclasses.field(default_factory=list)
    durations: Mapping[str, float] = dataclasses.field(default_factory=dict)


def expression(text: str | None, option: str) -> Expression | None:
    """Return the expression of an option; ends the program when it is wrong.

    Args:
        text: what the user wrote; ``None`` for nothing.
        option: its name.
    """
    if text is None:
        return None
    from ducktape.tests.loading.expressions import Expression, ExpressionError

    try:
        return Expression.parse(text)
    except ExpressionError as error:
        refuse(f"argument {option}: {error}")


def show_collection(tests: list[TestContext], import_failures: list[ImportFailure], args: Mapping[str, Any]) -> None:
    """Print what was found, in the form that the options ask for.

    Args:
        tests: what was found.
        import_failures: what could not be.
        args: the options.
    """
    from ducktape.tests.loading.flaws import FlawedTest

    flawed = [test for test in tests if isinstance(test, FlawedTest)]
    tests = [test for test in tests if not isinstance(test, FlawedTest)]
    if args["list_tags"]:
        from ducktape.tests.loading.expressions import tag_counts

        for tag, count in tag_counts(tests):
            print(f"{tag}: {count}")
    elif args["collect_only"]:
        print(f"Collected {len(tests)} tests:")
        for test in tests:
            print(f"    {test}")
    else:
        print(sum(test.expected_num_nodes for test in tests))
    show_import_failures(import_failures)
    for test in flawed:
        print(f"{test.test_id}: {test.flaw}", file=sys.stderr)


def show_import_failures(import_failures: list[ImportFailure]) -> None:
    """Print what could not be imported, on standard error."""
    for failure in import_failures:
        print(f"{failure.file} could not be imported: {failure.summary}", file=sys.stderr)


def choose(
    tests: list[TestContext],
    session_context: SessionContext,
    recorded: RecordedSession | None,
    args: Mapping[str, Any],
    logger: logging.Logger,
) -> Choice:
    """Return what is to be run of what was found; ends the program when an earlier session is asked for in vain.

    Args:
        tests: what was found.
        session_context: the session.
        recorded: the session that it goes on with, if it does.
        args: the options.
        logger: log of the session.
    """
    try:
        choice = _of_session(tests, recorded) if recorded is not None else _of_options(tests, args)
    except DucktapeError as error:
        give_up(str(error))
    if args["shuffle"] is not None:
        choice.seed = random.randrange(_SEEDS) if args["shuffle"] == "random" else args["shuffle"]
        print(f"Running in random order; the same order again: --shuffle {choice.seed}")
    elif choice.tests:
        choice.durations = _durations(choice.tests, session_context, args, logger)
    return choice


def _of_session(tests: list[TestContext], recorded: RecordedSession) -> Choice:
    from ducktape.command_line.session.resume import tests_to_run

    missing, gone = tests_to_run(tests, recorded)
    return Choice(missing, gone=gone)


def _of_options(tests: list[TestContext], args: Mapping[str, Any]) -> Choice:
    tests = list(_sample(tests, args["sample"]))
    if not args["last_failed"] and not args["failed_first"]:
        return Choice(tests)
    from ducktape.command_line.session.resume import NoEarlierSessionError, last_failed, split_by_failure

    try:
        session_id, failed_ids = last_failed(args["results_root"])
    except NoEarlierSessionError:
        if args["last_failed"]:
            raise
        return Choice(tests)  # the first of all sessions has nothing to begin with
    failed, _ = split_by_failure(tests, failed_ids)
    lost = _lost(tests, failed_ids) if not _narrowed(args) else []
    for test_id in lost:
        print(f"{test_id} failed in session {session_id} and was not found again", file=sys.stderr)
    if not args["last_failed"]:
        return Choice(tests, first={test.test_id for test in failed})
    if failed_ids and not failed:
        give_up(f"{len(failed_ids)} tests failed in session {session_id}, and none of them is among those found now")
    print(f"{len(failed)} of these tests failed in session {session_id}")
    return Choice(failed, lost=lost)


def _narrowed(args: Mapping[str, Any]) -> bool:
    """Return whether only some tests of a file may have been asked for: the others are not lost then."""
    options = ("keyword", "tags", "exclude", "sample", "parameters")
    return (
        any(args.get(name) for name in options)
        or args["subsets"] > 1
        or any("::" in path for path in args["test_path"])
    )


def _lost(tests: list[TestContext], failed_ids: Collection[str]) -> list[str]:
    """Return which tests are not found in the modules in which they failed."""
    found = {test.test_id for test in tests}
    modules = tuple({f"{test.module_name}." for test in tests})
    return sorted(
        failed
        for failed in failed_ids
        if failed not in found and failed.startswith(modules) and not failed.endswith(".<import>")
    )


def _sample(tests: list[TestContext], size: int | None) -> list[TestContext]:
    if size is None:
        return tests
    from ducktape.tests.loading import selection

    print(f"Running a sample of {size} tests")
    if size > len(tests):
        print(f"sample size {size} greater than number of tests {len(tests)}; running all tests")
    return selection.sample(tests, size, random.Random())


def _durations(
    tests: list[TestContext], session_context: SessionContext, args: Mapping[str, Any], logger: logging.Logger
) -> Mapping[str, float]:
    """Return how long tests took before: what the user names, or else what earlier sessions have left."""
    from ducktape.tests.loader import LoaderException, read_durations
    from ducktape.tests.scheduling.durations import durations_below

    if args["historical_report"]:
        try:
            return read_durations(args["historical_report"])
        except LoaderException as error:
            give_up(str(error), error=False)
    wanted = {test.test_id for test in tests}
    durations = durations_below(args["results_root"], except_session=session_context.session_id, wanted=wanted)
    logger.debug("Durations of %d tests are known from earlier sessions", len(durations))
    return durations
