# SPDX-License-Identifier: Apache-2.0
"""Which nodes can be used: logins tried in a process of their own, and nodes that are put aside, with their story."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from ducktape.cluster.consts import WINDOWS
from ducktape.cluster.health.probe import first_line_of, one_line
from ducktape.utils.process.proc import end_with_parent
from ducktape.utils.process.spawn import HELD_BACK, release_signals, start_child

CHECK_SEC = 5.0
# A login costs processor time on this machine: hundreds of nodes cannot all be asked within the usual limit.
_SEC_PER_NODE = 0.2
_LOGINS_AT_ONCE = 64
_LONGEST_REASON = 600
_READ_SIZE = 1 << 16


@dataclass
class UnhealthyNode:
    """A node that was put aside, as reports show it.

    Attributes:
        name: of the node.
        reason: what was wrong, in one line.
        put_aside_at: when, in seconds since the epoch.
        back_at: when it was found healthy again; ``None`` while it is put aside.
    """

    name: str
    reason: str
    put_aside_at: float
    back_at: float | None = None

    def __str__(self) -> str:
        return f"{self.name} ({self.reason}{'' if self.back_at is None else '; healthy again later'})"

    def to_json(self) -> dict[str, Any]:
        """Return all fields."""
        return dict(vars(self))


def unhealthy_nodes(cluster: Any) -> list[UnhealthyNode]:
    """Return the nodes that a cluster has put aside, those that are back included; none for clusters without such."""
    found = getattr(cluster, "unhealthy_nodes", None)
    if not isinstance(found, list):
        return []
    return [node for node in found if isinstance(node, UnhealthyNode)]


def put_aside(cluster: Any, node: Any, reason: str) -> bool:
    """Give a node back that is not to be used again in this run.

    Args:
        cluster: owns the node. Nodes of clusters without a method ``put_aside(node, reason)`` cannot be put aside.
        node: one that is in use.
        reason: what is wrong with it; made one line of limited length.

    Returns:
        Whether it was put aside; if not, nothing has happened, and it has to be freed like any other.

    Raises:
        Exception: whatever the cluster raises.
    """
    method = getattr(cluster, "put_aside", None)
    if not callable(method):
        return False
    return method(node, _one_line(reason, getattr(node, "account", None))) is True


class NodeCheck:
    """Logins to many nodes at the same time, in a process of their own that ends within a limited time.

    Accounts of this process stay unconnected, and no thread is left that forking could hurt.

    Args:
        accounts: what to log in to.
        limit_sec: how long this may take, at least 0.2 for each node.
    """

    def __init__(self, accounts: Sequence[Any], *, limit_sec: float = CHECK_SEC) -> None:
        self.accounts = list(accounts)
        self._limit_sec = max(limit_sec, _SEC_PER_NODE * len(self.accounts))
        self._reasons: dict[int, str | None] = {}
        self._buffer = b""
        self._process, self._reader = start_child(
            "fork" if sys.platform.startswith("linux") else "spawn",
            _main,
            lambda _, writer: (self.accounts, writer),
            name="ducktape-check-nodes",
            daemon=True,
        )
        self._deadline = time.monotonic() + self._limit_sec
        os.set_blocking(self._reader.fileno(), False)

    def finished(self) -> bool:
        """Read what has come since, and return whether all is known or the time is over; never waits."""
        if self._reader.closed:
            return True
        ended = self._read()
        if ended or len(self._reasons) == len(self.accounts) or time.monotonic() >= self._deadline:
            self.cancel()
            return True
        return False

    def wait(self) -> dict[int, str]:
        """Wait until all is known or the time is over.

        Returns:
            For every account that cannot be used its position, and why.
        """
        while not self.finished():
            poller = select.poll()
            poller.register(self._reader.fileno(), select.POLLIN)
            poller.poll(max(0, (self._deadline - time.monotonic()) * 1000 + 1))
        return self.failures

    def cancel(self) -> None:
        """End the process now; returns when it is gone."""
        if self._reader.closed:
            return
        self._reader.close()
        self._process.kill()
        self._process.join()
        self._process.close()

    @property
    def failures(self) -> dict[int, str]:
        """For every account that cannot be used its position, and why. Complete once it has finished."""
        silent = f"no answer within {self._limit_sec:g} seconds"
        reasons = {index: self._reasons.get(index, silent) for index in range(len(self.accounts))}
        return {index: reason for index, reason in reasons.items() if reason is not None}

    def _read(self) -> bool:
        """Take in complete lines; return whether nothing more can come."""
        ended = False
        while not ended:
            try:
                chunk = os.read(self._reader.fileno(), _READ_SIZE)
            except BlockingIOError:
                break
            self._buffer += chunk
            ended = not chunk
        *lines, self._buffer = self._buffer.split(b"\n")
        for line in lines:
            index, reason = json.loads(line)
            self._reasons[index] = reason
        return ended


def check_nodes(accounts: Sequence[Any]) -> dict[int, str]:
    """Log in to nodes; blocks until all have answered, at most some seconds.

    Returns:
        For every account that cannot be used its position, and why.
    """
    return NodeCheck(accounts).wait() if accounts else {}


def _main(accounts: Sequence[Any], writer: Connection) -> None:
    """Be the process that tries the logins, from its first moment to its last."""
    if threading.current_thread() is threading.main_thread():
        signal.set_wakeup_fd(-1)
    for sig in HELD_BACK:
        signal.signal(sig, signal.SIG_IGN if sig is signal.SIGINT else signal.SIG_DFL)
    end_with_parent(signal.SIGKILL)
    release_signals()
    logging.disable()  # the logs belong to the driver

    def report(numbered: tuple[int, Any]) -> None:
        index, account = numbered
        line = json.dumps([index, what_is_wrong(account)]).encode() + b"\n"
        # Shorter than what a pipe takes in one piece, so lines of different threads do not mix.
        os.write(writer.fileno(), line)

    with contextlib.suppress(OSError), ThreadPoolExecutor(_LOGINS_AT_ONCE) as pool:
        list(pool.map(report, enumerate(accounts)))
    # Threads of SSH connections are not worth waiting for.
    os._exit(0)


def what_is_wrong(account: Any) -> str | None:
    """Log in to a machine and run nothing there; may block as long as the account's own limits allow.

    Args:
        account: anything without a transport passes.

    Returns:
        Why the machine cannot be used, in one line of limited length; ``None`` if it can.
    """
    transport = getattr(account, "transport", None)
    if transport is None:
        return None
    try:
        # Not through the account's verbs: checks that users have run upon SSH failures are for failures of tests.
        done = transport.run("true", timeout=CHECK_SEC)
    except Exception as error:  # whatever keeps a login from working is the answer
        return _one_line(f"{type(error).__name__}: {error}", account)
    if done.exit_status != 0 and getattr(account, "operating_system", None) != WINDOWS:
        return _one_line(f"the command 'true' ended with status {done.exit_status}: {first_line_of(done)}", account)
    return None


def _one_line(text: str, account: Any) -> str:
    password = getattr(getattr(account, "ssh_config", None), "password", None)
    if password:
        text = text.replace(password, "***")
    return one_line(text, longest=_LONGEST_REASON).rstrip(": ")
