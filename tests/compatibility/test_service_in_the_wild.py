# SPDX-License-Identifier: Apache-2.0
"""What existing suites do with services and nodes."""

from __future__ import annotations

import logging
import threading
import time
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.errors import TimeoutError as DucktapeTimeoutError
from ducktape.services.background_thread import BackgroundThreadService
from ducktape.services.service import Service
from ducktape.services.support.logs import Order, collect_logs
from ducktape.tests.test_context import TestContext
from tests.compatibility.running import LOCALHOST, report, run, write

# What stands in for a node in the wild.
StandInNode = namedtuple("StandInNode", "name account")


class Calls(Service):
    """A service that remembers which hooks were called for which node, and with which keywords."""

    def __init__(self, context: Any, num_nodes: int | None = 1, **kwargs: Any) -> None:
        self.called: list[Any] = []
        super().__init__(context, num_nodes, **kwargs)

    def start_node(self, node: Any, **kwargs: Any) -> None:
        self.called.append(("start", self.idx(node), kwargs))

    def stop_node(self, node: Any, **kwargs: Any) -> None:
        self.called.append(("stop", self.idx(node), kwargs))

    def clean_node(self, node: Any, **kwargs: Any) -> None:
        self.called.append(("clean", self.idx(node), kwargs))


# construction and inheritance


def test_nodes_exist_right_after_the_base_constructor(context: TestContext) -> None:
    class Eager(Service):
        def __init__(self, ctx: TestContext) -> None:
            super().__init__(ctx, num_nodes=2)
            self.names = [node.account.hostname for node in self.nodes]

    assert Eager(context).names == ["localhost0", "localhost1"]


def test_a_mix_in_before_the_service_uses_the_nodes_in_its_constructor(context: TestContext) -> None:
    class MixIn:
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.first = self.nodes[0]  # type: ignore[attr-defined]

    class Mixed(MixIn, Service):
        pass

    service = Mixed(context, num_nodes=1)

    assert service.first is service.nodes[0]


def test_constructor_and_free_called_on_the_class(context: TestContext) -> None:
    class MixIn:
        def __init__(self, size: int) -> None:
            self.size = size

    class Explicit(MixIn, Service):
        def __init__(self, ctx: TestContext, n: int) -> None:
            MixIn.__init__(self, 7)
            Service.__init__(self, ctx, n)

        def free(self) -> None:
            Service.free(self)

    service = Explicit(context, 2)
    before = (service.size, service.num_nodes)
    service.free()

    assert (before, service.nodes, context.cluster.num_available_nodes()) == ((7, 2), [], 5)


def test_cooperative_constructors_take_further_arguments(context: TestContext) -> None:
    class Behind:
        def __init__(self, extra: str, *, more: int) -> None:
            self.given = (extra, more)

    class Cooperative(Service, Behind):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)

    assert Cooperative(context, 1, None, "extra", more=3).given == ("extra", 3)


def test_attributes_set_before_the_base_constructor_survive(context: TestContext) -> None:
    assert Calls(context).called == []


def test_no_nodes_of_the_cluster_and_then_an_own_one(context: TestContext) -> None:
    own = ClusterNode(context.cluster.alloc(ClusterSpec.simple_linux(1))[0].account)
    service = Calls(context, 0)

    service.nodes = [own]
    service.start()

    assert (service.num_nodes, [call[:2] for call in service.called]) == (1, [("stop", 1), ("clean", 1), ("start", 1)])
    service.nodes = []


def test_the_list_of_nodes_emptied_before_freeing(context: TestContext) -> None:
    service = Calls(context, 0)
    service.nodes = [StandInNode("n", None)]

    service.nodes = []
    Service.free(service)

    assert (service.nodes, context.cluster.num_available_nodes()) == ([], 5)


def test_allocation_and_freeing_overridden(context: TestContext) -> None:
    class OwnNodes(Calls):
        def allocate_nodes(self) -> None:
            self.called.append("allocate")
            super().allocate_nodes()

        def free(self) -> None:
            self.called.append("free")
            super().free()

    service = OwnNodes(context, 2)
    context.services.free_all()

    assert (service.called, service.nodes) == (["allocate", "free"], [])


def test_allocation_replaced_completely(context: TestContext) -> None:
    class Account:
        hostname = "there"

        def __str__(self) -> str:
            return "them@there"

    class StandIn(Calls):
        def allocate_nodes(self) -> None:
            self.nodes = [StandInNode("there", Account())]

    service = StandIn(context)

    assert (service.to_json()["nodes"], context.cluster.num_available_nodes()) == (["them@there"], 5)
    service.nodes = []


# logs


class Logs(Calls):
    logs = {
        "log": {"path": "/nowhere/log", "collect_default": True},
        "workload": {"path": "/nowhere/workload", "collect_default": False},
    }


def _collected(service: Any, destination: Path) -> list[str]:
    """Names of the logs that would be collected after a test that passed."""
    asked: list[str] = []

    def wanted(name: str) -> bool:
        asked.append(name)
        return False

    collect_logs([Order(service, str(destination), wanted)], compress=None, logger=logging.getLogger("wild"))
    return asked


def test_the_default_of_a_log_changed_from_outside_is_seen_at_collection(context: TestContext, tmp_path: Path) -> None:
    class Owner:
        def __init__(self, other: Service) -> None:
            self.other = other

    class OwnLogs(Logs):
        logs = {"x": {"path": "/nowhere/x", "collect_default": False}}

    from ducktape.tests.test import Test

    service = OwnLogs(context)
    test = Test(context)
    Owner(service).other.logs["x"]["collect_default"] = True

    assert test.should_collect_log("x", service) is True


def test_a_log_deleted_from_the_dictionary_is_not_collected(context: TestContext, tmp_path: Path) -> None:
    class OwnLogs(Logs):
        logs = {name: dict(log) for name, log in Logs.logs.items()}

    service = OwnLogs(context)

    del service.logs["workload"]

    assert _collected(service, tmp_path) == ["log"]


def test_logs_set_on_the_instance(context: TestContext, tmp_path: Path) -> None:
    service = Logs(context)

    setattr(service, "logs", {"other": {"path": "/nowhere/other", "collect_default": True}})  # noqa: B010

    assert _collected(service, tmp_path) == ["other"]


def test_logs_as_a_property(context: TestContext, tmp_path: Path) -> None:
    class Computed(Calls):
        @property
        def logs(self) -> dict[str, Any]:  # type: ignore[override]
            return {f"log{self.idx(node)}": {"path": "/x", "collect_default": True} for node in self.nodes}

    assert _collected(Computed(context), tmp_path) == ["log1"]


def test_changed_logs_in_a_real_run(tmp_path: Path) -> None:
    write(
        tmp_path / "test_logs.py",
        """
        import os

        from ducktape.mark.resource import cluster
        from ducktape.services.service import Service
        from ducktape.tests.test import Test


        class Writer(Service):
            def __init__(self, context, base, names):
                super().__init__(context, num_nodes=1)
                self.base, self.names = base, names

            @property
            def logs(self):
                return {n: {"path": os.path.join(self.base, n), "collect_default": True} for n in self.names}

            def start_node(self, node):
                for log in self.logs.values():
                    node.account.create_file(log["path"], "x")

            def clean_node(self, node):
                pass


        class LogsTest(Test):
            @cluster(num_nodes=1)
            def test_logs(self):
                service = Writer(self.test_context, os.environ["BASE"], ["one", "two"])
                service.start()
                service.names = ["two"]
        """,
    )

    run(tmp_path, "test_logs.py", *LOCALHOST, extra={"BASE": str(tmp_path)})

    assert [p.name for p in (tmp_path / "results" / "latest").glob("LogsTest/test_logs/1/*/localhost0/*")] == ["two"]


# the life of a service


def test_start_and_stop_overridden_completely_with_the_stamps_kept_by_hand(context: TestContext) -> None:
    class ByHand(Calls):
        def start(self, **kwargs: Any) -> None:
            started = time.time()
            if self._start_time < 0:
                self._start_time = started
            for node in self.nodes:
                self.start_node(node)
            if self._start_duration_seconds < 0:
                self._start_duration_seconds = time.time() - started

        def stop(self, **kwargs: Any) -> None:
            self._stop_time = time.time()
            for node in self.nodes:
                self.stop_node(node)
            self._stop_duration_seconds = time.time() - self._stop_time

    service = ByHand(context, 2)
    before = [service._start_time < 0, service._start_duration_seconds < 0, service._stop_time < 0]
    service.start()
    service.stop()
    lifecycle = service.to_json()["lifecycle"]

    assert (before, service._stop_duration_seconds < 0) == ([True, True, True], False)
    assert [lifecycle["start_time"], lifecycle["stop_time"]] == [service._start_time, service._stop_time]
    assert [call[:2] for call in service.called] == [("start", 1), ("start", 2), ("stop", 1), ("stop", 2)]


def test_the_keywords_of_start_stop_and_clean_reach_the_hooks(context: TestContext) -> None:
    service = Calls(context)

    service.start(version="1")
    service.stop(force_stop=True)
    service.clean(deep=3)

    assert service.called == [
        ("stop", 1, {}),
        ("clean", 1, {}),
        ("start", 1, {"version": "1"}),
        ("stop", 1, {"force_stop": True}),
        ("clean", 1, {"deep": 3}),
    ]


def test_the_keyword_that_leaves_out_cleaning_reaches_the_hook_too(context: TestContext) -> None:
    service = Calls(context)

    service.start(clean=False)

    assert service.called == [("stop", 1, {}), ("start", 1, {"clean": False})]


def _clean_bare(self: Any, node: Any) -> None:
    self.called.append("cleaned")


def _clean_with_rest(self: Any, node: Any, **_: Any) -> None:
    self.called.append("cleaned")


@pytest.mark.parametrize("clean_node", [_clean_bare, _clean_with_rest])
def test_cleaning_hooks_of_both_forms(context: TestContext, clean_node: Callable[..., None]) -> None:
    kind = type("Cleaner", (Calls,), {"clean_node": clean_node, "stop_node": lambda self, node: None})
    service = kind(context)

    service.start()
    service.clean()

    assert [call for call in service.called if call == "cleaned"] == ["cleaned", "cleaned"]


def test_a_stopping_hook_with_an_argument_of_its_own(context: TestContext) -> None:
    class Forced(Calls):
        def stop_node(self, node: Any, force_stop: bool = False, **kwargs: Any) -> None:
            self.called.append(("stop", force_stop, kwargs))

    service = Forced(context)
    service.stop()
    service.stop(force_stop=True, other=1)

    assert service.called == [("stop", False, {}), ("stop", True, {"other": 1})]


# background threads


class Background(BackgroundThreadService):
    """Runs a function of the test in one thread per node."""

    def __init__(self, context: TestContext, work: Callable[[Any, int, Any], None], num_nodes: int = 1) -> None:
        self.work = work
        super().__init__(context, num_nodes)

    def _worker(self, idx: int, node: Any) -> None:
        self.work(self, idx, node)

    def stop_node(self, node: Any, **kwargs: Any) -> None:
        pass

    def clean_node(self, node: Any, **kwargs: Any) -> None:
        pass


def test_a_worker_gets_the_index_and_the_node(context: TestContext) -> None:
    seen: list[tuple[int, str]] = []
    service = Background(context, lambda self, idx, node: seen.append((idx, node.name)), num_nodes=2)

    service.start()
    service.wait(timeout_sec=30)

    assert sorted(seen) == [(1, "localhost0"), (2, "localhost1")]


def test_the_lock_may_be_taken_again_by_the_thread_that_has_it(context: TestContext) -> None:
    done = threading.Event()

    def work(self: Any, idx: int, node: Any) -> None:
        with self.lock, self.lock:
            done.set()

    service = Background(context, work)
    service.start()
    service.wait(timeout_sec=30)

    assert done.is_set() is True


def test_the_worker_threads_by_index(context: TestContext) -> None:
    service = Background(context, lambda self, idx, node: None)

    service.start()
    service.wait(timeout_sec=30)

    assert {index: thread.name for index, thread in service.worker_threads.items()} == {
        1: f"{service.service_id}-worker-1"
    }


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_went_wrong_in_a_worker(context: TestContext) -> None:
    def work(self: Any, idx: int, node: Any) -> None:
        raise ValueError("in the worker")

    service = Background(context, work)
    service.start()

    with pytest.raises(Exception, match="ValueError: in the worker"):
        service.wait(timeout_sec=30)
    assert list(service.worker_errors) == [f"{service.service_id}-worker-1"]
    assert service.errors.startswith(f"{service.service_id}-worker-1: Traceback")


def test_the_errors_of_a_background_service_may_be_assigned(context: TestContext) -> None:
    class Assigns(Background):
        def __init__(self, ctx: TestContext) -> None:
            super().__init__(ctx, lambda self, idx, node: None)
            self.errors = "of their own"

    assert Assigns(context).errors == "of their own"


def test_an_endless_worker_times_out(context: TestContext) -> None:
    ended = threading.Event()

    def work(self: Any, idx: int, node: Any) -> None:
        ended.wait(60)

    service = Background(context, work)
    service.start()

    with pytest.raises(DucktapeTimeoutError, match=r"Timed out waiting 0\.1 seconds"):
        service.wait(timeout_sec=0.1)
    ended.set()
    service.wait(timeout_sec=30)


# nodes


def test_nodes_as_dictionary_keys_and_members_of_sets(context: TestContext) -> None:
    nodes = Calls(context, 2).nodes

    assert ({nodes[0]: "a", nodes[1]: "b"}[nodes[1]], nodes[0] in {nodes[1]}) == ("b", False)


def test_nodes_take_any_attribute(context: TestContext) -> None:
    node = Calls(context).nodes[0]

    node.version = "3.1"
    node.config = {"a": 1}

    assert (node.version, node.config) == ("3.1", {"a": 1})


def test_the_name_and_the_account_of_a_node(context: TestContext) -> None:
    node = Calls(context).nodes[0]

    assert (node.name, node.account.hostname) == ("localhost0", "localhost0")


def test_a_named_tuple_stands_in_for_a_node(context: TestContext) -> None:
    class Account:
        hostname = "stand-in"

    node = StandInNode("stand-in", Account())
    service = Calls(context, 0)
    service.nodes = [node]

    service.start()

    assert (service.idx(node), service.who_am_i(node), [call[0] for call in service.called]) == (
        1,
        f"{service.service_id} node 1 on stand-in",
        ["stop", "clean", "start"],
    )
    service.nodes = []


def test_a_service_in_a_real_run_is_in_the_report_under_the_name_of_its_directory(tmp_path: Path) -> None:
    write(
        tmp_path / "test_reported.py",
        """
        import os

        from ducktape.mark.resource import cluster
        from ducktape.services.service import Service
        from ducktape.tests.test import Test


        class Writer(Service):
            logs = {"log": {"path": os.environ["BASE"] + "/log", "collect_default": True}}

            def start_node(self, node):
                node.account.create_file(self.logs["log"]["path"], "x")

            def clean_node(self, node):
                pass


        class ReportedTest(Test):
            @cluster(num_nodes=1)
            def test_reported(self):
                Writer(self.test_context, 1).start()
        """,
    )

    run(tmp_path, "test_reported.py", *LOCALHOST, extra={"BASE": str(tmp_path)})

    (result,) = report(tmp_path)["results"]
    (service,) = result["services"]
    latest = tmp_path / "results" / "latest"
    assert (latest / result["relative_results_dir"] / service["service_id"] / "localhost0" / "log").read_text() == "x"
