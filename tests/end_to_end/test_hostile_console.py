# SPDX-License-Identifier: Apache-2.0
"""Consoles and disks that do not take what they are given: short, clear, and without harm to the run."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.program import LOCALHOST, environment, suite

NO_TROUBLE = "--- Logging error ---"

FINE = """
    from ducktape.mark import matrix
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class FineTest(Test):
        @cluster(num_nodes=0)
        @matrix(i=[1, 2, 3])
        def test_fine(self, i):
            self.logger.warning("a line of %d", i)
"""

ODD_TEXT = """
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class OddTest(Test):
        @cluster(num_nodes=0)
        def test_odd(self):
            raise AssertionError({text})
"""

MANY = """
    import time
    from ducktape.mark import matrix
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class ManyTest(Test):
        @cluster(num_nodes=1)
        @matrix(i=list(range(24)))
        def test_many(self, i):
            time.sleep(0.3)
"""


def run(
    folder: Path,
    *arguments: str,
    stdout: int = subprocess.PIPE,
    extra: Mapping[str, str] | None = None,
    limit: Callable[[], None] | None = None,
    program: tuple[str, ...] = (sys.executable, "-m", "ducktape"),
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*program, *arguments, *LOCALHOST],
        cwd=folder,
        env=environment(folder, extra),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        preexec_fn=limit,
        timeout=120,
    )


def run_into_closed_pipe(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return run(folder, *arguments, stdout=writer)
    finally:
        os.close(writer)


# the reader of the console goes away


def test_a_console_that_was_closed_is_complained_about_at_most_briefly(tmp_path: Path) -> None:
    done = run_into_closed_pipe(tmp_path, suite(tmp_path, FINE))

    assert NO_TROUBLE not in done.stderr.decode()
    assert len(done.stderr.splitlines()) < 20


def test_a_console_that_was_closed_does_not_make_a_good_run_a_failed_one(tmp_path: Path) -> None:
    done = run_into_closed_pipe(tmp_path, suite(tmp_path, FINE))

    assert (tmp_path / "results" / "latest" / "report.json").exists()
    assert done.returncode == 0


# characters


def test_a_line_that_the_console_cannot_spell_is_shown_with_escapes(tmp_path: Path) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}

    done = run(tmp_path, suite(tmp_path, ODD_TEXT.format(text="'caf\\u00e9'")), extra=ascii_only)

    assert NO_TROUBLE not in done.stderr.decode()
    assert "FAIL: AssertionError('caf\\xe9')" in done.stdout.decode()


@pytest.mark.parametrize("name", ["session_log.info", "session_log.debug"])
def test_half_a_character_does_not_keep_a_line_out_of_the_log_files(tmp_path: Path, name: str) -> None:
    done = run(tmp_path, suite(tmp_path, ODD_TEXT.format(text="'half \\ud800'")))

    assert NO_TROUBLE not in done.stderr.decode()
    assert "FAIL: AssertionError('half" in (tmp_path / "results" / "latest" / name).read_text("utf-8", "replace")


# limits


def test_a_full_disk_is_complained_about_at_most_briefly(tmp_path: Path) -> None:
    def almost_full() -> None:
        # Python ignores the signal, so that writing fails as it does on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    done = run(tmp_path, suite(tmp_path, FINE), "--repeat", "5", limit=almost_full)

    text = done.stderr.decode()
    assert NO_TROUBLE not in text
    assert len(text.splitlines()) < 200
    assert done.returncode == 1


def test_tests_wait_for_each_other_when_descriptors_run_out(tmp_path: Path) -> None:
    def few_descriptors() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    done = run(tmp_path, suite(tmp_path, MANY), "--max-parallel", "24", limit=few_descriptors)

    assert (done.returncode, b"passed:           24" in done.stdout) == (0, True)


# places


def test_a_current_directory_that_is_gone_is_named_as_the_trouble(tmp_path: Path) -> None:
    folder = tmp_path / suite(tmp_path, FINE)
    gone = tmp_path / "gone"
    gone.mkdir()
    enter_and_run = f'cd "{gone}" && rmdir "{gone}" && exec "$@"'

    done = run(tmp_path, str(folder), program=("/bin/sh", "-c", enter_and_run, "sh", sys.executable, "-m", "ducktape"))

    text = done.stderr.decode()
    assert (done.returncode, "Traceback" in text, "current directory" in text) == (1, False, True), text


@pytest.mark.parametrize("blocked", [".ducktape", ".ducktape/metadata"])
def test_a_metadata_directory_that_cannot_be_made_costs_one_line_and_no_run(tmp_path: Path, blocked: str) -> None:
    place = tmp_path / blocked
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("in the way")

    done = run(tmp_path, suite(tmp_path, FINE))

    text = done.stderr.decode()
    told = "since .ducktape/metadata below the current directory cannot be written"
    assert (done.returncode, len(text.splitlines()), told in text) == (0, 1, True), text
