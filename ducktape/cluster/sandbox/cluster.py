# SPDX-License-Identifier: Apache-2.0
"""A cluster on this machine, whose nodes are made when they are allocated and destroyed when they are freed.

Each node has its own address, name, processes, files and limits. It uses namespaces and control groups of the Linux
kernel, but no container engine.
"""

from __future__ import annotations

import logging
import os
import pwd
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from ducktape.cluster.cluster import Cluster, Keeping
from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.elastic import ElasticCluster
from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.remoteaccount import RemoteAccountError, RemoteAccountSSHConfig
from ducktape.cluster.sandbox.client import OwnSupervisor, SandboxError, Supervisor, start_supervisor
from ducktape.cluster.sandbox.config import SandboxConfig, SandboxNodeType, read_config
from ducktape.cluster.sandbox.files import SandboxFiles
from ducktape.cluster.sandbox.ipc import NodeFacts, NodeWish
from ducktape.cluster.sandbox.transport import SandboxTransport
from ducktape.cluster.sandbox.userns import obstacle
from ducktape.cluster.ssh.transport import SshTransport
from ducktape.cluster.transport import unwrap
from ducktape.utils.process.proc import start_of

__all__ = ["SandboxAccount", "SandboxCluster", "SandboxError", "SandboxNode"]

_USER = "root"
_logger = logging.getLogger(__name__)


class SandboxAccount(LinuxRemoteAccount):
    """The account of a node of a sandbox; see ``RemoteAccount``."""

    is_sandbox = True

    def __init__(self, *args: Any, supervisor: Supervisor, **kwargs: Any) -> None:
        self._supervisor = supervisor
        super().__init__(*args, **kwargs)

    @property
    def init_pid(self) -> int:
        """Process id, on this machine, of the first process of the node; 0 while its power is off."""
        pid: int = self._supervisor.request("describe", name=self.hostname)["pid"]
        return pid

    def _make_own_transport(self) -> SshTransport:
        return SshTransport(self.ssh_config, prepare=self._provide_server, log=partial(self._log, logging.DEBUG))

    def _connection(self) -> SshTransport:
        # Commands need no SSH server, only the clients of the SSH library do
        return self._own_transport if isinstance(unwrap(self.transport), SandboxTransport) else super()._connection()

    def _provide_server(self) -> None:
        try:
            server = self._supervisor.request("server")
            SandboxFiles(self._supervisor.socket_of(self.hostname), "/").provide_server(server)
        except (SandboxError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise RemoteAccountError(
                self,
                f"ssh_client and sftp_client need an SSH server in the node: {reason}. It is started when they are "
                'first used, or together with the node when the cluster file says "sshd": true',
            ) from error


class SandboxNode(ClusterNode):
    """A node of a sandbox; ``cgroup`` has the directories of its control groups by controller, if there are any."""

    account: SandboxAccount  # type: ignore[override]  # a node of the sandbox takes no other

    def __init__(self, account: SandboxAccount, cgroup: dict[str, str]) -> None:
        super().__init__(account, cgroup=cgroup)
        self._supervisor = account._supervisor
        self.cgroup = cgroup

    def power_off(self, *, lose_unsynced: bool = False) -> None:
        """Kill all processes of the node; its files stay. Returns when they are gone.

        Args:
            lose_unsynced: also lose data that was not synced; needs ``crash_disk`` for the kind of node.

        Raises:
            SandboxError: the node cannot lose data; it is still on.
        """
        self._supervisor.request("power off", name=self.account.hostname, lose_unsynced=lose_unsynced)

    def power_on(self) -> None:
        """Start the node again with its files and its address; returns when it accepts commands.

        Network faults in force are restored before this returns.
        """
        self._supervisor.request("power on", name=self.account.hostname)
        # A connection to the former server would notice its death only with its next packet
        self.account._own_transport.close()
        faults = getattr(self.account, "fault_log", None)
        if faults is not None:
            faults.power_returned(self)


class SandboxCluster(ElasticCluster[SandboxNodeType]):
    """Makes nodes on allocation and destroys them when they are freed.

    Args:
        cluster_file: path of a JSON file with limits, kinds of nodes and more; ``None`` for the defaults.
        **kwargs: ``ssh_exception_checks``: passed to each account; everything else is ignored.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: its content is invalid.
        SandboxError: this user cannot make nodes on this machine.
    """

    def __init__(self, cluster_file: str | None = None, **kwargs: Any) -> None:
        self._config: SandboxConfig = read_config(cluster_file)
        super().__init__(self._config.max_nodes, self._config.types)
        self._checks: list[Callable[..., Any]] | None = kwargs.get("ssh_exception_checks")
        self._supervisor: OwnSupervisor | None = None
        problem = obstacle()
        if problem is not None:
            raise SandboxError(problem)

    def make_nodes(self, wanted: Mapping[int, SandboxNodeType]) -> list[SandboxNode]:
        """Make nodes, within some tens of milliseconds; raises ``SandboxError`` if this machine cannot."""
        supervisor = self._live_supervisor()
        wishes = [
            NodeWish(
                name=f"node{index}",
                index=index,
                cpu=kind.cpu,
                memory=kind.memory,
                pids=kind.pids,
                disk=kind.disk,
                crash_disk=kind.crash_disk,
            )
            for index, kind in wanted.items()
        ]
        made: list[NodeFacts] = supervisor.request("create", nodes=wishes)
        return [
            SandboxNode(self._account(supervisor, facts, kind), facts["cgroup"])
            for kind, facts in zip(wanted.values(), made, strict=True)
        ]

    def _account(self, supervisor: OwnSupervisor, facts: NodeFacts, kind: SandboxNodeType) -> SandboxAccount:
        config = RemoteAccountSSHConfig(
            host=facts["name"], hostname=facts["address"], user=_USER, port=22, identityfile=supervisor.identity
        )
        account = SandboxAccount(
            config,
            facts["address"],
            kind.name,
            ssh_exception_checks=self._checks,
            supervisor=Supervisor(supervisor.pid, supervisor.base),
        )
        if not self._config.sshd:
            account.transport = SandboxTransport(supervisor, facts["name"], _home())
        return account

    def _live_supervisor(self) -> OwnSupervisor:
        """Return the supervisor or a new one, if it ended, or did not answer and no test uses its nodes."""
        supervisor = self._supervisor
        if supervisor is not None and supervisor.is_silent() and not self._in_use:
            _logger.warning("The supervisor of the sandbox, %s, did not answer and is ended", supervisor.pid)
            supervisor.stop()
        if supervisor is None or supervisor.is_dead():
            self._supervisor = None
            self._supervisor = supervisor = start_supervisor(self._config.to_supervisor(_home()))
            missing = sorted(self._config.limits() - set(supervisor.controllers))
            if missing:
                _logger.warning(
                    "Limits of the sandbox's nodes have no effect here: %s (%s)", ", ".join(missing), supervisor.problem
                )
        return supervisor

    def destroy_nodes(self, nodes: Sequence[ClusterNode]) -> None:
        """Destroy nodes; those of a supervisor that has ended are gone."""
        if self._supervisor is not None and not self._supervisor.is_dead():
            self._supervisor.request("destroy", names=[node.account.hostname for node in nodes])

    def keep(self, nodes: Sequence[ClusterNode]) -> Keeping:
        """Keep nodes that are in use: the supervisor outlives this run with them, and destroys them with their holder.

        Raises:
            SandboxError: when the holder is confirmed, if the kernel cannot watch it (before Linux 5.3).
        """
        supervisor = self._supervisor
        assert supervisor is not None  # it has made them
        keeping = super().keep(nodes)
        names = [str(where["name"]) for where in keeping.where]
        for where, node in zip(keeping.where, nodes, strict=True):
            where |= {"supervisor": supervisor.pid, "start": start_of(supervisor.pid), "base": supervisor.base}
            where |= {"address": node.account.assigned_address, "node_type": node.account.node_type}
            where["home"] = _home()  # of this user in its namespace
        keeping.confirm = lambda pid, until: supervisor.request("keep", pid=pid, names=names)
        return keeping

    @classmethod
    def kept_account(cls, where: Mapping[str, Any], make: Callable[[], Cluster]) -> SandboxAccount:
        """Return the account of a kept node; needs neither a cluster nor the rights to make nodes."""
        if start_of(where["supervisor"]) != where["start"]:
            raise LookupError(f"the sandbox of {where['name']} does not exist any more")
        supervisor = Supervisor(where["supervisor"], where["base"])
        config = RemoteAccountSSHConfig(host=where["name"], hostname=where["address"], user=_USER, port=22)
        account = SandboxAccount(config, where["address"], where["node_type"], supervisor=supervisor)
        account.transport = SandboxTransport(supervisor, where["name"], where["home"])
        return account

    def close(self) -> None:
        """Destroy all nodes but the kept ones, and end the supervisor; a later allocation starts a new one."""
        supervisor, self._supervisor = self._supervisor, None
        self._in_use.clear()
        if supervisor is not None:
            supervisor.stop()


def _home() -> str:
    home = pwd.getpwuid(os.getuid()).pw_dir
    return home if os.path.isdir(home) else "/"
