# SPDX-License-Identifier: Apache-2.0
"""Full disks."""

from __future__ import annotations

import re
import shlex

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.faults.engine.action import Action
from ducktape.faults.engine.host import Host
from ducktape.faults.engine.scripted import TTL_SEC, ScriptedFault
from ducktape.faults.engine.validation import Target, in_sandbox, nodes_of

_SIZES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SLACK = 1 << 20

# Root may use the reserved blocks of a file system
_FREE = r"""
left() {
    if [ "$(id -u)" = 0 ]; then wanted=%f; else wanted=%a; fi
    set -- $(stat -f -c "$wanted %S" "$path")
    echo $(($1 * $2))
}
"""
# A file system in memory is shrunk, which takes no memory; all others are filled with a file
_FILL = r"""
[ -d "$path" ] || { echo "there is no directory $path" >&2; exit 1; }
# In the sandbox that is a file system of the driver's machine
[ -w "$path" ] || { echo "$path is read-only there" >&2; exit 77; }
size=$(($(left) - free))
echo "$file" >"$d/fills"
top=
case $(stat -f -c %T "$path") in
    tmpfs | ramfs) top=$(stat -c %m "$path") ;;
    overlayfs) top=$memory_below ;;
esac
if [ -n "$top" ]; then
    set -- $(stat -f -c "%b %f %S" "$top")
    echo "$(($1 * $3 / 1024)) $top" >"$d/size"
    if [ "$size" -le 0 ]; then
        # Another fault has made it at least as small; this one stays in force when that is healed
        cp "$d/size" "$d/made"
        mount -o "remount,size=$(($1 * $3 / 1024))k" "$top" 2>/dev/null || rm "$d/size" "$d/made"
        exit 0
    fi
    # Written before there is no room for it
    echo "00000000000000000000 $top" >"$d/made"
    # The kernel refuses a size below the used one, and other processes may be writing
    for more in 0 64 512; do
        set -- $(stat -f -c "%b %f %S" "$top")
        kib=$(((($1 - $2) * $3 + free + 1023) / 1024 + more))
        # The kernel counts in whole pages; and no size is no limit to it
        kib=$(((kib * 1024 + $3 - 1) / $3 * $3 / 1024))
        [ "$kib" -gt 0 ] || kib=$(($3 / 1024))
        echo "$kib $top" 1<>"$d/made"
        mount -o "remount,size=${kib}k" "$top" 2>/dev/null && exit 0
    done
    rm "$d/size" "$d/made"
    available=$(($(sed -n 's/^MemAvailable: *\([0-9]*\).*/\1/p' /proc/meminfo) * 1024))
    if [ "$size" -gt $((available / 2)) ]; then
        echo "$path is in memory, and filling it would take $((size >> 20)) MiB of that" >&2
        exit 77
    fi
fi
[ "$size" -gt 0 ] || exit 0
fallocate -l "$size" "$file" 2>/dev/null || dd if=/dev/zero of="$file" bs=1048576 count=$((size >> 20)) 2>/dev/null || :
# Tables of the file system itself, and roundings
rest=$(($(left) - free))
[ "$rest" -lt 4096 ] || dd if=/dev/zero of="$file-rest" bs=4096 count=$((rest >> 12)) 2>/dev/null || :
"""
_EMPTY = r"""
# Files that also fill the disk for another fault are left to that one, unless it is being healed right now
for other in "${d%/*}"/dt-fault-*; do
    [ "$other" != "$d" ] && [ ! -d "$other/undoing" ] && [ -e "$other/fills" ] || continue
    theirs=$(cat "$other/fills")
    [ "$(stat -c %d "${theirs%/*}")" = "$(stat -c %d "$path")" ] || continue
    for mine in "$file" "$file"-*; do
        [ ! -e "$mine" ] || mv "$mine" "$theirs-${mine##*.dt-fault-}"
    done
    [ -e "$other/fills" ] && [ ! -d "$other/undoing" ] || rm -f "$theirs"-*
    break
done
rm -f "$file" "$file"-*
if [ -e "$d/size" ]; then
    if [ -e "$d/made" ]; then
        # A later fault found the size of this one: it shall restore the one from before both
        for other in "${d%/*}"/dt-fault-*; do
            # The rest of the file is what it was made for
            [ "$other" != "$d" ] && [ "$(sed 1q "$d/made")" = "$(cat "$other/size" 2>/dev/null)" ] || continue
            mv "$d/size" "$other/size"
            exit 0
        done
    fi
    read -r size top <"$d/size"
    mount -o "remount,size=${size}k" "$top"
fi
"""


class FullDisk(ScriptedFault):
    """Full file systems."""

    kind = "fill_disk"

    def __init__(self, nodes: list[ClusterNode], path: str, free: int, ttl: float) -> None:
        super().__init__(nodes, ttl=ttl, path=path, free=free)
        self._path = path
        self._free = free

    def _action(self, host: Host, node: ClusterNode) -> Action:
        path = shlex.quote(self._path)
        names = f"path={path}\nfree={self._free}\nfile=$path/.dt-fault-{self.token}\n"
        # A node of the sandbox writes to a single file system, mounted here
        below = "/mnt" if in_sandbox(node) else ""
        return Action(
            host,
            inject=f"{names}memory_below={below}\n{_FREE}{_FILL}",
            undo=names + _EMPTY,
            check=f"{names}{_FREE}[ $(left) -le $((free + {_SLACK})) ]",
        )


def size_in_bytes(size: int | str) -> int:
    """Parse a size: bytes, or a string such as ``"64k"`` or ``"100M"``."""
    match = re.fullmatch(r"\s*([0-9]+)\s*([kmgt]?)(?:i?b)?\s*", str(size).lower())
    if match is None:
        raise ValueError(f"{size!r} is not a size: give bytes, or a string such as '64k' or '100M'")
    return int(match[1]) * _SIZES[match[2]]


def fill_disk(node: Target, path: str, free: int | str = 0, *, ttl: float = TTL_SEC) -> FullDisk:
    """Fill a file system so that writing fails.

    Args:
        node: a node, a service, or a list of nodes.
        path: a directory on the file system.
        free: bytes to leave, or a string such as ``"1M"``.
        ttl: seconds after which the nodes undo it by themselves unless the test renews it.
    """
    return FullDisk(nodes_of(node), path, size_in_bytes(free), ttl)
