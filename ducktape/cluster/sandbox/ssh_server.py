# SPDX-License-Identifier: Apache-2.0
"""Starts the SSH server of a node, inside the node."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Mapping, Sequence

_PORT = 22
_LISTENING = "0A"
_SECONDS_TO_LISTEN = 10.0
_LOG = "/run/sshd.log"


def provide_server(program: Sequence[str], files: Mapping[str, str]) -> None:
    """Start a server unless one runs, with files under ``/etc``; returns when it listens."""
    if _is_listened_to(_PORT):
        return
    for name, text in files.items():
        path = f"/etc/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    run_server(program)


def run_server(program: Sequence[str]) -> None:
    """Start a server in the background; returns when it listens."""
    os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    pid = os.fork()
    if not pid:
        try:
            os.execv(program[0], [*program, "-E", _LOG])
        finally:
            os._exit(127)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    # It goes to the background before it listens
    deadline = time.monotonic() + _SECONDS_TO_LISTEN
    while status == 0 and time.monotonic() < deadline:
        if _is_listened_to(_PORT):
            return
        time.sleep(0.001)
    said = ""
    with contextlib.suppress(OSError), open(_LOG, encoding="utf-8", errors="replace") as file:
        said = f": {file.read().strip()[-1000:]}"
    raise OSError(errno.EIO, f"{program[0]} ended with status {status}{said}")


def _is_listened_to(port: int) -> bool:
    """Whether a server in this network namespace listens on a port, without connecting, which its log would show."""
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
            for line in file:
                words = line.split()
                if words[1].endswith(f":{port:04X}") and words[3] == _LISTENING:
                    return True
    return False
