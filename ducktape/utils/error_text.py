# SPDX-License-Identifier: Apache-2.0
"""Exceptions as people read them: their class and their text in one line."""

from __future__ import annotations

_LONGEST = 300


def short_text(error: BaseException) -> str:
    """Return class and text of an exception as one line of limited length; never raises, never empty."""
    if isinstance(error, KeyboardInterrupt):
        return "it took too long, or the run was interrupted"
    try:
        text = " ".join(str(error).split())
    except Exception:  # it is shown, not obeyed
        text = ""
    line = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "..."
