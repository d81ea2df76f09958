# SPDX-License-Identifier: Apache-2.0
"""Standard streams that can be used whatever the program was started with."""

from __future__ import annotations

import contextlib
import io
import os
import select
import sys
from typing import Any


class _Lenient(io.FileIO):
    """A descriptor that takes everything: what goes wrong first is remembered, and what follows is dropped."""

    trouble: OSError | None = None

    def write(self, data: Any, /) -> int:
        """Write everything, and return its length."""
        left = memoryview(data).cast("B")
        length = len(left)
        while left and self.trouble is None:
            try:
                written = super().write(left)
            except OSError as error:
                self.trouble = error
                break
            if written is None:  # somebody who shares the terminal made it non-blocking
                select.select([], [self.fileno()], [])
                continue
            left = left[written:]
        return length


def make_streams_usable() -> None:
    """Let this process read, print and complain without errors; called before anything else opens a file.

    A standard descriptor that is closed becomes ``/dev/null``: the next file to be opened would get its number, and
    everything that is printed. A reader that goes away, or a disk that is full, raises nothing any more. Characters
    that the console does not know become escape sequences. Streams that a program has replaced are left alone.
    """
    for descriptor in range(3):
        _open_if_closed(descriptor)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  # for as long as the process lives
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None or (stream is getattr(sys, f"__{name}__") and not _is_lenient(stream)):
            setattr(sys, name, _lenient(stream, descriptor))


def lost_output() -> OSError | None:
    """Return why standard output did not take everything; a reader that has gone (``| head``) is no such reason."""
    trouble = getattr(_raw(sys.stdout), "trouble", None)
    with contextlib.suppress(AttributeError, ValueError):
        sys.stdout.flush()
        trouble = getattr(_raw(sys.stdout), "trouble", None)
    return None if isinstance(trouble, BrokenPipeError) else trouble


def _open_if_closed(descriptor: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        null = os.open(os.devnull, os.O_RDWR)
        if null == descriptor:  # the lowest number that is free
            os.set_inheritable(null, True)
            return
        os.dup2(null, descriptor)
        os.close(null)


def _lenient(stream: Any, descriptor: int) -> io.TextIOWrapper:
    unbuffered = bool(getattr(stream, "write_through", False))
    if stream is not None:
        with contextlib.suppress(OSError):
            stream.flush()
        descriptor = stream.fileno()
    raw = _Lenient(descriptor, "w", closefd=False)
    return io.TextIOWrapper(
        raw if unbuffered else io.BufferedWriter(raw),
        encoding=getattr(stream, "encoding", None) or "utf-8",
        errors="backslashreplace",
        line_buffering=bool(getattr(stream, "line_buffering", False)),
        write_through=unbuffered,
    )


def _is_lenient(stream: Any) -> bool:
    return isinstance(_raw(stream), _Lenient)


def _raw(stream: Any) -> Any:
    buffer = getattr(stream, "buffer", None)
    return getattr(buffer, "raw", buffer)
