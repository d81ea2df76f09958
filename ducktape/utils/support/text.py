# SPDX-License-Identifier: Apache-2.0
"""Texts for people: shortened ones, and exceptions with their class, since ``KeyError: 1`` says more than ``1``."""

from __future__ import annotations

from ducktape.errors import DucktapeError
from ducktape.utils.support.guard import value_or

_LONGEST = 300


def shorten(text: str, longest: int = _LONGEST, *, mark: str = "...") -> str:
    """Return a text, or its first ``longest`` characters and a mark that the rest is missing."""
    return text if len(text) <= longest else f"{text[:longest]}{mark}"


def one_line(text: str, longest: int = _LONGEST) -> str:
    """Return a text of any number of lines as one line of limited length."""
    return shorten(" ".join(text.split()), longest)


def class_and_text(error: BaseException) -> str:
    """Return class and text of an exception, which may be several lines; never raises, never empty."""
    text = value_or("", str, error).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def reason_of(error: BaseException) -> str:
    """Return the text of an error of the system or the framework, which is for people; of others their class, too."""
    speaks_for_itself = isinstance(error, (OSError, DucktapeError)) and str(error).strip()
    return str(error).strip() if speaks_for_itself else class_and_text(error)


def short_text(error: BaseException) -> str:
    """Return class and text of an exception as one line of limited length; never raises, never empty."""
    if isinstance(error, KeyboardInterrupt):
        return "it took too long, or the run was interrupted"
    return one_line(class_and_text(error))
