# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gc
import logging
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.finite_subcluster import FiniteSubcluster
from ducktape.cluster.node_container import InsufficientResourcesError
from ducktape.errors import DucktapeError, TimeoutError
from ducktape.services.service import MultiRunServiceIdFactory, Service, ServiceIdFactory, service_id_factory
from tests.unit.services.fakes import FakeAccount, FakeContext, RecordingService


class Derived(RecordingService):
    pass


class Patient(RecordingService):
    """Has nodes that finish when they are told to."""

    def __init__(self, context: Any, num_nodes: int, finished: set[str]) -> None:
        super().__init__(context, num_nodes)
        self.finished = finished
        self.timeouts: list[float | None] = []

    def wait_node(self, node: Any, timeout_sec: float | None = None) -> bool:
        self.timeouts.append(timeout_sec)
        return node.account.hostname in self.finished


# ---- construction and allocation


def test_a_new_service_has_its_nodes_in_allocation_order_and_is_registered() -> None:
    context = FakeContext(num_nodes=3)
    service = RecordingService(context, 2)
    assert [node.account.hostname for node in service.nodes] == ["host0", "host1"]
    assert service.num_nodes == 2
    assert service.allocated
    assert service in context.services
    assert service.logger is context.logger
    assert service.cluster is context.cluster
    assert context.accounts[0].logger is context.logger


def test_one_of_the_two_sizes_has_to_be_given() -> None:
    with pytest.raises(RuntimeError, match=r"^You must set either num_nodes or cluster_spec\.$"):
        Service(FakeContext())
    with pytest.raises(RuntimeError, match=r"^You must set only one of \(num_nodes, cluster_spec\)$"):
        Service(FakeContext(), 1, ClusterSpec.simple_linux(1))


def test_a_cluster_spec_is_used_as_it_is() -> None:
    spec = ClusterSpec.simple_linux(2)
    service = RecordingService(FakeContext(), cluster_spec=spec)
    assert service.cluster_spec is spec
    assert service.num_nodes == 2


def test_skip_nodes_allocation_leaves_allocation_to_later() -> None:
    service = RecordingService(FakeContext(), 2, skip_nodes_allocation=True)
    assert service.nodes == []
    assert service.skip_nodes_allocation is True
    service.allocate_nodes()
    assert service.num_nodes == 2


def test_the_session_decides_about_allocation_unless_the_service_does() -> None:
    assert RecordingService(FakeContext(skip_nodes_allocation=True), 2).num_nodes == 0
    context = FakeContext(skip_nodes_allocation=True)
    assert RecordingService(context, 2, skip_nodes_allocation=False).num_nodes == 2


def test_unknown_keywords_are_refused() -> None:
    with pytest.raises(TypeError):
        RecordingService(FakeContext(), 1, colour="red")


def test_a_cooperative_mix_in_gets_the_keywords_that_are_not_of_the_service() -> None:
    class Coloured:
        def __init__(self, *args: Any, colour: str, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.colour = colour

    class ColouredService(Service, Coloured):
        pass

    assert ColouredService(FakeContext(), 1, colour="red").colour == "red"


def test_a_mix_in_before_the_service_may_call_its_constructor_by_name() -> None:
    class Counting:
        nodes: list[Any]

        def count(self) -> int:
            return len(self.nodes)

    class CountingService(Counting, Service):
        def __init__(self, context: Any, num_nodes: int) -> None:
            Service.__init__(self, context, num_nodes)
            self.counted = self.count()

    assert CountingService(FakeContext(), 2).counted == 2


def test_ignoring_node_types_serves_a_typed_request_from_any_node() -> None:
    context = FakeContext(num_nodes=2, ignore_node_type=True)
    spec = ClusterSpec.simple_linux(2, "large")
    assert RecordingService(context, cluster_spec=spec).num_nodes == 2
    with pytest.raises(InsufficientResourcesError):
        RecordingService(FakeContext(num_nodes=2), cluster_spec=spec)


def test_allocating_twice_is_refused_and_allocating_after_free_is_not() -> None:
    service = RecordingService(FakeContext(num_nodes=2), 2)
    with pytest.raises(Exception, match=r"^Requesting nodes for a service that has already been allocated nodes\.$"):
        service.allocate_nodes()
    service.free()
    assert (service.num_nodes, service.allocated) == (0, False)
    service.allocate_nodes()
    assert service.num_nodes == 2


def test_lack_of_nodes_keeps_its_type_and_names_the_registered_services() -> None:
    context = FakeContext(num_nodes=2)
    first = RecordingService(context, 1)
    with pytest.raises(InsufficientResourcesError) as caught:
        Derived(context, 2)
    assert str(caught.value) == (
        "linux nodes requested: 2. linux nodes available: 1. "
        f"Currently registered services: [<{first.service_id}: num_nodes: 1, nodes: ['host0']>]"
    )
    assert list(context.services) == [first]


def test_a_runtime_error_of_the_cluster_names_the_registered_services() -> None:
    class Broken(FiniteSubcluster):
        def do_alloc(self, cluster_spec: ClusterSpec) -> list[ClusterNode]:
            raise RuntimeError("no luck.")

    context = FakeContext()
    context.cluster = Broken([])
    with pytest.raises(RuntimeError, match=r"^no luck\. Currently registered services: \[\]$"):
        RecordingService(context, 1)


def test_an_account_that_is_still_in_use_is_refused_and_no_node_is_lost() -> None:
    context = FakeContext(num_nodes=2)
    lines: list[str] = []
    busy = logging.Logger("busy")
    busy.addFilter(lambda record: lines.append(f"{record.levelname} {record.getMessage()}") or False)  # type: ignore[func-returns-value]
    context.accounts[1].logger = busy
    with pytest.raises(RuntimeError, match=r"^logger was not None on service start\. .*RecordingService.*user@host1$"):
        RecordingService(context, 2)
    assert lines == ["CRITICAL BAD_TEST"]
    assert context.cluster.num_available_nodes() == 2
    assert context.accounts[0].logger is None
    assert context.accounts[1].logger is busy
    assert list(context.services) == []


def test_freeing_gives_nodes_back_from_the_last_and_forgets_their_logger() -> None:
    context = FakeContext(num_nodes=2)
    service = RecordingService(context, 2)
    identity = service.service_id
    service.free()
    assert context.log.of_level("INFO") == [
        f"{identity} node 2 on host1: freeing node",
        f"{identity} node 1 on host0: freeing node",
    ]
    assert [account.logger for account in context.accounts] == [None, None]
    assert context.cluster.num_available_nodes() == 2


def test_a_service_without_nodes_may_bring_its_own() -> None:
    service = RecordingService(FakeContext(), 0)
    service.nodes = [ClusterNode(FakeAccount("own"))]
    service.start()
    assert service.called == ["stop own", "clean own", "start own"]


# ---- identity


def test_ids_count_services_of_exactly_the_same_class() -> None:
    context = FakeContext(num_nodes=0)
    services: list[Service] = [kind(context, 0) for kind in (RecordingService, Derived, RecordingService, Derived)]
    assert [service._order for service in services] == [0, 0, 1, 1]
    assert services[3].service_id == f"Derived-1-{id(services[3])}"


def test_ids_stay_the_same_when_the_registry_forgets_its_services() -> None:
    context = FakeContext(num_nodes=1)
    RecordingService(context, 0)
    service = RecordingService(context, 1)
    identity = service.service_id
    context.services.free_all()
    assert service.service_id == identity == f"RecordingService-1-{id(service)}"
    assert repr(service) == f"<{identity}: num_nodes: 0, nodes: []>"
    del context.services
    assert service.who_am_i() == identity


def test_the_order_during_construction_is_the_one_to_come() -> None:
    seen: list[int] = []

    class Early(RecordingService):
        def allocate_nodes(self) -> None:
            seen.append(self._order)
            super().allocate_nodes()

    context = FakeContext()
    assert [Early(context, 1)._order, Early(context, 1)._order] == seen == [0, 1]


def test_a_context_that_does_not_list_its_services_gives_order_0() -> None:
    class WriteOnly:
        def append(self, service: Any) -> None:
            pass

    assert RecordingService(FakeContext(services=WriteOnly()), 1)._order == 0


def test_id_factories_name_class_order_and_identity() -> None:
    service = RecordingService(FakeContext(), 0)
    assert service.service_id_factory is service_id_factory
    assert ServiceIdFactory().generate_service_id(service) == f"RecordingService-0-{id(service)}"
    service.service_id_factory = MultiRunServiceIdFactory(3)
    assert service.service_id == f"3-RecordingService-0-{id(service)}"
    assert MultiRunServiceIdFactory().run_number == 1


def test_nodes_are_counted_from_1() -> None:
    service = RecordingService(FakeContext(), 2)
    assert service.get_node(1) is service.nodes[0]
    assert service.get_node(0) is service.nodes[1]
    assert service.idx(service.nodes[1]) == 2
    assert service.idx(object()) == -1
    assert service.who_am_i(service.nodes[1]) == f"{service.service_id} node 2 on host1"
    with pytest.raises(IndexError):
        service.get_node(3)


def test_json_names_nodes_that_have_been_freed() -> None:
    service = RecordingService(FakeContext(), 2)
    service.free()
    report = service.to_json()
    assert report.pop("lifecycle") == {
        "init_time": service._init_time,
        "start_time": -1,
        "start_duration_seconds": -1,
        "stop_time": -1,
        "stop_duration_seconds": -1,
        "clean_time": -1,
    }
    assert report == {
        "cls_name": "RecordingService",
        "module_name": "tests.unit.services.fakes",
        "service_id": service.service_id,
        "nodes": ["user@host0", "user@host1"],
    }


def test_the_scratch_directory_lives_until_close() -> None:
    service = RecordingService(FakeContext(), 0)
    service.close()
    directory = service.local_scratch_dir
    assert os.path.isdir(directory)
    assert service.local_scratch_dir == directory
    service.close()
    service.close()
    assert not os.path.exists(directory)


# ---- start


def test_start_stops_and_cleans_all_nodes_before_it_starts_the_first() -> None:
    service = RecordingService(FakeContext(), 2)
    service.start(speed=9)
    assert service.calls == [
        ("stop", "host0", {}),
        ("clean", "host0", {}),
        ("stop", "host1", {}),
        ("clean", "host1", {}),
        ("start", "host0", {"speed": 9}),
        ("start", "host1", {"speed": 9}),
    ]


def test_start_without_cleaning_only_stops_and_hands_the_keyword_on() -> None:
    service = RecordingService(FakeContext(), 1)
    service.start(clean=False)
    assert service.calls == [("stop", "host0", {}), ("start", "host0", {"clean": False})]


def test_what_fails_before_a_start_does_not_matter() -> None:
    service = RecordingService(FakeContext(), 1)
    service.failures = {("stop", "host0"): OSError("gone"), ("clean", "host0"): OSError("gone")}
    service.start()
    assert service.called == ["stop host0", "clean host0", "start host0"]


def test_attributes_of_a_subclass_do_not_stand_for_those_of_the_framework() -> None:
    class Named(RecordingService):
        _start_time: Any = None
        _clean_time = 5.0
        _local_scratch_dir: Any = "/of/the/class"

    service = Named(FakeContext(), 0)
    lifecycle = service.to_json()["lifecycle"]
    assert (lifecycle["start_time"], lifecycle["clean_time"]) == (-1, -1)
    service.start()
    assert service._start_time > 0
    assert service.local_scratch_dir != "/of/the/class"
    service.close()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_or_exit_before_a_start_is_not_swallowed(kind: type[BaseException]) -> None:
    service = RecordingService(FakeContext(), 2)
    service.failures = {("stop", "host0"): kind()}
    with pytest.raises(kind):
        service.start()
    assert service.called == ["stop host0"]


def test_what_a_hook_held_when_it_failed_before_a_start_is_released_at_once() -> None:
    released: list[str] = []

    def channel(name: str) -> Iterator[None]:
        try:
            yield
        finally:
            released.append(name)

    class Failing(RecordingService):
        def stop_node(self, node: Any, **kwargs: Any) -> None:
            held = channel("stop")
            next(held)
            raise OSError("nothing to stop")

        def clean_node(self, node: Any, **kwargs: Any) -> None:
            held = channel("clean")
            next(held)
            raise OSError("nothing to clean")

    service = Failing(FakeContext(), 1)
    gc.disable()
    try:
        service.start()
        assert released == ["stop", "clean"]
    finally:
        gc.enable()


def test_a_hook_may_replace_itself_for_the_next_node() -> None:
    class Bootstrapping(RecordingService):
        joined: list[str]

        def start_node(self, node: Any, **kwargs: Any) -> None:
            super().start_node(node, **kwargs)
            self.joined = []
            self.start_node = self.join  # type: ignore[method-assign]

        def join(self, node: Any, **kwargs: Any) -> None:
            self.joined.append(node.account.hostname)

    service = Bootstrapping(FakeContext(), 3)
    service.start()
    assert "start host0" in service.called
    assert "start host1" not in service.called
    assert service.joined == ["host1", "host2"]


def test_the_first_node_that_does_not_start_ends_the_start() -> None:
    service = RecordingService(FakeContext(), 2)
    service.failures = {("start", "host0"): OSError("cannot start")}
    with pytest.raises(OSError, match="cannot start"):
        service.start()
    assert "start host1" not in service.called
    assert service._start_time > 0
    assert service._start_duration_seconds == -1


def test_the_start_is_timed_once() -> None:
    service = RecordingService(FakeContext(), 1)
    assert service._start_time < 0
    service.start()
    times = (service._start_time, service._start_duration_seconds)
    assert times[0] > 0
    assert times[1] >= 0
    service.start()
    assert (service._start_time, service._start_duration_seconds) == times


def test_hooks_without_keywords_work_as_long_as_none_is_passed() -> None:
    started = []

    class Plain(Service):
        def start_node(self, node: Any) -> None:
            started.append(node.account.hostname)

        def clean_node(self, node: Any) -> None:
            pass

    service = Plain(FakeContext(), 1)
    service.start()
    assert started == ["host0"]
    with pytest.raises(TypeError):
        service.start(speed=9)


def test_the_log_tells_what_happens() -> None:
    context = FakeContext()
    service = RecordingService(context, 1)
    name = service.service_id
    context.log.lines.clear()
    service.start(clean=False)
    service.stop()
    service.clean()
    assert context.log.lines == [
        f"INFO {name}: starting service",
        f"DEBUG {name}: killing processes and attempting to clean up before starting",
        f"DEBUG {name} node 1 on host0: skip cleaning node",
        f"DEBUG {name} node 1 on host0: starting node",
        f"INFO {name}: stopping service",
        f"INFO {name} node 1 on host0: stopping node",
        f"INFO {name}: cleaning service",
        f"INFO {name} node 1 on host0: cleaning node",
    ]


def test_a_service_that_does_not_say_how_to_clean_says_so() -> None:
    context = FakeContext()
    service = Service(context, 1)
    service.clean()
    assert context.log.of_level("WARNING") == [
        f"{service.service_id}: clean_node has not been overriden. "
        "This may be fine if the service leaves no persistent state."
    ]


# ---- stop and clean


@pytest.mark.parametrize("verb", ["stop", "clean"])
@pytest.mark.parametrize("parallel", [False, True])
def test_keywords_reach_the_hooks_of_every_node(verb: str, parallel: bool) -> None:
    service = RecordingService(FakeContext(), 2)
    service.parallel_nodes = parallel
    getattr(service, verb)(force=True)
    assert sorted(service.calls, key=lambda call: call[1]) == [
        (verb, "host0", {"force": True}),
        (verb, "host1", {"force": True}),
    ]


@pytest.mark.parametrize("verb", ["stop", "clean"])
@pytest.mark.parametrize("parallel", [False, True])
def test_a_node_that_fails_never_skips_the_others(verb: str, parallel: bool) -> None:
    context = FakeContext()
    service = RecordingService(context, 3)
    service.parallel_nodes = parallel
    service.failures = {(verb, "host0"): OSError("first"), (verb, "host1"): OSError("second")}
    with pytest.raises(OSError, match=r"^first$"):
        getattr(service, verb)()
    assert sorted(service.called) == [f"{verb} host0", f"{verb} host1", f"{verb} host2"]
    assert context.log.of_level("WARNING") == [
        f"{service.service_id} node 2 on host1: one more node failed: OSError('second')"
    ]


@pytest.mark.parametrize("verb", ["stop", "clean"])
def test_an_interrupt_reaches_the_other_nodes_and_is_raised_before_other_failures(verb: str) -> None:
    context = FakeContext()
    service = RecordingService(context, 3)
    service.failures = {(verb, "host0"): OSError("first"), (verb, "host1"): KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        getattr(service, verb)()
    assert service.called == [f"{verb} host0", f"{verb} host1", f"{verb} host2"]
    assert context.log.of_level("WARNING") == [
        f"{service.service_id} node 1 on host0: one more node failed: OSError('first')"
    ]


def test_stop_and_clean_are_stamped_every_time() -> None:
    service = RecordingService(FakeContext(), 1)
    service.stop()
    service.clean()
    first = (service._stop_time, service._clean_time)
    assert service._stop_duration_seconds >= 0
    service.stop()
    service.clean()
    assert service._stop_time > first[0] > 0
    assert service._clean_time > first[1] > 0


# ---- side by side


class Meeting(RecordingService):
    """Its nodes only get through a hook together."""

    parallel_nodes = True

    def __init__(self, context: Any, num_nodes: int) -> None:
        self.barrier = threading.Barrier(num_nodes)
        super().__init__(context, num_nodes)

    def _record(self, hook: str, node: Any, kwargs: dict[str, Any]) -> None:
        self.barrier.wait(timeout=10)
        super()._record(hook, node, kwargs)


def test_nodes_work_side_by_side_but_all_are_cleaned_before_the_first_starts() -> None:
    service = Meeting(FakeContext(), 3)
    service.start()
    assert sorted(service.called[:6]) == sorted(f"{hook} host{i}" for hook in ("stop", "clean") for i in range(3))
    assert sorted(service.called[6:]) == ["start host0", "start host1", "start host2"]


def test_a_failed_start_side_by_side_raises_the_failure_of_the_first_node() -> None:
    service = Meeting(FakeContext(), 2)
    service.failures = {("start", "host0"): OSError("one"), ("start", "host1"): OSError("two")}
    with pytest.raises(OSError, match=r"^one$"):
        service.start()


def test_for_nodes_returns_what_the_function_does_in_the_order_of_the_nodes() -> None:
    service = RecordingService(FakeContext(), 3)
    assert service.for_nodes(service.idx) == [1, 2, 3]
    service.parallel_nodes = True
    assert service.for_nodes(service.idx) == [1, 2, 3]


# ---- wait and run


def test_waiting_shares_one_deadline_between_all_nodes() -> None:
    service = Patient(FakeContext(), 2, finished={"host0", "host1"})
    service.wait(timeout_sec=100)
    first, second = service.timeouts
    assert first is not None
    assert second is not None
    assert 100 >= first >= second > 90


def test_the_nodes_that_do_not_finish_are_named() -> None:
    service = Patient(FakeContext(), 3, finished={"host1"})
    with pytest.raises(TimeoutError) as caught:
        service.wait(timeout_sec=5)
    name = service.service_id
    assert str(caught.value) == (
        "Timed out waiting 5 seconds for service nodes to finish. "
        f"These nodes are still alive: ['{name} node 1 on host0', '{name} node 3 on host2']"
    )


def test_without_time_no_node_is_asked() -> None:
    service = Patient(FakeContext(), 1, finished={"host0"})
    with pytest.raises(TimeoutError):
        service.wait(timeout_sec=0)
    assert service.timeouts == []


def test_waiting_for_a_service_that_does_not_say_how_is_an_error_that_says_what_to_write() -> None:
    service = RecordingService(FakeContext(), 1)
    with pytest.raises(DucktapeError, match=r"^RecordingService does not say how to wait.*define wait_node") as caught:
        service.wait()
    assert isinstance(caught.value, NotImplementedError)


def test_waiting_for_a_service_without_nodes_returns_at_once() -> None:
    RecordingService(FakeContext(), 0).wait()


def test_run_starts_waits_and_stops() -> None:
    service = Patient(FakeContext(), 1, finished={"host0"})
    service.run()
    assert service.called == ["stop host0", "clean host0", "start host0", "stop host0"]


def test_services_run_in_parallel_are_all_started_before_the_first_is_stopped() -> None:
    context = FakeContext()
    calls: list[tuple[str, str, dict[str, Any]]] = []
    services = [Patient(context, 1, finished={f"host{i}"}) for i in range(2)]
    for service in services:
        service.calls = calls
    Service.run_parallel(*services)
    assert [f"{hook} {host}" for hook, host, _ in calls][-3:] == ["start host1", "stop host0", "stop host1"]


def test_methods_of_subclasses_named_like_the_newer_ones_do_no_harm() -> None:
    class Older(RecordingService):
        parallel_nodes: Any = 2

        def for_nodes(self, *args: Any, **kwargs: Any) -> Any:
            raise AssertionError("this is not what its author wrote it for")

    service = Older(FakeContext(), 1)
    service.start()
    service.stop()
    assert service.called == ["stop host0", "clean host0", "start host0", "stop host0"]
