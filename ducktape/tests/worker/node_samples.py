# SPDX-License-Identifier: Apache-2.0
"""What a node says of its processor, memory, disks and network once a second: the command, and its output."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import NamedTuple

# Ends with its input, so that nothing is left on the node however the test ends. The variables are process ids.
_SCRIPT = """
exec 3<&0 </dev/null 2>/dev/null
(read -r line <&3; kill $$) >/dev/null &
watcher=$!
trap 'kill $pause $watcher; wait; exit 0' TERM
echo "pid $$"
echo "ticks $(getconf CLK_TCK)"
echo "page $(getconf PAGESIZE)"
while :; do
    echo "[{scope}]"
    cat {files}
    echo "[memory]"
    cat /proc/meminfo
    echo "[network]"
    cat /proc/net/dev
    echo "[disks]"
    cat /proc/diskstats
    echo "[space]"
    df -kP /
    echo "[end]"
    sleep 1 >/dev/null &
    pause=$!
    wait $pause
done
"""
_DISK = re.compile(r"([shv]d[a-z]+|xvd[a-z]+|nvme\d+n\d+|mmcblk\d+)")
_SECTOR_BYTES = 512
_TICKS = 100
_PAGE_BYTES = 4096


def sampling_command(*, is_namespace: bool) -> str:
    """Return the command for a machine, or for a node that has its own processes but no other counters."""
    scope, files = ("processes", "/proc/[0-9]*/stat") if is_namespace else ("machine", "/proc/stat")
    return f"exec sh -c {shlex.quote(_SCRIPT.format(scope=scope, files=files))}"


class Counters(NamedTuple):
    """One sample; ``totals`` only grow, ``levels`` are as they are."""

    time: float
    totals: dict[str, float]
    levels: dict[str, float]


class SampleParser:
    """Turns the lines of the command into samples, and these into rates."""

    def __init__(self, *, is_namespace: bool) -> None:
        self.pid: int | None = None
        self._is_namespace = is_namespace
        self._settings = {"ticks": _TICKS, "page": _PAGE_BYTES}
        self._sections: dict[str, list[str]] = {}
        self._section: list[str] = []
        self._last: Counters | None = None

    def feed(self, line: str, now: float) -> dict[str, float] | None:
        """Take a line, and return the values of a sample if it is the last one of it; the first sample has no rates."""
        line = line.rstrip("\n")
        if not line.startswith("["):
            name, _, value = line.partition(" ")
            if not self._sections and value.isdecimal():
                if name == "pid":
                    self.pid = int(value)
                elif name in self._settings and int(value) > 0:
                    self._settings[name] = int(value)
            self._section.append(line)
            return None
        if line != "[end]":
            self._section = self._sections[line[1:-1]] = []
            return None
        sections, self._sections = self._sections, {}
        sample = self._counters(sections, now)
        before, self._last = self._last, sample
        values = dict(sample.levels)
        if before is not None and now > before.time:
            for name, total in sample.totals.items():
                # A counter that is smaller than before began anew
                if total >= before.totals.get(name, total + 1):
                    values[name] = (total - before.totals[name]) / (now - before.time)
        return {name: round(value, 3) for name, value in values.items()}

    def _counters(self, sections: dict[str, list[str]], now: float) -> Counters:
        totals: dict[str, float] = {}
        levels: dict[str, float] = {}
        memory = _numbers_by_name(sections.get("memory", ()))
        if self._is_namespace:
            ticks = pages = 0
            for line in sections.get("processes", ()):
                # The name of a process may have blanks and parentheses
                fields = line.rpartition(")")[2].split()
                if len(fields) > 21:
                    # With those of ended children, to which it is the only witness
                    ticks += sum(_integer(field) for field in fields[11:15])
                    pages += _integer(fields[21])
            totals["cpu_cores"] = ticks / self._settings["ticks"]
            levels["memory_used_bytes"] = pages * self._settings["page"]
        else:
            for line in sections.get("machine", ()):
                fields = line.split()
                if fields[:1] == ["cpu"] and len(fields) > 7:
                    # All but idle and waiting; the guests' share is part of user and nice
                    busy = sum(_integer(fields[index]) for index in (1, 2, 3, 6, 7))
                    totals["cpu_cores"] = busy / self._settings["ticks"]
            if {"MemTotal", "MemAvailable"} <= memory.keys():
                levels["memory_used_bytes"] = (memory["MemTotal"] - memory["MemAvailable"]) * 1024
            disks = [fields for line in sections.get("disks", ()) if (fields := line.split()) and _is_disk(fields)]
            if disks:
                totals["disk_read_bytes_per_sec"] = sum(_integer(fields[5]) for fields in disks) * _SECTOR_BYTES
                totals["disk_written_bytes_per_sec"] = sum(_integer(fields[9]) for fields in disks) * _SECTOR_BYTES
        received, sent = _network(sections.get("network", ()))
        if received is not None and sent is not None:
            totals["network_received_bytes_per_sec"], totals["network_sent_bytes_per_sec"] = received, sent
        space = sections.get("space", ())[-1:]
        for line in space:
            fields = line.split()
            if len(fields) > 3 and fields[2].isdecimal():
                levels["disk_used_bytes"] = int(fields[2]) * 1024
        return Counters(now, totals, levels)


def _numbers_by_name(lines: Sequence[str]) -> dict[str, int]:
    found = {}
    for line in lines:
        name, _, rest = line.partition(":")
        if words := rest.split():
            found[name] = _integer(words[0])
    return found


def _network(lines: Sequence[str]) -> tuple[int | None, int | None]:
    """Return the received and sent bytes of all devices but the loopback."""
    devices = []
    for line in lines:
        name, colon, rest = line.partition(":")
        fields = rest.split()
        if colon and name.strip() != "lo" and len(fields) > 8:
            devices.append((_integer(fields[0]), _integer(fields[8])))
    if not devices:
        return None, None
    return sum(received for received, _ in devices), sum(sent for _, sent in devices)


def _is_disk(fields: Sequence[str]) -> bool:
    return len(fields) > 9 and _DISK.fullmatch(fields[2]) is not None


def _integer(text: str) -> int:
    # A node is not trusted to send numbers
    return int(text) if text.isdecimal() and len(text) < 20 else 0
