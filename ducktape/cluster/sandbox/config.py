# SPDX-License-Identifier: Apache-2.0
"""The configuration of a sandbox: number and kinds of nodes, their limits, and what they see of this machine."""

from __future__ import annotations

import ipaddress
import json
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ducktape.cluster.elastic import NodeType
from ducktape.cluster.pool.cluster_file import read_cluster_file, refuse
from ducktape.cluster.sandbox.ipc import Settings
from ducktape.utils.support.similar import or_similar
from ducktape.utils.support.text import shorten

_MOST_NODES = 250
_USUAL_NODES = 30
_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "TZ")
_SIZE = re.compile(r"(\d+)([kmgt]?)b?", re.IGNORECASE)
_LEAST_MEMORY = 8 << 20
_MOST_PROCESSES = 1 << 22  # the kernel takes no more
_MOST_PROCESSORS = 8192


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
    except _Mistake as mistake:
        refuse(str(mistake), path)


class _Mistake(Exception):
    """Something that cannot be understood."""


def understand(content: object) -> SandboxConfig:
    description = _object(
        content, "the top level", {*_LIMITS, "max_nodes", "types", "network", "environment", "mounts", "sshd"}
    )
    max_nodes = _whole(description.get("max_nodes", _USUAL_NODES), "max_nodes", most=_MOST_NODES)
    usual = _limits(SandboxNodeType(), description, "")
    types = description.get("types")
    return SandboxConfig(
        max_nodes=max_nodes,
        types=(usual,) if types is None else _types(_list(types, "types"), usual, max_nodes),
        network=_network(description.get("network")),
        environment=_environment(description.get("environment", {})),
        mounts=tuple(
            _mount(each, f"mounts[{n}]") for n, each in enumerate(_list(description.get("mounts", []), "mounts"))
        ),
        sshd=_flag(description.get("sshd", False), "sshd"),
    )


def _object(value: object, place: str, keys: set[str]) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise _Mistake(f"{place} is not an object, which has keys such as {', '.join(sorted(keys)[:4])}")
    unknown = sorted(set(map(str, value)) - keys)
    if unknown:
        if "nodes" in unknown:
            raise _Mistake(f"{place} has the key nodes, as a file for --cluster json does: it is not one for a sandbox")
        meant = or_similar(unknown[0], keys)
        raise _Mistake(f"{place} has the unknown key {unknown[0]}{meant}; there are {', '.join(sorted(keys))}")
    return value


def _types(entries: list[object], usual: SandboxNodeType, max_nodes: int) -> tuple[SandboxNodeType, ...]:
    types = []
    for number, entry in enumerate(entries):
        place = f"types[{number}]"
        each = _object(entry, place, {*_LIMITS, "name", "count"})
        name = each.get("name")
        if name is not None and (not isinstance(name, str) or not name):
            raise _Mistake(f"{place}.name is {_shown(name)}, not a string")
        count = None if each.get("count") is None else _whole(each["count"], f"{place}.count", most=_MOST_NODES)
        types.append(replace(_limits(usual, each, f"{place}."), name=name, count=count))
    if not types:
        raise _Mistake("types is empty")
    if len({kind.name for kind in types}) < len(types):
        raise _Mistake("types has two entries of the same name")
    uncounted = [number for number, kind in enumerate(types) if kind.count is None]
    if len(uncounted) > 1:
        raise _Mistake(f"types[{uncounted[1]}].count is missing: one kind at most can do without, and gets the rest")
    if len(types) > 1 and sum(kind.count or 1 for kind in types) > max_nodes:
        raise _Mistake(f"types has more nodes than max_nodes, which is {max_nodes}")
    return tuple(types)


def _limits(usual: SandboxNodeType, value: Mapping[str, object], place: str) -> SandboxNodeType:
    given: dict[str, Any] = {
        name: read(value[name], f"{place}{name}") for name, read in _LIMITS.items() if name in value
    }
    return replace(usual, **given)


def _list(value: object, place: str) -> list[object]:
    if not isinstance(value, list):
        raise _Mistake(f"{place} is {_shown(value)}, not a list")
    return value


def _flag(value: object, place: str) -> bool:
    if not isinstance(value, bool):
        raise _Mistake(f"{place} is {_shown(value)}, not a boolean")
    return value


def _whole(value: object, place: str, *, most: float = math.inf) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        limit = "" if math.isinf(most) else f" to {most}"
        raise _Mistake(f"{place} is {_shown(value)}, not a number from 1{limit or ' on'}")
    return value


def _processors(value: object, place: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.01 <= value <= _MOST_PROCESSORS:
        raise _Mistake(f"{place} is {_shown(value)}, not a number of processors from 0.01 to {_MOST_PROCESSORS}")
    return float(value)


def _size(value: object, place: str) -> int | None:
    if value is None:
        return None
    found = (
        _SIZE.fullmatch(str(value).strip()) if isinstance(value, (int, str)) and not isinstance(value, bool) else None
    )
    size = int(found[1]) << 10 * " kmgt".index(found[2].lower() or " ") if found else 0
    if size < _LEAST_MEMORY:
        raise _Mistake(f'{place} is {_shown(value)}, not a size of at least 8 MB, such as "512m" or "2g"')
    return size


def _processes(value: object, place: str) -> int | None:
    return None if value is None else _whole(value, place, most=_MOST_PROCESSES)


_LIMITS: dict[str, Callable[[object, str], Any]] = {
    "cpu": _processors,
    "memory": _size,
    "pids": _processes,
    "disk": _size,
    "crash_disk": _flag,
}


def _network(value: object) -> str | None:
    if value is None:
        return None
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError as error:
        raise _Mistake(f"network is {_shown(value)}: {error}") from None
    strange = network.is_loopback or network.is_link_local or network.is_reserved or network.is_unspecified
    if network.prefixlen != 24 or not network.is_private or strange or str(network).startswith("0."):
        raise _Mistake(f'network is {_shown(value)}, not a private network of 256 addresses, such as "10.1.2.0/24"')
    return str(network.network_address).rpartition(".")[0]


def _environment(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise _Mistake(f"environment is {_shown(value)}, not an object")
    found = {}
    for name, text in value.items():
        if text is None:
            text = os.environ.get(name)  # the variable of whoever runs the tests
            if text is None:
                continue
        if not isinstance(text, str) or "\0" in text or "=" in name or not name:
            raise _Mistake(f"environment.{name} is {_shown(text)}, not a string")
        found[name] = text
    return found


def _mount(value: object, place: str) -> dict[str, str]:
    given = _object(value, place, {"source", "target", "mode"})
    source = _path(given.get("source"), f"{place}.source")
    target = _path(given.get("target", source), f"{place}.target")
    if not os.path.exists(source):
        raise _Mistake(f"{place}.source does not exist: {source}")
    mode = given.get("mode", "ro")
    if mode not in ("ro", "rw"):
        raise _Mistake(f'{place}.mode is {_shown(mode)}, not "ro" or "rw"')
    return {"source": os.path.realpath(source), "target": os.path.normpath(target), "mode": str(mode)}


def _path(value: object, place: str) -> str:
    if not isinstance(value, str) or not os.path.isabs(value) or os.path.normpath(value) == "/":
        raise _Mistake(f"{place} is {_shown(value)}, not an absolute path")
    return value


def _shown(value: object) -> str:
    return shorten(json.dumps(value, default=str), 80)
