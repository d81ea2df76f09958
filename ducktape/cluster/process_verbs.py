# SPDX-License-Identifier: Apache-2.0
"""Finding and ending processes on a machine."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterable
from typing import Any

from ducktape.cluster.remote_errors import RemoteCommandError
from ducktape.cluster.transport import framework_commands


def signal_number(sig: int | str) -> int:
    """The number of a signal that is given as number, constant or name (``TERM``, ``SIGTERM``, ``15``).

    Raises:
        ValueError: there is no signal of that name.
    """
    if not isinstance(sig, str):
        return int(sig)
    name = sig.upper()
    if name.isdigit():
        return int(name)
    try:
        return int(signal.Signals[name if name.startswith("SIG") else f"SIG{name}"])
    except KeyError:
        raise ValueError(f"'{sig}' is not the name of a signal") from None


def parse_pids(lines: Iterable[str]) -> list[int]:
    """The process ids among the lines of a listing; shells and tools may have complained in between."""
    return [int(line) for line in map(str.strip, lines) if line.isdecimal()]


class ProcessVerbs:
    """What an account can do with processes, by means of its commands."""

    # Supplied by the account. Not declared as methods here, which would hide a replacement further up.
    ssh: Any
    ssh_capture: Any
    _log: Any

    def alive(self, pid: int | str) -> bool:
        """Whether a process exists. ``False`` also when that cannot be found out, which is logged."""
        try:
            with framework_commands():
                self.ssh(f"kill -0 {pid}", allow_fail=False)
        except RemoteCommandError:
            return False
        except Exception as error:  # callers poll this while machines go down
            self._log(logging.WARNING, f"cannot tell whether process {pid} is alive, taken as dead: {error}")
            return False
        return True

    def signal(self, pid: int | str, sig: int | str, allow_fail: bool = False) -> None:
        """Send a signal.

        Args:
            pid: of the process.
            sig: number, constant or name.
            allow_fail: be silent when there is no such process.
        """
        with framework_commands():
            self.ssh(f"kill -{signal_number(sig)} {pid}", allow_fail=allow_fail)

    def kill_process(self, process_grep_str: str, clean_shutdown: bool = True, allow_fail: bool = False) -> None:
        """End all processes whose line in ``ps`` matches.

        Args:
            process_grep_str: put into the command as it is, for ``grep -i``: bring your own quotes.
            clean_shutdown: ask for the end (``TERM``) instead of enforcing it (``KILL``).
            allow_fail: be silent about processes that vanished meanwhile.
        """
        pids = self._list_pids(f"ps ax | grep -i {process_grep_str} | grep -v grep | awk '{{print $1}}'")
        self._end(pids, clean_shutdown=clean_shutdown, allow_fail=allow_fail)

    def java_pids(self, match: str) -> list[int]:
        """Process ids of Java programs.

        Args:
            match: regular expression of awk for the lines of ``jcmd``.
        """
        return self._list_pids(f"jcmd | awk '/{match}/ {{ print $1 }}'")

    def kill_java_processes(self, match: str, clean_shutdown: bool = True, allow_fail: bool = False) -> None:
        """End Java programs.

        Args:
            match: regular expression of awk for the lines of ``jcmd``.
            clean_shutdown: ask for the end (``TERM``) instead of enforcing it (``KILL``).
            allow_fail: be silent about processes that vanished meanwhile.
        """
        self._end(self.java_pids(match), clean_shutdown=clean_shutdown, allow_fail=allow_fail)

    def _list_pids(self, command: str) -> list[int]:
        with framework_commands():
            return parse_pids(self.ssh_capture(command, allow_fail=True, combine_stderr=False))

    def _end(self, pids: list[int], *, clean_shutdown: bool, allow_fail: bool) -> None:
        sig = signal.SIGTERM if clean_shutdown else signal.SIGKILL
        for pid in pids:
            self.signal(pid, sig, allow_fail=allow_fail)
