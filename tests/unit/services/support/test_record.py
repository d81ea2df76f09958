# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.account.errors import RemoteCommandError
from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.finite_subcluster import FiniteSubcluster
from ducktape.cluster.localhost import LocalhostCluster
from ducktape.services.background_thread import BackgroundThreadService
from ducktape.services.service import Service
from ducktape.services.service_registry import ServiceRegistry
from ducktape.services.support.record import described, named_nodes, of_run, problem_with, record_of
from ducktape.services.support.revival import class_of, revive
from ducktape.tests.loading.discovery import import_test_module
from ducktape.utils.support.text import short_text
from tests.unit.services.fakes import FakeAccount, FakeContext, RecordingService


class Server(Service):
    logs = {"log": {"path": "/log", "collect_default": True}}

    def __init__(self, context: Any, num_nodes: int = 1) -> None:
        super().__init__(context, num_nodes)
        self.port = 9092
        self.pids = {1: 17}
        self.password = "geheim"
        self.client = object()
        for node in self.nodes:
            node.version = "3.1"

    class Inner(Service):
        pass


class Reader(BackgroundThreadService):
    def __init__(self, context: Any) -> None:
        super().__init__(context, 1)
        self.seen = [1]


class Computed(Service):
    @property
    def logs(self) -> dict[str, dict[str, Any]]:  # type: ignore[override]  # services of users do this
        return {"log": {"path": f"/log/{self.port}", "collect_default": True}}

    def __init__(self, context: Any, port: int) -> None:
        self.port = port
        super().__init__(context, 1)


def _through_json(record: Any) -> Any:
    return json.loads(json.dumps(record))


def _again(service: Service, **options: Any) -> Any:
    """The service in another context, whose nodes have the same names."""
    context = FakeContext(num_nodes=len(service.context.cluster.nodes))
    if options:
        context.services = ServiceRegistry(**options)
    return revive(_through_json(record_of(service)), context, named_nodes(context.cluster.nodes))


def test_a_record_says_what_is_needed() -> None:
    context = FakeContext()
    Server(context)
    service = Server(context, 2)
    assert record_of(service) == {
        "service_id": f"Server-1-{id(service)}",
        "order": 1,
        "module": __name__,
        "class": "Server",
        "file": str(Path(__file__).resolve()),
        "nodes": ["host1", "host2"],
        "cluster_spec": [{"num_nodes": 2, "os": "linux"}],
        "logs": {"log": {"path": "/log", "collect_default": True}},
        "report": service.to_json(),
        "attributes": {"_local_scratch_dir": "None", "port": "9092", "pids": "{1: 17, }"},
        "node_attributes": {"host1": {"version": "'3.1'"}, "host2": {"version": "'3.1'"}},
    }


def test_no_secret_is_in_it() -> None:
    assert "geheim" not in json.dumps(record_of(Server(FakeContext())))


def test_a_revived_service_is_what_it_was() -> None:
    service = Server(FakeContext(), 2)
    service.start()
    service.logs = {"other": {"path": "/other", "collect_default": False}}
    again = _again(service)
    assert type(again) is Server
    assert (again.port, again.pids, hasattr(again, "password")) == (9092, {1: 17}, False)
    assert [node.account.hostname for node in again.nodes] == ["host0", "host1"]
    assert [vars(node)["version"] for node in again.nodes] == ["3.1", "3.1"]
    assert again.logs == {"other": {"path": "/other", "collect_default": False}}
    assert (again.service_id, again._order) == (service.service_id, 0)
    assert str(again.cluster_spec) == str(ClusterSpec.simple_linux(2))
    assert list(again.context.services) == [again]
    assert again.nodes[0].account.logger is again.context.logger
    assert (again._start_time, again._stop_time) == (service._start_time, -1)
    assert again.to_json() == service.to_json()
    again.stop()
    assert again._stop_time > 0


def test_nodes_of_one_name_are_told_apart() -> None:
    context = FakeContext(num_nodes=0)
    context.cluster = FiniteSubcluster([ClusterNode(FakeAccount("same")) for _ in range(3)])
    first, service = Server(context), Server(context)
    assert (record_of(first)["nodes"], record_of(service)["nodes"]) == (["same"], ["same#2"])
    assert list(named_nodes(context.cluster.nodes)) == ["same", "same#2", "same#3"]


def test_a_worker_that_failed_says_nothing_when_its_service_is_stopped_again() -> None:
    service = Reader(FakeContext())
    service.worker_errors["worker"] = "it broke"
    again = _again(service)
    assert (again.seen, again.worker_errors, again.worker_threads) == ([1], {}, {})
    again.stop()


def test_computed_logs_are_recorded_and_stay_computed() -> None:
    service = Computed(FakeContext(), 5)
    assert record_of(service)["logs"] == {"log": {"path": "/log/5", "collect_default": True}}
    assert _again(service).logs == {"log": {"path": "/log/5", "collect_default": True}}
    del service.port
    assert record_of(service)["logs"] == {}


def test_jvm_logs_are_there_again_and_are_removed_when_it_is_cleaned() -> None:
    context = FakeContext(services=ServiceRegistry(enable_jvm_logs=True))
    service = RecordingService(context, 1)
    again = _again(service, enable_jvm_logs=True)
    assert again.logs["jvm_gc_log"] == {"path": "/mnt/jvm_logs/gc.log", "collect_default": True}
    assert again.calls == []
    again.clean()
    assert again.called == ["clean host0"]
    assert again.nodes[0].account.commands == ["rm -rf /mnt/jvm_logs"]


def test_a_class_is_found_by_its_full_name() -> None:
    assert class_of(record_of(Server.Inner(FakeContext(), 1))) is Server.Inner


def test_a_class_of_a_function_is_gone_with_its_process() -> None:
    class Local(Service):
        pass

    with pytest.raises(LookupError, match=r"Local is defined inside a function"):
        class_of(record_of(Local(FakeContext(), 1)))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"class": "Nowhere"}, "the module .* has no service class Nowhere"),
        ({"class": "Path"}, "has no service class Path"),
        ({"nodes": ["host9"]}, "its node host9 is none of those of the test"),
        ({"file": "/elsewhere/it.py"}, "of this process is not /elsewhere/it.py"),
    ],
)
def test_what_is_not_there_is_named(change: dict[str, Any], problem: str) -> None:
    record = {**record_of(Server(FakeContext())), **change}
    context = FakeContext()
    with pytest.raises(LookupError, match=problem):
        revive(record, context, named_nodes(context.cluster.nodes))


def test_a_module_that_is_not_there_yet_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "from ducktape.services.service import Service\nclass Far(Service):\n    pass\n"
    (tmp_path / "by_name_far.py").write_text(text)
    (tmp_path / "by-path.py").write_text(text)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    known = {**record_of(Server(FakeContext())), "class": "Far"}
    by_name = {**known, "module": "by_name_far", "file": str((tmp_path / "by_name_far.py").resolve())}
    assert class_of(by_name).__module__ == "by_name_far"
    path = str((tmp_path / "by-path.py").resolve())
    by_path = {**known, "module": "no_such_module", "file": path}
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        class_of(by_path)
    assert class_of(by_path, import_file=lambda file: import_test_module(file).module).__name__ == "Far"


def test_a_service_of_another_kind_can_be_recorded() -> None:
    class Duck:
        def __init__(self, context: FakeContext) -> None:
            self.context = context
            self.nodes = context.cluster.alloc(ClusterSpec.simple_linux(1))
            self.service_id = "duck"
            self.logs = {"log": {"path": "/duck", "collect_default": True}}

    duck: Any = Duck(FakeContext())
    record = _through_json(record_of(duck))
    assert (record["nodes"], record["logs"]["log"]["path"], described(record)) == (
        ["host0"],
        "/duck",
        {"service_id": "duck"},
    )


def test_the_name_of_a_run_is_given_once() -> None:
    record = of_run(record_of(Server(FakeContext())), 2)
    assert record["service_id"].startswith("2-Server-0-")
    assert of_run(record, 2) == record
    assert described(record)["service_id"] == record["service_id"]


def test_problems_are_one_line() -> None:
    nodes = FakeContext(num_nodes=2).cluster.nodes
    assert (
        problem_with("stopping it", nodes, ValueError("a\nb")) == "Error stopping it on host0, host1: ValueError: a b"
    )
    assert problem_with("stopping it", [], KeyError()) == "Error stopping it: KeyError"
    [node] = LocalhostCluster(num_nodes=1).alloc(ClusterSpec.simple_linux(1))
    account = node.account
    with pytest.raises(OSError) as missing:
        account.open("/no/such/file")
    assert problem_with("stopping it", list(nodes)[:1], missing.value) == (
        "Error stopping it on host0: FileNotFoundError: [Errno 2] No such file or directory: '/no/such/file' "
        "(open on localhost0)"
    )
    with pytest.raises(RemoteCommandError) as refused:
        account.ssh("exit 3")
    assert problem_with("stopping it", [], refused.value) == (
        "Error stopping it: RemoteCommandError: localhost0: Command 'exit 3' returned non-zero exit status 3."
    )
    assert short_text(KeyboardInterrupt()) == "it took too long, or the run was interrupted"
    assert len(short_text(ValueError("x" * 1000))) == 303
