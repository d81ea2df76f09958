# SPDX-License-Identifier: Apache-2.0
"""The steps that a run has in common with the subcommands."""

from __future__ import annotations

import sys
import traceback
from typing import Any, NoReturn

from ducktape.cluster.cluster_file import mistake_in_cluster_file
from ducktape.command_line.defaults import ConsoleDefaults
from ducktape.command_line.parse_args import parse_args
from ducktape.utils.util import load_function

_TRACEBACK_LIMIT = 16


def give_up(message: str, *, error: bool = True) -> NoReturn:
    """End the program because of something that the user can mend.

    Args:
        message: what it is.
        error: say it on standard error, not on standard output.
    """
    print(message, file=sys.stderr if error else sys.stdout)
    sys.exit(1)


def read_options(argv: list[str]) -> dict[str, Any]:
    """Return the options of a run; ends the program when a configuration file cannot be read.

    Args:
        argv: the command line.
    """
    try:
        return parse_args(argv)
    except OSError as error:
        give_up(f"Cannot read the configuration file {error.filename}: {error.strerror}")
    except UnicodeDecodeError as error:
        give_up(f"A configuration file is not UTF-8 text: {error}")


def make_cluster(args: dict[str, Any]) -> Any:
    """Construct the cluster; ends the program when that fails.

    Args:
        args: the options of a run.
    """
    import importlib

    try:
        module_name, dot, class_name = args["cluster"].rpartition(".")
        if not dot:
            raise ValueError(
                f"--cluster takes the name of a class with its module, as in {ConsoleDefaults.CLUSTER_TYPE}"
            )
        keywords: dict[str, Any] = {"cluster_file": args["cluster_file"]}
        if args["ssh_checker_function"]:
            keywords["ssh_exception_checks"] = [load_function(path) for path in args["ssh_checker_function"]]
        # Only when they are asked for: classes of users need not know them.
        if args["lease"]:
            keywords["lease_dir"] = args["lease"]
        if args["check_nodes"]:
            keywords["check_nodes"] = True
        return getattr(importlib.import_module(module_name), class_name)(**keywords)
    except Exception as error:
        mistake = mistake_in_cluster_file(error)
        if mistake is not None:
            give_up(f"Failed to load cluster:  {type(error)} {mistake}", error=False)
        give_up(f"Failed to load cluster:  {type(error)}\n{traceback.format_exc(limit=_TRACEBACK_LIMIT)}", error=False)
