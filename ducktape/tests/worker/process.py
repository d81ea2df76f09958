# SPDX-License-Identifier: Apache-2.0
"""The process of a test: it leads its own session, runs the request, sends messages, and ends with the driver."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from multiprocessing.connection import Connection

from ducktape.tests.driver.failure_cause import Cause, describe_exception, failed
from ducktape.tests.event import Finished, Message, encode
from ducktape.tests.recording.bounds import ROOM_BESIDE_DATA, substitute
from ducktape.tests.runner_client import run_clean_up, run_client
from ducktape.tests.worker.request import CleanUpRequest, TestRequest
from ducktape.utils.process.proc import end_with_parent
from ducktape.utils.process.spawn import HELD_BACK
from ducktape.utils.support.console import make_streams_usable


def main(request: TestRequest, writer: Connection, parent: int | None, inherited: list[Connection | int]) -> None:
    """Entry point of the worker process."""
    for connection in inherited:
        if isinstance(connection, int):
            os.close(connection)
        else:
            connection.close()
    make_streams_usable()
    signal.set_wakeup_fd(-1)
    _restore_signals()
    os.setsid()
    end_with_parent(signal.SIGTERM)
    if parent not in (None, os.getppid()):
        return  # the driver died before its death could be signalled
    gc.freeze()  # what the driver made is not garbage of this process, and looking at it would copy its pages
    os.register_at_fork(after_in_child=_restore_signals)  # what the test forks is not torn down, it just ends
    messages = MessageWriter(writer, request.settings.max_data_bytes + ROOM_BESIDE_DATA)
    try:
        if isinstance(request, CleanUpRequest):
            run_clean_up(request, messages.send)
        else:
            run_client(request.loaded(), request.settings, messages.send)
    except Exception as error:  # the test could not be loaded, or this process could not do its work
        messages.send(Finished(failed(Cause(describe_exception(error), "error"), time.time(), time.time())))


def _restore_signals() -> None:
    for sig in HELD_BACK:
        signal.signal(sig, signal.SIG_DFL)


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
