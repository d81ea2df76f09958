# SPDX-License-Identifier: Apache-2.0
"""Starts child processes that send messages through a pipe."""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.process
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, cast

# Blocked in a new process until it has handlers of its own, since it inherits those of this process
HELD_BACK = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def start_child(
    method: str,
    target: Callable[..., None],
    args: Callable[[Connection, Connection], tuple[object, ...]],
    *,
    name: str | None = None,
    daemon: bool = False,
) -> tuple[multiprocessing.process.BaseProcess, Connection]:
    """Start a process, which has to call :func:`release_signals`; returns the reading end, ``args`` gets both."""
    context = multiprocessing.get_context(method)
    reader, writer = context.Pipe(duplex=False)
    process: multiprocessing.process.BaseProcess = cast(Any, context).Process(
        target=target, args=args(reader, writer), name=name, daemon=daemon
    )
    with contextlib.ExitStack() as undo:
        undo.enter_context(reader)
        previous = signal.pthread_sigmask(signal.SIG_BLOCK, HELD_BACK)
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, previous)
            # Processes that start later must not inherit this end, or the reader would never see the end of the pipe
            writer.close()
        undo.pop_all()
    return process, reader


def release_signals() -> None:
    """Unblock the signals that were blocked while this process started."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD_BACK)
