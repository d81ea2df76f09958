# SPDX-License-Identifier: Apache-2.0
"""Process operations of accounts."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterable

from ducktape.cluster.account.errors import RemoteCommandError
from ducktape.cluster.account.process_search import LISTING, java_search, search_for
from ducktape.cluster.transport import framework_commands
from ducktape.utils.support.text import short_text


def signal_number(sig: int | str) -> int:
    """Return the number of a signal given as number, constant or name (``TERM``, ``SIGTERM``, ``15``)."""
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
    """Return the process ids in a listing, ignoring other lines."""
    return [int(line) for line in map(str.strip, lines) if line.isdecimal()]


class ProcessVerbs:
    """Process operations of an account, by its commands."""

    # Provided by the account; methods here would hide overriding ones
    ssh: Callable[..., int]
    ssh_capture: Callable[..., Iterable[str]]
    _log: Callable[..., None]

    def alive(self, pid: int | str) -> bool:
        """Return whether a process exists, including zombies and processes of other users.

        ``False`` also if that is unknown, which is logged.
        """
        try:
            with framework_commands():
                try:
                    self.ssh(f"kill -0 {pid}", allow_fail=False)
                    return True
                except RemoteCommandError as refusal:
                    if not str(pid).strip().isdecimal():
                        return False
                    if "not permitted" in str(refusal.msg):
                        return True
                # The message depends on the language, and some accounts have no error output
                return self.ssh(f"test -d /proc/{str(pid).strip()}", allow_fail=True) == 0
        except Exception as error:  # callers poll this while machines shut down; a test that exits still ends
            text = f"cannot tell whether process {pid} is alive, taken as dead: {short_text(error)}"
            self._log(logging.WARNING, text)
            return False

    def signal(self, pid: int | str, sig: int | str, allow_fail: bool = False) -> None:
        """Send a signal, given as number, constant or name.

        Args:
            pid: of the process.
            sig: number, constant or name.
            allow_fail: ignore a missing process, and one of another user.
        """
        with framework_commands():
            self.ssh(f"kill -{signal_number(sig)} {pid}", allow_fail=allow_fail)

    def kill_process(self, process_grep_str: str, clean_shutdown: bool = True, allow_fail: bool = False) -> None:
        """End all processes whose command line contains a text, ignoring case.

        Args:
            process_grep_str: the text. It may also be for the shell and ``grep -i``: a regular expression, a quoted
                text, or a pattern with further filters, such as ``server | grep -v test``. Processes that match either
                way are ended, but not the search itself.
            clean_shutdown: send ``TERM`` instead of ``KILL``.
            allow_fail: ignore processes that have ended meanwhile, and machines without ``ps``.

        Raises:
            RemoteCommandError: processes cannot be listed, or one cannot be ended; the others are ended first.
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
        """Return the process ids of Java programs by a text of their line of ``jcmd``, or a regular expression of awk.

        Raises:
            RemoteCommandError: ``jcmd`` is missing.
        """
        return self._java_pids(match, allow_fail=False)

    def kill_java_processes(self, match: str, clean_shutdown: bool = True, allow_fail: bool = False) -> None:
        """End Java programs.

        Args:
            match: text of a line of ``jcmd``, or a regular expression of awk for one.
            clean_shutdown: send ``TERM`` instead of ``KILL``.
            allow_fail: ignore processes that have ended meanwhile, and machines without ``jcmd``.

        Raises:
            RemoteCommandError: ``jcmd`` is missing, or a program cannot be ended; the others are ended first.
        """
        pids = self._java_pids(match, allow_fail=allow_fail)
        self._end(pids, clean_shutdown=clean_shutdown, allow_fail=allow_fail)

    def _java_pids(self, match: str, *, allow_fail: bool) -> list[int]:
        command = java_search(match)
        return list(dict.fromkeys(parse_pids(self._lines(command, needs="jcmd", allow_fail=allow_fail))))

    def _lines(self, command: str, *, needs: str = "", allow_fail: bool) -> list[str]:
        """Return the output of a command; ``needs`` is a program whose absence a pipeline would hide."""
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
            except RemoteCommandError as error:  # the other processes must be signalled, too
                failures.append(error)
        if failures:
            raise failures[0]
