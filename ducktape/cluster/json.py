# SPDX-License-Identifier: Apache-2.0
"""A cluster that is described in a JSON file."""

from __future__ import annotations

import inspect
import json
import os
import traceback
from collections.abc import Callable
from typing import Any

from ducktape.cluster.cluster import Cluster
from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.consts import WINDOWS
from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.node_container import InsufficientHealthyNodesError, NodeContainer
from ducktape.cluster.remoteaccount import RemoteAccount, RemoteAccountSSHConfig
from ducktape.cluster.windows_remoteaccount import WindowsRemoteAccount

DEFAULT_FILE = os.path.join(".ducktape", "cluster.json")


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
    """Lends out the machines of a description; connects to none of them.

    Args:
        cluster_json: the description: ``{"nodes": [{"ssh_config": {...}, "externally_routable_ip": ...,
            "node_type": ...}, ...]}``; ``None`` reads a file.
        make_remote_account_func: creates the account of a machine.
        **kwargs: ``cluster_file``: path of the file instead of ``.ducktape/cluster.json``;
            ``ssh_exception_checks``: passed to each account; everything else is ignored.

    Raises:
        FileNotFoundError: there is no file.
        ValueError: the description cannot be understood.
    """

    def __init__(
        self,
        cluster_json: dict[str, Any] | None = None,
        *args: Any,
        make_remote_account_func: Callable[..., Any] = make_remote_account,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self._make_remote_account_func = make_remote_account_func
        self._ssh_exception_checks = kwargs.get("ssh_exception_checks")
        self._available_accounts = NodeContainer()
        self._bad_accounts = NodeContainer()
        self._in_use_nodes = NodeContainer()
        self._next_slot = 0
        if cluster_json is None:
            cluster_json = _read(kwargs.get("cluster_file"))
        try:
            for description in cluster_json["nodes"]:
                self._available_accounts.add_node(self._account_of(description))
        except Exception as error:
            raise ValueError(f"JSON cluster definition invalid: {error}: {traceback.format_exc(limit=16)}") from error

    @property
    def _available_nodes(self) -> NodeContainer:
        return self._available_accounts

    def do_alloc(self, cluster_spec: ClusterSpec) -> list[ClusterNode]:
        """Take accounts, asking each whether it is available; each becomes a new node with its ``slot_id``."""
        try:
            good, bad = self._available_accounts.remove_spec(cluster_spec)
        except InsufficientHealthyNodesError as error:
            self._bad_accounts.add_nodes(error.bad_nodes)
            raise
        self._bad_accounts.add_nodes(bad)
        nodes = [self._node_of(account) for account in good]
        self._in_use_nodes.add_nodes(nodes)
        return nodes

    def free_single(self, node: ClusterNode) -> None:
        """Put a node's account behind the free ones and close its connection."""
        self._in_use_nodes.remove_node(node)
        self._available_accounts.add_node(node.account)
        node.account.close()

    def available(self) -> ClusterSpec:
        """Return what is free now."""
        return ClusterSpec.from_nodes(self._available_accounts)

    def used(self) -> ClusterSpec:
        """Return what is in use now."""
        return ClusterSpec.from_nodes(self._in_use_nodes)

    def _externally_routable_ip(self, account: Any) -> str | None:
        """The address of a machine whose description has none; for subclasses to answer."""
        return None

    def _make_remote_account(self, ssh_config: RemoteAccountSSHConfig, *args: Any, **kwargs: Any) -> Any:
        """Create the account of a machine; for subclasses to replace."""
        make = self._make_remote_account_func
        own = type(self).make_remote_account
        if make is make_remote_account and own is not make_remote_account:
            make = own
        if "node_type" in kwargs and not _accepts(make, "node_type"):
            # Written before there were node types.
            kwargs.pop("node_type")
        return make(ssh_config, *args, **kwargs)

    # An older place of the function. It stands behind the constructor, whose default is the function itself.
    make_remote_account = staticmethod(make_remote_account)

    def _account_of(self, description: dict[str, Any]) -> Any:
        settings = description.get("ssh_config")
        if settings is None:
            raise ValueError(f"a node has no ssh_config, only {sorted(description)}")
        account = self._make_remote_account(
            RemoteAccountSSHConfig(**settings),
            description.get("externally_routable_ip"),
            node_type=description.get("node_type"),
            ssh_exception_checks=self._ssh_exception_checks,
        )
        if account.externally_routable_ip is None:
            account.externally_routable_ip = self._externally_routable_ip(account)
        return account

    def _node_of(self, account: Any) -> ClusterNode:
        slot, self._next_slot = self._next_slot, self._next_slot + 1
        return ClusterNode(account, slot_id=slot)


def _read(path: str | None) -> Any:
    with open(DEFAULT_FILE if path is None else path, encoding="utf-8") as file:
        return json.load(file)


def _accepts(function: Callable[..., Any], name: str) -> bool:
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return True
    return name in parameters or any(one.kind is one.VAR_KEYWORD for one in parameters.values())
