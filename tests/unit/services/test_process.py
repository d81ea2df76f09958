# SPDX-License-Identifier: Apache-2.0
"""Services that declare one process per node, on nodes that are this machine."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ducktape import faults
from ducktape.cluster.account.errors import RemoteCommandError
from ducktape.cluster.account.started import Standing, State
from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.errors import DucktapeError
from ducktape.faults.engine.log import FaultLog
from ducktape.services import process
from ducktape.services.process import ProcessDiedError, ProcessService
from ducktape.services.support.record import record_of
from ducktape.services.support.revival import revive
from ducktape.utils.wait import NotReadyError
from tests.unit.services.fakes import FakeContext, LocalContext


class Server(ProcessService):
    """Runs a shell script that each test gives."""

    ports = {"main": 7000, "admin": 7001}
    ready_line = "^ready"
    stop_timeout_sec = 5
    start_timeout_sec: float = 20
    script = "echo ready; exec sleep 600"

    def files(self, node: Any) -> dict[str, str | Path]:
        return {"conf/name": f"{node.name}\n"}

    def command(self, node: Any) -> list[str]:
        return ["sh", "-c", self.script]


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
    text = r"(?s)no line matches.*The log of localhost0 \(running\) ends with:\n    waiting for a friend"
    with pytest.raises(NotReadyError, match=text):
        server.start()


def test_all_are_waited_for_unless_one_is_named(server: Server) -> None:
    server.start()
    first, second = server.nodes
    server.wait_until_ready()
    server.kill_node(second)
    server.wait_until_ready(first, 20)
    # Its log still says that it is ready, and that it is dead is no surprise
    for waited in (None, second):
        with pytest.raises(NotReadyError, match=r"The log of localhost1 \(killed by SIGKILL\) ends with:\n    ready"):
            server.wait_until_ready(waited, timeout_sec=0.3)
    server.start_node(second)
    server.signal_node(first, "KILL")
    server.process(first).wait(20)
    server.script, server.ready_line = "exec sleep 600", "never"
    with pytest.raises(ProcessDiedError, match="localhost0 died"):
        server.wait_until_ready()


def test_what_a_function_finds_is_waited_for_and_returned(server: Server) -> None:
    server.start()
    answers: list[Any] = [None, DucktapeError("not yet"), "", server.nodes[1], None]

    def leader() -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert server.wait_until(leader, "a leader", timeout_sec=20) is server.nodes[1]
    server.kill_node(server.nodes[1])

    def refused() -> bool:
        raise AssertionError("it takes writes")

    with pytest.raises(NotReadyError) as caught:
        server.wait_until(refused, "writes are refused", timeout_sec=0.3)
    for text in (
        f"{server.who_am_i()}: not ready after 0.3 s: writes are refused",
        "AssertionError: it takes writes",
        "The log of localhost0 (running) ends with:\n    ready",
        "The log of localhost1 (killed by SIGKILL) ends with:\n    ready",
    ):
        assert text in str(caught.value)


def test_a_function_that_never_runs_is_no_success(server: Server) -> None:
    def leads() -> Iterator[bool]:
        yield True

    with pytest.raises(DucktapeError, match=r"leads.*yield"):
        server.wait_until(leads, "a leader", timeout_sec=5)


def test_one_that_is_lost_has_died(server: Server) -> None:
    server.start()
    node = server.nodes[0]
    pid_file = Path(server.process(node).directory) / "pid"
    known = pid_file.read_text()
    pid_file.write_text(f"{known.split()[0]} 1 of-another-boot\n")
    try:
        assert server.unexpected_deaths() == [f"{server.who_am_i(node)} died (lost)\n    ready"]
        with pytest.raises(ProcessDiedError, match=r"died \(lost\)"):
            server.wait_until_ready(node)
    finally:
        pid_file.write_text(known)


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
    server.script = "echo ready; until [ -e go ]; do sleep 0.02; done; exit 7"
    server.start()
    for node in server.nodes:
        server.output_of(node, "touch go")
    server.wait(20)
    assert [server.process(node).standing().status for node in server.nodes] == [7, 7]
    assert server.unexpected_deaths() == []


class Declared(Server):
    """Prepares its nodes and copies files."""

    templates = ("declared.conf", "sub/more.conf")
    sources: dict[str, str | Path] = {}

    def template(self, path: str, node: Any, **kwargs: Any) -> str:
        return f"{path} of {node.name}"

    def files(self, node: Any) -> dict[str, str | Path]:
        return self.sources

    def prepare(self, node: Any) -> None:
        node.account.ssh(f"cat {self.work_dir(node)}/declared.conf >>{self.work_dir(node)}/prepared")


def test_files_are_written_before_each_start(context: FakeContext, tmp_path: Path) -> None:
    local = tmp_path / "local"
    (local / "tree" / "leaf").mkdir(parents=True)
    (local / "tree" / "leaf" / "a").write_text("old")
    (local / "program").write_bytes(b"\x00\xff")
    service = Declared(context, 1)
    node = service.nodes[0]
    service.sources = {"bin/program": local / "program", "tree": local / "tree", "text": "x"}
    service.start()
    (local / "tree" / "leaf" / "a").write_text("new")
    service.restart_node(node)
    place = Path(service.work_dir(node))
    ours = [service.log_file(node), service.process(node).directory]
    found = {
        str(path.relative_to(place)): path.read_bytes()
        for path in place.rglob("*")
        if path.is_file() and not str(path).startswith(tuple(ours))
    }
    assert found == {
        "declared.conf": b"declared.conf of localhost0",
        "sub/more.conf": b"sub/more.conf of localhost0",
        "prepared": b"declared.conf of localhost0" * 2,
        "bin/program": b"\x00\xff",
        "tree/leaf/a": b"new",
        "text": b"x",
    }
    service.stop()
    service.sources = {"program": local / "missing"}
    with pytest.raises(FileNotFoundError, match="missing"):
        service.start()
    service.clean()
    assert list(tmp_path.iterdir()) == [local]


def test_commands_run_in_the_working_directory(server: Server) -> None:
    server.start()
    node = server.nodes[1]
    assert server.output_of(node, ["cat", "conf/name"]) == "localhost1\n"
    assert (
        server.output_of(node, "echo trouble >&2; echo $PWD; exit 3", allow_fail=True) == f"{server.work_dir(node)}\n"
    )
    with pytest.raises(RemoteCommandError, match="no such thing"):
        server.output_of(node, ["sh", "-c", "echo no such thing >&2; exit 3"])


def test_what_another_user_has_written_is_removed(
    context: FakeContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    (data / "some").mkdir(parents=True)
    tools = tmp_path / "tools"
    tools.mkdir()
    # An account that is not root needs sudo, with the pattern unexpanded: it may not look into the directory
    for name, text in {
        "id": 'test "$1" = -u && echo 1234 || echo ordinary',
        "sudo": f'printf "%s\\n" "$*" >>{tools}/asked; shift; "$@"',
    }.items():
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    service = Server(context, 1)
    service.user, service.data_paths = "store", [f"{data}/*"]
    service.clean()
    assert (tools / "asked").read_text() == f"-n sh -c rm -rf {service.work_dir(service.nodes[0])} {data}/*\n"
    assert list(data.iterdir()) == []
    (data / "more").mkdir()
    service.user = "ordinary"
    service.clean()
    assert list(data.iterdir()) == []
    assert len((tools / "asked").read_text().splitlines()) == 1


@pytest.mark.needs("perl")
def test_an_interrupt_stops_it_also_where_env_cannot_reset_signals(
    server: Server, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path_factory.mktemp("old") / "env"
    old.write_text(f'#!/bin/sh\ncase $1 in -*) exit 125 ;; esac\nexec {shutil.which("env")} "$@"\n')
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{old.parent}:{os.environ['PATH']}")
    server.environment, server.script = {"WORD": "it's ready"}, "echo ready $WORD; exec sleep 600"
    server.ready_line, server.stop_signal = "^ready it's ready$", "INT"
    server.start()
    server.stop()
    assert [server.process(node).standing().status for node in server.nodes] == [128 + signal.SIGINT] * 2


@pytest.mark.needs("root")
def test_a_process_of_another_user_writes_into_its_directory(context: FakeContext) -> None:
    service = Server(context, 1)
    service.user, service.script = "nobody", "touch mine conf/mine && echo ready; exec sleep 600"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        service.work_root = folder
        service.start()
        assert (Path(service.work_dir(service.nodes[0])) / "conf" / "mine").owner() == "nobody"
        service.stop()
        service.clean()
        assert list(Path(folder).iterdir()) == []


def test_ports_of_one_machine_are_free_and_stay(server: Server) -> None:
    first, second = server.nodes
    ports = [server.port(first, "main"), server.port(second, "main")]
    assert len({*ports, 7000}) == 3
    assert [server.port(first, "main"), server.port(second, "main")] == ports
    assert server.address(first) == "127.0.0.1"
    assert server.port(first) == server.port(first, "main") != server.port(first, "admin")
    assert server.endpoint(first, "admin") == f"127.0.0.1:{server.port(first, 'admin')}"


def test_ports_of_other_machines_are_the_usual_ones(server: Server) -> None:
    node = server.nodes[0]
    node.account.externally_routable_ip = "10.0.0.7"
    assert server.port(node, "main") == 7000
    assert server.address(node) == "10.0.0.7"
    assert server.endpoint(node) == "10.0.0.7:7000"
    node.account.externally_routable_ip = "fd00::7"
    assert server.endpoint(node, "admin") == "[fd00::7]:7001"


def test_a_port_that_is_not_declared_is_an_error(server: Server) -> None:
    with pytest.raises(
        DucktapeError, match=r"Server has no port 'mian': its ports are \{'main': 7000, 'admin': 7001\}"
    ):
        server.port(server.nodes[0], "mian")
    server.ports = {}
    with pytest.raises(DucktapeError, match="Server has no port ''"):
        server.endpoint(server.nodes[0])


def test_the_others_are_all_but_some(context: FakeContext) -> None:
    service = Server(context, 3)
    first, second, third = service.nodes
    assert service.others(second) == [first, third]
    assert service.others(first, third) == [second]
    assert service.others() == [first, second, third]


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


def test_nodes_of_a_specification_work_too(context: FakeContext) -> None:
    assert Server(context, cluster_spec=ClusterSpec.simple_linux(3)).num_nodes == 3


def test_directories_of_others_keep_their_permissions(context: FakeContext, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)

    class Elsewhere(Server):
        def files(self, node: Any) -> dict[str, str | Path]:
            return {f"{shared}/{node.name}": "1", f"{shared}/new/{node.name}": "2"}

    service = Elsewhere(context, 1)
    service.start()
    service.stop()
    service.clean()
    assert stat.S_IMODE(shared.stat().st_mode) == 0o1777
    assert [path.read_text() for path in sorted(shared.rglob("*")) if path.is_file()] == ["1", "2"]


@pytest.mark.parametrize(
    ("name", "root"), [("my store", "/tmp"), ("store", "/data/my disk"), ("a;b", "/tmp"), ("a'", "/tmp")]
)
def test_names_that_shells_would_split_are_refused(context: Any, name: str, root: str) -> None:
    context.globals["work_root"] = root
    named = type("Named", (Server,), {"name": name})
    with pytest.raises(DucktapeError, match=r"^Named: (name|work_root) .* may not have blanks"):
        named(context, 1)
