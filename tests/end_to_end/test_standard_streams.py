# SPDX-License-Identifier: Apache-2.0
"""Standard streams that are closed, full, or read by nobody: no traceback, and the exit code is that of the results."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.program import LOCALHOST, environment, suite

PRINTING = """
    import sys
    from ducktape.mark import matrix
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class PrintingTest(Test):
        @cluster(num_nodes=0)
        @matrix(i=[1, 2, 3])
        def test_print(self, i):
            print("printed by the test", flush=True)
            print("complained by the test", file=sys.stderr, flush=True)
            sys.stdin.read()
            self.logger.warning("logged by the test")
"""
STREAMS = ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full 2>/dev/full", "| true"]


def shell(folder: Path, streams: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run the program with some of its streams spoilt; the exit code is that of the program."""
    words = " ".join(f"'{word}'" for word in (sys.executable, "-m", "ducktape", *arguments))
    return subprocess.run(
        ["bash", "-c", f"{words} {streams}; exit ${{PIPESTATUS[0]}}"],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
    )


@pytest.mark.parametrize("streams", STREAMS)
def test_a_run_has_its_results_and_their_exit_code_whatever_its_streams(tmp_path: Path, streams: str) -> None:
    done = shell(tmp_path, streams, suite(tmp_path, PRINTING), *LOCALHOST, "--max-parallel", "3")

    report = json.loads((tmp_path / "results" / "latest" / "report.json").read_text("utf-8"))
    assert [result["test_status"] for result in report["results"]] == ["PASS", "PASS", "PASS"]
    assert (done.returncode, b"Traceback" in done.stderr + done.stdout) == (0, False)


def test_what_is_printed_does_not_get_into_a_file_that_has_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    shell(tmp_path, "<&- >&- 2>&-", suite(tmp_path, PRINTING), *LOCALHOST)

    written = [path for path in (tmp_path / "results").rglob("*") if path.is_file() and not path.is_symlink()]
    assert {path.name for path in written} >= {"journal.jsonl", "session_log.info", "test_log.info"}
    assert [
        path for path in written if b"printed by" in path.read_bytes() or b"complained by" in path.read_bytes()
    ] == []


@pytest.mark.parametrize("streams", ["<&- >&- 2>&-", "2>&-", "| true"])
@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--version"], 0), (["suite", "--collect-only"], 0), (["report", "nowhere"], 1), (["--no-such-option"], 2)],
)
def test_other_commands_keep_their_exit_code(tmp_path: Path, streams: str, arguments: list[str], code: int) -> None:
    suite(tmp_path, PRINTING)
    done = shell(tmp_path, streams, *arguments)
    assert (done.returncode, b"Traceback" in done.stderr) == (code, False)


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["suite", "--collect-only"]])
def test_a_listing_that_is_lost_on_a_full_disk_is_an_error_in_one_line(tmp_path: Path, arguments: list[str]) -> None:
    suite(tmp_path, PRINTING)
    done = shell(tmp_path, ">/dev/full", *arguments)
    assert (done.returncode, done.stderr) == (1, b"Cannot write to standard output: No space left on device\n")
