# SPDX-License-Identifier: Apache-2.0
"""Slow links: delay, jitter, loss and a limited rate of sent packets."""

from __future__ import annotations

import re
import shlex

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.faults.engine import firewall
from ducktape.faults.engine import packet_delay as delaying
from ducktape.faults.engine.action import Action, combined, refusing
from ducktape.faults.engine.host import Host
from ducktape.faults.engine.scripted import TTL_SEC, ScriptedFault
from ducktape.faults.engine.validation import Target, need_number, nodes_of
from ducktape.faults.errors import FaultUnavailable

_UNITS = {"": 1, "bit": 1, "kbit": 10**3, "mbit": 10**6, "gbit": 10**9, "bps": 8, "kbps": 8000, "mbps": 8 * 10**6}
_DEVICES = "sed -n 's/^ *\\([^ ]*\\):.*/\\1/p' /proc/net/dev\n"
# Tried in a temporary network namespace
_HAS_NETEM = "unshare --net tc qdisc add dev lo root netem delay 1ms 2>&1"


class Slowness(ScriptedFault):
    """Nodes whose packets are delayed, lost, or limited in rate."""

    kind = "slow"

    def __init__(
        self,
        nodes: list[ClusterNode],
        *,
        delay: float,
        jitter: float,
        loss: float,
        rate: int | None,
        device: str | None,
        ttl: float,
    ) -> None:
        shown = {"delay": delay, "jitter": jitter, "loss": loss, "rate": rate}
        super().__init__(nodes, ttl=ttl, device=device, **{name: value or None for name, value in shown.items()})
        self._delay, self._jitter, self._loss, self._rate = delay, jitter, loss, rate
        self._device = device

    def _action(self, host: Host, node: ClusterNode) -> Action:
        host.need_root("slowing down the network")
        host.need_own_network()
        if self._device is not None and self._device not in host.ask(_DEVICES, "listing network devices").split():
            raise FaultUnavailable(f"{host.name} has no network device {self._device}")
        if self._delay or self._rate:
            host.need_tool("tc")
        if self._delay and host.run(_HAS_NETEM).exit_status == 0:
            words = [
                f"delay {round(self._delay * 1e6)}us",
                f"{round(self._jitter * 1e6)}us" if self._jitter else "",
                f"loss {self._loss * 100:.4f}%" if self._loss else "",
                f"rate {self._rate}bit" if self._rate else "",
                "limit 20000",
            ]
            return self._shaper(host, f"netem {' '.join(filter(None, words))}")
        parts = []
        if self._rate:
            burst = max(3000, self._rate // 8 // 100)  # bytes per tick of the kernel's clock
            parts.append(self._shaper(host, f"tbf rate {self._rate}bit burst {burst} latency 400ms"))
        if self._loss:
            parts.append(firewall.action_for(host, [firewall.Rule(firewall.OUT, probability=self._loss)], self.token))
        if self._delay:
            parts.append(delaying.action_for(host, delay=self._delay, jitter=self._jitter, token=self.token))
        return combined(parts)

    def _shaper(self, host: Host, what: str) -> Action:
        device = self._device or host.facts.device
        if not device:
            raise FaultUnavailable(f"{host.name} has no network device with an address")
        # The handle identifies this queue, also for its removal
        handle = f"{int(self.token[:3], 16) + 0x1000:x}:"
        dev = shlex.quote(device)
        present = f"tc qdisc show dev {dev} | grep -E '^qdisc [^ ]+ {handle} '"
        return Action(
            host,
            inject=(
                # The kernel numbers its own default 0
                f"taken=$(tc qdisc show dev {dev} | grep root | grep -v ' 0: ' || :)\n"
                f'[ -z "$taken" ] || {{ echo "{device} is shaped already: $taken" >&2; exit 77; }}\n'
                + refusing(f"tc qdisc add dev {dev} root handle {handle} {what}", "the kernel refuses to slow packets")
            ),
            undo=f"if {present} >/dev/null; then tc qdisc del dev {dev} root; fi",
            check=f"{present} >/dev/null",
            lives_in_kernel=True,
        )


def bits_per_second(rate: float | str) -> int:
    """Parse a rate: bits per second, or a string such as ``"512kbit"`` or ``"10mbit"``."""
    match = re.fullmatch(r"\s*([0-9.]+)\s*([a-z]*)\s*", str(rate).lower())
    if match is None or match[2] not in _UNITS:
        raise ValueError(f"{rate!r} is not a rate: give bits per second, or a string such as '512kbit' or '10mbit'")
    bits = round(float(match[1]) * _UNITS[match[2]])
    if bits < 1000:
        raise ValueError(f"a rate of {bits} bits per second is too little to do anything with")
    return bits


def slow(
    node: Target,
    delay: float = 0,
    jitter: float = 0,
    loss: float = 0,
    rate: float | str | None = None,
    *,
    device: str | None = None,
    ttl: float = TTL_SEC,
) -> Slowness:
    """Slow down the packets that nodes send.

    Where the kernel has no netem, received packets are delayed instead; round trips take the same time.

    Args:
        node: a node, a service, or a list of nodes.
        delay: seconds that each packet waits.
        jitter: seconds that the delay varies up and down.
        loss: probability of the loss of a packet, up to 1.
        rate: bits per second, or a string such as ``"512kbit"``.
        device: name of the network device; by default that of the default route.
        ttl: seconds after which the nodes undo it by themselves unless the test renews it.

    Raises:
        TypeError: an argument is not a number.
        ValueError: an argument is out of range.
    """
    for name, value in (("delay", delay), ("jitter", jitter)):
        need_number(value, name, "seconds")
    need_number(loss, "loss", "a probability")
    if delay < 0 or jitter < 0 or not 0 <= loss <= 1:
        raise ValueError(f"delay={delay}, jitter={jitter}, loss={loss}: not negative, and loss at most 1")
    if jitter > delay:
        raise ValueError(f"a jitter of {jitter} seconds around a delay of {delay} would let packets arrive early")
    if not (delay or loss or rate):
        raise ValueError("nothing to be slow in: give delay, loss or rate")
    bits = None if rate is None else bits_per_second(rate)
    return Slowness(nodes_of(node), delay=delay, jitter=jitter, loss=loss, rate=bits, device=device, ttl=ttl)
