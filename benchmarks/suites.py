# SPDX-License-Identifier: Apache-2.0
"""Test files that both programs run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_NO_OP = """
from ducktape.mark import matrix
from ducktape.mark.resource import cluster
from ducktape.tests.test import Test


class NoOpTest(Test):
    @cluster(num_nodes=1)
    @matrix(number=list(range({count})))
    def test_nothing(self, number):
        pass
"""


def write_no_op(directory: Path, count: int) -> Path:
    """Write a file of ``count`` tests that do nothing with the one node each declares, and return its path."""
    path = directory / f"test_no_op_{count}.py"
    path.write_text(_NO_OP.format(count=count), encoding="utf-8")
    return path


_LOGGING = """
import os
import tempfile
import time

from ducktape.mark.resource import cluster
from ducktape.services.service import Service
from ducktape.tests.test import Test


class Logging(Service):
    def __init__(self, context):
        super().__init__(context, num_nodes={nodes})
        self.root = tempfile.mkdtemp(dir={directory!r})
        self.logs = {{
            "log_%02d" % number: {{"path": os.path.join(self.root, "%02d.log" % number), "collect_default": True}}
            for number in range({files})
        }}

    def start_node(self, node, **kwargs):
        # The nodes are logins of one machine, so these are the files of all of them.
        for log in self.logs.values():
            with open(log["path"], "w") as file:
                file.write("x" * 1000)
        node.account.ssh("true")

    def stop_node(self, node, **kwargs):
        pass

    def clean_node(self, node, **kwargs):
        pass


class LoggingTest(Test):
    def copy_service_logs(self, *args, **kwargs):
        begin = time.perf_counter()
        super().copy_service_logs(*args, **kwargs)
        with open({seconds!r}, "w") as file:
            file.write(str(time.perf_counter() - begin))

    @cluster(num_nodes={nodes})
    def test_with_logs(self):
        self.service = Logging(self.test_context)
        self.service.start()
"""


def write_logging(directory: Path, *, nodes: int, files: int) -> Path:
    """Write a file with one test that leaves so many logs on each of some nodes, and return its path.

    The seconds that their collection takes are written to the file ``seconds`` in the directory.
    """
    path = directory / "test_logging.py"
    seconds = str(directory / "seconds")
    path.write_text(
        _LOGGING.format(nodes=nodes, files=files, directory=str(directory), seconds=seconds), encoding="utf-8"
    )
    return path


_WITH_NODES = """
from ducktape.mark import matrix
from ducktape.mark.resource import cluster
from ducktape.tests.test import Test


class NodesTest(Test):
    @cluster(num_nodes=3)
    @matrix(number=list(range({count})))
    def test_it(self, number):
        for node in self.test_context.cluster.alloc(self.test_context.expected_cluster_spec):
            node.account.ssh("true")
"""


def write_with_nodes(directory: Path, count: int) -> Path:
    """Write a file of ``count`` tests that do nothing in each of their three nodes, and return its path."""
    path = directory / "test_nodes.py"
    path.write_text(_WITH_NODES.format(count=count), encoding="utf-8")
    return path


_WITH_CONTAINERS = """
import subprocess

from ducktape.mark import matrix
from ducktape.mark.resource import cluster
from ducktape.tests.test import Test


def side_by_side(command, names):
    processes = [subprocess.Popen([part.format(name=name) for part in command]) for name in names]
    if any([process.wait() for process in processes]):
        raise RuntimeError("failed: " + " ".join(command))


class ContainerTest(Test):
    @cluster(num_nodes=3)
    @matrix(number=list(range({count})))
    def test_it(self, number):
        names = ["test%d-%d" % (number, node) for node in range(3)]
        side_by_side({create!r}, names)
        side_by_side({execute!r}, names)
        subprocess.run([*{remove!r}, *names], check=True)
"""


def write_with_containers(
    directory: Path, count: int, *, create: Sequence[str], execute: Sequence[str], remove: Sequence[str]
) -> Path:
    """Write a file of tests that each make three containers, do nothing in each and remove them; return its path.

    Args:
        directory: where it is written.
        count: of tests.
        create: command line that makes the container ``{name}``.
        execute: command line that does nothing in the container ``{name}``.
        remove: start of a command line that removes the containers whose names follow.
    """
    path = directory / "test_containers.py"
    text = _WITH_CONTAINERS.format(count=count, create=list(create), execute=list(execute), remove=list(remove))
    path.write_text(text, encoding="utf-8")
    return path
