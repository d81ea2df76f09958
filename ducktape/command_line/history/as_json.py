# SPDX-License-Identifier: Apache-2.0
"""``ducktape history --json``: sessions and tests for programs; docs/schemas/history.schema.json describes it."""

from __future__ import annotations

from collections.abc import Iterable

from ducktape import __version__
from ducktape.tests.recording.history import History, TestHistory
from ducktape.tests.recording.outcomes import PastOutcome, SessionOutcomes
from ducktape.tests.recording.trends import Trend


def as_json(history: History, test_ids: Iterable[str], most: int) -> dict[str, object]:
    """Return the last sessions, and those of the tests that took part in them, as values for JSON."""
    first = max(0, len(history.sessions) - most)
    tests = [history.test(test_id) for test_id in test_ids]
    return {
        "ducktape_version": __version__,
        "sessions": [_session(history, session) for session in history.sessions[first:]],
        "tests": [_test(history, test, first) for test in tests if test.outcomes[-1][0] >= first],
    }


def _session(history: History, session: SessionOutcomes) -> dict[str, object]:
    changes = history.changes(session.session_id)
    assert changes is not None  # it is of this session
    found: dict[str, object] = {
        "session_id": session.session_id,
        "start_time": session.start_time,
        "run_time_seconds": session.seconds,
        "expected": session.total,
        **{
            f"num_{name}": session.count(status)
            for name, status in {"passed": "PASS", "failed": "FAIL", "flaky": "FLAKY", "ignored": "IGNORE"}.items()
        },
    }
    optional = {"seed": session.seed, "since": changes.since or None, "num_new_failures": changes.new_failures}
    return {**found, **{name: value for name, value in optional.items() if value is not None}}


def _test(history: History, test: TestHistory, first: int) -> dict[str, object]:
    newest = history.changes(history.sessions[-1].session_id)
    optional = {
        "kind": "" if newest is None else newest.kind(test.test_id),
        "median_seconds": test.median_seconds,
    }
    return {
        "test_id": test.test_id,
        **{name: value for name, value in optional.items() if value not in ("", None)},
        "is_flaky": test.is_flaky,
        "flake_rate": test.flake_rate,
        "outcomes": [
            _outcome(history, number, test.test_id, outcome) for number, outcome in test.outcomes if number >= first
        ],
        "trends": [_trend(history, trend) for trend in history.trends(test.test_id)],
    }


def _outcome(history: History, number: int, test_id: str, outcome: PastOutcome) -> dict[str, object]:
    session_id = history.sessions[number].session_id
    changes = history.changes(session_id)
    optional = {"reason": outcome.reason, "kind": "" if changes is None else changes.kind(test_id)}
    return {
        "session_id": session_id,
        "test_status": outcome.status,
        "run_time_seconds": outcome.seconds,
        "attempts": outcome.attempts,
        "also_passed": outcome.mixed,
        **{name: value for name, value in optional.items() if value},
    }


def _trend(history: History, trend: Trend) -> dict[str, object]:
    texts = {"unit": trend.unit, "better": trend.better, "change": trend.change}
    return {
        "kind": "duration" if trend.is_duration else "metric",
        "name": trend.name,
        **{name: text for name, text in texts.items() if text},
        **({} if trend.usual is None else {"usual": trend.usual._asdict()}),
        "values": [
            {"session_id": history.sessions[point.session].session_id, "value": point.value, "passed": point.passed}
            for point in trend.points
        ],
    }
