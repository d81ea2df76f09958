# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from ducktape.tests.driver import recorder
from ducktape.tests.driver.recorder import InterimReports
from ducktape.tests.result import TestResults
from tests.unit.tests.reports.samples import result, session


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


class Writer:
    """Notes how many results there were at each report, and takes its time."""

    def __init__(self, clock: Clock, seconds: float = 0) -> None:
        self.clock = clock
        self.seconds = seconds
        self.lengths: list[int] = []

    def __call__(self, results: TestResults) -> None:
        self.clock.now += self.seconds
        self.lengths.append(len(results))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(recorder, "time", clock)
    return clock


@pytest.fixture
def results() -> TestResults:
    return TestResults(session())


def test_a_short_run_writes_none(clock: Clock, results: TestResults) -> None:
    writer = Writer(clock)
    reports = InterimReports(writer)
    results.append(result())
    clock.now += 2.9
    reports.write(results)
    assert writer.lengths == []


def test_a_longer_run_writes_what_there_is(clock: Clock, results: TestResults) -> None:
    writer = Writer(clock)
    reports = InterimReports(writer)
    results.append(result())
    results.append(result(index=2))
    clock.now += 3.1
    reports.write(results)
    assert writer.lengths == [2]


def test_nothing_new_is_not_written(clock: Clock, results: TestResults) -> None:
    writer = Writer(clock)
    reports = InterimReports(writer)
    clock.now += 50
    reports.write(results)
    results.append(result())
    reports.write(results)
    clock.now += 500
    reports.write(results)
    assert writer.lengths == [1]


def test_every_result_is_written_where_that_is_cheap(clock: Clock, results: TestResults) -> None:
    writer = Writer(clock)
    reports = InterimReports(writer)
    for index in range(1, 6):
        clock.now += 11
        results.append(result(index=index))
        reports.write(results)
    assert writer.lengths == [1, 2, 3, 4, 5]


def test_slow_reports_take_a_twentieth_of_the_time_at_most(clock: Clock, results: TestResults) -> None:
    writer = Writer(clock, seconds=0.5)
    reports = InterimReports(writer)
    start = clock.now
    for index in range(1, 500):
        clock.now += 0.1
        results.append(result(index=index))
        reports.write(results)
        took = len(writer.lengths) * 0.5
        # The first one is written anyway; half of it is loading what the end needs, too
        assert took <= max(0.5, 0.05 * (clock.now - start))
    assert len(writer.lengths) >= 3


def test_no_reports_are_wanted(clock: Clock, results: TestResults) -> None:
    reports = InterimReports(None)
    results.append(result())
    clock.now += 500
    reports.write(results)
