# SPDX-License-Identifier: Apache-2.0
"""Signals that ask the driver to stop, as flags and a descriptor that wakes up its one thread."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType

_PATIENCE = 2


class StopRequests:
    """Counts requests to stop for the length of a ``with`` block, in place of being interrupted by them.

    Only a program's main thread receives signals; in any other thread the block changes nothing.
    """

    def __init__(self) -> None:
        self.interrupts = 0  # how often SIGINT arrived
        self.debugged = 0  # process whose debugger has the terminal, and gets its interrupts
        self.terminated: signal.Signals | None = None  # SIGTERM, or SIGHUP from a closed terminal, once it arrived
        self._undo = contextlib.ExitStack()
        self._reader, self._writer = os.pipe()
        for end in (self._reader, self._writer):
            os.set_blocking(end, False)

    def __enter__(self) -> StopRequests:
        if threading.current_thread() is not threading.main_thread():
            return self
        previous_fd = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._undo.callback(signal.set_wakeup_fd, previous_fd)
        self._handle(signal.SIGINT, self._on_interrupt)
        self._handle(signal.SIGCHLD, lambda *_: None)  # a death wakes the driver up; without a handler it would not
        for sig in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(sig) is not signal.SIG_IGN:  # nohup: the user wants it to live on
                self._handle(sig, self._on_terminate)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._undo.close()
        os.close(self._reader)
        os.close(self._writer)

    def _handle(self, sig: signal.Signals, handler: Callable[[int, FrameType | None], object]) -> None:
        self._undo.callback(signal.signal, sig, signal.signal(sig, handler))

    def _on_interrupt(self, _signum: int, _frame: FrameType | None) -> None:
        self.interrupts += 1
        if self.debugged:
            self.divert(self.debugged, self.interrupts - 1)
            return
        if self.interrupts == _PATIENCE:
            # The driver may be stuck in writing to a terminal that nobody reads: one more ends it in any case.
            signal.signal(signal.SIGINT, signal.SIG_DFL)

    def _on_terminate(self, signum: int, _frame: FrameType | None) -> None:
        self.terminated = signal.Signals(signum)

    def divert(self, debugged: int, obeyed: int) -> None:
        """Pass interrupts, also those not obeyed yet, to a process whose debugger has the terminal; 0 for none."""
        self.debugged = debugged
        if debugged and self.interrupts > obeyed:  # it was faster than the message of the debugger
            self.interrupts = obeyed
            with contextlib.suppress(ProcessLookupError):
                os.kill(debugged, signal.SIGINT)

    def fileno(self) -> int:
        """Return a descriptor that is readable after a signal."""
        return self._reader

    def clear(self) -> None:
        """Make the descriptor unreadable again."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._reader, 512):
                continue
