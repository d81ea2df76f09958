# SPDX-License-Identifier: Apache-2.0
"""A Windows machine: SSH for most things, WinRM on EC2 machines that Vagrant created."""

from __future__ import annotations

import base64
import logging
import os
from typing import Any

from ducktape.cluster.consts import WINDOWS
from ducktape.cluster.remoteaccount import RemoteAccount, RemoteAccountError, RemoteCommandError

# EC2 creates longer passwords
_SHORTEST_PASSWORD = 6


class WindowsRemoteAccount(RemoteAccount):
    """A login on a Windows machine; see ``RemoteAccount``."""

    WINRM_USERNAME = "Administrator"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.os = WINDOWS
        self._winrm_client: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_winrm_client": None}

    def fetch_externally_routable_ip(self, is_aws: bool | None = None) -> str:
        """Return the address that SSH uses."""
        return self.ssh_config.hostname

    @property
    def winrm_client(self) -> Any:
        """The WinRM session, opened at first use with the password that EC2 gave the machine."""
        if self._winrm_client is None:
            # Imported on use, since the library is large
            import winrm

            password = self._decrypt(self._encrypted_password())
            self._winrm_client = winrm.Session(self.ssh_config.hostname, auth=(self.WINRM_USERNAME, password))
        return self._winrm_client

    def run_winrm_command(self, cmd: str, allow_fail: bool = False) -> int:
        """Run a command through WinRM and wait for its end.

        Args:
            cmd: the command line.
            allow_fail: return a status other than 0 instead of raising.

        Returns:
            The status.

        Raises:
            RemoteCommandError: the status is not 0.
        """
        self._log(logging.DEBUG, f"Running winrm command: {cmd}")
        response = self.winrm_client.run_cmd(cmd)
        if response.status_code != 0 and not allow_fail:
            raise RemoteCommandError(self, cmd, response.status_code, response.std_err)
        status: int = response.status_code
        return status

    def _encrypted_password(self) -> str:
        path = os.path.join(os.getcwd(), ".vagrant", "machines", str(self.ssh_config.host), "aws", "id")
        try:
            with open(path, encoding="utf-8") as file:
                instance_id = file.read().strip()
        except OSError:
            instance_id = ""
        if not instance_id:
            raise RemoteAccountError(self, f"Could not extract EC2 instance ID from local file: {path}")
        self._log(logging.INFO, f"Found EC2 instance id: {instance_id}")

        import boto3
        import botocore.exceptions

        try:
            data = boto3.client("ec2").get_password_data(InstanceId=instance_id)
        except botocore.exceptions.ClientError as error:
            if "InvalidInstanceID.NotFound" not in str(error):
                raise
            raise RemoteAccountError(
                self,
                f"EC2 does not know the instance {instance_id}. Is the region of the AWS configuration the right one?",
            ) from error
        password: str = data["PasswordData"]
        if not password.strip():
            raise RemoteAccountError(
                self,
                f"EC2 has no password for the instance {instance_id}: a new Windows machine needs some minutes "
                "to set one, and has none without a key pair",
            )
        return password

    def _decrypt(self, encrypted: str) -> str:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import padding, rsa

        if self.ssh_config.identityfile is None:
            raise RemoteAccountError(self, "no identityfile, so the Windows password cannot be decrypted")
        path = os.path.expanduser(self.ssh_config.identityfile)
        self._log(logging.INFO, f"Decrypting the Windows password with the private key {path}")
        with open(path, "rb") as file:
            text = file.read()
        is_openssh = b"BEGIN OPENSSH PRIVATE KEY" in text
        load = serialization.load_ssh_private_key if is_openssh else serialization.load_pem_private_key
        try:
            try:
                key = load(text, password=None)
            except (TypeError, ValueError):  # the latter from older releases of the library
                # It is encrypted; a passphrase for an unencrypted key is an error, too
                key = load(text, password=(self.ssh_config.password or "").encode() or None)
        except (TypeError, ValueError) as error:
            raise RemoteAccountError(self, f"the private key {path} cannot be read: {error}") from error
        if not isinstance(key, rsa.RSAPrivateKey):
            raise RemoteAccountError(self, f"{path} is no RSA key, so the Windows password cannot be decrypted")
        try:
            password = key.decrypt(base64.b64decode(encrypted), padding.PKCS1v15()).decode()
            # With a wrong key the library returns random bytes, as a defence against attacks
            if len(password) < _SHORTEST_PASSWORD or not password.isprintable():
                raise ValueError
            return password
        except ValueError:
            # Without the cause, which contains bytes of the password
            raise RemoteAccountError(
                self, f"the Windows password was not encrypted for the private key {path}"
            ) from None
