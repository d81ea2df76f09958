# SPDX-License-Identifier: Apache-2.0
"""The published schemas describe what runs write: every key, and nothing that is not there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ducktape.cluster.cluster import UnhealthyNode
from ducktape.tests.recording.journal import Journal
from ducktape.tests.reports import json_report
from ducktape.tests.result import TestResults
from tests.support import junit_schema, recorded
from tests.support.program import LOCALHOST, Program, finished, suite
from tests.support.schemas import HISTORY, JOURNAL, REPORT, problems_of, problems_of_session, published
from tests.unit.tests.reports.samples import demo_results, eventful_results, fault, result, session

SUITE = """
import os

from ducktape.mark import ignore, matrix
from ducktape.mark.resource import cluster
from ducktape.services.service import Service
from ducktape.tests.test import Test


class Echo(Service):
    logs = {"echo": {"path": os.environ["BASE"] + "/echo.log", "collect_default": True}}

    def start_node(self, node):
        node.account.ssh("echo hello > " + self.logs["echo"]["path"])

    def stop_node(self, node):
        raise OSError("stuck ]]> \\x00")

    def clean_node(self, node):
        pass


class WriteTest(Test):
    @cluster(num_nodes=1)
    @matrix(x=[1, float("nan"), "]]>::error::\\x1b"])
    def test_data(self, x):
        Echo(self.test_context, 1).start()
        self.metrics.record("failover_sec", 1.5, unit="s", better="lower")
        self.metrics.series("lag").add(3)
        self.metrics.histogram("write_ms").add(2.5)
        self.metrics.count("retries")
        return {"x": [x]}

    @cluster(num_nodes=1)
    def test_fails(self):
        raise AssertionError("::error:: ]]> \\x00 \\n on purpose")

    @ignore
    @cluster(num_nodes=1)
    def test_ignored(self):
        pass

    @cluster(num_nodes=1)
    def test_crashes(self):
        os._exit(3)

    @cluster(num_nodes=5000)
    def test_large(self):
        pass
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A session with something of everything, on a CI server."""
    folder = tmp_path_factory.mktemp("run")
    extra = {"BASE": str(folder), "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(folder / "summary.md")}
    arguments = (suite(folder, SUITE), *LOCALHOST, "--deflake", "2", "--globals", '{"password": "tell-nobody"}')
    with finished(folder, *arguments, extra=extra) as program:
        yield program


def test_the_schemas_are_schemas() -> None:
    for name in (REPORT, JOURNAL, HISTORY):
        jsonschema.Draft202012Validator.check_schema(published(name))


def test_a_real_session_is_as_the_schemas_say(run: Program) -> None:
    latest = run.folder / "results" / "latest"
    assert problems_of_session(latest) == []
    assert len(list(latest.glob("*/**/report.json"))) == 7
    assert junit_schema.problems_of((latest / "report.xml").read_text()) == []


def test_a_real_session_on_github_is_annotated(run: Program) -> None:
    errors = [line for line in run.output.splitlines() if line.startswith("::error")]
    titles = {line.partition("title=")[2].partition("::")[0] for line in errors}
    assert titles == {f"suite.test_it.WriteTest.{name}" for name in ("test_fails", "test_crashes", "test_large")}
    [failed] = [line for line in errors if "test_fails" in line]
    # The file begins without the empty line
    [number] = [number for number, line in enumerate(SUITE.splitlines()) if "raise AssertionError" in line]
    assert failed.startswith(f"::error file=suite/test_it.py,line={number},title=suite.test_it.WriteTest.test_fails::")
    written = (run.folder / "summary.md").read_text()
    assert written == (run.folder / "results" / "latest" / "report.md").read_text()
    assert written.startswith("## 3 of 7 tests failed, 1 ignored\n")
    assert "tell-nobody" not in run.output + written


def test_results_that_are_rare_are_as_the_schemas_say(tmp_path: Path) -> None:
    rare = TestResults(session())
    faults = [fault("partition", "n1", lasts=None), fault("pause", "n1", error="no", undo=[["n1", "1n2"]])]
    rare.append(result("test_matrix", 1, injected_args={"x": float("nan")}, faults=faults, data=float("inf")))
    rare.cluster = type("Cluster", (), {"unhealthy_nodes": [UnhealthyNode("n1", "no login", 1.5, 2.5)]})()
    type(rare.cluster).__len__ = lambda self: 3
    for results in (demo_results(), eventful_results(), rare, TestResults(session())):
        assert problems_of(json.loads(json_report.render(results)), REPORT) == []
        for each in results:
            assert problems_of(json.loads(json.dumps(each.to_record())), f"{REPORT}#/$defs/result") == []


def test_events_that_are_rare_are_as_the_schemas_say(tmp_path: Path) -> None:
    recorded.demo(tmp_path)
    journal = Journal(os.fspath(tmp_path), resume=True)
    journal.write("node_put_aside", name="n1", reason="no login", put_aside_at=1.5)
    journal.write("node_back", name="n1", back_at=2.5)
    journal.write("resumed", version=1)
    journal.write("news of a later version", anything=[])
    journal.close()
    lines = [json.loads(line) for line in (tmp_path / "journal.jsonl").read_text().splitlines()]
    assert [each for line in lines for each in problems_of(line, JOURNAL)] == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"test_status": "OK"}, "$.test_status: 'OK' is not one of"),
        ({"start_time": None}, "$.start_time: None is not of type 'number'"),
        ({"news": 1}, "$: Additional properties are not allowed ('news' was unexpected)"),
    ],
)
def test_the_check_finds_what_is_wrong(change: dict[str, Any], problem: str) -> None:
    [found] = problems_of({**result().to_json(), **change}, f"{REPORT}#/$defs/result")
    assert found.startswith(problem)


def test_every_event_that_is_described_has_a_schema() -> None:
    page = (Path(__file__).parents[2] / "docs" / "journal.rst").read_text(encoding="utf-8")
    terms = [line for line in page.split(".. _journal-format:")[1].splitlines() if line.startswith("``")]
    described = {name.strip("`") for line in terms for name in line.split(", ")} - {"event", "time"}
    assert described == set(published(JOURNAL)["$defs"])
