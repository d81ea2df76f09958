# SPDX-License-Identifier: Apache-2.0
"""Starting a child process that talks to this one through a pipe."""

from __future__ import annotations

import multiprocessing
import multiprocessing.process
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, cast

# Held back from a new process until it has handlers of its own: it inherits those of this process.
HELD_BACK = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def start_child(
    method: str,
    target: Callable[..., None],
    args: Callable[[Connection, Connection], tuple[Any, ...]],
    *,
    name: str | None = None,
    daemon: bool = False,
) -> tuple[multiprocessing.process.BaseProcess, Connection]:
    """Start a process.

    It has to call :func:`release_signals` once it has its handlers.

    Args:
        method: ``fork``, ``forkserver`` or ``spawn``.
        target: what the process does.
        args: makes its arguments from the reading and the writing end of the pipe.
        name: of the process.
        daemon: end it with this process.

    Returns:
        The process, and the reading end of the pipe.

    Raises:
        Exception: whatever pickling the arguments raises, where the start method needs that.
    """
    context = multiprocessing.get_context(method)
    reader, writer = context.Pipe(duplex=False)
    process: multiprocessing.process.BaseProcess = cast(Any, context).Process(
        target=target, args=args(reader, writer), name=name, daemon=daemon
    )
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, HELD_BACK)
    try:
        process.start()
    except BaseException:
        reader.close()
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)
        # Processes that start later must not hold this end, or the pipe would never come to its own
        writer.close()
    return process, reader


def release_signals() -> None:
    """Let through what was held back while this process started."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD_BACK)
