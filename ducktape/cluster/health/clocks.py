# SPDX-License-Identifier: Apache-2.0
"""How far the clocks of nodes are from that of the driver."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.transport import framework_commands
from ducktape.utils.support.guard import value_or
from ducktape.utils.support.parallel import run_parallel
from ducktape.utils.support.times import Stopwatch

_AT_ONCE = 16
_SECONDS_OF_SILENCE = 5.0
_SECONDS_IN_TOTAL = 15.0
# Clocks that are synchronised differ by less, and nobody reads logs that closely
_LEAST_SEC = 0.05


class Offset(NamedTuple):
    """By how many seconds a clock is fast, and by how many that may be wrong."""

    seconds: float
    uncertainty: float


def clock_offsets(nodes: Collection[ClusterNode]) -> dict[str, Offset]:
    """Ask nodes for the time, one command each, and return the offsets of those that differ, by their hostnames."""
    asked = [node for node in nodes if value_or(False, _has_own_clock, node)]
    attempts = run_parallel(asked, _offset_of, at_once=_AT_ONCE, timeout=_SECONDS_IN_TOTAL)
    return {
        str(node.account.hostname): attempt.result
        for node, attempt in zip(asked, attempts, strict=True)
        if attempt.result is not None and abs(attempt.result.seconds) > _LEAST_SEC + attempt.result.uncertainty
    }


def _has_own_clock(node: ClusterNode) -> bool:
    """Return whether it is another machine than that of the driver, as nodes of the sandbox are not."""
    account = node.account
    if getattr(account, "is_sandbox", False) is True or account.transport.is_local:
        return False
    return getattr(account, "operating_system", "linux") == "linux"


def _offset_of(node: ClusterNode) -> Offset:
    with framework_commands():
        clock = Stopwatch()
        done = node.account.transport.run("date +%s.%N", timeout=_SECONDS_OF_SILENCE)
    half = clock.elapsed / 2
    return Offset(float(done.stdout) - clock.start_time - half, half)
