# SPDX-License-Identifier: Apache-2.0
"""``ducktape init`` and the suite that it writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.program import environment

NEW = [
    ".ducktape/config",
    "systests/__init__.py",
    "systests/templates/index.html",
    "systests/test_web.py",
    "systests/web_service.py",
]


def ducktape(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ducktape", *arguments],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_the_files_are_written_and_named(tmp_path: Path) -> None:
    done = ducktape(tmp_path, "init", "project")
    assert (done.returncode, done.stderr) == (0, "")
    *paths, _, hint = done.stdout.splitlines()
    assert sorted(paths) == [f"project/{name}" for name in NEW]
    assert files_in(tmp_path / "project") == NEW
    assert hint == "Run it: ducktape project/systests"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "systests").mkdir()
    (tmp_path / "systests" / "test_web.py").write_text("mine")
    done = ducktape(tmp_path, "init")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "systests/test_web.py exists already, and nothing was written: remove it, or name another DIR\n"
    )
    assert files_in(tmp_path) == ["systests/test_web.py"]
    assert (tmp_path / "systests" / "test_web.py").read_text() == "mine"


def test_a_configuration_stays(tmp_path: Path) -> None:
    (tmp_path / ".ducktape").mkdir()
    (tmp_path / ".ducktape" / "config").write_text("--max-parallel 2\n")
    assert ducktape(tmp_path, "init").returncode == 0
    assert (tmp_path / ".ducktape" / "config").read_text() == "--max-parallel 2\n"


@pytest.mark.needs("sandbox")
def test_the_suite_passes_on_the_sandbox_and_more_can_be_added(tmp_path: Path) -> None:
    assert ducktape(tmp_path, "init").returncode == 0
    assert ducktape(tmp_path, "init", "--service", "key-value", "--test", "KeyValue", "--test", "other").returncode == 0
    added = {"systests/key_value_service.py", "systests/templates/key_value.conf"}
    added |= {"systests/test_key_value.py", "systests/test_other.py"}
    assert set(files_in(tmp_path)) == {*NEW, *added}
    done = ducktape(tmp_path, "systests")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\npassed:           5\n" in done.stdout or "\nignored:          1\n" in done.stdout, done.stdout


def test_a_suite_of_another_name_gets_the_files(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").touch()
    assert ducktape(tmp_path, "init", "mine", "--service", "store").returncode == 0
    assert files_in(tmp_path) == ["mine/__init__.py", "mine/store_service.py", "mine/templates/store.conf"]


@pytest.mark.parametrize("name", ["7up", "a/b", "class", "", "."])
def test_a_name_that_no_module_can_have_is_refused(tmp_path: Path, name: str) -> None:
    done = ducktape(tmp_path, "init", f"--service={name}")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{name!r} cannot be the name of a module: use letters, digits and _\n"
    assert files_in(tmp_path) == []


@pytest.mark.needs("ordinary user")
def test_a_directory_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o555)
    done = ducktape(tmp_path, "init")
    assert (done.returncode, done.stderr) == (1, "Cannot write .ducktape/config: Permission denied\n")
