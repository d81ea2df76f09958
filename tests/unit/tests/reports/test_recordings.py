# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
from pathlib import Path

from ducktape.tests.reports.recordings import Recordings, recorded

DECLARATION = '{"name": "lag", "kind": "series", "unit": "messages"}\n'
POINT = '{"name": "lag", "time": %f, "value": %d}\n'


def test_points_are_read_by_metric_and_node(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text(
        DECLARATION
        + POINT % (100, 1)
        + '{"name": "late", "time": 101.0, "value": 4}\n'
        + '{"name": "write_ms", "kind": "histogram", "time": 1, "count": 3}\n'
        + POINT % (102, 2)
    )
    samples = [{"time": 100.5, "node": node, "cpu_cores": 0.5, "odd": "x"} for node in ("n1", "n2")]
    (tmp_path / "node-metrics.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in samples))
    found = Recordings.read(str(tmp_path), {"late": {"kind": "series", "unit": "s"}}, 1 << 20)
    assert {name: (each.kind, each.unit) for name, each in found.metrics.items()} == {
        "lag": ("series", "messages"),
        "late": ("series", "s"),
    }
    assert found.metrics["lag"].track.within(100, 110) == [(0, 1), (2, 2)]
    assert found.metrics["lag"].track.within(101, 110) == [(1, 2)]
    assert {name: list(tracks) for name, tracks in found.nodes.items()} == {"cpu_cores": ["n1", "n2"]}
    assert found.nodes["cpu_cores"]["n2"].within(100, 110) == [(0.5, 0.5)]
    assert not found.is_cut


def test_lines_that_make_no_sense_are_passed_over(tmp_path: Path) -> None:
    nonsense = [b"\xff\xfe", b"[1]", b"[" * 100_000, b'{"name": 3, "value": 1}']
    nonsense += [b'{"name": "x", "time": NaN, "value": 1}', b'{"name": "x", "time": 5, "value": 1e999}']
    nonsense += [b'{"name": "x", "time": 1, "value": Infinity}', b'{"name": "x", "time": 1, "value": "9"}', b"1" * 5000]
    nonsense += [b'{"name": "y", "kind": ["series"], "time": 1, "value": 2}', b'{"node": 7, "time": 1, "a": 1}', b""]
    (tmp_path / "metrics.jsonl").write_bytes(b"\n".join([*nonsense, b'{"na']))
    (tmp_path / "node-metrics.jsonl").write_bytes(b"\n".join([*nonsense, b'{"node": "n", "time": 1, "a": true}']))
    found = Recordings.read(str(tmp_path), {"x": 3}, 1 << 20)
    assert [len(each.track) for each in found.metrics.values()] == [0]
    assert found.nodes == {}


def test_the_last_part_of_a_long_file_is_read(tmp_path: Path) -> None:
    with open(tmp_path / "metrics.jsonl", "w") as file:
        file.write(DECLARATION)
        file.writelines(POINT % (1000 + number, number) for number in range(20_000))
    found = Recordings.read(str(tmp_path), {}, 100_000)
    points = found.metrics["lag"].track.within(1000, 30_000)
    assert found.metrics["lag"].unit == "messages"
    assert points[-1] == (19_999.0, 19_999.0)
    assert len(points) == 100_000 // len(POINT % (20_000, 19_999))
    assert (found.is_cut, found.size <= 100_000) == (True, True)
    nothing = Recordings.read(str(tmp_path), {}, 1000)
    assert (nothing.metrics, nothing.is_cut, nothing.size) == ({}, True, 0)


def test_attempts_share_what_may_be_read(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        directory = tmp_path / f"attempt-{number}"
        directory.mkdir()
        (directory / "metrics.jsonl").write_text("".join(POINT % (number, each) for each in range(4_000)))
    size = (tmp_path / "attempt-3" / "metrics.jsonl").stat().st_size
    found = recorded(str(tmp_path), [1, 1, 2, 3], {}, 2 * size)
    assert [each.size for each in found] == [0, 0, size, size]
    assert [[time for time, _ in each.metrics["lag"].track.within(0, 9)][:1] for each in found[2:]] == [[2], [3]]


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "metrics.jsonl")
    (tmp_path / "node-metrics.jsonl").mkdir()
    assert [each.metrics for each in recorded(str(tmp_path), [], {}, 1 << 20)] == [{}, {}]
    assert [each.metrics for each in recorded(str(tmp_path / "nowhere"), [], {}, 1 << 20)] == [{}, {}]
