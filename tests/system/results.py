# SPDX-License-Identifier: Apache-2.0
"""What a suite on this machine has to leave, and what not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.program import CHECKOUT, Program, finished


@contextmanager
def suite_run(folder: Path, path: str, *arguments: str, **settings: Any) -> Iterator[Program]:
    """Run a suite of the checkout to its end.

    Args:
        folder: becomes the working directory, with the results; the nodes keep their files in ``work`` below it.
        path: of the suite, below the folder ``systests``.
        *arguments: further ones of the command line.
        **settings: for ``--globals``.
    """
    work = folder / "work"
    work.mkdir()
    everything = json.dumps({"work_root": str(work), **settings})
    with finished(folder, str(CHECKOUT / "systests" / path), "--globals", everything, *arguments) as program:
        yield program


def left_behind(program: Program) -> list[str]:
    """Return the processes and the files on nodes that a run has left."""
    return program.survivors() + sorted(str(path) for path in (program.folder / "work").iterdir())


def service_of(result: dict[str, Any], cls_name: str) -> dict[str, Any]:
    """Return what a result says of its only service of a class."""
    [found] = [service for service in result["services"] if service["cls_name"] == cls_name]
    assert isinstance(found, dict)
    return found


def collected_logs(program: Program, result: dict[str, Any], cls_name: str, name: str) -> list[str]:
    """Return the content of the logs of a service's nodes, in the order of the nodes.

    Args:
        program: the run.
        result: one of its results.
        cls_name: class of the service.
        name: of the log file, with ``{}`` for the name of the node.
    """
    service = service_of(result, cls_name)
    directory = program.folder / "results" / "latest" / result["relative_results_dir"] / service["service_id"]
    return [(directory / node / name.format(node)).read_text(encoding="utf-8") for node in service["nodes"]]
