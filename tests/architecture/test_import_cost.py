# SPDX-License-Identifier: Apache-2.0
"""What a test file imports costs nothing that it does not use."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.architecture.sources import ROOT

HEAVY = ("boto3", "botocore", "cryptography", "jinja2", "paramiko", "psutil", "requests", "winrm", "yaml")
LIGHT_MODULES = (
    "ducktape",
    "ducktape.mark",
    "ducktape.mark.resource",
    "ducktape.cluster.node_spec",
    "ducktape.tests.test",
)


def _loaded_by(statement: str, among: tuple[str, ...] = HEAVY) -> list[str]:
    """Return which of some packages, by default heavy ones, a fresh interpreter holds after a statement."""
    script = f"import sys\n{statement}\nprint(*sorted(set(sys.modules) & set({among!r})))"
    completed = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert completed.returncode == 0, completed.stderr
    return completed.stdout.split()


@pytest.mark.parametrize("module", LIGHT_MODULES)
def test_a_light_module_loads_no_heavy_package(module: str) -> None:
    assert _loaded_by(f"import {module}") == []


def test_the_decorators_load_no_heavy_package() -> None:
    assert _loaded_by("from ducktape.mark import matrix, parametrize\nfrom ducktape.mark.resource import cluster") == []


def test_a_heavy_package_would_be_noticed() -> None:
    assert _loaded_by("import yaml") == ["yaml"]


def test_results_are_read_and_reported_without_accounts() -> None:
    statement = "import ducktape.tests.recording.state, ducktape.tests.reporter"
    assert _loaded_by(statement, ("ducktape.tests.result", "ducktape.cluster.remoteaccount")) == [
        "ducktape.tests.result"
    ]
