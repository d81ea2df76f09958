# SPDX-License-Identifier: Apache-2.0
"""Probes nodes in processes of their own, so that whatever hangs there ends with its process.

A probe may hang in a login, a library, or a check that the user wrote. Accounts of this process stay unconnected, and
no thread is left that forking could hurt.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from ducktape.cluster.health.hints import explain, remedy_for
from ducktape.cluster.health.probe import Findings, News, Tell, examine, introduce, log_in, printable_line
from ducktape.utils.process.proc import end_with_parent
from ducktape.utils.process.spawn import HELD_BACK, release_signals, start_child
from ducktape.utils.process.tree import child_pids
from ducktape.utils.support.guard import tolerated
from ducktape.utils.support.masking import mask
from ducktape.utils.support.parallel import run_parallel

LOGIN_SEC = 5.0
# A login costs processor time on this machine: hundreds of nodes cannot all be probed within the usual limit
_SEC_PER_LOGIN = 0.2
_PARALLEL_LOGINS = 64
_PARALLEL_PROCESSES = 8
# Commands are given the whole time; whoever waits for them needs a little more to report what happened
_GRACE_SEC = 0.5
# Two fingerprints, the place of the known one, and what to do
_MAX_REASON = 600


class Probe(Protocol):
    def __call__(self, account: Any, tell: Tell, *, timeout: float) -> None:
        """Ask, within a number of seconds, and tell what was found; any exception means that the node is unusable."""


class ProbeRunner:
    """Runs a probe, which is a function of a module, on unconnected accounts.

    ``timeout`` seconds are for each process, in which ``per_process`` nodes have a thread each. The ``findings`` are in
    the order of the nodes, and complete once the runner has finished.
    """

    def __init__(
        self,
        nodes: Sequence[tuple[object, Findings]],
        probe: Probe,
        *,
        timeout: float,
        method: str,
        per_process: int = 1,
        at_once: int = _PARALLEL_PROCESSES,
    ) -> None:
        self.findings = [findings for _, findings in nodes]
        self._start = functools.partial(_ProbeProcess, probe=probe, timeout=timeout, method=method)
        self._at_once = at_once
        self._waiting = deque(nodes[start : start + per_process] for start in range(0, len(nodes), per_process))
        self._running: list[_ProbeProcess] = []
        self._start_some()

    def _start_some(self) -> None:
        while self._waiting and len(self._running) < self._at_once:
            self._running.append(self._start(self._waiting.popleft()))

    def finished(self) -> bool:
        """Take in what has been found since, and return whether that is all; never waits for a node."""
        self._running = [process for process in self._running if not process.is_over()]
        self._start_some()
        return not self._running

    def wait(self) -> list[Findings]:
        """Wait for all findings; nothing is left running or connected."""
        try:
            while not self.finished():
                first = min(process.deadline for process in self._running)
                news = [each for process in self._running for each in process.waitables]
                wait(news, timeout=max(0.0, first - time.monotonic()))
        finally:
            self.cancel()
        return self.findings

    def cancel(self) -> None:
        """End all processes; nodes that have not answered count as silent."""
        self._waiting.clear()
        while self._running:
            self._running.pop().end()


class _ProbeProcess:
    """A process and the findings of its nodes."""

    def __init__(self, nodes: Sequence[tuple[object, Findings]], probe: Probe, *, timeout: float, method: str) -> None:
        self._nodes = nodes
        self._timeout = timeout
        self._doing = ["start of the probe"] * len(nodes)
        self._unanswered = set(range(len(nodes)))
        self._is_complete = False
        accounts = [account for account, _ in nodes]
        self._process, self._news = start_child(
            method,
            _main,
            lambda _, writer: (accounts, writer, probe, timeout),
            name="ducktape-probe-nodes",
            daemon=True,
        )
        self.deadline = time.monotonic() + timeout + _GRACE_SEC
        # Ready when there is news, or the process is dead
        self.waitables = (self._news, self._process.sentinel)

    def is_over(self) -> bool:
        """Take in what the process has found; ends it when it is done, dead or late."""
        is_dead = not self._process.is_alive()  # asked before reading: what came until then is then surely read
        is_late = time.monotonic() >= self.deadline
        with contextlib.suppress(EOFError, OSError):
            while self._news.poll():
                self._take(json.loads(self._news.recv_bytes()))
        if not (self._is_complete or is_dead or is_late):
            return False
        self.end(why=f"the probe ended with exit code {self._process.exitcode}" if is_dead and not is_late else None)
        return True

    def _take(self, message: News) -> None:
        self._is_complete = self._is_complete or "done" in message
        if "index" not in message:
            return
        index = message["index"]
        findings = self._nodes[index][1]
        self._doing[index] = message.get("doing", self._doing[index])
        for name, value in message.get("found", {}).items():
            setattr(findings, name, value)
        if "error" in message:
            findings.failure = message["error"]
        if "answered" in message:
            self._unanswered.discard(index)

    def end(self, why: str | None = None) -> None:
        """End the process and what it started here; nodes that have not answered are unusable."""
        silent = why or f"no answer within {self._timeout:.1f} s"
        for index in self._unanswered:
            findings = self._nodes[index][1]
            findings.failure = findings.failure or f"{silent} ({self._doing[index]})"
        for account, findings in self._nodes:
            if findings.failure is not None:
                findings.failure_remedy = remedy_for(account, logged_in=findings.login_ms is not None)
        if not self._is_complete:
            self._process.terminate()
            self._process.join(_GRACE_SEC)
        self._process.kill()
        self._process.join()
        self._process.close()
        self._news.close()


def examine_all(
    accounts: Sequence[object], *, timeout: float, method: str, at_once: int = _PARALLEL_PROCESSES
) -> list[Findings]:
    """Ask nodes everything; blocks for the timeout times the number of rounds that all of them take."""
    nodes = [(account, introduce(account)) for account in accounts]
    return ProbeRunner(nodes, examine, timeout=timeout, method=method, at_once=at_once).wait()


def start_logins(accounts: Sequence[object], *, timeout: float = LOGIN_SEC) -> ProbeRunner:
    """Start to log in to nodes, which takes the timeout at most, and at least 0.2 seconds per node.

    All share one process: to fork a driver hundreds of times would hold it up.
    """
    return ProbeRunner(
        [(account, Findings(str(getattr(account, "hostname", "")))) for account in accounts],
        log_in,
        timeout=max(timeout, _SEC_PER_LOGIN * len(accounts)),
        method="fork" if sys.platform.startswith("linux") else "spawn",
        per_process=max(1, len(accounts)),
    )


def failed_logins(accounts: Sequence[object]) -> dict[int, str]:
    """Log in to nodes; blocks for some seconds at most. Return the positions of the unusable ones, and why."""
    return failures_of(start_logins(accounts).wait())


def failures_of(findings: Sequence[Findings]) -> dict[int, str]:
    """Return the positions of the unusable nodes, and why they are."""
    return {index: each.failure for index, each in enumerate(findings) if each.failure is not None}


# --- the process


def _main(accounts: Sequence[object], writer: Connection, probe: Probe, timeout: float) -> None:
    """Entry point of a process that probes nodes; nothing but the findings leaves it, and it dies with the program."""
    end_with_parent(signal.SIGTERM)
    signal.set_wakeup_fd(-1)
    for sig in HELD_BACK:
        signal.signal(sig, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever pressed Ctrl-C means the program, which ends this process
    signal.signal(signal.SIGTERM, _leave)
    release_signals()
    # The SSH library logs each failure to standard error, with a traceback
    logging.disable(logging.CRITICAL)
    # Checks of users may print: standard output belongs to the program
    os.dup2(2, 1)
    lock = threading.Lock()

    def send(message: News) -> None:
        with lock:
            writer.send_bytes(json.dumps(message).encode())

    try:
        run_parallel(
            range(len(accounts)),
            lambda index: _probe_one(
                accounts[index], probe, timeout, lambda message: send({**message, "index": index})
            ),
            at_once=_PARALLEL_LOGINS,
        )
    finally:
        _end_commands()
        send({"done": True})
    # Threads of SSH connections are not worth waiting for
    os._exit(0)


def _probe_one(account: object, probe: Probe, timeout: float, send: Callable[[News], None]) -> None:
    doing = ""
    begin = time.monotonic()

    def tell(news: News) -> None:
        nonlocal doing
        doing = news.get("doing", doing)
        send(news)

    def fail(error: BaseException) -> None:
        took = time.monotonic() - begin
        is_silence = isinstance(error, TimeoutError) or took >= timeout
        reason = f"no answer within {took:.1f} s ({doing})" if is_silence else explain(error, account, doing)
        send({"error": reason_in_one_line(account, reason)})

    with tolerated(fail):  # the code of users runs here: accounts of their own, checks upon failures
        probe(account, tell, timeout=timeout)
    send({"answered": True})


def _leave(signum: int, frame: object) -> None:
    _end_commands()
    os._exit(1)


def _end_commands() -> None:
    """End commands on this very machine that still run, with whatever they started: each leads a group."""
    for pid in child_pids():
        with contextlib.suppress(ProcessLookupError, PermissionError, ChildProcessError):
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def reason_in_one_line(account: object, reason: str) -> str:
    """Return why a node is unusable as one line of limited length without its password."""
    password = getattr(getattr(account, "ssh_config", None), "password", None)
    return printable_line(mask(reason, password), longest=_MAX_REASON)
