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
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

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
        return {"PasswordData": "\r\n" if InstanceId == "i-new" else encrypted}

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


def test_a_machine_needs_a_password(account: WindowsRemoteAccount, tmp_path: Path) -> None:
    _instance(tmp_path, "i-new")
    with pytest.raises(
        Exception, match=r"EC2 has no password for the instance i-new: a new Windows machine needs some"
    ):
        account.winrm_client


@pytest.mark.parametrize("garbage", [b"", b"x1", b"abcdef\x01gh", b"\xff\xfe" * 8])
def test_what_a_wrong_key_makes_of_a_password_is_none_even_if_it_is_a_text(
    garbage: bytes, account: WindowsRemoteAccount
) -> None:
    path = str(account.ssh_config.identityfile)
    key = (
        serialization.load_ssh_private_key
        if b"OPENSSH" in Path(path).read_bytes()
        else serialization.load_pem_private_key
    )
    public: Any = key(Path(path).read_bytes(), None).public_key()
    with pytest.raises(Exception, match=r"windows1: the Windows password was not encrypted for the private key"):
        account._decrypt(base64.b64encode(public.encrypt(garbage, padding.PKCS1v15())).decode())


def test_the_key_must_be_there_and_fit(account: WindowsRemoteAccount, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(
        rsa.generate_private_key(65537, 2048).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    with pytest.raises(
        Exception, match=rf"windows1: the Windows password was not encrypted for the private key {path}"
    ):
        account.winrm_client
    path.write_bytes(
        ed25519.Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
    )
    with pytest.raises(Exception, match=rf"windows1: {path} is no RSA key"):
        account.winrm_client
    path.write_text("nonsense")
    with pytest.raises(Exception, match=rf"windows1: the private key {path} cannot be read: "):
        account.winrm_client
    account.ssh_config.identityfile = None
    with pytest.raises(Exception, match=r"windows1: no identityfile, so"):
        account.winrm_client


def test_the_key_may_need_a_passphrase(account: WindowsRemoteAccount, tmp_path: Path) -> None:
    path = tmp_path / "key"
    text = path.read_bytes()
    is_openssh = b"OPENSSH" in text
    load = serialization.load_ssh_private_key if is_openssh else serialization.load_pem_private_key
    form = serialization.PrivateFormat.OpenSSH if is_openssh else serialization.PrivateFormat.TraditionalOpenSSL
    protection = serialization.BestAvailableEncryption(b"open sesame")
    path.write_bytes(load(text, None).private_bytes(serialization.Encoding.PEM, form, protection))
    for wrong in (None, "sesame"):
        account.ssh_config.password = wrong
        with pytest.raises(Exception, match=rf"windows1: the private key {path} cannot be read: "):
            account.winrm_client
    account.ssh_config.password = "open sesame"
    assert account.winrm_client.auth == ("Administrator", PASSWORD)


def test_a_password_of_the_login_does_not_disturb_a_key_without_one(
    account: WindowsRemoteAccount, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    account.ssh_config.password = "of the login"
    account.ssh_config.identityfile = "~/key"
    assert account.winrm_client.auth == ("Administrator", PASSWORD)


def test_its_address_is_that_of_ssh(account: WindowsRemoteAccount) -> None:
    assert (account.fetch_externally_routable_ip(), account.os) == ("10.0.0.1", "windows")
