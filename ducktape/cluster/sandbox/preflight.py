# SPDX-License-Identifier: Apache-2.0
"""Checks what a sandbox needs on this machine: the rights of the user, overlay file systems, and limits."""

from __future__ import annotations

import dataclasses
import errno
import os
from collections.abc import Mapping

from ducktape.cluster.sandbox import cgroups
from ducktape.cluster.sandbox.syscalls import CLONE_NEWNS, MS_PRIVATE, MS_REC, mount, unshare
from ducktape.cluster.sandbox.userns import error_number_of, may_change_groups, remedy_for
from ducktape.utils.support.packages import install_here

_LIMITS = ("cpu", "memory", "pids")


@dataclasses.dataclass(frozen=True)
class Part:
    """The result of one check, and what to do if something is missing."""

    name: str
    text: str
    remedy: str = ""
    fatal: bool = False  # without it, the sandbox does not work


def rights_part(problem: str | None, *, ordinary: bool) -> Part:
    """Report the rights to make nodes, given what is missing, and whether they hold only in a user namespace."""
    if problem is not None:
        return Part("rights", problem, remedy_for(problem), fatal=True)
    if not ordinary:
        return Part("rights", "those of root")
    if may_change_groups():
        return Part("rights", "those of root in a user namespace, with further users from /etc/subuid and /etc/subgid")
    return Part(
        "rights",
        "those of root in a user namespace without any other user: no program can become another one, as sshd does",
        "If your services need that: entries for you in /etc/subuid and /etc/subgid, and newuidmap "
        f"({install_here('newuidmap')}).",
    )


def overlay_part() -> Part:
    """Check overlay file systems, in a child process."""
    number = error_number_of(_mount_overlay)
    if not number:
        return Part("file system", "overlay, over /etc, /var, /opt, /root and /home")
    text = f"the kernel gives no overlay: {os.strerror(number)}"
    if number == errno.ENODEV:
        return Part("file system", text, "Root of this machine loads the module: modprobe overlay", fatal=True)
    return Part("file system", text, "Ordinary users need Linux 5.11 or later for it. Or run it as root.", fatal=True)


def _mount_overlay() -> None:
    unshare(CLONE_NEWNS)
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    mount("ducktape", "/tmp", "tmpfs")
    for name in ("lower", "upper", "work", "all"):
        os.mkdir(f"/tmp/{name}")
    mount("overlay", "/tmp/all", "overlay", 0, "lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work")


def groups_part(groups: Mapping[str, str], *, ordinary: bool) -> Part:
    """Report the limits of nodes, given groups by controller, and whether rights hold only in a user namespace."""
    name = "limits"
    missing = [each for each in _LIMITS if each not in groups]
    has_any = any(True for _ in cgroups.mounted())
    new = {name for name, path in groups.items() if os.path.exists(f"{path}/cgroup.controllers")}
    found = "; ".join(
        f"control groups of version {version}: {', '.join(sorted(controllers))}"
        for version, controllers in ((1, set(groups) - new), (2, new))
        if controllers
    )
    if not missing:
        return Part(name, found)
    text = f"{found or 'no control groups'}, so none for {', '.join(missing)}"
    if not has_any:
        return Part(name, f"{text}: none are mounted", "Mount them: mount -t cgroup2 none /sys/fs/cgroup")
    if ordinary:
        remedy = (
            "With systemd, a run in a scope of yours has them: systemd-run --user --scope ducktape ... Or use root."
        )
        return Part(name, f"{text}: none of those belong to this user", remedy)
    return Part(name, text, "A group above has to hand them on: see cgroup.subtree_control in /sys/fs/cgroup.")
