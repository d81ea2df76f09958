# SPDX-License-Identifier: Apache-2.0
"""Opens a debugger in a test's process: ``breakpoint()``, ``--pdb`` and ``--debugger``."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ducktape.errors import DucktapeError
from ducktape.tests.event import Message, Paused, Resumed
from ducktape.utils.support.guard import error_of

if TYPE_CHECKING:
    from types import FrameType

    from ducktape.tests.worker.console_debugger import ConsoleDebugger

_HOST = "127.0.0.1"
_SECONDS_TO_STEP_ASIDE = 0.1  # the driver sends no answers, and may have to remove the progress of the run
_STANDARD_HOOKS = ("", "pdb.set_trace")


class DebuggerError(DucktapeError):
    """``breakpoint()`` could not open a debugger, or the user has left the debugger."""


class Debugger:
    """The debugger of a test's process.

    ``why_none`` is the reason why the console debugger cannot be used, empty if it can.
    """

    def __init__(self, why_none: str, send: Callable[[Message], None]) -> None:
        self.is_ending = False  # the test was asked to end, so that no prompt may wait any longer
        self._why_none = why_none
        self._send = send
        self._pid = os.getpid()
        self._console: ConsoleDebugger | None = None
        self._thread: int | None = None  # that shows a prompt

    def install(self) -> None:
        """Let ``breakpoint()`` and ``pdb.set_trace()`` open this debugger."""
        sys.breakpointhook = self._breakpoint
        if "pdb" in sys.modules or not self._why_none:
            import pdb

            pdb.set_trace = self._breakpoint  # type: ignore[assignment]  # it also takes the arguments of newer ones

    def attach(self, show: Callable[[str], object]) -> None:
        """Wait until an editor is attached by debugpy; ``show`` takes a line for the user."""
        import debugpy

        # Without a process of the debugger, which the framework would have to end with the test
        host, port = debugpy.listen((_HOST, 0), in_process_debug_adapter=True)
        show(f"debugpy listens on {host}:{port} and waits for an editor to attach")
        debugpy.wait_for_client()
        sys.breakpointhook = debugpy.breakpoint

    def post_mortem(self, error: BaseException) -> None:
        """Show a prompt where an error was raised; raises nothing."""
        if self._why_none or isinstance(error, DebuggerError):
            return
        # Its user may interrupt the prompt, or leave it, in any way
        error_of(lambda: self._opened().post_mortem(error))

    def on_interrupt(self) -> bool:
        """Return whether an interrupt was meant for the debugger; raises it where the prompt can take it."""
        if self._thread is None or self._console is None or self.is_ending:
            return False
        if self._console.allow_kbdint and self._thread == threading.get_ident():
            raise KeyboardInterrupt
        return True

    def _breakpoint(self, *args: object, **keywords: object) -> object:
        hook = os.environ.get("PYTHONBREAKPOINT", "")
        if hook not in _STANDARD_HOOKS:
            return sys.__breakpointhook__(*args, **keywords)
        frame = sys._getframe(1)
        if problem := self._problem():
            place = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
            raise DebuggerError(f"breakpoint() at {place} cannot open a debugger, because {problem}")
        self._opened().set_trace(frame)  # the last call, since the debugger would stop in the next one
        return None

    def _problem(self) -> str:
        if os.getpid() != self._pid:
            return "this is not the process of the test: call it in the test itself"
        if not self._why_none:
            return ""
        return f"{self._why_none}: run the test in a terminal, with --max-parallel 1"

    def _opened(self) -> ConsoleDebugger:
        if self._console is None:
            from ducktape.tests.worker.console_debugger import ConsoleDebugger

            self._console = ConsoleDebugger(self._prompting, lambda: self.is_ending, _left)
        return self._console

    @contextlib.contextmanager
    def _prompting(self) -> Iterator[None]:
        """Have the terminal, and stop the time limits, for the length of a block."""
        from ducktape.tests.worker.console_debugger import terminal_on_standard_streams

        self._send(Paused())
        time.sleep(_SECONDS_TO_STEP_ASIDE)
        try:
            with terminal_on_standard_streams():
                self._thread = threading.get_ident()
                try:
                    yield
                finally:
                    self._thread = None
        finally:
            self._send(Resumed())


def _left(frame: FrameType) -> DebuggerError:
    place = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
    return DebuggerError(f"the debugger was left at {place} by its quit command, which ends the test")
