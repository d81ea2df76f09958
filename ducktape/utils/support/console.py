# SPDX-License-Identifier: Apache-2.0
"""Makes the standard streams usable, however the program was started."""

from __future__ import annotations

import contextlib
import io
import os
import select
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Lenient(io.FileIO):
    """A descriptor that accepts all data; after the first error, which is kept, data are discarded."""

    trouble: OSError | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        """Write everything, and return its length."""
        left = memoryview(data).cast("B")
        length = len(left)
        while left and self.trouble is None:
            try:
                written = super().write(left)
            except OSError as error:
                self.trouble = error
                break
            if written is None:  # another process has made the terminal non-blocking
                select.select([], [self.fileno()], [])
                continue
            left = left[written:]
        return length


def make_streams_usable() -> None:
    """Make the standard streams of this process usable without errors, before any file is opened.

    Closed standard descriptors are redirected to ``/dev/null``, or the next opened file would get their numbers, and
    the output. Closed readers and full disks raise no errors. Characters that the console does not support become
    escape sequences. Streams that were replaced are not changed.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null == descriptor:  # it was the lowest free number
                os.set_inheritable(null, True)
            else:
                os.dup2(null, descriptor)
                os.close(null)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  # for as long as the process lives
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None or (stream is getattr(sys, f"__{name}__") and not isinstance(_raw(stream), _Lenient)):
            setattr(sys, name, _lenient(stream, descriptor))


def lost_output() -> OSError | None:
    """Return the error of standard output, if data were lost; a closed reader (``| head``) is not an error."""
    trouble = getattr(_raw(sys.stdout), "trouble", None)
    with contextlib.suppress(AttributeError, ValueError):
        sys.stdout.flush()
        trouble = getattr(_raw(sys.stdout), "trouble", None)
    return None if isinstance(trouble, BrokenPipeError) else trouble


def _lenient(stream: TextIO | None, descriptor: int) -> io.TextIOWrapper:
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


def _raw(stream: object) -> object:
    buffer = getattr(stream, "buffer", None)
    return getattr(buffer, "raw", buffer)
