# SPDX-License-Identifier: Apache-2.0
"""The start of a session: its number, its directory and its log."""

from __future__ import annotations

import contextlib
import datetime
import errno
import logging
import os
import sys
import tempfile
from typing import TYPE_CHECKING

from ducktape.command_line.defaults import ConsoleDefaults
from ducktape.command_line.options.errors import CommandError
from ducktape.command_line.options.options import Options
from ducktape.tests.loggermaker import close_logger
from ducktape.tests.session import SessionContext, SessionLoggerMaker, generate_results_dir, generate_session_id
from ducktape.utils.local_filesystem_utils import mkdir_p
from ducktape.utils.support.masking import masked_options
from ducktape.utils.support.strictness import begin

if TYPE_CHECKING:
    from ducktape.command_line.session.resume import Resumed

_MAX_ATTEMPTS = 1000


def shows_live(options: Options) -> bool:
    """Return whether the terminal shows the progress of the run instead of log lines."""
    # The line that says where an editor can attach is a log line
    if options.lists_only or options.progress == "plain" or options.debugger:
        return False
    if options.progress == "live":
        return True
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    return is_terminal and os.environ.get("TERM", "dumb") != "dumb" and not os.environ.get("CI")


def start_session(options: Options, resumed: Resumed | None, resources: contextlib.ExitStack) -> SessionContext:
    """Return the context of a session, after creating its directory unless it is resumed."""
    if resumed is not None:
        # Where the journal is now, whatever the options were when the session began
        session_id, results_dir = resumed.recorded.session_id, resumed.recorded.results_dir
        return SessionContext(**{**vars(options), "session_id": session_id, "results_dir": results_dir})
    root = options.results_root
    try:
        # Relative to a directory that may be gone
        session_id, results_dir = _claim_results_directory(os.path.abspath(root))
    except OSError as error:
        if not options.lists_only:
            reason = error.strerror or error
            raise CommandError(f"Cannot create the results directory {error.filename or root}: {reason}") from error
        # A listing needs no results
        session_id = f"{datetime.date.today().isoformat()}--001"
        results_dir = resources.enter_context(tempfile.TemporaryDirectory(prefix="ducktape-"))
    return SessionContext(session_id=session_id, results_dir=results_dir, **vars(options))


def _claim_results_directory(results_root: str) -> tuple[str, str]:
    """Return the id and the new directory of a session; an id whose directory exists belongs to another session."""
    try:
        mkdir_p(ConsoleDefaults.METADATA_DIR)
        session_id_file = ConsoleDefaults.SESSION_ID_FILE
        session_id = generate_session_id(session_id_file)
    except OSError as error:
        os.makedirs(results_root, exist_ok=True)
        session_id_file = os.path.join(results_root, ".session_id")
        session_id = generate_session_id(session_id_file)
        print(
            f"The session number is kept in {session_id_file}, since {ConsoleDefaults.METADATA_DIR} below the current "
            f"directory cannot be written: {error.strerror}",
            file=sys.stderr,
        )
    for _ in range(_MAX_ATTEMPTS):
        results_dir = generate_results_dir(results_root, session_id)
        try:
            os.makedirs(results_dir)
            return session_id, results_dir
        except FileExistsError:
            session_id = generate_session_id(session_id_file)
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), results_dir)


def open_log(
    session_context: SessionContext, options: Options | None, resources: contextlib.ExitStack
) -> logging.Logger:
    """Return the logger of a session, which gets the warnings so far and the options, unless they are ``None``."""
    logger = SessionLoggerMaker(session_context).logger
    resources.callback(close_logger, logger)
    if options is not None and shows_live(options) and not options.verbose and not options.debug:
        for handler in logger.handlers:
            if not isinstance(handler, logging.FileHandler):
                handler.setLevel(logging.WARNING)
    if options is not None:
        begin(strict=options.strict, show=logger.warning)
        for key, value in masked_options(vars(options)).items():
            logger.debug("Configuration: %s=%s", key, value)
    return logger
