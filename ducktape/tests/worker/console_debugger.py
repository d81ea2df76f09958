# SPDX-License-Identifier: Apache-2.0
"""The debugger of the standard library on the terminal of the driver.

The process of a test leads a session of its own, which the terminal does not control: it can read and write there while
the driver stays in the foreground and passes Ctrl-C on. However the test ends, the terminal is still the driver's.
"""

from __future__ import annotations

import bdb
import contextlib
import os
import pdb
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from types import FrameType
from typing import Any

_CALLER = "ducktape.tests.worker."
_HELPERS_OF_CALLER = "ducktape.utils.support."


class ConsoleDebugger(pdb.Pdb):
    """A debugger that has the terminal only while it shows its prompt.

    ``prompting`` is entered around each prompt; ``is_ending`` returns whether the test was asked to end; ``left`` makes
    the error that is raised where the user quits.
    """

    def __init__(
        self,
        prompting: Callable[[], AbstractContextManager[None]],
        is_ending: Callable[[], bool],
        left: Callable[[FrameType], Exception],
    ) -> None:
        super().__init__(nosigint=True)  # the process has a handler of its own
        self.allow_kbdint = False  # whether an interrupt begins the prompt again
        self._prompting = prompting
        self._is_ending = is_ending
        self._left = left
        self._has_terminal = False
        self._callers: list[FrameType] = []  # of the test, where stepping ends

    def set_trace(self, frame: FrameType | None = None, *args: Any, **keywords: Any) -> None:
        """Stop at the next line of a frame."""
        self._callers = _callers_of_test(frame)
        super().set_trace(frame, *args, **keywords)

    def post_mortem(self, error: BaseException) -> None:
        """Show the error, and a prompt where it was raised."""
        import traceback

        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None and _is_in(trace.tb_frame, _CALLER, _HELPERS_OF_CALLER):
            trace = trace.tb_next
        if trace is None:
            return
        self.reset()
        with self._on_terminal():
            self.message("".join(traceback.format_exception(type(error), error, trace)))
            self.interaction(None, trace)

    def interaction(self, frame: FrameType | None, traceback: Any) -> None:
        """Show a prompt until the user lets the program go on."""
        with self._on_terminal():
            super().interaction(frame, traceback)

    def user_call(self, frame: FrameType, argument_list: None) -> None:
        """Stop in a function that is called."""
        with self._on_terminal():
            super().user_call(frame, argument_list)

    def user_return(self, frame: FrameType, return_value: Any) -> None:
        """Stop where a function returns."""
        with self._on_terminal():
            super().user_return(frame, return_value)

    def user_exception(self, frame: FrameType, exc_info: Any) -> None:
        """Stop where an exception is raised."""
        with self._on_terminal():
            super().user_exception(frame, exc_info)

    @contextlib.contextmanager
    def _on_terminal(self) -> Iterator[None]:
        if self._has_terminal:
            yield
            return
        with self._prompting():
            previous, self.stdout, self._has_terminal = self.stdout, sys.stdout, True
            try:
                yield
            finally:
                self.stdout, self._has_terminal = previous, False

    def preloop(self) -> None:
        """Leave the prompt, which an interrupt only begins again, if the test was asked to end."""
        self._leave_if_ending()
        super().preloop()

    def postcmd(self, stop: bool, line: str) -> bool:
        """Leave the prompt after a command if the test was asked to end."""
        self._leave_if_ending()
        return super().postcmd(stop, line)

    def _leave_if_ending(self) -> None:
        if self._is_ending():
            raise bdb.BdbQuit

    def stop_here(self, frame: FrameType) -> bool:
        """Return whether to stop; where the test has returned to the framework, stepping ends."""
        if any(frame is caller for caller in self._callers):
            self.set_continue()
            return False
        return super().stop_here(frame)

    def trace_dispatch(self, frame: FrameType, event: str, arg: Any) -> Any:
        """Act on an event of the program."""
        try:
            return super().trace_dispatch(frame, event, arg)
        except bdb.BdbQuit:
            raise self._left(frame) from None


def _is_in(frame: FrameType, *prefixes: str) -> bool:
    return str(frame.f_globals.get("__name__", "")).startswith(prefixes)


def _callers_of_test(frame: FrameType | None) -> list[FrameType]:
    """Return the frame of the framework that called the code of the test, and those of its helpers in between."""
    helpers: list[FrameType] = []
    while frame is not None and not _is_in(frame, _CALLER):
        helpers = [*helpers, frame] if _is_in(frame, _HELPERS_OF_CALLER) else []
        frame = frame.f_back
    return helpers if frame is None else [*helpers, frame]


@contextlib.contextmanager
def terminal_on_standard_streams() -> Iterator[None]:
    """Let standard input and output be the terminal for the length of a block, and leave it as it was."""
    with contextlib.ExitStack() as undo:
        terminal = _open_terminal()
        undo.callback(os.close, terminal)
        undo.enter_context(_without_suspending(terminal))
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):  # it belongs to the test
                stream.flush()
        for descriptor in (0, 1):
            saved = os.dup(descriptor)
            undo.callback(os.close, saved)
            undo.callback(os.dup2, saved, descriptor)
            os.dup2(terminal, descriptor)
        undo.callback(setattr, sys, "stdin", sys.stdin)
        undo.callback(setattr, sys, "stdout", sys.stdout)
        # Of these descriptors, or there is neither history nor completion
        sys.stdin = undo.enter_context(open(0, encoding="utf-8", errors="replace", closefd=False))
        sys.stdout = undo.enter_context(open(1, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False))
        yield


def _open_terminal() -> int:
    try:
        return os.open(os.ttyname(0), os.O_RDWR | os.O_NOCTTY)
    except OSError:  # its file is not visible here, as in some containers
        return os.dup(0)


@contextlib.contextmanager
def _without_suspending(terminal: int) -> Iterator[None]:
    """Turn Ctrl-Z off: it would stop the driver, and leave two readers at the terminal."""
    try:
        settings = termios.tcgetattr(terminal)
        changed = termios.tcgetattr(terminal)
        changed[6][termios.VSUSP] = bytes([os.fpathconf(terminal, "PC_VDISABLE")])
        termios.tcsetattr(terminal, termios.TCSANOW, changed)
    except (termios.error, OSError):
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(termios.error, OSError):
            termios.tcsetattr(terminal, termios.TCSANOW, settings)
