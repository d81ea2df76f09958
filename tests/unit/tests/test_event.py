# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest

from ducktape.tests.event import Finished, Heard, Log, Message, Outcome, Running, decode, encode

OUTCOME = Outcome(
    status="fail",
    summary="zwei Zeilen:\nné \x00 \u2028 \udc80",
    data={"a": [1, None, {"b": "é"}]},
    start_time=1.5,
    stop_time=2.5,
    nodes_used=3,
    services=[{"service_id": "X-0-1", "nodes": ["h"]}],
    reason="assertion",
)


@pytest.mark.parametrize("message", [Running(17), Log(10, "text\nof two lines é"), Heard(), Finished(OUTCOME)])
def test_a_message_arrives_as_it_was_sent(message: Message) -> None:
    line = encode(message)
    assert decode(line) == message
    assert decode(line.rstrip(b"\n")) == message


@pytest.mark.parametrize("message", [Log(10, "text\nof two lines é"), Finished(OUTCOME)])
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
    assert Outcome("pass", "", None, 0, 0, 0, []).reason is None


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
        b'{"kind": "nothing of ours"}\n',
        b'{"kind": ["running"]}\n',
        b'{"kind": "heard", "more": 1}\n',
        b'{"kind": "log", "level": 10}\n',
        b'{"kind": "finished"}\n',
        b'{"kind": "finished", "outcome": 3}\n',
        b'{"kind": "finished", "outcome": {"status": "pass"}}\n',
    ],
)
def test_anything_else_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):
        decode(line)


@pytest.mark.parametrize(
    "line",
    [
        b'{"kind": "log", "level": "high", "message": "x"}\n',
        b'{"kind": "finished", "outcome": {"status": "pass", "summary": "", "data": null, "start_time": "now",'
        b' "stop_time": 0, "nodes_used": 0, "services": []}}\n',
        b'{"kind": "finished", "outcome": {"status": "pass", "summary": null, "data": null, "start_time": 0,'
        b' "stop_time": 0, "nodes_used": "two", "services": []}}\n',
        b'{"kind": "finished", "outcome": {"status": "splendid", "summary": "", "data": null, "start_time": 0,'
        b' "stop_time": 0, "nodes_used": 0, "services": []}}\n',
        b"[" * 100_000 + b"\n",
    ],
    ids=["level", "time", "nodes", "status", "depth"],
)
def test_values_that_would_upset_the_driver_are_refused(line: bytes) -> None:
    with pytest.raises(ValueError):
        decode(line)
