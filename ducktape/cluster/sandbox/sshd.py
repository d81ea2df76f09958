# SPDX-License-Identifier: Apache-2.0
"""The keys of a sandbox and the configuration of its SSH servers; loaded by the supervisor when first needed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping

from ducktape.cluster.sandbox.userns import may_change_groups
from ducktape.utils.support.packages import install_here

FOLDER = "sshd"  # under the node's /etc
COMMAND = ("-f", f"/etc/{FOLDER}/sshd_config")
_SEARCH_PATH = "/usr/sbin:/sbin:/usr/local/sbin"


def _find(name: str, path: str) -> str:
    found = shutil.which(name, path=f"{path}:{_SEARCH_PATH}")
    if found is None:
        raise OSError(f"this machine has no {name}: {install_here(name, path=path)}")
    return found


class Keys:
    """Keys of one sandbox, in a new directory that only this user can read."""

    def __init__(self, directory: str, path: str) -> None:
        if not may_change_groups():
            raise OSError(
                "sshd needs root, or an ordinary user with entries in /etc/subuid and /etc/subgid and newuidmap "
                f"({install_here('newuidmap', path=path)})"
            )
        self.server = _find("sshd", path)
        program = _find("ssh-keygen", path)
        os.makedirs(directory, mode=0o700, exist_ok=True)
        self.identity = f"{directory}/identity"
        self._host_key = f"{directory}/host_key"
        for path in (self.identity, self._host_key):
            made = subprocess.run(
                [program, "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env={"PATH": f"{path}:{_SEARCH_PATH}"},
            )
            if made.returncode != 0:
                raise OSError(f"ssh-keygen failed: {made.stderr.decode(errors='replace').strip()}")

    def files(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Text of the files that a node needs under ``/etc``, by their names."""
        split = next((name for name, value in environment.items() if "\n" in value or "\r" in value), None)
        if split is not None:
            raise OSError(f"environment.{split} has a line break, which nodes with an SSH server cannot have")
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


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _text(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read()
