# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from ducktape.tests.recording.journal import Journal
from ducktape.tests.recording.outcomes import FILE_NAME, PastOutcome, SessionOutcomes, outcomes_below
from ducktape.tests.recording.past_metrics import PastMetric
from ducktape.tests.recording.state import RecordedSession
from ducktape.tests.result import TestResults
from tests.support import recorded
from tests.unit.tests.reports.samples import START, TRACEBACK, demo_results


def session(root: Path, session_id: str, statuses: dict[str, str], **fields: object) -> Path:
    directory = recorded.session_of(root, session_id)
    journal = Journal(str(directory))
    recorded.begin(journal, session_id=session_id, configuration={"shuffle": 7}, expected=len(statuses))
    for index, (test_id, status) in enumerate(statuses.items(), start=1):
        recorded.run(journal, test_id, index, status, **fields)
    recorded.end(journal)
    journal.close()
    return directory


def results_of(directory: Path) -> TestResults:
    return RecordedSession.read(str(directory)).results()


def test_a_session_is_remembered_in_a_file_that_says_the_same_when_it_is_read(tmp_path: Path) -> None:
    results = demo_results(recorded.session_of(tmp_path))
    outcomes = SessionOutcomes.of(results, 20, 4711)

    outcomes.write(str(tmp_path / "2026-11-22--001"))

    assert SessionOutcomes.read(str(tmp_path / "2026-11-22--001")) == outcomes
    assert (outcomes.session_id, outcomes.start_time, outcomes.total, outcomes.seed) == (
        "2026-11-22--001",
        results.start_time,
        20,
        4711,
    )
    assert outcomes.count("fail") == results.num_failed
    assert {name: outcome.status for name, outcome in outcomes.tests.items()} == {
        result.test_id: str(result.test_status).upper() for result in results
    }


def test_similar_failures_share_a_cause_and_others_do_not(tmp_path: Path) -> None:
    def cause(number: int, summary: str, reason: str = "assertion") -> str:
        directory = session(tmp_path, f"2026-11-22--00{number}", {"a": "FAIL"}, summary=summary, reason=reason)
        [outcome] = SessionOutcomes.of(results_of(directory)).tests.values()
        assert outcome.reason == reason
        return outcome.cause

    first = cause(1, f"lost 17 of 90 at 0x7fab\n{TRACEBACK}")
    assert cause(2, f"lost 3 of 91 at 0x7fac\n{TRACEBACK}") == first
    assert cause(3, f"found 17 of 90 at 0x7fab\n{TRACEBACK}") != first
    assert cause(4, f"lost 17 of 90 at 0x7fab\n{TRACEBACK}", "timeout") != first


def test_several_runs_of_a_test_are_one_outcome_and_a_failure_counts(tmp_path: Path) -> None:
    directory = recorded.session_of(tmp_path)
    journal = Journal(str(directory))
    recorded.begin(journal)
    for index, (test_id, status) in enumerate([("a", "PASS"), ("a", "FAIL"), ("a", "PASS"), ("b", "PASS")], start=1):
        recorded.run(journal, test_id, index, status, reason="timeout" if status == "FAIL" else None)
    journal.close()

    tests = SessionOutcomes.of(results_of(directory)).tests

    assert (tests["a"].status, tests["a"].attempts, tests["a"].reason, tests["a"].mixed) == ("FAIL", 3, "timeout", True)
    assert tests["b"] == PastOutcome("PASS", 1.0)


def test_sessions_come_oldest_first_and_those_of_earlier_versions_get_a_file(tmp_path: Path) -> None:
    old = session(tmp_path, "2026-11-22--001", {"a": "PASS", "b": "FAIL"}, reason="timeout")
    reported = recorded.session_of(tmp_path, "2026-11-20--001")
    record = {"test_id": "a", "test_status": "FAIL", "start_time": START, "stop_time": START + 2, "summary": "no"}
    (reported / "report.json").write_text(json.dumps({"results": [record]}))
    recorded.session_of(tmp_path, "2026-11-21--001")  # which ran nothing
    (tmp_path / "notes").mkdir()

    found = outcomes_below(str(tmp_path))

    assert [(each.session_id, each.seed, each.seconds) for each in found] == [
        ("2026-11-20--001", None, 2.0),
        ("2026-11-22--001", 7, 61.5),
    ]
    assert found[1].tests["b"].reason == "timeout"
    assert [directory.name for directory in sorted(tmp_path.iterdir()) if (directory / FILE_NAME).exists()] == [
        "2026-11-20--001",
        "2026-11-22--001",
    ]
    (old / "journal.jsonl").unlink()
    assert outcomes_below(str(tmp_path)) == found


def test_a_session_that_is_running_is_left_out_and_the_current_one_is_as_given(tmp_path: Path) -> None:
    directory = session(tmp_path, "2026-11-22--001", {"a": "PASS"})
    current = SessionOutcomes.of(results_of(directory), 5)
    running = Journal(str(recorded.session_of(tmp_path, "2026-11-22--002")))
    recorded.begin(running, session_id="2026-11-22--002")
    recorded.run(running, "a", 1)
    running.flush()

    assert outcomes_below(str(tmp_path), current) == [current]
    assert not (directory / FILE_NAME).exists()

    running.close()
    assert [each.session_id for each in outcomes_below(str(tmp_path), current)] == [
        "2026-11-22--001",
        "2026-11-22--002",
    ]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "[" * 100_000,
        '{"version": 2}',
        '{"version": 1, "tests": {"a": ["PASS", 1]}, "counts": {}, "total": 1, "seconds": 1}',
        '{"version": 1, "tests": {"a": ["PASS", NaN]}, "counts": {}, "total": 1, "seconds": 1, "start_time": 1}',
        '{"version": 1, "tests": {"a": ["<b>", 1]}, "counts": {}, "total": 1, "seconds": 1, "start_time": 1}',
        '{"version": 1, "tests": {"a": ["FAIL", 1, 1, 5]}, "counts": {}, "total": 1, "seconds": 1, "start_time": 1}',
        f'{{"version": 1, "tests": {{"a": ["PASS", 1{"0" * 400}]}}, "counts": {{}}, "total": 1, "seconds": 1}}',
        '{"version": 1, "tests": {"a": 5}, "counts": {}, "total": 1, "seconds": 1, "start_time": 1}',
        '{"version": 1, "tests": {}, "counts": {}, "total": 1, "seconds": Infinity, "start_time": 1}',
        '{"version": 1, "tests": {}, "counts": {"PASS": "1"}, "total": 1, "seconds": 1, "start_time": 1}',
        *(
            '{"version": 1, "tests": {}, "counts": {}, "total": 1, "seconds": 1, "start_time": 1, "metrics": '
            + each
            + "}"
            for each in (
                "[]",
                '{"a": 1}',
                '{"a": {"b": []}}',
                '{"a": {"b": ["x"]}}',
                '{"a": {"b": [1, "s", "up"]}}',
                '{"a": {"b": [1e301]}}',
            )
        ),
    ],
)
def test_a_damaged_file_is_skipped_with_a_warning(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    damaged = session(tmp_path, "2026-11-22--001", {"a": "PASS"}) / FILE_NAME
    damaged.write_text(content)
    session(tmp_path, "2026-11-22--002", {"a": "PASS"})

    with caplog.at_level(logging.WARNING):
        assert [each.session_id for each in outcomes_below(str(tmp_path))] == ["2026-11-22--002"]

    assert caplog.text.count("Ignored") == 1
    assert str(damaged) in caplog.text


def test_ids_and_reasons_of_any_length_need_little_room(tmp_path: Path) -> None:
    long = {f"{'x' * 50_000}{number}": "FAIL" for number in range(3)}
    directory = session(tmp_path, "2026-11-22--001", long, reason="because " * 1000)

    SessionOutcomes.of(results_of(directory)).write(str(directory))

    assert (directory / FILE_NAME).stat().st_size < 5_000
    assert len(SessionOutcomes.read(str(directory)).tests) == 3


def test_failures_are_kept_when_there_is_no_room_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ducktape.tests.recording.outcomes._ROOM_FOR_TESTS", 400)
    directory = session(tmp_path, "2026-11-22--001", {"a": "PASS", "b": "PASS", "c": "PASS", "d": "FAIL"})

    outcomes = SessionOutcomes.of(results_of(directory))

    assert (list(outcomes.tests), outcomes.left_out, outcomes.total) == (["d", "a"], 2, 4)


def test_sessions_of_very_many_tests_are_compared_with_fewer_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 6):
        session(tmp_path, f"2026-11-22--00{number}", {"a": "PASS", "b": "PASS"})
    for most, found in ((100, 5), (6, 3), (5, 3), (1, 2)):
        monkeypatch.setattr("ducktape.tests.recording.outcomes._MOST_OUTCOMES", most)
        ids = [each.session_id for each in outcomes_below(str(tmp_path))]
        assert ids == [f"2026-11-22--00{number}" for number in range(6 - found, 6)]


SUMMARIES = {
    "write_ms": {"kind": "histogram", "unit": "ms", "better": "lower", "count": 3, "p50": 8.3000000001, "p99": 20.0},
    "retries": {"kind": "counter", "total": 1234567},
    "none": {"kind": "series", "count": 0},
    "odd": {"p50": float("nan"), "better": "lower"},
    "odder": [1],
    "flag": {"p50": True},
    "huge": {"total": 10**400, "kind": "counter"},
    "x" * 201: {"p50": 1.0},
}


def test_the_metrics_of_a_test_are_remembered_and_read_where_they_are_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = session(tmp_path, "2026-11-22--001", {"a": "PASS", "b": "FAIL"}, metrics=SUMMARIES)
    outcomes = SessionOutcomes.of(results_of(directory))
    assert outcomes.metrics["a"] == {"write_ms": PastMetric(8.3, "ms", "lower"), "retries": PastMetric(1234567)}

    outcomes.write(str(directory))

    assert SessionOutcomes.read(str(directory)) == outcomes
    assert SessionOutcomes.read(str(directory), {"b"}).metrics == {"b": outcomes.metrics["a"]}
    without = SessionOutcomes.read(str(directory), metrics=False)
    monkeypatch.setattr("ducktape.tests.recording.outcomes._CHUNK", 7)  # the metrics begin anywhere in it
    assert SessionOutcomes.read(str(directory), metrics=False) == without
    assert (without.tests, without.metrics) == (outcomes.tests, {})
    values = json.loads((directory / FILE_NAME).read_text())
    assert (values["version"], values["metrics"]["a"]["retries"]) == (1, [1234567.0])
    # As earlier versions wrote it
    del values["metrics"]
    (directory / FILE_NAME).write_text(json.dumps(values))
    for metrics in (True, False):
        assert SessionOutcomes.read(str(directory), metrics=metrics) == without


def test_of_several_runs_the_metrics_of_the_first_that_passed_are_remembered(tmp_path: Path) -> None:
    directory = recorded.session_of(tmp_path)
    journal = Journal(str(directory))
    recorded.begin(journal)
    for index, status in enumerate(("FAIL", "PASS", "PASS"), start=1):
        recorded.run(journal, "a", index, status, metrics={"x": {"p50": index}})
    journal.close()
    assert SessionOutcomes.of(results_of(directory)).metrics == {"a": {"x": PastMetric(2)}}


def test_metrics_are_bounded_and_those_of_failures_kept_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = {f"m{number}": {"p50": number} for number in range(60)}
    directory = session(tmp_path, "2026-11-22--001", {"a": "PASS", "b": "PASS", "c": "FAIL"}, metrics=many)
    metrics = SessionOutcomes.of(results_of(directory)).metrics
    assert [(name, len(of_test)) for name, of_test in metrics.items()] == [("c", 50), ("a", 50), ("b", 50)]
    monkeypatch.setattr("ducktape.tests.recording.past_metrics._ROOM", 4000)
    assert list(SessionOutcomes.of(results_of(directory)).metrics) == ["c", "a"]


def test_metrics_are_read_of_the_newest_sessions_and_of_those_before_the_current_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ducktape.tests.recording.outcomes._SESSIONS_WITH_METRICS", 2)
    for number in range(1, 8):
        directory = session(tmp_path, f"2026-11-22--00{number}", {"a": "PASS"}, metrics=SUMMARIES)
        SessionOutcomes.of(results_of(directory)).write(str(directory))
    current = SessionOutcomes.read(str(tmp_path / "2026-11-22--004"))
    for session_of_interest, expected in ((None, [6, 7]), (current, [3, 4, 6, 7])):
        found = outcomes_below(str(tmp_path), session_of_interest)
        assert [number for number, each in enumerate(found, start=1) if each.metrics] == expected
