# SPDX-License-Identifier: Apache-2.0
"""The size of the terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator

_FALLBACK_COLUMNS = 80
_FALLBACK_ROWS = 25


def get_terminal_size() -> tuple[int, int]:
    """Return columns and rows of the terminal.

    Queries standard input, output and error, then the controlling terminal, then the environment variables ``COLUMNS``
    and ``LINES``; 80 by 25 by default. Both numbers are greater than zero.
    """
    for columns, rows in _measured():
        if columns > 0:
            return columns, rows if rows > 0 else _FALLBACK_ROWS
    return _from_environment("COLUMNS", _FALLBACK_COLUMNS), _from_environment("LINES", _FALLBACK_ROWS)


def _measured() -> Iterator[tuple[int, int]]:
    for descriptor in (0, 1, 2):
        yield _measure(descriptor)
    yield _measure_controlling_terminal()


def _measure(descriptor: int) -> tuple[int, int]:
    try:
        size = os.get_terminal_size(descriptor)
    except (OSError, ValueError):
        return 0, 0
    return size.columns, size.lines


def _measure_controlling_terminal() -> tuple[int, int]:
    if not hasattr(os, "ctermid"):
        return 0, 0
    try:
        descriptor = os.open(os.ctermid(), os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return 0, 0
    try:
        return _measure(descriptor)
    finally:
        os.close(descriptor)


def _from_environment(name: str, fallback: int) -> int:
    try:
        value = int(os.environ.get(name, ""))
    except ValueError:
        return fallback
    return value if value > 0 else fallback
