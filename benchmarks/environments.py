# SPDX-License-Identifier: Apache-2.0
"""Two virtual environments of the same kind: one for this checkout, one for the published release."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / ".bench"
PEER = "ducktape==0.17.0"


def ours() -> Path:
    """Install this checkout, as users install it, and return its ``ducktape`` program.

    An editable installation would pay for its import hook at every start, which is not what users have.
    """
    python = _environment(BENCH / "ours")
    _pip(python, "install", str(ROOT))
    # The version does not change from one commit to the next, so the package itself is always installed anew.
    _pip(python, "install", "--force-reinstall", "--no-deps", str(ROOT))
    return python.parent / "ducktape"


def peer() -> Path:
    """Install the published release unless it is there and return its ``ducktape`` program."""
    python = _environment(BENCH / "peer")
    program = python.parent / "ducktape"
    if not program.exists():
        _pip(python, "install", PEER)
    return program


def _environment(directory: Path) -> Path:
    python = directory / "bin" / "python"
    # An environment of an interpreter that is gone is a dangling link: `exists` follows it.
    if not python.exists():
        venv.create(directory, clear=True, with_pip=True)
    return python


def _pip(python: Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    if completed.returncode != 0:
        sys.exit(f"bench: {' '.join(command)} failed:\n{completed.stderr}")
