# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from ducktape.tests.reports.session_details import Allocation, SessionDetails
from ducktape.tests.reports.timeline import Bar, seconds_text, timeline
from ducktape.tests.result import FAIL, PASS, TestResults
from tests.unit.tests.reports.samples import START, fault, result, session


def session_of(seconds: float, *faults: dict[str, Any]) -> TestResults:
    of = session()
    results = TestResults(of)
    results.append(result("test_pass", 1, PASS, seconds=5, of=of))
    results.append(result("test_fail", 2, FAIL, "oh", seconds=5, of=of, faults=faults))
    results.start_time, results.stop_time = START, START + seconds
    return results


def given(**nodes: tuple[float, float | None, list[str]]) -> SessionDetails:
    details = SessionDetails()
    for index, (start, end, names) in nodes.items():
        until = None if end is None else START + end
        details.allocations[int(index.removeprefix("t"))] = [Allocation(tuple(names), START + start, until)]
    return details


def test_tests_are_where_and_when_they_had_their_nodes() -> None:
    picture = timeline(session_of(100), given(t1=(10, 30, ["node10", "node2"]), t2=(50, None, ["node1"])))
    assert picture is not None
    assert picture.lanes == ["node1", "node2", "node10"]
    assert [(span.kind, span.bars) for span in picture.tests] == [
        ("pass", [Bar("10.00", "20.00", 1, 2)]),
        ("fail", [Bar("50.00", "50.00", 0, 1)]),
    ]
    assert picture.tests[1].text == "demo_tests.test_demo.DemoTest.test_fail: fail, 5.0 s"
    assert [tick.text for tick in picture.ticks][:3] == ["0", "10 s", "20 s"]
    assert (picture.height, picture.left_out, picture.faults) == (48, 0, [])


def test_faults_are_on_their_nodes_until_they_are_healed() -> None:
    faults = [
        fault("isolate", "n1", injected=1, lasts=2),
        fault("kill", "n2", injected=2, lasts=None),
        fault("slow", "elsewhere"),
        fault("drop", "n1", injected=-50),
        {"fault": "odd", "nodes": 3},
    ]
    picture = timeline(session_of(10, *faults), given(t2=(0, 10, ["n1", "n2"])))
    assert picture is not None
    assert [(span.text, span.bars) for span in picture.faults] == [
        ("isolate on n1", [Bar("10.00", "20.00", 0, 1)]),
        ("kill on n2", [Bar("20.00", "30.00", 1, 1)]),
    ]


def test_what_there_is_no_room_for_is_counted() -> None:
    picture = timeline(session_of(10), given(t1=(0, 10, [f"n{number}" for number in range(130)]), t9=(0, 1, ["n1"])))
    assert picture is not None
    assert (len(picture.lanes), picture.left_out, len(picture.tests)) == (100, 30, 1)


def test_there_is_no_picture_of_what_nobody_knows() -> None:
    assert timeline(session_of(10), SessionDetails()) is None
    results = session_of(10)
    results.start_time = -1
    assert timeline(results, given(t1=(0, 1, ["n1"]))) is None


def test_what_is_outside_of_the_session_stays_inside_of_the_picture() -> None:
    picture = timeline(session_of(0), given(t1=(-5, 5, ["n\u00b2", "n1"])))
    assert picture is not None
    assert picture.tests[0].bars == [Bar("0.00", "100.00", 0, 2)]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        *[(-1, "0.00 s"), (0.254, "0.25 s"), (0.996, "1.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.6, "1:00 min")],
        *[(185, "3:05 min"), (3723, "1:02:03 h")],
    ],
)
def test_durations_are_short(seconds: float, expected: str) -> None:
    assert seconds_text(seconds) == expected
