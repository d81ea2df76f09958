# SPDX-License-Identifier: Apache-2.0
"""Finds core files, and processes that the kernel killed for lack of memory, on nodes: those of one test only."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.sandbox.cgroups import memory_kills
from ducktape.cluster.transport import framework_commands
from ducktape.utils.support.guard import value_or
from ducktape.utils.support.parallel import run_parallel
from ducktape.utils.support.text import one_line
from ducktape.utils.support.times import Stopwatch

_AT_ONCE = 16
_SECONDS_OF_SILENCE = 10.0
_SECONDS_IN_TOTAL = 30.0
_MOST_OF_A_NODE = 20
# The fourth kind of ELF files is core files. Those that systemd and apport have packed have names of their own
_SCRIPT = r"""
LC_ALL=C
export LC_ALL
since=$(($(date +%s) - SECONDS_AGO))
pattern=$(cat /proc/sys/kernel/core_pattern 2>/dev/null)
folder=
name=core
case $pattern in
    "|"*) ;;
    /*) folder=${pattern%/*} name=${pattern##*/} ;;
    ?*) name=$pattern ;;
esac
glob=$(printf %s "$name" | sed 's/%[a-zA-Z]/*/g')
for place in "$HOME" /tmp /var/tmp /var/crash /var/lib/systemd/coredump /mnt /opt "$folder"; do
    [ -d "$place" ] || continue
    find "$place" -maxdepth 2 -type f \( -name core -o -name 'core.*' -o -name "$glob" -o -name '*.crash' \) \
        -mmin -$((SECONDS_AGO / 60 + 2)) 2>/dev/null
done | sort -u | head -n 500 | while IFS= read -r file; do
    [ "$(stat -c %Y "$file" 2>/dev/null || echo 0)" -ge "$since" ] || continue
    case $file in
        /var/lib/systemd/coredump/core.* | *.crash) ;;
        *)
            [ "$(dd if="$file" bs=1 skip=1 count=3 2>/dev/null)" = ELF ] || continue
            [ "$(dd if="$file" bs=1 skip=16 count=1 2>/dev/null | od -An -tu1 | tr -d ' ')" = 4 ] || continue
            ;;
    esac
    echo "core $(stat -c %s "$file") $file"
done | head -n MOST
"""
# Containers see the messages of all their neighbours
_KERNEL_LOG = r"""
if [ ! -e /.dockerenv ] && [ ! -e /run/.containerenv ] && [ ! -e /run/systemd/container ]; then
    read -r uptime rest </proc/uptime
    { dmesg 2>/dev/null || sudo -n dmesg 2>/dev/null; } | grep -iE 'killed process [0-9]+' | tail -n MOST |
        sed "s/^/kernel $uptime /"
fi
"""
_MESSAGE = re.compile(r"kernel (\d+(?:\.\d+)?) .*?\[ *(\d+\.\d+)\] *(.*)")


class CrashWatch:
    """Watches nodes from now on, or from ``seconds_ago``; those that are the driver's own machine are left out."""

    def __init__(self, nodes: Collection[ClusterNode], *, seconds_ago: float = 0.0) -> None:
        self.answering: list[ClusterNode] = []  # those that have told what there is
        self._nodes = [node for node in nodes if value_or(False, _can_be_watched, node)]
        self._clock = Stopwatch()
        self._seconds_ago = seconds_ago
        self._kills = [] if seconds_ago else [value_or(None, _kills_in, node) for node in self._nodes]

    def findings(self) -> list[dict[str, object]]:
        """Ask the nodes, one command each, and return what was found; nodes that do not answer have no findings."""
        seconds = self._clock.elapsed + self._seconds_ago
        jobs = list(zip(self._nodes, self._kills or [None] * len(self._nodes), strict=True))
        attempts = run_parallel(
            jobs, lambda job: _found_on(job[0], job[1], seconds), at_once=_AT_ONCE, timeout=_SECONDS_IN_TOTAL
        )
        answers = [(node, attempt.result) for (node, _), attempt in zip(jobs, attempts, strict=True)]
        self.answering = [node for node, found in answers if found is not None]
        return [finding for _, found in answers for finding in found or ()]


def parsed(output: str, node: str, seconds: float) -> list[dict[str, object]]:
    """Return the findings in what a node has answered; of its kernel's messages, those of the last seconds."""
    found: list[dict[str, object]] = []
    for line in output.splitlines()[: 2 * _MOST_OF_A_NODE]:
        kind, _, rest = line.partition(" ")
        size, _, path = rest.partition(" ")
        if kind == "core" and size.isdecimal():
            found.append({"kind": "core", "node": node, "text": f"core file {one_line(path)} of {int(size):,} bytes"})
        elif (message := _MESSAGE.fullmatch(line)) and float(message[2]) >= float(message[1]) - seconds:
            found.append({"kind": "oom", "node": node, "text": one_line(message[3])})
    return found


def _can_be_watched(node: ClusterNode) -> bool:
    account = node.account
    return getattr(account, "operating_system", "linux") == "linux" and not account.transport.is_local


def _kills_in(node: ClusterNode) -> int | None:
    """Return how many processes have been killed in a node of the sandbox; ``None`` for other nodes."""
    if not _is_in_sandbox(node):
        return None
    pid = getattr(node.account, "init_pid", 0)  # 0 without power
    return memory_kills(pid) if isinstance(pid, int) and pid else None


def _is_in_sandbox(node: ClusterNode) -> bool:
    return getattr(node.account, "is_sandbox", False) is True


def _found_on(node: ClusterNode, kills_before: int | None, seconds: float) -> Sequence[dict[str, object]]:
    name = str(node.account.hostname)
    script = _SCRIPT if _is_in_sandbox(node) else _SCRIPT + _KERNEL_LOG
    # Rounded down, so that a file which the previous test left just before this one began is not counted
    for word, number in (("SECONDS_AGO", math.floor(seconds)), ("MOST", _MOST_OF_A_NODE)):
        script = script.replace(word, str(number))
    with framework_commands():
        done = node.account.transport.run("sh -s", stdin=script, timeout=_SECONDS_OF_SILENCE)
    found = parsed(done.stdout.decode(errors="replace"), name, seconds)
    kills = None if kills_before is None else value_or(None, _kills_in, node)
    if kills is not None and kills_before is not None and kills > kills_before:
        number = kills - kills_before
        text = f"the kernel killed {number} process{'' if number == 1 else 'es'} for lack of memory"
        found.append({"kind": "oom", "node": name, "text": text})
    return found
