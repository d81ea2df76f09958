# SPDX-License-Identifier: Apache-2.0
"""Damaged files: flipped bits, truncation."""

from __future__ import annotations

import random
import shlex

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.faults.disk import size_in_bytes
from ducktape.faults.engine.action import Action
from ducktape.faults.engine.host import Host
from ducktape.faults.engine.scripted import TTL_SEC, ScriptedFault
from ducktape.faults.engine.validation import Target, need_number, nodes_of
from ducktape.faults.errors import FaultUnavailable

_MOST_BITS = 4096
_PEEK = 'peek() { dd if="$path" bs=1 skip="$1" count=1 2>/dev/null | od -An -tu1 | tr -d " "; }\n'
_POKE = 'poke() { printf "\\\\$(printf %03o "$2")" | dd of="$path" bs=1 seek="$1" count=1 conv=notrunc 2>/dev/null; }\n'
_LOOK = """
[ -e "$path" ] || { echo "there is no file $path" >&2; exit 1; }
if [ ! -f "$path" ]; then
    if [ -d "$path" ]; then echo "$path is a directory" >&2; else echo "$path is not a regular file" >&2; fi
    exit 1
fi
# Opened without writing: root may write to nearly every file
said=$( (: >>"$path") 2>&1) || { echo "$path cannot be written to: ${said##*: }" >&2; exit 77; }
"""
_SIZE = 'size=$(stat -L -c %s "$path") || exit 1\n'


class Corruption(ScriptedFault):
    """A file with flipped bits."""

    kind = "corrupt"

    def __init__(self, nodes: list[ClusterNode], path: str, bits: int, seed: int | None, ttl: float) -> None:
        if not 0 < need_number(bits, "bits", "how many") <= _MOST_BITS or bits != int(bits):
            raise ValueError(f"{bits} bits: from 1 to {_MOST_BITS}")
        self.seed = random.randrange(1 << 32) if seed is None else seed
        super().__init__(nodes, ttl=ttl, path=path, bits=bits, seed=self.seed)
        self._path = path
        self._bits = bits

    def _action(self, host: Host, node: ClusterNode) -> Action:
        names = f"path={shlex.quote(self._path)}\n"
        size = int(host.ask(f'{names}{_LOOK}{_SIZE}echo "$size"', "looking at the file"))
        if size == 0:
            raise FaultUnavailable(f"{host.name}: {self._path} is empty, there is nothing to flip")
        masks: dict[int, int] = {}
        # The same seed flips the same bits of files with the same length
        for bit in random.Random(self.seed).sample(range(size * 8), min(self._bits, size * 8)):
            masks[bit // 8] = masks.get(bit // 8, 0) | 1 << bit % 8
        flips = "".join(f"flip {offset} {mask}\n" for offset, mask in sorted(masks.items()))
        inject = (
            f"{names}{_PEEK}{_POKE}"
            'flip() { was=$(peek "$1"); now=$((was ^ $2)); echo "$1 $was $now" >>"$d/flipped"; poke "$1" "$now"; }\n'
            f'stat -L -c %i "$path" >"$d/inode"\n{flips}'
        )
        undo = (
            f'{names}{_PEEK}{_POKE}[ -e "$d/flipped" ] || exit 0\n'
            # A file that was replaced or rewritten since is intact and must stay so
            '[ "$(stat -L -c %i "$path" 2>/dev/null)" = "$(cat "$d/inode")" ] || exit 0\n'
            "while read -r offset was now; do\n"
            '    if [ "$(peek "$offset")" = "$now" ]; then poke "$offset" "$was"; fi\ndone <"$d/flipped"\n'
        )
        return Action(host, inject, undo, '[ -e "$d/flipped" ]')


class Truncation(ScriptedFault):
    """A truncated file."""

    kind = "truncate"

    def __init__(self, nodes: list[ClusterNode], path: str, size: int | None, by: int | None, ttl: float) -> None:
        super().__init__(nodes, ttl=ttl, path=path, size=size, by=by)
        self._path = path
        self._new_size = f"{size}" if size is not None else f"$((size - {by}))"

    def _action(self, host: Host, node: ClusterNode) -> Action:
        names = f"path={shlex.quote(self._path)}\n"
        host.ask(f"{names}{_LOOK}", "looking at the file")
        inject = (
            f"{names}{_SIZE}new={self._new_size}\n"
            '[ "$new" -ge 0 ] || new=0\n[ "$new" -lt "$size" ] || exit 0\n'
            'tail -c "+$((new + 1))" "$path" >"$d/tail"\necho "$new $(stat -L -c %i "$path")" >"$d/cut"\n'
            'dd if=/dev/null of="$path" bs=1 seek="$new" 2>/dev/null'
        )
        undo = (
            f'{names}[ -e "$d/cut" ] || exit 0\n'
            '[ "$(stat -L -c "%s %i" "$path" 2>/dev/null)" = "$(cat "$d/cut")" ] || exit 0\n'
            'cat "$d/tail" >>"$path"\n'
        )
        return Action(host, inject, undo)


def corrupt(node: Target, path: str, bits: int = 1, seed: int | None = None, *, ttl: float = TTL_SEC) -> Corruption:
    """Flip bits of a file. Healing flips them back unless they were overwritten since.

    Args:
        node: a node, a service, or a list of nodes.
        path: of an existing file.
        bits: number of bits, up to 4096.
        seed: selects the bits; random by default and then found in the records.
        ttl: seconds after which the nodes undo it by themselves unless the test renews it.
    """
    return Corruption(nodes_of(node), path, bits, seed, ttl)


def truncate(
    node: Target, path: str, size: int | str | None = None, *, by: int | str | None = None, ttl: float = TTL_SEC
) -> Truncation:
    """Cut off the end of a file. Healing restores it unless the file was written to since.

    Args:
        node: a node, a service, or a list of nodes.
        path: of an existing file.
        size: bytes that remain; 0 by default.
        by: number of bytes to cut off, instead of ``size``.
        ttl: seconds after which the nodes undo it by themselves unless the test renews it.

    Raises:
        ValueError: both sizes are given.
    """
    if size is not None and by is not None:
        raise ValueError("size= is what remains and by= is what is cut off: give one of them")
    remaining = 0 if size is None and by is None else size
    return Truncation(
        nodes_of(node),
        path,
        None if remaining is None else size_in_bytes(remaining),
        None if by is None else size_in_bytes(by),
        ttl,
    )
