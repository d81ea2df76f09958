# SPDX-License-Identifier: Apache-2.0
"""What users say on the command line and read on the console, and the exit codes of real runs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.program import Program, finished, suite, write

SUITE = """
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class ATest(Test):
        @cluster(num_nodes=1)
        def test_one(self):
            self.logger.debug("a small line")

        @cluster(num_nodes=1)
        def test_two(self):
            self.logger.warning("a loud line")
"""
FAILING = SUITE.replace('self.logger.debug("a small line")', "assert False")
BROKEN = "import nothing_of_that_name\n"
_TIME = re.compile(r"\[(\w+) *(?::|- )\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}(?: - [^]]*)?\]: ")


def lines_of(output: str) -> list[str]:
    """The lines with the level in front in place of level, time and place."""
    return [_TIME.sub(r"\1 ", line) for line in output.splitlines()]


def ids(program: Program) -> list[str]:
    return [result["test_id"].rpartition(".")[2] for result in program.report["results"]]


def exit_code(program: Program) -> int | None:
    return program.process.returncode


# --- one plain run


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("plain")
    with finished(folder, suite(folder, SUITE)) as program:
        yield program


def test_the_console_tells_the_run_in_the_documented_lines(plain: Program) -> None:
    lines = lines_of(plain.output)
    session_id = os.readlink(plain.folder / "results" / "latest")
    place = f"{{'directory': '{plain.folder}/suite', 'file_name': 'test_it.py', 'cls_name': 'ATest', 'method_name': "

    def client(name: str) -> list[str]:
        prefix = f"INFO RunnerClient: suite.test_it.ATest.{name}: "
        return [
            f"INFO RunnerClient: Loading test {place}'{name}', 'injected_args': None}}",
            f"{prefix}on run 1/1",
            f"{prefix}Setting up...",
            f"{prefix}Running...",
            f"{prefix}Tearing down...",
            f"{prefix}PASS",
            f"{prefix}Data: None",
        ]

    # Warnings come from both processes, so where the test's own ones stand is a matter of luck
    told = [line for line in lines if not line.startswith("WARNING")]
    assert "WARNING a loud line" in lines
    assert told[: told.index("=" * 80)] == [
        "INFO Discovered 2 tests to run",
        f"INFO starting test run with session id {session_id}...",
        "INFO running 2 tests...",
        "INFO Triggering test 1 of 2...",
        *client("test_one"),
        "INFO " + "~" * 53,
        "INFO Triggering test 2 of 2...",
        *client("test_two"),
    ]
    assert exit_code(plain) == 0


def test_warnings_of_the_framework_appear_in_both_formats(plain: Program) -> None:
    text = "RunnerClient: suite.test_it.ATest.test_one: Test requested 1 nodes, used only 0"
    lines = sorted(line for line in plain.output.splitlines() if line.endswith(f"]: {text}"))
    assert [re.sub(r"\d", "9", line).partition("9")[0] for line in lines] == ["[WARNING - ", "[WARNING:"]


def test_the_log_of_the_session_repeats_the_console(plain: Program) -> None:
    latest = plain.folder / "results" / "latest"
    info = (latest / "session_log.info").read_text()
    from_console = [line for line in plain.output.splitlines() if re.match(r"\[(INFO|WARNING):", line)]
    assert info.splitlines() == from_console
    debug = (latest / "session_log.debug").read_text()
    assert "Configuration: max_parallel=1" in debug
    assert "Running(pid=" in debug
    assert "Finished(outcome=Outcome(status='pass'" in debug
    assert "a small line" not in debug


def test_the_summary_ends_the_console(plain: Program) -> None:
    end = plain.output[plain.output.index("=" * 80) :]
    assert re.fullmatch(
        "={80}\nSESSION REPORT \\(ALL TESTS\\)\nducktape version: .+\nsession_id:       .+\nrun time:         .+\n"
        "tests run:        2\npassed:           2\nflaky:            0\nfailed:           0\nignored:          0\n"
        "={80}\n"
        "(test_id:    suite.test_it.ATest.test_(one|two)\nstatus:     PASS\nrun time:   .+ seconds\n-{80}\n){2}",
        end,
    )


def test_a_debug_run_shows_the_debug_lines_of_both_logs(tmp_path: Path) -> None:
    with finished(tmp_path, suite(tmp_path, SUITE) + "/test_it.py::ATest.test_one", "--debug") as program:
        lines = lines_of(program.output)
        assert "DEBUG a small line" in lines
        assert "DEBUG Configuration: debug=True" in lines
        assert any(line.startswith("DEBUG RunnerClient: ") and "Freeing nodes..." in line for line in lines)


# --- how much is run


@pytest.mark.parametrize(
    ("size", "number", "said"),
    [
        ("1", 1, ["Running a sample of 1 tests"]),
        (
            "5",
            2,
            [
                "Running a sample of 5 tests",
                "sample size 5 greater than number of tests 2; running all tests",
            ],
        ),
    ],
)
def test_a_sample_is_as_many_tests_as_expected(tmp_path: Path, size: str, number: int, said: list[str]) -> None:
    with finished(tmp_path, suite(tmp_path, SUITE), "--sample", size) as program:
        assert exit_code(program) == 0
        assert len(set(ids(program))) == number
        assert [text for text in said if text not in program.output] == []
        assert ("sample of" in program.output) is bool(said)
        assert "NOT run" not in program.output
        assert f"INFO running {number} tests..." in lines_of(program.output)


def test_exit_first_starts_nothing_after_a_failure(tmp_path: Path) -> None:
    with finished(tmp_path, suite(tmp_path, FAILING), "--exit-first") as program:
        assert exit_code(program) == 1
        assert program.statuses == {"test_one": "FAIL"}
        assert "Triggering test 2" not in program.output
        assert "WARNING All tests were NOT run. Expected 2 tests, only 1 were run." in lines_of(program.output)


def test_a_failure_alone_makes_the_exit_code_1(tmp_path: Path) -> None:
    with finished(tmp_path, suite(tmp_path, FAILING)) as program:
        assert exit_code(program) == 1
        assert program.statuses == {"test_one": "FAIL", "test_two": "PASS"}
        assert "NOT run" not in program.output
        latest = (program.folder / "results" / "latest").resolve()
        assert program.output.endswith(
            "FAILED TEST SUITE\n"
            f"Test suite to rerun failed tests: {latest}/rerun-failed.yml\n"
            f"{'=' * 80}\n"
            "FAILED TEST SYMBOLS\n"
            "Pass the test symbols below to your ducktape run\n"
            "'suite/test_it.py::ATest.test_one'\n"
        )


def test_repeating_runs_the_same_tests_again_in_directories_of_their_own(tmp_path: Path) -> None:
    with finished(tmp_path, suite(tmp_path, SUITE), "--repeat", "2", "--max-parallel", "4") as program:
        assert exit_code(program) == 0
        directories = {result["relative_results_dir"] for result in program.report["results"]}
        assert directories == {
            f"ATest/test_{name}/{n}/" for name, n in [("one", 1), ("two", 2), ("one", 3), ("two", 4)]
        }
        assert all((program.folder / "results/latest" / each / "report.json").is_file() for each in directories)
        assert sorted(program.report["client_status"]) == [
            f"TestKey(test_id='suite.test_it.ATest.test_{name}', test_index={n})"
            for name, n in [("one", 1), ("one", 3), ("two", 2), ("two", 4)]
        ]
        assert {status["exitcode"] for status in program.report["client_status"].values()} == {0}


def test_an_empty_partition_is_no_failure(tmp_path: Path) -> None:
    with finished(tmp_path, suite(tmp_path, SUITE), "--subsets", "5", "--subset", "4") as program:
        assert exit_code(program) == 0
        assert "tests run:        0" in program.output
        assert program.report["results"] == []


def test_an_empty_selection_can_be_allowed(tmp_path: Path) -> None:
    with finished(tmp_path, "nowhere", extra={"DUCKTAPE_ALLOW_EMPTY_TESTS_LIST": "1"}) as program:
        assert exit_code(program) == 0
        assert program.report["results"] == []
        assert sorted(os.listdir(tmp_path / "results" / "latest")) == [
            "journal.jsonl",
            "report.css",
            "report.html",
            "report.json",
            "report.md",
            "report.txt",
            "report.xml",
            "session_log.debug",
            "session_log.info",
        ]


def test_deflaking_less_than_once_is_told(tmp_path: Path) -> None:
    with finished(tmp_path, suite(tmp_path, SUITE), "--deflake", "0") as program:
        assert exit_code(program) == 0
        assert (
            "WARNING specified number of deflake runs specified to be less than 1, running without deflake."
        ) in lines_of(program.output)
        assert "on run 1/1" in program.output


# --- broken files


def test_a_broken_file_fails_the_run_and_is_in_every_report(tmp_path: Path) -> None:
    suite(tmp_path, BROKEN, name="test_broken")
    with finished(tmp_path, suite(tmp_path, SUITE)) as program:
        assert exit_code(program) == 1
        assert "NOT run" not in program.output
        assert program.statuses["test_one"] == "PASS"
        *_, broken = program.report["results"]
        assert broken["test_id"] == "suite.test_broken.<import>"
        assert (broken["test_status"], broken["reason"]) == ("FAIL", "import")
        assert "ModuleNotFoundError: No module named 'nothing_of_that_name'" in broken["summary"]
        assert "Traceback (most recent call last)" in broken["summary"]
        latest = tmp_path / "results" / "latest"
        for name, text in {
            "report.txt": "test_id:    suite.test_broken.<import>\nstatus:     FAIL",
            "report.html": "nothing_of_that_name",
            "report.xml": 'failures="1"',
            "rerun-failed.yml": "suite/test_broken.py",
            "session_log.info": "Failed to import suite.test_broken, which may indicate a broken test",
        }.items():
            assert text in (latest / name).read_text()
        assert "suite.test_broken.<import>" in program.output[program.output.index("SESSION REPORT") :]
        assert "tests run:        3" in program.output


def test_broken_files_alone_are_a_failed_run(tmp_path: Path) -> None:
    with finished(tmp_path, suite(tmp_path, BROKEN)) as program:
        assert exit_code(program) == 1
        assert [result["test_id"] for result in program.report["results"]] == ["suite.test_it.<import>"]


def test_broken_files_can_be_ignored_by_a_line_in_a_file(tmp_path: Path) -> None:
    suite(tmp_path, BROKEN, name="test_broken")
    write(tmp_path / ".ducktape" / "config", "--ignore-import-errors")
    with finished(tmp_path, suite(tmp_path, SUITE)) as program:
        assert exit_code(program) == 0
        assert program.statuses == {"test_one": "PASS", "test_two": "PASS"}
        assert any(line.startswith("ERROR Failed to import suite.test_broken") for line in lines_of(program.output))


# --- files of options and other surroundings


def test_files_and_command_line_together(tmp_path: Path) -> None:
    suite(tmp_path, SUITE)
    write(
        tmp_path / ".ducktape" / "config", 'suite/test_it.py::ATest.test_one --debug --repeat 3 --globals {"x": "a b"}'
    )
    write(tmp_path / "mine", "--repeat 2 # more is not needed")
    with finished(tmp_path, "--config-file", "mine", "--no-debug", "--max-parallel", "1") as program:
        assert exit_code(program) == 0
        assert ids(program) == ["test_one", "test_one"]
        assert program.report["session_context"]["_globals"] == {"x": "a b"}
        assert "DEBUG" not in program.output


def test_a_results_root_that_is_a_file_is_told_in_one_line(tmp_path: Path) -> None:
    write(tmp_path / "taken", "x")
    with finished(tmp_path, suite(tmp_path, SUITE), "--results-root", "taken") as program:
        assert exit_code(program) == 1
        assert program.output.startswith("Cannot create the results directory ")
        assert program.output.count("\n") == 1


def test_a_report_that_cannot_be_written_costs_no_other_and_fails_the_run(tmp_path: Path) -> None:
    spoiling = """
        import os
        from ducktape.mark.resource import cluster
        from ducktape.tests.test import Test

        class ATest(Test):
            @cluster(num_nodes=0)
            def test_spoil(self):
                os.mkdir(os.path.join(self.test_context.session_context.results_dir, "report.html"))
    """
    with finished(tmp_path, suite(tmp_path, spoiling)) as program:
        assert exit_code(program) == 1
        assert program.statuses == {"test_spoil": "PASS"}
        assert (tmp_path / "results" / "latest" / "report.xml").is_file()
        assert "Could not write HTMLSummaryReporter: " in program.output
