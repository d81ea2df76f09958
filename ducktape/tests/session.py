# SPDX-License-Identifier: Apache-2.0
"""One invocation of the program: its id, directory, options and log."""

from __future__ import annotations

import datetime
import logging
import os
from typing import Any

from ducktape.command_line.defaults import SESSION_ID, ConsoleDefaults
from ducktape.tests.loggermaker import FileLoggerMaker
from ducktape.utils.support.files import locked_directory, write_atomically
from ducktape.utils.support.masking import masked_options

logger = logging.getLogger(__name__)

# Newer than the documented content of report.json, and of no use to its readers
UNREPORTED_OPTIONS = frozenset(
    {
        "skip_nodes_allocation",
        "ignore_import_errors",
        "fail_on_teardown_error",
        "fail_on_findings",
        "find_crashes",
        "strict",
        "collect_timeout",
        "test_timeout",
        "session_timeout",
        "detect_flakes",
        "retry_infrastructure",
        "max_data_bytes",
        "node_metrics",
        "keep_output",
        "pdb",
        "debugger",
        "keep",
        "keep_for",
        "cluster_options",
    }
)


# By which a cluster is made again
_CLUSTER_OPTIONS = ("cluster", "cluster_file", "host_keys", "known_hosts", "results_root")


class SessionContext:
    """The options of one session, as tests and reports see them.

    Attributes have the names of the options. The program passes every option; the defaults here are those of 0.17.0,
    for code that constructs a context itself.

    Args:
        **kwargs: ``session_id`` and ``results_dir`` are required; the options of the command line are optional;
            unknown keywords are ignored.
    """

    def __init__(self, **kwargs: Any) -> None:
        self.session_id: str = kwargs["session_id"]
        self.results_dir: str = os.path.abspath(kwargs["results_dir"])
        self.debug: bool = kwargs.get("debug", False)
        self.compress: bool = kwargs.get("compress", False)
        self.nested_result_dirs: bool = kwargs.get("nested_result_dirs", False)
        self.exit_first: bool = kwargs.get("exit_first", False)
        self.no_teardown: bool = kwargs.get("no_teardown", False)
        self.max_parallel: int = kwargs.get("max_parallel", 1)
        self.default_expected_num_nodes: int | None = kwargs.get("default_num_nodes")
        self.fail_bad_cluster_utilization: bool | None = kwargs.get("fail_bad_cluster_utilization")
        self.fail_greedy_tests: bool = kwargs.get("fail_greedy_tests", False)
        self.ignore_node_type: bool = kwargs.get("ignore_node_type", False)
        self.test_runner_timeout: int | None = kwargs.get("test_runner_timeout")
        self.enable_jvm_logs: bool = kwargs.get("enable_jvm_logs", False)
        self._globals: Any = kwargs.get("globals")
        self.skip_nodes_allocation: bool = kwargs.get("skip_nodes_allocation", False)
        self.ignore_import_errors: bool = kwargs.get("ignore_import_errors", False)
        self.fail_on_teardown_error: bool = kwargs.get("fail_on_teardown_error", False)
        self.fail_on_findings: bool = kwargs.get("fail_on_findings", False)
        self.find_crashes: bool = kwargs.get("find_crashes", False)
        self.strict: bool = kwargs.get("strict", False)
        self.collect_timeout: float | None = kwargs.get("collect_timeout")
        self.test_timeout: float | None = kwargs.get("test_timeout")
        self.session_timeout: float | None = kwargs.get("session_timeout")
        self.detect_flakes: int | None = kwargs.get("detect_flakes")
        self.retry_infrastructure: int = kwargs.get("retry_infrastructure", 0)
        self.keep_output: bool = False  # set where the terminal shows the progress of the run
        self.pdb: bool = kwargs.get("pdb", False)
        self.debugger: str | None = kwargs.get("debugger")
        self.keep: str | None = kwargs.get("keep")
        self.keep_for: float = kwargs.get("keep_for") or ConsoleDefaults.KEEP_FOR_SEC
        self.cluster_options: dict[str, Any] = {name: kwargs.get(name) for name in _CLUSTER_OPTIONS}
        self.node_metrics: bool = kwargs.get("node_metrics", False)
        self.max_data_bytes: int = kwargs.get("max_data_bytes") or ConsoleDefaults.MAX_DATA_BYTES

    @property
    def globals(self) -> Any:
        """The value of ``--globals``, or ``None``."""
        return self._globals

    def to_json(self) -> dict[str, Any]:
        """Return the documented attributes without secrets, as report.json shows them."""
        return masked_options({name: value for name, value in vars(self).items() if name not in UNREPORTED_OPTIONS})


class SessionLoggerMaker(FileLoggerMaker):
    """Makes the logger of a session: ``session_log.info``, ``session_log.debug`` and the console.

    Args:
        session_context: gives the name, the directory and the verbosity.
    """

    stem = "session_log"
    line_format = ConsoleDefaults.SESSION_LOG_FORMATTER

    def __init__(self, session_context: SessionContext) -> None:
        name = f"{session_context.session_id}.session_logger"
        super().__init__(name, session_context.results_dir, session_context.debug)


def generate_session_id(session_id_file: str) -> str:
    """Generate the next session id and store it.

    The number starts at 1 every day, and also, with a warning, if the file contains something else. Programs that do
    this at the same time get different ids.

    Args:
        session_id_file: stores the last session id; created if missing.

    Returns:
        ``YYYY-MM-DD--NNN`` with the local date.
    """
    with locked_directory(os.path.dirname(os.path.abspath(session_id_file))):
        today = datetime.date.today().isoformat()
        last_number = 0
        if os.path.isfile(session_id_file):
            with open(session_id_file, encoding="utf-8", errors="replace") as file:
                previous = file.read().strip()
            match = SESSION_ID.fullmatch(previous)
            if match is None:
                text = "%s does not hold a session id but %r: counting from 1 again"
                logger.warning(text, session_id_file, previous[:80])
            elif match[1] == today:
                last_number = int(match[2])
        session_id = f"{today}--{last_number + 1:03d}"
        write_atomically(session_id_file, session_id)
    return session_id


def generate_results_dir(results_root: str, session_id: str) -> str:
    """Return the absolute directory of a session below the results root."""
    return os.path.join(os.path.abspath(results_root), session_id)
