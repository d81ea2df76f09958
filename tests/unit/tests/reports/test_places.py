# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import functools
import os

import pytest

import ducktape
from ducktape.tests.recording.source_line import line_of
from ducktape.tests.reports.places import Place, definition_of, failure_of, logs_of, seen_from
from ducktape.tests.result import FAIL, TestResult, TestResults
from tests.unit.tests.reports.samples import PROJECT, result, session

TEST_FILE = f"{PROJECT}/demo_tests/test_demo.py"
FRAMEWORK = os.path.join(os.path.dirname(ducktape.__file__), "utils", "wait.py")


def failed(*frames: tuple[str, int]) -> TestResult:
    lines = [f'  File "{file}", line {line}, in f\n    f()' for file, line in frames]
    found = result(status=FAIL, summary="\n".join(["oh", "Traceback (most recent call last):", *lines, "oh"]))
    found.line = 3
    return found


@pytest.mark.parametrize(
    ("frames", "place"),
    [
        ([], Place("demo_tests/test_demo.py", 3)),
        ([(TEST_FILE, 7)], Place("demo_tests/test_demo.py", 7)),
        ([(TEST_FILE, 7), (f"{PROJECT}/services/db.py", 9)], Place("services/db.py", 9)),
        ([(TEST_FILE, 7), (FRAMEWORK, 9)], Place("demo_tests/test_demo.py", 7)),
        ([(TEST_FILE, 7), ("/usr/lib/python3/json.py", 9)], Place("demo_tests/test_demo.py", 7)),
        ([(TEST_FILE, 7), (f"{PROJECT}/.venv/lib/site-packages/x.py", 9)], Place("demo_tests/test_demo.py", 7)),
        ([("/home/u/demolition/x.py", 9)], Place("demo_tests/test_demo.py", 3)),
    ],
)
def test_a_failure_is_where_code_of_the_project_failed_last(frames: list[tuple[str, int]], place: Place) -> None:
    assert failure_of(failed(*frames), PROJECT) == place


def test_without_a_directory_only_the_file_of_the_test_counts() -> None:
    assert failure_of(failed((TEST_FILE, 7), (f"{PROJECT}/services/db.py", 9))) == Place(TEST_FILE, 7)
    assert failure_of(failed((TEST_FILE, 7)), "/elsewhere") == Place(TEST_FILE, 7)


def test_a_test_without_a_file_has_no_place() -> None:
    nowhere = result()
    nowhere.file_name = None
    assert definition_of(nowhere) is None


def test_paths_are_relative_below_a_directory_only() -> None:
    assert [seen_from("/a/b", each) for each in ("/a", "/a/", "/", "/a/bc", "/c", None)] == [
        "b", "b", "a/b", "/a/b", "/a/b", "/a/b"
    ]  # fmt: skip


def test_the_line_of_a_function_is_the_one_that_was_written() -> None:
    def plain() -> None: ...

    @functools.wraps(plain)
    def wrapper() -> None: ...

    first = plain.__code__.co_firstlineno
    assert line_of(plain, __file__) == line_of(wrapper, __file__) == first
    assert line_of(plain, FRAMEWORK) is None
    assert line_of(len, __file__) is None


def test_functions_that_wrap_one_another_are_not_followed_forever() -> None:
    def endless() -> None: ...

    vars(endless)["__wrapped__"] = endless
    assert line_of(endless, __file__) == endless.__code__.co_firstlineno


def test_logs_are_where_the_test_wrote_them() -> None:
    one, results = result(), TestResults(session())
    assert logs_of(one, results, PROJECT) == "results/2026-11-22--001/DemoTest/test_pass/1"
    results.logs_root = "../2026-11-22--001"
    assert logs_of(one, results, PROJECT) == "results/2026-11-22--001/DemoTest/test_pass/1"
    results.logs_root = "/full/disk"
    assert logs_of(one, results, PROJECT) == "/full/disk/DemoTest/test_pass/1"
    one.relative_results_dir = ""
    assert logs_of(one, results, PROJECT) == ""
