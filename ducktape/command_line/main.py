# SPDX-License-Identifier: Apache-2.0
"""One run, from the command line to the exit code. Only this module ends the program."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import logging
import os
import sys
from typing import TYPE_CHECKING

from ducktape.command_line.options.errors import CommandError
from ducktape.command_line.options.layers import given_options, place_in_files
from ducktape.command_line.options.options import Options
from ducktape.command_line.options.subcommands import find_subcommand
from ducktape.command_line.session.common import (
    check_debugger,
    prepare_for_sandbox,
    read_options,
    require_current_directory,
)
from ducktape.command_line.session.select_tests import load_tests, select_tests, show_collection
from ducktape.command_line.session.start_session import open_log, start_session
from ducktape.errors import CompatibilityWarning
from ducktape.tests.driver.signals import StopRequests
from ducktape.utils.persistence import PDict
from ducktape.utils.support.console import lost_output, make_streams_usable
from ducktape.utils.support.files import read_text
from ducktape.utils.support.masking import masked, masked_command_line

# Each step imports what it alone needs: `--version` and `--collect-only` are answered without the engine.
if TYPE_CHECKING:
    from ducktape.command_line.session.resume import Resumed


def main() -> None:
    """Run the program with the arguments of this process; ends it with exit code 1 when anything failed."""
    make_streams_usable()
    argv = sys.argv[1:]
    subcommand = None
    try:
        subcommand = find_subcommand(argv)
        if subcommand is not None:
            sys.exit(subcommand(argv))
        with contextlib.ExitStack() as resources:
            succeeded = _run(argv, resources)
    except CommandError as error:
        error.show(place_in_files(error.option, argv) if error.option else "")
        sys.exit(error.exit_code)
    except CompatibilityWarning as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("Interrupted before the first test", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENFILE):
            raise
        hint = "raise the limit that `ulimit -n` shows, or run fewer tests in parallel"
        print(f"{error.strerror}: {hint}", file=sys.stderr)
        sys.exit(1)
    except SystemExit as end:
        # The output is all that was asked for; a run has its reports
        if subcommand is None and not end.code and (lost := lost_output()) is not None:
            print(f"Cannot write to standard output: {lost.strerror}", file=sys.stderr)
            sys.exit(1)
        raise
    if not succeeded:
        sys.exit(1)


def _run(argv: list[str], resources: contextlib.ExitStack) -> bool:
    """Run the tests that a command line names; returns whether everything went well, or raises ``CommandError``."""
    options = read_options(argv)
    if options is None:
        sys.exit(0)
    if not options.lists_only:
        require_current_directory()
    resumed: Resumed | None = None
    if options.resume is not None:
        from ducktape.command_line.session.resume import resume

        resumed = resume(options.results_root, options.resume, given_options(argv))
        resources.callback(resumed.journal.close)
        options = resumed.options
        if resumed.recorded.is_complete and not options.lists_only:
            return _conclude(resumed, resources)
    check_debugger(options)
    # A session that is resumed names its cluster itself
    prepare_for_sandbox(options)
    options = _decoded(options)
    session_context = start_session(options, resumed, resources)
    logger = open_log(session_context, options, resources)
    tests, import_failures = load_tests(session_context, logger, options)
    logger.info("Discovered %d tests to run", len(tests))
    if options.lists_only:
        show_collection(tests, import_failures, options)
        sys.exit(0)
    recorded = None if resumed is None else resumed.recorded
    choice = select_tests(tests, session_context, recorded, options, logger)
    if resumed is None and options.last_failed and not choice.tests:
        return not choice.lost
    del tests  # each is freed when it is over: thousands of them need more memory than their results
    from ducktape.command_line.session.reports import remove_old_sessions
    from ducktape.command_line.session.run_session import Run, cluster_for, new_journal

    cluster = cluster_for(choice.tests, session_context, logger, options)
    with StopRequests() as stop_requests:
        journal = new_journal(session_context, resources) if resumed is None else resumed.journal
        run = Run(options, cluster, session_context, logger, journal, stop_requests, recorded)
        succeeded = run.run(choice, import_failures)
    update_latest_symlink(options.results_root, session_context.results_dir)
    remove_old_sessions(options, session_context.results_dir, logger)
    return succeeded and not choice.lost


def _conclude(resumed: Resumed, resources: contextlib.ExitStack) -> bool:
    """End a session that has all its results, and whose program died before its end; writes its reports again."""
    from ducktape.command_line.session.reports import remove_old_sessions
    from ducktape.command_line.session.run_session import conclude
    from ducktape.tests.recording import past_sessions

    results_dir = resumed.recorded.results_dir
    results_root = resumed.options.results_root
    logger = open_log(resumed.recorded.session_context, None, resources)
    succeeded = conclude(resumed, logger)
    # An old session that was complete must not replace a newer one
    is_newest = past_sessions.newest_with_journal(results_root) == results_dir
    if is_newest or not resumed.recorded.ended or not os.path.exists(os.path.join(results_root, "latest")):
        update_latest_symlink(results_root, results_dir)
    remove_old_sessions(resumed.options, results_dir, logger)
    return succeeded


def _decoded(options: Options) -> Options:
    """Return the options with the JSON of parameters and globals decoded, after checking what the parser does not."""
    # The exit code of these mistakes is 1 for compatibility
    parameters = None
    if options.parameters:
        try:
            parameters = json.loads(options.parameters)
        except ValueError as error:
            problem = f"parameters are not valid json: {error}"
            raise CommandError(problem, on_stdout=True, option="parameters") from error
        if not isinstance(parameters, dict):
            shown = json.dumps(masked(parameters))
            problem = f"parameters are not a JSON object but {shown}"
            raise CommandError(problem, on_stdout=True, option="parameters")
    try:
        values = get_user_defined_globals(options.globals)
    except ValueError as error:
        raise CommandError(str(error), option="globals") from error
    except OSError as error:
        problem = f"Cannot read the globals file {error.filename}: {error.strerror}"
        raise CommandError(problem, option="globals") from error
    if options.repeat < 1:
        raise CommandError(f"--repeat must be at least 1, not {options.repeat}", option="repeat")
    if options.subsets < 1:
        raise CommandError(f"--subsets must be at least 1, not {options.subsets}", option="subsets")
    if not 0 <= options.subset < options.subsets:
        allowed = f"[0, subsets-1], here [0, {options.subsets - 1}]"
        raise CommandError(f"--subset must be in the range {allowed}, not {options.subset}", option="subset")
    return dataclasses.replace(options, parameters=parameters, globals=values)


def get_user_defined_globals(globals_str: str | None) -> PDict:
    """Return the values that all tests can read.

    Args:
        globals_str: JSON object, or path of a file that holds one; ``None`` for no values.

    Raises:
        ValueError: it is neither, or the JSON is not an object.
        OSError: the file cannot be read.
    """
    if globals_str is None:
        return PDict()
    place = ""
    if os.path.isfile(globals_str):
        place = f" in {globals_str}"
        try:
            values = json.loads(read_text(globals_str))
        except json.JSONDecodeError as error:
            problem = f"The globals file {globals_str} is not valid JSON: {error.msg}"
            raise json.JSONDecodeError(problem, error.doc, error.pos) from error
        except UnicodeDecodeError as error:
            mistake = f"not UTF-8 text: {error.reason} at byte {error.start}"
            raise ValueError(f"The globals file {globals_str} is {mistake}") from error
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


def setup_results_directory(new_results_dir: str) -> None:
    """Create the directory of a session.

    Args:
        new_results_dir: path that must not exist; parents are created as needed.

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
    """Make ``latest`` point to a session; a real file or directory of that name is left alone, with a warning.

    Args:
        results_root: directory of all sessions.
        new_results_dir: directory of the session.
    """
    latest = os.path.join(results_root, "latest")
    if os.path.lexists(latest) and not os.path.islink(latest):
        logging.getLogger(__name__).warning("%s is not a symbolic link and was not updated", latest)
        return
    # Created beside it and renamed, so that the name always exists. Relative, so that the results can be moved.
    target = os.path.relpath(os.path.realpath(new_results_dir), os.path.realpath(results_root))
    beside = f"{latest}.{os.getpid()}"
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)  # left by a run that was killed between these two steps
        os.symlink(target, beside)
        os.replace(beside, latest)
    except OSError as error:
        logging.getLogger(__name__).warning("%s cannot be updated: %s", latest, error)
