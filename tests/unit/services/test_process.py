# SPDX-License-Identifier: Apache-2.0
"""Services that declare one process per node, on nodes that are this machine."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ducktape import faults
from ducktape.cluster.account.started import Standing, State
from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.localhost import LocalhostCluster
from ducktape.errors import DucktapeError
from ducktape.faults.engine.log import FaultLog
from ducktape.services import process
from ducktape.services.process import ProcessDiedError, ProcessService
from ducktape.services.support.record import record_of
from ducktape.services.support.revival import revive
from ducktape.services.workload import Workload, WorkloadEndedError
from ducktape.utils.util import wait_until
from ducktape.utils.wait import Condition, NotReadyError
from tests.unit.services.fakes import FakeContext


class Server(ProcessService):
    """Runs a shell script that each test gives."""

    ports = {"main": 7000}
    stop_timeout_sec = 5
    start_timeout_sec: float = 20
    script = "echo ready; exec sleep 600"

    def __init__(self, context: Any, num_nodes: int | None = None, **kwargs: Any) -> None:
        self.work_root = context.globals["work_root"]
        super().__init__(context, num_nodes, **kwargs)

    def files(self, node: Any) -> dict[str, str]:
        return {"conf/name": f"{node.name}\n"}

    def command(self, node: Any) -> list[str]:
        return ["sh", "-c", self.script]

    def ready(self, node: Any) -> Condition:
        return self.logged(node, "^ready")


class LocalContext(FakeContext):
    """A context whose nodes are this machine."""

    def __init__(self, work_root: Path) -> None:
        super().__init__(0)
        self.cluster: Any = LocalhostCluster()
        self.globals = {"work_root": str(work_root)}


@pytest.fixture
def context(tmp_path: Path) -> FakeContext:
    return LocalContext(tmp_path)


@pytest.fixture
def server(context: FakeContext, tmp_path: Path) -> Iterator[Server]:
    service = Server(context, 2)
    yield service
    service.stop()
    service.clean()
    assert list(tmp_path.iterdir()) == []


def test_it_runs_on_each_node_with_its_files_until_it_is_stopped(server: Server) -> None:
    server.start()
    first, second = server.nodes
    assert server.is_alive(first)
    assert server.is_alive(second)
    assert (Path(server.work_dir(second)) / "conf" / "name").read_text() == f"{second.name}\n"
    assert server.unexpected_deaths() == []
    server.stop()
    assert server.process(first).standing() == Standing(State.ENDED, status=128 + signal.SIGTERM)
    assert server.unexpected_deaths() == []


def test_the_logs_of_all_nodes_are_collected(server: Server) -> None:
    assert server.logs == {
        f"server_{node.name}": {"path": server.log_file(node), "collect_default": True} for node in server.nodes
    }


def test_one_that_dies_before_it_is_ready_is_an_error_with_its_last_words(server: Server) -> None:
    server.script = "echo no port is free; exit 3"
    with pytest.raises(ProcessDiedError) as caught:
        server.start()
    node = server.nodes[0]
    assert str(caught.value) == f"{server.who_am_i(node)} died (exit status 3)\n    no port is free"
    assert (caught.value.node_name, caught.value.standing.status) == (node.name, 3)


def test_one_that_does_not_get_ready_is_an_error_with_its_last_words(server: Server) -> None:
    server.script = "echo waiting for a friend; exec sleep 600"
    server.start_timeout_sec = 0.5
    with pytest.raises(NotReadyError, match=r"(?s)no line matches.*The log ends with:\n    waiting for a friend"):
        server.start()


def test_a_death_that_nobody_wanted_is_found(server: Server) -> None:
    server.start()
    node = server.nodes[1]
    server.signal_node(node, "KILL")
    server.process(node).wait(20)
    assert server.unexpected_deaths() == [f"{server.who_am_i(node)} died (killed by SIGKILL)\n    ready"]


@pytest.mark.parametrize("announced", [True, False])
def test_a_death_that_was_announced_is_none_until_the_next_start(server: Server, announced: bool) -> None:
    server.start()
    node = server.nodes[0]
    if announced:
        with server.expect_death(node):
            server.signal_node(node, "KILL")
        assert server.wait_exit(node, 20).status == 128 + signal.SIGKILL
    else:
        server.kill_node(node)
    assert server.unexpected_deaths() == []
    server.start_node(node)
    server.signal_node(node, "KILL")
    server.process(node).wait(20)
    assert len(server.unexpected_deaths()) == 1


def test_a_node_that_does_not_answer_does_not_hold_up_the_end_of_the_test(
    server: Server, context: LocalContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.start()
    ended = threading.Event()
    monkeypatch.setattr(process, "_CHECK_SEC", 0.2)
    monkeypatch.setattr(server, "_check", lambda node: ended.wait(60))
    assert server.unexpected_deaths() == []
    ended.set()
    monkeypatch.undo()
    assert len([line for line in context.log.lines if "cannot check the process: no answer within" in line]) == 2


def test_a_fault_that_ends_processes_announces_it(server: Server) -> None:
    server.start()
    node = server.nodes[0]
    node.account.fault_log = FaultLog()
    faults.pause(server).inject().heal()
    assert server.unexpected_deaths() == []
    faults.kill(server).inject()
    server.process(node).wait(20)
    # The log of the other node knows nothing of it
    assert [text.splitlines()[0] for text in server.unexpected_deaths()] == [
        f"{server.who_am_i(server.nodes[1])} died (killed by SIGKILL)"
    ]


def test_after_a_restart_only_new_lines_say_that_it_is_ready(server: Server) -> None:
    server.start()
    server.script = "exec sleep 600"
    server.start_timeout_sec = 0.3
    with pytest.raises(NotReadyError):
        server.restart_node(server.nodes[0])


def test_one_that_ends_by_itself_can_be_waited_for(server: Server) -> None:
    server.script = "echo ready; sleep 0.2; exit 7"
    server.start()
    server.wait(20)
    assert [server.process(node).standing().status for node in server.nodes] == [7, 7]
    assert server.unexpected_deaths() == []


def test_ports_of_one_machine_are_free_and_stay(server: Server) -> None:
    first, second = server.nodes
    ports = [server.port(first, "main"), server.port(second, "main")]
    assert len({*ports, 7000}) == 3
    assert [server.port(first, "main"), server.port(second, "main")] == ports
    assert server.address(first) == "127.0.0.1"


def test_ports_of_other_machines_are_the_usual_ones(server: Server) -> None:
    node = server.nodes[0]
    node.account.externally_routable_ip = "10.0.0.7"
    assert server.port(node, "main") == 7000
    assert server.address(node) == "10.0.0.7"


def test_another_process_can_stop_and_clean_it(server: Server, context: FakeContext, tmp_path: Path) -> None:
    server.start()
    nodes = {node.name: node for node in server.nodes}
    again = revive(record_of(server), LocalContext(tmp_path), nodes)
    again.stop()
    again.clean()
    assert list(tmp_path.iterdir()) == []
    assert not server.is_alive(server.nodes[0])


def test_a_service_without_a_command_says_so(context: FakeContext, tmp_path: Path) -> None:
    service = ProcessService(context, 1)
    service.work_root = str(tmp_path)
    with pytest.raises(DucktapeError, match=r"ProcessService does not say what to run: define command\(self, node\)"):
        service.start()


class Load(Workload):
    """Counts; or runs a program; or does what a test wants."""

    program = ""
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


def test_the_program_of_a_workload_is_ended_with_it(context: FakeContext) -> None:
    load = Load(context, 1)
    load.program = """sh -c 'trap "echo bye; exit 0" TERM; echo hello; while :; do sleep 0.02; done'"""
    load.start()
    wait_until(lambda: load.total("hello") == 1, timeout_sec=20, err_msg="no hello")
    load.stop()
    assert load.counters == {"hello": 1, "bye": 1}


def test_the_program_of_a_workload_may_die_of_the_signal_that_ends_it(context: FakeContext) -> None:
    load = Load(context, 1)
    load.program = "sh -c 'echo hello; exec sleep 600'"
    load.start()
    wait_until(lambda: load.total("hello") == 1, timeout_sec=20, err_msg="no hello")
    load.stop()


def test_nodes_of_a_specification_work_too(context: FakeContext) -> None:
    assert Server(context, cluster_spec=ClusterSpec.simple_linux(3)).num_nodes == 3
