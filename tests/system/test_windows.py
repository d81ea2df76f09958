# SPDX-License-Identifier: Apache-2.0
"""Windows machines: EC2 tells the password, WinRM runs commands, SSH does the rest; all of it over real clients."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import winrm.exceptions

from ducktape.cluster.remoteaccount import RemoteAccountSSHConfig, RemoteCommandError
from ducktape.cluster.windows_remoteaccount import WindowsRemoteAccount
from tests.support.ec2 import Ec2, encrypted, running_ec2
from tests.support.needs import require
from tests.support.program import Program, suite
from tests.support.sshd import running_sshd
from tests.support.winrm_server import PORT, WinrmServer

PASSWORD = "Pa$$w0rd-;<&>"

SUITE = """
    from ducktape.cluster.cluster_spec import ClusterSpec
    from ducktape.cluster.node_spec import NodeSpec
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    ONE_OF_EACH = ClusterSpec.from_nodes([NodeSpec("windows"), NodeSpec("linux")])

    class MixedTest(Test):
        def nodes(self):
            return {
                node.account.operating_system: node for node in self.test_context.cluster.alloc(ONE_OF_EACH)
            }

        @cluster(cluster_spec=ONE_OF_EACH)
        def test_both(self):
            nodes = self.nodes()
            account = nodes["windows"].account
            account.run_winrm_command("echo over winrm > from_winrm")
            return {
                "names": {system: node.name for system, node in nodes.items()},
                "status": account.run_winrm_command("exit 4", allow_fail=True),
                "ssh": account.ssh_output("echo over ssh").decode(),
                "address": account.fetch_externally_routable_ip(),
            }

        @cluster(cluster_spec=ONE_OF_EACH)
        def test_failing_command(self):
            self.nodes()["windows"].account.run_winrm_command("echo went wrong >&2; exit 5")
"""


@dataclass
class Windows:
    """A machine that EC2 knows and that answers WinRM."""

    ec2: Ec2
    service: WinrmServer
    folder: Path
    instance_id: str
    pem: str

    @property
    def config(self) -> RemoteAccountSSHConfig:
        """How to reach it."""
        return RemoteAccountSSHConfig(
            host="windows1", hostname=self.service.address, identityfile=str(self.folder / "private_key")
        )

    def created_by_vagrant(self, instance_id: str) -> None:
        """Leave what Vagrant leaves when it has created a machine."""
        file = self.folder / ".vagrant" / "machines" / "windows1" / "aws" / "id"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(instance_id)

    def account(self) -> WindowsRemoteAccount:
        """A new account of it."""
        return WindowsRemoteAccount(self.config)


@pytest.fixture(scope="module")
def ec2() -> Iterator[Ec2]:
    with running_ec2() as service:
        yield service


@pytest.fixture
def windows(ec2: Ec2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Windows]:
    # The port is given, so that several runs at once need addresses of their own.
    number = os.getpid()
    service = WinrmServer(
        f"127.{85 + number // 62500 % 100}.{number // 250 % 250}.{number % 250 + 1}", "Administrator", PASSWORD
    )
    for name, value in ec2.environment.items():
        monkeypatch.setenv(name, value)
    # Only to be warned of by the client
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    instance_id, pem = ec2.start_machine(PASSWORD)
    (tmp_path / "private_key").write_text(pem)
    with contextlib.ExitStack() as cleanup:
        try:
            cleanup.enter_context(service.running())
        except OSError as error:
            pytest.skip(f"no service can listen on {service.address}:{PORT}: {error}")
        machine = Windows(ec2, service, tmp_path, instance_id, pem)
        machine.created_by_vagrant(f"{instance_id}\n")
        yield machine


def test_commands_run_and_their_status_comes_back(windows: Windows, caplog: pytest.LogCaptureFixture) -> None:
    account = windows.account()
    with caplog.at_level(logging.DEBUG, "ducktape"):
        assert account.run_winrm_command(f"echo done > {windows.folder}/made") == 0
        assert account.run_winrm_command("exit 7", allow_fail=True) == 7
    assert (windows.folder / "made").read_text() == "done\n"
    assert [line for line in caplog.messages if "exit 7" in line] == ["windows1: Running winrm command: exit 7"]
    assert f"windows1: Found EC2 instance id: {windows.instance_id}" in caplog.messages
    assert f"windows1: Decrypting the Windows password with the private key {windows.folder}/private_key" in caplog.text
    assert PASSWORD not in caplog.text
    assert PASSWORD not in repr(account)


def test_a_failure_carries_the_error_output(windows: Windows) -> None:
    with pytest.raises(RemoteCommandError) as caught:
        windows.account().run_winrm_command("echo fine; echo first >&2; sleep 0.5; echo second >&2; exit 5")
    assert (caught.value.exit_status, caught.value.msg) == (5, b"first\nsecond\n")
    assert str(caught.value).startswith("windows1: Command 'echo fine; echo first")
    assert PASSWORD not in str(caught.value)


def test_each_command_has_a_shell_that_is_deleted(windows: Windows) -> None:
    account = windows.account()
    client = account.winrm_client
    account.run_winrm_command("exit 0")
    account.run_winrm_command("exit 1", allow_fail=True)
    assert account.winrm_client is client
    one = ["Create", "Command", "Receive", "Signal", "Delete"]
    assert windows.service.operations == one + one
    assert windows.service.shells == {}


def test_output_and_status_can_be_had_from_the_client(windows: Windows) -> None:
    response = windows.account().winrm_client.run_cmd("seq 20000; echo e >&2; exit 3")
    assert response.std_out.decode().splitlines() == [str(number) for number in range(1, 20001)]
    assert (response.std_err, response.status_code) == (b"e\n", 3)


def test_another_password_is_refused_and_not_shown(windows: Windows) -> None:
    windows.ec2.password_data[windows.instance_id] = encrypted("something else", windows.pem)
    with pytest.raises(winrm.exceptions.InvalidCredentialsError) as caught:
        windows.account().run_winrm_command("exit 0")
    assert "something else" not in repr(caught.value)
    assert windows.service.operations == []


def test_a_machine_without_a_password_is_said_to_need_time(windows: Windows) -> None:
    instance_id, _ = windows.ec2.start_machine("")
    windows.created_by_vagrant(instance_id)
    with pytest.raises(Exception, match=f"EC2 has no password for the instance {instance_id}: a new Windows machine"):
        windows.account().run_winrm_command("exit 0")


def test_an_unknown_machine_may_be_in_another_region(windows: Windows) -> None:
    windows.created_by_vagrant("i-0123456789abcdef0")
    with pytest.raises(Exception, match=r"does not know the instance i-0123456789abcdef0\. Is the region"):
        windows.account().run_winrm_command("exit 0")


def test_the_key_of_another_machine_does_not_fit(windows: Windows) -> None:
    _, pem = windows.ec2.start_machine(PASSWORD)
    (windows.folder / "private_key").write_text(pem)
    with pytest.raises(
        Exception, match=r"windows1: the Windows password was not encrypted for the private key .*/private_key"
    ):
        windows.account().run_winrm_command("exit 0")


def test_a_run_uses_windows_and_linux_nodes_together(windows: Windows) -> None:
    require("sshd")
    folder = windows.folder
    path = suite(folder, SUITE)
    (folder / "sshd").mkdir()
    with running_sshd(folder / "sshd", f"ListenAddress {windows.service.address}") as server:
        login = server.settings.to_json()
        linux = {**login, "host": "worker1"}
        # WinRM needs the key of EC2 as the identity file, so SSH accepts it here as well
        (folder / "private_key").chmod(0o600)
        accepted = folder / "sshd" / "authorized_keys"
        accepted.write_text(accepted.read_text() + _public(windows.pem))
        theirs = {**login, **windows.config.to_json(), "port": server.port, "user": login["user"]}
        nodes = [{"ssh_config": settings} for settings in (theirs, linux)]
        (folder / "cluster.json").write_text(json.dumps({"nodes": nodes}))
        run = Program(
            folder,
            path,
            "--cluster=ducktape.cluster.json.JsonCluster",
            "--cluster-file=cluster.json",
            "--debug",
        )
        try:
            assert run.wait() == 1, run.output
        finally:
            run.kill_everything()
    assert run.statuses == {"test_both": "PASS", "test_failing_command": "FAIL"}, run.output
    assert run.result("test_both")["data"] == {
        "names": {"windows": "windows1", "linux": "worker1"},
        "status": 4,
        "ssh": "over ssh\n",
        "address": windows.service.address,
    }
    assert (folder / "from_winrm").read_text() == "over winrm\n"
    assert "returned non-zero exit status 5. Remote error message: b'went wrong\\n'" in run.output
    assert windows.service.shells == {}
    written = b"".join(file.read_bytes() for file in (folder / "results").rglob("*") if file.is_file())
    assert PASSWORD.encode() not in written + run.output.encode()


def _public(pem: str) -> str:
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(pem.encode(), password=None).public_key()
    return key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode() + "\n"
