# SPDX-License-Identifier: Apache-2.0
"""Twenty tests in environments that are against them: twenty results and their exit code, or one clear line."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.program import LOCALHOST, environment, suite
from tests.support.tiny_disk import fill, tiny_disk

SUITE = """
    from ducktape.mark import matrix
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class TwentyTest(Test):
        @cluster(num_nodes=0)
        @matrix(n=list(range(20)))
        def test_it(self, n):
            print("printed: caf\\u00e9 \\u65e5\\u672c")
            self.logger.warning("logged: caf\\u00e9 \\u65e5\\u672c")
            assert n != 7, "failed: caf\\u00e9 \\u65e5\\u672c"
            return {"said": "caf\\u00e9 \\u65e5\\u672c"}
"""
STATUSES = {n: "FAIL" if n == 7 else "PASS" for n in range(20)}
NARROW = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def shell(
    home: Path, tail: str, *arguments: str, before: str = "", cwd: str = "", extra: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run the program with shell text before and after it; the exit code is that of the program."""
    words = " ".join(f"'{word}'" for word in (sys.executable, "-m", "ducktape", *arguments, *LOCALHOST))
    return subprocess.run(
        ["bash", "-c", f"{before} {words} {tail}"],
        cwd=cwd or home,
        env=environment(home, extra),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
    )


def check(done: subprocess.CompletedProcess[bytes], session: Path) -> None:
    """Check that every test has its result, and that what was said is in every file as it was said."""
    report: dict[str, Any] = json.loads((session / "report.json").read_text("utf-8"))
    assert {each["injected_args"]["n"]: each["test_status"] for each in report["results"]} == STATUSES, done.stderr
    assert (done.returncode, b"Logging error" in done.stderr) == (1, False)
    assert b"Traceback" not in done.stderr
    for name in ("report.json", "report.txt", "report.html", "report.xml", "journal.jsonl", "session_log.debug"):
        assert (session / name).read_text("utf-8") != ""
    assert "failed: caf\u00e9 \u65e5\u672c" in (session / "report.txt").read_text("utf-8")
    [failed] = (each for each in report["results"] if each["test_status"] == "FAIL")
    log = Path(failed["results_dir"]) / "test_log.info"
    assert "logged: caf\u00e9 \u65e5\u672c" in log.read_text("utf-8")


@pytest.fixture
def latin_1(tmp_path: Path) -> dict[str, str]:
    """An environment whose locale knows 256 characters."""
    if shutil.which("localedef") is None:
        pytest.skip("localedef is not installed, so no locale can be made")
    place = tmp_path / "locales"
    place.mkdir()
    made = subprocess.run(
        ["localedef", "-i", "en_US", "-f", "ISO-8859-1", str(place / "en_US.ISO-8859-1")], capture_output=True
    )
    if not (place / "en_US.ISO-8859-1").exists():
        pytest.skip(f"the locale cannot be made: {made.stderr.decode(errors='replace')}")
    return {"LOCPATH": str(place), "LC_ALL": "en_US.ISO-8859-1", "PYTHONUTF8": "0"}


@pytest.mark.parametrize("extra", [{"LC_ALL": "C", **NARROW}, {"PYTHONIOENCODING": "ascii"}], ids=["C", "ascii"])
def test_a_console_that_knows_ascii_alone(tmp_path: Path, extra: dict[str, str]) -> None:
    done = shell(tmp_path, "", suite(tmp_path, SUITE), "--max-parallel", "4", extra=extra)
    check(done, tmp_path / "results" / "latest")
    assert b"printed: caf\\xe9 \\u65e5\\u672c" in done.stdout


def test_a_locale_of_256_characters(tmp_path: Path, latin_1: dict[str, str]) -> None:
    done = shell(tmp_path, "", suite(tmp_path, SUITE), "--max-parallel", "4", extra=latin_1)
    check(done, tmp_path / "results" / "latest")
    assert b"printed: caf\xe9 \\u65e5\\u672c" in done.stdout


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_no_standard_streams(tmp_path: Path, method: str) -> None:
    extra = {"DUCKTAPE_START_METHOD": method}
    done = shell(tmp_path, "<&- >&- 2>&-", suite(tmp_path, SUITE), "--max-parallel", "4", extra=extra)
    check(done, tmp_path / "results" / "latest")


def test_a_current_directory_that_cannot_be_written(tmp_path: Path) -> None:
    path = str(tmp_path / suite(tmp_path, SUITE))
    done = shell(tmp_path, "", path, "--max-parallel", "4", "--results-root", str(tmp_path / "results"), cwd="/proc")
    check(done, tmp_path / "results" / "latest")


def test_sixty_four_descriptors(tmp_path: Path) -> None:
    done = shell(tmp_path, "", suite(tmp_path, SUITE), "--max-parallel", "4", before="ulimit -n 64;")
    check(done, tmp_path / "results" / "latest")


def test_too_few_descriptors_to_begin_with_are_one_line(tmp_path: Path) -> None:
    done = shell(tmp_path, "", suite(tmp_path, SUITE), before="ulimit -n 8;")
    told = "Too many open files: raise the limit that `ulimit -n` shows, or run fewer tests in parallel\n"
    assert (done.returncode, done.stderr.decode()) == (1, told)


def test_a_full_disk(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with tiny_disk(tmp_path / "disk") as disk:
        with contextlib.suppress(OSError):
            fill(disk / "filler")
        extra = {"TMPDIR": str(elsewhere)}
        path = suite(tmp_path, SUITE)
        done = shell(tmp_path, "", path, "--max-parallel", "4", "--results-root", str(disk), extra=extra)
    [session] = elsewhere.iterdir()
    report: dict[str, Any] = json.loads((session / "report.json").read_text("utf-8"))
    assert {each["injected_args"]["n"]: each["test_status"] for each in report["results"]} == STATUSES
    assert (done.returncode, b"Traceback" in done.stderr) == (1, False)
    assert f"they are in {session}" in done.stdout.decode()
