# SPDX-License-Identifier: Apache-2.0
"""A cluster in a box: nodes that are made on this machine when they are needed, and are gone when they are not.

Each node has an address, a name, processes, files and limits of its own. It is made of what the Linux kernel has for
that, without a container engine.
"""

from __future__ import annotations

import logging
import os
import pwd
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from ducktape.cluster.cluster import Cluster
from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.consts import LINUX
from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.node_container import NodeContainer, NodeNotPresentError
from ducktape.cluster.node_spec import NodeSpec
from ducktape.cluster.remoteaccount import RemoteAccountError, RemoteAccountSSHConfig
from ducktape.cluster.sandbox.client import Keeper, OwnKeeper, SandboxError, start_keeper
from ducktape.cluster.sandbox.config import NodeType, SandboxConfig, read_config
from ducktape.cluster.sandbox.files import SandboxFiles
from ducktape.cluster.sandbox.transport import SandboxSshTransport, SandboxTransport
from ducktape.cluster.sandbox.userns import obstacle
from ducktape.cluster.ssh.transport import SshTransport
from ducktape.cluster.transport import innermost

__all__ = ["SandboxAccount", "SandboxCluster", "SandboxError", "SandboxNode"]

_USER = "root"
_logger = logging.getLogger(__name__)


class SandboxAccount(LinuxRemoteAccount):
    """The account of a node of a sandbox; see ``RemoteAccount``."""

    is_sandbox = True

    def __init__(self, *args: Any, keeper: Keeper, **kwargs: Any) -> None:
        self._keeper = keeper
        super().__init__(*args, **kwargs)

    @property
    def init_pid(self) -> int:
        """Process id, on this machine, of the first process of the node; 0 while its power is off."""
        pid: int = self._keeper.ask("describe", name=self.hostname)["pid"]
        return pid

    def _make_own_transport(self) -> SshTransport:
        return SandboxSshTransport(self.ssh_config, provide=self._provide_server, log=partial(self._log, logging.DEBUG))

    def _connection(self) -> SshTransport:
        # Commands do without a server; it is for those who want the clients of the SSH library
        return self._own_transport if isinstance(innermost(self.transport), SandboxTransport) else super()._connection()

    def _provide_server(self) -> None:
        try:
            server = self._keeper.ask("server")
            SandboxFiles(self._keeper.door(self.hostname), "/").provide_server(server["program"], server["files"])
        except (SandboxError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise RemoteAccountError(
                self,
                f"ssh_client and sftp_client need an SSH server in the node: {reason}. It is started when they are "
                'first used, or together with the node when the cluster file says "sshd": true',
            ) from error


class SandboxNode(ClusterNode):
    """A node of a sandbox.

    Args:
        account: enters it.
        keeper: of the sandbox.
        index: position in the cluster.
        cgroup: directories of its control groups, by controller; none where this machine has none.

    Attributes:
        cgroup: those directories.
    """

    account: SandboxAccount

    def __init__(self, account: SandboxAccount, keeper: Keeper, index: int, cgroup: dict[str, str]) -> None:
        super().__init__(account, cgroup=cgroup)
        self._keeper = keeper
        self._index = index
        self.cgroup = cgroup

    def power_off(self, *, lose_unsynced: bool = False) -> None:
        """End all processes of the node at once; its files stay. Returns when they are gone.

        Args:
            lose_unsynced: lose what was written and not synced, too; for kinds of nodes with ``crash_disk``.

        Raises:
            SandboxError: the node cannot lose anything; it is still on.
        """
        self._keeper.ask("power off", name=self.account.hostname, lose_unsynced=lose_unsynced)

    def power_on(self) -> None:
        """Let a node that is off start again, with its files and its address; returns when it takes commands.

        Faults of the network that are in force are so again before this returns.
        """
        self._keeper.ask("power on", name=self.account.hostname)
        # A connection to the server that was there before learns of its death from its own next packet only
        self.account._own_transport.close()
        faults: Any = getattr(self.account, "fault_log", None)
        if faults is not None:
            faults.power_returned(self)


class SandboxCluster(Cluster):
    """Lends out nodes that are made for whoever gets them.

    Args:
        cluster_file: path of a JSON file with bounds, limits, kinds of nodes and more; ``None`` for none.
        **kwargs: ``ssh_exception_checks``: passed to each account; everything else is ignored.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be understood.
        SandboxError: this machine does not let this user make nodes.
    """

    def __init__(self, cluster_file: str | None = None, **kwargs: Any) -> None:
        super().__init__()
        self._config: SandboxConfig = read_config(cluster_file)
        self._checks: list[Callable[..., Any]] | None = kwargs.get("ssh_exception_checks")
        self._keeper: OwnKeeper | None = None
        self._in_use: dict[int, SandboxNode] = {}
        problem = obstacle()
        if problem is not None:
            raise SandboxError(problem)

    def do_alloc(self, cluster_spec: ClusterSpec) -> list[ClusterNode]:
        """Make nodes; takes some tens of milliseconds.

        Raises:
            InsufficientResourcesError: the configuration allows no more.
            SandboxError: this machine cannot make them.
        """
        taken, _ = NodeContainer(self._free_specs()).remove_spec(cluster_spec)
        if not taken:
            return []
        keeper = self._live_keeper()
        free = (index for index in range(1, self._config.max_nodes + 1) if index not in self._in_use)
        wanted = {next(free): self._config.type_named(spec.node_type) for spec in taken}
        made = keeper.ask("create", nodes=[_description(index, kind) for index, kind in wanted.items()])
        nodes = []
        for (index, kind), facts in zip(wanted.items(), made, strict=True):
            account = self._account(keeper, facts, kind)
            self._in_use[index] = SandboxNode(account, Keeper(keeper.pid, keeper.base), index, facts["cgroup"])
            nodes.append(self._in_use[index])
        return list(nodes)

    def _account(self, keeper: OwnKeeper, facts: dict[str, Any], kind: NodeType) -> SandboxAccount:
        config = RemoteAccountSSHConfig(
            host=facts["name"], hostname=facts["address"], user=_USER, port=22, identityfile=keeper.identity
        )
        account = SandboxAccount(
            config,
            facts["address"],
            kind.name,
            ssh_exception_checks=self._checks,
            keeper=Keeper(keeper.pid, keeper.base),
        )
        if not self._config.sshd:
            account.transport = SandboxTransport(keeper, facts["name"], _home())
        return account

    def _live_keeper(self) -> OwnKeeper:
        self._end_silent_keeper()
        if self._keeper is None or self._keeper.is_dead():
            self._keeper = start_keeper(self._config.to_keeper(_home()))
            self._tell_missing_limits(self._keeper)
        return self._keeper

    def _tell_missing_limits(self, keeper: OwnKeeper) -> None:
        missing = sorted(self._config.limits() - set(keeper.controllers))
        if missing:
            _logger.warning(
                "Limits of the sandbox's nodes have no effect here: %s (%s)", ", ".join(missing), keeper.problem
            )

    def free(self, nodes: Iterable[ClusterNode] | ClusterNode) -> None:
        """Destroy nodes; several take as long as one.

        Raises:
            NodeNotPresentError: one is not in use; no node was destroyed.
        """
        leaving = list(nodes) if isinstance(nodes, Iterable) else [nodes]
        for node in leaving:
            if not isinstance(node, SandboxNode) or self._in_use.get(node._index) is not node:
                raise NodeNotPresentError(f"{node} is not in use")
        for node in leaving:
            node.account.close()
        try:
            if self._keeper is not None and not self._keeper.is_dead():
                self._keeper.ask("destroy", names=[node.account.hostname for node in leaving])
        finally:
            for node in leaving:
                assert isinstance(node, SandboxNode)
                self._in_use.pop(node._index, None)

    def _end_silent_keeper(self) -> None:
        """Replace a keeper that gave no answer, unless tests use nodes that would go with it."""
        if self._keeper is not None and self._keeper.is_silent() and not self._in_use:
            _logger.warning("The process that held the sandbox, %s, gave no answer and is ended", self._keeper.pid)
            self._keeper.stop()
            self._keeper = None

    def free_single(self, node: ClusterNode) -> None:
        """Destroy a node."""
        self.free(node)

    def close(self) -> None:
        """Destroy all nodes, and end what holds them. A later allocation starts anew."""
        keeper, self._keeper = self._keeper, None
        self._in_use.clear()
        if keeper is not None:
            keeper.stop()

    def available(self) -> ClusterSpec:
        """Return what could be made now."""
        return ClusterSpec(self._free_specs())

    def used(self) -> ClusterSpec:
        """Return what is in use now."""
        return ClusterSpec([NodeSpec(LINUX, node.node_type) for node in self._in_use.values()])

    def _free_specs(self) -> list[NodeSpec]:
        used: dict[str | None, int] = {}
        for node in self._in_use.values():
            used[node.account.node_type] = used.get(node.account.node_type, 0) + 1
        left = self._config.max_nodes - len(self._in_use)
        specs: list[NodeSpec] = []
        rest = self._config.max_nodes - sum(kind.count or 0 for kind in self._config.types)
        for kind in self._config.types:
            count = (rest if kind.count is None else kind.count) - used.get(kind.name, 0)
            specs += [NodeSpec(LINUX, kind.name)] * max(0, min(count, left - len(specs)))
        return specs

    def __len__(self) -> int:
        return len(self._free_specs()) + len(self._in_use)


def _description(index: int, kind: NodeType) -> dict[str, Any]:
    limits = {"cpu": kind.cpu, "memory": kind.memory, "pids": kind.pids, "disk": kind.disk}
    return {"name": f"node{index}", "index": index, "crash_disk": kind.crash_disk, **limits}


def _home() -> str:
    home = pwd.getpwuid(os.getuid()).pw_dir
    return home if os.path.isdir(home) else "/"
