# SPDX-License-Identifier: Apache-2.0
"""One run, from the command line to the exit code."""

from __future__ import annotations

import contextlib
import datetime
import errno
import json
import logging
import os
import sys
import tempfile
from typing import TYPE_CHECKING, Any

from ducktape.command_line.defaults import ConsoleDefaults
from ducktape.command_line.options.subcommands import find_subcommand
from ducktape.command_line.parse_args import given_options
from ducktape.command_line.session.common import (
    give_up,
    make_cluster,
    prepare_for_sandbox,
    read_options,
    refuse,
    require_current_directory,
)
from ducktape.command_line.session.select_tests import choose, expression, show_collection, show_import_failures
from ducktape.errors import DucktapeError
from ducktape.tests.driver.signals import StopRequests
from ducktape.tests.loggermaker import close_logger
from ducktape.tests.session import SessionContext, SessionLoggerMaker, generate_results_dir, generate_session_id
from ducktape.utils.local_filesystem_utils import mkdir_p
from ducktape.utils.persistence import PDict
from ducktape.utils.support.console import lost_output, make_streams_usable
from ducktape.utils.support.files import read_text
from ducktape.utils.support.masking import masked, masked_command_line, masked_options
from ducktape.utils.support.strictness import begin

# Each step imports what it alone needs: `--version` and `--collect-only` are answered without the engine.
if TYPE_CHECKING:
    from ducktape.command_line.session.resume import Resumed
    from ducktape.tests.loading.discovery import ImportFailure
    from ducktape.tests.test_context import TestContext

_SESSION_ATTEMPTS = 1000


def main() -> None:
    """Run the program with the arguments of this process; ends it with exit code 1 when anything failed."""
    make_streams_usable()
    argv = sys.argv[1:]
    if (subcommand := find_subcommand(argv)) is not None:
        sys.exit(subcommand(argv))
    try:
        with contextlib.ExitStack() as resources:
            succeeded = _run_session(argv, resources)
    except KeyboardInterrupt:
        give_up("Interrupted before the first test")
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENFILE):
            raise
        give_up(f"{error.strerror}: raise the limit that `ulimit -n` shows, or run fewer tests at the same time")
    except SystemExit as end:
        # A listing, a help text or a version is all that was asked for; a run has its reports
        if not end.code and (lost := lost_output()) is not None:
            give_up(f"Standard output takes no more: {lost.strerror}")
        raise
    if not succeeded:
        sys.exit(1)


def _run_session(argv: list[str], resources: contextlib.ExitStack) -> bool:
    """Do everything between the command line and the exit code; returns whether all went well."""
    args = read_options(argv)
    if not _runs_nothing(args):
        require_current_directory()
    resumed = None if args["resume"] is None else _resume(args, argv, resources)
    args = args if resumed is None else resumed.options
    if resumed is not None and resumed.recorded.is_complete and not _runs_nothing(args):
        return _conclude(resumed, resources)
    # A session that is resumed names its cluster itself
    prepare_for_sandbox(args)
    args = _understood(args)
    session_context = _start_session(args, resources) if resumed is None else _go_on_with(resumed, args)
    logger = SessionLoggerMaker(session_context).logger
    resources.callback(close_logger, logger)
    begin(strict=session_context.strict, show=logger.warning)
    _log_configuration(logger, args)
    tests, import_failures = _load_tests(session_context, logger, args)
    logger.info("Discovered %d tests to run", len(tests))
    if _runs_nothing(args):
        show_collection(tests, import_failures, args)
        sys.exit(0)
    choice = choose(tests, session_context, None if resumed is None else resumed.recorded, args, logger)
    if resumed is None and args["last_failed"] and not choice.tests:
        return not choice.lost
    del tests  # each is forgotten when it is over: thousands of them would weigh more than their results
    cluster = _cluster_for(choice.tests, session_context, logger, args)
    from ducktape.command_line.session.run_session import Run, new_journal

    with StopRequests() as stop_requests:
        journal = new_journal(session_context, resources) if resumed is None else resumed.journal
        run = Run(args, cluster, session_context, logger, journal, stop_requests, resumed)
        succeeded = run.run(choice, import_failures)
    update_latest_symlink(args["results_root"], session_context.results_dir)
    return succeeded and not choice.lost


# --- options


def _understood(args: dict[str, Any]) -> dict[str, Any]:
    """Return the options with what is JSON decoded; ends the program where one of them makes no sense."""
    if args["parameters"]:
        try:
            args["parameters"] = json.loads(args["parameters"])
        except ValueError as error:
            give_up(f"parameters are not valid json: {error}", error=False)
        if not isinstance(args["parameters"], dict):
            give_up(f"parameters are not a JSON object but {json.dumps(masked(args['parameters']))}", error=False)
    else:
        args["parameters"] = None
    try:
        args["globals"] = get_user_defined_globals(args["globals"])
    except ValueError as error:
        give_up(str(error))
    except OSError as error:
        give_up(f"Cannot read the globals file {error.filename}: {error.strerror}")
    for name, option in (("keyword", "-k"), ("tags", "--tags")):
        expression(args[name], option)  # refused before anything is made
    if args["repeat"] < 1:
        give_up(f"--repeat must be at least 1, not {args['repeat']}")
    if args["subsets"] < 1:
        give_up(f"--subsets must be at least 1, not {args['subsets']}")
    if not 0 <= args["subset"] < args["subsets"]:
        give_up(f"--subset must be in the range [0, subsets-1], here [0, {args['subsets'] - 1}], not {args['subset']}")
    return args


def get_user_defined_globals(globals_str: str | None) -> PDict:
    """Return the values that all tests can read.

    Args:
        globals_str: JSON object, or path of a file that holds one; ``None`` for no values.

    Raises:
        ValueError: it is neither, or the JSON is not an object.
    """
    if globals_str is None:
        return PDict()
    place = ""
    if os.path.isfile(globals_str):
        place = f" in {globals_str}"
        values = json.loads(read_text(globals_str))
    else:
        try:
            values = json.loads(globals_str)
        except ValueError as error:
            [globals_str] = masked_command_line([globals_str])
            raise ValueError(
                f"{error}\nglobals parameter {globals_str} is neither valid JSON nor a valid path to a JSON file."
            ) from error
    if not isinstance(values, dict):
        raise ValueError(
            f"Globals{place} must be a JSON object. Instead found {masked(values)}, which parsed to {type(values)}"
        )
    return PDict(values)


# --- session


def _resume(args: dict[str, Any], argv: list[str], resources: contextlib.ExitStack) -> Resumed:
    """Take the session over that is to be gone on with; ends the program when that cannot be."""
    from ducktape.command_line.session.resume import OtherTestsError, resume

    try:
        resumed = resume(args, given_options(argv))
    except OtherTestsError as error:
        refuse(str(error))
    except DucktapeError as error:
        give_up(str(error))
    resources.callback(resumed.journal.close)
    if resumed.recorded.damaged_lines:
        print(f"{resumed.recorded.damaged_lines} lines of {resumed.journal.path} cannot be understood")
    return resumed


def _conclude(resumed: Resumed, resources: contextlib.ExitStack) -> bool:
    """End a session whose program died between its last result and its end; what is there is written again."""
    from ducktape.command_line.session.run_session import conclude
    from ducktape.tests.recording import past_sessions as earlier

    session_context = resumed.recorded.session_context
    logger = SessionLoggerMaker(session_context).logger
    resources.callback(close_logger, logger)
    succeeded = conclude(resumed, logger)
    results_root = resumed.options["results_root"]
    latest = os.path.join(results_root, "latest")
    # Of an old session that was complete, it goes on to name a newer one
    is_newest = earlier.newest_with_journal(results_root) == session_context.results_dir
    if is_newest or not resumed.recorded.ended or not os.path.exists(latest):
        update_latest_symlink(results_root, session_context.results_dir)
    return succeeded


def _go_on_with(resumed: Resumed, args: dict[str, Any]) -> SessionContext:
    # Where the journal lies now, whatever the options said when the session began
    own = {"session_id": resumed.recorded.session_id, "results_dir": resumed.recorded.results_dir}
    return SessionContext(**{**args, **own})


def _start_session(args: dict[str, Any], resources: contextlib.ExitStack) -> SessionContext:
    root = args["results_root"]
    try:
        # Relative to a directory that may be gone
        session_id, results_dir = _claim_results_directory(os.path.abspath(root))
    except OSError as error:
        if not _runs_nothing(args):
            give_up(f"Cannot make the results directory {error.filename or root}: {error.strerror or error}")
        # A listing needs no results
        session_id = f"{datetime.date.today().isoformat()}--001"
        results_dir = resources.enter_context(tempfile.TemporaryDirectory(prefix="ducktape-"))
    return SessionContext(session_id=session_id, results_dir=results_dir, **args)


def _runs_nothing(args: dict[str, Any]) -> bool:
    return bool(args["collect_only"] or args["collect_num_nodes"] or args["list_tags"])


def _claim_results_directory(results_root: str) -> tuple[str, str]:
    """Number the session and make its directory; a number whose directory is there belongs to somebody else.

    Raises:
        OSError: neither can be written.
    """
    try:
        mkdir_p(ConsoleDefaults.METADATA_DIR)
        session_id = generate_session_id(ConsoleDefaults.SESSION_ID_FILE)
        session_id_file = ConsoleDefaults.SESSION_ID_FILE
    except OSError as error:
        os.makedirs(results_root, exist_ok=True)
        session_id_file = os.path.join(results_root, ".session_id")
        session_id = generate_session_id(session_id_file)
        print(
            f"The session number is kept in {session_id_file}, since {ConsoleDefaults.METADATA_DIR} below the current "
            f"directory cannot be written: {error.strerror}",
            file=sys.stderr,
        )
    for _ in range(_SESSION_ATTEMPTS):
        results_dir = generate_results_dir(results_root, session_id)
        try:
            setup_results_directory(results_dir)
            return session_id, results_dir
        except FileExistsError:
            session_id = generate_session_id(session_id_file)
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), results_dir)


def setup_results_directory(new_results_dir: str) -> None:
    """Make the directory of a session.

    Args:
        new_results_dir: path that must not exist; parents are made as needed.

    Raises:
        FileExistsError: it exists.
    """
    try:
        os.makedirs(new_results_dir)
    except FileExistsError:
        raise FileExistsError(
            f"A file or directory at {new_results_dir} already exists. Exiting without overwriting."
        ) from None


def update_latest_symlink(results_root: str, new_results_dir: str) -> None:
    """Let ``latest`` point to a session; a real file or directory of that name is left alone with a warning.

    Args:
        results_root: directory of all sessions.
        new_results_dir: directory of the session.
    """
    latest = os.path.join(results_root, "latest")
    if os.path.lexists(latest) and not os.path.islink(latest):
        logging.getLogger(__name__).warning("%s is not a symbolic link: left alone, it does not name this run", latest)
        return
    try:
        _replace_symlink(latest, results_root, new_results_dir)
    except OSError as error:
        logging.getLogger(__name__).warning("%s cannot be made to name this run: %s", latest, error)


def _replace_symlink(latest: str, results_root: str, new_results_dir: str) -> None:
    # Made aside and renamed, so that the name is never missing. Relative, so that the results can be moved.
    target = os.path.relpath(os.path.realpath(new_results_dir), os.path.realpath(results_root))
    beside = f"{latest}.{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(beside)  # of a run that was killed between these two steps
    os.symlink(target, beside)
    os.replace(beside, latest)


def _log_configuration(logger: logging.Logger, args: dict[str, Any]) -> None:
    for key, value in masked_options(args).items():
        logger.debug("Configuration: %s=%s", key, value)


# --- tests


def _load_tests(
    session_context: SessionContext, logger: logging.Logger, args: dict[str, Any]
) -> tuple[list[TestContext], list[ImportFailure]]:
    from ducktape.tests.loader import LoaderException, NoTestsError, TestLoader

    try:
        loader = TestLoader(
            session_context,
            logger,
            repeat=args["repeat"],
            injected_args=args["parameters"],
            subset=args["subset"],
            subsets=args["subsets"],
            historical_report=args["historical_report"],
            keyword=expression(args["keyword"], "-k"),
            tags=expression(args["tags"], "--tags"),
        )
        return loader.load(args["test_path"], excluded_test_symbols=args["exclude"]), loader.import_failures
    except NoTestsError as error:
        only_broken_files = bool(loader.import_failures)
        if args["collect_only"]:
            show_import_failures(loader.import_failures)
            only_broken_files = False
        if args["allow_empty_tests_list"] or only_broken_files:
            return [], loader.import_failures
        give_up(f"Failed while trying to discover tests: {error}", error=False)
    except LoaderException as error:
        give_up(f"Failed while trying to discover tests: {error}", error=False)


# --- cluster


def _cluster_for(
    tests: list[TestContext], session_context: SessionContext, logger: logging.Logger, args: dict[str, Any]
) -> Any:
    """Make the cluster and hand it to the tests."""
    from ducktape.tests.loading.flaws import sound

    cluster = make_cluster(args)
    for test in tests:
        test.cluster = cluster
    tests[:] = [sound(test, has_cluster=True) for test in tests]
    if args["max_parallel"] == "auto":
        from ducktape.tests.scheduling.capacity import slots

        session_context.max_parallel = slots(cluster, tests)
        logger.info("Up to %d tests at the same time", session_context.max_parallel)
    _name_session(cluster, session_context, logger, args)
    return cluster


def _name_session(cluster: Any, session_context: SessionContext, logger: logging.Logger, args: dict[str, Any]) -> None:
    """Let other runs that wait for this one's nodes know whom they wait for."""
    name_session = getattr(cluster, "name_session", None)
    has_leases = name_session is not None and name_session(session_context.session_id)
    if args["lease"] and not has_leases:
        logger.warning("--lease has no effect on a %s: other runs may use the same nodes", type(cluster).__name__)
    if args["check_nodes"] and not hasattr(cluster, "retry_unhealthy"):
        logger.warning("--check-nodes has no effect on a %s", type(cluster).__name__)
