# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ducktape.errors import TimeoutError
from ducktape.services.background_thread import BackgroundThreadService
from tests.unit.services.fakes import FakeContext


@pytest.fixture(autouse=True)
def threads_may_fail() -> Iterator[None]:
    """A worker's failure is raised on in its thread, which is no news here."""
    previous, threading.excepthook = threading.excepthook, lambda args: None
    yield
    threading.excepthook = previous


class Workers(BackgroundThreadService):
    """Runs on each node what ``jobs`` has for its position; without a job a worker goes on until it is stopped."""

    def __init__(self, context: Any, num_nodes: int, **kwargs: Any) -> None:
        self.ended = threading.Event()
        self.jobs: dict[int, BaseException | None] = {}
        super().__init__(context, num_nodes, **kwargs)

    def _worker(self, idx: int, node: Any) -> None:
        if idx not in self.jobs:
            assert self.ended.wait(60)
            return
        trouble = self.jobs[idx]
        if trouble is not None:
            raise trouble

    def stop_node(self, node: Any, **kwargs: Any) -> None:
        self.ended.set()

    def clean_node(self, node: Any, **kwargs: Any) -> None:
        self.ended.clear()

    def join(self) -> None:
        for thread in self.worker_threads.values():
            thread.join(10)


def test_each_node_gets_a_daemon_thread_named_after_the_service() -> None:
    service = Workers(FakeContext(), 2)
    service.start()
    assert {idx: thread.name for idx, thread in service.worker_threads.items()} == {
        1: f"{service.service_id}-worker-1",
        2: f"{service.service_id}-worker-2",
    }
    assert all(thread.daemon and thread.is_alive() for thread in service.worker_threads.values())
    service.stop()
    service.wait(10)
    assert service.errors == ""


def test_an_endless_worker_makes_waiting_time_out_in_time() -> None:
    service = Workers(FakeContext(), 1)
    service.start()
    begin = time.monotonic()
    with pytest.raises(TimeoutError, match=r"^Timed out waiting 0\.5 seconds"):
        service.wait(0.5)
    assert time.monotonic() - begin == pytest.approx(0.5, rel=0.2)
    service.stop()


@pytest.mark.parametrize("trouble", [ValueError("it broke"), SystemExit("it broke")])
def test_a_failed_worker_makes_wait_and_stop_raise_and_shows_everywhere(trouble: BaseException) -> None:
    context = FakeContext()
    service = Workers(context, 1)
    service.jobs = {1: trouble}
    service.start()
    for verb in (service.wait, service.stop, service.stop):
        with pytest.raises(Exception, match="it broke"):
            verb()
    name = f"{service.service_id}-worker-1"
    assert list(service.worker_errors) == [name]
    assert service.errors == service.error == f"{name}: {service.worker_errors[name]}"
    assert service.worker_errors[name].startswith("Traceback (most recent call last):")
    assert context.services.errors() == f"{service.service_id}: {service.errors}"
    assert any(service.worker_errors[name] in line for line in context.log.of_level("INFO"))


def test_failures_of_several_workers_are_joined_by_newlines() -> None:
    service = Workers(FakeContext(), 2)
    service.worker_errors = {"a": "one", "b": "two"}
    assert service.errors == "a: one\nb: two"


def test_a_timeout_shows_the_workers_that_have_failed() -> None:
    service = Workers(FakeContext(), 2)
    service.jobs = {2: ValueError("number two broke")}
    service.start()
    service.worker_threads[2].join(10)
    with pytest.raises(TimeoutError, match=r"(?s)^Timed out waiting 0\.1 seconds.*number two broke"):
        service.wait(0.1)
    with pytest.raises(Exception, match="number two broke"):
        service.stop()


def test_a_restarted_node_forgets_its_failure_and_no_other() -> None:
    service = Workers(FakeContext(), 2)
    service.jobs = {1: ValueError("one broke"), 2: ValueError("two broke")}
    service.start()
    service.join()
    service.jobs = {1: None}
    service.start_node(service.nodes[0])
    service.worker_threads[1].join(10)
    assert list(service.worker_errors) == [f"{service.service_id}-worker-2"]


def test_a_node_whose_worker_is_alive_cannot_be_started_again() -> None:
    service = Workers(FakeContext(), 1)
    service.start_node(service.nodes[0])
    with pytest.raises(RuntimeError, match=r"^Cannot restart node since previous thread is still alive$"):
        service.start_node(service.nodes[0])
    service.stop()


def test_keywords_are_accepted() -> None:
    service = Workers(FakeContext(), 1, skip_nodes_allocation=True)
    service.allocate_nodes()
    service.start(clean=False, speed=9)
    service.stop(force=True)
    service.wait(10)


def test_waiting_for_nodes_that_were_never_started_returns() -> None:
    Workers(FakeContext(), 2).wait(5)


def test_stopping_says_which_workers_are_alive() -> None:
    context = FakeContext()
    service = Workers(context, 1)
    service.start()
    context.log.lines.clear()
    service.stop()
    assert context.log.of_level("DEBUG") == [
        f"{service.service_id}: called stop while these worker threads are alive: ['{service.service_id}-worker-1']",
        f"{service.service_id}: stop_node has to make them end, nothing else does",
    ]


def test_subclasses_may_keep_errors_of_their_own_even_before_the_constructor() -> None:
    class Counting(Workers):
        def __init__(self, context: Any) -> None:
            self.errors = ["mine"]
            super().__init__(context, 1)

    service = Counting(FakeContext())
    assert service.errors == ["mine"]
    assert service.error == ""
    service.error = "mine too"
    assert service.error == "mine too"


def test_a_subclass_may_replace_the_lock_by_one_that_is_not_reentrant() -> None:
    service = Workers(FakeContext(), 1)
    service.lock = threading.Lock()
    service.jobs = {1: ValueError("it broke")}
    service.start()
    with pytest.raises(Exception, match="it broke"):
        service.wait(10)


def test_the_lock_may_be_held_by_who_looks_at_errors() -> None:
    service = Workers(FakeContext(), 1)
    with service.lock, service.lock:
        assert service.errors == ""


def test_a_service_without_a_worker_says_what_to_write() -> None:
    service = BackgroundThreadService(FakeContext(), 1)
    service.start()
    with pytest.raises(Exception, match=r"BackgroundThreadService does not say what its threads do: define _worker"):
        service.wait(10)


def test_a_mix_in_behind_the_service_may_bring_the_worker() -> None:
    class Working:
        done: list[int]

        def _worker(self, idx: int, node: Any) -> None:
            self.done.append(idx)

    class Mixed(BackgroundThreadService, Working):
        done: list[int] = []

    service = Mixed(FakeContext(), 1)
    service.start()
    service.wait(10)
    assert service.done == [1]
