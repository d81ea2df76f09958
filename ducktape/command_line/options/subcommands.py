# SPDX-License-Identifier: Apache-2.0
"""The subcommands of the program, and how a command line names one."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable

from ducktape.command_line.options.errors import UsageError
from ducktape.command_line.options.options import RaisingParser, build_parser
from ducktape.utils.support.similar import closest

_NAMES = ("compare", "doctor", "history", "init", "nodes", "release", "report", "shell")
# The module of each has a function `main`, which takes the whole command line and returns the exit code.
SUBCOMMANDS = {name: f"ducktape.command_line.{name}.command" for name in _NAMES}
_RESEMBLANCE = 0.75


def find_subcommand(argv: list[str]) -> Callable[[list[str]], int] | None:
    """Return the subcommand that a command line names, a function that returns the exit code; imports nothing else.

    Only the first positional argument counts, and only its exact name: ``./doctor`` is a path of tests. Where such a
    path exists, a line on standard error says how to write it.

    Raises:
        UsageError: the command line begins with a word that is no path but resembles a subcommand.
    """
    if not any(name in argv for name in SUBCOMMANDS):
        if argv:
            _refuse_misspelt(argv[0])
        return None
    name = argv[0]
    if name.startswith("-"):
        # Only the options of a run tell which words are their values. A wrong one is reported when it is parsed again.
        arguments = [argument for argument in argv if argument not in ("-h", "--help")]
        try:
            values, _ = build_parser({"test_path": [""]}, RaisingParser).parse_known_args(arguments)
        except UsageError:
            return None
        name = str(values.test_path[0])
    module = SUBCOMMANDS.get(name)
    if module is None:
        return None
    if os.path.exists(name):
        print(f"{name} is taken for the subcommand: the path of that name here is written ./{name}", file=sys.stderr)
    found: Callable[[list[str]], int] = importlib.import_module(module).main
    return found


def _refuse_misspelt(word: str) -> None:
    meant = closest(word, SUBCOMMANDS, _RESEMBLANCE) if word.isalpha() and not os.path.exists(word) else None
    if meant is not None:
        raise UsageError(f"There is neither a path nor a subcommand {word}: did you mean ducktape {meant}?")


def subcommand_parser(name: str, arguments: str, *, description: str, epilog: str) -> RaisingParser:
    """Return the parser of a subcommand without its own arguments; ``arguments`` is for its usage line."""
    parser = RaisingParser(
        prog="ducktape", usage=f"ducktape {name} {arguments}", description=description, epilog=epilog
    )
    parser.add_argument("subcommand", choices=[name], help=argparse.SUPPRESS)
    return parser
