# SPDX-License-Identifier: Apache-2.0
"""Wrong clocks.

The clock of a machine is set only if it is the machine's own. Elsewhere, as in the sandbox, programs are started with
libfaketime, which reads the offset from a file.
"""

from __future__ import annotations

import shlex

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.faults.engine.action import Action, refusing
from ducktape.faults.engine.host import Host, own_boot_id
from ducktape.faults.engine.scripted import TTL_SEC, ScriptedFault
from ducktape.faults.engine.validation import Target, need_number, nodes_of
from ducktape.faults.errors import FaultUnavailable

_FILE = "/tmp/dt-clock"
_FIND_LIBRARY = (
    "for f in /usr/lib/*/faketime/libfaketime.so.1 /usr/lib*/faketime/libfaketime.so.1 "
    "/usr/local/lib/faketime/libfaketime.so.1; do\n"
    '    if [ -e "$f" ]; then echo "$f"; exit 0; fi\ndone'
)


class SkewedClock(ScriptedFault):
    """Clocks that are fast or slow by some seconds."""

    kind = "skew_clock"

    def __init__(self, nodes: list[ClusterNode], seconds: float, ttl: float) -> None:
        super().__init__(nodes, ttl=ttl, seconds=seconds)
        self._seconds = seconds

    def _action(self, host: Host, node: ClusterNode) -> Action:
        if host.run(_USES_LIBRARY).exit_status == 0:
            return Action(
                host,
                inject=(
                    f"[ ! -e {_FILE} ] || {{ echo 'its clock is wrong already' >&2; exit 77; }}\n"
                    f': >"$d/mine"\numask 022\necho {self._seconds:+.3f} >{_FILE}.new\nmv {_FILE}.new {_FILE}'
                ),
                undo=f'[ ! -e "$d/mine" ] || rm -f {_FILE}',
                check=f"[ -e {_FILE} ]",
            )
        reason = _why_not_set(host)
        if reason:
            raise FaultUnavailable(
                f"{host.name}: {reason}, and no program there was started with faults.clock_environment(node)"
            )
        # A relative change, so that undoing it hours later is right and keeps corrections made meanwhile
        return Action(
            host,
            inject=refusing(f"date -s '{_relative(self._seconds)}'", "the clock cannot be set") + '\n: >"$d/skewed"',
            undo=f"if rm \"$d/skewed\" 2>/dev/null; then date -s '{_relative(-self._seconds)}' >/dev/null; fi",
            check='[ -e "$d/skewed" ]',
        )


_USES_LIBRARY = f"""
for folder in /proc/[0-9]*; do
    tr '\\0' '\\n' <"$folder/environ" 2>/dev/null | grep -q '^FAKETIME_TIMESTAMP_FILE={_FILE}$' && exit 0
done
exit 1
"""


def _relative(seconds: float) -> str:
    return f"{round(seconds):+d} seconds"


def _why_not_set(host: Host) -> str:
    """Return why the clock of a machine must not be set; empty if it may."""
    if not host.facts.rights:
        return "setting the clock needs root or sudo without a password"
    if not host.facts.boot_id or host.facts.boot_id == own_boot_id():
        return "its clock is that of the driver's machine"
    if host.facts.is_container:
        return "it is a container, whose clock is that of other machines too"
    return ""


def skew_clock(node: Target, seconds: float, *, ttl: float = TTL_SEC) -> SkewedClock:
    """Change the clock of nodes.

    A machine with a clock of its own has it set, by whole seconds. Elsewhere only programs that were started with
    :func:`clock_environment` are affected.

    Args:
        node: a node, a service, or a list of nodes.
        seconds: positive for a fast clock, negative for a slow one.
        ttl: seconds after which the nodes undo it by themselves unless the test renews it.

    Raises:
        TypeError: the seconds are not a number.
    """
    return SkewedClock(nodes_of(node), need_number(seconds, "seconds", "seconds"), ttl)


def clock_environment(node: ClusterNode) -> str:
    """Return a prefix for a command that makes :func:`skew_clock` affect it; blocks for a round trip.

    Args:
        node: where the command will run.

    Raises:
        FaultUnavailable: the node has no libfaketime.
    """
    host = Host.of(node)
    library = host.ask(_FIND_LIBRARY, "looking for libfaketime").strip()
    if not library:
        raise FaultUnavailable(f"{host.name} has no libfaketime: {host.install_command('libfaketime')}")
    return (
        f"LD_PRELOAD={shlex.quote(library)} FAKETIME_TIMESTAMP_FILE={_FILE} FAKETIME_NO_CACHE=1 DONT_FAKE_MONOTONIC=1 "
    )
