# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from ducktape.tests.reports import rerun
from ducktape.tests.result import FAIL, TestResult, TestResults
from tests.unit.tests.reports.samples import PROJECT, RESULTS_DIR, check_golden, demo_results, result, session


def failed(*results: TestResult) -> TestResults:
    collection = TestResults(session())
    for each in results:
        collection.append(each)
    return collection


def symbols(results: TestResults, working_dir: str = PROJECT) -> list[str]:
    return shlex.split(rerun.console(results, working_dir, "file", 80).split("\n")[-1])


def test_the_suite_file_of_a_session_is_as_agreed() -> None:
    check_golden("rerun-failed.yml", rerun.suite(demo_results(), RESULTS_DIR))


def test_what_is_printed_is_as_agreed() -> None:
    check_golden(
        "rerun-failed.console",
        rerun.console(demo_results(), PROJECT, f"{RESULTS_DIR}/rerun-failed.yml", 80),
    )


def test_entries_resolve_from_the_directory_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "project" / "demo_tests" / "test_demo.py"
    directory = tmp_path / "project" / "results" / "1"
    results = failed(result(status=FAIL, file=str(file)))
    [entries] = yaml.safe_load(rerun.suite(results, str(directory))).values()
    path, _, name = entries[0].partition("::")
    assert not os.path.isabs(path)
    assert os.path.abspath(directory / path) == str(file)
    assert name == "DemoTest.test_pass"


def test_entries_are_absolute_where_nothing_but_the_root_is_shared() -> None:
    [entries] = yaml.safe_load(rerun.suite(failed(result(status=FAIL)), "/mnt/results/1")).values()
    assert entries == [f"{PROJECT}/demo_tests/test_demo.py::DemoTest.test_pass"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"x": 2, "s": "c/d"},
        {"s": 'it\'s # a: comment - "quoted" {[}]'},
        {"s": "line\nbreak\ttab \x00 \u2028 é \U0001f986 \udc80"},
        {"s": " " * 300 + "x" * 300},
        {"nested": {"a": [1, {"b": None}], "t": True}, "f": 1.5},
    ],
)
def test_arguments_survive_the_suite_file_and_the_shell(arguments: dict[str, Any]) -> None:
    results = failed(result("test_matrix", status=FAIL, injected_args=arguments))
    [entries] = yaml.safe_load(rerun.suite(results, PROJECT)).values()
    assert [json.loads(entry.partition("@")[2]) for entry in entries] == [arguments]
    assert [json.loads(name.partition("@")[2]) for name in symbols(results)] == [arguments]


def test_ordinary_symbols_stand_in_plain_single_quotes() -> None:
    results = failed(result("test_fail", status=FAIL), result("test_matrix", 2, FAIL, "", {"x": 2, "s": "c/d"}))
    assert rerun.console(results, PROJECT, "file", 80).split("\n")[-1] == (
        "'demo_tests/test_demo.py::DemoTest.test_fail' "
        '\'demo_tests/test_demo.py::DemoTest.test_matrix@{"x":2,"s":"c/d"}\''
    )


def test_arguments_without_a_json_form_are_spelled_as_they_compare() -> None:
    results = failed(result("test_matrix", status=FAIL, injected_args={"t": (1, 2), "d": {1: "a"}}))
    assert symbols(results) == ['demo_tests/test_demo.py::DemoTest.test_matrix@{"t":[1,2],"d":{"1":"a"}}']


def test_a_test_outside_the_working_directory_is_reached_upwards() -> None:
    results = failed(result(status=FAIL))
    assert symbols(results, f"{PROJECT}/a/b") == ["../../demo_tests/test_demo.py::DemoTest.test_pass"]


def test_a_repeated_test_and_a_broken_file_are_named_once_each() -> None:
    of = session()
    broken = TestResult.from_import_failure("demo_tests.x", f"{PROJECT}/demo_tests/x.py", "no", 1, of)
    results = failed(result(status=FAIL), broken, result(index=2, status=FAIL), result(index=3))
    assert symbols(results) == ["demo_tests/test_demo.py::DemoTest.test_pass", "demo_tests/x.py"]
