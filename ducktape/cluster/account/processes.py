# SPDX-License-Identifier: Apache-2.0
"""Finding and ending processes on a machine."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterable
from typing import Any

from ducktape.cluster.account.errors import RemoteCommandError
from ducktape.cluster.account.process_search import LISTING, java_search, search_for
from ducktape.cluster.transport import framework_commands
from ducktape.utils.support.text import short_text


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
        """Whether a process exists, whoever it belongs to; one that has ended and was not waited for still does.

        ``False`` also when that cannot be found out, which is logged.
        """
        try:
            with framework_commands():
                self.ssh(f"kill -0 {pid}", allow_fail=False)
        except RemoteCommandError as error:
            return self._belongs_to_another_user(pid, error)
        except Exception as error:  # callers poll this while machines go down
            self._log(
                logging.WARNING, f"cannot tell whether process {pid} is alive, taken as dead: {short_text(error)}"
            )
            return False
        return True

    def _belongs_to_another_user(self, pid: int | str, refusal: RemoteCommandError) -> bool:
        """Whether a signal was refused because of the process's owner, so that the process is there."""
        if not str(pid).strip().isdecimal():
            return False
        if b"not permitted" in _as_bytes(refusal.msg):
            return True
        # In other languages the message differs, and some accounts keep no error output
        try:
            with framework_commands():
                return bool(self.ssh(f"test -d /proc/{str(pid).strip()}", allow_fail=True) == 0)
        except Exception as error:
            self._log(
                logging.WARNING, f"cannot tell whether process {pid} is alive, taken as dead: {short_text(error)}"
            )
            return False

    def signal(self, pid: int | str, sig: int | str, allow_fail: bool = False) -> None:
        """Send a signal.

        Args:
            pid: of the process.
            sig: number, constant or name.
            allow_fail: be silent when the signal cannot be sent, because there is no such process or for its owner.
        """
        with framework_commands():
            self.ssh(f"kill -{signal_number(sig)} {pid}", allow_fail=allow_fail)

    def kill_process(self, process_grep_str: str, clean_shutdown: bool = True, allow_fail: bool = False) -> None:
        """End all processes whose command line contains a text, in upper or lower case; there need not be any.

        Args:
            process_grep_str: the text. It may also be what a shell and ``grep -i`` make of it: a regular expression, a
                text in quotes, or a pattern with further filters, such as ``server | grep -v test``. Processes that
                match in either way are ended; the search itself never is.
            clean_shutdown: ask for the end (``TERM``) instead of enforcing it (``KILL``).
            allow_fail: be silent about processes that vanished meanwhile, and about a machine without ``ps``.

        Raises:
            RemoteCommandError: processes cannot be listed, or one of them cannot be ended; the others are ended first.
            ValueError: the text is empty, or has control characters.
        """
        search = search_for(process_grep_str)
        pids: list[int] = []
        if search.grep is not None:
            pipeline = f"ps ax | grep -i {search.grep} | grep -v 'grep -[iv]' | awk '{{print $1}}'"
            pids += parse_pids(self._lines(pipeline, needs="ps", allow_fail=allow_fail))
        if search.texts:
            pids += search.pids(self._lines(LISTING, allow_fail=allow_fail))
        self._end(list(dict.fromkeys(pids)), clean_shutdown=clean_shutdown, allow_fail=allow_fail)

    def java_pids(self, match: str) -> list[int]:
        """Process ids of Java programs.

        Args:
            match: text of a line of ``jcmd``, or a regular expression of awk for one.

        Raises:
            RemoteCommandError: there is no ``jcmd``.
        """
        return self._java_pids(match, allow_fail=False)

    def kill_java_processes(self, match: str, clean_shutdown: bool = True, allow_fail: bool = False) -> None:
        """End Java programs; there need not be any.

        Args:
            match: text of a line of ``jcmd``, or a regular expression of awk for one.
            clean_shutdown: ask for the end (``TERM``) instead of enforcing it (``KILL``).
            allow_fail: be silent about processes that vanished meanwhile, and about a machine without ``jcmd``.

        Raises:
            RemoteCommandError: there is no ``jcmd``, or a program cannot be ended; the others are ended first.
        """
        pids = self._java_pids(match, allow_fail=allow_fail)
        self._end(pids, clean_shutdown=clean_shutdown, allow_fail=allow_fail)

    def _java_pids(self, match: str, *, allow_fail: bool) -> list[int]:
        command = java_search(match)
        return list(dict.fromkeys(parse_pids(self._lines(command, needs="jcmd", allow_fail=allow_fail))))

    def _lines(self, command: str, *, needs: str = "", allow_fail: bool) -> list[str]:
        """What a command prints.

        Args:
            command: any.
            needs: a program of its own that a pipeline does not miss.
            allow_fail: be silent about its failure.
        """
        if needs:
            command += f" && sh -c 'command -v {needs}' >/dev/null"
        with framework_commands():
            return list(self.ssh_capture(command, allow_fail=allow_fail, combine_stderr=False))

    def _end(self, pids: list[int], *, clean_shutdown: bool, allow_fail: bool) -> None:
        sig = signal.SIGTERM if clean_shutdown else signal.SIGKILL
        failures = []
        for pid in pids:
            try:
                self.signal(pid, sig, allow_fail=allow_fail)
            except RemoteCommandError as error:  # must not spare the other processes
                failures.append(error)
        if failures:
            raise failures[0]


def _as_bytes(text: object) -> bytes:
    return text if isinstance(text, bytes) else str(text).encode(errors="replace")
