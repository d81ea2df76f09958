# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64
import logging
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.exceptions
import pytest
import winrm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from ducktape.cluster.remoteaccount import RemoteAccountSSHConfig, RemoteCommandError
from ducktape.cluster.windows_remoteaccount import WindowsRemoteAccount

PASSWORD = "Pa$$w0rd!"


class Session:
    def __init__(self, target: str, auth: tuple[str, str]) -> None:
        self.target = target
        self.auth = auth

    def run_cmd(self, command: str) -> Any:
        return SimpleNamespace(status_code=int(command), std_err=b"oops")


@pytest.fixture(params=["PEM", "OpenSSH"])
def account(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WindowsRemoteAccount:
    key = rsa.generate_private_key(65537, 2048)
    form = (
        serialization.PrivateFormat.OpenSSH
        if request.param == "OpenSSH"
        else serialization.PrivateFormat.TraditionalOpenSSL
    )
    path = tmp_path / "key"
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    encrypted = base64.b64encode(key.public_key().encrypt(PASSWORD.encode(), padding.PKCS1v15())).decode()

    def get_password_data(InstanceId: str) -> dict[str, str]:  # noqa: N803
        if InstanceId == "i-gone":
            answer: Any = {"Error": {"Code": "InvalidInstanceID.NotFound", "Message": "no"}}
            raise botocore.exceptions.ClientError(answer, "GetPasswordData")
        return {"PasswordData": encrypted}

    monkeypatch.setattr(boto3, "client", lambda name: SimpleNamespace(get_password_data=get_password_data))
    monkeypatch.setattr(winrm, "Session", Session)
    monkeypatch.chdir(tmp_path)
    _instance(tmp_path, "i-1\n")
    config = RemoteAccountSSHConfig(host="windows1", hostname="10.0.0.1", identityfile=str(path))
    return WindowsRemoteAccount(ssh_config=config, externally_routable_ip="10.0.0.1")


def _instance(directory: Path, text: str) -> None:
    file = directory / ".vagrant" / "machines" / "windows1" / "aws" / "id"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_commands_go_through_one_session(account: WindowsRemoteAccount, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        assert account.run_winrm_command("0") == 0
        assert account.run_winrm_command("5", allow_fail=True) == 5
        with pytest.raises(RemoteCommandError) as caught:
            account.run_winrm_command("5")
    assert (caught.value.exit_status, caught.value.msg) == (5, b"oops")
    assert (account.winrm_client.target, account.winrm_client.auth) == ("10.0.0.1", ("Administrator", PASSWORD))
    assert account.winrm_client is account.winrm_client
    assert "windows1: Running winrm command: 0" in caplog.text
    assert PASSWORD not in caplog.text
    assert PASSWORD not in repr(account)
    assert pickle.loads(pickle.dumps(account)) == account


def test_an_instance_must_be_known(account: WindowsRemoteAccount, tmp_path: Path) -> None:
    _instance(tmp_path, "i-gone")
    with pytest.raises(Exception, match=r"does not know the instance i-gone. Is the region"):
        account.winrm_client
    _instance(tmp_path, "\n")
    with pytest.raises(Exception, match=r"Could not extract EC2 instance ID from local file: .*/windows1/aws/id"):
        account.winrm_client


def test_its_address_is_that_of_ssh(account: WindowsRemoteAccount) -> None:
    assert (account.fetch_externally_routable_ip(), account.os) == ("10.0.0.1", "windows")
