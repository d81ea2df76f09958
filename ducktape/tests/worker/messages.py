# SPDX-License-Identifier: Apache-2.0
"""The worker's end of the pipe to the driver."""

from __future__ import annotations

import os
import threading
from multiprocessing.connection import Connection

from ducktape.tests.event import Message, encode
from ducktape.tests.recording.bounds import substitute


class MessageWriter:
    """Writes whole messages into the pipe, from any thread of this very process; never raises."""

    def __init__(self, writer: Connection, most_bytes: int) -> None:
        self._writer = writer
        self._most_bytes = most_bytes
        self._pipe = _identity(writer.fileno())
        self._lock = threading.RLock()
        self._busy = False
        self._gone = False
        self._pid = os.getpid()

    def send(self, message: Message) -> None:
        if os.getpid() != self._pid:
            return  # a fork of the test is not the test
        with self._lock:
            if self._busy:
                # A signal handler interrupted this very thread in the middle of a line; only signs of life and log
                # lines come from there, and they can be missed.
                return
            self._busy = True
            try:
                line = encode(message)
                if len(line) > self._most_bytes:
                    smaller = substitute(message, len(line), self._most_bytes)
                    line = b"" if smaller is None else encode(smaller)
                self._write(line)
            except OSError:
                self._gone = True  # the driver is dead, or the test closed the pipe: the rest happens in silence
            finally:
                self._busy = False

    def _write(self, line: bytes) -> None:
        if self._gone or _identity(self._writer.fileno()) != self._pipe:
            return  # a test that closes what it does not know may have given the number to a file of its own
        view = memoryview(line)
        while view:
            view = view[os.write(self._writer.fileno(), view) :]


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino
