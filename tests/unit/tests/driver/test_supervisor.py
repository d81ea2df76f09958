# SPDX-License-Identifier: Apache-2.0
"""The driver's children are real processes here, and the driver is this one."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.finite_subcluster import FiniteSubcluster
from ducktape.cluster.localhost import LocalhostCluster
from ducktape.services.service import Service
from ducktape.tests.driver.deadlines import Limits
from ducktape.tests.driver.failure_cause import Cause
from ducktape.tests.driver.holders import Holders
from ducktape.tests.driver.job import Job, State, TestKey
from ducktape.tests.driver.recorder import ClientStatus, Recorder
from ducktape.tests.driver.retries import Plan
from ducktape.tests.driver.supervisor import Supervisor
from ducktape.tests.driver.worker import START_METHOD_VARIABLE
from ducktape.tests.event import CleanedUp, Outcome
from ducktape.tests.loggermaker import close_logger
from ducktape.tests.result import TestResults
from ducktape.tests.session import SessionContext
from ducktape.tests.test import Test
from ducktape.tests.test_context import TestContext
from ducktape.tests.worker.crash_cleanup import CrashCleanUp
from ducktape.tests.worker.request import RunSettings, TestRequest

pytestmark = pytest.mark.needs("linux")


class Idle(Service):
    def start_node(self, node: Any, **kwargs: Any) -> None: ...

    def stop_node(self, node: Any, **kwargs: Any) -> None:
        if os.environ.get("CLEANERS_DIE"):
            os._exit(9)

    def clean_node(self, node: Any, **kwargs: Any) -> None: ...


class Sample(Test):
    def test_passes(self) -> Any:
        return {"x": 1}

    def test_dies(self) -> Any:
        os._exit(3)

    def test_waits(self) -> Any:
        time.sleep(1000)

    def test_dies_with_a_service(self) -> Any:
        Idle(self.test_context, 1).start()
        os.environ["CLEANERS_DIE"] = "never"
        os._exit(3)


class Driver:
    """Starts one test, and hears what becomes of it."""

    def __init__(self, folder: Path) -> None:
        self.session = SessionContext(session_id="s", results_dir=str(folder))
        self.clients: dict[TestKey, ClientStatus] = {}
        self.lines: list[tuple[int, str]] = []
        self.concluded: list[tuple[TestKey, Outcome, dict[str, str]]] = []
        self.requeued: list[TestKey] = []
        self.retry = False
        recorder = Recorder(TestResults(self.session, None, client_status=self.clients), self.clients, None, print)
        self.supervisor = Supervisor(
            lambda level, line: self.lines.append((level, line)),
            recorder,
            conclude=self._conclude,
            requeued=lambda: self.requeued.extend(job.known_key for job in self.supervisor.jobs_in(State.QUEUED)),
            finish_join_timeout=10,
            no_teardown=False,
            holders=Holders(LocalhostCluster(), self.session, lambda level, line: self.lines.append((level, line))),
        )

    def _conclude(self, job: Job, dirty: dict[str, str]) -> None:
        assert job.outcome is not None
        self.concluded.append((job.known_key, job.outcome, dirty))
        job.state = State.RETRYING if self.retry else State.DONE

    def start(self, name: str, *, limits: Limits | None = None, plan: Plan | None = None) -> Job:
        context = TestContext(
            session_context=self.session,
            module="mchildren",
            file=__file__,
            cls=Sample,
            function=getattr(Sample, name),
        )
        nodes = LocalhostCluster(num_nodes=1)
        lent = nodes.alloc(nodes.all())
        settings = RunSettings(1, plan=plan or Plan(), nodes=["a"], mark=f"mark-{os.getpid()}", driver_pid=os.getpid())
        request = TestRequest(context, FiniteSubcluster(lent), settings)
        job = Job(context)
        self.supervisor.start(job, TestKey(context.test_id, 1), request, lent, limits or Limits())
        return job

    @property
    def phase(self) -> list[str]:
        return [worker.watch.phase for worker in self.supervisor.workers()]

    def go_on(self, until: Callable[[], bool], seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < deadline, self.lines
            self.supervisor.wait([], time.monotonic() + 1)
            self.supervisor.handle_events()
            self.supervisor.enforce_deadlines()

    def to_the_end(self) -> Outcome:
        self.go_on(lambda: not self.supervisor.workers() and not self.supervisor.busy)
        [(_, outcome, _)] = self.concluded
        return outcome

    def said(self, level: int) -> str:
        return "\n".join(line for of, line in self.lines if of >= level)


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    monkeypatch.setenv(START_METHOD_VARIABLE, "fork")
    driver = Driver(tmp_path)
    yield driver
    driver.supervisor.kill()
    for worker in driver.supervisor.workers():
        worker.process.join(10)
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("mchildren"):
            close_logger(logging.getLogger(name))


def test_a_test_is_concluded_once_and_forgotten_when_its_process_is_gone(driver: Driver) -> None:
    job = driver.start("test_passes")
    key = TestKey(job.context.test_id, 1)
    assert (driver.supervisor.busy, driver.supervisor.jobs) == (1, {key: job})
    outcome = driver.to_the_end()
    assert (outcome.status, outcome.data, outcome.reason) == ("pass", {"x": 1}, None)
    assert ([each for each, _, _ in driver.concluded], driver.supervisor.jobs) == ([key], {})
    assert (driver.clients[key].status, driver.clients[key].exitcode) == ("FINISHED", 0)
    assert [record.number for record in job.attempts] == [1]


def test_a_test_that_runs_once_more_waits_until_its_process_is_gone(driver: Driver) -> None:
    driver.retry = True
    job = driver.start("test_dies")
    driver.go_on(lambda: job.state is State.QUEUED)
    assert (driver.supervisor.workers(), driver.supervisor.busy) == ([], 0)
    assert (driver.supervisor.jobs, driver.requeued) == ({job.known_key: job}, [job.known_key])


def test_a_test_that_dies_has_the_record_of_the_attempt_that_it_died_in(driver: Driver) -> None:
    job = driver.start("test_dies", plan=Plan(deflake=3))
    outcome = driver.to_the_end()
    assert (outcome.status, outcome.reason) == ("fail", "crash")
    [record] = job.attempts
    assert (record.number, record.reason, record.nodes, record.directory) == (1, "crash", ["localhost0"], "attempt-1")
    assert record.summary == "Test process exited with code 3 before reporting a result"
    assert record.start_time <= record.stop_time
    assert driver.supervisor.jobs == {}
    assert driver.clients[job.known_key].status == "TERMINATED"


def test_a_test_that_is_told_to_end_fails_for_the_reason_that_it_was_told(driver: Driver) -> None:
    driver.start("test_waits")
    driver.go_on(lambda: driver.phase == ["test"])
    driver.supervisor.terminate(Cause("Test aborted: enough", "interrupted"))
    outcome = driver.to_the_end()
    assert (outcome.status, outcome.reason) == ("fail", "interrupted")
    assert outcome.summary.startswith("Test aborted: enough\n\nKeyboardInterrupt()")


def test_all_tests_are_killed_at_once(driver: Driver) -> None:
    job = driver.start("test_waits")
    driver.go_on(lambda: driver.phase == ["test"])
    driver.supervisor.kill()
    outcome = driver.to_the_end()
    assert (outcome.reason, outcome.summary) == ("interrupted", "Test aborted: KeyboardInterrupt")
    assert job.worker is not None
    assert job.worker.exit_code == -signal.SIGKILL


def test_a_test_whose_time_is_over_is_told_so_with_its_stacks(driver: Driver) -> None:
    driver.start("test_waits", limits=Limits(test=0.2))
    outcome = driver.to_the_end()
    assert outcome.reason == "timeout"
    first, *rest = outcome.summary.split("\n")
    assert first == "Test aborted: TimeoutError: its test took longer than 0.2 seconds (on localhost0)"
    assert any("in test_waits" in line for line in rest)
    assert first in driver.said(logging.ERROR)


def test_the_services_of_a_dead_test_are_seen_to_before_it_is_concluded(driver: Driver) -> None:
    job = driver.start("test_dies_with_a_service")
    driver.go_on(lambda: job.state is State.CLEANING)
    assert (driver.concluded, driver.supervisor.busy) == ([], 1)
    outcome = driver.to_the_end()
    [(_, _, dirty)] = driver.concluded
    assert (outcome.reason, dirty, outcome.teardown_errors) == ("crash", {}, [])
    assert [service["cls_name"] for service in outcome.services] == ["Idle"]
    assert driver.supervisor.jobs == {}


def test_nodes_are_dirty_when_nobody_could_clean_them(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEANERS_DIE", "yes")
    monkeypatch.setattr(Sample, "test_dies_with_a_service", _start_and_die)
    job = driver.start("test_dies_with_a_service")
    outcome = driver.to_the_end()
    [(_, _, dirty)] = driver.concluded
    why = f"cleaning up after {job.context.test_id} failed: Test process exited with code 9"
    assert dirty == {"localhost0": f"{why} before reporting a result"}
    assert (outcome.reason, outcome.teardown_errors) == ("crash", [f"{why} before reporting a result"])


def _start_and_die(self: Any) -> None:
    Idle(self.test_context, 1)
    os._exit(3)


_start_and_die.__name__ = "test_dies_with_a_service"


def test_nonsense_of_a_cleaner_loses_no_test(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that cleans up and reports something else is as good as dead."""
    monkeypatch.setattr(CrashCleanUp, "run", lambda self, **_: CleanedUp(dirty={"a": 1}))  # type: ignore[dict-item]
    driver.start("test_dies_with_a_service")
    outcome = driver.to_the_end()
    [(_, _, dirty)] = driver.concluded
    assert outcome.reason == "crash"
    assert list(dirty) == ["localhost0"]
    assert "not a message of a test" in outcome.teardown_errors[0]
