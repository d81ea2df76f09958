# SPDX-License-Identifier: Apache-2.0
"""Nodes that were found unhealthy or were left dirty: put aside, remembered for reports, perhaps tried again later."""

from __future__ import annotations

import time
from typing import Any

from ducktape.cluster.health.login import NodeCheck, UnhealthyNode
from ducktape.cluster.node_container import NodeContainer
from ducktape.utils.support.hooks import answer_of


class PutAside:
    """The unhealthy nodes of a cluster.

    Args:
        logs_in: whether trying again includes a login.

    Attributes:
        accounts: those that are put aside now.
        stories: all that ever were, in the order in which it happened.
    """

    def __init__(self, *, logs_in: bool) -> None:
        self.accounts = NodeContainer()
        self.stories: list[UnhealthyNode] = []
        self._logs_in = logs_in
        self._open: list[tuple[Any, UnhealthyNode]] = []
        self._tried_at = 0.0
        self._check: NodeCheck | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_check": None}  # a process cannot travel

    def add(self, account: Any, reason: str, *, for_good: bool = False) -> None:
        """Put an account aside.

        Args:
            account: what to put aside.
            reason: why, in one line.
            for_good: it is not tried again. A login says nothing of what a test has left on a machine.
        """
        story = UnhealthyNode(str(account.hostname), reason, time.time())
        self.accounts.add_node(account)
        self.stories.append(story)
        if for_good:
            return
        if not self._open:
            self._tried_at = time.monotonic()
        self._open.append((account, story))

    def add_unavailable(self, account: Any) -> None:
        """Put an account aside that says itself that it is not available."""
        self.add(account, "it says that it is not available")

    def recovered(self, every_sec: float) -> list[Any]:
        """Return accounts that are healthy again, and forget them; never waits for a login.

        Args:
            every_sec: how long after one attempt the next may begin.
        """
        if self._check is None:
            if not self._open or time.monotonic() < self._tried_at + every_sec:
                return []
            self._tried_at = time.monotonic()
            candidates = [account for account, _ in self._open]
            if not self._logs_in:
                return self._take_back(candidates)
            self._check = NodeCheck(candidates)
        if not self._check.finished():
            return []
        check, self._check = self._check, None
        self._tried_at = time.monotonic()
        return self._take_back([account for index, account in enumerate(check.accounts) if index not in check.failures])

    def _take_back(self, accounts: list[Any]) -> list[Any]:
        """Ask accounts that could be logged in to for their own opinion, and take leave of those that agree."""
        healthy = [account for account in accounts if answer_of(account.available)]
        for account in healthy:
            [position] = [number for number, (member, _) in enumerate(self._open) if member is account]
            self._open.pop(position)[1].back_at = time.time()
            self.accounts.remove_node(account)
        return healthy
