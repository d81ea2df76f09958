# SPDX-License-Identifier: Apache-2.0
"""A real OpenSSH server for tests: unprivileged, on a loopback port, with its own keys, gone afterwards."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from ducktape.cluster.ssh.config import RemoteAccountSSHConfig
from ducktape.utils.support.packages import install_here

_START_SEC = 20.0


def missing_parts() -> str:
    """Why no server can be started here, in words; empty when it can."""
    if _find("sshd") is None:
        return f"there is no OpenSSH server (sshd) on this machine: {install_here('sshd')}"
    if _find("ssh-keygen") is None:
        return f"there is no ssh-keygen on this machine: {install_here('ssh-keygen')}"
    if os.getuid() == 0:
        # The server insists on this directory when it is started by root.
        try:
            Path("/run/sshd").mkdir(mode=0o755, parents=True, exist_ok=True)
        except OSError as error:
            return f"sshd needs the directory /run/sshd: {error}"
    return ""


def _find(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/local/sbin")


@dataclass
class Sshd:
    """A server; ``start`` and ``stop`` may be repeated, the port stays.

    Args:
        directory: for keys, configuration and log; must be private.
        options: further lines of its configuration.
    """

    directory: Path
    options: tuple[str, ...] = ()
    port: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.home = self.directory / "home"
        self.home.mkdir()
        for name in ("host_key", "user_key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.directory / name)]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
        if not self.port:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
        self._write_configuration()

    @property
    def settings(self) -> RemoteAccountSSHConfig:
        """How to log in."""
        return RemoteAccountSSHConfig(
            host=f"sshd-{self.port}",
            hostname="127.0.0.1",
            user=getpass.getuser(),
            port=self.port,
            identityfile=str(self.directory / "user_key"),
            connecttimeout=20,
        )

    @property
    def connections(self) -> int:
        """How many connections the server serves now."""
        assert self._process is not None
        children = psutil.Process(self._process.pid).children()
        return sum(child.status() != psutil.STATUS_ZOMBIE for child in children)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        problem = missing_parts()
        if problem:
            raise RuntimeError(problem)
        sshd = _find("sshd")
        assert sshd is not None
        with open(self.directory / "log", "ab") as log:
            self._process = subprocess.Popen(
                [sshd, "-D", "-e", "-f", str(self.directory / "sshd_config")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_SEC
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"sshd did not start: {(self.directory / 'log').read_text()}")
            time.sleep(0.01)

    def stop(self) -> None:
        """End the server and every connection to it."""
        process, self._process = self._process, None
        if process is None:
            return
        for child in self._connections(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, 9)
        process.kill()
        process.wait()

    def freeze(self) -> None:
        """Let the server stand still: connections are accepted and kept by the kernel, and nobody answers."""
        self._signal_all(signal.SIGSTOP)

    def freeze_connections(self) -> None:
        """Let the connections stand still that there are; the server accepts further ones."""
        assert self._process is not None
        for pid in self._connections(self._process.pid):
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, sig: signal.Signals) -> None:
        assert self._process is not None
        for pid in (self._process.pid, *self._connections(self._process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sig)

    def cut_connections(self) -> None:
        """End every connection, not the server."""
        assert self._process is not None
        for child in self._connections(self._process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, 9)

    def _connections(self, pid: int) -> list[int]:
        """Processes of the server that serve a connection, the deepest last. Commands are left alone."""
        listing = subprocess.run(["ps", "-e", "-o", "pid=,ppid=,comm="], capture_output=True, text=True, check=True)
        rows = [line.split(None, 2) for line in listing.stdout.splitlines()]
        found: list[int] = []
        parents = {str(pid)}
        while parents:
            children = {row[0] for row in rows if row[1] in parents and row[2].startswith("sshd")}
            found.extend(int(child) for child in children)
            parents = children
        return found

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def _write_configuration(self) -> None:
        public = (self.directory / "user_key.pub").read_text()
        (self.directory / "authorized_keys").write_text(public)
        lines = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {self.directory / 'host_key'}",
            f"AuthorizedKeysFile {self.directory / 'authorized_keys'}",
            f"PidFile {self.directory / 'pid'}",
            "UsePAM no",
            "StrictModes no",
            "PasswordAuthentication no",
            "PermitRootLogin yes",
            "MaxStartups 200",
            "Subsystem sftp internal-sftp",
            # Start-up files of the login shell belong to the user of this machine, not to the test.
            f"SetEnv HOME={self.home}",
            # Two servers may stand for two machines, and one may be reached through the other.
            "AllowTcpForwarding yes",
            *self.options,
        ]
        (self.directory / "sshd_config").write_text("\n".join(lines) + "\n")


@contextlib.contextmanager
def running_sshd(directory: Path, *options: str) -> Iterator[Sshd]:
    """A started server.

    Args:
        directory: a private directory.
        *options: further lines of its configuration.
    """
    server = Sshd(directory, options)
    server.start()
    try:
        yield server
    finally:
        server.stop()
