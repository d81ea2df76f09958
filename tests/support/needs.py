# SPDX-License-Identifier: Apache-2.0
"""What tests need from the machine. Each need is probed once per process, and a test without it is skipped.

``@pytest.mark.needs("sshd", "root", "nft")`` does so for a test or a module, ``require("sshd")`` for a fixture. A need
without a probe is a program.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest

from ducktape.utils.support.packages import install_here
from tests.support.browser import CHROMIUM
from tests.support.docker_engine import missing_for_docker
from tests.support.sandbox import missing_for_sandbox
from tests.support.sshd import missing_parts

_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _missing_for_bridges() -> str:
    if os.geteuid() != 0:
        return "only root can create bridges and network namespaces"
    if shutil.which("ip", path=_PATH) is None:
        return f"there is no ip on this machine: {install_here('ip')}"
    name = f"dtprobe{os.getpid()}"
    made = subprocess.run(["ip", "link", "add", name, "type", "bridge"], capture_output=True, text=True, check=False)
    if made.returncode:
        return f"this kernel creates no bridges: {made.stderr.strip()}"
    subprocess.run(["ip", "link", "del", name], check=True)
    return ""


def _missing_for_namespaces() -> str:
    command = ["unshare", "--net", "--pid", "--fork", "true"]
    made = subprocess.run(command, capture_output=True, check=False).returncode == 0
    return "" if made else "this machine does not allow namespaces"


_PROBES: dict[str, Callable[[], str]] = {
    "chromium": lambda: "" if CHROMIUM else f"there is no Chromium on this machine: {install_here('chromium')}",
    "linux": lambda: "" if sys.platform.startswith("linux") else "needs Linux",
    "root": lambda: "" if os.geteuid() == 0 else "needs root",
    "ordinary user": lambda: "needs an ordinary user: root may do everything" if os.geteuid() == 0 else "",
    "bridges": _missing_for_bridges,
    "namespaces": _missing_for_namespaces,
    "docker": missing_for_docker,
    "sandbox": missing_for_sandbox,
    "sshd": missing_parts,
}


@functools.cache
def lacking(need: str) -> str:
    """Return why this machine does not have it, empty if it does."""
    if need in _PROBES:
        return _PROBES[need]()
    return "" if shutil.which(need, path=_PATH) else f"there is no {need} on this machine: {install_here(need)}"


def require(*needs: str) -> None:
    """Skip the test if the machine lacks one of these."""
    for need in needs:
        if lacking(need):
            pytest.skip(lacking(need))
