# SPDX-License-Identifier: Apache-2.0
"""The configuration of a cluster of containers: their image, number, types and limits."""

from __future__ import annotations

import dataclasses
import re
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
    as_text,
    as_types,
    as_whole,
    shown,
    with_fields,
)

_USUAL_NODES = 30
_PULL = ("missing", "always", "never")
_CAPABILITY = re.compile(r"[A-Z_]+")


@dataclass(frozen=True)
class ContainerType(NodeType):
    """One type of container, with the limits of each; ``None`` is without a limit."""

    image: str = ""
    cpu: float | None = None  # processors
    memory: int | None = None  # bytes
    pids: int | None = None  # processes and threads


@dataclass(frozen=True)
class ContainerConfig:
    """The configuration of a cluster of containers."""

    max_nodes: int = _USUAL_NODES
    types: tuple[ContainerType, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[dict[str, str], ...] = ()  # each with source, target and mode, which is "ro" or "rw"
    tmpfs: Mapping[str, int | None] = field(default_factory=dict)  # sizes in bytes by path
    capabilities: tuple[str, ...] = ()
    user: str = "root"
    pull: str = "missing"
    runtime: str | None = None
    init: bool = False
    ulimits: Mapping[str, int] = field(default_factory=dict)


def read_config(path: str | None, name: str) -> ContainerConfig:
    """Read the configuration in a JSON file; the name of the cluster is for messages."""
    if path is None:
        hint = 'write {"image": "debian:12"}, and name the file with --cluster-file'
        refuse(f"--cluster {name} needs a file with the image of its nodes: {hint}", None)
    try:
        return understand(read_cluster_file(path))
    except SettingError as mistake:
        refuse(str(mistake), path)


def understand(content: object) -> ContainerConfig:
    own = {each.name for each in dataclasses.fields(ContainerConfig)}
    description = as_object(content, "the top level", {*_READERS, *own})
    max_nodes = as_whole(description.get("max_nodes", _USUAL_NODES), "max_nodes", most=MOST_NODES)
    usual = with_fields(ContainerType(), description, _READERS, "")
    types = as_types(description.get("types"), usual, _READERS, max_nodes)
    for number, kind in enumerate(types):
        if not kind.image:
            place = "image" if description.get("types") is None else f"types[{number}].image"
            raise SettingError(f'{place} is missing: the name of an image that has a shell, such as "debian:12"')
    pull = as_text(description.get("pull", "missing"), "pull")
    if pull not in _PULL:
        raise SettingError(f'pull is {shown(pull)}, not "missing", "always" or "never"')
    mounts = as_list(description.get("mounts", []), "mounts")
    runtime = description.get("runtime")
    return ContainerConfig(
        max_nodes=max_nodes,
        types=types,
        environment=as_environment(description.get("environment", {})),
        mounts=tuple(as_mount(each, f"mounts[{number}]") for number, each in enumerate(mounts)),
        tmpfs=_tmpfs(description.get("tmpfs", {})),
        capabilities=tuple(map(_capability, as_list(description.get("capabilities", []), "capabilities"))),
        user=as_text(description.get("user", "root"), "user"),
        pull=pull,
        runtime=None if runtime is None else as_text(runtime, "runtime"),
        init=as_flag(description.get("init", False), "init"),
        ulimits=_ulimits(description.get("ulimits", {})),
    )


_READERS: Readers = {
    "image": as_text,
    "cpu": as_processors,
    "memory": as_size,
    "pids": as_processes,
}


def _tmpfs(value: object) -> dict[str, int | None]:
    if not isinstance(value, Mapping):
        raise SettingError(f'tmpfs is {shown(value)}, not an object such as {{"/data": "64m"}}')
    for path in value:
        if not path.startswith("/"):
            raise SettingError(f"tmpfs has {shown(path)}, which is not an absolute path")
    return {path: as_size(size, f"tmpfs.{path}") for path, size in value.items()}


def _ulimits(value: object) -> dict[str, int]:
    if not isinstance(value, Mapping):
        raise SettingError(f'ulimits is {shown(value)}, not an object such as {{"nofile": 20000}}')
    return {name: as_whole(number, f"ulimits.{name}") for name, number in value.items()}


def _capability(value: object) -> str:
    if not isinstance(value, str) or not _CAPABILITY.fullmatch(value):
        raise SettingError(f'capabilities has {shown(value)}, not a name such as "NET_ADMIN"')
    return value
