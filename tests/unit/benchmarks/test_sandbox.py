# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import pytest

from benchmarks.podman import Podman, PodmanFailed
from benchmarks.sandbox import Row, Samples, render, targets

ALONE = [Row("10 nodes made", 0.05, 0.5, "s"), Row("a command", 20, 10, "ms")]
BESIDE = [Row("10 nodes made", 0.05, 0.5, "s", 1.5), Row("memory", 2, 5, "MiB", 0.5), Row("a command", 4, 10, "ms")]


@pytest.fixture
def peer() -> Iterator[Podman]:
    """Never asked for anything."""
    with contextlib.closing(Podman([sys.executable, "-c", "input()"])) as podman:
        yield podman


def test_rows_are_medians_in_turn(peer: Podman) -> None:
    samples = Samples(peer)
    for ours, theirs in ((1.0, 30.0), (2.0, 10.0), (9.0, 20.0)):
        samples.add({"made": [ours]})
        samples.add_of_podman(lambda _, theirs=theirs: {"made": [theirs]})  # type: ignore[misc]
    assert samples.row("made", 0.5, "s") == Row("made", 2.0, 0.5, "s", 20.0)
    assert samples.row("made", 0.5, "s").times == 10.0


def test_without_podman_its_share_is_not_done() -> None:
    samples = Samples(None)
    samples.add({"made": [1.0]})
    samples.add_of_podman(lambda _: pytest.fail("there is none"))
    assert samples.row("made", 0.5, "s") == Row("made", 1.0, 0.5, "s", None)


def test_a_podman_that_fails_on_the_way_is_left_out_and_the_rest_goes_on(
    peer: Podman, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: Podman) -> dict[str, list[float]]:
        raise PodmanFailed("podman run: no space is left")

    samples = Samples(peer)
    samples.add_of_podman(lambda _: {"made": [30.0]})
    samples.add_of_podman(fail)
    samples.add_of_podman(lambda _: pytest.fail("it was asked again"))
    samples.add({"made": [1.0]})
    assert samples.row("made", 0.5, "s") == Row("made", 1.0, 0.5, "s", None)
    assert capsys.readouterr().err == "bench: the sandbox is not compared with Podman: podman run: no space is left\n"


def test_the_table_of_the_sandbox_alone() -> None:
    assert render(ALONE).splitlines() == [
        "sandbox        median  limit",
        "10 nodes made  0.05 s  0.5 s",
        "a command       20 ms  10 ms",
    ]


def test_the_table_beside_podman() -> None:
    assert render(BESIDE).splitlines() == [
        "sandbox        median  limit   Podman  Podman / sandbox",
        "10 nodes made  0.05 s  0.5 s    1.5 s              30.0",
        "memory          2 MiB  5 MiB  0.5 MiB               0.2",
        "a command        4 ms  10 ms        -                 -",
    ]


def test_only_the_limits_of_the_sandbox_are_judged() -> None:
    judged = [(target.name, target.ratio, target.met) for target in targets([*ALONE[1:], *BESIDE[:1]])]
    assert judged == [("a command: of 10 ms", 2.0, False), ("10 nodes made: of 0.5 s", pytest.approx(0.1), True)]
