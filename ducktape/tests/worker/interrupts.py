# SPDX-License-Identifier: Apache-2.0
"""Interrupts of a test's process, which reach user code alone."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator


class InterruptGate:
    """Lets an interrupt through to user code, and to user code alone.

    A signal that arrives while the framework itself is busy (a half-written message, a step between two others) is
    remembered instead, and stops whatever would have started afterwards. A process that user code forked ends where it
    would leave user code: it must not report, tear down or free anything a second time.
    """

    def __init__(self) -> None:
        self.requested = False  # whether an interrupt has arrived
        self._open = False
        self._held = 0
        self._due = False
        self._thread = threading.get_ident()
        self._pid = os.getpid()

    def interrupt(self) -> None:
        """Note an interrupt, and raise it if user code is running; called by signal handlers."""
        self.requested = True
        if self._held:
            self._due = True
        elif self._open:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def held_back(self) -> Iterator[None]:
        """Do something for the framework within user code; an interrupt that arrives meanwhile is raised at the end."""
        if threading.get_ident() != self._thread:
            yield  # interrupts come to the main thread alone
            return
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
        if self._due and not self._held:
            self._due = False
            if self._open:
                raise KeyboardInterrupt

    @contextlib.contextmanager
    def user_code(self, *, unless_requested: bool = False) -> Iterator[None]:
        """Let interrupts raise for the length of a block."""
        if unless_requested and self.requested:
            raise KeyboardInterrupt
        self._open = True
        try:
            yield
        finally:
            self._open = False
            if os.getpid() != self._pid:
                os._exit(0 if sys.exc_info()[0] is None else 1)
