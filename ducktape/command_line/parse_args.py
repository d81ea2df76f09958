# SPDX-License-Identifier: Apache-2.0
"""The options of the program, for its own use and for programs that read them."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ducktape.command_line.options.config_file import read_words
from ducktape.command_line.options.errors import UsageError
from ducktape.command_line.options.layers import given_options, load_options, user_config_file
from ducktape.command_line.options.options import Options, build_parser


def create_ducktape_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; has no side effects."""
    return build_parser(vars(Options()), argparse.ArgumentParser)


def get_user_config_file(args: list[str]) -> str:
    """Return the path of the user's own file of options.

    Args:
        args: the command line.

    Raises:
        SystemExit: an option is wrong.
    """
    try:
        return user_config_file(given_options(args))
    except UsageError as error:
        error.show()
        sys.exit(error.exit_code)


def config_file_to_args_list(config_file: str | None) -> list[str]:
    """Return the content of a file of options, as a command line.

    Args:
        config_file: path of an existing file. Options are written as on the command line, any number on a line. Quotes
            work as in a shell, JSON needs none, ``#`` begins a comment.

    Raises:
        RuntimeError: no path was given.
        OSError: the file cannot be read, or is not UTF-8 text.
    """
    if config_file is None:
        raise RuntimeError("config_file is None")
    return [word.text for word in read_words(config_file)]


def parse_non_default_args(
    parser: argparse.ArgumentParser, defaults: dict[str, Any], args: list[str]
) -> dict[str, Any]:
    """Parse arguments and return those that differ from the defaults.

    Args:
        parser: of the command line.
        defaults: value of every option that is not given.
        args: a command line.
    """
    parsed = vars(parser.parse_args(args))
    return {key: value for key, value in parsed.items() if key not in defaults or value != defaults[key]}


def parse_args(args: list[str]) -> dict[str, Any]:
    """Return the value of every option: the command line wins over the user's file, that over the project's file.

    Args:
        args: the command line. An empty one prints the help and ends the program, like ``--help`` and ``--version``.

    Raises:
        SystemExit: there is nothing to run, or an option is wrong.
        OSError: a configuration file cannot be read, or the one that the command line names does not exist.
    """
    try:
        options = load_options(args)
    except UsageError as error:
        error.show()
        sys.exit(error.exit_code)
    if options is None:
        sys.exit(0)
    return dict(vars(options))
