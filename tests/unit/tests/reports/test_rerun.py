# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
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


def absolute_symbols(results: TestResults, working_dir: str = PROJECT) -> list[str]:
    return shlex.split(rerun.console(results, working_dir, "/r/rerun-failed.yml", 80).split("\n")[3])


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


NASTY_ARGUMENTS = {"s": 'it\'s "q"\n$(x) `y` \\ \u2028 é \U0001f986'}


def test_symbols_for_any_other_directory_come_first() -> None:
    results = failed(result(status=FAIL), result("test_matrix", 2, FAIL, "", NASTY_ARGUMENTS))
    for directory in (PROJECT, "/elsewhere"):
        first, second = absolute_symbols(results, directory)
        assert first == f"{PROJECT}/demo_tests/test_demo.py::DemoTest.test_pass"
        path, _, arguments = second.partition("::DemoTest.test_matrix@")
        assert (path, json.loads(arguments)) == (f"{PROJECT}/demo_tests/test_demo.py", NASTY_ARGUMENTS)


def test_very_many_symbols_are_not_printed_twice() -> None:
    many = failed(*[result("test_matrix", n, FAIL, "", {"x": n}) for n in range(101)])
    assert absolute_symbols(many) == ["/r/rerun-failed.yml"]
    assert len(symbols(many)) == 101


def test_classes_of_the_same_name_are_told_apart_by_their_files() -> None:
    results = failed(*[result(status=FAIL, file=f"{PROJECT}/{name}/test_demo.py") for name in ("a", "b")])
    assert symbols(results) == ["a/test_demo.py::DemoTest.test_pass", "b/test_demo.py::DemoTest.test_pass"]


def test_a_path_cannot_be_taken_for_an_option() -> None:
    results = failed(result(status=FAIL, file=f"{PROJECT}/-x/test_demo.py"))
    assert symbols(results) == ["./-x/test_demo.py::DemoTest.test_pass"]


def test_entries_are_absolute_where_the_results_are_reached_through_a_link(tmp_path: Path) -> None:
    file = tmp_path / "project" / "test_demo.py"
    (tmp_path / "disk" / "results").mkdir(parents=True)
    file.parent.mkdir()
    (tmp_path / "project" / "results").symlink_to(tmp_path / "disk" / "results")
    results = failed(result(status=FAIL, file=str(file)))
    [entries] = yaml.safe_load(rerun.suite(results, str(tmp_path / "project" / "results" / "1"))).values()
    assert entries == [f"{file}::DemoTest.test_pass"]


def run_again(*arguments: str, cwd: Path) -> list[tuple[str, str | None]]:
    """Return which tests the program finds when started in a directory."""
    argv = [sys.executable, "-m", "ducktape", "--collect-only", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])}
    finished = subprocess.run(argv, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return sorted(re.findall(r"cls=(\w+), function=(\w+)", finished.stdout))


def test_what_is_printed_and_written_selects_the_failed_tests_from_anywhere(tmp_path: Path) -> None:
    project, elsewhere = tmp_path / "pro [ject] 'x'", tmp_path / "elsewhere"
    directory = project / "results" / "1"
    for folder in (directory, elsewhere):
        folder.mkdir(parents=True)
    (project / "test_it.py").write_text(
        "from ducktape.mark import parametrize\n"
        "from ducktape.tests.test import Test\n"
        "class DemoTest(Test):\n"
        f"    @parametrize(**{NASTY_ARGUMENTS!r})\n"
        "    @parametrize(s=1)\n"
        "    def test_matrix(self, s):\n        pass\n"
        "    def test_pass(self):\n        pass\n"
        "    def test_fail(self):\n        pass\n",
        encoding="utf-8",
    )
    file = str(project / "test_it.py")
    results = failed(
        result("test_fail", 1, FAIL, file=file),
        result("test_pass", 2, file=file),
        result("test_matrix", 3, FAIL, "", NASTY_ARGUMENTS, file=file),
    )
    (directory / "rerun-failed.yml").write_text(rerun.suite(results, str(directory)), encoding="utf-8")
    expected = [("DemoTest", "test_fail"), ("DemoTest", "test_matrix")]
    assert run_again(*symbols(results, str(project)), cwd=project) == expected
    assert run_again(*absolute_symbols(results, str(project)), cwd=elsewhere) == expected
    assert run_again(str(directory / "rerun-failed.yml"), cwd=elsewhere) == expected
    assert run_again("../results/1/rerun-failed.yml", cwd=project / "results") == expected


def test_the_command_for_one_test_runs_it_where_it_ran() -> None:
    test = result("test_matrix", status=FAIL, injected_args={"x": "it's"})
    argv = ["suite", "--cluster", "json", "--cluster-file=/c x.json", "-v", "--globals", '{"a": 1}', "--repeat", "3"]
    assert shlex.split(rerun.command(test, argv)) == [
        "ducktape",
        f'{PROJECT}/demo_tests/test_demo.py::DemoTest.test_matrix@{{"x":"it\'s"}}',
        *("--cluster", "json", "--cluster-file=/c x.json", "--globals", '{"a": 1}'),
    ]
    assert rerun.command(result(), [], PROJECT) == "ducktape demo_tests/test_demo.py::DemoTest.test_pass"
    assert rerun.command(result(), ["--cluster"], PROJECT).endswith(" --cluster")
