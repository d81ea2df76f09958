# SPDX-License-Identifier: Apache-2.0
"""Runs on containers of a real Docker daemon: names, limits, logs, keeping, and what is left when all is over."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ducktape.cluster.container.cleaner import LABEL
from tests.support.docker_engine import IMAGE, MOUNTS, Daemon, running_docker
from tests.support.needs import require
from tests.support.program import CHECKOUT, Program, suite

SUITE = """
import time

from ducktape.mark import matrix
from ducktape.mark.resource import cluster
from ducktape.services.service import Service
from ducktape.tests.test import Test


class Nodes(Service):
    logs = {"log": {"path": "/tmp/some.log", "collect_default": True}}

    def start_node(self, node):
        node.account.ssh("hostname >/tmp/some.log")

    def stop_node(self, node):
        pass

    def clean_node(self, node):
        pass


class ContainerTest(Test):
    @cluster(num_nodes=2)
    @matrix(number=[1, 2])
    def test_pair(self, number):
        service = Nodes(self.test_context, 2)
        service.start()
        one, other = service.nodes
        # Each has its own files, and finds the other by its name
        assert one.account.ssh_output("cat /tmp/some.log").decode().strip() == one.name
        found = one.account.ssh_output(f"getent hosts {other.name}").decode().split()[0]
        assert found == other.account.externally_routable_ip
        # Orphans are reaped
        one.account.ssh("(sleep 0.1 &); while ps -e -o args= | grep -q '^[s]leep 0.1'; do sleep 0.05; done")
        states = one.account.ssh_output("ps -e -o stat=").decode()
        assert "Z" not in states, states
        limit = one.account.ssh_output("cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes "
                                       "2>/dev/null || true").decode().split()
        return {"names": [one.name, other.name], "limit": limit}

    @cluster(num_nodes=1)
    def test_fails(self):
        Nodes(self.test_context, 1).start()
        raise AssertionError("on purpose")

    @cluster(num_nodes=2)
    def test_waits(self):
        Nodes(self.test_context, 2).start()
        print("waiting", flush=True)
        time.sleep(600)
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    require("docker")
    with running_docker(tmp_path_factory.mktemp("docker")) as started:
        yield started


@pytest.fixture
def run(daemon: Daemon, tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Start runs of the suite, whose options are added."""
    suite(tmp_path, SUITE)
    mounts = [{"source": path} for path in MOUNTS]
    content = {"image": IMAGE, "max_nodes": 4, "memory": "64m", "mounts": mounts, "pull": "never"}
    (tmp_path / "docker.json").write_text(json.dumps(content))
    with contextlib.ExitStack() as undo:

        def start(test: str, *options: str) -> Program:
            cluster = ("--cluster", "docker", "--cluster-file", "docker.json")
            program = Program(
                tmp_path, f"suite/test_it.py::ContainerTest.{test}", *cluster, *options, extra=_variables(daemon)
            )
            undo.callback(program.kill_everything)
            return program

        yield start


def _variables(daemon: Daemon) -> dict[str, str]:
    return {"DOCKER_HOST": daemon.address}


def _left(daemon: Daemon) -> list[str]:
    """Return the containers and networks of runs."""
    import docker

    with contextlib.closing(docker.DockerClient(daemon.address)) as client:
        # Not through the library's objects: it asks for each, which may be gone by then
        containers = [name for each in client.api.containers(all=True) for name in each["Names"]]
        networks = [each["Name"] for each in client.api.networks() if each["Name"].startswith("ducktape")]
    return containers + networks


def _until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_tests_have_containers_of_their_own(run: Callable[..., Program], daemon: Daemon) -> None:
    program = run("test_pair", "--max-parallel", "2")
    assert program.wait() == 0, program.output
    results = program.report["results"]
    assert [result["test_status"] for result in results] == ["PASS", "PASS"]
    # Both at once: four nodes
    assert sorted(name for result in results for name in result["data"]["names"]) == [f"node{n}" for n in range(1, 5)]
    assert [result["data"]["limit"] for result in results] == [[str(64 << 20)]] * 2
    assert _left(daemon) == []


def test_logs_of_a_failed_test_are_collected(run: Callable[..., Program], daemon: Daemon, tmp_path: Path) -> None:
    program = run("test_fails")
    assert program.wait() == 1
    [log] = (tmp_path / "results" / "latest").glob("ContainerTest/test_fails/**/some.log")
    assert log.read_text() == "node1\n"
    assert _left(daemon) == []


def test_nothing_is_left_when_the_driver_is_killed(run: Callable[..., Program], daemon: Daemon) -> None:
    program = run("test_waits")
    program.wait_for("Running...")
    _until(lambda: len(_left(daemon)) == 3, "two containers and a network")
    os.kill(program.process.pid, signal.SIGKILL)
    _until(lambda: not _left(daemon), "no container and no network")


def test_kept_containers_outlive_the_run(run: Callable[..., Program], daemon: Daemon) -> None:
    program = run("test_fails", "--keep", "on-failure")
    assert program.wait() == 1
    assert len(_left(daemon)) == 2, "a container and a network"
    shell = Program(program.folder, "shell", "test_fails", "--", "cat /tmp/some.log", extra=_variables(daemon))
    assert (shell.wait(), shell.output) == (0, "node1\n")
    release = Program(program.folder, "release", "--all", extra=_variables(daemon))
    assert release.wait() == 0, release.output
    _until(lambda: not _left(daemon), "no container and no network")


def test_an_image_that_is_not_there_is_said(run: Callable[..., Program], daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "docker.json").write_text(json.dumps({"image": "absent:1", "pull": "never"}))
    program = run("test_fails")
    assert program.wait() == 1
    [result] = program.report["results"]
    assert (result["reason"], 'Docker has no image absent:1, and "pull" is "never"' in result["summary"]) == (
        "infrastructure",
        True,
    )
    assert _left(daemon) == []


def test_a_daemon_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    require("docker")
    suite(tmp_path, SUITE)
    (tmp_path / "docker.json").write_text(json.dumps({"image": IMAGE}))
    address = f"unix://{tmp_path}/absent.sock"
    arguments = ("suite", "--cluster", "docker", "--cluster-file", "docker.json")
    program = Program(tmp_path, *arguments, extra={"DOCKER_HOST": address})
    assert program.wait() == 1
    [line] = [line for line in program.output.splitlines() if "could not connect" in line]
    assert f"Docker ({address}) could not connect: " in line
    assert "Traceback" not in program.output


def test_the_cleaner_removes_what_is_not_kept_and_then_the_rest(daemon: Daemon) -> None:
    import docker

    session = "ducktape-of-a-test"
    with contextlib.ExitStack() as undo:
        client = undo.enter_context(contextlib.closing(docker.DockerClient(daemon.address)))
        client.networks.create(session)
        kept, other = (
            client.containers.run(
                IMAGE,
                ["sleep", "600"],  # which ignores that nobody is connected
                name=name,
                detach=True,
                network=session,
                labels={LABEL: session},
                volumes=[f"{path}:{path}:ro" for path in MOUNTS],
            )
            for name in ("kept", "other")
        )
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "ducktape.cluster.container.cleaner", daemon.address, session]
        with theirs:
            cleaner = subprocess.Popen(command, stdin=theirs.fileno(), cwd=CHECKOUT)
        undo.callback(cleaner.kill)
        watched, held = os.pipe()
        socket.send_fds(ours, [str(kept.id).encode()], [watched])
        os.close(watched)
        assert sorted(_left(daemon)) == ["/kept", "/other", session]
        ours.close()
        _until(lambda: sorted(_left(daemon)) == ["/kept", session], f"only {other.name} is gone")
        os.close(held)
        assert cleaner.wait(60) == 0
        assert _left(daemon) == []
