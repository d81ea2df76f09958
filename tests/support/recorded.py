# SPDX-License-Identifier: Apache-2.0
"""Journals of sessions that never happened, written as the driver writes them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ducktape.tests.recording.journal import JOURNAL_VERSION, Journal
from ducktape.tests.recording.not_run import NotRun
from ducktape.tests.result import TestResult, TestResults
from tests.unit.tests.reports.samples import START, demo_results

DIRECTORY = "/home/u/demo"


def begin(
    journal: Journal,
    *,
    event: str = "session",
    session_id: str = "2026-11-22--001",
    configuration: Mapping[str, Any] | None = None,
    **fields: Any,
) -> None:
    """Write the first event of a session."""
    known = {
        "version": JOURNAL_VERSION,
        "session_id": session_id,
        "versions": {"ducktape": "1.0", "python": "3.11.7", "platform": "Linux"},
        "argv": ["suite"],
        "directory": DIRECTORY,
        "configuration": {"test_path": ["suite"], **(configuration or {})},
        "session_context": {},
        "cluster_num_nodes": 5,
        "expected": 8,
        "time": START,
    }
    journal.write(event, **{**known, **fields})


def queue(journal: Journal, test_ids: Iterable[str], *, position: int = 0) -> None:
    """Write which tests are to run."""
    for number, test_id in enumerate(test_ids, start=position):
        journal.write("queued", position=number, nodes=1, **_fields(test_id))


def start(journal: Journal, test_id: str, index: int, *, pid: int = 14766) -> None:
    """Write that a test has its process."""
    journal.write("nodes_given", test_index=index, nodes=["n1"])
    journal.write(
        "started",
        test_id=test_id,
        test_index=index,
        attempt=1,
        pid=pid,
        process=f"Process-{index}",
        start_time=START,
    )
    journal.write("phase", test_index=index, attempt=1, phase="setup", since=START)


def finish(journal: Journal, test_id: str, index: int, status: str = "PASS", **fields: Any) -> None:
    """Write the result of a test."""
    record = {
        **{name: value for name, value in _fields(test_id).items() if name != "nodes"},
        "test_status": status,
        "test_index": index,
        "summary": f"{status} of {test_id}",
        "start_time": START,
        "stop_time": START + 1,
        "relative_results_dir": f"{test_id}/{index}/",
    }
    journal.write("finished", test_id=test_id, test_index=index, result={**record, **fields})


def run(journal: Journal, test_id: str, index: int, status: str = "PASS", **fields: Any) -> None:
    """Write the whole life of a test."""
    start(journal, test_id, index)
    finish(journal, test_id, index, status, **fields)


def end(journal: Journal, **fields: Any) -> None:
    """Write the end of a session."""
    known = {"start_time": START, "stop_time": START + 61.5, "exit_code": 0, "cluster_num_nodes": 5}
    journal.write("session_end", **{**known, **fields})


def _fields(test_id: str) -> dict[str, Any]:
    entry = NotRun(test_id, "m", "C", test_id, {"of": test_id}, f"{DIRECTORY}/m.py", "").to_json()
    return {name: value for name, value in entry.items() if name != "why"}


def session_of(folder: Path, session_id: str = "2026-11-22--001") -> Path:
    """Make the directory of a session."""
    directory = folder / session_id
    directory.mkdir(parents=True)
    return directory


def demo(directory: str | os.PathLike[str]) -> TestResults:
    """Write the journal of a session that ended, and return its results as the driver had them."""
    results = demo_results(directory)
    results.not_run = [NotRun("m.C.late", "m", "C", "late", {"a": 1}, f"{DIRECTORY}/m.py", "the run was interrupted")]
    journal = Journal(os.fspath(directory))
    begin(journal, session_context=results.session_context.to_json(), configuration={"globals": {"env": "ci"}})
    for position, result in enumerate(results):
        if result.reason != "import":
            _queue_result(journal, result, position)
    for key, status in results.client_status.items():
        start(journal, key.test_id, key.test_index)
        journal.write("process", test_id=key.test_id, test_index=key.test_index, status=status)
    for result in results:
        journal.write("finished", test_id=result.test_id, test_index=result.test_index, result=result.to_record())
    for missed in results.not_run:
        journal.write("not_run", **missed.to_json())
    end(journal, start_time=results.start_time, stop_time=results.stop_time, cluster_num_nodes=len(results.cluster))
    journal.close()
    return results


def _queue_result(journal: Journal, result: TestResult, position: int) -> None:
    journal.write(
        "queued",
        position=position,
        test_id=result.test_id,
        module_name=result.module_name,
        cls_name=result.cls_name,
        function_name=result.function_name,
        injected_args=result.injected_args,
        file_name=result.file_name,
        nodes=1,
    )
