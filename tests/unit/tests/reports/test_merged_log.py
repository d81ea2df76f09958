# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import datetime
import itertools
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ducktape.cluster.health.clocks import Offset
from ducktape.json_serializable import strict_dumps
from ducktape.tests.recording.clocks import write_offsets
from ducktape.tests.reports.merged_log import MOST_BYTES, MOST_LINES, MergedLog, merged_log
from ducktape.tests.reports.session_details import Phase
from ducktape.tests.result import FAIL, FLAKY, TestResult
from tests.unit.tests.reports.samples import HOSTILE, START, attempt, fault, result

PHASES = (Phase(1, "setup", START + 1), Phase(1, "test", START + 2), Phase(1, "teardown", START + 50))
SERVICE = "Store-0-139707473729104"


def at(seconds: float, zone: str = "", hours: float = 0) -> str:
    """A moment of the test as servers write it, which may be in another time zone."""
    moment = datetime.datetime.fromtimestamp(START + seconds + hours * 3600, datetime.timezone.utc)
    return f"{moment:%Y-%m-%d %H:%M:%S},{moment.microsecond // 1000:03d}{zone}"


def put(directory: Path, path: str, *lines: str | bytes) -> None:
    (directory / path).parent.mkdir(parents=True, exist_ok=True)
    encoded = [line if isinstance(line, bytes) else line.encode("utf-8", "surrogatepass") for line in lines]
    (directory / path).write_bytes(b"\n".join([*encoded, b""]))


def merged(directory: Path, of: TestResult | None = None, phases: Sequence[Phase] = PHASES) -> MergedLog:
    return merged_log(of or failed(), phases, str(directory))


def failed(*faults: dict[str, Any], seconds: float = 60) -> TestResult:
    return result("test_fail", 1, FAIL, "AssertionError: oh\nTraceback", seconds=seconds, faults=faults)


def shown(log: MergedLog) -> list[str]:
    """Every entry: its second, its node, its kind and its text without the time."""
    found = []
    for entry in log.entries:
        node = "-" if entry.source < 0 else log.sources[entry.source].node or "test"
        text = entry.text.partition("] ")[2] or entry.text
        found.append(f"{entry.time - log.start:.1f} {node} {entry.kind} {text}")
    return found


def test_the_logs_of_all_nodes_and_of_the_test_are_in_the_order_of_time(tmp_path: Path) -> None:
    put(tmp_path, "test_log.debug", f"[INFO  - {at(1.5)} - a - b - lineno:1] begins", f"[DEBUG - {at(30)} - a] asks")
    put(tmp_path, "test_log.info", f"[INFO  - {at(1.5)} - a - b - lineno:1] begins")
    put(tmp_path, f"{SERVICE}/node1/store.log", f"{at(2)} [main] INFO a", f"{at(31)} [main] ERROR b", "\tat x", "", "c")
    put(tmp_path, f"{SERVICE}/node2/store.log", f"[{at(20, 'Z')}] WARN d", f"[{at(29, '+0000')}] INFO e")
    kill = fault("kill", "node1", injected=28, lasts=4, details={"signal": "KILL"})
    log = merged(tmp_path, failed(kill))
    assert shown(log) == [
        "1.0 - phase setup",
        "1.5 test info begins",
        "2.0 - phase test",
        "2.0 node1 info INFO a",
        "20.0 node2 warn WARN d",
        "28.0 - fault kill on node1 (signal=KILL): injected",
        "28.2 - fault kill on node1: in effect",
        "29.0 node2 info INFO e",
        "30.0 test debug asks",
        "31.0 node1 error ERROR b\n\tat x\nc",
        "32.0 - fault kill on node1: healed by the test",
        "50.0 - phase teardown",
        "50.0 - failure failed: AssertionError: oh",
    ]
    assert [tuple(source) for source in log.sources] == [
        ("", "test_log.debug"),
        ("node1", f"{SERVICE}/node1/store.log"),
        ("node2", f"{SERVICE}/node2/store.log"),
    ]
    assert log.notes == []
    data = log.to_json()
    assert (data["start"], data["sources"]) == (START, [[*source] for source in log.sources])
    entries = data["entries"]
    assert isinstance(entries, list)
    assert entries[:2] == [[1000, -1, "phase", "setup"], [1500, 0, "info", log.entries[1].text]]


def test_the_clock_of_a_node_that_a_fault_made_wrong_is_corrected_and_named(tmp_path: Path) -> None:
    skew = fault("skew_clock", "node2", injected=10, lasts=30, details={"seconds": 30})
    put(tmp_path, f"{SERVICE}/node1/a.log", *(f"{at(each)} INFO [x] {each}" for each in (5, 15, 25, 39, 45)))
    put(tmp_path, f"{SERVICE}/node2/a.log", *(f"{at(each)} INFO [x] {each}" for each in (6, 46, 56, 68, 46)))
    log = merged(tmp_path, failed(skew), ())
    lines = [each for each in shown(log) if each.split()[1] != "-"]
    assert lines == [
        *("5.0 node1 info 5", "6.0 node2 info 6", "15.0 node1 info 15", "16.0 node2 info 46"),
        *("25.0 node1 info 25", "26.0 node2 info 56", "38.0 node2 info 68", "39.0 node1 info 39"),
        *("45.0 node1 info 45", "46.0 node2 info 46"),
    ]
    assert log.notes == ["node2: -30 s while its clock was skewed"]
    entries = log.to_json()["entries"]
    assert isinstance(entries, list)
    assert [entry[0] for entry in entries if entry[4:] == [-30_000]] == [16_000, 26_000, 38_000]


def test_a_node_in_another_time_zone_is_named(tmp_path: Path) -> None:
    put(tmp_path, f"{SERVICE}/node1/a.log", f"{at(5, hours=-3.5)} INFO [x] a")
    put(tmp_path, "test_log.info", f"[INFO  - {at(4, hours=1)} - a] b")
    log = merged(tmp_path, phases=())
    assert shown(log) == ["4.0 test info b", "5.0 node1 info a", "60.0 - failure failed: AssertionError: oh"]
    assert log.notes == [f"node1, {SERVICE}/node1/a.log: +3:30 h, another time zone"]


def test_the_offset_of_a_clock_that_was_measured_is_corrected_and_named(tmp_path: Path) -> None:
    write_offsets(str(tmp_path), {"node1": Offset(75.5, 0.012)})
    skew = fault("skew_clock", "node1", injected=10, lasts=30, details={"seconds": 30})
    put(tmp_path, f"{SERVICE}/node1/a.log", *(f"{at(each + 75.5, hours=2)} INFO [x] {each}" for each in (5, 65, 41)))
    log = merged(tmp_path, failed(skew), ())
    found = [(entry.time - log.start, entry.text[-2:], entry.correction) for entry in log.entries if entry.source >= 0]
    assert found == [(5, " 5", -75.5), (35, "65", -105.5), (41, "41", -75.5)]
    assert log.notes == [
        "node1: -30 s while its clock was skewed",
        "node1: -75.500 s, as measured after the test, ± 0.012 s",
        f"node1, {SERVICE}/node1/a.log: -2:00 h, another time zone",
    ]


def test_what_is_no_log_of_the_test_is_left_out_and_named(tmp_path: Path) -> None:
    put(tmp_path, "stdout.txt", f"[INFO  - {at(1)} - a] known", f"[INFO  - {at(2)} - a] printed", "without a time")
    put(tmp_path, "test_log.debug", f"[INFO  - {at(1)} - a] known")
    put(tmp_path, "metrics.jsonl", '{"time": %f}' % (START + 1))
    put(tmp_path, "state.json", '{"time": %f}' % (START + 1))
    put(tmp_path, f"{SERVICE}/node1/notes.txt", "no times")
    put(tmp_path, f"{SERVICE}/node1/empty.log")
    put(tmp_path, f"{SERVICE}/node1/core", at(1), b"\0\1" * 9)
    put(tmp_path, f"{SERVICE}/node1/old.log", at(-7200, "Z"), at(-7100, "Z"), at(3, "Z") + "] new", at(9e9, "Z"))
    os.symlink(tmp_path / "test_log.debug", tmp_path / "link.log")
    log = merged(tmp_path, phases=())
    assert shown(log)[:-1] == [
        "1.0 test info known",
        "2.0 test info printed\nwithout a time",
        f"3.0 node1  new\n{at(9e9, 'Z')}",
    ]
    assert log.notes == [
        "Left out, from before the test: 2 lines",
        f"Left out, since without times: {SERVICE}/node1/notes.txt",
    ]


def test_all_attempts_are_in_one_log(tmp_path: Path) -> None:
    put(tmp_path, "attempt-1/test_log.debug", f"[INFO  - {at(-99)} - a] one")
    put(tmp_path, f"attempt-2/{SERVICE}/node1/a.log", f"{at(5)} INFO [x] two")
    of = result("test_flaky", 7, FLAKY, "once", seconds=60)
    first = attempt(1, "fail", "assertion", "AssertionError('x')\nmore", directory="attempt-1")
    of.attempts = [first | {"start_time": START - 100, "stop_time": START - 90}, attempt(2)]
    phases = [Phase(1, "test", START - 100), Phase(1, "stop", START - 95), Phase(2, "test", START)]
    assert shown(merged(tmp_path, of, phases)) == [
        *("0.0 - phase attempt 1: test", "1.0 test info one", "5.0 - phase attempt 1: stop"),
        *("5.0 - failure attempt 1 failed: AssertionError('x')", "100.0 - phase attempt 2: test"),
        "105.0 node1 info two",
    ]


def size(log: MergedLog) -> int:
    """The bytes of a log in the page."""
    return len(strict_dumps(log.to_json()).replace("<", "\\u003c"))


def test_where_there_is_no_room_what_is_serious_or_near_a_fault_stays(tmp_path: Path) -> None:
    kinds = {number: "ERROR" if number % 5000 == 0 else "INFO" for number in range(30_000)}
    put(tmp_path, f"{SERVICE}/node1/a.log", *(f"{at(number / 500)} {kinds[number]} [x] {number}" for number in kinds))
    log = merged(tmp_path, failed(fault("kill", "node1", injected=20, lasts=1)), ())
    kept = [int(entry.text.split("] ")[1]) for entry in log.entries if entry.source >= 0]
    gaps = [(one, other) for one, other in itertools.pairwise(kept) if other - one > 1]
    (first, last, end) = (gaps[0][1], gaps[1][0], gaps[2][1])
    # Around the fault, from second 20 to 21, and before the end as many seconds
    assert gaps == [(0, first), (last, 20_000), (20_000, end)]
    assert [last - 10_500, 30_000 - end] == pytest.approx([10_000 - first] * 2, abs=2)
    assert kept[-1] == 29_999
    assert [entry.kind for entry in log.entries if entry.source < 0] == ["fault"] * 3 + ["failure"]
    assert log.notes == [f"Left out, as farthest from faults and failures: {30_000 - len(kept):,} lines"]
    assert 0.95 * MOST_BYTES < size(log) < MOST_BYTES + 1000


def test_a_log_has_not_too_many_lines(tmp_path: Path) -> None:
    clock = at(1)[11:19]
    put(tmp_path, "test_log.info", *[f"{clock} x", "y", "z"] * 10_000)
    log = merged(tmp_path, phases=())
    assert MOST_LINES - 2 <= sum(entry.text.count("\n") + 1 for entry in log.entries) <= MOST_LINES
    assert log.notes[0].startswith("Left out, as farthest from faults and failures: 10,00")


def test_a_log_of_long_lines_is_no_larger_than_allowed(tmp_path: Path) -> None:
    put(tmp_path, f"{SERVICE}/node1/a.log", *(f"{at(number / 50)} INFO {'<' * 3000}" for number in range(1000)))
    log = merged(tmp_path, phases=())
    assert 0.95 * MOST_BYTES < size(log) < MOST_BYTES + 1000
    assert log.entries[-1].text == "failed: AssertionError: oh"


def test_hostile_content_is_bounded_and_text(tmp_path: Path) -> None:
    put(
        tmp_path,
        f"{SERVICE}/node1/a.log",
        "first",
        f"{at(1)} {HOSTILE.replace(chr(0), '')} \u202edexif\u202c",
        b"\xff\xfe",
    )
    put(tmp_path, f"{SERVICE}/node1/b.log", f"{at(2)} \x1b[31mERROR\x1b[0m \x1b]0;title\x07", "y" * 10_000_000)
    put(tmp_path, f"{SERVICE}/node1/c.log", f"{at(3)} x", *[""] * 1_000_000, "9999-12-31 23:59:59 y")
    put(tmp_path, f"{SERVICE}/node1/d.log", f"{at(4)} x", *["z"] * 1_000_000)
    put(tmp_path, "<img src=x>.log", f"{at(5)} x")
    started = time.process_time()
    log = merged(tmp_path, phases=())
    # Some 3 s on a slow machine
    assert time.process_time() - started < 20
    texts = [entry.text for entry in log.entries]
    assert texts[0] == "first"
    assert texts[1].endswith(r" \u202edexif\u202c" + "\n\ufffd\ufffd")
    assert "\\x1b[31mred" not in texts[1] and "</script><!-- &" in texts[1]
    assert texts[2] == f"{at(3)} x\n9999-12-31 23:59:59 y"
    assert texts[3] == f"{at(4)} x\n" + "z\n" * 99 + "… 999,901 more lines"
    assert not any(set(text) & set("\x00\x07\x1b\u202e") for text in texts)
    assert max(map(len, texts)) < 11_000


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=5), st.integers(-100, 200))
def test_whatever_a_log_has_it_becomes_text(tmp_path: Path, lines: list[bytes], second: int) -> None:
    put(tmp_path, f"{SERVICE}/node1/a.log", *lines, at(second).encode() + b" x", *lines)
    log = merged(tmp_path)
    assert not any(set(entry.text) & set("\x00\x07\x1b\x7f") for entry in log.entries)
    assert [entry.time for entry in log.entries] == sorted(entry.time for entry in log.entries)


def test_records_that_make_no_sense_do_not_cost_the_log(tmp_path: Path) -> None:
    put(tmp_path, "test_log.info", f"[INFO  - {at(1)} - a] b")
    strange: list[dict[str, Any]] = [
        {},
        {"fault": "skew_clock", "nodes": 4, "details": [5], "injected": 1, "healed": "x"},
        {"fault": "skew_clock", "nodes": [4, None, "/"], "details": {"seconds": "x"}, "injected": START},
        {"fault": "skew_clock", "nodes": [4, None, "/"], "details": {"seconds": 1e300}, "injected": START},
        {"fault": "skew_clock", "nodes": ["n"], "details": {"seconds": float("nan")}, "injected": float("nan")},
    ]
    of = failed(*strange)
    of.attempts = [{}, {"number": "x", "status": "fail", "start_time": "x", "stop_time": None, "summary": 3}]
    assert "1.0 test info b" in shown(merged(tmp_path, of))
    of.start_time = -1
    assert merged(tmp_path, of).entries == []
