# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest

from ducktape.tests.event import (
    Attempt,
    Attempted,
    CleanedUp,
    Finished,
    Heartbeat,
    Log,
    Message,
    Outcome,
    Paused,
    Phase,
    Resumed,
    Running,
    ServiceGone,
    ServiceNoted,
    decode,
    encode,
)

OUTCOME = Outcome(
    status="fail",
    summary="zwei Zeilen:\nné \x00 \u2028 \udc80",
    data={"a": [1, None, {"b": "é"}]},
    start_time=1.5,
    stop_time=2.5,
    nodes_used=3,
    services=[{"service_id": "X-0-1", "nodes": ["h"]}],
    reason="assertion",
    teardown_errors=["teardown\nfailed é"],
    attempts=[{"number": 1, "status": "fail"}, {"number": 2, "status": "fail"}],
    runs={"passed": 3, "failed": 2},
)
RECORD = Attempt(
    data=None,
    nodes_used=1,
    number=2,
    status="fail",
    reason="timeout",
    summary="zwei Zeilen:\nné \udc80",
    start_time=1.5,
    stop_time=2,
    nodes=["a", "b"],
    teardown_errors=["Error cleaning services: x"],
    services=[{"service_id": "X-0-1"}],
    directory="attempt-2",
)


@pytest.mark.parametrize(
    "message",
    [
        Running(17),
        Log(10, "text\nof two lines é"),
        Heartbeat(),
        Phase("setup", 3),
        Paused(),
        Resumed(),
        ServiceNoted({"service_id": "X-0-1", "logs": {"é": {"path": "/x"}}}),
        ServiceGone("X-0-1"),
        Attempted(RECORD),
        Finished(OUTCOME),
        Finished(Outcome("pass", "", None, 0, 0, 0, [])),
        CleanedUp(),
        CleanedUp(["log"], ["é"], {"a": "why"}, [{"service_id": "X-0-1"}]),
    ],
    ids=lambda message: type(message).__name__,
)
def test_a_message_arrives_as_it_was_sent(message: Message) -> None:
    line = encode(message)
    assert decode(line) == message
    assert decode(line.rstrip(b"\n")) == message


@pytest.mark.parametrize("message", [Log(10, "text\nof two lines é"), Attempted(RECORD), Finished(OUTCOME)])
def test_a_message_is_one_line_of_ascii(message: Message) -> None:
    line = encode(message)
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")


def test_numbers_that_are_none_arrive() -> None:
    message = Finished(Outcome("pass", "", [math.inf, math.nan], 0, 0, 0, []))
    received = decode(encode(message))
    assert isinstance(received, Finished)
    assert received.outcome.data[0] == math.inf
    assert math.isnan(received.outcome.data[1])


def test_an_outcome_has_no_reason_unless_it_has_one() -> None:
    outcome = Outcome("pass", "", None, 0, 0, 0, [])
    assert (outcome.reason, outcome.teardown_errors, outcome.attempts, outcome.runs) == (None, [], [], None)


def test_an_attempt_is_shown_without_its_services_which_stand_in_the_result() -> None:
    assert RECORD.to_json() == {
        "number": 2,
        "status": "fail",
        "reason": "timeout",
        "summary": "zwei Zeilen:\nné \udc80",
        "start_time": 1.5,
        "stop_time": 2,
        "nodes": ["a", "b"],
        "teardown_errors": ["Error cleaning services: x"],
        "directory": "attempt-2",
    }


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"nonsense\n",
        b"\xff\xfe\n",
        b"[]\n",
        b"7\n",
        b'"running"\n',
        b"{}\n",
        b'{"kind": "running"}\n',
        b'{"kind": "cleanedup", "dirty": []}\n',
        b'{"kind": "cleanedup", "dirty": {"a": 1}}\n',
        b'{"kind": "cleanedup", "problems": [1]}\n',
        b'{"kind": "nothing of ours"}\n',
        b'{"kind": ["running"]}\n',
        b'{"kind": "heartbeat", "more": 1}\n',
        b'{"kind": "log", "level": 10}\n',
        b'{"kind": "finished"}\n',
        b'{"kind": "finished", "outcome": 3}\n',
        b'{"kind": "finished", "outcome": {"status": "pass"}}\n',
        b'{"kind": "phase", "name": "test"}\n',
        b'{"kind": "servicegone"}\n',
        b'{"kind": "attempted"}\n',
        b'{"kind": "attempted", "record": {"number": 1}}\n',
        b'{"kind": "attempted", "record": [1]}\n',
        b'{"kind": "finished", "outcome": {"status": "pass", "summary": "", "data": null, "start_time": 0,'
        b' "stop_time": 0, "nodes_used": 0, "services": [], "unheard_of": 1}}\n',
    ],
)
def test_anything_else_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):
        decode(line)


@pytest.mark.parametrize(
    "line",
    [
        b'{"kind": "log", "level": "high", "message": "x"}\n',
        b'{"kind": "phase", "name": 3, "attempt": 1}\n',
        b'{"kind": "phase", "name": "test", "attempt": "first"}\n',
        b'{"kind": "servicenoted", "record": ["X-0-1"]}\n',
        b'{"kind": "servicegone", "service_id": null}\n',
        b"[" * 100_000 + b"\n",
    ],
    ids=["level", "phase", "attempt", "record", "service", "depth"],
)
def test_values_that_would_upset_the_driver_are_refused(line: bytes) -> None:
    with pytest.raises(ValueError):
        decode(line)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "splendid"),
        ("status", 1),
        ("summary", None),
        ("start_time", "now"),
        ("stop_time", [0]),
        ("nodes_used", "two"),
        ("services", {}),
        ("reason", 3),
        ("teardown_errors", "one"),
        ("attempts", {}),
        ("runs", [1, 2]),
    ],
)
def test_an_outcome_with_a_value_of_the_wrong_kind_is_refused(field: str, value: Any) -> None:
    outcome = {**dataclasses.asdict(OUTCOME), field: value}
    with pytest.raises(ValueError):
        decode(json.dumps({"kind": "finished", "outcome": outcome}).encode())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("number", "1"),
        ("status", "splendid"),
        ("reason", ["crash"]),
        ("summary", None),
        ("start_time", None),
        ("stop_time", "now"),
        ("nodes", "a b"),
        ("teardown_errors", None),
        ("services", "none"),
        ("directory", None),
    ],
)
def test_an_attempt_with_a_value_of_the_wrong_kind_is_refused(field: str, value: Any) -> None:
    record = {**dataclasses.asdict(RECORD), field: value}
    with pytest.raises(ValueError):
        decode(json.dumps({"kind": "attempted", "record": record}).encode())


@pytest.mark.parametrize(("field", "value"), [("teardown_errors", [1]), ("nodes", [None]), ("services", ["S-0-1"])])
def test_parts_of_values_are_looked_at_too(field: str, value: Any) -> None:
    """The driver joins texts, and looks into services, that a test may have forged."""
    record = {**dataclasses.asdict(RECORD), field: value}
    with pytest.raises(ValueError):
        decode(json.dumps({"kind": "attempted", "record": record}).encode())
