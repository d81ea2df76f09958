# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from ducktape.tests.recording.journal import Journal
from ducktape.tests.recording.past_sessions import has_journal, last_failed, newest_with_journal, sessions
from ducktape.tests.recording.state import RecordError
from tests.support import recorded
from tests.unit.tests.reports.samples import START


def with_journal(root: Path, session_id: str, statuses: Mapping[str, str], *, time: float = START) -> None:
    journal = Journal(str(recorded.session_of(root, session_id)))
    recorded.begin(journal, session_id=session_id, time=time)
    recorded.queue(journal, statuses)
    for index, (name, status) in enumerate(statuses.items(), start=1):
        recorded.run(journal, name, index, status)
    journal.close()


def with_report(root: Path, session_id: str, statuses: Mapping[str, str]) -> None:
    results = [{"test_id": name, "test_status": status} for name, status in statuses.items()]
    report = recorded.session_of(root, session_id) / "report.json"
    report.write_text(json.dumps({"results": results}), encoding="utf-8")


def names(root: Path) -> list[str]:
    return [os.path.basename(directory) for directory in sessions(str(root))]


def test_sessions_come_newest_first_by_day_and_number(tmp_path: Path) -> None:
    for name in ("2026-11-22--002", "2026-11-22--1000", "2026-11-22--999", "2026-11-21--005", "2025-12-31--001"):
        recorded.session_of(tmp_path, name)
    for name in ("latest", "2026-11-23--001-kept", "notes"):
        (tmp_path / name).mkdir()
    assert names(tmp_path) == [
        "2026-11-22--1000",
        "2026-11-22--999",
        "2026-11-22--002",
        "2026-11-21--005",
        "2025-12-31--001",
    ]
    assert next(sessions(str(tmp_path))) == str(tmp_path / "2026-11-22--1000")


def test_of_one_day_the_time_counts_since_numbers_are_given_in_several_places(tmp_path: Path) -> None:
    recorded.session_of(tmp_path, "2026-11-22--007")
    with_journal(tmp_path, "2026-11-22--005", {}, time=START)
    with_journal(tmp_path, "2026-11-22--002", {}, time=START + 60)
    damaged = recorded.session_of(tmp_path, "2026-11-22--008") / "journal.jsonl"
    damaged.write_bytes(b"?")
    assert names(tmp_path) == ["2026-11-22--002", "2026-11-22--005", "2026-11-22--008", "2026-11-22--007"]


def test_a_root_that_does_not_exist_has_no_sessions(tmp_path: Path) -> None:
    assert names(tmp_path / "absent") == []
    assert newest_with_journal(str(tmp_path / "absent")) is None
    assert last_failed(str(tmp_path / "absent")) is None
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        names(tmp_path / "file")


def test_the_newest_session_with_a_journal_is_found_whatever_the_link_says(tmp_path: Path) -> None:
    with_journal(tmp_path, "2026-11-22--001", {})
    with_journal(tmp_path, "2026-11-22--002", {})
    recorded.session_of(tmp_path, "2026-11-22--003")
    (tmp_path / "latest").symlink_to("2026-11-22--001")
    assert newest_with_journal(str(tmp_path)) == str(tmp_path / "2026-11-22--002")
    assert has_journal(str(tmp_path / "latest"))
    assert not has_journal(str(tmp_path))


def test_what_failed_last_is_told_by_the_newest_session_with_results(tmp_path: Path) -> None:
    with_journal(tmp_path, "2026-11-22--001", {"a": "FAIL", "b": "PASS"})
    with_journal(tmp_path, "2026-11-22--002", {"b": "FAIL", "c": "FLAKY", "d": "FAIL", "e": "IGNORE", "f": "PASS"})
    with_journal(tmp_path, "2026-11-22--003", {})
    recorded.session_of(tmp_path, "2026-11-22--004")
    assert last_failed(str(tmp_path)) == ("2026-11-22--002", frozenset({"b", "d"}))


def test_a_session_in_which_nothing_failed_says_so(tmp_path: Path) -> None:
    with_journal(tmp_path, "2026-11-22--001", {"a": "FAIL"})
    with_journal(tmp_path, "2026-11-22--002", {"b": "PASS"})
    assert last_failed(str(tmp_path)) == ("2026-11-22--002", frozenset())


def test_a_session_without_a_journal_is_told_by_its_report(tmp_path: Path) -> None:
    with_report(tmp_path, "2026-11-22--001", {"a": "FAIL", "b": "PASS"})
    with_report(tmp_path, "2026-11-22--002", {})
    (recorded.session_of(tmp_path, "2026-11-22--003") / "report.json").write_text('{"results": [{"te')
    (recorded.session_of(tmp_path, "2026-11-22--004") / "report.json").write_text("[]")
    assert last_failed(str(tmp_path)) == ("2026-11-22--001", frozenset({"a"}))


def test_a_journal_of_a_newer_program_is_not_passed_over_in_silence(tmp_path: Path) -> None:
    with_journal(tmp_path, "2026-11-22--001", {"a": "FAIL"})
    journal = Journal(str(recorded.session_of(tmp_path, "2026-11-22--002")))
    recorded.begin(journal, version=2)
    journal.close()
    with pytest.raises(RecordError, match="has version 2 of the format"):
        last_failed(str(tmp_path))
