# SPDX-License-Identifier: Apache-2.0
"""The failed tests as symbols and as a suite file."""

from __future__ import annotations

import functools
import json
import os
import shlex
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from ducktape.tests.status import FAIL

if TYPE_CHECKING:
    from ducktape.tests.result import TestResult, TestResults


# Above this the suite file says the same in less
_MOST_ABSOLUTE = 100
# Options without which the same test would run on other nodes, or with other values
_SAY_WHERE = ("--cluster", "--cluster-file", "--config-file", "--globals")


def symbol(result: TestResult, directory: str) -> str:
    """Return the symbol of a test with its path as seen from a directory: ``path::Class.method@{"argument":1}``.

    The result of a file that cannot be imported selects the whole file.
    """
    return _symbol(result, lambda file: _seen_from(file, directory))


def command(result: TestResult, argv: Sequence[str], directory: str | None = None) -> str:
    """Return the command that runs a test again, ready to be pasted into a shell.

    Args:
        result: the result of the test.
        argv: the arguments of its session; those that say what the tests run on are repeated.
        directory: the path of the test is as seen from here; by default it is absolute.
    """
    spelled = os.path.abspath if directory is None else functools.partial(_seen_from, directory=directory)
    words = ["ducktape", _symbol(result, spelled)]
    for number, word in enumerate(argv):
        if word in _SAY_WHERE:
            words += argv[number : number + 2]
        elif word.startswith(tuple(f"{name}=" for name in _SAY_WHERE)):
            words.append(word)
    return shlex.join(words)


def _symbol(result: TestResult, spelled: Callable[[str], str]) -> str:
    path = spelled(result.file_name) if result.file_name else result.module_name
    if not result.cls_name:
        return path
    name = f"{path}::{result.cls_name}.{result.function_name}"
    if not result.injected_args:
        return name
    return f"{name}@{result.symbol_arguments or json.dumps(result.injected_args, separators=(',', ':'))}"


def console(results: TestResults, working_dir: str, suite_file: str, width: int) -> str:
    """Return the text that the program prints about the failed tests at its end, for readers in ``working_dir``."""
    separator = "=" * width
    # Before the symbols that begin in this directory: those have always been the last line of all
    elsewhere = _failed(results, os.path.abspath)
    if len(elsewhere) > _MOST_ABSOLUTE:
        elsewhere = [suite_file]
    lines = [
        separator,
        "FAILED TESTS",
        "In any other directory, pass these to your ducktape run",
        _joined(elsewhere),
        separator,
        "FAILED TEST SUITE",
        f"Test suite to rerun failed tests: {suite_file}",
        separator,
        "FAILED TEST SYMBOLS",
        "Pass the test symbols below to your ducktape run",
        _joined(_failed(results, lambda file: _seen_from(file, working_dir))),
    ]
    return "\n".join(lines)


def suite(results: TestResults, directory: str) -> str:
    """Return a suite file, named after the session, with the tests that failed, as seen from the file's directory."""
    directory = os.path.abspath(directory)

    def spelled(file: str) -> str:
        # With nothing but the root in common the two are moved, copied and mounted independently
        if os.path.commonpath([os.path.abspath(file), directory]) == os.path.abspath(os.sep):
            return os.path.abspath(file)
        # Through a symbolic link "../.." leads elsewhere than it seems
        relative = os.path.relpath(file, directory)
        if os.path.relpath(os.path.realpath(file), os.path.realpath(directory)) != relative:
            return os.path.abspath(file)
        return _seen_from(file, directory)

    # Sessions without a failure need no suite
    import yaml

    content = {str(results.session_context.session_id): _failed(results, spelled)}
    return yaml.safe_dump(content, indent=4, default_flow_style=False, width=float("inf"))


def _failed(results: TestResults, spelled: Callable[[str], str]) -> list[str]:
    # Thousands of tests are in few files
    once = functools.cache(spelled)
    symbols = (_symbol(result, once) for result in results if result.test_status == FAIL)
    return list(dict.fromkeys(symbols))


def _seen_from(file: str, directory: str) -> str:
    """Spell a path relative to a directory, or absolutely where that is impossible."""
    try:
        relative = os.path.relpath(file, directory)
    except ValueError:
        return os.path.abspath(file)
    # At the beginning of an argument a dash would make it an option
    return os.path.join(os.curdir, relative) if relative.startswith("-") else relative


def _joined(symbols: Iterable[str]) -> str:
    # shlex.quote would leave ordinary symbols bare; readers and scripts expect quotes around each of them
    return " ".join("'" + symbol.replace("'", "'\"'\"'") + "'" for symbol in symbols)
