# SPDX-License-Identifier: Apache-2.0
"""Tracebacks within summaries: which frames are those of the framework."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

import ducktape
from ducktape.tests.reports.text import headline

_FRAME = '  File "'
_WITHIN_FRAME = ("    ", "  [")
_OWN_FRAME = f"{_FRAME}{os.path.dirname(os.path.abspath(ducktape.__file__))}{os.sep}"
# The run may have used another installation than the program that shows its results
_INSTALLED_FRAME = re.compile(rf'{_FRAME}[^"]*[\\/](?:site|dist)-packages[\\/]ducktape[\\/]')
# A traceback that is longer hardly ever differs from others after that
_BEGINNING = 1 << 16
_LINE_NUMBER = re.compile(r", line \d+")
# What differs between two occurrences of one problem: numbers, addresses, ids
_CHANGING = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-f]{8,}\b|\d+")


class Part(NamedTuple):
    """Whole lines of a summary; ``frames`` is their number of frames if all of them are the framework's, else 0."""

    text: str
    frames: int


def is_frame(line: str) -> bool:
    """Return whether a line of a traceback begins a frame."""
    return line.startswith(_FRAME)


def is_frame_of_framework(line: str) -> bool:
    """Return whether a line begins a frame whose code belongs to ducktape."""
    return line.startswith(_OWN_FRAME) or _INSTALLED_FRAME.match(line) is not None


def parts(summary: str) -> list[Part]:
    """Return a summary in parts, such that frames of the framework are apart from everything else.

    A traceback that has no other frames stays whole: its frames are all there is to see.
    """
    if not any(is_frame(line) and not is_frame_of_framework(line) for line in summary.split("\n")):
        return [Part(summary, 0)]
    found: list[Part] = []
    for text, frames in _pieces(summary):
        if found and bool(found[-1].frames) == bool(frames):
            found[-1] = Part(f"{found[-1].text}\n{text}", found[-1].frames + frames)
        else:
            found.append(Part(text, frames))
    return found


def last_own_frame(summary: str) -> str:
    """Return the line of the last frame that is not the framework's, without its number; empty if there is none."""
    lines = reversed(summary[:_BEGINNING].split("\n"))
    own = (line for line in lines if is_frame(line) and not is_frame_of_framework(line))
    return _LINE_NUMBER.sub("", next(own, "")).strip()


def cause_of_failure(reason: str, summary: str) -> tuple[str, str, str]:
    """Return what similar failures have in common: reason, first words without numbers, and last frame of users."""
    return reason, _CHANGING.sub("#", headline(summary)), last_own_frame(summary)


def _pieces(summary: str) -> Iterator[Part]:
    """Yield every frame of the framework, and what is between those."""
    lines = summary.split("\n")
    start = 0
    while start < len(lines):
        of_framework = is_frame_of_framework(lines[start])
        end = start + 1
        if of_framework:
            while end < len(lines) and lines[end].startswith(_WITHIN_FRAME):
                end += 1
        else:
            while end < len(lines) and not is_frame_of_framework(lines[end]):
                end += 1
        yield Part("\n".join(lines[start:end]), int(of_framework))
        start = end
