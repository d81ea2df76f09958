# SPDX-License-Identifier: Apache-2.0
"""Free accounts of which other runs may hold some."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable

from ducktape.cluster.node_container import (
    Demand,
    InsufficientHealthyNodesError,
    InsufficientResourcesError,
    NodeContainer,
)
from ducktape.cluster.pool.lease import Leases, NodesLeasedElsewhereError
from ducktape.cluster.remoteaccount import RemoteAccount
from ducktape.utils.support.hooks import answer_of


class LeasedPool:
    """Takes accounts out of a pool together with their leases: all that are required, or none.

    All accounts of the pool are there now; ``quarantine`` takes those that say that they are not available.
    """

    def __init__(
        self, accounts: NodeContainer[RemoteAccount], leases: Leases, quarantine: Callable[[RemoteAccount], None]
    ) -> None:
        self.leases = leases
        self._quarantine = quarantine
        self._accounts = accounts
        self._kept: list[RemoteAccount] = []
        # Names that other runs give the accounts, too; those that are described alike are numbered
        self._names: list[tuple[RemoteAccount, str]] = []
        seen: Counter[str] = Counter()
        for account in accounts:
            config = getattr(account, "ssh_config", None)
            name = f"{getattr(config, 'hostname', '')}:{getattr(config, 'port', 22)}:{account.hostname}"
            seen[name] += 1
            self._names.append((account, name if seen[name] == 1 else f"{name}#{seen[name]}"))

    def take(self, cluster_spec: Demand | None) -> list[RemoteAccount]:
        """Take accounts that call themselves available for a spec, or raise like :meth:`NodeContainer.remove_spec`.

        ``NodesLeasedElsewhereError`` says that there are enough, but other runs hold some of them.
        """
        unhealthy: list[RemoteAccount] = []
        while True:
            try:
                accounts = self._lease(cluster_spec)
            except NodesLeasedElsewhereError:
                raise
            except InsufficientResourcesError as error:
                if not unhealthy:
                    raise
                raise InsufficientHealthyNodesError(unhealthy, *error.args) from error
            # Asked only once the leases are there: this may cost time, and waiting for leases means many attempts.
            bad = [account for account in accounts if not answer_of(account.available)]
            if not bad:
                return accounts
            for account in accounts:
                self.release(account)
                if _contains(bad, account):
                    self._quarantine(account)
                else:
                    self._accounts.add_node(account)
            unhealthy.extend(bad)

    def release(self, account: RemoteAccount) -> None:
        """Release the lease of an account, unless it is kept."""
        if not _contains(self._kept, account):
            self.leases.release(self._name(account))

    def _name(self, account: RemoteAccount) -> str:
        return next((name for member, name in self._names if member is account), "")

    def descriptor(self, account: RemoteAccount) -> int:
        """Return a further descriptor of an account's lease, which lasts until all of them are closed."""
        return self.leases.duplicate(self._name(account))

    def hand_on(self, account: RemoteAccount, pid: int, until: float) -> None:
        """Show in the lease of an account that another process keeps the node."""
        self.leases.hand_on(self._name(account), pid, until)

    def keep(self, account: RemoteAccount) -> None:
        """Keep the lease of an account until this run ends, so that no other run gets a dirty node."""
        self._kept.append(account)

    def _lease(self, cluster_spec: Demand | None) -> list[RemoteAccount]:
        """Take accounts with their leases out of the pool, their health aside."""
        names = {id(account): name for account, name in self._names}
        candidates = NodeContainer(_Candidate(account, names[id(account)], self.leases) for account in self._accounts)
        with contextlib.ExitStack() as undo:
            for candidate in candidates:
                undo.callback(candidate.give_up)
            try:
                chosen, _ = candidates.remove_spec(cluster_spec)
            except InsufficientHealthyNodesError as error:
                undo.close()
                holders = {str(each.account.hostname): self.leases.holder(each.name) for each in error.bad_nodes}
                elsewhere = [candidate.account for candidate in error.bad_nodes]
                unleased = NodeContainer(each for each in self._accounts if not _contains(elsewhere, each))
                raise NodesLeasedElsewhereError(holders, unleased) from None
            undo.pop_all()
        accounts = [candidate.account for candidate in chosen]
        self._accounts.remove_nodes(accounts)
        return accounts


class _Candidate:
    """An account as the arithmetic of nodes sees it: healthy if its lease can be acquired."""

    _is_remote_account = True

    def __init__(self, account: RemoteAccount, name: str, leases: Leases) -> None:
        self.account = account
        self.name = name
        self.operating_system = account.operating_system
        self.node_type = getattr(account, "node_type", None)
        self._leases = leases
        self._is_ours = False

    def available(self) -> bool:
        self._is_ours = self._leases.acquire(self.name)
        return self._is_ours

    def give_up(self) -> None:
        if self._is_ours:
            self._leases.release(self.name)


def _contains(accounts: list[RemoteAccount], account: RemoteAccount) -> bool:
    return any(member is account for member in accounts)
