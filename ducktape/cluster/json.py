# SPDX-License-Identifier: Apache-2.0
"""A cluster that is described in a JSON file."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ducktape.cluster.cluster import Cluster, Keeping, UnhealthyNode
from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.consts import WINDOWS
from ducktape.cluster.health.runner import failed_logins
from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.node_container import InsufficientHealthyNodesError, NodeContainer, NodeNotPresentError
from ducktape.cluster.pool.cluster_file import (
    DEFAULT_FILE,
    lease_folder,
    name_nodes,
    nodes_of,
    place_of,
    read_cluster_file,
    refuse,
    ssh_settings,
)
from ducktape.cluster.pool.cluster_file_keys import check_node, check_top
from ducktape.cluster.pool.lease import Leases
from ducktape.cluster.pool.leased_pool import LeasedPool
from ducktape.cluster.pool.quarantine import Quarantine
from ducktape.cluster.remoteaccount import RemoteAccount, RemoteAccountSSHConfig
from ducktape.cluster.windows_remoteaccount import WindowsRemoteAccount
from ducktape.errors import CompatibilityWarning
from ducktape.utils.support.hooks import answer_of


def make_remote_account(ssh_config: RemoteAccountSSHConfig, *args: Any, **kwargs: Any) -> RemoteAccount:
    """Create the account of a machine.

    Args:
        ssh_config: a host whose name contains ``windows`` is a Windows machine, every other a Linux machine.
        *args: of the account.
        **kwargs: of the account.
    """
    if ssh_config.host and WINDOWS in ssh_config.host:
        return WindowsRemoteAccount(ssh_config, *args, **kwargs)
    return LinuxRemoteAccount(ssh_config, *args, **kwargs)


class JsonCluster(Cluster):
    """Lends out the machines of a description; connects to none of them unless it is told to check them.

    Args:
        cluster_json: the description: ``{"nodes": [{"ssh_config": {...}, "externally_routable_ip": ...,
            "node_type": ...}, ...], "lease_dir": ...}``; ``None`` reads a file.
        make_remote_account_func: creates the account of a machine.
        **kwargs: ``cluster_file``: path of the file instead of ``.ducktape/cluster.json``;
            ``ssh_exception_checks``: passed to each account; ``lease_dir``: folder of leases, instead of the
            description's; ``check_nodes``: try a login before a node is lent out; everything else is ignored.

    Attributes:
        retry_unhealthy_sec: seconds until a node in quarantine is tried again.

    Raises:
        FileNotFoundError: there is no file.
        ValueError: the description cannot be understood.
    """

    retry_unhealthy_sec: float = 30
    retries_unhealthy = True

    def __init__(
        self,
        cluster_json: dict[str, Any] | None = None,
        *args: object,
        make_remote_account_func: Callable[..., Any] = make_remote_account,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self._make_remote_account_func = make_remote_account_func
        self._ssh_exception_checks = kwargs.get("ssh_exception_checks")
        self._check_nodes = bool(kwargs.get("check_nodes"))
        self._available_accounts: NodeContainer[RemoteAccount] = NodeContainer()
        self._quarantine = Quarantine(logs_in=self._check_nodes)
        self._bad_accounts = self._quarantine.accounts
        self._in_use_nodes: NodeContainer[ClusterNode] = NodeContainer()
        self._next_slot = 0
        file = kwargs.get("cluster_file")
        given = cluster_json is not None
        if cluster_json is None:
            file = DEFAULT_FILE if file is None else file
            cluster_json = read_cluster_file(file)
        self._understand(cluster_json, file, given=given)
        self._leased: LeasedPool | None = None
        folder = kwargs.get("lease_dir")
        try:
            folder = folder or lease_folder(cluster_json, file)
            if folder is not None:
                self._leased = LeasedPool(self._available_accounts, Leases(folder), self._quarantine.add_unavailable)
        except ValueError as error:
            refuse(str(error), file)
        except OSError as error:
            refuse(f"the lease folder {folder} cannot be used: {error.strerror or error}", file)

    def _understand(self, description: Mapping[str, Any], file: str | None, *, given: bool) -> None:
        """Create the accounts of a description; only one from a file is checked against that file."""
        source = None if given else file
        place = ""
        configs: list[RemoteAccountSSHConfig] = []
        try:
            nodes = nodes_of(description)
            check_top(description, source)
            for position, node in enumerate(nodes):
                place = f"{place_of(position, node)}: "
                settings = ssh_settings(node)
                check_node(position, node, source)
                configs.append(RemoteAccountSSHConfig(**settings))
            place = ""
            name_nodes(configs)
        except ValueError as error:
            refuse(f"{place}{error}", file)
        except CompatibilityWarning as warning:
            refuse(str(warning), None)
        for position, (node, config) in enumerate(zip(nodes, configs, strict=True)):
            try:
                self._available_accounts.add_node(self._account_of(node, config))
            except Exception as error:  # of the function of users that makes accounts; its sys.exit() ends the run
                place, trace = place_of(position, node), traceback.format_exc(limit=16)
                raise ValueError(f"JSON cluster definition invalid: {place}: {error}: {trace}") from error

    @property
    def _available_nodes(self) -> NodeContainer[RemoteAccount]:
        return self._available_accounts

    @_available_nodes.setter
    def _available_nodes(self, nodes: NodeContainer[RemoteAccount]) -> None:
        self._available_accounts = nodes

    def do_alloc(self, cluster_spec: ClusterSpec) -> list[ClusterNode]:
        """Take accounts, asking each whether it is available; each becomes a new node with its ``slot_id``.

        Raises:
            NodesLeasedElsewhereError: there are enough, but other runs hold some of them.
            InsufficientResourcesError: there are not enough.
        """
        accounts = self._take_checked(cluster_spec) if self._check_nodes else self._take(cluster_spec)
        nodes = [ClusterNode(account, slot_id=slot) for slot, account in enumerate(accounts, self._next_slot)]
        self._next_slot += len(nodes)
        self._in_use_nodes.add_nodes(nodes)
        return nodes

    def _take(self, cluster_spec: ClusterSpec) -> list[RemoteAccount]:
        """Take accounts that call themselves available, with their leases."""
        if self._leased is not None:
            return self._leased.take(cluster_spec)
        bad: list[RemoteAccount] = []
        try:
            good, bad = self._available_accounts.remove_spec(cluster_spec)
            return good
        except InsufficientHealthyNodesError as error:
            bad = error.bad_nodes
            raise
        finally:
            for account in bad:
                self._quarantine.add_unavailable(account)

    def _take_checked(self, cluster_spec: ClusterSpec) -> list[RemoteAccount]:
        """Take accounts that can be logged in to; the login of each is tried once at most."""
        accounts = self._take(cluster_spec)
        failures = failed_logins(accounts)
        if not failures:
            return accounts
        # When one fails, others may as well: all free nodes are probed together rather than one after another.
        others = list(self._available_accounts)
        for index, account in enumerate(accounts):
            if self._leased is not None:
                self._leased.release(account)
            if index in failures:
                self._quarantine.add(account, failures[index])
            else:
                self._available_accounts.add_node(account)
        failures = failed_logins(others)
        self._available_accounts.remove_nodes([others[index] for index in failures])
        for index, reason in failures.items():
            self._quarantine.add(others[index], reason)
        if not self._available_accounts.can_remove_spec(cluster_spec):
            reason = self._available_accounts.attempt_remove_spec(cluster_spec)
            unhealthy = ", ".join(str(node) for node in self.unhealthy_nodes if node.back_at is None)
            raise InsufficientHealthyNodesError(list(self._bad_accounts), f"{reason}Unhealthy: {unhealthy}.")
        return self._take(cluster_spec)

    def free_single(self, node: ClusterNode) -> None:
        """Put a node's account behind the free ones, close its connection, and give back its lease."""
        self._in_use_nodes.remove_node(node)
        self._available_accounts.add_node(node.account)
        try:
            node.account.close()
        finally:
            if self._leased is not None:
                self._leased.release(node.account)

    def put_aside(self, node: ClusterNode, reason: str) -> bool:
        """Quarantine a node that a test has left dirty: this run does not lend it out again, and keeps its lease.

        Raises:
            NodeNotPresentError: it is not in use.
        """
        if node not in list(self._in_use_nodes):
            raise NodeNotPresentError(f"{node} is not in use")
        if self._leased is not None:
            self._leased.keep(node.account)
        try:
            # Subclasses learn from this that the node is not used any more, and do their own work upon it
            self.free(node)
        finally:
            self._available_accounts.remove_node(node.account)
            self._quarantine.add(node.account, reason, for_good=True)
        return True

    def available(self) -> ClusterSpec:
        """Return what this run does not use now; other runs may hold leases of some of it."""
        return ClusterSpec.from_nodes(self._available_accounts)

    def used(self) -> ClusterSpec:
        """Return what is in use now."""
        return ClusterSpec.from_nodes(self._in_use_nodes)

    @property
    def unhealthy_nodes(self) -> list[UnhealthyNode]:
        """All nodes that were ever in quarantine, with the reason."""
        return self._quarantine.stories

    def retry_unhealthy(self) -> bool:
        """Try nodes in quarantine again, if it is time; never waits for a login."""
        recovered = self._quarantine.recovered(self.retry_unhealthy_sec)
        self._available_accounts.add_nodes(recovered)
        return bool(recovered)

    def name_session(self, session_id: str) -> bool:
        """Tell other runs that wait for leases which session holds them; returns whether this cluster has leases."""
        if self._leased is not None:
            self._leased.leases.session = session_id
        return self._leased is not None

    def keep(self, nodes: Sequence[ClusterNode]) -> Keeping:
        """Hand the leases of nodes on to their holder: other runs do not get them before it ends."""
        keeping = super().keep(nodes)
        if self._leased is not None:
            leased = self._leased
            keeping.descriptors = [leased.descriptor(node.account) for node in nodes]

            def show_in_leases(pid: int, until: float) -> None:
                for node in nodes:
                    leased.hand_on(node.account, pid, until)

            keeping.confirm = show_in_leases
        return keeping

    def account_named(self, name: str) -> RemoteAccount:
        """Return the account of a machine of the description; leases do not matter."""
        accounts: list[RemoteAccount] = [*self._available_accounts]
        accounts += [node.account for node in self._in_use_nodes]
        for account in accounts:
            if account.hostname == name:
                return account
        raise LookupError(f"the cluster has no node {name}")

    def _externally_routable_ip(self, account: Any) -> str | None:
        """The address of a machine whose description has none; for subclasses to answer."""
        return None

    def _make_remote_account(self, ssh_config: RemoteAccountSSHConfig, *args: Any, **kwargs: Any) -> Any:
        """Create the account of a machine; for subclasses to replace."""
        make: Callable[..., RemoteAccount] = self._make_remote_account_func
        own = type(self).make_remote_account
        if make is make_remote_account and own is not make_remote_account:
            make = own
        if "node_type" in kwargs and not _accepts(make, "node_type"):
            # Written before there were node types.
            kwargs.pop("node_type")
        return make(ssh_config, *args, **kwargs)

    # An older place of the function. It stands behind the constructor, whose default is the function itself.
    make_remote_account = staticmethod(make_remote_account)

    def _account_of(self, node: Mapping[str, Any], config: RemoteAccountSSHConfig) -> RemoteAccount:
        account: RemoteAccount = answer_of(
            self._make_remote_account,
            config,
            node.get("externally_routable_ip"),
            node_type=node.get("node_type"),
            ssh_exception_checks=self._ssh_exception_checks,
        )
        # A plain account is not made to look an address up, which may block
        is_plain = getattr(type(account), "externally_routable_ip", None) is RemoteAccount.externally_routable_ip
        if (account.assigned_address if is_plain else account.externally_routable_ip) is None:
            account.externally_routable_ip = self._externally_routable_ip(account)
        return account


def _accepts(function: Callable[..., object], name: str) -> bool:
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return True
    return name in parameters or any(one.kind is one.VAR_KEYWORD for one in parameters.values())
