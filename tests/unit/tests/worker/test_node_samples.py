# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess

import pytest

from ducktape.tests.worker.node_samples import SampleParser, sampling_command

NETWORK = """[network]
Inter-|   Receive                                      |  Transmit
 face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier compressed
    lo:     999       9    0    0    0     0          0         0      999       9    0    0    0     0       0      0
  eth0: {received} 1 0 0 0 0 0 0 {sent} 1 0 0 0 0 0 0
"""
MACHINE = (
    """[machine]
cpu  {user} 10 20 5000 600 7 8 5 0 0
cpu0 1 1 1 1 1 1 1 1 0 0
[memory]
MemTotal:        1000 kB
MemFree:          100 kB
MemAvailable:     400 kB
"""
    + NETWORK
    + """[disks]
   7       0 loop0 9620 260 19760 2964 5989 9362 29826 1222 0 648 4368
 259       0 nvme0n1 1 2 {read} 4 5 6 200 8 9 10 11
 259       1 nvme0n1p1 1 2 77 4 5 6 77 8 9 10 11
[space]
Filesystem     1024-blocks  Used Available Capacity Mounted on
/dev/nvme0n1p1    12342048  8000  12342040       1% /
[end]
"""
)
NODE = (
    """[processes]
1 (init) S 0 1 1 0 -1 4194560 1 2 3 4 {own} 20 30 40 20 0 1 0 5 17888000 100 18446744073709551615 1 1
7 (a (strange) name) R 1 1 1 0 -1 4194560 1 2 3 4 5 6 0 0 20 0 1 0 5 17888000 50 18446744073709551615 1 1
"""
    + NETWORK
    + "[end]\n"
)
START = "pid 4711\nticks 50\npage 8192\n"


def values_of(parser: SampleParser, text: str, now: float) -> dict[str, float] | None:
    found = [parser.feed(f"{line}\n", now) for line in text.splitlines()]
    assert found[:-1] == [None] * (len(found) - 1)
    return found[-1]


def test_a_machine_tells_everything() -> None:
    parser = SampleParser(is_namespace=False)
    first = START + MACHINE.format(user=1000, received=5000, sent=100, read=1000)
    levels = {"memory_used_bytes": 600 * 1024, "disk_used_bytes": 8000 * 1024}
    assert values_of(parser, first, 10.0) == levels
    assert parser.pid == 4711
    assert values_of(parser, MACHINE.format(user=1150, received=5500, sent=100, read=1004), 12.0) == {
        **levels,
        "cpu_cores": 1.5,
        "disk_read_bytes_per_sec": 1024,
        "disk_written_bytes_per_sec": 0,
        "network_received_bytes_per_sec": 250,
        "network_sent_bytes_per_sec": 0,
    }


def test_a_node_with_its_own_processes_tells_what_these_use() -> None:
    parser = SampleParser(is_namespace=True)
    assert values_of(parser, START + NODE.format(own=10, received=0, sent=0), 1.0) == {"memory_used_bytes": 150 * 8192}
    values = values_of(parser, NODE.format(own=60, received=8, sent=16), 3.0)
    expected = {"cpu_cores": 0.5, "network_received_bytes_per_sec": 4, "network_sent_bytes_per_sec": 8}
    assert values == {"memory_used_bytes": 150 * 8192, **expected}


def test_a_counter_that_began_anew_has_no_rate_once() -> None:
    parser = SampleParser(is_namespace=True)
    values_of(parser, NODE.format(own=60, received=8, sent=0), 1.0)
    assert "network_received_bytes_per_sec" not in (
        values_of(parser, NODE.format(own=60, received=4, sent=0), 2.0) or {}
    )
    assert (values_of(parser, NODE.format(own=60, received=8, sent=0), 3.0) or {})[
        "network_received_bytes_per_sec"
    ] == 4


@pytest.mark.parametrize(
    "text",
    [
        "[end]",
        "noise\npid x\nticks 0\npage -5\n[machine]\ncpu  1 2\n[memory]\nMemTotal:\n[disks]\nsda\n[space]\nx\n[end]",
        f"[machine]\ncpu {'9' * 5000} a b c d e f g\n[network]\neth0: {' x' * 16}\n[end]",
    ],
)
def test_what_makes_no_sense_is_absent(text: str) -> None:
    parser = SampleParser(is_namespace=False)
    for now in (1.0, 2.0):
        values = values_of(parser, text, now) or {}
        assert set(values.values()) <= {0}


@pytest.mark.parametrize("is_namespace", [True, False])
def test_the_command_ends_with_its_input_and_leaves_nothing(is_namespace: bool) -> None:
    command = sampling_command(is_namespace=is_namespace)
    process = subprocess.Popen(
        ["bash", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    parser = SampleParser(is_namespace=is_namespace)
    values = None
    for line in process.stdout:
        values = parser.feed(line, 1.0)
        if values is not None:
            break
    assert (values or {}).get("memory_used_bytes", 0) > 0
    assert parser.pid == process.pid
    process.stdin.close()
    process.stdout.read()
    assert process.wait(20) == 0
    process.stdout.close()
    left = subprocess.run(["pgrep", "-g", str(process.pid)], capture_output=True, text=True, check=False, timeout=20)
    assert left.stdout == ""
