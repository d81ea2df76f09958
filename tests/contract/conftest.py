# SPDX-License-Identifier: Apache-2.0
"""The transports that have to keep the contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.container.engine import ContainerTransport, Engine
from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.local.transport import LocalTransport
from ducktape.cluster.remoteaccount import RemoteAccountSSHConfig
from ducktape.cluster.ssh.transport import SshTransport
from ducktape.cluster.transport import Transport, TransportWrapper
from tests.support.docker_engine import IMAGE, MOUNTS, running_docker
from tests.support.needs import require
from tests.support.sandbox import running_sandbox
from tests.support.sshd import Sshd, running_sshd


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    require("sshd")
    with running_sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transport]:
    """The transport of a node that sees the temporary directories of the tests."""
    require("sandbox")
    shared = {"source": str(tmp_path_factory.getbasetemp()), "mode": "rw"}
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), mounts=[shared]) as cluster:
        [node] = cluster.alloc(ClusterSpec.simple_linux(1))
        yield node.account.transport


@pytest.fixture(scope="session")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transport]:
    """The transport of a container that sees the temporary directories of the tests."""
    require("docker")
    with running_docker(tmp_path_factory.mktemp("docker")) as daemon:
        engine = Engine("Docker", daemon.address)
        shared = str(tmp_path_factory.getbasetemp())
        container = engine.client().containers.run(
            IMAGE,
            # A shell that waits reaps orphans, too: the engine's own init would have to be below /usr
            ["sh", "-c", "while :; do sleep 1000 & wait $!; done"],
            detach=True,
            volumes=[*(f"{path}:{path}:ro" for path in MOUNTS), f"{shared}:{shared}"],
        )
        yield ContainerTransport(engine, str(container.id), "worker")


@pytest.fixture(params=["local", "wrapped", "ssh", "sandbox", "docker"])
def transport(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Transport]:
    made: Transport
    if request.param == "ssh":
        made = SshTransport(request.getfixturevalue("sshd").settings)
    elif request.param in ("sandbox", "docker"):
        monkeypatch.setenv("SHELL", "/bin/bash")
        made = request.getfixturevalue(request.param)
    else:
        home: Path = tmp_path_factory.mktemp("home")
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setenv("SHELL", "/bin/bash")
        made = LocalTransport() if request.param == "local" else TransportWrapper(LocalTransport())
    yield made
    made.close()


@pytest.fixture
def account(transport: Transport) -> Iterator[LinuxRemoteAccount]:
    made = LinuxRemoteAccount(RemoteAccountSSHConfig(host="worker"))
    made.transport = transport
    yield made
    made.close()
