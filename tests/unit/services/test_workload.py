# SPDX-License-Identifier: Apache-2.0
"""Clients that work until they are stopped, on nodes that are this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ducktape.services.workload import Workload, WorkloadEndedError
from ducktape.utils.util import wait_until
from tests.unit.services.fakes import FakeContext, LocalContext


@pytest.fixture
def context(tmp_path: Path) -> FakeContext:
    return LocalContext(tmp_path)


class Load(Workload):
    """Counts; or runs a program; or does what a test wants."""

    program: str | list[str] = ""
    rounds: int | None = None

    def work(self, idx: int, node: Any) -> None:
        if self.program:
            for line in self.lines(node, self.program):
                self.count(line.strip())
            return
        while not self.stopping.wait(0.001):
            self.count("rounds")
            if self.total("rounds") == self.rounds:
                return


def test_a_workload_counts_until_it_is_stopped(context: FakeContext) -> None:
    load = Load(context, 1)
    load.start()
    load.wait_for("rounds", 5, timeout_sec=20)
    load.wait_for("rounds", 5, timeout_sec=20)
    load.stop()
    counted = load.total("rounds")
    assert counted >= 10
    assert load.to_json()["counters"] == {"rounds": counted}
    load.start()
    load.wait_for("rounds", 1, timeout_sec=20)
    load.stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_workload_that_ends_by_itself_is_an_error(context: FakeContext) -> None:
    load = Load(context, 1)
    load.rounds = 3
    load.start()
    with pytest.raises(Exception, match=f"{WorkloadEndedError.__name__}.*ended although nobody stopped it"):
        load.wait_for("rounds", 100, timeout_sec=20)
    with pytest.raises(Exception, match="ended although nobody stopped it"):
        load.stop()


def test_a_workload_may_end_by_itself(context: FakeContext) -> None:
    load = Load(context, 1)
    load.rounds, load.is_endless = 3, False
    load.start()
    load.wait(20)
    load.stop()
    assert load.total("rounds") == 3


def test_the_program_of_a_workload_is_ended_with_it(context: FakeContext, tmp_path: Path) -> None:
    load = Load(context, 1)
    load.program = """sh -c 'trap "echo bye; exit 0" TERM; echo hello; while :; do sleep 0.02; done'"""
    load.start()
    wait_until(lambda: load.total("hello") == 1, timeout_sec=20, err_msg="no hello")
    load.stop()
    assert load.counters == {"hello": 1, "bye": 1}
    assert list(tmp_path.iterdir()) == [], "without files there is no directory"


def test_the_program_of_a_workload_may_die_of_the_signal_that_ends_it(context: FakeContext) -> None:
    load = Load(context, 1)
    load.program = "sh -c 'echo hello; exec sleep 600'"
    load.start()
    wait_until(lambda: load.total("hello") == 1, timeout_sec=20, err_msg="no hello")
    load.stop()


def test_a_workload_has_files_and_a_directory_on_its_nodes(context: FakeContext, tmp_path: Path) -> None:
    class Client(Load):
        def files(self, node: Any) -> dict[str, str]:
            return {"client.sh": "echo $1"}

    load = Client(context, 2)
    load.is_endless = False
    load.program = ["sh", "client.sh", "two words"]
    load.start()
    load.wait(20)
    load.stop()
    assert load.counters == {"two words": 2}
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"client-{load.instance}-{node.name}" for node in load.nodes
    )
    load.clean()
    assert list(tmp_path.iterdir()) == []
