# SPDX-License-Identifier: Apache-2.0
"""A program named ``vagrant`` that answers ``ssh-config`` as the real one does, for machines that are SSH servers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ducktape.cluster.ssh.config import RemoteAccountSSHConfig

_PROGRAM = """#!/bin/sh
here={here}
echo "$PWD: $*" >> "$here/calls"
while [ -e "$here/hold" ]; do sleep 0.02; done
cat "$here/out"
cat "$here/err" >&2
exit "$(cat "$here/status")"
"""

# What Vagrant prints for each machine, in this order, with an empty line after it
_BLOCK = """Host {host}
  HostName {hostname}
  User {user}
  Port {port}
  UserKnownHostsFile /dev/null
  StrictHostKeyChecking no
  PasswordAuthentication no
  IdentityFile {identityfile}
  IdentitiesOnly yes
  LogLevel FATAL
  PubkeyAcceptedKeyTypes +ssh-rsa
  HostKeyAlgorithms +ssh-rsa

"""


def ssh_config(machines: Iterable[RemoteAccountSSHConfig]) -> str:
    """The output of ``vagrant ssh-config``; a path with a blank is quoted."""
    return "".join(_BLOCK.format(**{**machine.to_json(), "identityfile": _quoted(machine)}) for machine in machines)


def _quoted(machine: RemoteAccountSSHConfig) -> str:
    path = str(machine.identityfile)
    return f'"{path}"' if " " in path else path


class VagrantStandin:
    """The program, with what it says.

    Args:
        directory: an existing one; the program is in its folder ``bin``, to be put first on the path.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.bin = directory / "bin"
        self.bin.mkdir()
        program = self.bin / "vagrant"
        program.write_text(_PROGRAM.format(here=f"'{directory}'"), encoding="utf-8")
        program.chmod(0o755)
        self.answer("")

    def answer(self, out: str, err: str = "", status: int = 0) -> None:
        """Set what the next calls say and how they end."""
        for name, text in (("out", out), ("err", err), ("status", str(status))):
            (self.directory / name).write_text(text, encoding="utf-8")

    def hold(self) -> None:
        """Let calls wait for ``go_on``."""
        (self.directory / "hold").touch()

    def go_on(self) -> None:
        """Let waiting calls answer."""
        (self.directory / "hold").unlink()

    @property
    def calls(self) -> list[str]:
        """Working directory and arguments of every call until now."""
        try:
            return (self.directory / "calls").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
