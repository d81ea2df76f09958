# SPDX-License-Identifier: Apache-2.0
"""Quarantine: nodes that were found unhealthy or left dirty, remembered for reports, perhaps tried again later."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ducktape.cluster.cluster import UnhealthyNode
from ducktape.cluster.health.runner import ProbeRunner, failures_of, reason_in_one_line, start_logins
from ducktape.cluster.node_container import NodeContainer
from ducktape.utils.support.hooks import answer_of

if TYPE_CHECKING:
    from ducktape.cluster.remoteaccount import RemoteAccount


def unhealthy_nodes(cluster: object) -> list[UnhealthyNode]:
    """Return the nodes that a cluster, which may be of any class, has ever had in quarantine."""
    found = getattr(cluster, "unhealthy_nodes", None)
    if not isinstance(found, list):
        return []
    return [node for node in found if isinstance(node, UnhealthyNode)]


def quarantine(cluster: object, node: object, reason: str) -> bool:
    """Let a cluster of any class, which may raise anything, quarantine a node; ``False`` if it has to be freed."""
    method = getattr(cluster, "put_aside", None)
    if not callable(method):
        return False
    return method(node, reason_in_one_line(getattr(node, "account", None), reason)) is True


class Quarantine:
    """The unhealthy accounts of a cluster, and the stories of all that ever were; ``logs_in`` to try them again."""

    def __init__(self, *, logs_in: bool) -> None:
        self.accounts: NodeContainer[RemoteAccount] = NodeContainer()
        self.stories: list[UnhealthyNode] = []
        self._logs_in = logs_in
        self._open: list[tuple[RemoteAccount, UnhealthyNode]] = []
        self._tried_at = 0.0
        self._logins: tuple[list[RemoteAccount], ProbeRunner] | None = None

    def __getstate__(self) -> dict[str, object]:
        return {**vars(self), "_logins": None}  # a process cannot travel

    def add(self, account: RemoteAccount, reason: str, *, for_good: bool = False) -> None:
        """Put an account into quarantine; ``for_good``, since a login does not show what a test has left."""
        story = UnhealthyNode(str(account.hostname), reason, time.time())
        self.accounts.add_node(account)
        self.stories.append(story)
        if for_good:
            return
        if not self._open:
            self._tried_at = time.monotonic()
        self._open.append((account, story))

    def add_unavailable(self, account: RemoteAccount) -> None:
        """Put an account into quarantine that says itself that it is not available."""
        self.add(account, "it says that it is not available")

    def recovered(self, every_sec: float) -> list[RemoteAccount]:
        """Return accounts that are healthy again, and forget them; never waits for a login."""
        if self._logins is None:
            if not self._open or time.monotonic() < self._tried_at + every_sec:
                return []
            self._tried_at = time.monotonic()
            candidates = [account for account, _ in self._open]
            if not self._logs_in:
                return self._release(candidates)
            self._logins = candidates, start_logins(candidates)
        accounts, runner = self._logins
        if not runner.finished():
            return []
        self._logins = None
        self._tried_at = time.monotonic()
        failures = failures_of(runner.findings)
        return self._release([account for index, account in enumerate(accounts) if index not in failures])

    def _release(self, accounts: list[RemoteAccount]) -> list[RemoteAccount]:
        """Ask accounts that could be logged in to for their own opinion, and release those that agree."""
        healthy = [account for account in accounts if answer_of(account.available)]
        for account in healthy:
            [position] = [number for number, (member, _) in enumerate(self._open) if member is account]
            self._open.pop(position)[1].back_at = time.time()
            self.accounts.remove_node(account)
        return healthy
