# SPDX-License-Identifier: Apache-2.0
"""The configuration of a sandbox: number and kinds of nodes, their limits, and what they see of this machine."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from ducktape.cluster.elastic import NodeType
from ducktape.cluster.pool.cluster_file import read_cluster_file, refuse
from ducktape.cluster.pool.node_settings import (
    MOST_NODES,
    Readers,
    SettingError,
    as_environment,
    as_flag,
    as_list,
    as_mount,
    as_object,
    as_processes,
    as_processors,
    as_size,
    as_types,
    as_whole,
    shown,
    with_fields,
)
from ducktape.cluster.sandbox.ipc import Settings

_USUAL_NODES = 30
_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "TZ")


@dataclass(frozen=True)
class SandboxNodeType(NodeType):
    """One type of node, with the limits of each node; ``None`` is without a limit."""

    cpu: float | None = None  # processors
    memory: int | None = None  # bytes
    pids: int | None = None  # processes and threads
    disk: int | None = None  # bytes; None: half of this machine's memory
    crash_disk: bool = False  # un-synced data can be lost, as in a power cut


@dataclass(frozen=True)
class SandboxConfig:
    """The configuration of a sandbox."""

    max_nodes: int = _USUAL_NODES
    types: tuple[SandboxNodeType, ...] = (SandboxNodeType(),)
    network: str | None = None  # first three numbers of the addresses; None: any free network
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[dict[str, str], ...] = ()  # each with source, target and mode, which is "ro" or "rw"
    sshd: bool = False  # commands run over SSH

    def limits(self) -> set[str]:
        """Return the kinds of limits that are set for any node."""
        return {name for name in ("cpu", "memory", "pids") for kind in self.types if getattr(kind, name) is not None}

    def to_supervisor(self, home: str) -> Settings:
        """Return the settings for the supervisor, with the working directory of commands."""
        own = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        user = {"HOME": home, "USER": "root", "LOGNAME": "root", "SHELL": "/bin/sh"}
        return {
            "max_nodes": self.max_nodes,
            "network": self.network,
            "mounts": list(self.mounts),
            "environment": {**own, **user, **self.environment},
            "sshd": self.sshd,
            "path": os.environ.get("PATH", ""),
        }


def read_config(path: str | None) -> SandboxConfig:
    """Read the configuration in a JSON file; ``None`` is the usual one."""
    if path is None:
        return SandboxConfig()
    try:
        return understand(read_cluster_file(path))
    except SettingError as mistake:
        refuse(str(mistake), path)


def understand(content: object) -> SandboxConfig:
    keys = {*_READERS, "max_nodes", "types", "network", "environment", "mounts", "sshd"}
    description = as_object(content, "the top level", keys)
    max_nodes = as_whole(description.get("max_nodes", _USUAL_NODES), "max_nodes", most=MOST_NODES)
    usual = with_fields(SandboxNodeType(), description, _READERS, "")
    mounts = as_list(description.get("mounts", []), "mounts")
    return SandboxConfig(
        max_nodes=max_nodes,
        types=as_types(description.get("types"), usual, _READERS, max_nodes),
        network=_network(description.get("network")),
        environment=as_environment(description.get("environment", {})),
        mounts=tuple(as_mount(each, f"mounts[{number}]") for number, each in enumerate(mounts)),
        sshd=as_flag(description.get("sshd", False), "sshd"),
    )


_READERS: Readers = {
    "cpu": as_processors,
    "memory": as_size,
    "pids": as_processes,
    "disk": as_size,
    "crash_disk": as_flag,
}


def _network(value: object) -> str | None:
    if value is None:
        return None
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError as error:
        raise SettingError(f"network is {shown(value)}: {error}") from None
    strange = network.is_loopback or network.is_link_local or network.is_reserved or network.is_unspecified
    if network.prefixlen != 24 or not network.is_private or strange or str(network).startswith("0."):
        raise SettingError(f'network is {shown(value)}, not a private network of 256 addresses, such as "10.1.2.0/24"')
    return str(network.network_address).rpartition(".")[0]
