# SPDX-License-Identifier: Apache-2.0
"""Examines many nodes side by side, each from a process of its own.

Whatever hangs there - a login, a library, a check that the user wrote - ends with its process, and takes its connection
along. The measurements do not wait for each other's computations either.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import time
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

from ducktape.cluster.health.hints import explain, remedy_for
from ducktape.cluster.health.probe import Examination, Findings, introduce, one_line
from ducktape.utils.process.proc import end_with_parent
from ducktape.utils.process.spawn import release_signals, start_child
from ducktape.utils.process.tree import child_pids

AT_ONCE = 8
# Commands are given the whole time, and whoever waits for them a moment more to say what happened.
_GRACE_SEC = 0.5
# Two fingerprints, the place of the known one, and what to do
_LONGEST_REASON = 600


def examine_all(accounts: Sequence[Any], *, timeout: float, method: str, at_once: int = AT_ONCE) -> list[Findings]:
    """Examine nodes; blocks for about the timeout, times the number of rounds that all of them take.

    Args:
        accounts: unconnected logins.
        timeout: seconds for each node.
        method: how processes are started, such as ``fork``.
        at_once: most nodes at the same time.

    Returns:
        The findings, in the order of the accounts. Nothing is left running or connected.
    """
    waiting = deque(accounts)
    running: list[_Visit] = []
    visits: list[_Visit] = []
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                visit = _Visit(waiting.popleft(), timeout=timeout, method=method)
                visits.append(visit)
                running.append(visit)
            _await_news(running)
            running = [visit for visit in running if not visit.is_over()]
    finally:
        for visit in running:
            visit.end()
    return [visit.findings for visit in visits]


def _await_news(running: list[_Visit]) -> None:
    first = min(visit.deadline for visit in running)
    wait([each for visit in running for each in visit.waitables()], timeout=max(0.0, first - time.monotonic()))


class _Visit:
    """One node, as long as it is examined; the record of what its process has told.

    Args:
        account: the login.
        timeout: seconds.
        method: how the process is started.
    """

    def __init__(self, account: Any, *, timeout: float, method: str) -> None:
        self.findings = introduce(account)
        self._account = account
        self._timeout = timeout
        self._doing = "start of the examination"
        self._is_complete = False
        self._process, self._news = start_child(
            method, _examine, lambda _, writer: (account, writer, timeout), daemon=True
        )
        self.deadline = time.monotonic() + timeout + _GRACE_SEC

    def waitables(self) -> Iterator[Any]:
        """Yield what becomes ready when there is news, or the process is dead."""
        yield self._news
        yield self._process.sentinel

    def is_over(self) -> bool:
        """Take what the process has told; ends it when it is done, dead or late."""
        is_dead = not self._process.is_alive()  # asked before reading: what came until then is then surely read
        is_late = time.monotonic() >= self.deadline
        self._read()
        if not (self._is_complete or is_dead or is_late):
            return False
        if not self._is_complete and self.findings.failure is None:
            self.findings.failure = self._late() if is_late else self._abnormal()
        if self.findings.failure is not None:
            self.findings.failure_remedy = remedy_for(self._account, logged_in=self.findings.login_ms is not None)
        self.end()
        return True

    def end(self) -> None:
        """End the process and what it started here."""
        if not self._is_complete:
            self._process.terminate()
            self._process.join(_GRACE_SEC)
        self._process.kill()
        self._process.join()
        self._process.close()
        self._news.close()

    def _read(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while self._news.poll():
                self._take(json.loads(self._news.recv_bytes()))

    def _take(self, message: dict[str, Any]) -> None:
        self._doing = message.get("doing", self._doing)
        for name, value in message.get("found", {}).items():
            setattr(self.findings, name, value)
        if "error" in message:
            self.findings.failure = message["error"]
        self._is_complete = self._is_complete or "done" in message

    def _late(self) -> str:
        return f"no answer within {self._timeout:.1f} s ({self._doing})"

    def _abnormal(self) -> str:
        return f"the examination ended with exit code {self._process.exitcode} ({self._doing})"


def _examine(account: Any, writer: Connection, timeout: float) -> None:
    """Be the process of one examination."""
    _be_quiet()
    doing = ""
    begin = time.monotonic()

    def tell(message: dict[str, Any]) -> None:
        nonlocal doing
        doing = message.get("doing", doing)
        writer.send_bytes(json.dumps(message).encode())

    try:
        Examination(account, tell, timeout=timeout).run()
    except Exception as error:  # the code of users runs here: accounts of their own, checks upon failures
        took = time.monotonic() - begin
        is_silence = isinstance(error, TimeoutError) or took >= timeout
        reason = f"no answer within {took:.1f} s ({doing})" if is_silence else explain(error, account, doing)
        tell({"error": _without_secrets(account, reason)})
    finally:
        _end_commands()
        account.close()
        tell({"done": True})


def _be_quiet() -> None:
    """Let nothing but the findings leave this process, and let it die with the program."""
    end_with_parent(signal.SIGTERM)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever pressed Ctrl-C means the program, which ends this process
    signal.signal(signal.SIGTERM, _leave)
    release_signals()
    # The SSH library tells each failure to standard error, with a traceback
    logging.disable(logging.CRITICAL)
    # Checks of users may print: standard output belongs to the program
    os.dup2(2, 1)


def _leave(signum: int, frame: object) -> None:
    _end_commands()
    os._exit(1)


def _end_commands() -> None:
    """End commands on this very machine that still run, with whatever they started: each leads a group."""
    for pid in child_pids():
        with contextlib.suppress(ProcessLookupError, PermissionError, ChildProcessError):
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _without_secrets(account: Any, text: str) -> str:
    password = getattr(getattr(account, "ssh_config", None), "password", None)
    if password:
        # Longest first: an escaped spelling may contain the plain one
        spellings = {password, repr(password)[1:-1], json.dumps(password)[1:-1]}
        for spelling in sorted(spellings, key=len, reverse=True):
            text = text.replace(spelling, "***")
    return one_line(text, longest=_LONGEST_REASON)
