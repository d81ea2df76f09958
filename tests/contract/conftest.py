# SPDX-License-Identifier: Apache-2.0
"""The transports that have to keep the contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.local import LocalTransport
from ducktape.cluster.remoteaccount import RemoteAccountSSHConfig
from ducktape.cluster.ssh import SshTransport
from ducktape.cluster.transport import Transport, TransportWrapper
from tests.support.sshd import Sshd, missing_parts, running_sshd


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    problem = missing_parts()
    if problem:
        pytest.skip(problem)
    with running_sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture(params=["local", "wrapped", "ssh"])
def transport(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Transport]:
    made: Transport
    if request.param == "ssh":
        made = SshTransport(request.getfixturevalue("sshd").settings)
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
