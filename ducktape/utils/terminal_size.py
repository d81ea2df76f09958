# SPDX-License-Identifier: Apache-2.0
"""The size of the terminal."""

from __future__ import annotations

import contextlib
import os

_FALLBACK_COLUMNS = 80
_FALLBACK_ROWS = 25


def get_terminal_size() -> tuple[int, int]:
    """Return columns and rows of the terminal.

    Queries standard input, output and error, then the controlling terminal, then the environment variables ``COLUMNS``
    and ``LINES``; 80 by 25 by default. Both numbers are greater than zero.
    """
    for descriptor in (0, 1, 2, None):
        with contextlib.suppress(OSError, ValueError):
            columns, rows = _measured(descriptor)
            if columns > 0:
                return columns, rows if rows > 0 else _FALLBACK_ROWS
    return _from_environment("COLUMNS", _FALLBACK_COLUMNS), _from_environment("LINES", _FALLBACK_ROWS)


def _measured(descriptor: int | None) -> tuple[int, int]:
    """Return the size of a terminal, by default of the controlling one; raises ``OSError`` without one."""
    if descriptor is not None:
        return os.get_terminal_size(descriptor)
    descriptor = os.open(os.ctermid(), os.O_RDONLY | os.O_NOCTTY)
    try:
        return os.get_terminal_size(descriptor)
    finally:
        os.close(descriptor)


def _from_environment(name: str, fallback: int) -> int:
    try:
        value = int(os.environ.get(name, ""))
    except ValueError:
        return fallback
    return value if value > 0 else fallback
