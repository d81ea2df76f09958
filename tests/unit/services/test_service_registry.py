# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.services.service import MultiRunServiceIdFactory
from ducktape.services.service_registry import ServiceRegistry
from tests.unit.services.fakes import FakeContext, RecordingService


class Troubled(RecordingService):
    """Says in a shared list what is done to it, and raises what it is told to."""

    def __init__(self, context: Any, name: str, done: list[str], trouble: BaseException | None = None) -> None:
        super().__init__(context, 1)
        self.name = name
        self.done = done
        self.trouble = trouble

    def __repr__(self) -> str:
        return self.name

    def _do(self, what: str) -> None:
        self.done.append(f"{what} {self.name}")
        if self.trouble is not None:
            raise self.trouble

    def stop(self, **kwargs: Any) -> None:
        self._do("stop")

    def clean(self, **kwargs: Any) -> None:
        self._do("clean")

    def free(self) -> None:
        self._do("free")


def three(trouble: BaseException | None = None) -> tuple[FakeContext, list[str]]:
    """A context with services a, b and c, of which b makes trouble; and what will be done to them."""
    context = FakeContext(num_nodes=3)
    done: list[str] = []
    for name in "abc":
        Troubled(context, name, done, trouble if name == "b" else None)
    return context, done


def test_services_are_stopped_in_reverse_and_cleaned_and_freed_in_order() -> None:
    context, done = three()
    context.services.stop_all()
    context.services.clean_all()
    context.services.free_all()
    assert done == [
        f"{what} {name}" for what, names in (("stop", "cba"), ("clean", "abc"), ("free", "abc")) for name in names
    ]


@pytest.mark.parametrize("trouble", [OSError("no"), SystemExit("no")])
@pytest.mark.parametrize(("verb", "ing"), [("stop", "stopping"), ("clean", "cleaning"), ("free", "freeing")])
def test_a_service_in_trouble_is_logged_and_the_others_are_tried(trouble: BaseException, verb: str, ing: str) -> None:
    context, done = three(trouble)
    getattr(context.services, f"{verb}_all")()
    assert sorted(done) == [f"{verb} a", f"{verb} b", f"{verb} c"]
    assert context.log.of_level("WARNING") == [f"Error {ing} service b: {type(trouble).__name__}: no"]


@pytest.mark.parametrize("verb", ["stop", "clean", "free"])
def test_an_interrupt_is_raised_after_all_services_were_tried(verb: str) -> None:
    context, done = three(KeyboardInterrupt("now"))
    with pytest.raises(KeyboardInterrupt, match="now"):
        getattr(context.services, f"{verb}_all")()
    assert sorted(done) == [f"{verb} a", f"{verb} b", f"{verb} c"]
    assert [str(service) for service in context.services] == ["a", "b", "c"]


def test_freeing_forgets_the_services() -> None:
    context = FakeContext()
    service = RecordingService(context, 2)
    context.services.free_all()
    assert service not in context.services
    assert list(context.services) == []
    assert repr(context.services) == "[]"
    assert context.services.to_json() == []
    assert context.cluster.num_available_nodes() == 3


def test_the_registry_lists_its_services_in_order() -> None:
    context = FakeContext()
    first, second = RecordingService(context, 1), RecordingService(context, 1)
    assert list(context.services) == list(context.services._services.values()) == [first, second]
    assert repr(context.services) == f"[{first!r}, {second!r}]"
    assert context.services.to_json() == [first.to_json(), second.to_json()]


def test_a_service_that_cannot_list_its_nodes_does_not_keep_the_others_from_being_stopped() -> None:
    class Nodeless(Troubled):
        is_broken = False

        def __getattribute__(self, name: str) -> Any:
            if name == "nodes" and self.is_broken:
                raise RuntimeError("no list of nodes")
            return super().__getattribute__(name)

    context = FakeContext(num_nodes=3)
    done: list[str] = []
    Troubled(context, "old", done)
    broken = Nodeless(context, "broken", done)
    Troubled(context, "new", done)
    broken.is_broken = True
    context.services.stop_all()
    assert done == ["stop new", "stop old"]
    problem = f"Error stopping service {broken.service_id}: RuntimeError: no list of nodes"
    assert context.services.problems == [problem]


def test_membership_is_identity() -> None:
    class Equal(RecordingService):
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            return True

    context = FakeContext()
    service = Equal(context, 0)
    assert service in context.services
    assert Equal(FakeContext(), 0) not in context.services


def test_errors_of_services_are_shown_with_their_names() -> None:
    context = FakeContext()
    services: list[Any] = [RecordingService(context, 0) for _ in range(3)]
    assert context.services.errors() == ""
    services[0].error = "a broke"
    services[1].error = ""
    services[2].error = "c broke"
    assert context.services.errors() == f"{services[0].service_id}: a broke\n\n{services[2].service_id}: c broke"


def test_the_least_cluster_is_the_sum_of_what_services_ask_for() -> None:
    context = FakeContext(num_nodes=3)
    first = RecordingService(context, 1)
    RecordingService(context, 2)
    assert str(context.services.min_cluster_spec()) == str(ClusterSpec.simple_linux(3))
    assert first.cluster_spec.size() == 1
    assert ServiceRegistry().min_cluster_spec().size() == 0


# ---- problems, and what is noted for the case that the process dies


@pytest.mark.parametrize(("verb", "ing"), [("stop", "stopping"), ("clean", "cleaning"), ("free", "freeing")])
def test_problems_are_remembered_in_one_line_each(verb: str, ing: str) -> None:
    context, _ = three(OSError("no\nroom"))
    service_id = list(context.services)[1].service_id
    getattr(context.services, f"{verb}_all")()
    assert context.services.problems == [f"Error {ing} service {service_id} on host1: OSError: no room"]


def test_an_interrupt_is_a_problem_too() -> None:
    context, _ = three(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        context.services.stop_all()
    [problem] = context.services.problems
    assert problem.endswith(" on host1: it took too long, or the run was interrupted")


class Changing(RecordingService):
    """Learns in the course of its start what it has to know for its stop."""

    def __init__(self, context: Any, num_nodes: int = 1) -> None:
        super().__init__(context, num_nodes)
        self.port = 1

    def start_node(self, node: Any, **kwargs: Any) -> None:
        super().start_node(node)
        self.port += 1


def _listened(num_nodes: int = 3) -> tuple[FakeContext, list[Any]]:
    context = FakeContext(num_nodes)
    heard: list[Any] = []
    context.services.listener = heard.append
    return context, heard


def _ports(heard: list[Any]) -> list[Any]:
    return [change if isinstance(change, str) else change["attributes"].get("port") for change in heard]


def test_a_service_is_noted_when_it_is_made_before_it_starts_and_after() -> None:
    context, heard = _listened()
    service = Changing(context)
    assert _ports(heard) == [None]
    service.start()
    assert _ports(heard) == [None, "1", "2"]
    assert [record["report"]["lifecycle"]["start_time"] < 0 for record in heard] == [True, False, False]


def test_what_failed_half_way_in_its_start_is_noted() -> None:
    context, heard = _listened()
    service = Changing(context, 2)
    service.failures["start", "host1"] = OSError("no")
    with pytest.raises(OSError, match="no"):
        service.start()
    assert _ports(heard) == [None, "1", "2"]


def test_all_can_be_noted_again_in_between() -> None:
    context, heard = _listened()
    services = [Changing(context) for _ in range(2)]
    heard.clear()
    context.services.note_all()
    assert [record["service_id"] for record in heard] == [service.service_id for service in services]
    assert _ports(heard) == ["1", "1"]


def test_a_service_is_gone_when_it_was_freed_and_comes_back_with_new_nodes() -> None:
    context, heard = _listened()
    service = RecordingService(context, 1)
    heard.clear()
    service.free()
    service.free()
    assert heard == [service.service_id]
    service.allocate_nodes()
    assert heard[1]["nodes"] == ["host1"]
    context.services.free_all()
    assert heard[2:] == [service.service_id]


def test_one_that_overrides_free_is_gone_when_all_are_freed() -> None:
    context, heard = _listened()
    service = Troubled(context, "a", [], OSError("no"))
    heard.clear()
    context.services.free_all()
    assert heard == [service.service_id]


@pytest.mark.parametrize("verb", ["stop", "clean"])
def test_one_whose_ending_was_interrupted_stays_noted(verb: str) -> None:
    context, heard = _listened()
    service = Troubled(context, "a", [], KeyboardInterrupt())
    other = RecordingService(context, 1)
    heard.clear()
    with pytest.raises(KeyboardInterrupt):
        getattr(context.services, f"{verb}_all")()
    service.trouble = None
    context.services.free_all()
    assert heard == [other.service_id]


def test_a_service_that_changes_its_name_is_not_noted_twice() -> None:
    context, heard = _listened()
    service = RecordingService(context, 1)
    former = service.service_id
    service.service_id_factory = MultiRunServiceIdFactory(2)
    heard.clear()
    context.services.note_all()
    assert (heard[0], heard[1]["service_id"]) == (former, f"2-{former}")
    context.services.free_all()
    assert heard[2:] == [f"2-{former}"]


def test_services_without_nodes_are_not_noted_until_they_have_some() -> None:
    context, heard = _listened()
    service = RecordingService(context, 1, skip_nodes_allocation=True)
    assert heard == []
    service.allocate_nodes()
    assert heard[0]["nodes"] == ["host0"]


def test_a_listener_that_raises_does_not_disturb_the_test() -> None:
    context = FakeContext()

    def refuse(change: Any) -> None:
        raise OSError("nobody there")

    context.services.listener = refuse
    service = RecordingService(context, 1)
    service.start()
    context.services.free_all()
    assert "could not be noted: OSError('nobody there')" in context.log.of_level("DEBUG")[-1]


def test_registries_of_users_need_not_know_of_notes() -> None:
    class Plain(list[Any]):
        pass

    context = FakeContext(services=Plain())
    service = RecordingService(context, 1)
    service.start()
    service.free()
    assert context.services == [service]
