# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import filelock
import pytest

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.remoteaccount import RemoteAccountError
from ducktape.cluster.vagrant import VagrantCluster, split_hosts

TWO = """Some plug-in says hello.
Host worker1
  HostName 127.0.0.1
  User vagrant
  Port 2222

  IdentityFile /path/private_key
HOST worker2
  HostName 127.0.0.2
  User vagrant
  Port 2200
"""


class Probed(LinuxRemoteAccount):
    def fetch_externally_routable_ip(self, is_aws: Any = None) -> str:
        return f"ip-{self.hostname}"


@pytest.fixture
def vagrant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program named vagrant that says what the files out, err and status contain."""
    program = tmp_path / "bin" / "vagrant"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\ncd {tmp_path}; echo "$*" > args; cat out; cat err >&2; exit $(cat status)\n')
    program.chmod(0o755)
    for name, text in (("out", TWO), ("err", ""), ("status", "0")):
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_hosts_are_split_whatever_stands_between_them() -> None:
    assert [block.splitlines()[0] for block in split_hosts(TWO)] == ["Host worker1", "HOST worker2"]
    assert "IdentityFile" in split_hosts(TWO)[0]
    assert split_hosts("nothing\n") == []


def test_the_machines_are_found_and_remembered(vagrant: Path) -> None:
    file = vagrant / "cluster.json"
    cluster = VagrantCluster(cluster_file=str(file), make_remote_account_func=Probed)
    assert (vagrant / "args").read_text() == "ssh-config\n"
    worker1 = {
        "externally_routable_ip": "ip-worker1",
        "ssh_config": {
            "connecttimeout": None,
            "host": "worker1",
            "hostname": "127.0.0.1",
            "identityfile": "/path/private_key",
            "password": None,
            "port": 2222,
            "user": "vagrant",
        },
    }
    saved = json.loads(file.read_text())
    assert saved["nodes"][0] == worker1
    assert file.read_text() == json.dumps(saved, indent=2, separators=(",", ": "), sort_keys=True)
    nodes = cluster.alloc(ClusterSpec.simple_linux(2))
    assert [(node.name, node.account.externally_routable_ip) for node in nodes] == [
        ("worker1", "ip-worker1"),
        ("worker2", "ip-worker2"),
    ]
    pickle.dumps(cluster)


@pytest.mark.filterwarnings("ignore:nodes.* has no hostname:ducktape.errors.CompatibilityWarning")
def test_the_file_is_preferred(vagrant: Path) -> None:
    file = vagrant / "cluster.json"
    file.write_text('{"nodes": [{"ssh_config": {"host": "a"}, "node_type": "large"}]}')
    cluster = VagrantCluster(cluster_file=str(file))
    assert str(cluster.available()) == '[{"node_type": "large", "num_nodes": 1, "os": "linux"}]'
    assert not (vagrant / "args").exists()
    file.write_text("{")
    with pytest.raises(ValueError, match="Expecting"):
        VagrantCluster(cluster_file=str(file))


def test_a_failure_is_shown_and_not_remembered(vagrant: Path) -> None:
    (vagrant / "status").write_text("1")
    (vagrant / "err").write_text("The machine\n\n  is not up.\n")
    with pytest.raises(RemoteAccountError) as caught:
        VagrantCluster(cluster_file=str(vagrant / "cluster.json"), make_remote_account_func=Probed)
    assert (
        str(caught.value) == f"Vagrant: 'vagrant ssh-config' in {vagrant} failed with status 1: The machine is not up."
    )
    assert not (vagrant / "cluster.json").exists()


def test_a_failure_without_a_message_is_one_line_too(vagrant: Path) -> None:
    (vagrant / "status").write_text("3")
    with pytest.raises(RuntimeError, match=r"failed with status 3: no message on standard error$"):
        VagrantCluster()


def test_a_missing_program_brings_a_hint(vagrant: Path) -> None:
    (vagrant / "bin" / "vagrant").unlink()
    with pytest.raises(RuntimeError, match=r"failed with status 127: .*vagrant.*not found.*; --cluster names another"):
        VagrantCluster()


@pytest.mark.filterwarnings("ignore:nodes.* has no hostname:ducktape.errors.CompatibilityWarning")
def test_who_waited_reads_what_the_other_wrote(vagrant: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = vagrant / "cluster.json"
    with ThreadPoolExecutor(1) as pool, filelock.FileLock(f"{file}.lock"):
        waiting = pool.submit(VagrantCluster, cluster_file=str(file))
        while "Another process asks Vagrant" not in caplog.text:
            assert not waiting.done(), waiting.exception()
            time.sleep(0.01)
        file.write_text('{"nodes": [{"ssh_config": {"host": "theirs"}}]}')
    assert [account.hostname for account in waiting.result()._available_accounts] == ["theirs"]
    assert not (vagrant / "args").exists()


def test_no_machines_are_not_remembered(vagrant: Path) -> None:
    (vagrant / "out").write_text("\n")
    assert len(VagrantCluster(cluster_file=str(vagrant / "cluster.json"))) == 0
    assert not (vagrant / "cluster.json").exists()


def test_a_machine_that_cannot_be_asked_ends_it_with_everything_closed(vagrant: Path) -> None:
    asked: list[str] = []
    closed: list[str] = []

    class Unreachable(LinuxRemoteAccount):
        def fetch_externally_routable_ip(self, is_aws: Any = None) -> str:
            asked.append(self.hostname)
            raise ConnectionRefusedError("no route")

        def close(self) -> None:
            closed.append(self.hostname)

    with pytest.raises(RemoteAccountError) as caught:
        VagrantCluster(make_remote_account_func=Unreachable)
    assert str(caught.value) == (
        "Vagrant: 2 of 2 machines could not be asked for their address: "
        "worker1: ConnectionRefusedError: no route; worker2: ConnectionRefusedError: no route"
    )
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)
    assert sorted(asked) == ["worker1", "worker2"]
    assert sorted(closed) == ["worker1", "worker2"]


def test_hooks_may_be_replaced() -> None:
    class Own(VagrantCluster):
        def _vagrant_ssh_config(self) -> tuple[str, str]:
            return "Host windows1\n  HostName 10.0.0.1\n", ""

    (account,) = Own()._available_accounts
    assert (account.operating_system, account.externally_routable_ip) == ("windows", "10.0.0.1")
