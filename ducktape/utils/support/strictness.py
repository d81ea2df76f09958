# SPDX-License-Identifier: Apache-2.0
"""Probable mistakes that existing suites rely on: a warning, or an error with ``--strict``."""

from __future__ import annotations

import dataclasses
import threading
import warnings
from collections.abc import Callable

from ducktape.errors import CompatibilityWarning
from ducktape.utils.support.text import one_line

_MOST_WARNINGS = 1000  # per session; tests may generate any number
_LONGEST_WARNING = 1000


@dataclasses.dataclass
class _Register:
    """The state of this process: strictness, where warnings go, and which were shown."""

    strict: bool = False
    show: Callable[[str], None] | None = None
    seen: set[str] = dataclasses.field(default_factory=set)
    held: list[str] = dataclasses.field(default_factory=list)
    lock: threading.RLock = dataclasses.field(default_factory=threading.RLock)


# Global like the filters of the warnings module, since templates and marks know no session
_register = _Register()


def hold() -> None:
    """Keep warnings until :func:`begin`, while there is no log."""
    _register.show = _register.held.append


def begin(*, strict: bool, show: Callable[[str], None] | None) -> None:
    """Set whether probable mistakes are errors, and what shows each warning (``None``: the ``warnings`` module)."""
    _register.strict = strict
    _register.show = show
    _register.lock = threading.RLock()  # may have been held during a fork
    held, _register.held = _register.held, []
    if show is not None:
        for warning in held:
            show(warning)


def tolerate(problem: str, file: str, line: int = 0, *, once_for: str = "") -> None:
    """Warn of a probable mistake, once per location and text or per ``once_for``; an error in a strict process."""
    warning = f"{file}:{line}: {problem}" if line else f"{file}: {problem}"
    if _register.strict:
        raise CompatibilityWarning(_one_line(warning))
    if _register.show is None:
        warnings.warn_explicit(_one_line(problem), CompatibilityWarning, file, line)
        return
    show_once(warning, once_for)


def show_once(warning: str, once_for: str = "") -> None:
    """Show a warning of this process or a child, unless one with the same key (by default the line) was shown."""
    line = _one_line(warning)
    with _register.lock:
        known_by = once_for or line
        if known_by in _register.seen or len(_register.seen) >= _MOST_WARNINGS:
            return
        _register.seen.add(known_by)
    if _register.show is None:
        warnings.warn(line, CompatibilityWarning, stacklevel=2)
        return
    _register.show(line)


def _one_line(text: str) -> str:
    # Names and values come from files: no escape sequence reaches a terminal, and every encoding can carry the line
    shown = one_line(text, _LONGEST_WARNING)
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in shown)
