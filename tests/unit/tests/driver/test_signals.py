# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ducktape.tests.driver.signals import StopRequests

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers_as_before() -> Iterator[None]:
    before = {sig: signal.getsignal(sig) for sig in SIGNALS}
    yield
    for sig, handler in before.items():
        signal.signal(sig, handler)


def readable(requests: StopRequests) -> bool:
    return bool(select.select([requests.fileno()], [], [], 0)[0])


def test_interrupts_are_counted_and_raise_nothing() -> None:
    with StopRequests() as requests:
        assert requests.interrupts == 0
        signal.raise_signal(signal.SIGINT)
        assert requests.interrupts == 1
        signal.raise_signal(signal.SIGINT)
        assert requests.interrupts == 2
        assert requests.terminated is None
        # One more ends even a driver that is stuck
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_end_is_remembered_by_its_name(sig: signal.Signals) -> None:
    with StopRequests() as requests:
        signal.raise_signal(sig)
        assert requests.terminated is sig
        assert requests.interrupts == 0


@pytest.mark.parametrize("sig", SIGNALS)
def test_a_signal_makes_the_descriptor_readable_until_it_is_cleared(sig: signal.Signals) -> None:
    with StopRequests() as requests:
        assert not readable(requests)
        requests.clear()
        signal.raise_signal(sig)
        assert readable(requests)
        requests.clear()
        assert not readable(requests)


def test_a_flood_of_signals_does_no_harm() -> None:
    with StopRequests() as requests:
        for _ in range(70_000):
            signal.raise_signal(signal.SIGTERM)
        assert requests.terminated is signal.SIGTERM
        requests.clear()
        assert not readable(requests)


def test_the_handlers_before_are_back_afterwards() -> None:
    def own(_signum: int, _frame: Any) -> None:
        raise AssertionError

    for sig in SIGNALS:
        signal.signal(sig, own)
    with StopRequests():
        assert all(signal.getsignal(sig) is not own for sig in SIGNALS)
    assert [signal.getsignal(sig) for sig in SIGNALS] == [own, own, own]


def test_the_wakeup_descriptor_before_is_back_afterwards() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    previous = signal.set_wakeup_fd(writer)
    try:
        with StopRequests():
            pass
        assert signal.set_wakeup_fd(previous) == writer
    finally:
        signal.set_wakeup_fd(previous)
        os.close(reader)
        os.close(writer)


def test_everything_is_undone_after_an_exception_too() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ZeroDivisionError), StopRequests() as requests:
        descriptor = requests.fileno()
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGTERM) is before
    with pytest.raises(OSError):
        os.fstat(descriptor)


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_the_user_had_ignored_stays_ignored(sig: signal.Signals) -> None:
    signal.signal(sig, signal.SIG_IGN)
    with StopRequests() as requests:
        signal.raise_signal(sig)
        assert requests.terminated is None


def test_in_another_thread_nothing_changes() -> None:
    before = [signal.getsignal(sig) for sig in SIGNALS]
    seen: list[Any] = []

    def use() -> None:
        with StopRequests() as requests:
            seen.append([signal.getsignal(sig) for sig in SIGNALS])
            seen.append(readable(requests))
            requests.clear()

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert seen == [before, False]


def test_a_debugger_gets_the_interrupts() -> None:
    with StopRequests() as requests, subprocess.Popen(["sleep", "60"]) as debugged:
        requests.debugged = debugged.pid
        signal.raise_signal(signal.SIGINT)
        assert debugged.wait() == -signal.SIGINT
        signal.raise_signal(signal.SIGINT)  # it is gone
        assert requests.interrupts == 0
        requests.debugged = 0
        signal.raise_signal(signal.SIGINT)
        assert requests.interrupts == 1
