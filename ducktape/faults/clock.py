# SPDX-License-Identifier: Apache-2.0
"""Clocks that are wrong.

The clock of a machine is set only where it is that machine's own. Elsewhere, as in the sandbox, a library answers
programs that were started with it, and reads from a file how wrong it is to be.
"""

from __future__ import annotations

import shlex
from typing import Any

from ducktape.faults.engine.action import Action, refusing
from ducktape.faults.engine.host import Host
from ducktape.faults.engine.scripted import TTL_SEC, ScriptedFault
from ducktape.faults.engine.validation import need_number, nodes_of
from ducktape.faults.errors import FaultUnavailable

_FILE = "/tmp/dt-clock"
_FIND_LIBRARY = (
    "for f in /usr/lib/*/faketime/libfaketime.so.1 /usr/lib*/faketime/libfaketime.so.1 "
    "/usr/local/lib/faketime/libfaketime.so.1; do\n"
    '    if [ -e "$f" ]; then echo "$f"; exit 0; fi\ndone\n'
    'echo "there is no libfaketime (package libfaketime of Debian)" >&2; exit 77\n'
)
_OWN_BOOT_ID = "/proc/sys/kernel/random/boot_id"


class SkewedClock(ScriptedFault):
    """Clocks that are wrong by some seconds."""

    kind = "skew_clock"

    def __init__(self, nodes: list[Any], seconds: float, ttl: float) -> None:
        super().__init__(nodes, ttl=ttl, seconds=seconds)
        self._seconds = seconds

    def _action(self, host: Host, node: Any) -> Action:
        if host.run(_USES_LIBRARY).exit_status == 0:
            return self._by_library(host)
        reason = _why_not_set(host)
        if reason:
            raise FaultUnavailable(
                f"{host.name}: {reason}, and no program there was started with faults.clock_environment(node)"
            )
        return self._by_setting(host)

    def _by_library(self, host: Host) -> Action:
        return Action(
            host,
            inject=(
                f"[ ! -e {_FILE} ] || {{ echo 'its clock is wrong already' >&2; exit 77; }}\n"
                f': >"$d/mine"\numask 022\necho {self._seconds:+.3f} >{_FILE}.new\nmv {_FILE}.new {_FILE}'
            ),
            undo=f'[ ! -e "$d/mine" ] || rm -f {_FILE}',
            check=f"[ -e {_FILE} ]",
        )

    def _by_setting(self, host: Host) -> Action:
        # Relative to now: hours later it is still right, and so is what has been corrected meanwhile
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
    """Why the clock of a machine must not be set; empty if it may."""
    if not host.facts.rights:
        return "setting the clock needs root or sudo without a password"
    try:
        with open(_OWN_BOOT_ID, encoding="ascii") as file:
            own = file.read().strip()
    except OSError:
        own = ""
    if not host.facts.boot_id or host.facts.boot_id == own:
        return "its clock is that of the driver's machine"
    if host.facts.is_container:
        return "it is a container, whose clock is that of other machines too"
    return ""


def skew_clock(node: Any, seconds: float, *, ttl: float = TTL_SEC) -> SkewedClock:
    """Make the clock of nodes wrong.

    Where a machine has a clock of its own, that is set, to whole seconds. Elsewhere only those programs are affected
    that were started with :func:`clock_environment`.

    Args:
        node: a node, a service, or a list of nodes.
        seconds: by which the clock is fast; slow if negative.
        ttl: seconds after which the nodes undo it by themselves if the test does not live to do it.

    Raises:
        TypeError: the seconds are no number.
    """
    return SkewedClock(nodes_of(node), need_number(seconds, "seconds", "seconds"), ttl)


def clock_environment(node: Any) -> str:
    """Return what goes in front of a command, so that :func:`skew_clock` can deceive the program.

    Args:
        node: on which it is going to run; has libfaketime. Blocks for a round trip.

    Raises:
        FaultUnavailable: it has not.
    """
    library = Host.of(node).ask(_FIND_LIBRARY, "looking for libfaketime").strip()
    return (
        f"LD_PRELOAD={shlex.quote(library)} FAKETIME_TIMESTAMP_FILE={_FILE} FAKETIME_NO_CACHE=1 DONT_FAKE_MONOTONIC=1 "
    )
