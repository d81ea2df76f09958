# SPDX-License-Identifier: Apache-2.0
"""The command that installs a missing program, on the systems that are common."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping

_COMMANDS = {"apt-get": "apt-get install", "dnf": "dnf install", "apk": "apk add", "brew": "brew install"}
INSTALLERS = tuple(_COMMANDS)
# The package of a program, where its name is another one; that of Debian is the default
_DEBIAN = "apt-get"
_PACKAGES: Mapping[str, Mapping[str, str]] = {
    "ip": {_DEBIAN: "iproute2", "dnf": "iproute"},
    "newuidmap": {_DEBIAN: "uidmap", "dnf": "shadow-utils", "apk": "shadow-subids"},
    "nft": {_DEBIAN: "nftables"},
    "setsid": {_DEBIAN: "util-linux"},
    "ssh-keygen": {_DEBIAN: "openssh-client", "dnf": "openssh", "apk": "openssh-keygen", "brew": "openssh"},
    "sshd": {_DEBIAN: "openssh-server", "brew": "openssh"},
    "tc": {_DEBIAN: "iproute2", "dnf": "iproute-tc"},
    "unshare": {_DEBIAN: "util-linux"},
}
_SEARCH_PATH = "/usr/local/sbin:/usr/sbin:/sbin"


def install_command(programs: Iterable[str], installers: Iterable[str]) -> str:
    """Return the command that installs programs with the first installer that is known, or else the packages' names."""
    installer = next((each for each in installers if each in _COMMANDS), None)
    packages: dict[str, None] = {}
    for program in programs:
        names = _PACKAGES.get(program, {})
        packages[names.get(installer or _DEBIAN) or names.get(_DEBIAN) or program] = None
    if installer is not None:
        return f"{_COMMANDS[installer]} {' '.join(packages)}"
    return f"install {', '.join(packages)}"


def install_here(*programs: str, path: str | None = None) -> str:
    """Return the command that installs programs on this machine; ``path`` is where to look for the installer."""
    path = f"{os.environ.get('PATH', '') if path is None else path}:{_SEARCH_PATH}"
    return install_command(programs, (each for each in INSTALLERS if shutil.which(each, path=path)))
