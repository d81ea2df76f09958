# SPDX-License-Identifier: Apache-2.0
"""Every place that lists versions of Python lists the same ones."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
CLASSIFIERS = re.findall(r'^    "Programming Language :: Python :: (3\.\d+)",$', PROJECT, re.MULTILINE)


def test_versions_are_consecutive_from_the_lowest_that_is_required() -> None:
    assert re.findall(r'^requires-python = ">=(.*)"$', PROJECT, re.MULTILINE) == [CLASSIFIERS[0]]
    assert [f"3.{minor}" for minor in range(10, 10 + len(CLASSIFIERS))] == CLASSIFIERS


def test_the_checkers_take_the_lowest_version() -> None:
    assert re.findall(r'^python_version = "(.*)"$', PROJECT, re.MULTILINE) == [CLASSIFIERS[0]]
    assert re.findall(r'^target-version = "(.*)"$', PROJECT, re.MULTILINE) == ["py" + CLASSIFIERS[0].replace(".", "")]


def test_tox_has_an_environment_for_each_version() -> None:
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    assert tox["tox"]["envlist"].split(", ") == ["py" + version.replace(".", "") for version in CLASSIFIERS]


def _workflow_matrices() -> dict[str, list[str]]:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    return {name: job["strategy"]["matrix"]["python"] for name, job in workflow["jobs"].items()}


def test_the_workflow_runs_on_each_version() -> None:
    # The lowest releases of the requirements have no wheels for later versions.
    assert _workflow_matrices() == {
        "quick": CLASSIFIERS,
        "test": CLASSIFIERS,
        "lowest": ["3.10", "3.11"],
        "coverage": ["3.13"],
    }
