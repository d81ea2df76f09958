# SPDX-License-Identifier: Apache-2.0
"""Problems of probed nodes, and hints how to solve them."""

from __future__ import annotations

import dataclasses
import os
import shlex
import socket
import sys
from typing import TYPE_CHECKING

from ducktape.cluster.consts import WINDOWS

if TYPE_CHECKING:
    from ducktape.cluster.health.probe import Findings

SLOW_SHELL_MS = 100
WRONG_CLOCK_SEC = 1.0
LITTLE_SPACE_BYTES = 1024**3

_STARTUP_FILES = {
    "bash": "bash reads ~/.bashrc for every command over SSH. Let it return when nobody types, by this first line: "
    "`case $- in *i*) ;; *) return ;; esac`.",
    "zsh": "zsh reads ~/.zshenv for every command. Move what takes time to ~/.zshrc, which only terminals read.",
    "fish": "fish reads ~/.config/fish/config.fish for every command. Let it return when nobody types, by this first "
    "line: `status is-interactive; or exit`.",
    "csh": "csh reads ~/.cshrc for every command. Let it end when nobody types, by this first line: "
    "`if (! $?prompt) exit`.",
    "tcsh": "tcsh reads ~/.tcshrc or ~/.cshrc for every command. Let it end when nobody types, by this first line: "
    "`if (! $?prompt) exit`.",
}
_OTHER_CAUSES = "Other causes: ~/.ssh/rc, ForceCommand in the server's configuration, a busy machine."
_SUDO = {
    "no": (
        "sudo wants a password, or refuses",
        "If your services use sudo, allow it without a password: a line such as 'tester ALL=(ALL) NOPASSWD: ALL' "
        "in /etc/sudoers.d.",
    ),
    "missing": ("there is no sudo", "If your services use it, install the package sudo."),
    "silent": ("sudo does not answer", "Run 'sudo -n true' there: it may wait for a name server or a directory."),
}


@dataclasses.dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a node; ``kind`` is the same for all nodes with the same trouble."""

    kind: str
    text: str
    remedy: str
    fatal: bool = False


def problems_of(findings: Findings) -> list[Problem]:
    """Return what is wrong with a node, the worst first."""
    if findings.failure is not None:
        return [Problem("unusable", findings.failure, findings.failure_remedy, fatal=True)]
    found = []
    if findings.shell_ms is not None and findings.shell_ms > SLOW_SHELL_MS:
        shell = findings.shell or "the login shell"
        known = _STARTUP_FILES.get(os.path.basename(shell), "Look at its start-up files.")
        text = f"every command costs {findings.shell_ms:.0f} ms before it begins, in {shell}"
        found.append(Problem("slow login shell", text, f"{known} {_OTHER_CAUSES}"))
    if findings.tar is False:
        remedy = "Install it: directories and logs are copied file by file without it."
        found.append(Problem("no tar", "there is no tar", remedy))
    if findings.sudo in _SUDO:
        found.append(Problem(f"sudo: {findings.sudo}", *_SUDO[findings.sudo]))
    skew = findings.clock_skew_sec
    if skew is not None and abs(skew) - findings.clock_margin_sec > WRONG_CLOCK_SEC:
        text = f"the clock is {abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} that of this machine"
        remedy = "Let chrony or another time service run on both: times in logs cannot be compared."
        found.append(Problem("clock", text, remedy))
    for path, free in findings.free_bytes.items():
        if free < LITTLE_SPACE_BYTES:
            text = f"only {free // 1024**2} MiB are free for {path}"
            found.append(Problem("disk full", text, "Remove what earlier tests have left."))
    for path in findings.silent_disks:
        remedy = "Look for a network file system whose server is gone."
        found.append(Problem("disk silent", f"the disk of {path} does not answer", remedy))
    return found


def note_of(findings: Findings) -> str:
    """Return a note about the examination of a node, mostly empty."""
    if findings.os == WINDOWS and findings.usable:
        return "a Windows node: only its login was tried"
    return ""


def explain(error: BaseException, account: object, doing: str) -> str:
    config = getattr(account, "ssh_config", None)
    host, port = getattr(config, "hostname", "?"), getattr(config, "port", "?")
    # Not imported here: an exception of a library that nobody imported cannot exist.
    paramiko = sys.modules.get("paramiko")
    if isinstance(error, socket.gaierror):
        return f"the address {host} is not known: {error.strerror}"
    if isinstance(error, ConnectionRefusedError) or (
        paramiko is not None and isinstance(error, paramiko.ssh_exception.NoValidConnectionsError)
    ):
        return f"nothing listens at {host}, port {port}"
    if isinstance(error, FileNotFoundError) and error.filename and doing == "login":
        return f"the identity file {os.fsdecode(error.filename)} does not exist"
    if paramiko is not None and isinstance(error, paramiko.AuthenticationException):
        return f"the login of {getattr(account, 'user', None) or 'the local user'} is refused: {error}"
    if isinstance(error, ValueError):
        return str(error)
    return f"{type(error).__name__}: {error} ({doing})"


def remedy_for(account: object, *, logged_in: bool) -> str:
    """Return what to do about a node that cannot be used."""
    config = getattr(account, "ssh_config", None)
    if config is None or getattr(account, "is_local", False):
        return "Try a command there yourself."
    words = ["ssh", "-p", str(config.port)]
    if getattr(config, "proxyjump", None):
        words += ["-J", config.proxyjump]
    if config.identityfile:
        words += ["-i", config.identityfile]
    words += [f"{config.user}@{config.hostname}" if config.user else config.hostname, "true"]
    hint = "The login works, so look at the start-up files of its shell. " if logged_in else ""
    return f"{hint}See what this says: {shlex.join(words)}"
