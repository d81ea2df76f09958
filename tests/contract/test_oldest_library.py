# SPDX-License-Identifier: Apache-2.0
"""The contract over SSH, with the oldest release of the SSH library that the package admits.

All other tests use the newest one that could be installed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.sshd import missing_parts

CHECKOUT = Path(__file__).resolve().parent.parent.parent


def oldest_release() -> str:
    """The lower bound in ``setup.py``."""
    match = re.search(r'"paramiko>=([0-9.]+)"', (CHECKOUT / "setup.py").read_text(encoding="utf-8"))
    assert match is not None, "setup.py has no lower bound for paramiko"
    return match[1] if match[1].count(".") > 1 else f"{match[1]}.0"


@pytest.mark.skipif(bool(missing_parts()), reason=missing_parts() or "a server can be started")
def test_the_contract_holds_over_the_oldest_release(tmp_path: Path) -> None:
    release = oldest_release()
    place = tmp_path / "library"
    # What the library itself needs is taken from this environment, in the newest releases, as installers do.
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    installed = subprocess.run(
        [*command, "--target", str(place), f"paramiko=={release}"], capture_output=True, text=True, check=False
    )
    if installed.returncode != 0:
        pytest.skip(f"paramiko {release} cannot be installed here: {installed.stderr.strip()[-300:]}")
    environment = {**os.environ, "PYTHONPATH": f"{place}{os.pathsep}{CHECKOUT}"}
    version = subprocess.run(
        [sys.executable, "-c", "import paramiko; print(paramiko.__version__)"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert version.stdout.strip() == release
    tests = ["tests/contract/test_transport.py", "tests/contract/test_account_over_transport.py"]
    options = ["-q", "-k", "ssh", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "base")]
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "pytest", *tests, *options],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-5000:]
    passed = re.search(r"(\d+) passed", run.stdout)
    assert passed is not None
    assert int(passed[1]) > 50
