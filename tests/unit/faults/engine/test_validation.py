# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from ducktape import faults
from ducktape.faults.disk import size_in_bytes
from ducktape.faults.engine.netem import bits_per_second
from ducktape.faults.engine.validation import nodes_of, split_peers

# What callers without types may do
untyped: Any = faults


def make_node(name: str = "n1") -> Any:
    return SimpleNamespace(account=SimpleNamespace(hostname=name))


def test_nodes_services_and_lists_of_them_are_targets() -> None:
    one, two, three = (make_node(name) for name in ("n1", "n2", "n3"))
    service = SimpleNamespace(nodes=[two, three])
    assert nodes_of(one) == [one]
    assert nodes_of([one, service, two]) == [one, two, three]
    assert split_peers([service, "10.0.0.9"]) == ([two, three], ["10.0.0.9"])
    with pytest.raises(TypeError, match="got 'n1'"):
        nodes_of("n1")
    with pytest.raises(ValueError, match="has no nodes"):
        nodes_of([])
    with pytest.raises(ValueError, match="'n1' is not an IP address"):
        split_peers("n1")


@pytest.mark.parametrize(("text", "value"), [(5, 5), ("64k", 65536), ("1M", 1 << 20), ("2GiB", 2 << 30), ("0", 0)])
def test_sizes(text: int | str, value: int) -> None:
    assert size_in_bytes(text) == value


@pytest.mark.parametrize(("text", "value"), [(8000, 8000), ("512kbit", 512_000), ("10 mbit", 10_000_000)])
def test_rates(text: int | str, value: int) -> None:
    assert bits_per_second(text) == value


@pytest.mark.parametrize(
    ("attempt", "complaint"),
    [
        (lambda: size_in_bytes("much"), "'much' is not a size"),
        (lambda: bits_per_second("fast"), "'fast' is not a rate"),
        (lambda: bits_per_second(10), "too little"),
        (lambda: faults.partition([make_node()]), "two groups of nodes or more"),
        (lambda: faults.slow(make_node()), "nothing to be slow in"),
        (lambda: faults.slow(make_node(), delay=0.1, jitter=0.2), "would let packets arrive early"),
        (lambda: faults.slow(make_node(), loss=2), "loss at most 1"),
        (lambda: faults.drop(make_node(), probability=0), "is not between 0 and 1"),
        (lambda: faults.drop(make_node(), port=0), "0 is not a port"),
        (lambda: faults.corrupt(make_node(), "/x", bits=0), "from 1 to 4096"),
        (lambda: faults.truncate(make_node(), "/x", size=1, by=1), "give one of them"),
        (lambda: faults.limit_cpu(make_node(), 0.001, process="x"), "too little"),
        (lambda: faults.kill(make_node()), r"which processes of n1\? Give process="),
        (lambda: faults.pause(make_node()), "which processes of n1"),
        (lambda: faults.limit_memory(make_node(), "1M"), "which processes of n1"),
        (lambda: faults.kill(make_node(), 999, process="x"), "999 is not the number of a signal"),
        (lambda: faults.kill(make_node(), 0, process="x"), "0 is not the number of a signal"),
        (lambda: untyped.drop(make_node(), port=7.5), "7.5 is not a port"),
        (lambda: untyped.corrupt(make_node(), "/x", bits=1.5), "1.5 bits: from 1 to 4096"),
        (lambda: faults.skew_clock(make_node(), float("inf")), "seconds is inf: give seconds that can be counted to"),
        (lambda: faults.kill(make_node(), "NOSUCH", process="x"), "'NOSUCH' is not the name of a signal"),
    ],
)
def test_senseless_arguments_are_refused_at_once(attempt: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        attempt()


@pytest.mark.parametrize(
    ("attempt", "complaint"),
    [
        (lambda: untyped.skew_clock(make_node(), "x"), "seconds is 'x': give seconds, as a number"),
        (lambda: untyped.slow(make_node(), delay="100ms"), "delay is '100ms': give seconds, as a number"),
        (lambda: untyped.slow(make_node(), loss="1%"), "loss is '1%': give a probability, as a number"),
        (
            lambda: faults.drop(make_node(), to=3),  # type: ignore[arg-type]
            "expected an address, a node, a service, or a list of them, and got 3",
        ),
        (lambda: untyped.drop(make_node(), port="http"), "port is 'http'"),
        (lambda: untyped.drop(make_node(), probability=None), "probability is None"),
        (lambda: faults.limit_cpu(make_node(), True, process="x"), "cores is True: give processors, as a number"),
        (lambda: untyped.corrupt(make_node(), "/x", bits="3"), "bits is '3'"),
        (lambda: untyped.isolate(make_node(), ttl="60s"), "ttl is '60s': give seconds, as a number"),
    ],
)
def test_what_is_no_number_is_said_to_be_none(attempt: Any, complaint: str) -> None:
    with pytest.raises(TypeError, match=complaint):
        attempt()


def test_nobody_is_on_both_sides_of_a_partition() -> None:
    node = make_node()
    with pytest.raises(ValueError, match="two sides"):
        faults.partition(node, [node])
    with pytest.raises(ValueError, match="one-way partition has two groups"):
        faults.partition(make_node(), make_node(), make_node(), one_way=True)


def test_only_services_restart() -> None:
    with pytest.raises(TypeError, match="only services can be restarted"):
        faults.restart(make_node(), process="x")


def test_every_public_name_is_there_and_the_package_costs_nothing() -> None:
    assert [name for name in faults.__all__ if getattr(faults, name).__name__ != name] == []
    with pytest.raises(AttributeError, match="no attribute 'flood'"):
        faults.flood  # type: ignore[attr-defined]
    program = "import sys, ducktape.faults; print([m for m in sys.modules if m.startswith('ducktape.faults.')])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
