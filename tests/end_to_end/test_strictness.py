# SPDX-License-Identifier: Apache-2.0
"""Real runs of suites with mistakes that are tolerated, until somebody is strict."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.program import finished, suite, write

SUITE = """
    from ducktape.mark import matrix
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class OddTest(Test):
        @cluster(num_nodes=0, owner="me")
        @matrix(x=[1, 2, 3])
        def test_odd(self, x):
            return {"text": self.render_template("a {{ b }} c")}
"""


def test_many_tests_that_come_across_one_mistake_warn_once(tmp_path: Path) -> None:
    suite(tmp_path, SUITE)
    with finished(tmp_path, "suite", "--max-parallel", "3") as program:
        assert program.process.returncode == 0
    log = next((tmp_path / "results").glob("latest/session_log.info")).read_text()
    told = [line.partition("]: ")[2] for line in log.splitlines() if line.startswith("[WARNING")]
    file = tmp_path / "suite" / "test_it.py"
    assert told == [
        f"{file}:6: the keyword owner of @cluster has no meaning here; it is kept with the test",
        f"{file}:9: 'b' is undefined in this template: rendered as nothing",
    ]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_the_test_that_renders_an_undefined_variable_fails_when_strict(tmp_path: Path, method: str) -> None:
    suite(tmp_path, SUITE.replace(', owner="me"', "").replace("[1, 2, 3]", "[1]"))
    write(tmp_path / ".ducktape" / "config", "--strict\n")
    with finished(tmp_path, "suite", extra={"DUCKTAPE_START_METHOD": method}) as program:
        assert program.process.returncode == 1
    results = json.loads((tmp_path / "results" / "latest" / "report.json").read_text())["results"]
    summaries = [result["summary"].splitlines()[0] for result in results]
    problem = f"{tmp_path / 'suite' / 'test_it.py'}:9: 'b' is undefined in this template: rendered as nothing"
    assert summaries == [f'CompatibilityWarning("{problem}")']
