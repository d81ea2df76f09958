# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.cluster import UnhealthyNode
from ducktape.tests.driver.job import TestKey
from ducktape.tests.driver.recorder import ClientStatus, Recorder, write_missing_files
from ducktape.tests.event import Attempt, Outcome
from ducktape.tests.recording.journal import Journal
from ducktape.tests.result import TestResult, TestResults
from ducktape.tests.session import SessionContext
from ducktape.tests.status import FAIL, PASS
from ducktape.tests.test_context import TestContext

KEY = TestKey("m.C.test_it", 3)
PASSED = Outcome("pass", "Test Passed", {"x": 1}, 10.0, 12.0, 1, [])


class FullJournal(Journal):
    """A journal on a disk that is full until it is said to have room."""

    full = True

    def flush(self) -> None:
        self._trouble = OSError(errno.ENOSPC, "No space left on device") if self.full else None

    @property
    def trouble(self) -> OSError | None:
        return self._trouble


class Kept:
    """A recorder with what it wrote and said."""

    def __init__(self, folder: Path, journal: type[Journal] | None = Journal) -> None:
        self.folder = folder
        self.session = SessionContext(session_id="s", results_dir=str(folder))
        self.clients: dict[TestKey, ClientStatus] = {}
        self.results = TestResults(self.session, None, client_status=self.clients)
        self.complaints: list[str] = []
        self.journal = None if journal is None else journal(str(folder))
        self.recorder = Recorder(self.results, self.clients, self.journal, self.complaints.append)
        self.context = TestContext(session_context=self.session, module="m", file="/p/test_it.py")

    def started(self) -> None:
        self.recorder.started(KEY, 2, ClientStatus("RUNNING", 17, "Process-3", 9.5), ["a", "b"])

    @property
    def events(self) -> list[dict[str, Any]]:
        text = (self.folder / "journal.jsonl").read_text()
        events = [json.loads(line) for line in text.splitlines()]
        return [{name: value for name, value in event.items() if name != "time"} for event in events]


def test_a_test_that_starts_is_written_down_at_once(tmp_path: Path) -> None:
    it = Kept(tmp_path)
    it.started()
    assert it.events == [
        {"event": "nodes_given", "test_index": 3, "nodes": ["a", "b"]},
        {
            "event": "started",
            "test_id": "m.C.test_it",
            "test_index": 3,
            "attempt": 2,
            "pid": 17,
            "process": "Process-3",
            "start_time": 9.5,
        },
    ]
    assert it.clients[KEY].to_json() == {"status": "RUNNING", "pid": 17, "name": "Process-3", "runner_start_time": 9.5}


def test_any_error_of_a_report_costs_that_report_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def report(self: TestResult) -> None:
        raise MemoryError("too large")

    monkeypatch.setattr(TestResult, "report", report)
    it = Kept(tmp_path)
    it.recorder.finished(it.context, KEY, PASSED, nodes_allocated=1)
    assert [result.test_status for result in it.results] == [PASS]
    [complaint] = it.complaints
    assert complaint.startswith("Error writing the report of ")
    assert complaint.endswith(": MemoryError('too large')")


def test_what_becomes_of_a_process_is_kept_and_written(tmp_path: Path) -> None:
    it = Kept(tmp_path)
    it.started()
    it.recorder.process_is(KEY, status="TERMINATED", exitcode=-9)
    it.recorder.write("probe", flush=True)
    expected = {
        "status": "TERMINATED",
        "pid": 17,
        "name": "Process-3",
        "runner_start_time": 9.5,
        "exitcode": -9,
    }
    assert it.clients[KEY].to_json() == expected
    assert it.events[-2] == {"event": "process", "test_id": "m.C.test_it", "test_index": 3, "status": expected}


def test_phases_attempts_and_nodes_are_in_the_journal(tmp_path: Path) -> None:
    it = Kept(tmp_path)
    services: list[dict[str, object]] = [{"service_id": "S"}]
    record = Attempt(
        *("fail", "it died", None, 1.0, 2.0, 1, services, "crash"),
        number=1,
        nodes=["a"],
        directory="attempt-1",
    )
    it.recorder.phase(KEY, 1, "teardown", 11.5)
    it.recorder.attempt(KEY, record)
    it.recorder.nodes_returned(KEY)
    it.recorder.write("probe", flush=True)
    assert it.events[:-1] == [
        {"event": "phase", "test_index": 3, "attempt": 1, "phase": "teardown", "since": 11.5},
        {
            "event": "attempt",
            "test_index": 3,
            "record": {name: value for name, value in record.to_json().items() if name != "nodes"},
        },
        {"event": "nodes_returned", "test_index": 3},
    ]


def test_a_result_is_kept_written_down_and_has_its_files(tmp_path: Path) -> None:
    it = Kept(tmp_path)
    result = it.recorder.finished(it.context, KEY, PASSED, nodes_allocated=2)
    assert (result.test_status, result.data, result.nodes_allocated, result.test_index) == (PASS, {"x": 1}, 2, 3)
    assert list(it.results) == [result]
    [event] = it.events
    assert (event["event"], event["test_index"], event["result"]) == ("finished", 3, result.to_record())
    assert json.loads((tmp_path / "3" / "report.json").read_text()) == result.to_json()


def test_a_file_that_a_test_put_in_the_place_of_its_report_is_replaced(tmp_path: Path) -> None:
    it = Kept(tmp_path)
    (tmp_path / "3").mkdir()
    (tmp_path / "3" / "report.json").write_text("its own")
    result = it.recorder.finished(it.context, KEY, PASSED, nodes_allocated=2)
    assert json.loads((tmp_path / "3" / "report.json").read_text()) == result.to_json()
    assert sorted(os.listdir(tmp_path / "3")) == ["data.json", "report.json", "report.txt"]


def test_files_that_could_not_be_written_are_written_when_there_is_room(tmp_path: Path) -> None:
    it = Kept(tmp_path)
    (tmp_path / "3").write_text("in the way")
    it.recorder.finished(it.context, KEY, PASSED, nodes_allocated=2)
    assert not write_missing_files(it.results)
    (tmp_path / "3").unlink()
    assert write_missing_files(it.results)
    assert (tmp_path / "3" / "report.json").is_file()


def test_a_result_whose_files_cannot_be_written_is_kept(tmp_path: Path) -> None:
    it = Kept(tmp_path)
    (tmp_path / "3").write_text("in the way")
    outcome = Outcome("fail", "why", None, 10.0, 12.0, 1, [], "crash")
    result = it.recorder.finished(it.context, KEY, outcome, nodes_allocated=0)
    assert [each.test_status for each in it.results] == [FAIL]
    assert it.events[-1]["result"] == result.to_record()
    assert len(it.complaints) == 1
    assert it.complaints[0].startswith(f"Error writing the report of {result.test_id}: ")


def test_a_full_disk_is_told_once_and_costs_no_result(tmp_path: Path) -> None:
    it = Kept(tmp_path, FullJournal)
    for index in (1, 2, 3):
        it.recorder.finished(it.context, TestKey("m", index), PASSED, nodes_allocated=0)
    assert [result.test_index for result in it.results] == [1, 2, 3]
    [complaint] = it.complaints
    assert "No space left on device" in complaint
    assert "its results are kept in memory" in complaint


def test_without_a_journal_results_are_kept(tmp_path: Path) -> None:
    it = Kept(tmp_path, None)
    it.started()
    it.recorder.process_is(KEY, status="FINISHED")
    it.recorder.finished(it.context, KEY, PASSED, nodes_allocated=0)
    assert (len(it.results), it.clients[KEY].status, it.complaints) == (1, "FINISHED", [])
    assert not (tmp_path / "journal.jsonl").exists()


def test_tests_that_did_not_run_are_in_results_and_journal(tmp_path: Path) -> None:
    it = Kept(tmp_path)
    it.recorder.not_run([it.context], "the run was interrupted")
    it.recorder.write("probe", flush=True)
    [missed] = it.results.not_run
    assert (missed.test_id, missed.file_name, missed.why) == ("m", "/p/test_it.py", "the run was interrupted")
    assert it.events[0] == {"event": "not_run", **missed.to_json()}


class Ailing:
    def __init__(self, *nodes: UnhealthyNode) -> None:
        self.unhealthy_nodes = list(nodes)


@pytest.mark.parametrize("looks", [1, 3])
def test_nodes_that_are_put_aside_and_come_back_are_written_once_each(tmp_path: Path, looks: int) -> None:
    it = Kept(tmp_path)
    cluster = Ailing(UnhealthyNode("a", "no login", 5.0))
    for _ in range(looks):
        it.recorder.look_at_nodes(cluster)
    cluster.unhealthy_nodes[0].back_at = 7.0
    for _ in range(looks):
        it.recorder.look_at_nodes(cluster)
    cluster.unhealthy_nodes.append(UnhealthyNode("a", "again", 9.0))
    it.recorder.look_at_nodes(cluster)
    it.recorder.write("probe", flush=True)
    assert it.events[:-1] == [
        {"event": "node_put_aside", "name": "a", "reason": "no login", "put_aside_at": 5.0},
        {"event": "node_back", "name": "a", "back_at": 7.0},
        {"event": "node_put_aside", "name": "a", "reason": "again", "put_aside_at": 9.0},
    ]


def test_clusters_that_say_nothing_of_health_are_healthy(tmp_path: Path) -> None:
    it = Kept(tmp_path)
    it.recorder.look_at_nodes(object())
    it.recorder.write("probe", flush=True)
    assert [event["event"] for event in it.events] == ["probe"]
