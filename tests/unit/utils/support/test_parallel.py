# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextvars
import os
import signal
import threading
from collections.abc import Iterator

import pytest

from ducktape.utils.support.parallel import run_each, run_parallel

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
        results = run_each([1, 2], lambda node: setting.get(), note_nothing, parallel=True, try_all=False)
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
        run_each([1, 2, 3], work, note_nothing, parallel=True, try_all=True)
    assert sorted(done) == [1, 2, 3]


def test_an_impatient_caller_leaves_its_threads_at_an_interrupt() -> None:
    go_on = threading.Event()

    def work(node: int) -> None:
        if node == 2:
            os.kill(os.getpid(), signal.SIGINT)
        go_on.wait(10)

    with pytest.raises(KeyboardInterrupt):
        run_each([1, 2], work, note_nothing, parallel=True, try_all=False)
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
        run_each([1, 2], work, note_nothing, parallel=True, try_all=True)
    assert interrupted_again.is_set()
    go_on.set()


def test_one_node_needs_no_thread() -> None:
    threads = run_each([1], lambda _: threading.current_thread(), note_nothing, parallel=True, try_all=True)
    assert threads == [threading.current_thread()]


def test_no_nodes_are_no_work() -> None:
    assert run_each([], lambda _: 1, note_nothing, parallel=True, try_all=True) == []


def test_attempts_keep_the_order_of_the_items_and_their_errors() -> None:
    def work(item: int) -> int:
        if item == 2:
            raise ValueError(item)
        return item * 10

    attempts = run_parallel([1, 2, 3], work, at_once=2)
    assert [(attempt.item, attempt.result, repr(attempt.error)) for attempt in attempts] == [
        (1, 10, "None"),
        (2, None, "ValueError(2)"),
        (3, 30, "None"),
    ]
    assert all(attempt.done for attempt in attempts)


def test_no_more_calls_run_in_parallel_than_allowed() -> None:
    both_run = threading.Barrier(2, timeout=10)
    running = []

    def work(item: int) -> int:
        running.append(item)
        both_run.wait()
        seen = len(running)
        both_run.wait()
        running.remove(item)
        both_run.wait()
        return seen

    assert [attempt.result for attempt in run_parallel([1, 2, 3, 4], work, at_once=2)] == [2, 2, 2, 2]


def test_after_the_timeout_no_more_calls_start() -> None:
    go_on = threading.Event()
    started = []

    def work(item: int) -> None:
        started.append(item)
        go_on.wait(10)

    attempts = run_parallel([1, 2], work, at_once=1, timeout=0.1)
    assert [attempt.done for attempt in attempts] == [False, False]
    go_on.set()
    assert started == [1]


def test_an_interrupt_of_the_only_call_is_raised() -> None:
    def work(item: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_parallel([1], work)
