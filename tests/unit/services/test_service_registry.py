# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from ducktape.cluster.cluster_spec import ClusterSpec
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
    assert context.log.of_level("WARNING") == [f"Error {ing} service b: no"]


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
