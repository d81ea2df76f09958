# SPDX-License-Identifier: Apache-2.0
"""The findings as people read them."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest

from ducktape.cluster.health.probe import Findings
from ducktape.cluster.sandbox.preflight import Part
from ducktape.command_line.doctor.sandbox import Trial, Visit
from ducktape.command_line.doctor.view import render, render_sandbox, shortened, size, table

GIB = 1024**3


def _node(name: str, **changed: Any) -> Findings:
    well: dict[str, Any] = {
        "os": "linux",
        "login_ms": 93.4,
        "round_trip_ms": 0.31,
        "shell_ms": 3.2,
        "shell": "/bin/bash",
        "tar": True,
        "sudo": "yes",
        "clock_skew_sec": -0.001,
        "home": "/root",
        "free_bytes": {"/root": 70 * GIB, "/mnt": 2 * GIB},
    }
    return Findings(name=name, **{**well, **changed})


def _broken(name: str, reason: str = "no answer within 10.0 s (login)", remedy: str = "Look at it.") -> Findings:
    return Findings(name=name, failure=reason, failure_remedy=remedy)


def test_nodes_that_are_well_need_few_words() -> None:
    assert render([_node("worker1"), _node("w2", shell_ms=12.0)], [], columns=80) == textwrap.dedent(
        """\
        node     state  login   trip  shell  tar  sudo   clock  home  /mnt
        worker1  ok      93ms  0.3ms  3.2ms  yes   yes  +0.00s   70G  2.0G
        w2       ok      93ms  0.3ms   12ms  yes   yes  +0.00s   70G  2.0G

        2 nodes, all usable."""
    )


def test_equal_troubles_are_told_once_the_worst_first() -> None:
    nodes = [_node("worker1", sudo="missing"), _node("worker2", sudo="missing"), _broken("worker3")]
    assert render(nodes, ["Left out: 3 nodes."], columns=80) == textwrap.dedent(
        """\
        node     state      login   trip  shell  tar     sudo   clock  home  /mnt
        worker1  see below   93ms  0.3ms  3.2ms  yes  missing  +0.00s   70G  2.0G
        worker2  see below   93ms  0.3ms  3.2ms  yes  missing  +0.00s   70G  2.0G
        worker3  FAILED         -      -      -    -        -       -     -     -

        Left out: 3 nodes.

        worker3: no answer within 10.0 s (login)
           -> Look at it.
        worker1, worker2: there is no sudo
           -> If your services use it, install the package sudo.

        3 nodes: 1 cannot be used, 2 with remarks."""
    )


def test_many_names_are_counted() -> None:
    lines = render([_broken(f"n{number}") for number in range(10)], [], columns=200).splitlines()
    assert "n0, n1, n2, n3, n4, n5, n6, n7 and 2 more: no answer within 10.0 s (login)" in lines


def test_no_line_is_wider_than_the_terminal() -> None:
    long = "a-node-with-quite-a-long-name.in.some.domain.example.com"
    nodes = [_node(long, shell_ms=12_345_678.0, clock_skew_sec=-1e9), _broken(f"{long}2", "word " * 60)]
    for columns in (80, 100, 200):
        assert max(map(len, render(nodes, ["remark " * 40], columns=columns).splitlines())) <= columns


def test_a_windows_node_says_how_little_was_tried() -> None:
    node = Findings(name="windows1", os="windows", login_ms=80.0, round_trip_ms=0.2)
    lines = render([node], [], columns=80).splitlines()
    assert lines[1].split() == ["windows1", "ok", "80ms", "0.2ms", "-", "-", "-", "-", "-", "-"]
    assert lines[3] == "windows1 is a Windows node: only its login was tried."


def test_no_node_is_told_as_such() -> None:
    assert render([], ["Not checked: 2 nodes."], columns=80) == "Not checked: 2 nodes.\n\nThere are no nodes to check."


def test_the_second_disk_is_named_by_its_directory() -> None:
    other = _node("other", free_bytes={"/root": GIB, "/tmp": GIB})
    assert table([other], columns=80).splitlines()[0].endswith("  home  /tmp")
    assert table([_node("worker1"), other], columns=80).splitlines()[0].endswith("  home  /mnt,/tmp")


def test_a_long_name_loses_its_middle() -> None:
    assert shortened("worker-eu-west-17", 17) == "worker-eu-west-17"
    assert shortened("worker-eu-west-17", 12) == "worke..st-17"
    assert shortened("abcdefghi", 8) == "abc..ghi"


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "0B"),
        (999, "999B"),
        (1000, "1.0K"),
        (10 * 1024, "10K"),
        (999 * 1024**2, "999M"),
        (1023 * 1024**2, "1.0G"),
        (int(9.94 * GIB), "9.9G"),
        (80 * GIB, "80G"),
        (5000 * 1024**4, "5000T"),
    ],
)
def test_sizes_are_short(number: int, expected: str) -> None:
    assert size(number) == expected


# --- a sandbox


def test_a_sandbox_that_works_is_told_part_by_part() -> None:
    parts = [Part("rights", "those of root"), Part("sudo", "is not there", "Install the package sudo.")]
    trials = [
        Trial(None, "node1", made_ms=41.2, true_ms=3.14, gone_ms=12.0),
        Trial("big", "node1", made_ms=40.0, true_ms=3.0, gone_ms=9.0),
    ]
    assert render_sandbox(Visit(parts, trials, removed=["process 12 holds a sandbox"]), columns=80) == textwrap.dedent(
        """\
        rights  those of root
        sudo    is not there
           -> Install the package sudo.
        node1   made in 41ms, `true` takes 3.1ms, gone in 12ms
        node1   of type big, made in 40ms, `true` takes 3.0ms, gone in 9.0ms

        Removed, since their runs are dead:
           process 12 holds a sandbox

        The sandbox works."""
    )


def test_a_sandbox_without_rights_is_none() -> None:
    parts = [Part("rights", "switched off", "Switch them on.", fatal=True)]
    left = ["control group /sys/fs/cgroup/x"]
    assert render_sandbox(Visit(parts, left=left), columns=80) == textwrap.dedent(
        """\
        rights  switched off
           -> Switch them on.

        Left by dead runs, and not removable by this user:
           control group /sys/fs/cgroup/x

        The sandbox cannot be used."""
    )


def test_a_node_that_cannot_be_used_says_why() -> None:
    parts = [Part("rights", "those of root")]
    trials = [Trial("big", failure="no address"), Trial(None, "node1", failure="no answer", made_ms=1.0)]
    assert render_sandbox(Visit(parts, trials), columns=80).splitlines() == [
        "rights              those of root",
        "a node of type big  cannot be made: no address",
        "node1               cannot be used: no answer",
        "",
        "The sandbox cannot be used.",
    ]


def test_the_server_of_a_node_has_the_table_of_other_nodes() -> None:
    trial = Trial(None, "node1", made_ms=1.0, true_ms=1.0, gone_ms=1.0, findings=_node("node1", sudo="missing"))
    lines = render_sandbox(Visit([Part("rights", "those of root")], [trial]), columns=80).splitlines()
    assert lines[3].split()[:3] == ["node", "state", "login"]
    assert lines[4].split()[:3] == ["node1", "see", "below"]
    assert lines[6:8] == ["node1: there is no sudo", "   -> If your services use it, install the package sudo."]
