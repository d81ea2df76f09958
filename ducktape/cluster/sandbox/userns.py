# SPDX-License-Identifier: Apache-2.0
"""The rights to make nodes: root, or a user namespace in which this process is root."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable

from ducktape.cluster.sandbox.client import SandboxError
from ducktape.cluster.sandbox.network import Netlink
from ducktape.cluster.sandbox.syscalls import (
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    MS_PRIVATE,
    MS_REC,
    mount,
    unshare,
)
from ducktape.utils.process.untraced import fork_untraced

_NAMESPACES = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC
_CAPABILITIES = {"CAP_SYS_ADMIN": 21, "CAP_NET_ADMIN": 12}
_NEEDS_LINUX = "the sandbox needs Linux"
_SETTINGS = "/proc/sys"
# Settings of the kernel with the values that disable and enable user namespaces
_SWITCHES = (
    ("user.max_user_namespaces", "0", "10000"),
    ("kernel.unprivileged_userns_clone", "0", "1"),
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
)


def has_rights() -> bool:
    """Whether this process may make namespaces, mounts and links."""
    return sys.platform.startswith("linux") and os.geteuid() == 0 and not _missing_capabilities()


def _missing_capabilities() -> list[str]:
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        line = next(line for line in file if line.startswith("CapEff:"))
    have = int(line.split()[1], 16)
    return [name for name, number in _CAPABILITIES.items() if not have >> number & 1]


def may_change_groups() -> bool:
    """Whether processes may switch to other users, as an SSH server does."""
    try:
        with open("/proc/self/setgroups", encoding="ascii") as file:
            return file.read().strip() != "deny"
    except OSError:
        return True


def error_number_of(work: Callable[[], None]) -> int:
    """Try some system calls in a child process; returns the number of their error, 0 without one."""
    pid = fork_untraced()
    if not pid:
        code = 255
        try:
            work()
            code = 0
        except OSError as error:
            code = error.errno or 255
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def problem_with_namespaces(flags: int = _NAMESPACES) -> str | None:
    """Return why a child process cannot make namespaces, or cannot change mounts in them; ``None`` if it can."""
    if not sys.platform.startswith("linux"):
        return _NEEDS_LINUX
    user, group = os.geteuid(), os.getegid()

    def enter_new_ones() -> None:
        unshare(flags)
        if flags & CLONE_NEWUSER:
            # Some kernels allow new namespaces but refuse every operation in them
            _map_one(user, group)
            mount("none", "/", flags=MS_REC | MS_PRIVATE)

    number = error_number_of(enter_new_ones)
    return None if number == 0 else f"the kernel refuses new namespaces: {os.strerror(number)}"


def obstacle() -> str | None:
    """Return why this process, as it is, cannot make nodes, in one line; ``None`` if it can."""
    if not sys.platform.startswith("linux"):
        return f"{_NEEDS_LINUX}; use --cluster localhost"
    missing = _missing_capabilities()
    if missing:
        return _sentence(f"this process has not got the capability {' and '.join(missing)}")
    problem = problem_with_namespaces()
    return None if problem is None else _sentence(problem)


def what_is_missing() -> str | None:
    """Return why this user cannot make nodes here; ``None`` if they can. Changes nothing."""
    if has_rights() or not sys.platform.startswith("linux"):
        return problem_with_namespaces()
    problem = problem_with_namespaces(CLONE_NEWUSER | _NAMESPACES)
    return None if problem is None else _reason() or problem


def remedy_for(problem: str) -> str:
    """Return what to do about a result of :func:`what_is_missing`."""
    if problem == _NEEDS_LINUX:
        return "Use --cluster localhost, or nodes elsewhere."
    elsewhere = "Or run it as root, or use --cluster localhost."
    for name, off, on in _SWITCHES:
        if problem == _switched_off(name, off):
            return f"Root of this machine allows them: sysctl {name}={on}. {elsewhere}"
    return (
        "Who runs this in a container has to give it that right, as Docker and Podman do with --privileged. "
        f"{elsewhere}"
    )


def gain_rights() -> str | None:
    """Get the rights of root, by a user namespace unless this process has them; returns what is missing in one line.

    The process must have a single thread. It gets a network of its own without a link to the outside. Files that it
    writes belong to the same user as before.
    """
    if has_rights() or not sys.platform.startswith("linux"):
        return obstacle()
    problem = what_is_missing()
    if problem is None and len(os.listdir("/proc/self/task")) > 1:
        problem = "something in this program has started threads already, as plug-ins of the interpreter may do"
    if problem is not None:
        return _sentence(problem)
    try:
        _become_root(os.geteuid(), os.getegid())
        unshare(CLONE_NEWNS | CLONE_NEWNET)
        with contextlib.closing(Netlink()) as netlink:
            netlink.set_up(socket.if_nametoindex("lo"))
    except OSError as error:
        return _sentence(str(error))
    return None


def enter_user_namespace() -> None:
    """Get the rights to make nodes, see :func:`gain_rights`; raises ``SandboxError``."""
    problem = None if has_rights() else gain_rights()
    if problem is not None:
        raise SandboxError(problem)


def _sentence(problem: str) -> str:
    who = "root" if os.geteuid() == 0 else "an ordinary user"
    return (
        f"the sandbox cannot be made as {who} on this machine: {problem}; "
        "run it as root with all capabilities, or use --cluster localhost"
    )


def _reason() -> str:
    for name, off, _ in _SWITCHES:
        path = f"{_SETTINGS}/{name.replace('.', '/')}"
        with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
            if file.read().strip() == off:
                return _switched_off(name, off)
    return ""


def _switched_off(name: str, value: str) -> str:
    return f"user namespaces are switched off ({name} is {value})"


def _become_root(user: int, group: int) -> None:
    """Become user 0 of a new user namespace, with the subordinate users of this one."""
    ready_reader, ready = os.pipe()
    helper = fork_untraced()
    if not helper:
        code = 1
        try:
            os.close(ready)
            os.read(ready_reader, 1)
            code = 0 if _map_many(os.getppid(), user, group) else 1
        finally:
            os._exit(code)
    os.close(ready_reader)
    unshare(CLONE_NEWUSER)
    os.close(ready)
    if os.waitstatus_to_exitcode(os.waitpid(helper, 0)[1]) == 0:
        return
    _map_one(user, group)


def _map_one(user: int, group: int) -> None:
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def _map_many(pid: int, user: int, group: int) -> bool:
    name = pwd.getpwuid(user).pw_name
    for program, path, own in (("newuidmap", "/etc/subuid", user), ("newgidmap", "/etc/subgid", group)):
        found = _range_of(path, name, user)
        if found is None or shutil.which(program) is None:
            return False
        command = [program, str(pid), "0", str(own), "1", "1", *map(str, found)]
        if subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
            return False
    return True


def _range_of(path: str, name: str, user: int) -> tuple[int, int] | None:
    """Return the first subordinate id of a user and their number."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                owner, _, numbers = line.strip().partition(":")
                first, _, count = numbers.partition(":")
                if owner in (name, str(user)) and first.isdecimal() and count.isdecimal():
                    return int(first), int(count)
    except OSError:
        pass
    return None
