# SPDX-License-Identifier: Apache-2.0
"""Runs of the suites, what they have to leave, and what not."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.localhost import LocalhostCluster
from ducktape.errors import InfrastructureError, Skip
from systests.packages import need_packages
from tests.support.program import CHECKOUT, Program, finished

_LONGEST_RUN_SEC = 300


def skip_without(packages: dict[str, str]) -> None:
    """Install packages on this machine, whose programs all nodes see; where that cannot be, skip the tests."""
    [node] = LocalhostCluster().alloc(ClusterSpec.simple_linux(1))
    try:
        need_packages(node, packages)
    except (Skip, InfrastructureError) as error:
        pytest.skip(str(error))


class Runs:
    """Runs of the program that go on side by side, since a suite waits most of the time; none outlives the block.

    Args:
        folder: becomes the place of the working directories.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._programs: dict[str, Program] = {}

    def start(self, name: str, *arguments: str) -> None:
        """Start a run, which has its working directory of the same name to itself."""
        directory = self.folder / name
        directory.mkdir()
        self._programs[name] = Program(directory, *arguments)

    def finished(self, name: str) -> Program:
        """Return a run after its end, for which this waits."""
        program = self._programs[name]
        try:
            program.wait(_LONGEST_RUN_SEC)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the run {name} does not end:\n{program.output}")
        return program

    def __enter__(self) -> Runs:
        return self

    def __exit__(
        self, cls: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for program in self._programs.values():
            program.kill_everything()


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
    # Accounts may be called user@node
    nodes = [account.rpartition("@")[2] for account in service["nodes"]]
    return [(directory / node / name.format(node)).read_text(encoding="utf-8") for node in nodes]
