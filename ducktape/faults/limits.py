# SPDX-License-Identifier: Apache-2.0
"""Limits for nodes and processes: processor, memory, disk."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from ducktape.faults.disk import size_in_bytes
from ducktape.faults.engine.action import Action
from ducktape.faults.engine.cgroups import Limit, action_for
from ducktape.faults.engine.host import Host
from ducktape.faults.engine.scripted import TTL_SEC, ScriptedFault
from ducktape.faults.engine.validation import Target, in_sandbox, need_number, nodes_of
from ducktape.faults.processes import Processes

_PERIOD_US = 100_000
_DEVICE = r"""
number=$(stat -c %d "$path") || exit 1
device=$(((number >> 8) & 4095)):$(((number & 255) | ((number >> 12) & 1048320)))
if [ ! -e "/sys/dev/block/$device" ]; then
    echo "$path is on $(stat -f -c %T "$path"), which is not a disk" >&2
    exit 77
fi
[ ! -e "/sys/dev/block/$device/partition" ] || device=$(cat "/sys/dev/block/$device/../dev")
echo "$device"
"""


class Limited(ScriptedFault):
    """Processes, or whole nodes of the sandbox, with a limit."""

    def __init__(
        self,
        target: object,
        kind: str,
        limit_of: Callable[[Host], Limit],
        process: str | None,
        ttl: float,
        **details: object,
    ) -> None:
        nodes = nodes_of(target)
        self.kind = kind
        in_boxes = all(in_sandbox(node) for node in nodes)
        self._processes = None if in_boxes else Processes(target, process)
        super().__init__(nodes, ttl=ttl, process=process, **details)
        self._limit_of = limit_of

    def _plan(self) -> list[Action]:
        return [
            # Nodes may share a machine and its control groups
            action_for(host, node, self._processes, self._limit_of(host), f"{self.token}n{number}")
            for number, (host, node) in enumerate(zip(self._hosts(), self.nodes, strict=True))
        ]


def limit_cpu(target: Target, cores: float, *, process: str | None = None, ttl: float = TTL_SEC) -> Limited:
    """Limit the processor time of processes.

    Args:
        target: nodes of the sandbox, which are limited as a whole; elsewhere a service with a method ``pids(node)``, or
            nodes together with ``process``.
        cores: processors in total; 0.5 is half of one.
        process: regular expression for ``pgrep -f``; not used in the sandbox.
        ttl: seconds after which it is undone unless the test renews it.

    Raises:
        ValueError: the limit is too low, or no processes are named.
    """
    quota = round(need_number(cores, "cores", "processors") * _PERIOD_US)
    if quota < 1000:
        raise ValueError(f"{cores} processors are too little: the kernel takes 0.01 and more")
    classic = (("cpu.cfs_period_us", str(_PERIOD_US)), ("cpu.cfs_quota_us", str(quota)))
    limit = Limit("cpu", "cpu", classic, (("cpu.max", f"{quota} {_PERIOD_US}"),))
    return Limited(target, "limit_cpu", lambda host: limit, process, ttl, cores=cores)


def limit_memory(target: Target, size: int | str, *, process: str | None = None, ttl: float = TTL_SEC) -> Limited:
    """Limit the memory of processes; the kernel kills those that exceed it.

    With control groups of version 1, memory allocated before does not count, except in the sandbox.

    Args:
        target: nodes of the sandbox, which are limited as a whole; elsewhere a service with a method ``pids(node)``, or
            nodes together with ``process``.
        size: bytes, or a string such as ``"100M"``.
        process: regular expression for ``pgrep -f``; not used in the sandbox.
        ttl: seconds after which it is undone unless the test renews it.
    """
    wanted = str(size_in_bytes(size))
    limit = Limit("memory", "memory", (("memory.limit_in_bytes", wanted),), (("memory.max", wanted),))
    return Limited(target, "limit_memory", lambda host: limit, process, ttl, size=int(wanted))


def slow_disk(
    target: Target, path: str, rate: int | str, *, process: str | None = None, ttl: float = TTL_SEC
) -> Limited:
    """Slow down a disk for processes; with control groups of version 1 only reads and direct writes.

    Args:
        target: nodes of the sandbox, which are limited as a whole; elsewhere a service with a method ``pids(node)``, or
            nodes together with ``process``.
        path: any path on the disk.
        rate: bytes per second, or a string such as ``"1M"``, for reading and for writing.
        process: regular expression for ``pgrep -f``; not used in the sandbox.
        ttl: seconds after which it is undone unless the test renews it.
    """
    speed = size_in_bytes(rate)

    def limit_of(host: Host) -> Limit:
        device = host.ask(f"path={shlex.quote(path)}\n{_DEVICE}", "looking for the disk").strip()
        classic = tuple((f"blkio.throttle.{way}_bps_device", f"{device} {speed}") for way in ("read", "write"))
        return Limit("blkio", "io", classic, (("io.max", f"{device} rbps={speed} wbps={speed}"),))

    return Limited(target, "slow_disk", limit_of, process, ttl, path=path, rate=speed)
