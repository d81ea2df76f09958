# SPDX-License-Identifier: Apache-2.0
"""Nodes of the sandbox whose SSH server is started when somebody wants the clients of the SSH library."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.remoteaccount import RemoteAccountError
from ducktape.cluster.sandbox.client import Supervisor
from ducktape.cluster.sandbox.cluster import SandboxError, SandboxNode
from ducktape.cluster.sandbox.sshd import Keys
from tests.support.sandbox import running_sandbox

pytestmark = pytest.mark.needs("sandbox", "sshd")


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[SandboxNode]]:
    with running_sandbox(tmp_path, environment={"OWN": "mine"}) as cluster:
        yield [node for node in cluster.alloc(ClusterSpec.simple_linux(2)) if isinstance(node, SandboxNode)]


def said(node: SandboxNode, command: str) -> str:
    _, output, _ = node.account.ssh_client.exec_command(command, timeout=20)
    return str(output.read().decode())


def test_the_clients_of_the_ssh_library_work_without_configuration(
    nodes: list[SandboxNode], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for node in nodes:
        assert node.account.ssh_output("pgrep sshd || :") == b""
        assert said(node, "hostname; whoami; pwd; echo $OWN") == f"{node.name}\nroot\n{os.path.expanduser('~')}\nmine\n"
        transport = node.account.ssh_client.get_transport()
        assert transport is not None
        channel = transport.open_session()
        channel.exec_command("exit 3")
        assert channel.recv_exit_status() == 3
        with node.account.sftp_client.open("/tmp/file", "w") as file:
            file.write("text")
        assert node.account.ssh_output("cat /tmp/file") == b"text"
        assert node.account.ssh_client is node.account._ssh_client
    assert list(tmp_path.glob("ducktape-sandbox-*")) == []


def test_a_server_that_was_killed_is_started_for_the_next_login(nodes: list[SandboxNode]) -> None:
    node = nodes[0]
    assert said(node, "echo one") == "one\n"
    node.account.ssh("kill -9 -1", allow_fail=True)
    deadline = time.monotonic() + 20
    while node.account._ssh_client.get_transport().is_active():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert said(node, "echo two") == "two\n"
    node.power_off()
    node.power_on()
    assert "sshd.log" in node.account.sftp_client.listdir("/run")


def test_a_process_of_a_test_may_be_the_first_to_ask(nodes: list[SandboxNode]) -> None:
    context = multiprocessing.get_context("fork")
    answers: Any = context.Queue()
    process = context.Process(target=lambda: answers.put([said(node, "hostname") for node in nodes]))
    process.start()
    assert answers.get(timeout=30) == ["node1\n", "node2\n"]
    process.join(10)
    assert said(nodes[0], "hostname") == "node1\n"


def test_without_a_server_the_error_names_package_and_setting(
    nodes: list[SandboxNode], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("ducktape.cluster.sandbox.sshd._SEARCH_PATH", "/nowhere")
    with pytest.raises(OSError, match=r"^this machine has no sshd: (\S+ )+openssh-server$") as caught:
        Keys(str(tmp_path / "keys"), "/nowhere/either")

    def refuse(self: Supervisor, verb: str, **arguments: Any) -> Any:
        raise SandboxError(str(caught.value))

    monkeypatch.setattr(Supervisor, "request", refuse)
    for name in ("ssh_client", "sftp_client"):
        with pytest.raises(RemoteAccountError, match=r'no sshd: .*openssh-server\. It is .*"sshd": true$'):
            getattr(nodes[0].account, name)
    monkeypatch.undo()


def test_a_server_that_does_not_start_says_why(nodes: list[SandboxNode]) -> None:
    nodes[0].account.ssh("mkdir -p /etc/sshd/sshd_config")
    with pytest.raises(RemoteAccountError, match=r"node1: ssh_client and sftp_client need an SSH server.*directory"):
        nodes[0].account.ssh_client
