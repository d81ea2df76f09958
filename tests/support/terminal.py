# SPDX-License-Identifier: Apache-2.0
"""The real program on a pseudo terminal, whose user types."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path

from tests.support.program import LOCALHOST, Program

_LONGEST_READ = 65536


class TerminalProgram(Program):
    """A run of the program that is the foreground job of a terminal."""

    def _start(self, command: list[str], variables: dict[str, str]) -> subprocess.Popen[str]:
        self._master, slave = pty.openpty()
        self.settings = termios.tcgetattr(slave)
        self._slave = slave  # held open, so that its settings can be seen at the end
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env={**variables, "TERM": "dumb"},  # without colours and sequences for brackets
            stdin=slave,
            stdout=slave,
            stderr=slave,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while data := os.read(self._master, _LONGEST_READ):
                with self._news:
                    self.output += data.decode(errors="replace")
                    self._news.notify_all()

    def type(self, line: str) -> None:
        """Type a line."""
        os.write(self._master, f"{line}\n".encode())

    def answer(self, line: str, *, prompts: int) -> None:
        """Type a line when the debugger has shown so many prompts altogether."""
        self.wait_for("(Pdb) ", times=prompts)
        self.type(line)

    def press(self, character: str) -> None:
        """Press Ctrl and a key."""
        os.write(self._master, bytes([ord(character) & 0x1F]))

    def resize(self, columns: int, rows: int) -> None:
        """Give the window another size."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def interrupt_until(self, text: str) -> None:
        """Press Ctrl-C until a text appears: one that comes just before the prompt begins to read is seen too late."""
        for _ in range(20):
            self.press("c")
            with self._news:
                if self._news.wait_for(lambda: text in self.output, timeout=2):
                    return
        raise AssertionError(f"{text!r} did not appear in:\n{self.output}")

    def wait(self, timeout: float = 120) -> int:
        """Block until the driver has ended and return its exit code."""
        return self.process.wait(timeout)

    @property
    def is_restored(self) -> bool:
        """Whether the terminal has the settings that it had at the start."""
        return termios.tcgetattr(self._slave) == self.settings

    def close(self) -> None:
        """End everything."""
        self.kill_everything()
        os.close(self._slave)
        self._reader.join(10)
        os.close(self._master)


@contextlib.contextmanager
def on_terminal(folder: Path, *arguments: str, cluster: tuple[str, ...] = LOCALHOST) -> Iterator[TerminalProgram]:
    """Start the program on a terminal; nothing of it outlives the block."""
    program = TerminalProgram(folder, *arguments, *cluster)
    try:
        yield program
    finally:
        program.close()
