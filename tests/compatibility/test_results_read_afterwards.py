# SPDX-License-Identifier: Apache-2.0
"""What scripts and CI jobs read from the results tree after a run."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.compatibility.running import LOCALHOST, report, run, write

SUITE = """
import os

from ducktape.mark.resource import cluster
from ducktape.services.service import Service
from ducktape.tests.test import Test


class EchoService(Service):
    logs = {"echo": {"path": os.environ["BASE"] + "/echo.log", "collect_default": True}}

    def start_node(self, node):
        node.account.ssh("echo hello > " + self.logs["echo"]["path"])

    def clean_node(self, node):
        pass


class ReadTest(Test):
    @cluster(num_nodes=2)
    def test_service(self):
        EchoService(self.test_context, 1).start()

    @cluster(num_nodes=1)
    def test_fails(self):
        raise AssertionError("on purpose")
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project after two sessions; each test reads it and leaves it as it is."""
    folder = tmp_path_factory.mktemp("project")
    write(folder / "test_read.py", SUITE)
    for _ in range(2):
        run(folder, "test_read.py", *LOCALHOST, extra={"BASE": str(folder)})
    return folder


@pytest.fixture(scope="module")
def found(project: Path) -> dict[str, Any]:
    return report(project)


def _of(found: dict[str, Any], function: str) -> dict[str, Any]:
    (result,) = [r for r in found["results"] if r["function_name"] == function]
    return dict(result)


# report.json


def test_the_statuses_of_the_results(found: dict[str, Any]) -> None:
    assert {r["test_id"]: r["test_status"] for r in found["results"]} == {
        "test_read.ReadTest.test_service": "PASS",
        "test_read.ReadTest.test_fails": "FAIL",
    }


def test_the_relative_directories_of_the_results(found: dict[str, Any]) -> None:
    assert [r["relative_results_dir"] for r in found["results"]] == [
        "ReadTest/test_service/1/",
        "ReadTest/test_fails/2/",
    ]


def test_the_services_of_a_result(found: dict[str, Any]) -> None:
    (service,) = _of(found, "test_service")["services"]

    assert (service["cls_name"], service["module_name"]) == ("EchoService", "test_read")
    assert re.fullmatch(r"EchoService-0-\d+", service["service_id"])


def test_the_nodes_of_a_service_are_user_at_host_or_the_host_alone(found: dict[str, Any]) -> None:
    (service,) = _of(found, "test_service")["services"]

    assert [node.split("@")[-1] for node in service["nodes"]] == ["localhost0"]


def test_the_collected_file_is_found_from_the_report(project: Path, found: dict[str, Any]) -> None:
    result = _of(found, "test_service")
    (service,) = result["services"]
    host = service["nodes"][0].split("@")[-1]

    path = project / "results" / "latest" / result["relative_results_dir"] / service["service_id"] / host / "echo.log"

    assert path.read_text() == "hello\n"


def test_the_counts_and_the_time_at_the_top(found: dict[str, Any]) -> None:
    assert (found["num_passed"], found["num_failed"], found["run_time_seconds"] > 0) == (1, 1, True)


def test_the_absolute_directory_of_a_result_ends_with_a_separator(project: Path, found: dict[str, Any]) -> None:
    base = (project / "results" / "latest").resolve()

    assert _of(found, "test_fails")["results_dir"] == f"{base}/ReadTest/test_fails/2/"


# the tree


def _sessions(project: Path) -> list[str]:
    return sorted(name for name in os.listdir(project / "results") if name != "latest")


def test_the_names_of_session_directories(project: Path) -> None:
    names = _sessions(project)

    assert [bool(re.match(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}--[0-9]{3}$", name)) for name in names] == [True, True]
    assert [name[-3:] for name in names] == ["001", "002"]


def test_the_newest_session_is_the_last_by_name(project: Path, found: dict[str, Any]) -> None:
    newest = sorted(path.name for path in (project / "results").glob("*-*"))[-1]

    assert newest == found["session_context"]["session_id"]


def test_listing_the_latest_session(project: Path) -> None:
    listed = set(os.listdir(project / "results" / "latest"))

    assert listed >= {
        "ReadTest",
        "report.css",
        "report.html",
        "report.json",
        "report.txt",
        "report.xml",
        "rerun-failed.yml",
        "session_log.debug",
        "session_log.info",
    }


def test_the_latest_session_is_a_symbolic_link_that_may_be_removed(tmp_path: Path) -> None:
    write(tmp_path / "test_read.py", SUITE)
    arguments = ("test_read.py::ReadTest.test_service", *LOCALHOST)
    run(tmp_path, *arguments, extra={"BASE": str(tmp_path)})
    latest = tmp_path / "results" / "latest"

    was_a_link = latest.is_symlink()
    latest.unlink()
    run(tmp_path, *arguments, extra={"BASE": str(tmp_path)})

    assert (was_a_link, latest.is_symlink(), latest.resolve().name[-3:]) == (True, True, "002")


def test_the_path_of_a_log_below_the_test_is_cut_into_three_parts(project: Path) -> None:
    base = project / "results" / "latest" / "ReadTest" / "test_service" / "1"
    (path,) = [str(p.relative_to(base)) for p in base.rglob("*.log")]

    service_id, host, file = path.split("/")

    assert (service_id.split("-")[0], host, file) == ("EchoService", "localhost0", "echo.log")


def test_a_result_alone_is_in_its_directory(project: Path, found: dict[str, Any]) -> None:
    result = _of(found, "test_fails")

    own = json.loads((project / "results" / "latest" / result["relative_results_dir"] / "report.json").read_text())

    assert (own["test_id"], own["test_status"], own["summary"].splitlines()[0]) == (
        "test_read.ReadTest.test_fails",
        "FAIL",
        "AssertionError('on purpose')",
    )


def test_the_file_to_run_the_failed_tests_again_finds_them(project: Path) -> None:
    done = run(
        project, "results/latest/rerun-failed.yml", "--collect-only",
        extra={"BASE": str(project)},
    )  # fmt: skip

    assert re.findall(r"function=(\w+)", done.stdout) == ["test_fails"]
