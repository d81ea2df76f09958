# SPDX-License-Identifier: Apache-2.0
"""What suites in the wild do although it is probably a mistake: a warning, or with ``--strict`` an error."""

from __future__ import annotations

import dataclasses
import threading
import warnings
from collections.abc import Callable

from ducktape.errors import CompatibilityWarning
from ducktape.utils.support.text import one_line

_MOST_WARNINGS = 1000  # of one session; tests may make up any number
_LONGEST_WARNING = 1000


@dataclasses.dataclass
class _Register:
    """What this process knows: whether it is strict, who shows warnings, and which of them were seen."""

    strict: bool = False
    show: Callable[[str], None] | None = None
    seen: set[str] = dataclasses.field(default_factory=set)
    held: list[str] = dataclasses.field(default_factory=list)
    lock: threading.RLock = dataclasses.field(default_factory=threading.RLock)


# As the filters of the standard library's warnings are: templates and marks know of no session
_register = _Register()


def hold() -> None:
    """Keep warnings until :func:`begin` says who shows them: there is no log yet."""
    _register.show = _register.held.append


def begin(*, strict: bool, show: Callable[[str], None] | None) -> None:
    """Say how this process treats what it tolerates; what was seen before is not shown again.

    Args:
        strict: raise everything as an error.
        show: takes each warning once, as one line; ``None`` leaves them to the standard library's ``warnings``.
    """
    _register.strict = strict
    _register.show = show
    _register.lock = threading.RLock()  # of a process that was forked while another thread held it
    held, _register.held = _register.held, []
    if show is not None:
        for warning in held:
            show(warning)


def tolerate(problem: str, file: str, line: int = 0, *, once_for: str = "") -> None:
    """Let something pass that is probably a mistake, with a warning once per place and text.

    Args:
        problem: what it is and what to do, in one line.
        file: where it stands.
        line: number of the line, from 1; 0 if it is not known.
        once_for: what else to warn of once only, wherever it stands.

    Raises:
        CompatibilityWarning: this process is strict.
    """
    warning = f"{file}:{line}: {problem}" if line else f"{file}: {problem}"
    if _register.strict:
        raise CompatibilityWarning(_one_line(warning))
    if _register.show is None:
        warnings.warn_explicit(_one_line(problem), CompatibilityWarning, file, line)
        return
    show_once(warning, once_for)


def show_once(warning: str, once_for: str = "") -> None:
    """Show a warning, of this process or of one that it started, unless it was shown before.

    Args:
        warning: the line, beginning with the place.
        once_for: what it is known by; the line itself by default.
    """
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
