# SPDX-License-Identifier: Apache-2.0
"""Every fault twice on one node, healed in any order: what was there before both is there again, or it is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ducktape import faults
from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.sandbox.cluster import SandboxCluster
from ducktape.faults import FaultUnavailable
from ducktape.faults.fault import Fault
from ducktape.utils.util import wait_until

pytestmark = [
    pytest.mark.needs("sandbox"),
    pytest.mark.quiet,
]

Make = Callable[[Any, Any], Fault]

# What is written there has places and numbers that are no state: counters, handles, free memory
STATE = r"""
for tables in "nft list ruleset" "iptables -S" "iptables -t mangle -S" "ip6tables -S"; do
    echo "== $tables"; $tables 2>/dev/null | grep -v '^#'
done
echo "== queues"; tc qdisc show dev eth0 2>/dev/null; cat /proc/net/netfilter/nfnetlink_queue 2>/dev/null
echo "== files"; ls -A /tmp; df --output=target,size /mnt /var /dev/shm; cat /mnt/data
echo "== processes"; ps -e -o stat=,args= | grep -e "[s]leep 4711" -e "[d]elay[.]py" | cut -c 1,5-
"""


@pytest.fixture(scope="module")
def boxes() -> Iterator[list[Any]]:
    cluster = SandboxCluster()
    nodes = list(cluster.alloc(ClusterSpec.simple_linux(2)))
    try:
        for node in nodes:
            node.account.ssh("head -c 5000 /dev/zero >/mnt/data; nohup sleep 4711 </dev/null >/dev/null 2>&1 &")
            # The newer iptables makes tables when it is first asked
            node.account.ssh("iptables -S; iptables -t mangle -S; ip6tables -S", allow_fail=True)
        yield nodes
    finally:
        cluster.free(nodes)
        cluster.close()


def state(node: Any) -> str:
    limits = [f"== limits of {name}" for name in sorted(node.cgroup)]
    for name, path in sorted(node.cgroup.items()):
        for file in {"cpu": ("cpu.cfs_quota_us", "cpu.max"), "memory": ("memory.limit_in_bytes", "memory.max")}.get(
            name, ()
        ):
            try:
                with open(f"{path}/{file}", encoding="ascii") as opened:
                    limits.append(f"{file} {opened.read().strip()}")
            except OSError:
                continue
    return str(node.account.ssh_output("sh -s", stdin=STATE).decode()) + "\n".join(limits)


MAKERS: dict[str, Make] = {
    "partition": lambda one, two: faults.partition([one], [two]),
    "isolate": lambda one, two: faults.isolate(one),
    "drop": lambda one, two: faults.drop(one, port=7),
    "loss": lambda one, two: faults.slow(one, loss=0.1),
    "delay": lambda one, two: faults.slow(one, delay=0.01),
    "rate": lambda one, two: faults.slow(one, rate="10mbit"),
    "fill_disk": lambda one, two: faults.fill_disk(one, "/mnt", free="20M"),
    "pause": lambda one, two: faults.pause(one, process="sleep 4711"),
    "limit_cpu": lambda one, two: faults.limit_cpu(one, 0.5),
    "limit_memory": lambda one, two: faults.limit_memory(one, "200M"),
    "corrupt": lambda one, two: faults.corrupt(one, "/mnt/data"),
    "truncate": lambda one, two: faults.truncate(one, "/mnt/data"),
}
# Two of what shapes the same link
REFUSED = {("delay", "delay"), ("rate", "rate")}
PAIRS = [(name, name) for name in MAKERS] + [
    ("loss", "delay"),
    ("delay", "rate"),
    ("drop", "delay"),
    ("limit_cpu", "limit_memory"),
    ("pause", "fill_disk"),
]


@pytest.mark.parametrize("pair", PAIRS, ids=" and ".join)
def test_two_faults_are_healed_in_any_order_or_the_second_is_refused(pair: tuple[str, str], boxes: list[Any]) -> None:
    before = state(boxes[0])
    for order in ((0, 1), (1, 0)) if pair[0] == pair[1] and pair not in REFUSED else ((0, 1),):
        both = [MAKERS[name](*boxes) for name in pair]
        try:
            both[0].inject().wait_effective()
            if pair in REFUSED:
                with pytest.raises(FaultUnavailable, match=r"^node1: .*(delayed|shaped) already"):
                    both[1].inject()
            else:
                both[1].inject().wait_effective()
                both[order[0]].heal()
            assert [fault._is_effective() for fault in both if fault.active] == [True]
        finally:
            for number in order:
                both[number].heal()
        # A program that lets packets wait looks five times a second whether it is to end
        wait_until(lambda: state(boxes[0]) == before, timeout_sec=5, err_msg=lambda: f"{before}\n\n{state(boxes[0])}")


def test_what_stood_before_a_pause_stays_so(boxes: list[Any]) -> None:
    account = boxes[0].account
    account.ssh("pkill -STOP -f 'sleep 4711'")
    with faults.pause(boxes[0], process="sleep 4711"):
        pass
    assert account.ssh_output("ps -e -o stat=,args= | grep '[s]leep 4711' | cut -c 1") == b"T\n"
    account.ssh("pkill -CONT -f 'sleep 4711'")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("free", [("2M", "2M"), ("5M", "2M"), ("2M", "5M")], ids=" and ".join)
def test_a_disk_that_is_filled_by_files_stays_full_until_both_faults_are_healed(
    free: tuple[str, str], order: tuple[int, int], boxes: list[Any]
) -> None:
    account = boxes[1].account
    look = "df --output=avail /mnt/small | tail -n 1; ls -A /mnt/small"
    # Nothing can be made smaller with a program that fails
    account.ssh("mkdir /mnt/small; mount -t tmpfs -o size=20m tmpfs /mnt/small; mount --bind /bin/false $(which mount)")
    try:
        before = account.ssh_output(look)
        both = [faults.fill_disk(boxes[1], "/mnt/small", free=each).inject() for each in free]
        try:
            both[order[0]].heal()
            both[order[1]].wait_effective(timeout_sec=3)
        finally:
            for fault in both:
                fault.heal()
        assert account.ssh_output(look) == before
    finally:
        account.ssh("umount $(which mount); umount /mnt/small; rmdir /mnt/small")
