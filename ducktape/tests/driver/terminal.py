# SPDX-License-Identifier: Apache-2.0
"""The terminal of the run, which a test's debugger may use."""

from __future__ import annotations

import contextlib
import os
from typing import Any

_STDIN = 0


def why_no_debugger(max_parallel: object) -> str:
    """Return why tests of this run cannot open a debugger on the terminal, empty if they can."""
    if not _is_in_foreground():
        return "the run has no terminal"
    if max_parallel != 1:
        return "the run may have several tests at the same time"
    return ""


def _is_in_foreground() -> bool:
    try:
        return os.isatty(_STDIN) and os.tcgetpgrp(_STDIN) == os.getpgrp()
    except OSError:  # it does not control this process
        return False


class Terminal:
    """The settings of the terminal, to restore them after a debugger that could not do so itself."""

    def __init__(self) -> None:
        self._settings: list[Any] | None = None
        if not _is_in_foreground():
            return
        import termios

        with contextlib.suppress(termios.error):
            self._settings = termios.tcgetattr(_STDIN)

    def restore(self) -> None:
        """Set it to what it was at the beginning."""
        if self._settings is None or not _is_in_foreground():
            return
        import termios

        with contextlib.suppress(termios.error):
            termios.tcsetattr(_STDIN, termios.TCSANOW, self._settings)
