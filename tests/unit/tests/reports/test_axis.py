# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ducktape.tests.reports import html
from ducktape.tests.reports.axis import Axis, Budget, axis
from ducktape.tests.reports.session_details import Phase, SessionDetails
from ducktape.tests.result import FAIL, TestResult, TestResults
from tests.unit.tests.reports.samples import START, fault, result, session


def failed(folder: Path, seconds: float = 100, **more: Any) -> TestResult:
    return result("test_fail", 1, FAIL, "oh", seconds=seconds, of=session(folder), **more)


def details_of(folder: Path, *phases: tuple[int, str, float]) -> SessionDetails:
    details = SessionDetails(str(folder))
    details.phases[1] = [Phase(attempt, name, START + since) for attempt, name, since in phases]
    return details


def record(folder: Path, test: TestResult, name: str, *lines: dict[str, Any], directory: str = "") -> None:
    """Write a file of a test; times are those since its start."""
    path = folder / test.relative_results_dir / directory
    path.mkdir(parents=True, exist_ok=True)
    shifted = [{**line, "time": START + line["time"]} if "time" in line else line for line in lines]
    (path / name).write_text("".join(f"{json.dumps(line)}\n" for line in shifted))


def series(name: str, values: dict[float, float], kind: str = "series", **more: Any) -> list[dict[str, Any]]:
    points = [{"name": name, "time": time, "value": value} for time, value in values.items()]
    return [{"name": name, "kind": kind, **more}, *points]


def picture_of(folder: Path, test: TestResult, *phases: tuple[int, str, float]) -> Axis:
    found = axis(test, details_of(folder, *phases), Budget())
    assert found is not None
    return found


def test_phases_faults_and_metrics_share_an_axis(tmp_path: Path) -> None:
    groups = {"details": {"groups": [["n1"], ["n2", "n3"]]}}
    test = failed(
        tmp_path,
        faults=[
            fault("partition", "n1", "n2", "n3", injected=10, lasts=50, **groups),
            fault("kill", "n2", injected=80, lasts=None),
            fault("pause", "n2", injected=60, lasts=5),
            fault("slow", "n9", injected=-1000),
            {"fault": "odd", "nodes": 3, "injected": "x"},
        ],
    )
    lag = dict.fromkeys(map(float, range(0, 101, 2)), 40.0) | {50.0: 100.0, 70.0: 0.0}
    # Nothing was recorded between 20 and 40
    lag = {time: value for time, value in lag.items() if not 20 < time < 40}
    record(
        tmp_path,
        test,
        "metrics.jsonl",
        *series("lag", lag, unit="messages"),
        *series("failover", {25: 0.5, 75: 2.0}, "value", unit="s"),
        {"name": "failover", "time": -1e9, "value": 77},
    )
    found = picture_of(tmp_path, test, (1, "setup", 0), (1, "test", 2), (1, "teardown", 90))
    assert [(tick.at, tick.text) for tick in found.ticks][:3] == [("0%", "0"), ("20%", "20"), ("40%", "40")]
    assert found.ticks[-1] == ("100%", "100 s", True)
    shown = [(bar.kind, bar.left, bar.width, bar.text, bar.side) for bar in found.bars]
    assert shown == [
        ("phase", "0%", "2%", "", "right"),
        ("phase", "2%", "88%", "test", "inside"),
        ("phase", "90%", "10%", "teardown", "left"),
        ("fault", "10%", "50%", "partition n1 | n2, n3", "inside"),
        ("fault", "80%", "20%", "kill n2", "left"),
        ("fault", "60%", "5%", "pause n2", "left"),
    ]
    assert found.bars[0].title == "setup: 2 s, from 0 s"
    assert found.bars[3].title == "partition n1 | n2, n3: from 10 s to 60 s, by the test"
    assert [bar.top for bar in found.bars] == [0, 0, 0, 18, 36, 54]
    assert found.shades == found.bars[3:]
    lines, dots = found.plots
    assert (lines.name, lines.about, lines.kind) == ("lag", "0 messages to 100 messages", "line")
    assert [tick.text for tick in lines.ticks] == ["0", "50", "100"]
    # A line with a gap, and a peak at its top
    [line] = lines.lines
    assert re.findall(r"M(\d+)", line.path) == ["0", "400"]
    assert " 200 240M400 240 " in line.path
    assert " 500 0 " in line.path
    assert [(mark.left, mark.text) for mark in lines.marks] == [
        ("50%", "max 100 messages at 50 s"),
        ("70%", "min 0 messages at 70 s"),
    ]
    assert (dots.kind, dots.lines[0].path) == ("dots", "M250 300h0M750 0h0")
    assert found.notes == ["Points outside of the time of the test: 1."]
    assert found.label.startswith("100 s of the test: phases setup, test, teardown; 5 faults: partition n1 | n2, n3 ")
    assert found.label.endswith("lag 0 messages to 100 messages; failover 500 ms to 2 s")


def test_the_most_eventful_nodes_have_lines_that_end_where_a_node_was_cut_off(tmp_path: Path) -> None:
    test = failed(tmp_path, seconds=20)
    samples = [
        {"time": time, "node": f"n{node}", "cpu_cores": (time % 2) * node / 10, "memory_used_bytes": 2e6, "load": node}
        for time in range(20)
        for node in range(1, 11)
        if node != 9 or not 5 < time < 12
    ]
    record(tmp_path, test, "node-metrics.jsonl", *samples, {"time": 3, "node": "n9", "cpu_cores": "much"})
    found = picture_of(tmp_path, test)
    assert found.nodes == ["n10", *(f"n{number}" for number in range(3, 10))]
    assert found.notes == ["Nodes left out, whose values changed less: 2."]
    processor, memory, other = found.plots
    assert [(each.name, each.about, len(each.lines)) for each in (processor, memory, other)] == [
        ("Processor", "0 cores to 1 cores", 8),
        ("Memory used", "always 2 MB", 0),
        ("load", "3 to 10", 8),
    ]
    assert [re.findall(r"M(\d+)", line.path) for line in processor.lines] == [*[["0"]] * 7, ["0", "600"]]
    assert processor.marks[0].text == "n10: max 1 cores at 1 s"


def test_attempts_follow_each_other(tmp_path: Path) -> None:
    test = failed(tmp_path, seconds=50)
    test.start_time = START + 30  # that of the last attempt
    for number in (1, 2):
        values = {30.0 * number - 30 + each: each for each in (1.0, 2.0)}
        record(tmp_path, test, "metrics.jsonl", *series("lag", values), directory=f"attempt-{number}")
    found = picture_of(tmp_path, test, (1, "setup", 0), (1, "test", 10), (2, "setup", 30), (2, "test", 40))
    assert [(bar.kind, bar.text, bar.left, bar.width) for bar in found.bars] == [
        ("attempt", "attempt 1", "0%", "60%"),
        ("attempt", "attempt 2", "60%", "40%"),
        *(("phase", "setup", "0%", "20%"), ("phase", "test", "20%", "40%")),
        *(("phase", "setup", "60%", "20%"), ("phase", "test", "80%", "20%")),
    ]
    assert [line.path for line in found.plots[0].lines] == ["M20 200 40 0M620 200 640 0"]


def test_phases_alone_are_no_picture(tmp_path: Path) -> None:
    test = failed(tmp_path)
    assert axis(test, details_of(tmp_path, (1, "setup", 0)), Budget()) is None
    record(tmp_path, test, "metrics.jsonl", {"name": "write_ms", "kind": "histogram", "time": 1, "count": 3})
    assert axis(test, details_of(tmp_path, (1, "setup", 0)), Budget()) is None
    record(tmp_path, test, "metrics.jsonl", *series("lag", {1: 1}))
    assert axis(test, SessionDetails(), Budget()) is None  # the session goes on
    test.stop_time = -1
    assert axis(test, details_of(tmp_path), Budget()) is None


def test_a_page_has_room_for_some_pictures(tmp_path: Path) -> None:
    test = failed(tmp_path)
    record(tmp_path, test, "metrics.jsonl", *series("lag", {float(each): each for each in range(100)}))
    whole = picture_of(tmp_path, test)
    budget = Budget(characters=2 * whole.characters + 10)
    first, second, third = (axis(test, details_of(tmp_path), budget) for _ in range(3))
    assert (first, second, budget.characters) == (whole, whole, 10)
    assert third is not None
    assert (third.height, third.plots) == (0, [])
    assert third.notes == [
        "There is no room for more plots in this page: see metrics.jsonl and node-metrics.jsonl of the test."
    ]
    assert axis(test, details_of(tmp_path), Budget(file_bytes=0)) == third


def test_hundreds_of_faults_and_metrics_are_bounded(tmp_path: Path) -> None:
    faults = [fault("pause", f"n{number}", injected=number / 10, lasts=0.05) for number in range(500)]
    test = failed(tmp_path, faults=faults)
    lines = [line for number in range(100) for line in series(f"metric {number}", {1: number})]
    record(tmp_path, test, "metrics.jsonl", *lines)
    found = picture_of(tmp_path, test)
    assert (len(found.bars), len(found.shades), len(found.plots)) == (12, 200, 20)
    assert found.notes == ["Faults that are only shaded: 188.", "Metrics that are only in metrics.jsonl: 80."]
    assert len(found.label) <= 1001


def test_hostile_names_are_shown_as_text(tmp_path: Path) -> None:
    nasty = "</svg><script>document.title='taken'</script>\x00\"'"
    summary = {nasty: {"kind": "series", "unit": nasty[:30], "better": "<b>", "count": 1e308, "p50": "x", "max": 1}}
    # With the text inside, to the right and to the left of the bar
    faults = [fault(nasty, nasty, injected=start, lasts=lasts) for start, lasts in ((1, 60), (2, 3), (90, 5))]
    test = failed(tmp_path, faults=faults, metrics=summary)
    record(tmp_path, test, "metrics.jsonl", *series(nasty, {1: -1e308, 2: 1e308, 3: 5}, unit=nasty))
    samples = [{"time": time, "node": nasty, nasty: time} for time in range(9)]
    record(tmp_path, test, "node-metrics.jsonl", *samples)
    results = TestResults(test.session_context)
    results.append(test)
    results.append(failed(tmp_path, metrics={**summary, "odd": 3}))
    content = html.render(results, details=details_of(tmp_path, (1, nasty, 0)))
    assert "<script>document" not in content
    assert content.count("<script>") == 1
    picture = re.findall(r'<div class="axis">.*?</div>', content, re.DOTALL)[0]
    assert picture.count("&lt;/svg&gt;&lt;script&gt;") >= 6
    assert not re.search(r"nan|inf\b", picture)
    assert "\x00" not in content


def test_the_table_has_the_summaries(tmp_path: Path) -> None:
    metrics = {
        "write_ms": {
            "kind": "histogram",
            "unit": "ms",
            "better": "lower",
            "count": 12_000,
            "p50": 1.5,
            "p99": 12.25,
            "max": 1500,
        },
        "writes": {"kind": "counter", "total": 3_000_000, "unit": "bytes"},
        "nothing": {"kind": "series", "count": 0},
    }
    results = TestResults(session(tmp_path))
    results.append(failed(tmp_path, metrics=metrics))
    [table] = re.findall(r'<div class="measured">.*?</div>', html.render(results), re.DOTALL)
    rows = [re.sub(r"<[^>]+>", " ", row).split() for row in re.findall(r"<tr><th scope.*?</tr>", table)]
    assert rows == [
        ["write_ms", "lower", "is", "better", "12,000", "1.5", "ms", "12.2", "ms", "1.5", "s"],
        ["writes", "total", "3", "MB"],
        ["nothing", "0"],
    ]
