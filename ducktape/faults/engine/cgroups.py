# SPDX-License-Identifier: Apache-2.0
"""Limits through control groups, versions 1 and 2."""

from __future__ import annotations

import dataclasses
import shlex

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.local.transport import LocalTransport
from ducktape.faults.engine.action import Action
from ducktape.faults.engine.host import Host
from ducktape.faults.engine.validation import in_sandbox
from ducktape.faults.errors import FaultUnavailable
from ducktape.faults.processes import Processes

# Finds the root group of a controller
_BASE = r"""
base=$(awk -v c="$controller" '$3 == "cgroup" && index("," $4 ",", "," c ",") { print $2; exit }' /proc/mounts)
kind=1
if [ -z "$base" ]; then
    kind=2
    controller=$modern
    base=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
fi
"""
_MAKE = r"""
if [ "$kind" = 2 ]; then
    grep -qw "$controller" "$base/cgroup.controllers" 2>/dev/null ||
        { echo "there is no control group for $controller" >&2; exit 77; }
    grep -qw "$controller" "$base/cgroup.subtree_control" || echo "+$controller" >"$base/cgroup.subtree_control"
fi
group=$base/dt-$token
mkdir "$group" 2>/dev/null || { echo "control groups for $controller cannot be changed" >&2; exit 77; }
"""
_MOVE = r"""
for pid in $pids; do
    if [ "$kind" = 1 ]; then
        was=$(awk -F : -v c="$controller" 'index("," $2 ",", "," c ",") { print $3 }' "/proc/$pid/cgroup")
    else
        was=$(sed -n 's/^0:://p' "/proc/$pid/cgroup")
    fi
    echo "$pid $was" >>"$d/moved"
    echo "$pid" >"$group/cgroup.procs"
done
"""
_MOVE_BACK = r"""
group=$base/dt-$token
[ -d "$group" ] || exit 0
# A later fault found them here: it shall move them back to where they were before both
while read -r pid was; do
    for other in "${d%/*}"/dt-fault-*; do
        [ "$other" != "$d" ] && grep -qx "$pid /dt-$token" "$other/moved" 2>/dev/null || continue
        pid=$pid was=$was mine=/dt-$token awk '
            $1 == ENVIRON["pid"] && $2 == ENVIRON["mine"] { $0 = $1 " " ENVIRON["was"] }
            { print }
        ' "$other/moved" >"$other/moved.new" && mv "$other/moved.new" "$other/moved"
    done
done <"$d/moved"
tries=0
while [ "$tries" -lt 20 ]; do
    for pid in $(cat "$group/cgroup.procs"); do
        # Younger children go where the first process came from
        was=$(sed -n "s/^$pid //p" "$d/moved")
        [ -n "$was" ] || was=$(sed -n '1s/^[0-9]* //p' "$d/moved")
        echo "$pid" >"$base$was/cgroup.procs" 2>/dev/null || echo "$pid" >"$base/cgroup.procs" 2>/dev/null
    done
    rmdir "$group" 2>/dev/null && exit 0
    tries=$((tries + 1))
    sleep 0.1 2>/dev/null || sleep 1
done
exit 1
"""

# A later fault found the values of this one: it shall restore those from before both
_HAND_ON = r"""
    for other in "${d%/*}"/dt-fault-*; do
        if [ "$other" != "$d" ] && cmp -s "$d/$name.made" "$other/$name.was"; then
            mv "$d/$name.was" "$other/$name.was"
            break
        fi
    done
"""


@dataclasses.dataclass(frozen=True)
class Limit:
    """The values to write into a control group: controller and files with their content, for versions 1 and 2."""

    controller: str
    modern: str
    classic_files: tuple[tuple[str, str], ...]
    modern_files: tuple[tuple[str, str], ...]


def action_for(host: Host, node: ClusterNode, processes: Processes | None, limit: Limit, token: str) -> Action:
    """Return the action that applies a limit to a node of the sandbox, or elsewhere to some processes."""
    if in_sandbox(node):
        groups = getattr(node, "cgroup", None) or {}
        group = groups.get(limit.controller) or groups.get(limit.modern) or groups.get("unified")
        if not group:
            raise FaultUnavailable(f"{host.name}: this machine offers no control group for {limit.modern}")
        return _of_group(Host(LocalTransport(), f"the machine of {host.name}"), str(group), limit)
    host.need_root("limiting processes")
    assert processes is not None
    pids = processes.find(host, node)
    if not pids:
        raise FaultUnavailable(f"{host.name}: nothing runs there that could be limited")
    return _of_processes(host, pids, limit, token)


def _of_group(host: Host, group: str, limit: Limit) -> Action:
    inject = [f"group={shlex.quote(group)}", "found="]
    for name, value in (*limit.classic_files, *limit.modern_files):
        quoted = shlex.quote(value)
        inject.append(
            f'if [ -e "$group/{name}" ]; then {{ echo "$group"; cat "$group/{name}"; }} >"$d/{name}.was"; '
            f'echo {quoted} >"$group/{name}"; {{ echo "$group"; cat "$group/{name}"; }} >"$d/{name}.made"; found=1; fi'
        )
    inject.append('[ -n "$found" ] || { echo "its control group has no such limit" >&2; exit 77; }')
    undo = [f"group={shlex.quote(group)}"]
    for name, value in (*limit.classic_files, *limit.modern_files):
        # A list of devices has no line for an unlimited one, so the unlimited value is spelled out
        device = value.split()[0]
        none = shlex.quote(f"{device} rbps=max wbps=max" if name == "io.max" else f"{device} 0")
        undo.append(
            f'if [ -e "$d/{name}.was" ] && [ -e "$group/{name}" ]; then\n'
            f"    name={name}\n{_HAND_ON}"
            '    if [ -e "$d/$name.was" ]; then\n        was=$(sed 1d "$d/$name.was")\n'
            f'        echo "${{was:-{none}}}" >"$group/$name"\n    fi\nfi'
        )
    return Action(host, "\n".join(inject), "\n".join(undo), f"[ -d {shlex.quote(group)} ]")


def _of_processes(host: Host, pids: list[int], limit: Limit, token: str) -> Action:
    names = f"controller={limit.controller}\nmodern={limit.modern}\ntoken={token}\n{_BASE}"
    writes = []
    for kind, files in ((1, limit.classic_files), (2, limit.modern_files)):
        lines = "\n".join(f'    echo {shlex.quote(value)} >"$group/{name}"' for name, value in files)
        writes.append(f'if [ "$kind" = {kind} ]; then\n{lines}\nfi')
    inject = f"{names}{_MAKE}" + "\n".join(writes) + f'\npids="{" ".join(map(str, pids))}"\n{_MOVE}'
    return Action(host, inject, names + _MOVE_BACK, f'{names}[ -d "$base/dt-$token" ]')
