# SPDX-License-Identifier: Apache-2.0
"""Writes ``report.html`` with the files that it loads on demand."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable

from ducktape.tests.reports.page_logs import DETAILS, Store
from ducktape.utils.support.files import write_atomically

_OURS = re.compile(r"[rt]\d+\.js")


def write(path: str, pieces: Callable[[Store], Iterable[str]]) -> None:
    """Replace the page at a path and its files; the pieces store these, and those of an earlier page are removed."""
    directory = os.path.dirname(path)
    stored: set[str] = set()

    def store(name: str, content: str) -> None:
        os.makedirs(os.path.join(directory, DETAILS), exist_ok=True)
        write_atomically(os.path.join(directory, DETAILS, name), content)
        stored.add(name)

    write_atomically(path, pieces(store))
    with contextlib.suppress(OSError):  # no directory, or it is not empty
        for name in set(filter(_OURS.fullmatch, os.listdir(os.path.join(directory, DETAILS)))) - stored:
            os.unlink(os.path.join(directory, DETAILS, name))
        os.rmdir(os.path.join(directory, DETAILS))
