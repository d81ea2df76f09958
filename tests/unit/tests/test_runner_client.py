# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.finite_subcluster import FiniteSubcluster
from ducktape.cluster.localhost import LocalhostCluster
from ducktape.errors import InfrastructureError
from ducktape.services.service import Service
from ducktape.tests.driver.retries import Plan
from ducktape.tests.event import (
    Attempt,
    Attempted,
    Finished,
    Heartbeat,
    Log,
    Message,
    Outcome,
    Phase,
    Running,
    ServiceGone,
    ServiceNoted,
)
from ducktape.tests.loggermaker import close_logger
from ducktape.tests.result import TestResult
from ducktape.tests.runner_client import RunnerClient
from ducktape.tests.session import SessionContext
from ducktape.tests.status import FAIL, FLAKY, PASS, TestStatus
from ducktape.tests.test import Test
from ducktape.tests.test_context import TestContext
from ducktape.tests.worker.request import RunSettings

ATTEMPTS: list[int] = []


class Client:
    """A client in this very process, with the messages that it sent."""

    def __init__(
        self,
        cls: type[Test],
        directory: Path,
        *,
        num_nodes: int = 0,
        deflake_num: int = 1,
        plan: Plan | None = None,
        earlier: Sequence[Attempt] = (),
        fail_bad_cluster_utilization: bool = False,
        ignore: bool = False,
        injected_args: Any = None,
    ) -> None:
        ATTEMPTS.clear()
        self.messages: list[Message] = []
        self.context = TestContext(
            session_context=SessionContext(session_id="s", results_dir=str(directory)),
            module=f"m{directory.name}",
            file="/p/test_it.py",
            cls=cls,
            function=cls.test_it,  # type: ignore[attr-defined]
            cluster=FiniteSubcluster(LocalhostCluster(num_nodes=num_nodes)._available_nodes),
            ignore=ignore,
            injected_args=injected_args,
        )
        self.directory = directory / cls.__name__ / "test_it" / "5"
        self.client = RunnerClient(
            self.context,
            RunSettings(
                5,
                plan=plan or Plan(deflake=deflake_num),
                earlier=list(earlier),
                nodes=["a", "b"],
                fail_bad_cluster_utilization=fail_bad_cluster_utilization,
            ),
            self.messages.append,
        )

    def run(self) -> Outcome:
        self.client.run()
        last = self.messages[-1]
        assert isinstance(last, Finished)
        return last.outcome

    @property
    def lines(self) -> list[str]:
        """What went to the log of the session at INFO and above, without the common beginning."""
        prefix = f"RunnerClient: {self.context.test_name}: "
        logs = [message for message in self.messages if isinstance(message, Log) and message.level >= logging.INFO]
        return [log.message.removeprefix(prefix) for log in logs]

    def file(self, name: str) -> str:
        return (self.directory / name).read_text(encoding="utf-8")


class Good(Test):
    def test_it(self) -> Any:
        return {"x": 1}


class Bad(Test):
    def test_it(self) -> Any:
        raise ValueError("bad")


class PassingAt(Test):
    """Passes at the third attempt."""

    def test_it(self) -> Any:
        ATTEMPTS.append(1)
        if len(ATTEMPTS) < 3:
            raise AssertionError("flaky")
        return len(ATTEMPTS)


class WithService(Test):
    def test_it(self) -> Any:
        service: Any = Idle(self.test_context)
        service.error = "noticed"


class Idle(Service):
    def __init__(self, context: Any) -> None:
        super().__init__(context, num_nodes=1)

    def stop(self, **kwargs: Any) -> None: ...

    def clean(self, **kwargs: Any) -> None: ...


@pytest.fixture(autouse=True)
def no_open_log() -> Iterator[None]:
    yield
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("mtest_"):
            close_logger(logging.getLogger(name))


def test_messages_come_in_the_documented_order(tmp_path: Path) -> None:
    it = Client(Good, tmp_path)
    outcome = it.run()
    assert it.lines == [
        "RunnerClient: Loading test {'directory': '/p', 'file_name': 'test_it.py', 'cls_name': 'Good', "
        "'method_name': 'test_it', 'injected_args': None}",
        "on run 1/1",
        "Setting up...",
        "Running...",
        "Tearing down...",
        "PASS",
        "Data: {'x': 1}",
    ]
    kinds = [type(message) for message in it.messages if not isinstance(message, Heartbeat)]
    assert kinds.index(Running) == 1
    assert kinds[-1] is Finished
    assert it.messages[kinds.index(Running)] == Running(os.getpid()) or Running(os.getpid()) in it.messages
    assert (outcome.status, outcome.summary, outcome.data, outcome.reason) == ("pass", "Test Passed", {"x": 1}, None)
    assert outcome.start_time <= outcome.stop_time


def test_the_same_lines_are_in_the_log_of_the_test(tmp_path: Path) -> None:
    it = Client(Good, tmp_path)
    it.run()
    prefix = f"RunnerClient: {it.context.test_name}: "
    lines = [line.rpartition("]: ")[2] for line in it.file("test_log.info").splitlines()]
    assert [line.removeprefix(prefix) for line in lines] == it.lines
    assert "runner_client - log - lineno:" in it.file("test_log.info").splitlines()[1]


def test_a_failure_is_logged_with_its_summary(tmp_path: Path) -> None:
    it = Client(Bad, tmp_path)
    outcome = it.run()
    assert (outcome.status, outcome.reason) == ("fail", "error")
    assert outcome.summary.startswith("ValueError('bad')\nTraceback (most recent call last):\n")
    assert f"FAIL: {outcome.summary}" in it.lines
    assert it.lines[-1] == "Data: None"
    assert sorted(os.listdir(it.directory)) == ["test_log.debug", "test_log.info"]  # the driver writes the reports


def test_an_ignored_test_is_only_loaded(tmp_path: Path) -> None:
    it = Client(Bad, tmp_path, ignore=True, num_nodes=2)
    outcome = it.run()
    assert (outcome.status, outcome.summary, outcome.reason) == ("ignore", "", None)
    assert [line.partition(" {")[0] for line in it.lines] == ["RunnerClient: Loading test"]
    assert sorted(os.listdir(it.directory)) == ["test_log.debug", "test_log.info"]


def test_a_flaky_test_passes_at_a_later_attempt(tmp_path: Path) -> None:
    it = Client(PassingAt, tmp_path, deflake_num=5)
    outcome = it.run()
    assert (outcome.status, outcome.data, outcome.reason) == ("flaky", 3, None)
    assert [line for line in it.lines if line.startswith("on run")] == ["on run 1/5", "on run 2/5", "on run 3/5"]
    assert "FLAKY" in it.lines
    lines = outcome.summary.split("\n")
    assert lines[:3] == ["runs 1, 2 summary:", "AssertionError('flaky')", "Traceback (most recent call last):"]
    assert lines[-2] == "~" * max(len(line) for line in lines[:-2])
    assert lines[-1] == "run 3: PASSED"


def test_a_test_that_keeps_failing_is_tried_as_often_as_asked(tmp_path: Path) -> None:
    it = Client(PassingAt, tmp_path, deflake_num=2)
    outcome = it.run()
    assert (outcome.status, outcome.reason) == ("fail", "assertion")
    assert outcome.summary.startswith("runs 1, 2 summary:\nAssertionError('flaky')\n")
    assert "PASSED" not in outcome.summary


def test_a_passing_test_is_not_repeated(tmp_path: Path) -> None:
    it = Client(Good, tmp_path, deflake_num=4)
    assert (it.run().status, it.lines.count("on run 1/4"), it.lines.count("on run 2/4")) == ("pass", 1, 0)


def test_nothing_is_tried_again_after_an_interrupt(tmp_path: Path) -> None:
    it = Client(Bad, tmp_path, deflake_num=4)
    it.client.on_sigint()
    outcome = it.run()
    assert (outcome.status, outcome.reason) == ("fail", "interrupted")
    assert [line for line in it.lines if line.startswith("on run")] == ["on run 1/4"]


def test_services_of_all_attempts_are_listed(tmp_path: Path) -> None:
    class Failing(Test):
        def test_it(self) -> Any:
            Idle(self.test_context)
            raise ValueError

    outcome = Client(Failing, tmp_path, num_nodes=1, deflake_num=2).run()
    ids = [str(service["service_id"]).split("-")[:3] for service in outcome.services]
    assert ids == [["1", "Idle", "0"], ["2", "Idle", "0"]]


def test_errors_of_services_follow_the_summary_of_a_passing_test(tmp_path: Path) -> None:
    outcome = Client(WithService, tmp_path, num_nodes=1).run()
    assert outcome.status == "pass"
    assert outcome.summary == f"\n\n{outcome.services[0]['service_id']}: noticed"


# --- nodes


def test_unused_nodes_are_only_told(tmp_path: Path) -> None:
    it = Client(Good, tmp_path, num_nodes=3)
    outcome = it.run()
    assert (outcome.status, outcome.nodes_used) == ("pass", 0)
    assert Log(logging.WARNING, f"RunnerClient: {it.context.test_name}: Test requested 3 nodes, used only 0") in (
        it.messages
    )


def test_unused_nodes_can_fail_a_passing_test(tmp_path: Path) -> None:
    it = Client(Good, tmp_path, num_nodes=3, fail_bad_cluster_utilization=True)
    outcome = it.run()
    assert (outcome.status, outcome.summary) == ("fail", "Test requested 3 nodes, used only 0")
    assert outcome.reason is not None
    assert "FAIL: Test requested 3 nodes, used only 0" in it.lines


def test_unused_nodes_can_fail_a_flaky_test(tmp_path: Path) -> None:
    it = Client(PassingAt, tmp_path, num_nodes=1, deflake_num=3, fail_bad_cluster_utilization=True)
    outcome = it.run()
    assert outcome.status == "fail"
    assert outcome.summary.split("\n")[-2:] == ["run 3: PASSED", "Test requested 1 nodes, used only 0"]


def test_unused_nodes_are_added_to_another_failure(tmp_path: Path) -> None:
    it = Client(Bad, tmp_path, num_nodes=3, fail_bad_cluster_utilization=True)
    outcome = it.run()
    assert outcome.summary.startswith("ValueError('bad')")
    assert outcome.summary.endswith("\nTest requested 3 nodes, used only 0")
    assert "FAIL: Test requested 3 nodes, used only 0" not in it.lines
    assert outcome.reason == "error"


def test_a_test_that_used_all_its_nodes_is_left_alone(tmp_path: Path) -> None:
    it = Client(WithService, tmp_path, num_nodes=1, fail_bad_cluster_utilization=True)
    outcome = it.run()
    assert (outcome.status, outcome.nodes_used) == ("pass", 1)


# --- summaries


def summarised(runs: list[list[str]], status: TestStatus, directory: Path, deflake_num: int) -> list[str]:
    return Client(Good, directory, deflake_num=deflake_num).client.process_run_summaries(runs, status)


def test_no_failure_has_the_summary_of_a_passed_test(tmp_path: Path) -> None:
    assert summarised([], PASS, tmp_path, 1) == ["Test Passed"]
    assert summarised([], PASS, tmp_path, 3) == ["Test Passed"]


def test_a_single_attempt_is_summarised_as_it_is(tmp_path: Path) -> None:
    assert summarised([["a", "b"]], FAIL, tmp_path, 1) == ["a", "b"]


def test_equal_attempts_share_a_paragraph_in_the_order_of_the_first(tmp_path: Path) -> None:
    runs = [["error a", "x"], ["a much longer line than the others"], ["error a", "x"]]
    assert summarised(runs, FAIL, tmp_path, 3) == [
        "runs 1, 3 summary:",
        "error a",
        "x",
        "~" * len("runs 1, 3 summary:"),
        "run 2 summary:",
        "a much longer line than the others",
    ]
    assert summarised(runs, FLAKY, tmp_path, 4)[-2:] == [
        "~" * len("a much longer line than the others"),
        "run 4: PASSED",
    ]


# --- the rest


def test_a_line_of_the_test_itself_is_a_sign_of_life_at_most_once_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = Client(Good, tmp_path)
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    for _ in range(3):
        it.context.logger.debug("alive")
    assert it.messages == [Heartbeat("alive")]
    now[0] += 1.5
    it.context.logger.debug("alive")
    assert it.messages == [Heartbeat("alive"), Heartbeat("alive")]


def test_the_context_is_closed_at_the_end(tmp_path: Path) -> None:
    it = Client(Good, tmp_path)
    scratch = it.context.local_scratch_dir
    it.run()
    assert not os.path.exists(scratch)
    assert it.context.logger.handlers == []


def test_an_outcome_becomes_a_result_of_its_test(tmp_path: Path) -> None:
    it = Client(Good, tmp_path, injected_args={"a": 1})
    outcome = Outcome("fail", "why", [1], 10.0, 12.5, 2, [{"service_id": "x"}], "crash")
    result = TestResult.from_outcome(it.context, 7, outcome, nodes_allocated=3)
    assert (result.test_status, result.summary, result.data, result.reason) == (FAIL, "why", [1], "crash")
    assert (result.run_time_seconds, result.nodes_used, result.nodes_allocated) == (2.5, 2, 3)
    assert (result.services, result.test_index) == ([{"service_id": "x"}], 7)
    assert result.relative_results_dir == "Good/test_it/a=1/7/"


# --- attempts


def earlier(number: int, reason: str) -> Attempt:
    summary, directory = f"{reason} before", f"attempt-{number}"
    return Attempt("fail", summary, None, 1.0, 2.0, 0, [], reason, number=number, nodes=["z"], directory=directory)


def records(it: Client) -> list[Attempt]:
    return [message.attempt for message in it.messages if isinstance(message, Attempted)]


def test_every_attempt_is_reported_when_it_is_over(tmp_path: Path) -> None:
    it = Client(PassingAt, tmp_path, deflake_num=3)
    it.run()
    assert [(each.number, each.status, each.reason, each.directory, each.nodes) for each in records(it)] == [
        (1, "fail", "assertion", "attempt-1", ["a", "b"]),
        (2, "fail", "assertion", "attempt-2", ["a", "b"]),
        (3, "pass", None, "attempt-3", ["a", "b"]),
    ]
    assert [message.attempt for message in it.messages if isinstance(message, Phase) and message.name == "test"] == [
        *(1, 2, 3)
    ]


def test_a_single_attempt_logs_where_the_test_does(tmp_path: Path) -> None:
    it = Client(Good, tmp_path)
    assert it.run().attempts == []
    [record] = records(it)
    assert (record.number, record.directory) == (1, "")
    assert not (it.directory / "attempt-1").exists()


def test_each_of_several_attempts_has_a_log_beside_that_of_the_test(tmp_path: Path) -> None:
    it = Client(PassingAt, tmp_path, deflake_num=3)
    it.run()
    assert [("on run 2/3" in it.file(f"attempt-{number}/test_log.info")) for number in (1, 2, 3)] == [
        False,
        True,
        False,
    ]
    assert it.file("test_log.info").count("on run ") == 3


def test_attempts_of_other_processes_count(tmp_path: Path) -> None:
    it = Client(Good, tmp_path, deflake_num=3, earlier=[earlier(1, "crash")])
    outcome = it.run()
    assert outcome.status == "flaky"
    assert outcome.summary.split("\n") == ["run 1 summary:", "crash before", "~" * 14, "run 2: PASSED"]
    assert [attempt["number"] for attempt in outcome.attempts] == [1, 2]
    assert it.lines.count("on run 2/3") == 1
    assert "FLAKY" in it.lines


def test_a_pass_after_the_infrastructure_failed_is_a_pass(tmp_path: Path) -> None:
    it = Client(Good, tmp_path, plan=Plan(retry_infrastructure=2), earlier=[earlier(1, "infrastructure")])
    outcome = it.run()
    assert (outcome.status, outcome.summary, len(outcome.attempts)) == ("pass", "Test Passed", 2)
    assert it.lines.count("on run 2/2") == 1
    assert "PASS" in it.lines and "FLAKY" not in it.lines


def test_another_attempt_because_of_the_infrastructure_is_left_to_the_driver(tmp_path: Path) -> None:
    class Poor(Test):
        def test_it(self) -> Any:
            raise InfrastructureError("no disk")

    it = Client(Poor, tmp_path, plan=Plan(retry_infrastructure=2))
    outcome = it.run()
    assert (outcome.status, outcome.reason, len(records(it))) == ("fail", "infrastructure", 1)


def test_a_test_is_run_so_many_times_to_see_how_often_it_passes(tmp_path: Path) -> None:
    it = Client(PassingAt, tmp_path, plan=Plan(detect_flakes=4))
    outcome = it.run()
    assert (outcome.status, outcome.runs) == ("flaky", {"passed": 2, "failed": 2})
    assert [line for line in it.lines if line.startswith("on run")][-1] == "on run 4/4"
    assert "FLAKY" not in it.lines


def test_services_are_noted_until_they_are_gone(tmp_path: Path) -> None:
    it = Client(WithService, tmp_path, num_nodes=1)
    [service] = it.run().services
    noted = [message.record["service_id"] for message in it.messages if isinstance(message, ServiceNoted)]
    gone = [message.service_id for message in it.messages if isinstance(message, ServiceGone)]
    assert set(noted) == {service["service_id"]}
    assert gone == [service["service_id"]]
