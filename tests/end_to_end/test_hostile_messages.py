# SPDX-License-Identifier: Apache-2.0
"""A test that returns, says or sends too much fails by itself, and costs the driver neither memory nor time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.program import Program, finished, suite

SUITE = """
    import gc, json, os, sys
    from ducktape.mark.resource import cluster
    from ducktape.services.service import Service
    from ducktape.tests.test import Test

    RECORD = {"status": "fail", "reason": None, "summary": "x" * 9_000_000, "start_time": 1, "stop_time": 1,
              "data": None, "nodes_used": 0, "services": []}

    def send(line, times):
        # As whoever looks for it can
        [mouth] = [each for each in gc.get_objects() if type(each).__name__ == "MessageWriter"]
        for number in range(times):
            view = memoryview(line(number))
            while view:
                view = view[os.write(mouth._writer.fileno(), view):]

    class LargeService(Service):
        def to_json(self):
            return {"text": "x" * 20_000_000}

    class HostileTest(Test):
        @cluster(num_nodes=0)
        def test_large_text(self):
            return "x" * 280_000_000

        @cluster(num_nodes=0)
        def test_large_list(self):
            return list(range(5_000_000))

        @cluster(num_nodes=0)
        def test_small_that_looks_large(self):
            data = ["ha"] * 10
            for _ in range(40):
                data = [data] * 10
            return data

        @cluster(num_nodes=0)
        def test_large_failure(self):
            raise AssertionError("begin " + "x" * 50_000_000 + " end")

        @cluster(num_nodes=0)
        def test_large_services(self):
            LargeService(self.test_context, 0).error = "e" * 20_000_000

        @cluster(num_nodes=0)
        def test_message_without_end(self):
            send(lambda number: b"x" * 65_536, 10_000)

        @cluster(num_nodes=0)
        def test_attempts_without_end(self):
            send(lambda number: json.dumps(
                {"kind": "attempted", "attempt": {**RECORD, "number": number + 1}}).encode() + b"\\n", 1000)

        @cluster(num_nodes=0)
        def test_many_signs_of_life(self):
            send(lambda number: b'{"kind": "heartbeat"}\\n' * 1000, 50)

        @cluster(num_nodes=0)
        def test_within_the_limit(self):
            return "x" * 1_999_998
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder: Path = tmp_path_factory.mktemp("hostile_messages")
    with finished(folder, suite(folder, SUITE), "--max-data-bytes", "2000000", "--max-parallel", "4") as program:
        yield program


def test_every_test_has_the_result_that_it_deserves(program: Program) -> None:
    assert program.process.returncode == 1
    assert program.statuses == {
        "test_attempts_without_end": "FAIL",
        "test_large_failure": "FAIL",
        "test_large_list": "FAIL",
        "test_large_services": "PASS",
        "test_large_text": "FAIL",
        "test_many_signs_of_life": "PASS",
        "test_message_without_end": "FAIL",
        "test_small_that_looks_large": "FAIL",
        "test_within_the_limit": "PASS",
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("test_attempts_without_end", "more attempts and services than can be remembered"),
        ("test_large_failure", "characters are left out"),
        ("test_large_list", "returned 43,888,890 bytes of data as JSON, the limit is 2,000,000"),
        ("test_large_text", "returned 280,000,002 bytes of data as JSON, the limit is 2,000,000"),
        ("test_message_without_end", "a message of more than 35,554,432 bytes"),
        ("test_small_that_looks_large", "returned at least 1,000,000,000,000,000 bytes of data as JSON"),
    ],
)
def test_each_failure_says_what_was_too_much(program: Program, name: str, text: str) -> None:
    assert text in program.result(name)["summary"]


def test_the_log_of_the_test_shows_how_its_data_begin(program: Program) -> None:
    [log] = (program.folder / "results" / "latest").glob("HostileTest/test_large_list/*/test_log.info")
    assert "The data begin with: [0, 1, 2, 3, " in log.read_text(encoding="utf-8")


def test_long_lines_are_cut_in_the_log_of_the_session_alone(program: Program) -> None:
    results = program.folder / "results" / "latest"
    lines = (results / "session_log.info").read_text(encoding="utf-8").splitlines()
    assert max(len(line) for line in lines) < 101_000
    [log] = results.glob("HostileTest/test_within_the_limit/*/test_log.info")
    assert f"Data: {'x' * 1_999_998}" in log.read_text(encoding="utf-8")


def test_what_is_left_out_of_a_report_is_counted_there(program: Program) -> None:
    result = program.result("test_large_services")
    assert result["services"] == []
    assert result["teardown_errors"] == ["1 services are too many, or too large, for the report and left out"]
    assert len(result["summary"]) < 1_001_000
