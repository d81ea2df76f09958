# SPDX-License-Identifier: Apache-2.0
"""Small suites in a temporary directory, and the real program run over them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.program import CHECKOUT, LOCALHOST, environment, write

__all__ = ["CHECKOUT", "LOCALHOST", "environment", "ids", "report", "run", "write"]


def run(
    folder: Path,
    *arguments: str,
    program: Sequence[str] = (sys.executable, "-m", "ducktape"),
    extra: Mapping[str, str] | None = None,
    text: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the program in `folder` and return what it said.

    Args:
        folder: the working directory, with the suite.
        *arguments: the command line.
        program: how the program is started.
        extra: further environment variables.
        text: standard input.
    """
    return subprocess.run(
        [*program, *arguments],
        cwd=folder,
        env=environment(folder, extra),
        input=text,
        stdin=subprocess.DEVNULL if text is None else None,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def report(folder: Path, results: str = "results") -> dict[str, Any]:
    """The `report.json` of the latest session below `folder`."""
    found: dict[str, Any] = json.loads((folder / results / "latest" / "report.json").read_text(encoding="utf-8"))
    return found


def ids(found: Mapping[str, Any]) -> dict[str, str]:
    """Ids and statuses of a report."""
    return {result["test_id"]: result["test_status"] for result in found["results"]}
