# SPDX-License-Identifier: Apache-2.0
"""System calls that Python lacks: namespaces, mounts and capabilities."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import struct

from ducktape.utils.process.proc import mounts, read_stat

CLONE_NEWNS = 0x0002_0000
CLONE_NEWCGROUP = 0x0200_0000
CLONE_NEWUTS = 0x0400_0000
CLONE_NEWIPC = 0x0800_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000
CLONE_NEWNET = 0x4000_0000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18

_MNT_DETACH = 2
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_OPEN_TREE_CLONE = 1
_MOVE_MOUNT_FROM_DESCRIPTOR = 4
# These numbers are the same on all architectures; that of pivot_root is not
_MOUNT_SETATTR = 442
_OPEN_TREE = 428
_MOVE_MOUNT = 429
_CLONE3 = 435
_PIVOT_ROOT = {"x86_64": 155, "i686": 217, "armv7l": 218, "ppc64le": 203, "s390x": 217}
_PIVOT_ROOT_ELSEWHERE = 41
_PR_CAPBSET_DROP = 24

_FLAGS = {"nosuid": MS_NOSUID, "nodev": MS_NODEV, "noexec": MS_NOEXEC, "noatime": 1024, "relatime": 1 << 21}

_libc = ctypes.CDLL(None, use_errno=True)
_holding = ctypes.PyDLL(None, use_errno=True)
_libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Move this process into new namespaces; for process ids only its children."""
    _check(_libc.unshare(flags), "unshare")


def set_namespace(descriptor: int, kind: int) -> None:
    """Enter a namespace; for process ids only its children do."""
    _check(_libc.setns(descriptor, kind), "setns")


def fork_as_first() -> int:
    """Fork the first process of a new pid namespace; returns like ``os.fork``."""
    python = ctypes.pythonapi
    arguments = struct.pack("=8Q", CLONE_NEWPID, 0, 0, 0, signal.SIGCHLD, 0, 0, 0)
    # The interpreter must keep its lock between these two, so the call uses PyDLL
    python.PyOS_BeforeFork()
    ctypes.set_errno(0)
    pid: int = _holding.syscall(_CLONE3, arguments, ctypes.c_size_t(len(arguments)))
    if pid == 0:
        python.PyOS_AfterFork_Child()
        return 0
    number = ctypes.get_errno()
    python.PyOS_AfterFork_Parent()
    if pid > 0:
        return pid
    if number == errno.ENOSYS:
        return _fork_as_first_and_return()
    raise OSError(number, f"clone: {os.strerror(number)}")


def _fork_as_first_and_return() -> int:
    """Do the same on kernels before 5.3, as root."""
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    try:
        unshare(CLONE_NEWPID)
        pid = os.fork()
        if pid:
            # The next node needs another new namespace
            set_namespace(own, CLONE_NEWPID)
        return pid
    finally:
        os.close(own)


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount a file system; see ``mount(2)``."""
    result = _libc.mount(
        source.encode(), os.fsencode(target), kind.encode() or None, flags, options.encode() if options else None
    )
    _check(result, f"mount {kind or 'bind'} at {target}")


def mount_file_over(source: str, target: str) -> None:
    """Mount a file over another one, without following links as ``mount`` does (since Linux 5.2)."""
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC
    descriptor: int = _libc.syscall(_OPEN_TREE, _AT_FDCWD, os.fsencode(source), flags)
    _check(min(descriptor, 0), f"open {source}")
    try:
        result = _libc.syscall(
            _MOVE_MOUNT, descriptor, b"", _AT_FDCWD, os.fsencode(target), _MOVE_MOUNT_FROM_DESCRIPTOR
        )
        _check(result, f"mount at {target}")
    finally:
        os.close(descriptor)


def unmount(target: str) -> None:
    """Unmount lazily: open files stay usable."""
    _check(_libc.umount2(os.fsencode(target), _MNT_DETACH), f"unmount {target}")


def make_read_only(target: str) -> None:
    """Make a mount and all mounts in it read-only."""
    attributes = ctypes.create_string_buffer(struct.pack("=QQQQ", MS_RDONLY, 0, 0, 0), 32)
    result = _libc.syscall(
        _MOUNT_SETATTR, _AT_FDCWD, os.fsencode(target), _AT_RECURSIVE, attributes, ctypes.c_size_t(32)
    )
    if result != 0 and ctypes.get_errno() == errno.ENOSYS:
        # Before Linux 5.12, flags must be named to be kept
        for each in [each for each in mounts() if f"{each.place}/".startswith(f"{target}/")]:
            kept = sum(_FLAGS.get(flag, 0) for flag in each.flags)
            mount("none", each.place, flags=MS_REMOUNT | MS_BIND | MS_RDONLY | kept)
        return
    _check(result, f"make {target} read-only")


def change_root(target: str) -> None:
    """Make a mount the root of this process's mount namespace, and unmount the old root."""
    os.chdir(target)
    number = _PIVOT_ROOT.get(os.uname().machine, _PIVOT_ROOT_ELSEWHERE)
    _check(_libc.syscall(number, b".", b"."), "pivot_root")
    # Both are at the same place now; what is unmounted is the old one, which lies above
    unmount(".")
    os.chdir("/")


def set_hostname(name: str) -> None:
    _check(_libc.sethostname(name.encode(), len(name.encode())), "sethostname")


def set_command_line(text: str) -> None:
    """Change the visible command line of this process, and clear its visible environment."""
    # The kernel shows the memory where both lie, so that is overwritten
    stat = read_stat("self")
    if stat is None:
        return
    first, end, _, end_of_environment = map(int, stat.fields[45:49])
    if not 0 < first < end <= end_of_environment:
        return
    ctypes.memset(first, 0, end_of_environment - first)
    shown = os.fsencode(text)[: end - first - 2]
    ctypes.memmove(first, shown, len(shown))
    # A non-zero last byte tells the kernel that the text was overwritten and ends at the first zero
    ctypes.memset(end - 1, ord(" "), 1)


def drop_capabilities(numbers: set[int]) -> None:
    """Drop capabilities for all programs that this process and its children start."""
    for number in sorted(numbers):
        # Fails for capabilities that the kernel does not know
        _libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0)
