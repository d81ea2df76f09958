# SPDX-License-Identifier: Apache-2.0
"""The process of a test: it leads a session of its own, runs the request, and ends with the driver."""

from __future__ import annotations

import gc
import os
import signal
import time
from multiprocessing.connection import Connection

from ducktape.tests.driver.failure_cause import Cause, describe_exception, failed
from ducktape.tests.event import Finished
from ducktape.tests.recording.bounds import ROOM_BESIDE_DATA
from ducktape.tests.runner_client import run_clean_up, run_client
from ducktape.tests.worker.messages import MessageWriter
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
