# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import Any

import pytest

from ducktape.tests.event import Attempt, Attempted, Finished, Heartbeat, Outcome, ServiceNoted
from ducktape.tests.recording import bounds
from ducktape.tests.recording.bounds import bounded_attempt, bounded_outcome, bounded_text, data_problem, substitute

_MB = 1_000_000


class Endless:
    def to_json(self) -> Any:
        return {"text": "x" * 1000, "more": [Endless(), Endless()]}


class Replaced:
    def to_json(self) -> Any:
        return "x" * 2000


def laughter() -> list[Any]:
    data: list[Any] = ["ha"] * 10
    for _ in range(40):
        data = [data] * 10
    return data


def record(**fields: Any) -> Attempt:
    known: dict[str, Any] = {
        "status": "fail",
        "reason": "error",
        "summary": "why",
        "data": None,
        "nodes_used": 0,
        "start_time": 1.0,
        "stop_time": 2.0,
        "services": [],
    }
    return Attempt(**{**known, **fields})


def outcome(**fields: Any) -> Outcome:
    known: dict[str, Any] = {
        "status": "pass",
        "summary": "",
        "data": None,
        "start_time": 1.0,
        "stop_time": 2.0,
        "nodes_used": 1,
        "services": [],
    }
    return Outcome(**{**known, **fields})


@pytest.mark.parametrize("data", [None, "x" * 998, list(range(10)), {"a": (1.5, None, True)}, [[]] * 10])
def test_data_within_the_limit_are_no_problem(data: object) -> None:
    assert data_problem(data, 1000) is None


@pytest.mark.parametrize(
    ("data", "size"),
    [
        ("x" * 999, "1,001"),
        (list(range(1000)), "4,890"),
        ({"key": ["\N{SNOWMAN}" * 200]}, "1,213"),
        ([Replaced()], "2,004"),
        (laughter(), "at least 1,000,000,000,000,000"),
    ],
)
def test_too_much_data_are_told_with_both_figures(data: object, size: str) -> None:
    found = data_problem(data, 1000)
    assert found is not None
    assert f"returned {size} bytes of data as JSON, the limit is 1,000 (--max-data-bytes)" in found[0]


def test_the_beginning_of_too_much_data_is_kept() -> None:
    data = [{"n": number} for number in range(10_000)]
    found = data_problem(data, 1000)
    assert found is not None
    assert found[1] == json.dumps(data)[:10_000]


def test_objects_whose_json_has_no_end_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "_WORTH_COUNTING", 100_000)
    found = data_problem(Endless(), 1000)
    assert found is not None
    assert "JSON" in found[0]


def test_data_that_contain_themselves_are_told_as_such() -> None:
    data: list[Any] = []
    data.append(data)
    assert data_problem(data, 1000) == (
        "The test returned data that cannot be written as JSON: data[0] contains itself, which JSON cannot express",
        "",
    )


def test_a_long_text_keeps_its_beginning_and_its_end() -> None:
    text = bounded_text("begin " + "x" * _MB + " end", 100)
    assert text.startswith("begin xxx")
    assert text.endswith("xxx end")
    assert "999,910 characters are left out" in text


def test_characters_that_take_more_room_count_for_more() -> None:
    text = "\N{SNOWMAN}" * 600
    assert bounded_text(text, 3600) == text
    assert len(json.dumps(bounded_text(text * 2, 3600))) < 4000


def test_services_and_errors_that_are_too_much_are_left_out_and_counted() -> None:
    services = [{"service_id": str(number), "text": "x" * _MB} for number in range(6)]
    cut = bounded_attempt(record(services=services, teardown_errors=["y" * _MB]), 1)
    assert [service["service_id"] for service in cut.services] == ["0", "1", "2"]
    assert len(cut.teardown_errors[0]) < 101_000
    assert cut.teardown_errors[1] == "3 services are too many, or too large, for the report and left out"


def test_metrics_that_are_too_much_are_left_out_and_counted() -> None:
    metrics: dict[str, object] = {"a": {"count": 1}, "b": {"values": [1.5] * _MB}, "c": {"total": 3}}
    cut = bounded_attempt(record(metrics=metrics), 1)
    assert cut.metrics == {"a": {"count": 1}, "c": {"total": 3}}
    assert cut.teardown_errors == ["1 metrics are too many for the report and left out"]
    nodes: dict[str, object] = {"n1": {"cpu_cores": {"max": 1, "mean": 1}}, "n2": {"x" * 32 * _MB: {}}, "n3": {}}
    assert list(bounded_attempt(record(node_metrics=nodes), 1).node_metrics) == ["n1", "n3"]


def test_the_more_runs_there_are_the_less_is_kept_of_each_summary() -> None:
    long = record(summary="x" * _MB)
    assert bounded_attempt(long, 1) == long
    assert len(bounded_attempt(long, 100).summary) < 201_000
    assert len(bounded_attempt(long, 10**9).summary) < 11_000


def test_an_outcome_of_any_size_becomes_one_of_bounded_size() -> None:
    huge = outcome(
        summary="x" * 50 * _MB,
        services=[{"text": "x" * 1000}] * 50_000,
        teardown_errors=["e" * 1000] * 50_000,
        faults=[{"fault": "x" * 1000}] * 50_000,
    )
    cut = bounded_outcome(huge)
    assert len(json.dumps(vars(cut))) < 16 * _MB
    assert cut.teardown_errors[-1].endswith("more errors are left out")


def test_a_result_that_the_driver_would_not_take_becomes_a_failure() -> None:
    found = substitute(Finished(outcome(summary="said", services=[{}])), 5000, 4000)
    assert isinstance(found, Finished)
    assert (found.outcome.status, found.outcome.services) == ("fail", [])
    assert found.outcome.summary == "The result of the test takes 5,000 bytes, the driver takes 4,000\n\nsaid"


def test_an_attempt_that_the_driver_would_not_take_keeps_its_verdict() -> None:
    found = substitute(Attempted(record(services=[{}], teardown_errors=["x"])), 5000, 4000)
    assert found == Attempted(record())


def test_what_can_be_missed_is_left_out_when_it_is_too_much() -> None:
    assert substitute(ServiceNoted({"x": "y"}), 5000, 4000) is None
    assert substitute(Heartbeat(), 5000, 4000) is None
