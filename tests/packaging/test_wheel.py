# SPDX-License-Identifier: Apache-2.0
"""What users install: the content of the wheel, and the wheel in an environment that never saw the project."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Sequence
from email.parser import Parser
from pathlib import Path

import pytest

import ducktape

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("ducktape", "tests", "systests", "setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")

NO_OP = """
from ducktape.mark.resource import cluster
from ducktape.tests.test import Test


class InstalledTest(Test):
    @cluster(num_nodes=0)
    def test_nothing(self):
        return {"answer": 42}
"""


def _run(command: Sequence[str | Path], directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a command that knows nothing of this checkout; its output is the message if it fails."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return subprocess.run(
        [str(part) for part in command],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def _checked(command: Sequence[str | Path], directory: Path) -> str:
    completed = _run(command, directory)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy what packages are built from: a build leaves files beside the sources."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", "results"))
        elif source.exists():
            shutil.copy(source, copy / name)
    return copy


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel with the tools that are here, so that no network is needed."""
    target = tmp_path_factory.mktemp("wheel")
    pip: list[str | Path] = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    _checked([*pip, "--wheel-dir", target, checkout], checkout)
    return next(target.glob("ducktape-*.whl"))


def _names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def _metadata(wheel: Path) -> dict[str, list[str]]:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        message = Parser().parsestr(archive.read(name).decode("utf-8"))
    return {key: [str(value) for value in message.get_all(key, [])] for key in set(message.keys())}


def test_the_wheel_holds_every_module_and_every_data_file_of_the_package(wheel: Path) -> None:
    expected = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "ducktape").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in _names(wheel) if name.startswith("ducktape/")} == expected


@pytest.mark.parametrize(
    "name",
    [
        "py.typed",
        "cluster/account/process.sh",
        "templates/init/config.in",
        *(f"templates/report/report.{ending}" for ending in ("html", "css", "js")),
    ],
)
def test_the_wheel_holds_what_is_not_python(wheel: Path, name: str) -> None:
    assert f"ducktape/{name}" in _names(wheel)


def test_the_wheel_installs_one_package_at_top_level(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in _names(wheel)}
    assert tops == {"ducktape", f"ducktape-{ducktape.__version__}.dist-info"}


def test_the_wheel_carries_the_license(wheel: Path) -> None:
    assert [name for name in _names(wheel) if name.endswith("/LICENSE") and ".dist-info/" in name] != []


def test_the_wheel_has_the_version_of_the_package(wheel: Path) -> None:
    assert _metadata(wheel)["Version"] == [ducktape.__version__]


def test_the_wheel_asks_for_python_3_10(wheel: Path) -> None:
    assert _metadata(wheel)["Requires-Python"] == [">=3.10"]


def test_what_the_wheel_requires_is_given_as_ranges(wheel: Path) -> None:
    required = [line for line in _metadata(wheel)["Requires-Dist"] if "extra ==" not in line]
    names = {line.split(";")[0].split(">")[0].strip().lower() for line in required}
    assert names == {
        "boto3",
        "cryptography",
        "filelock",
        "jinja2",
        "paramiko",
        "psutil",
        "pure-eval",
        "pywinrm",
        "pyyaml",
        "requests",
        "rich",
    }
    assert [line for line in required if "==" in line] == []


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel, with all it requires, in an empty environment and return the folder of its programs."""
    target = tmp_path_factory.mktemp("environment")
    venv.create(target, with_pip=True)
    completed = _run([target / "bin" / "python", "-m", "pip", "install", "--quiet", wheel], target)
    output = completed.stdout + completed.stderr
    if completed.returncode != 0 and "Failed to establish a new connection" in output:
        pytest.skip("no package index can be reached, so nothing can be installed")
    assert completed.returncode == 0, output
    return target / "bin"


@pytest.mark.parametrize(
    "command", [["ducktape"], ["python", "-m", "ducktape"], ["python", "bin/ducktape"]], ids=" ".join
)
def test_the_installed_program_knows_its_version(environment: Path, tmp_path: Path, command: list[str]) -> None:
    program: list[str | Path] = [
        environment / command[0],
        *(str(environment.parent / p) if "/" in p else p for p in command[1:]),
    ]
    assert _checked([*program, "--version"], tmp_path) == f"{ducktape.__version__}\n"


@pytest.mark.parametrize("name", ["tests", "systests", "benchmarks"])
def test_the_installation_hides_no_package_of_the_user(environment: Path, tmp_path: Path, name: str) -> None:
    script = f"import importlib.util; print(importlib.util.find_spec({name!r}))"
    assert _checked([environment / "python", "-c", script], tmp_path) == "None\n"


def test_what_is_installed_fits_together(environment: Path, tmp_path: Path) -> None:
    assert "No broken requirements found." in _checked([environment / "python", "-m", "pip", "check"], tmp_path)


def test_the_installed_program_runs_a_test_and_writes_its_reports(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "test_installed.py").write_text(NO_OP, encoding="utf-8")
    localhost = ["--cluster", "ducktape.cluster.localhost.LocalhostCluster"]
    output = _checked([environment / "ducktape", "test_installed.py", *localhost], tmp_path)
    assert "passed:           1" in output
    latest = tmp_path / "results" / "latest"
    assert {"report.css", "report.html", "report.json", "report.txt", "report.xml"} <= set(os.listdir(latest))


@pytest.mark.parametrize(
    "setuptools",
    [
        "setuptools>=64",
        pytest.param(
            # Of Ubuntu 22.04, whose images suites mount checkouts into: it knows nothing of [project].
            "setuptools==59.6.0",
            marks=pytest.mark.skipif(sys.version_info >= (3, 12), reason="needs distutils, which Python 3.12 dropped"),
        ),
    ],
)
def test_a_mounted_checkout_is_installed_by_its_setup_file(
    environment: Path, checkout: Path, tmp_path: Path, setuptools: str
) -> None:
    # Environments of Python 3.12 and later start without setuptools.
    _checked([environment / "python", "-m", "pip", "install", "--quiet", setuptools, "wheel"], tmp_path)
    _checked([environment / "python", "-m", "pip", "uninstall", "--quiet", "--yes", "ducktape"], tmp_path)
    _checked([environment / "python", "./setup.py", "develop", "install"], checkout)
    assert _checked([environment / "ducktape", "--version"], tmp_path) == f"{ducktape.__version__}\n"
    assert "No broken requirements found." in _checked([environment / "python", "-m", "pip", "check"], tmp_path)
