# SPDX-License-Identifier: Apache-2.0
"""What failed, in the form in which the program takes tests to run: symbols and a suite file."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import yaml

from ducktape.tests.status import FAIL

if TYPE_CHECKING:
    from ducktape.tests.result import TestResult, TestResults


def symbol(result: TestResult, directory: str, *, only_near: bool = False) -> str:
    """Return the symbol that selects the test of a result.

    Args:
        result: the result; that of a file which cannot be imported selects the whole file.
        directory: absolute path of the directory from which the file's path is seen.
        only_near: give the absolute path if the two have nothing but the root in common.

    Returns:
        ``path``, ``path::Class.method`` or ``path::Class.method@{"argument":1}``.
    """
    path = _path(result.file_name, directory, only_near=only_near) if result.file_name else result.module_name
    if not result.cls_name:
        return path
    name = f"{path}::{result.cls_name}.{result.function_name}"
    if not result.injected_args:
        return name
    return f"{name}@{json.dumps(result.injected_args, separators=(',', ':'))}"


def console(results: TestResults, working_dir: str, suite_file: str, width: int) -> str:
    """Return what the program prints about the failed tests at its end.

    Args:
        results: the results of the session.
        working_dir: absolute path from which the reader will start the program.
        suite_file: absolute path of the file that has the text of ``suite``.
        width: length of the separators.
    """
    separator = "=" * width
    lines = [
        separator,
        "FAILED TEST SUITE",
        f"Test suite to rerun failed tests: {suite_file}",
        separator,
        "FAILED TEST SYMBOLS",
        "Pass the test symbols below to your ducktape run",
        " ".join(_quoted(name) for name in _failed(results, working_dir, only_near=False)),
    ]
    return "\n".join(lines)


def suite(results: TestResults, directory: str) -> str:
    """Return a suite file, named after the session, with the tests that failed.

    Args:
        results: the results of the session.
        directory: absolute path of the directory in which the file will be: entries are resolved from there.
    """
    content = {str(results.session_context.session_id): _failed(results, directory, only_near=True)}
    return yaml.safe_dump(content, indent=4, default_flow_style=False, width=float("inf"))


def _failed(results: TestResults, directory: str, *, only_near: bool) -> list[str]:
    symbols = (symbol(result, directory, only_near=only_near) for result in results if result.test_status == FAIL)
    return list(dict.fromkeys(symbols))


def _path(file: str, directory: str, *, only_near: bool) -> str:
    """Spell a path relative to a directory, or absolutely where that is impossible or (``only_near``) fragile."""
    try:
        relative = os.path.relpath(file, directory)
    except ValueError:
        return file
    # With nothing but the root in common the two are moved, copied and mounted independently
    if only_near and os.path.commonpath([file, directory]) == os.path.abspath(os.sep):
        return file
    return relative


def _quoted(text: str) -> str:
    # shlex.quote would leave ordinary symbols bare; readers and scripts expect quotes around each of them
    return "'" + text.replace("'", "'\"'\"'") + "'"
