# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from ducktape.tests.scheduling.durations import durations_below, durations_of


def _result(test_id: str, seconds: float, status: str = "PASS", **fields: Any) -> dict[str, Any]:
    """Return what a session says about a test, with texts and data that look like something else."""
    return {
        "data": fields.pop("data", None),
        "description": 'of "test_id": "wrong", and "run_time_seconds": 77, "test_status": "FAIL"',
        "run_time_seconds": seconds,
        "services": [],
        "start_time": 1.0,
        "summary": '{"event": "finished", "reason": "crash"}\n' * 3,
        "test_id": test_id,
        "test_status": status,
        **fields,
    }


def _journal(root: Path, session: str, *results: dict[str, Any]) -> Path:
    directory = root / session
    directory.mkdir(parents=True)
    lines = [{"event": "session", "time": 1.0, "version": 1}]
    for index, result in enumerate(results):
        common = {"test_id": result["test_id"], "test_index": index}
        lines += [
            {"event": "started", "time": 1.0, **common},
            {"event": "finished", "time": 1.0, **common, "result": result},
            {"event": "process", "time": 1.0, **common, "status": {"run_time_seconds": 5}},
        ]
    journal = directory / "journal.jsonl"
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return journal


def _report(root: Path, session: str, *results: dict[str, Any], **options: Any) -> Path:
    directory = root / session
    directory.mkdir(parents=True)
    report = directory / "report.json"
    content = {"client_status": {"a": {"test_id": "b"}}, "results": results, "run_time_seconds": 9.0}
    report.write_text(json.dumps(content, **(options or {"indent": 2, "sort_keys": True})))
    return report


WRITERS = pytest.mark.parametrize("write", [_journal, _report])


@WRITERS
def test_the_last_run_that_passed_counts(tmp_path: Path, write: Any) -> None:
    write(tmp_path, "2026-02-01--009", _result("a", 1.0), _result("b", 2.5), _result("flaky", 3.0, "FLAKY"))
    write(tmp_path, "2026-02-01--010", _result("a", 4.0), _result("b", 0.1, "FAIL"), _result("c", 5.0, "IGNORE"))
    write(tmp_path, "2026-02-01--1000", _result("new", 6.0), _result("a", 9.0, "FAIL"))
    assert durations_below(str(tmp_path)) == {"a": 4.0, "b": 2.5, "flaky": 3.0, "new": 6.0}


@WRITERS
def test_a_test_that_never_passed_counts_as_it_failed(tmp_path: Path, write: Any) -> None:
    write(tmp_path, "2026-01-01--001", _result("a", 8.0, "FAIL", reason="assertion"), _result("b", 4.0, "FAIL"))
    reasons = ("crash", "infrastructure", "import", "interrupted", "unschedulable")
    cut_short = [_result(test_id, 0.5, "FAIL", reason=reason) for test_id in "ab" for reason in reasons]
    write(tmp_path, "2026-01-01--002", *cut_short, _result("c", 7.0, "FAIL", reason="timeout"))
    assert durations_below(str(tmp_path)) == {"a": 8.0, "b": 4.0, "c": 7.0}


@WRITERS
def test_of_several_runs_in_a_session_the_last_counts(tmp_path: Path, write: Any) -> None:
    write(tmp_path, "2026-01-01--001", _result("a", 1.0), _result("b", 5.0), _result("a", 2.0))
    assert durations_below(str(tmp_path)) == {"a": 2.0, "b": 5.0}


@WRITERS
def test_names_and_data_of_any_kind_are_read_right(tmp_path: Path, write: Any) -> None:
    names = ['quote"d', "back\\slash", "ünïcode", "a.b=c"]
    data = {"run_time_seconds": 99.0, "test_id": "x", "test_status": "FAIL", "reason": "crash"}
    results = [_result(name, 1.5 + index, data=data) for index, name in enumerate(names)]
    write(tmp_path, "2026-01-01--001", *results, _result("plain", 9.0))
    expected = {name: 1.5 + index for index, name in enumerate(names)}
    assert durations_below(str(tmp_path)) == {**expected, "plain": 9.0}


def test_times_that_are_none_are_passed_over(tmp_path: Path) -> None:
    results = [_result("a", -1), _result("b", float("nan")), _result("c", float("inf")), _result("d", 0.0)]
    _journal(tmp_path, "2026-01-01--001", *results)
    assert durations_below(str(tmp_path)) == {"d": 0.0}


def test_a_report_in_another_layout_is_read_too(tmp_path: Path) -> None:
    _report(tmp_path, "2026-01-01--001", _result("a", 1.0), {"test_id": "b"}, separators=(",", ":"))
    _report(tmp_path, "2026-01-01--002", _result("c", 1.0), indent=4)
    assert durations_below(str(tmp_path)) == {"a": 1.0, "c": 1.0}


def test_the_journal_comes_before_the_report(tmp_path: Path) -> None:
    _journal(tmp_path, "2026-01-01--001", _result("a", 1.0))
    (tmp_path / "2026-01-01--001" / "report.json").write_text(json.dumps({"results": [_result("a", 2.0)]}))
    assert durations_below(str(tmp_path)) == {"a": 1.0}


def test_the_session_that_begins_and_what_is_no_session_do_not_count(tmp_path: Path) -> None:
    _journal(tmp_path, "2026-01-01--001", _result("a", 1.0))
    _journal(tmp_path, "2026-01-01--002", _result("a", 2.0))
    _journal(tmp_path, "latest", _result("a", 3.0))
    assert durations_below(str(tmp_path), except_session="2026-01-01--002") == {"a": 1.0}
    assert durations_below(str(tmp_path / "gone")) == {}


def test_damaged_files_are_passed_over(tmp_path: Path) -> None:
    _journal(tmp_path, "2026-01-01--001", _result("a", 1.0))
    journal = _journal(tmp_path, "2026-01-01--002", _result("b", 2.0), _result("c", 3.0))
    whole = journal.read_bytes()
    journal.write_bytes(b'\xff{"event": "finished", "oops\n{"event": "finished", "time": 1}\n' + whole[:-100])
    for number, content in enumerate(
        [b"", b"{", b"[]", b'{"results": 5}', b"[" * 9999, b'{"results": [5, {}, null]}', b"\xff"]
    ):
        directory = tmp_path / f"2026-02-{number + 1:02d}--001"
        directory.mkdir()
        (directory / "report.json").write_bytes(content)
    (tmp_path / "2026-02-01--002").mkdir()
    assert durations_below(str(tmp_path)) == {"a": 1.0, "b": 2.0, "c": 3.0}


def test_every_cut_of_a_journal_can_be_read(tmp_path: Path) -> None:
    journal = _journal(tmp_path, "2026-01-01--001", _result("a", 1.0), _result("b", 2.0))
    whole = journal.read_bytes()
    for length in range(0, len(whole), 7):
        journal.write_bytes(whole[:length])
        assert durations_below(str(tmp_path)) in ({}, {"a": 1.0}, {"a": 1.0, "b": 2.0})


def test_only_the_newest_sessions_are_looked_at(tmp_path: Path) -> None:
    for number in range(1, 26):
        _journal(tmp_path, f"2026-01-01--{number:03d}", _result(f"t{number}", 1.0))
    assert set(durations_below(str(tmp_path))) == {f"t{number}" for number in range(6, 26)}


def test_the_search_ends_when_all_is_known(tmp_path: Path) -> None:
    _journal(tmp_path, "2026-01-01--001", _result("a", 1.0), _result("old", 1.0))
    _journal(tmp_path, "2026-01-01--002", _result("a", 2.0), _result("b", 2.0, "FAIL"))
    assert durations_below(str(tmp_path), wanted=["a"]) == {"a": 2.0, "b": 2.0}
    assert durations_below(str(tmp_path), wanted=["a", "b"]) == {"a": 2.0, "b": 2.0, "old": 1.0}
    assert durations_below(str(tmp_path), wanted=[]) == {}


def test_one_session_can_be_asked_for(tmp_path: Path) -> None:
    journal = _journal(tmp_path, "one", _result("a", 1.0))
    report = _report(tmp_path, "two", _result("b", 2.0))
    assert durations_of(str(journal)) == durations_of(str(journal.parent)) == {"a": 1.0}
    assert durations_of(str(report.parent)) == {"b": 2.0}
    with pytest.raises(FileNotFoundError):
        durations_of(str(tmp_path))
    report.write_text("{")
    with pytest.raises(ValueError, match="Expecting"):
        durations_of(str(report.parent))


def test_a_long_history_does_not_hold_up_a_run(tmp_path: Path) -> None:
    results = [_result(f"m.T.test.x={number}", number / 10) for number in range(2000)]
    journal = _journal(tmp_path, "2026-01-01--001", *results)
    for number in range(2, 21):
        (tmp_path / f"2026-01-01--{number:03d}").mkdir()
        (tmp_path / f"2026-01-01--{number:03d}" / "journal.jsonl").hardlink_to(journal)
    start = time.process_time()
    decoded = [json.loads(line) for line in journal.read_bytes().splitlines()]
    one_session = time.process_time() - start
    start = time.process_time()
    assert len(durations_below(str(tmp_path))) == 2000
    # Twenty sessions cost less than decoding four, however busy or slow the machine is
    assert time.process_time() - start < 4 * one_session + 0.2
    assert len(decoded) == 6001
