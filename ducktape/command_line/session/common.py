# SPDX-License-Identifier: Apache-2.0
"""The steps that a run has in common with the subcommands."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping
from typing import Any, NoReturn

from ducktape.cluster.pool.cluster_file import mistake_in_cluster_file
from ducktape.cluster.ssh.host_key_mode import ACCEPT_NEW, tell_processes
from ducktape.command_line.options.clusters import UnknownClusterError, advice_without_vagrant, cluster_class, full_name
from ducktape.command_line.parse_args import parse_args
from ducktape.utils.support import strictness
from ducktape.utils.util import load_function

_TRACEBACK_LIMIT = 16
_SANDBOX = full_name("sandbox")
_LOCALHOST = full_name("localhost")
# With these, nothing is run
_WITHOUT_NODES = ("collect_only", "collect_num_nodes", "list_tags")


def give_up(message: str, *, error: bool = True) -> NoReturn:
    """End the program because of something that the user can mend.

    Args:
        message: what it is.
        error: say it on standard error, not on standard output.
    """
    print(message, file=sys.stderr if error else sys.stdout)
    sys.exit(1)


def refuse(message: str) -> NoReturn:
    """End the program because of a wrong option, as the parser of the command line does.

    Args:
        message: what is wrong.
    """
    print(f"ducktape: error: {message}", file=sys.stderr)
    sys.exit(2)


def require_current_directory() -> None:
    """End the program if the current directory has been removed: paths, tests and logs would have no place."""
    try:
        os.getcwd()
    except OSError as error:
        give_up(f"The current directory cannot be used: {error.strerror}. Change to another one")


def read_options(argv: list[str]) -> dict[str, Any]:
    """Return the options of a run; ends the program when a configuration file cannot be read.

    Args:
        argv: the command line.
    """
    strictness.hold()  # until there is a log
    try:
        return parse_args(argv)
    except OSError as error:
        give_up(f"Cannot read the configuration file {error.filename}: {error.strerror}")


def is_sandbox(args: Mapping[str, Any]) -> bool:
    """Tell whether the nodes of a sandbox are asked for.

    Args:
        args: the options of a run.
    """
    return full_name(args["cluster"]) == _SANDBOX


def prepare_for_sandbox(args: Mapping[str, Any]) -> None:
    """Let an ordinary user make the nodes of a sandbox, if these are what is asked for: this process goes on as root
    of a user namespace, in the same place and as the same process.

    To be called before anything is made, and while there is a single thread. Ends the program with one line when the
    kernel does not allow it. Whoever has the rights already keeps them as they are, so a second call does nothing.

    Args:
        args: the options of a run.
    """
    if not is_sandbox(args) or any(args[name] for name in _WITHOUT_NODES):
        return
    # Only users of a sandbox need them
    from ducktape.cluster.sandbox.client import SandboxError
    from ducktape.cluster.sandbox.userns import enter_user_namespace

    try:
        enter_user_namespace()
    except SandboxError as error:
        give_up(str(error))


def _check_host_keys_as_asked(args: Mapping[str, Any]) -> None:
    """Let all accounts know how the keys of SSH servers are checked; ends the program when that cannot be."""
    if full_name(args["cluster"]) in (_SANDBOX, _LOCALHOST):
        return
    # A session that is resumed may be older than the options.
    mode, file = args.get("host_keys"), args.get("known_hosts")
    if file and mode != ACCEPT_NEW and not os.path.isfile(os.path.expanduser(file)):
        give_up(f"--known-hosts: there is no file {file}")
    tell_processes(mode, file, args["results_root"], os.environ)


def make_cluster(args: dict[str, Any]) -> Any:
    """Construct the cluster; ends the program when that fails.

    Args:
        args: the options of a run.
    """
    _check_host_keys_as_asked(args)
    try:
        make = cluster_class(args["cluster"])
        keywords: dict[str, Any] = {"cluster_file": args["cluster_file"]}
        if args["ssh_checker_function"]:
            keywords["ssh_exception_checks"] = [load_function(path) for path in args["ssh_checker_function"]]
        # Only when they are asked for: classes of users need not know them.
        if args["lease"]:
            keywords["lease_dir"] = args["lease"]
        if args["check_nodes"]:
            keywords["check_nodes"] = True
        return make(**keywords)
    except UnknownClusterError as error:
        give_up(f"Failed to load cluster:  {ValueError} {error}", error=False)
    except Exception as error:
        told = mistake_in_cluster_file(error) or advice_without_vagrant(error, args)
        detail = f"\n{traceback.format_exc(limit=_TRACEBACK_LIMIT)}" if told is None else f" {told}"
        give_up(f"Failed to load cluster:  {type(error)}{detail}", error=False)
