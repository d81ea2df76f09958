# SPDX-License-Identifier: Apache-2.0
"""The default cluster class: a stand-in for Vagrant tells of machines that are real SSH servers."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.ssh.config import RemoteAccountSSHConfig
from ducktape.cluster.vagrant import VagrantCluster
from ducktape.errors import DucktapeError
from tests.support.needs import require
from tests.support.program import Program, suite
from tests.support.sshd import Sshd
from tests.support.vagrant_standin import VagrantStandin, ssh_config

SUITE = """
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class WorkersTest(Test):
        @cluster(num_nodes=3)
        def test_names(self):
            nodes = self.test_context.cluster.alloc(self.test_context.cluster.all())
            return {
                node.name: [node.account.ssh_output("echo hello").decode(), node.account.externally_routable_ip]
                for node in nodes
            }
"""


class MeetingAccount(LinuxRemoteAccount):
    """Learns its address only while three machines are asked at the same time."""

    place: str

    def fetch_externally_routable_ip(self, is_aws: Any = None) -> str:
        command = (
            f"touch {self.place}/{self.hostname}; for i in $(seq 400); do "
            f'[ "$(ls {self.place} | wc -l)" -ge 3 ] && echo 10.0.0.1 && exit; sleep 0.05; done; exit 1'
        )
        return self.ssh_output(command).decode().strip()


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[RemoteAccountSSHConfig]]:
    """How to log in to three machines; the path of the key has a blank in it."""
    require("sshd")
    directory = tmp_path_factory.mktemp("machines")
    servers: list[Sshd] = []
    try:
        for number in (1, 2, 3):
            folder = directory / f"worker{number}"
            folder.mkdir()
            server = Sshd(folder)
            server.start()
            servers.append(server)
        yield [_named(server, f"worker{number}") for number, server in enumerate(servers, 1)]
    finally:
        for server in servers:
            server.stop()


def _named(server: Sshd, host: str) -> RemoteAccountSSHConfig:
    settings = server.settings.to_json()
    key = server.directory / "private keys" / "private_key"
    key.parent.mkdir()
    shutil.copy(settings["identityfile"], key)
    # Vagrant prints no timeout
    return RemoteAccountSSHConfig(**{**settings, "host": host, "identityfile": str(key), "connecttimeout": None})


@pytest.fixture
def vagrant(tmp_path: Path, machines: list[RemoteAccountSSHConfig], monkeypatch: pytest.MonkeyPatch) -> VagrantStandin:
    """The stand-in, first on the path, telling of the three machines."""
    folder = tmp_path / "vagrant"
    folder.mkdir()
    standin = VagrantStandin(folder)
    standin.answer(ssh_config(machines))
    monkeypatch.setenv("PATH", f"{standin.bin}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return standin


def address_of(machine: RemoteAccountSSHConfig) -> str:
    """The address that this machine has for others."""
    account = LinuxRemoteAccount(machine)
    try:
        if not account.get_external_accessible_network_devices():
            pytest.skip("this machine has no network device that others reach")
        return account.fetch_externally_routable_ip()
    finally:
        account.close()


def test_machines_are_asked_and_remembered(
    vagrant: VagrantStandin, machines: list[RemoteAccountSSHConfig], tmp_path: Path
) -> None:
    address = address_of(machines[0])
    file = tmp_path / "cluster.json"
    cluster = VagrantCluster(cluster_file=str(file))
    expected = {"nodes": [{"externally_routable_ip": address, "ssh_config": machine.to_json()} for machine in machines]}
    assert json.loads(file.read_text()) == expected
    assert file.read_text() == json.dumps(expected, indent=2, separators=(",", ": "), sort_keys=True)
    pickle.dumps(cluster)
    nodes = cluster.alloc(ClusterSpec.simple_linux(3))
    assert [(node.name, node.account.ssh_output("echo hello")) for node in nodes] == [
        (f"worker{number}", b"hello\n") for number in (1, 2, 3)
    ]
    cluster.free(nodes)
    pickle.dumps(cluster)
    assert len(VagrantCluster(cluster_file=str(file))) == 3
    assert vagrant.calls == [f"{tmp_path}: ssh-config"]


def test_machines_are_asked_at_the_same_time(vagrant: VagrantStandin, tmp_path: Path) -> None:
    place = tmp_path / "meeting"
    place.mkdir()

    class Here(MeetingAccount):
        pass

    Here.place = str(place)
    cluster = VagrantCluster(make_remote_account_func=Here)
    assert [account.externally_routable_ip for account in cluster._available_accounts] == ["10.0.0.1"] * 3


def test_a_machine_that_is_down_is_named(
    vagrant: VagrantStandin, machines: list[RemoteAccountSSHConfig], tmp_path: Path
) -> None:
    down = RemoteAccountSSHConfig(**{**machines[1].to_json(), "port": 1})
    vagrant.answer(ssh_config([machines[0], down, machines[2]]))
    address_of(machines[0])
    file = tmp_path / "cluster.json"
    with pytest.raises(
        DucktapeError,
        match=r"^Vagrant: 1 of 3 machines could not be asked for their address: worker2: \w+: .* port 1 on 127.0.0.1",
    ):
        VagrantCluster(cluster_file=str(file))
    assert not file.exists()


def test_a_run_shows_why_vagrant_failed_and_the_next_one_asks_again(
    vagrant: VagrantStandin, machines: list[RemoteAccountSSHConfig], tmp_path: Path
) -> None:
    address = address_of(machines[0])
    path = suite(tmp_path, SUITE)
    vagrant.answer("", "The machine 'worker2' is not running.\n\nRun `vagrant up`.\n", 1)
    failed = Program(tmp_path, path, "--cluster-file", "cluster.json")
    try:
        assert failed.wait() == 1
    finally:
        failed.kill_everything()
    message = (
        f"Vagrant: 'vagrant ssh-config' in {tmp_path} failed with status 1: "
        "The machine 'worker2' is not running. Run `vagrant up`."
    )
    assert message in failed.output
    assert not (tmp_path / "cluster.json").exists()
    vagrant.answer("\n")
    assert len(VagrantCluster(cluster_file="cluster.json")) == 0
    assert not (tmp_path / "cluster.json").exists()
    vagrant.answer(ssh_config(machines))
    good = Program(tmp_path, path, "--cluster-file", "cluster.json")
    try:
        assert good.wait() == 0, good.output
    finally:
        good.kill_everything()
    assert good.result("test_names")["data"] == {f"worker{number}": ["hello\n", address] for number in (1, 2, 3)}
    assert len(vagrant.calls) == 3


def test_two_runs_that_start_together_ask_once(
    vagrant: VagrantStandin, machines: list[RemoteAccountSSHConfig], tmp_path: Path
) -> None:
    address_of(machines[0])
    file = tmp_path / "shared" / "cluster.json"
    vagrant.hold()
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        suite(folder, SUITE)
    runs = [Program(folder, "suite", "--cluster-file", str(file)) for folder in folders]
    line = f"Another process asks Vagrant for {file}; waiting for it"
    try:
        _wait_for_either(runs, line)
        assert [run.process.poll() for run in runs] == [None, None]
        assert not file.exists()
        vagrant.go_on()
        assert [run.wait() for run in runs] == [0, 0], [run.output for run in runs]
    finally:
        for run in runs:
            run.kill_everything()
    assert len(vagrant.calls) == 1
    assert sum(run.output.count(line) for run in runs) == 1
    assert [list(run.statuses.values()) for run in runs] == [["PASS"], ["PASS"]]
    assert len(json.loads(file.read_text())["nodes"]) == 3
    # Nothing half-written stays; whether the lock's file does is a matter of the library's release
    assert {entry.name for entry in file.parent.iterdir()} <= {"cluster.json", "cluster.json.lock"}


def _wait_for_either(runs: list[Program], text: str) -> None:
    deadline = time.monotonic() + 60
    while not any(text in run.output for run in runs):
        assert time.monotonic() < deadline, [run.output for run in runs]
        time.sleep(0.02)
