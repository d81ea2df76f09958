# SPDX-License-Identifier: Apache-2.0
"""Steps that a run and the subcommands share: reading the options, and making the cluster."""

from __future__ import annotations

import importlib.util
import os
import traceback
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ducktape.cluster.pool.cluster_file import mistake_in_cluster_file
from ducktape.cluster.ssh.host_key_mode import ACCEPT_NEW, tell_processes
from ducktape.command_line.options.clusters import UnknownClusterError, advice_without_vagrant, cluster_class, full_name
from ducktape.command_line.options.errors import CommandError, UsageError
from ducktape.command_line.options.layers import load_options
from ducktape.command_line.options.options import Options
from ducktape.tests.driver.terminal import why_no_debugger
from ducktape.utils.support import strictness
from ducktape.utils.util import load_function

if TYPE_CHECKING:
    from ducktape.cluster.cluster import Cluster

_TRACEBACK_LIMIT = 16
_SANDBOX = full_name("sandbox")
_LOCALHOST = full_name("localhost")


def require_current_directory() -> None:
    """Raise an error if the current directory was removed: paths, tests and logs depend on it."""
    try:
        os.getcwd()
    except OSError as error:
        raise CommandError(f"The current directory cannot be used: {error.strerror}. Change to another one") from error


def read_options(argv: list[str]) -> Options | None:
    """Return the options of a run; ``None`` if the help or the version was asked for, which is printed."""
    strictness.hold()  # until there is a log
    try:
        return load_options(argv)
    except OSError as error:
        raise CommandError(f"Cannot read the configuration file {error.filename}: {error.strerror}") from error


def check_debugger(options: Options) -> None:
    """Raise ``UsageError`` if this run cannot have the debugger that its options ask for."""
    if options.lists_only:
        return
    if options.pdb and (problem := why_no_debugger(options.max_parallel)):
        raise UsageError(f"--pdb: {problem}: run it in a terminal, with --max-parallel 1")
    if options.pdb and options.debugger:
        raise UsageError("--pdb and --debugger exclude each other")
    if options.debugger and importlib.util.find_spec(options.debugger) is None:
        raise UsageError(f"--debugger: {options.debugger} is not installed: pip install 'ducktape[debugger]'")


def is_sandbox(options: Options) -> bool:
    """Return whether the nodes are those of a sandbox."""
    return full_name(options.cluster) == _SANDBOX


def prepare_for_sandbox(options: Options) -> None:
    """Enter a user namespace if an ordinary user runs tests in a sandbox and is not in one; the process stays the same.

    Must be called before anything is created and while there is a single thread.

    Raises:
        CommandError: the kernel does not allow it.
    """
    if not is_sandbox(options) or options.lists_only:
        return
    # Only users of a sandbox need them
    from ducktape.cluster.sandbox.client import SandboxError
    from ducktape.cluster.sandbox.userns import enter_user_namespace

    try:
        enter_user_namespace()
    except SandboxError as error:
        raise CommandError(str(error)) from error


def make_cluster(options: Options) -> Cluster:
    """Construct the cluster; raises ``CommandError`` if that fails."""
    if not is_sandbox(options) and full_name(options.cluster) != _LOCALHOST:
        file = options.known_hosts
        if file and options.host_keys != ACCEPT_NEW and not os.path.isfile(os.path.expanduser(file)):
            raise CommandError(f"--known-hosts: there is no file {file}", option="known_hosts")
        tell_processes(options.host_keys, file, options.results_root, os.environ)
    try:
        make = cluster_class(options.cluster)
        keywords: dict[str, object] = {"cluster_file": options.cluster_file}
        if options.ssh_checker_function:
            keywords["ssh_exception_checks"] = [load_function(path) for path in options.ssh_checker_function]
        # Only when they are asked for: classes of users need not accept them
        if options.lease:
            keywords["lease_dir"] = options.lease
        if options.check_nodes:
            keywords["check_nodes"] = True
        return make(**keywords)
    except UnknownClusterError as error:
        raise CommandError(
            f"Failed to load cluster:  {error.kind} {error}", on_stdout=True, option="cluster"
        ) from error
    except Exception as error:  # importing and constructing a cluster runs any code of users
        known = (
            mistake_in_cluster_file(error)
            or advice_without_vagrant(error, options)
            or _mistake_in_checkers(error, options.ssh_checker_function or ())
        )
        detail = f"\n{traceback.format_exc(limit=_TRACEBACK_LIMIT)}" if known is None else f" {known}"
        option = "" if known is None else "cluster_file"
        raise CommandError(f"Failed to load cluster:  {type(error)}{detail}", on_stdout=True, option=option) from error


def _mistake_in_checkers(error: Exception, names: Iterable[str]) -> str | None:
    """Return the line about a checker function that does not exist; ``None`` if another error was raised."""
    if traceback.extract_tb(error.__traceback__)[-1].name == load_function.__name__:
        return f"--ssh-checker-function: {error}"
    if isinstance(error, ModuleNotFoundError) and any(name.startswith(f"{error.name}.") for name in names):
        return f"--ssh-checker-function: there is no module {error.name}: is its directory in PYTHONPATH?"
    return None
