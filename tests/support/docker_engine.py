# SPDX-License-Identifier: Apache-2.0
"""A real Docker daemon for tests: in a network namespace of its own, with an image of this machine's programs."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
import os
import shutil
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ducktape.utils.support.packages import install_here

IMAGE = "ducktape-tests:latest"
# Where the programs of this machine come from: containers see them, so the image itself is nearly empty
MOUNTS = ("/usr", "/etc/alternatives")
_LINKS = ("bin", "sbin", "lib", "lib64", "lib32", "libx32")
_FOLDERS = ("dev", "etc", "proc", "root", "run", "sys", "tmp", "usr", "var/tmp")
_START_SEC = 30.0
_COMMAND = "ip link set lo up && sysctl -qw net.ipv4.ip_forward=1 && exec dockerd"


@functools.cache
def missing_for_docker() -> str:
    """Why no daemon can be started here, in words; empty when it can."""
    if os.geteuid() != 0:
        return "only root can start a Docker daemon"
    for program in ("dockerd", "containerd", "ip", "unshare"):
        if shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None:
            return f"there is no {program} on this machine: {install_here(program)}"
    if importlib.util.find_spec("docker") is None:
        return "there is no Python library docker: pip install docker"
    if not os.path.islink("/bin"):
        return "the programs of this machine are not all below /usr"
    return ""


@dataclass
class Daemon:
    """A daemon; its ``pid`` is that of a process in its network namespace."""

    address: str
    pid: int

    def enter(self, *command: str) -> list[str]:
        """Return the command that runs another one in the daemon's network namespace."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net", *command]


@contextlib.contextmanager
def running_docker(folder: Path) -> Iterator[Daemon]:
    """A daemon that is gone at the end of the block, with all containers; skips the test if it cannot run one."""
    import docker
    import pytest

    path = folder / "docker.sock"
    options = [f"--data-root={folder}/data", f"--exec-root={folder}/exec", f"--pidfile={folder}/docker.pid"]
    options += [f"--host=unix://{path}", "--log-level=warn"]
    with open(folder / "dockerd.log", "wb") as log:
        process = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", f'{_COMMAND} "$@"', "sh", *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    daemon = Daemon(f"unix://{path}", process.pid)
    try:
        deadline = time.monotonic() + _START_SEC
        while True:
            if process.poll() is not None:
                last = (folder / "dockerd.log").read_text().strip().rpartition("\n")[2]
                pytest.skip(f"no Docker daemon can be started here: {last}")
            with contextlib.suppress(docker.errors.DockerException):
                client = docker.DockerClient(daemon.address)
                break
            assert time.monotonic() < deadline, (folder / "dockerd.log").read_text()
            time.sleep(0.05)
        with contextlib.closing(client):
            client.api.import_image_from_data(_image(), repository=IMAGE.partition(":")[0], tag="latest")
            try:
                client.containers.run(IMAGE, ["true"], remove=True, volumes=[f"{path}:{path}:ro" for path in MOUNTS])
            except docker.errors.DockerException as error:
                pytest.skip(f"no container can be started here: {error}")
            yield daemon
            for container in client.containers.list(all=True):
                container.remove(force=True)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(_START_SEC)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _image() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name in _FOLDERS:
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o1777 if name.endswith("tmp") else 0o755
            archive.addfile(folder)
        for name in ("etc/passwd", "etc/group"):
            archive.add(f"/{name}", name)
        for name in _LINKS:
            if os.path.islink(f"/{name}"):
                link = tarfile.TarInfo(name)
                link.type, link.linkname = tarfile.SYMTYPE, os.readlink(f"/{name}")
                archive.addfile(link)
    return content.getvalue()
