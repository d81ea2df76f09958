# SPDX-License-Identifier: Apache-2.0
"""The options of a run and their defaults, as typed values."""

from __future__ import annotations

import dataclasses
import os
from typing import Any, Literal

from ducktape.command_line.defaults import ConsoleDefaults


def _current_directory() -> list[str]:
    try:
        return [os.getcwd()]
    except FileNotFoundError:
        return [os.curdir]  # it was removed; discovery reports what is missing


@dataclasses.dataclass(frozen=True)
class Options:
    """Every option of a run by its name on the command line, and the only place of its default.

    ``parameters`` and ``globals`` are the text that the user wrote, until the run decodes them.
    """

    version: bool = False
    config_file: str = dataclasses.field(default_factory=lambda: ConsoleDefaults.USER_CONFIG_FILE)

    # Choosing tests
    test_path: list[str] = dataclasses.field(default_factory=_current_directory)
    exclude: list[str] | None = None
    keyword: str | None = None
    tags: str | None = None
    last_failed: bool = False
    failed_first: bool = False
    sample: int | None = None
    subsets: int = 1
    subset: int = 0
    historical_report: str | None = None
    parameters: Any = None
    collect_only: bool = False
    collect_num_nodes: bool = False
    list_tags: bool = False
    ignore_import_errors: bool = False
    allow_empty_tests_list: bool = dataclasses.field(
        default_factory=lambda: bool(os.environ.get("DUCKTAPE_ALLOW_EMPTY_TESTS_LIST"))
    )

    # Running tests
    max_parallel: int | Literal["auto"] = 1
    repeat: int = 1
    until_failure: int | None = None
    deflake: int = 1
    detect_flakes: int | None = None
    retry_infrastructure: int = 0
    resume: str | None = None
    exit_first: bool = False
    shuffle: int | Literal["random"] | None = None
    globals: Any = None
    test_timeout: float | None = None
    session_timeout: float | None = None
    test_runner_timeout: int = 1800000
    fail_on_teardown_error: bool = False

    # Nodes
    cluster: str = dataclasses.field(default_factory=lambda: ConsoleDefaults.CLUSTER_TYPE)
    cluster_file: str | None = None
    check_nodes: bool = False
    lease: str | None = None
    host_keys: str | None = None
    known_hosts: str | None = None
    ssh_checker_function: list[str] | None = None
    ignore_node_type: bool = False
    skip_nodes_allocation: bool = False
    fail_greedy_tests: bool = False
    fail_bad_cluster_utilization: bool = False
    default_num_nodes: int | None = None

    # Results
    results_root: str = dataclasses.field(default_factory=lambda: ConsoleDefaults.RESULTS_ROOT_DIRECTORY)
    nested_result_dirs: bool = False
    compress: bool = False
    collect_timeout: float | None = None
    max_data_bytes: int = dataclasses.field(default_factory=lambda: ConsoleDefaults.MAX_DATA_BYTES)
    enable_jvm_logs: bool = False

    # Debugging
    debug: bool = False
    no_teardown: bool = False
    explain_schedule: bool = False
    strict: bool = False

    @property
    def lists_only(self) -> bool:
        """Whether tests are listed or counted, and none is run."""
        return self.collect_only or self.collect_num_nodes or self.list_tags
