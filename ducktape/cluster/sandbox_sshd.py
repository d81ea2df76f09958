# SPDX-License-Identifier: Apache-2.0
"""Nodes of a sandbox that are entered by SSH: keys made for one cluster, and the server's configuration."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping

FOLDER = "ducktape-sandbox"  # under the node's /etc
COMMAND = ("-f", f"/etc/{FOLDER}/sshd_config")
_PLACES = "/usr/sbin:/sbin:/usr/local/sbin"


def _find(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_PLACES}")
    if found is None:
        raise FileNotFoundError(f'"sshd": true needs {name} of OpenSSH, which this machine has not got')
    return found


class Keys:
    """Keys of one cluster, in a directory that only this user can read.

    Raises:
        OSError: they cannot be made; ``FileNotFoundError`` if a program is missing.
    """

    def __init__(self) -> None:
        self.server = _find("sshd")
        self._directory = tempfile.TemporaryDirectory(prefix=f"ducktape-sandbox-{os.getpid()}-")
        self.identity = os.path.join(self._directory.name, "identity")
        program = _find("ssh-keygen")
        for path in (self.identity, self._host_key):
            made = subprocess.run(
                [program, "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path],
                stdin=subprocess.DEVNULL,
                capture_output=True,
            )
            if made.returncode != 0:
                raise OSError(f"ssh-keygen failed: {made.stderr.decode(errors='replace').strip()}")

    @property
    def _host_key(self) -> str:
        return os.path.join(self._directory.name, "host_key")

    def files(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Text of the files that a node needs under ``/etc``, by their names.

        Args:
            environment: of commands.
        """
        split = next((name for name, value in environment.items() if "\n" in value or "\r" in value), None)
        if split is not None:
            raise OSError(f'environment.{split} has a line break, which nodes with "sshd": true cannot have')
        variables = " ".join(f'"{name}={_quoted(value)}"' for name, value in environment.items())
        lines = [
            "Port 22",
            f"HostKey /etc/{FOLDER}/host_key",
            f"AuthorizedKeysFile /etc/{FOLDER}/authorized_keys",
            "PidFile none",
            "UsePAM no",
            "StrictModes no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin yes",
            "UseDNS no",
            "PrintMotd no",
            "MaxStartups 200",
            "MaxSessions 200",
            "Subsystem sftp internal-sftp",
            f"SetEnv {variables}",
        ]
        return {
            f"{FOLDER}/host_key": _text(self._host_key),
            f"{FOLDER}/authorized_keys": _text(f"{self.identity}.pub"),
            f"{FOLDER}/sshd_config": "\n".join(lines) + "\n",
        }

    def close(self) -> None:
        """Throw the keys away."""
        self._directory.cleanup()


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _text(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read()
