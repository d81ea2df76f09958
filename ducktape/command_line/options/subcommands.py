# SPDX-License-Identifier: Apache-2.0
"""What the program does besides running tests, and how that is recognised."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
from collections.abc import Callable

from ducktape.command_line.parse_args import create_ducktape_parser

# The module of each has a function `main`, which takes the whole command line and returns the exit code.
_MODULES = {"doctor": "ducktape.command_line.doctor.command", "report": "ducktape.command_line.report.command"}


def find_subcommand(argv: list[str]) -> Callable[[list[str]], int] | None:
    """Return what a command line asks for instead of a run; imports nothing else.

    Only the first positional argument counts, and only its exact name: ``./doctor`` is a path of tests. A line
    on standard error says so where there is one.

    Args:
        argv: the command line.

    Returns:
        A function of the command line that returns the exit code; ``None`` for a run.
    """
    if not any(name in argv for name in _MODULES):
        return None
    name = _first_positional(argv)
    module = _MODULES.get(name)
    if module is None:
        return None
    if os.path.exists(name):
        print(f"{name} is taken for the subcommand: the path of that name here is written ./{name}", file=sys.stderr)
    found: Callable[[list[str]], int] = importlib.import_module(module).main
    return found


def _first_positional(argv: list[str]) -> str:
    if not argv[0].startswith("-"):
        return argv[0]
    # Only the options of a run say which words are their values. A wrong one is reported by whoever is called then.
    arguments = [argument for argument in argv if argument not in ("-h", "--help")]
    with contextlib.suppress(SystemExit), contextlib.redirect_stderr(io.StringIO()):
        paths = create_ducktape_parser().parse_known_args(arguments)[0].test_path
        return str(paths[0])
    return ""
