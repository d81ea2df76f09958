# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ducktape.tests.reports.log_times import Level, StampReader

NOON = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.timezone.utc).timestamp()


def read(line: str, near: float = NOON + 30) -> tuple[float, bool, str] | None:
    """What is read of a line: seconds since noon in UTC, whether it has a zone, and its level."""
    stamp = StampReader(near).read(line)
    return None if stamp is None else (round(stamp.time - NOON, 9), stamp.has_zone, stamp.level.name.lower())


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("2026-11-30 12:00:01,123 [main] INFO org.apache.Peer - starting", (1.123, False, "info")),
        ("[2026-11-30 12:00:01,123] WARN slow (kafka.server)", (1.123, False, "warn")),
        ("[INFO  - 2026-11-30 12:00:01,123 - test - run - lineno:1]: an ERROR", (1.123, False, "info")),
        ("[DEBUG:2026-11-30 12:00:01,123]: hello", (1.123, False, "debug")),
        ("INFO  [MemtableFlush:1] 2026-11-30 12:00:01,123 Memtable.java:1", (1.123, False, "info")),
        ("2026-11-30T12:00:01.123456Z  TRACE db: x", (1.123456, True, "debug")),
        ("2026-11-30T12:00:01.123456789+00:00 stderr F x", (1.123456836, True, "unknown")),
        ("2026-11-30T14:00:01+0200 FATAL x", (1, True, "error")),
        ("2026-11-30 07:30:01.5 -04:30 LOG:  ready", (1.5, True, "info")),
        ("2026-11-30 12:00:01 UTC [17] ERROR:  no such table", (1, True, "error")),
        ('time="2026-11-30T12:00:01Z" level=warning msg=x', (1, True, "warn")),
        ("level=error ts=2026-11-30T12:00:01.5Z caller=main.go", (1.5, True, "error")),
        ('{"level":"warn","ts":"2026-11-30T12:00:01.123Z","msg":"slow"}', (1.123, True, "warn")),
        ('{"msg":"x","@timestamp":"2026-11-30T13:00:01,123+0100","log.level":"INFO"}', (1.123, True, "info")),
        (f'{{"level":50,"time":{int(NOON) * 1000 + 1123}}}', (1.123, True, "error")),
        (f'{{"ts": {int(NOON)}.25, "severity": "NOTICE"}}', (0.25, True, "info")),
        ("123:M 30 Nov 2026 12:00:01.123 * Ready", (1.123, False, "info")),
        ("123:M 30 Nov 2026 12:00:01.123 # Failing over", (1.123, False, "warn")),
        ("30-Nov-2026 12:00:01.123 SEVERE [main] x", (1.123, False, "error")),
        ("W1130 12:00:01.123456   17 server.go:9] slow", (1.123456, False, "warn")),
        ("E20261130 12:00:01.123456 17 server.cc:9] no", (1.123456, False, "error")),
        ("2026/11/30 12:00:01 [error] 5#5: *1 open() failed", (1, False, "error")),
        ("2026/11/30 12:00:01.123456 main.go:17: hello", (1.123456, False, "unknown")),
        ('10.0.0.1 - - [30/Nov/2026:14:00:01 +0200] "GET / HTTP/1.1" 200', (1, True, "unknown")),
        ("Nov 30 12:00:01 node1 sshd[17]: hello", (1, False, "unknown")),
        ("[Mon Nov 30 12:00:01.5 2026] [core:warn] [pid 17] x", (1.5, False, "warn")),
        (f"{int(NOON)}.123456 [0 127.0.0.1:1] PING", (0.123456, True, "unknown")),
        (f"[{int(NOON) * 1000 + 1}] hello", (0.001, True, "unknown")),
        ("12:00:01.123 [main] DEBUG x", (1.123, False, "debug")),
        ("INFO 12:00:01 x", (1, False, "info")),
    ],
)
def test_the_time_and_the_level_of_a_line_are_found(line: str, expected: tuple[float, bool, str]) -> None:
    found = read(line)
    assert found is not None
    assert found[0] == pytest.approx(expected[0], abs=1e-6)
    assert found[1:] == expected[1:]


@pytest.mark.parametrize(
    "line",
    [
        *("", "hello", "\tat org.apache.Peer.run(Peer.java:2026)", "    2026-11-30 12:00:01 in a block of text"),
        *("99:99:99 x", "24:00:00 x", "2026-13-45 12:00:01 x", "2026-02-30 12:00:01 x", "0000-01-01 00:00:00 x"),
        *("Feb 30 12:00:01 x", "I1399 12:00:01.5 x", "10.12.14.16:12:00:01 x", "1234567890 is too long ago"),
        *('{"ts":', '{"ts":1e999}', '{"ts":"yesterday"}', '{"time": 12}', "{", "\x00\x1b[31m", "\u0661\u0662:00:01"),
        "x" * 70 + " 2026-11-30 12:00:01 in the middle of a message",
    ],
)
def test_other_lines_have_no_time(line: str) -> None:
    assert read(line) is None


def test_a_year_or_a_date_that_is_missing_is_the_nearest() -> None:
    midnight = datetime.datetime(2027, 1, 1, tzinfo=datetime.timezone.utc).timestamp()
    lines = ("Dec 31 23:59:59 x", "Jan  1 00:00:01 x", "23:59:59 x", "00:00:01 x")
    stamps = [StampReader(midnight + offset).read(line) for line in lines for offset in (-5, 5)]
    assert [stamp and stamp.time - midnight for stamp in stamps] == [-1, -1, 1, 1, -1, -1, 1, 1]
    leap = datetime.datetime(2028, 2, 29, 12, tzinfo=datetime.timezone.utc).timestamp()
    assert [stamp and stamp.time - leap for stamp in [StampReader(leap + 9).read("Feb 29 12:00:00 x")]] == [0]


def test_a_clock_alone_runs_past_midnight() -> None:
    reader = StampReader(NOON)
    stamps = [reader.read(f"{hour % 24:02d}:00:00 x") for hour in range(12, 80, 4)]
    assert [stamp and (stamp.time - NOON) / 3600 for stamp in stamps] == list(range(0, 68, 4))


def test_a_file_with_dates_has_no_vaguer_times() -> None:
    reader = StampReader(NOON)
    lines = ("12:00:01 before", "2026-11-30 12:00:02 x", "12:00:03 of something else", f"{int(NOON)} records")
    assert [stamp is not None for stamp in map(reader.read, lines)] == [True, True, False, False]


def test_several_formats_in_one_file_are_read() -> None:
    reader = StampReader(NOON)
    lines = ("I1130 12:00:01 x", "2026-11-30 12:00:02 x", "Nov 30 12:00:03 x", "I1130 12:00:04 x") * 2
    assert [stamp and stamp.time - NOON for stamp in map(reader.read, lines)] == [1, 2, 3, 4, 1, 2, 3, 4]


@given(st.text(max_size=80), st.sampled_from(["", "2026-11-30 ", "12:00:01", '{"ts":"', "{", "I1130 ", "30 Nov 2026 "]))
def test_no_line_is_too_strange(text: str, beginning: str) -> None:
    for line in (beginning + text, text + beginning):
        stamp = StampReader(NOON).read(line)
        assert stamp is None or (isinstance(stamp.time, float) and isinstance(stamp.level, Level))
