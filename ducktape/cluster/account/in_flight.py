# SPDX-License-Identifier: Apache-2.0
"""Remote commands that have not ended, for the summary of a test whose time is over."""

from __future__ import annotations

import contextlib
import itertools
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from ducktape.utils.support.masking import masked_word
from ducktape.utils.support.text import one_line

_MOST = 10
_LONGEST = 200
_BACKGROUND = re.compile(r"(?<![&>|])&(?![&>])")


@dataclass(frozen=True)
class _Command:
    account: str
    text: str
    began: float = field(default_factory=time.monotonic)

    def __str__(self) -> str:
        shown = one_line(" ".join(map(masked_word, self.text.split())), _LONGEST)
        text = f"{self.account}, for {time.monotonic() - self.began:.0f} s: {shown}"
        if _BACKGROUND.search(self.text):
            text += "\n    (a background command must redirect its output: command >log 2>&1 &)"
        return text


_numbers = itertools.count()
_running: dict[int, _Command] = {}
_interrupted: list[_Command] = []


@contextlib.contextmanager
def in_flight(account: object, command: str) -> Iterator[None]:
    """Register a command while a block waits for its end; remember it if the block is interrupted."""
    number = next(_numbers)
    _running[number] = registered = _Command(str(account), command)
    try:
        yield
    except KeyboardInterrupt:
        _interrupted.append(registered)
        raise
    finally:
        del _running[number]


def unended_commands() -> list[str]:
    """Return a text for each command that was interrupted or is still running, and forget the former."""
    interrupted, _interrupted[:] = list(_interrupted), []
    return [str(command) for command in [*interrupted, *_running.values()]][:_MOST]
