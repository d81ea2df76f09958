# SPDX-License-Identifier: Apache-2.0
"""Nights of one suite: every place names the same new, known, flaky and fixed tests, and the same changes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from ducktape.tests.recording.outcomes import PastOutcome, SessionOutcomes
from ducktape.tests.recording.past_metrics import PastMetric
from tests.support.program import LOCALHOST, environment, suite

SUITE = """
    import os
    from ducktape.mark import matrix
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    # In each night; test 59 passes at the second attempt in the last one
    FAILING = [{1, 20}, {1, 2, 10, 20}, {1, 2, 3, 4, 20}, {1, 2, 3, 4, 5, 6, 7, 10}]

    class NightTest(Test):
        @cluster(num_nodes=0)
        @matrix(n=list(range(60)))
        def test_it(self, n):
            night = self.test_context.globals["night"]
            if n in FAILING[night]:
                raise RuntimeError(f"failed in night {night}")
            marker = os.path.join(self.test_context.session_context.results_dir, "marker")
            if (n, night) == (59, 3) and not os.path.exists(marker):
                open(marker, "w").close()
                raise RuntimeError("passes when it runs again")
"""
NAMES = {"new": "new", "still failing": "known", "flaky": "flaky", "fixed": "fixed"}
KINDS = {"new": (5, 6, 7), "still failing": (1, 2, 3, 4), "flaky": (10, 59), "fixed": (20,)}


def ducktape(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "ducktape", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment(folder, {"COLUMNS": "120"}), capture_output=True, text=True, timeout=120
    )
    assert done.stderr == ""
    return done.stdout


def test_after_four_nights_every_place_names_the_same_tests(tmp_path: Path) -> None:
    path = suite(tmp_path, SUITE)
    for night in range(4):
        arguments = [path, *LOCALHOST, "--max-parallel", "8", "--progress", "live", "-q"]
        arguments += ["--globals", f'{{"night": {night}}}', *(("--deflake", "2") if night == 3 else ())]
        last = ducktape(tmp_path, *arguments)
        if night == 0:
            assert ducktape(tmp_path, "history", "--html") == "./results/index.html\n"
    directory = (tmp_path / "results" / "latest").resolve()
    since = f"{directory.name[:-1]}3"

    shown = [line.rstrip() for line in last.splitlines()]
    assert f"Failures: 3 of them new since {since}" in shown
    expected = []
    for kind, numbers in KINDS.items():
        first, *others = map(name, numbers)
        expected += [f"{kind:>13}  {first}", *(f"{'':>13}  {each}" for each in others)]
    start = shown.index(expected[0])
    assert shown[start : start + len(expected)] == expected

    history = ducktape(tmp_path, "history").splitlines()
    assert history[3].endswith(f"  8 of 60 tests failed, 3 of them new since {since}, 1 flaky")
    assert [line.split() for line in history[5:]] == [
        *(["...F", "new", "flake", "rate", "25%", name(n)] for n in (5, 6, 7)),
        [".FFF", "known", "flake", "rate", "25%", name(2)],
        *(["..FF", "known", "flake", "rate", "25%", name(n)] for n in (3, 4)),
        ["FFFF", "known", "flake", "rate", "0%", name(1)],
        [".F.F", "flaky", "flake", "rate", "75%", name(10)],
        ["...f", "flaky", "flake", "rate", "25%", name(59)],
        ["FFF.", "fixed", "flake", "rate", "25%", name(20)],
    ]

    page = (directory / "report.html").read_text("utf-8")
    assert f"8 of 60 tests failed, 3 of them new since {since}, 1 flaky</p>" in page
    row = '<tr class="[^>]* data-change="([a-z]+)">.*?<tr><th scope="row">Test</th><td>(.*?)</td>'
    rows = re.findall(row, page, re.DOTALL)
    assert sorted(rows) == sorted((NAMES[kind], name(n)) for kind, numbers in KINDS.items() for n in numbers)

    index = (tmp_path / "results" / "index.html").read_text("utf-8")
    assert index.count(f"8 of 60 tests failed, 3 of them new since {since}, 1 flaky") == 2
    rows = re.findall("<tr[^>]*><td>(suite.*?)</td><td[^>]*>([a-z]+)</td>", index)
    assert sorted(rows) == sorted((name(n), NAMES[kind]) for kind, numbers in KINDS.items() for n in numbers)


def test_every_place_names_the_durations_and_metrics_that_are_beyond_their_usual_range(tmp_path: Path) -> None:
    path = suite(
        tmp_path,
        """
        from ducktape.mark.resource import cluster
        from ducktape.tests.test import Test

        class SpeedTest(Test):
            @cluster(num_nodes=0)
            def test_writes(self):
                self.metrics.record("write_ms", 12.4, unit="ms", better="lower")
                self.metrics.count("retries", better="lower")
        """,
    )
    test = "suite.test_it.SpeedTest.test_writes"
    for number in range(1, 7):
        directory = tmp_path / "results" / f"2026-01-0{number}--001"
        directory.mkdir(parents=True)
        metrics = {test: {"write_ms": PastMetric(8.3, "ms", "lower"), "retries": PastMetric(1, "", "lower")}}
        outcomes = {test: PastOutcome("PASS", 60.0 + number)}
        SessionOutcomes(directory.name, 1e9, 60.0, 1, {"PASS": 1}, outcomes, metrics=metrics).write(str(directory))
    assert ducktape(tmp_path, "history", "--html") == "./results/index.html\n"

    lines = ducktape(tmp_path, path, *LOCALHOST, "--progress", "live").splitlines()

    assert f"worse than usual: 1 test ({test})" in lines
    assert f"faster than usual: 1 test ({test})" in lines
    directory = (tmp_path / "results" / "latest").resolve()
    page = (directory / "report.html").read_text("utf-8")
    assert "<p>Beyond the usual range of earlier sessions: 1 worse, 1 faster</p>" in page
    assert "write_ms 8.3 → 12.4 ms (+49 %, usual 7.89 to 8.71 ms)" in page
    assert page.count('<figure class="trend') == 3
    shown = ducktape(tmp_path, "history", test).splitlines()
    assert "  write_ms: usual 7.89 to 8.71 ms, now 12.4 ms: worse +49 %" in shown
    assert "  retries: usual 0.95 to 1.05, now 1" in shown
    assert 'data-kinds="faster worse"' in (tmp_path / "results" / "index.html").read_text("utf-8")
    # The memory is made again from the journal, and so is the page
    (directory / "outcomes.json").unlink()
    (directory / "report.html").unlink()
    ducktape(tmp_path, "report", str(directory))
    again = (directory / "report.html").read_text("utf-8")
    assert re.findall("<figure class=.trend.*?</figure>", again, re.DOTALL) == re.findall(
        "<figure class=.trend.*?</figure>", page, re.DOTALL
    )
    assert SessionOutcomes.read(str(directory)).metrics[test]["write_ms"] == PastMetric(12.4, "ms", "lower")


def name(number: int) -> str:
    return f"suite.test_it.NightTest.test_it.n={number}"
