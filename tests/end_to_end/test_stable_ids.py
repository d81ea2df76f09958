# SPDX-License-Identifier: Apache-2.0
"""Tests with any arguments are found again by other processes, and whatever they return, all files are strict JSON."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.support.program import LOCALHOST, environment, write

SUITE = """
    import functools
    import logging
    import sys

    from ducktape.mark import matrix, parametrize
    from ducktape.tests.test import Test

    class Thing:
        pass

    class Number:
        dtype, shape = "int64", ()
        def item(self):
            return 7

    class StableTest(Test):
        @matrix(x=[
            {"b", "a", "c"}, [{frozenset({"p", "q"}): {"s", "r"}}], lambda: 1, lambda: 2, functools.partial(print, "a"),
            Thing(), Thing(), [Thing()], float("nan"), float("inf"), None, 1, True, 1.0, "1", 0.0, -0.0, b"x",
            "\\ud800", 10**5000, {(1, 2): 3}, {1: "a", "1": "b"}, "plain",
        ])
        def test_fails(self, x):
            self.logger.info("half a character: \\udc80")
            raise AssertionError("half a character: \\udc80")

        @parametrize(password="hunter2", config={"dbToken": "hunter2", "url": "amqp://u:hunter2@h/"})
        @parametrize(password="hunter3", config=None)
        def test_secret(self, password, config):
            assert password.startswith("hunter")
            assert self.test_context.globals["api_key"] == "hunter4"
            assert False

        def test_data(self):
            return {
                "odd": [float("nan"), float("inf"), float("-inf")], "half": "\\udc80", "\\ud800": 1, "\\ud801": 2,
                1: "number", "1": "text", "scalar": Number(),
            }

        def test_bytes(self):
            return {"x": [b"bytes"]}
"""
STRICT = r"""
const fs = require("fs");
const half = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
function check(value) {
  if (typeof value === "string" && half.test(value)) throw Error("half a character");
  if (value && typeof value === "object") for (const key in value) { check(key); check(value[key]); }
}
for (const file of process.argv.slice(2)) {
  const text = fs.readFileSync(file, "utf8");
  for (const part of file.endsWith(".jsonl") ? text.trim().split("\n") : [text]) check(JSON.parse(part));
}
"""
GLOBALS = ("--globals", '{"api_key":"hunter4"}')


def ducktape(folder: Path, seed: int, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "ducktape", *arguments],
        cwd=folder,
        env=environment(folder, {"PYTHONHASHSEED": str(seed)}),
        capture_output=True,
        text=True,
        errors="backslashreplace",
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stable")
    write(folder / "test_it.py", SUITE)
    code, output = ducktape(folder, 1, "test_it.py", *LOCALHOST, *GLOBALS, "--max-parallel", "4")
    assert code == 1, output
    return folder


def failed(session: Path) -> set[str]:
    results = json.loads((session / "report.json").read_text())["results"]
    return {result["test_id"] for result in results if result["test_status"] == "FAIL"}


def test_the_tests_that_failed_are_found_again_by_all_ways(folder: Path) -> None:
    session = (folder / "results" / "latest").resolve()
    wanted = failed(session)
    methods = Counter(test_id.split(".")[2] for test_id in wanted)
    assert methods == {"test_fails": 23, "test_secret": 2, "test_bytes": 1}
    assert not any("0x7" in test_id for test_id in wanted)
    code, _ = ducktape(folder, 2, str(session / "rerun-failed.yml"), *LOCALHOST, "--results-root", "by-suite", *GLOBALS)
    assert (code, failed(folder / "by-suite" / "latest")) == (1, wanted)
    reports = folder / "reports"
    ducktape(folder, 3, "report", str(session), "--output", str(reports))
    assert (reports / "rerun-failed.yml").read_text() == (session / "rerun-failed.yml").read_text().replace(
        "../../test_it.py", "../test_it.py"
    )
    shutil.copytree(session, folder / "again" / session.name)
    code, output = ducktape(folder, 4, "test_it.py", *LOCALHOST, "--results-root", "again", "--last-failed", *GLOBALS)
    assert "26 of these tests failed" in output
    assert (code, failed(folder / "again" / "latest")) == (1, wanted)


def test_a_test_that_is_not_found_again_is_named(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "results", tmp_path / "results", symlinks=True)
    text = (folder / "test_it.py").read_text().replace('"plain"', '"other"').replace("raise AssertionError", "str")
    (tmp_path / "test_it.py").write_text(text)
    code, output = ducktape(tmp_path, 1, "test_it.py", *LOCALHOST, "--last-failed", "--max-parallel", "4", *GLOBALS)
    assert "test_it.StableTest.test_fails.x=plain failed in session" in output
    assert "and was not found again" in output
    assert code == 1


@pytest.mark.needs("node")
def test_every_file_is_strict_json(folder: Path) -> None:
    session = (folder / "results" / "latest").resolve()
    files = [str(path) for path in (*session.rglob("*.json"), *session.rglob("*.jsonl"))]
    done = subprocess.run(["node", "-e", STRICT, "--", *files], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_data_has_what_json_can_say(folder: Path) -> None:
    session = (folder / "results" / "latest").resolve()
    [data] = session.glob("StableTest/test_data/*/data.json")
    assert json.loads(data.read_text()) == {
        "odd": [None, None, None],
        "half": "\ufffd",
        "\ufffd": 1,
        "\ufffd (2)": 2,
        "1": "number",
        "1 (2)": "text",
        "scalar": 7,
    }
    results = json.loads((session / "report.json").read_text())["results"]
    [summary] = [each["summary"] for each in results if each["function_name"] == "test_bytes"]
    assert summary.endswith("data['x'][0] is a bytes, which JSON cannot express")


def test_no_secret_is_in_any_file_or_name(folder: Path) -> None:
    session = (folder / "results" / "latest").resolve()
    assert [path for path in session.rglob("*") if "hunter" in str(path.relative_to(session))] == []
    contents = {path: path.read_text(errors="replace") for path in session.rglob("*") if path.is_file()}
    leaks = {
        str(path): text.count(f"hunter{n}") for path, text in contents.items() for n in "234" if f"hunter{n}" in text
    }
    assert leaks == {}
