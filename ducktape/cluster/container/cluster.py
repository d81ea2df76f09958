# SPDX-License-Identifier: Apache-2.0
"""A cluster whose nodes are containers of an engine with the interface of Docker.

A small process outlives this one, however this one ends, and removes the containers and the network. Where the engine
passes the end of a connection on, each container also ends with a connection to this process, even if all processes of
this machine are lost.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ducktape.cluster.cluster import Cluster, Keeping
from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.container.cleaner import LABEL
from ducktape.cluster.container.config import ContainerConfig, ContainerType, read_config
from ducktape.cluster.container.engine import SECONDS_TO_ANSWER, ContainerError, ContainerTransport, Engine
from ducktape.cluster.elastic import ElasticCluster
from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.remoteaccount import RemoteAccountSSHConfig
from ducktape.utils.support.guard import tolerated
from ducktape.utils.support.parallel import run_parallel

if TYPE_CHECKING:
    from docker.models.containers import Container
    from docker.models.networks import Network

_AT_ONCE = 8
_VERSION = "1.41"  # of the interface, which all engines have
_SECONDS_TO_CLEAN = 20.0
_ABSENT, _BUSY = 404, 409  # answers of the engine
# Ends with its input, which is the connection to the process that made the container. A shell that waits reaps orphans
_PROGRAM = ["/bin/sh", "-c", "exec 3<&0; cat <&3 >/dev/null 3<&- & exec 3<&- </dev/null; wait $!"]

_logger = logging.getLogger(__name__)


class ContainerNode(ClusterNode):
    """A container.

    Attributes:
        container_id: by which the engine knows it.
    """

    def __init__(self, account: LinuxRemoteAccount, container_id: str, connection: socket.socket) -> None:
        super().__init__(account)
        self.container_id = container_id
        self._connection = connection

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_connection": None}


class ContainerCluster(ElasticCluster[ContainerType]):
    """Makes containers on allocation and removes them when they are given back.

    Args:
        engine: where the engine is.
        name: of the cluster, for messages.
        cluster_file: path of a JSON file with the image and more.
        **kwargs: ``ssh_exception_checks``: passed to each account; everything else is ignored.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: its content is invalid.
        ContainerError: the engine cannot be reached.
    """

    def __init__(self, engine: Engine, name: str, cluster_file: str | None = None, **kwargs: Any) -> None:
        self._config: ContainerConfig = read_config(cluster_file, name)
        super().__init__(self._config.max_nodes, self._config.types)
        self._engine = engine
        self._checks: list[Callable[..., Any]] | None = kwargs.get("ssh_exception_checks")
        self._session = f"ducktape-{os.getpid()}-{secrets.token_hex(4)}"
        self._network: Network | None = None
        self._cleaner: _Cleaner | None = None
        self._images: set[str] = set()
        self._kept: set[str] = set()  # ids of containers that may outlive this process
        engine.client()

    def make_nodes(self, wanted: Mapping[int, ContainerType]) -> list[ContainerNode]:
        """Make containers, several at once; raises ``ContainerError`` with the engine's words."""
        network = self._live_network()
        for image in dict.fromkeys(kind.image for kind in wanted.values()):
            self._provide(image)
        attempts = run_parallel(
            list(wanted.items()), lambda item: self._make(item[0], item[1], network), at_once=_AT_ONCE
        )
        made = [attempt.result for attempt in attempts if attempt.result is not None]
        error = next((attempt.error for attempt in attempts if attempt.error is not None), None)
        if error is not None:
            with tolerated():
                self.destroy_nodes(made)
            raise error
        return made

    def _make(self, number: int, kind: ContainerType, network: Network) -> ContainerNode:
        name = f"node{number}"
        container = self._engine.asked(f"make {name}", lambda: self._created(name, kind, network))
        with contextlib.ExitStack() as undo:
            undo.callback(self._remove, str(container.id))
            connection, _ = self._engine.upgraded(
                f"/containers/{container.id}/attach?stdin=1&stream=1", {}, f"attach to {name}", SECONDS_TO_ANSWER
            )
            undo.callback(connection.close)
            self._engine.asked(f"start {name}", container.start)
            self._engine.asked(f"inspect {name}", container.reload)
            networks = container.attrs["NetworkSettings"]["Networks"]
            address = networks[network.name]["IPAddress"]
            if not address:
                raise ContainerError(f"{name} has ended at once: does its image {kind.image} have /bin/sh and cat?")
            undo.pop_all()
        config = RemoteAccountSSHConfig(host=name, hostname=address, user=self._config.user)
        account = LinuxRemoteAccount(config, address, kind.name, ssh_exception_checks=self._checks)
        account.transport = ContainerTransport(self._engine, str(container.id), name)
        return ContainerNode(account, str(container.id), connection)

    def _created(self, name: str, kind: ContainerType, network: Network) -> Container:
        from docker.types import EndpointConfig, Ulimit

        config = self._config
        limits: dict[str, Any] = {}
        if kind.cpu is not None:
            limits["nano_cpus"] = int(kind.cpu * 1e9)
        if kind.memory is not None:
            limits |= {"mem_limit": kind.memory, "memswap_limit": kind.memory}
        if kind.pids is not None:
            limits["pids_limit"] = kind.pids
        if config.runtime is not None:
            limits["runtime"] = config.runtime
        return self._engine.client().containers.create(
            kind.image,
            [],
            entrypoint=_PROGRAM,
            name=f"{self._session}-{name}",
            hostname=name,
            labels={LABEL: self._session},
            network=network.name,
            networking_config={str(network.name): EndpointConfig(version=_VERSION, aliases=[name])},
            environment=dict(config.environment),
            volumes=[f"{each['source']}:{each['target']}:{each['mode']}" for each in config.mounts],
            tmpfs={path: "" if size is None else f"size={size}" for path, size in config.tmpfs.items()},
            cap_add=list(config.capabilities),
            ulimits=[Ulimit(name=limit, soft=number, hard=number) for limit, number in config.ulimits.items()],
            user=config.user,
            init=config.init,
            auto_remove=True,
            stdin_open=True,  # and closed with its connection, since the library does not detach
            **limits,
        )

    def _provide(self, image: str) -> None:
        """Pull an image once, if that is wanted."""
        if image in self._images:
            return
        client = self._engine.client()
        if self._config.pull == "always" or not self._has(image):
            if self._config.pull == "never":
                raise ContainerError(f'{self._engine.title} has no image {image}, and "pull" is "never"')
            _logger.info("Pulling %s", image)
            tag = None if ":" in image.rpartition("/")[2] or "@" in image else "latest"  # not all of them
            self._engine.asked(f"pull the image {image}", lambda: client.images.pull(image, tag))
        self._images.add(image)

    def _has(self, image: str) -> bool:
        client = self._engine.client()
        try:
            self._engine.asked(f"look for the image {image}", lambda: client.images.get(image))
        except ContainerError as error:
            if error.status != _ABSENT:
                raise
            return False
        return True

    def _live_network(self) -> Network:
        if self._network is None:
            client = self._engine.client()
            # First, so that there is no moment at which nobody would remove the network
            self._cleaner = self._cleaner or _Cleaner(self._engine.address, self._session)
            self._network = self._engine.asked(
                "make a network",
                lambda: client.networks.create(self._session, driver="bridge", labels={LABEL: self._session}),
            )
        return self._network

    def destroy_nodes(self, nodes: Sequence[ClusterNode]) -> None:
        """Remove containers, several at once."""
        containers = [node for node in nodes if isinstance(node, ContainerNode)]
        attempts = run_parallel(containers, lambda node: self._remove(node.container_id), at_once=_AT_ONCE)
        for node in containers:
            node._connection.close()
        for attempt in attempts:
            if attempt.error is not None:
                raise attempt.error

    def _remove(self, container_id: str) -> None:
        api = self._engine.client().api
        try:
            self._engine.asked("remove a container", lambda: api.remove_container(container_id, v=True, force=True))
        except ContainerError as error:
            # It has ended by itself, and the engine may be removing it
            if error.status not in (_ABSENT, _BUSY):
                raise

    def keep(self, nodes: Sequence[ClusterNode]) -> Keeping:
        """Keep containers that are in use: their holder inherits what keeps them alive."""
        keeping = super().keep(nodes)
        for where, node in zip(keeping.where, nodes, strict=True):
            assert isinstance(node, ContainerNode)
            where |= {"container": node.container_id, "address": self._engine.address, "title": self._engine.title}
            where |= {"ip": node.account.externally_routable_ip, "node_type": node.node_type, "user": self._config.user}
            keeping.descriptors.append(os.dup(node._connection.fileno()))
        assert self._cleaner is not None  # it was started before the nodes were made
        keeping.descriptors.append(self._cleaner.spare([str(where["container"]) for where in keeping.where]))
        self._kept |= {str(where["container"]) for where in keeping.where}
        return keeping

    @classmethod
    def kept_account(cls, where: Mapping[str, Any], make: Callable[[], Cluster]) -> LinuxRemoteAccount:
        """Return the account of a kept container; needs no cluster."""
        engine = Engine(where["title"], where["address"])
        try:
            engine.asked(f"find {where['name']}", lambda: engine.client().containers.get(where["container"]))
        except ContainerError as error:
            if error.status != _ABSENT:
                raise
            raise LookupError(f"the container of {where['name']} does not exist any more") from None
        config = RemoteAccountSSHConfig(host=where["name"], hostname=where["ip"], user=where["user"])
        account = LinuxRemoteAccount(config, where["ip"], where["node_type"])
        account.transport = ContainerTransport(engine, where["container"], where["name"])
        return account

    def close(self) -> None:
        """Remove all containers but the kept ones, and the network; a later allocation makes a new one."""
        in_use, self._in_use = self._in_use, {}
        nodes = [node for node in in_use.values() if isinstance(node, ContainerNode)]
        self._network, cleaner, self._cleaner = None, self._cleaner, None
        try:
            self.destroy_nodes([node for node in nodes if node.container_id not in self._kept])
        finally:
            if cleaner is not None:
                cleaner.begin(wait_sec=0 if self._kept else _SECONDS_TO_CLEAN)


class _Cleaner:
    """The process that removes what this one leaves."""

    def __init__(self, address: str, session: str) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ducktape.cluster.container.cleaner", address, session],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def spare(self, containers: Sequence[str]) -> int:
        """Let containers stay as long as anybody holds the descriptor that is returned."""
        watched, held = os.pipe()
        try:
            socket.send_fds(self._ours, [" ".join(containers).encode("ascii")], [watched])
        finally:
            os.close(watched)
        return held

    def begin(self, wait_sec: float) -> None:
        """Let it remove everything, and wait for that for some seconds."""
        self._ours.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(wait_sec)
