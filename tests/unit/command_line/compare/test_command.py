# SPDX-License-Identifier: Apache-2.0
"""What ``ducktape compare`` prints, and its exit codes."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ducktape.command_line.main import main
from ducktape.tests.recording.journal import Journal
from tests.support import recorded

Run = Callable[..., tuple[object, str, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Returns a function that calls the program, and returns its exit code and output."""
    monkeypatch.chdir(tmp_path)
    for name, factor in (("2026-11-29--001", 1.0), ("2026-11-30--001", 1.25)):
        results = [
            {
                "test_id": "suite.test_a",
                "test_status": "PASS",
                "start_time": 100.0,
                "stop_time": 101 + number / 100,
                "metrics": {
                    "latency": {"kind": "value", "unit": "ms", "better": "lower", "p50": factor * (8 + number / 10)},
                    "rate": {"kind": "series", "better": "higher", "p50": factor * (50 + number)},
                    "size": {"kind": "counter", "total": factor * 100},
                },
            }
            for number in range(8)
        ]
        results += [{**results[0], "test_id": f"suite.only_{name[8:10]}"}, {**results[0], "test_id": "suite.once"}]
        (tmp_path / "results" / name).mkdir(parents=True)
        (tmp_path / "results" / name / "report.json").write_text(json.dumps({"results": results}))

    def call(*arguments: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["ducktape", "compare", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return call


def test_what_differs_is_named(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("2026-11-29--001", "2026-11-30--001")
    assert code == 0
    results = (tmp_path / "results").resolve()
    numbers = "p=0.00062, Cliff's delta +1.00, 8 and 8 runs"
    assert out.splitlines() == [
        f"A: {results}/2026-11-29--001",
        f"B: {results}/2026-11-30--001",
        "",
        f"WORSE   suite.test_a: latency 8.35 -> 10.44 ms (+25.0 %, {numbers})",
        f"BETTER  suite.test_a: rate 53.5 -> 66.88 (+25.0 %, {numbers})",
        f"CHANGED suite.test_a: size 100 -> 125 (+25.0 %, {numbers})",
        "",
        "Compared 4 durations and metrics: 3 differ significantly and by 5 % or more",
        "4 more have too few runs, at least 4 in each session are needed: use --repeat",
        "4 more are only in A",
        "4 more are only in B",
    ]


def test_regressions_fail_only_on_request_and_beyond_the_threshold(run: Run) -> None:
    a, b = "results/2026-11-29--001", "results/2026-11-30--001/report.json"
    assert run(a, b, "--fail-on-regression")[0] == 1
    assert run("--threshold", "20", a, b, "--fail-on-regression")[0] == 1
    assert run(a, b, "--fail-on-regression", "--threshold", "30%")[0] == 0
    assert run(a, a, "--fail-on-regression")[0] == 0
    assert run(b, a, "--fail-on-regression")[0] == 1  # the rate
    assert "none differ significantly and by 30 % or more" in run(a, b, "--threshold", "30%")[1]


def test_programs_read_all_comparisons(run: Run) -> None:
    code, out, _ = run("2026-11-29--001", "2026-11-30--001", "--json", "--fail-on-regression")
    content: dict[str, Any] = json.loads(out)
    assert (code, content["correction"], content["threshold"], content["too_few_runs"]) == (1, "holm", 0.05, 4)
    verdicts = {each["name"]: each["verdict"] for each in content["comparisons"]}
    assert verdicts == {"run_time_seconds": "same", "latency": "worse", "rate": "better", "size": "changed"}
    assert content["only_in_a"][0] == {"test_id": "suite.only_29", "kind": "duration", "name": "run_time_seconds"}


def test_control_characters_of_a_file_do_not_reach_the_terminal(run: Run, tmp_path: Path) -> None:
    for name in ("2026-11-29--001", "2026-11-30--001"):
        path = tmp_path / "results" / name / "report.json"
        path.write_text(path.read_text().replace("suite.test_a", "\\u001b[2J\\nx"))
    _, out, _ = run("2026-11-29--001", "2026-11-30--001")
    assert "WORSE   \\x1b[2J\\nx: latency" in out


def test_a_session_that_has_only_its_journal_is_compared(run: Run, tmp_path: Path) -> None:
    directory = tmp_path / "results" / "2026-11-28--001"
    directory.mkdir()
    journal = Journal(str(directory))
    recorded.begin(journal, session_id=directory.name)
    recorded.queue(journal, ["a"])
    recorded.run(journal, "a", 1)
    journal.close()
    code, out, _ = run(directory.name, str(directory))
    assert code == 0
    assert "1 more have too few runs" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["2026-01-01--001", "2026-11-30--001"], "There is no session 2026-01-01--001, neither here nor in results"),
        (["results", "2026-11-30--001"], "Cannot read .*results/report.json: No such file or directory"),
        (["broken.json", "2026-11-30--001"], "Cannot read the session .*broken.json: "),
        (["2026-11-30--001"], "the following arguments are required: B"),
        (["a", "b", "--threshold", "much"], "must be a percentage such as 5%, not much"),
        (["a", "b", "--threshold", "-1%"], "expected one argument"),
    ],
)
def test_what_cannot_be_compared_is_an_error(run: Run, tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "broken.json").write_text('{"results": 5')
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert re.search(message, err), err
