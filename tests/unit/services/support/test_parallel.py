# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextvars
import os
import signal
import threading
from collections.abc import Iterator

import pytest

from ducktape.services.support.parallel import run_on_nodes

setting: contextvars.ContextVar[str] = contextvars.ContextVar("setting", default="unset")


@pytest.fixture(autouse=True)
def interrupts_are_raised() -> Iterator[None]:
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


def note_nothing(node: object, error: BaseException) -> None:
    pytest.fail(f"{node}: {error!r}")


def test_threads_work_in_the_context_of_the_caller() -> None:
    token = setting.set("of the caller")
    try:
        results = run_on_nodes([1, 2], lambda node: setting.get(), note_nothing, side_by_side=True, try_all=False)
    finally:
        setting.reset(token)
    assert results == ["of the caller", "of the caller"]


def test_a_patient_caller_waits_for_its_threads_after_an_interrupt() -> None:
    go_on = threading.Event()
    done = []

    def work(node: int) -> None:
        if node == 1:
            os.kill(os.getpid(), signal.SIGINT)
            threading.Timer(0.1, go_on.set).start()
        assert go_on.wait(10)
        done.append(node)

    with pytest.raises(KeyboardInterrupt):
        run_on_nodes([1, 2, 3], work, note_nothing, side_by_side=True, try_all=True)
    assert sorted(done) == [1, 2, 3]


def test_an_impatient_caller_leaves_its_threads_at_an_interrupt() -> None:
    go_on = threading.Event()

    def work(node: int) -> None:
        if node == 2:
            os.kill(os.getpid(), signal.SIGINT)
        go_on.wait(10)

    with pytest.raises(KeyboardInterrupt):
        run_on_nodes([1, 2], work, note_nothing, side_by_side=True, try_all=False)
    assert not go_on.is_set()
    go_on.set()


def test_the_second_interrupt_ends_even_a_patient_caller() -> None:
    go_on = threading.Event()
    interrupted_again = threading.Event()

    def interrupt_again() -> None:
        interrupted_again.set()
        os.kill(os.getpid(), signal.SIGINT)

    def work(node: int) -> None:
        if node == 1:
            os.kill(os.getpid(), signal.SIGINT)
            threading.Timer(0.2, interrupt_again).start()
        go_on.wait(10)

    with pytest.raises(KeyboardInterrupt):
        run_on_nodes([1, 2], work, note_nothing, side_by_side=True, try_all=True)
    assert interrupted_again.is_set()
    go_on.set()


def test_one_node_needs_no_thread() -> None:
    threads = run_on_nodes([1], lambda _: threading.current_thread(), note_nothing, side_by_side=True, try_all=True)
    assert threads == [threading.current_thread()]


def test_no_nodes_are_no_work() -> None:
    assert run_on_nodes([], lambda _: 1, note_nothing, side_by_side=True, try_all=True) == []
