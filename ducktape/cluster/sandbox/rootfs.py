# SPDX-License-Identifier: Apache-2.0
"""The file system of a node: this machine's, read-only, with private layers over the directories that change."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Sequence

from ducktape.cluster.sandbox.disk import CrashDisk, Disk
from ducktape.cluster.sandbox.sudo import STAND_IN
from ducktape.cluster.sandbox.syscalls import (
    CLONE_NEWNS,
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    change_root,
    make_read_only,
    mount,
    mount_file_over,
    unshare,
)
from ducktape.utils.process.proc import mounts

_LOCAL = "usr/local/bin"
_PLACES_OF_SUDO = f"/{_LOCAL}:/usr/bin:/bin:/usr/sbin:/sbin"
PRIVATE = ("etc", "var", "opt", "root", "home")
_ON_DISK = ("mnt", "tmp")
_IN_MEMORY = ("run", "dev/shm")
_NEW = ("proc", "sys", "dev", *_IN_MEMORY[:1], *_ON_DISK)
_BASES = ("/mnt", "/media", "/srv", "/tmp")
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "net/tun", "fuse")
_READ_ONLY_PROC = ("sys", "sysrq-trigger", "irq")
_PSEUDO = ("proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue", "securityfs", "debugfs", "tracefs", "autofs")


class Host:
    """This machine's file system as nodes see it; ``base`` is a hidden directory for the files of the nodes."""

    def __init__(self, extra: Sequence[dict[str, str]]) -> None:
        unshare(CLONE_NEWNS)
        mount("none", "/", flags=MS_REC | MS_PRIVATE)
        sources = [os.open(each["source"], os.O_PATH | os.O_CLOEXEC) for each in extra]
        self._extra = list(extra)
        self.base = next(path for path in _BASES if os.path.isdir(path) and not os.path.islink(path))
        self._private = [name for name in PRIVATE if os.path.isdir(f"/{name}") and not os.path.islink(f"/{name}")]
        self._inner = [
            each.place[1:]
            for each in mounts()
            if each.place.split("/")[1] in self._private and each.place.count("/") > 1 and each.kind not in _PSEUDO
        ]
        # In the user namespace of an ordinary user, the files of root belong to nobody
        self._is_foreign = os.stat("/etc").st_uid != 0
        mount("tmpfs", self.base, "tmpfs", MS_NOSUID, "mode=0700")
        for name in ("root", "disks", "images", "sockets", "extra", "tools"):
            os.mkdir(f"{self.base}/{name}")
        os.chmod(f"{self.base}/tools", 0o755)
        self._has_sudo = shutil.which("sudo", path=_PLACES_OF_SUDO) is not None and not self._is_foreign
        _write(f"{self.base}/tools/sudo", STAND_IN)
        os.chmod(f"{self.base}/tools/sudo", 0o755)
        self._bind_extra(sources)
        root = f"{self.base}/root"
        # Not a bind mount of this machine's root, which a node could remount as writable
        mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m")
        with os.scandir("/") as entries:
            for entry in entries:
                self._show_top(entry, root)
        for each in self._extra:
            # Those outside of this machine's directories have no mount point yet
            if not os.path.lexists(f"{root}/{each['target'].split('/')[1]}"):
                _make_mount_point(f"{root}{each['target']}", directory=os.path.isdir(each["source"]))
        make_read_only(root)

    def _show_top(self, entry: os.DirEntry[str], root: str) -> None:
        target = f"{root}/{entry.name}"
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), target)
            return
        is_directory = entry.is_dir(follow_symlinks=False)
        if not is_directory and not entry.is_file(follow_symlinks=False):
            return
        _make_mount_point(target, directory=is_directory)
        # Fewer mounts are cloned faster; directories that every node replaces need none
        if entry.path != self.base and entry.name not in (*self._private, *_NEW):
            mount(entry.path, target, flags=MS_BIND | MS_REC)

    def _bind_extra(self, sources: list[int]) -> None:
        for number, (each, source) in enumerate(zip(self._extra, sources, strict=True)):
            target = f"{self.base}/extra/{number}"
            _make_mount_point(target, directory=stat.S_ISDIR(os.fstat(source).st_mode))
            mount(f"/proc/self/fd/{source}", target, flags=MS_BIND | MS_REC)
            os.close(source)
            if each["mode"] != "rw":
                make_read_only(target)

    def add_disk(self, name: str, size: int | None, files: dict[str, str], *, crash: bool) -> Disk:
        """Make the disk of a node, which survives power cuts, with some files under ``/etc``."""
        disk = f"{self.base}/disks/{name}"
        made = CrashDisk(disk, size, f"{self.base}/images/{name}") if crash else Disk(disk, size)
        for part in self._private:
            _copy_ownership(f"/{part}", f"{disk}/{part}")
            os.mkdir(f"{disk}/{part}.work")
        if self._is_foreign:
            self._own_directories(disk)
        for part, mode in zip(_ON_DISK, (0o755, 0o1777), strict=True):
            os.mkdir(f"{disk}/{part}")
            os.chmod(f"{disk}/{part}", mode)
        for path, text in files.items():
            # Private keys are for their owner only
            _write(f"{disk}/etc/{path}", text, mode=0o600 if "key" in path else 0o644)
        return made

    def _own_directories(self, disk: str) -> None:
        """Let an ordinary user's node write into root's directories, by merged ones in the upper layer."""
        for part in ("etc", "var"):
            with os.scandir(f"/{part}") as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False) and os.access(entry.path, os.R_OK | os.X_OK):
                        _copy_ownership(entry.path, f"{disk}{entry.path}")
        if not os.access("/etc/shadow", os.R_OK):
            _write(f"{disk}/etc/shadow", "root:*:19000:0:99999:7:::\n", mode=0o600)

    def remove_socket(self, name: str) -> None:
        with contextlib.suppress(OSError):
            os.unlink(f"{self.base}/sockets/{name}")

    def enter(self, name: str) -> None:
        """Enter the file system of a node, as its first process and in a new mount namespace."""
        root, disk = f"{self.base}/root", f"{self.base}/disks/{name}"
        for part in self._private:
            if not os.access(f"/{part}", os.R_OK | os.X_OK):  # an ordinary user may not look into root's home
                mount(f"{disk}/{part}", f"{root}/{part}", flags=MS_BIND)
                continue
            self._mount_overlay(root, disk, part)
        for path in self._inner:
            self._show_inner(root, path)
        if not self._has_sudo:
            self._replace_sudo(root)
        for part in _ON_DISK:
            mount(f"{disk}/{part}", f"{root}/{part}", flags=MS_BIND)
        self._enter_devices(f"{root}/dev")
        mount("tmpfs", f"{root}/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755")
        os.mkdir(f"{root}/run/lock")
        os.chmod(f"{root}/run/lock", 0o1777)
        mount("proc", f"{root}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
        for part in _READ_ONLY_PROC:  # they affect the whole machine
            if os.path.exists(f"{root}/proc/{part}"):
                _rebind(f"{root}/proc/{part}", MS_RDONLY)
        # Settings of the node's own network namespace
        _rebind(f"{root}/proc/sys/net", 0)
        mount("sysfs", f"{root}/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY)
        for number, each in enumerate(self._extra):
            source = f"{self.base}/extra/{number}"
            target = f"{root}{each['target']}"
            _make_target(target, each["target"], directory=os.path.isdir(source))
            mount(source, target, flags=MS_BIND | MS_REC)
        change_root(root)

    def _mount_overlay(self, root: str, disk: str, path: str) -> None:
        """Put a private layer over a directory; over its parts if the kernel refuses because of mounts inside."""
        upper, work = f"{disk}/{path}", f"{disk}/{path.split('/')[0]}.work/{path.replace('/', '-')}"
        os.makedirs(work, exist_ok=True)
        try:
            mount("overlay", f"{root}/{path}", "overlay", 0, f"lowerdir=/{path},upperdir={upper},workdir={work}")
        except OSError as error:
            if error.errno != errno.EINVAL or not any(inner.startswith(f"{path}/") for inner in self._inner):
                raise
            mount(upper, f"{root}/{path}", flags=MS_BIND)
            with os.scandir(f"/{path}") as entries:
                for entry in entries:
                    self._mount_overlay_part(root, disk, f"{path}/{entry.name}", entry)

    def _mount_overlay_part(self, root: str, disk: str, path: str, entry: os.DirEntry[str]) -> None:
        if os.path.lexists(f"{disk}/{path}") and not entry.is_dir(follow_symlinks=False):
            return  # the node has its own file
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), f"{disk}/{path}")
        elif entry.is_dir():
            if not os.path.isdir(f"{disk}/{path}"):
                _copy_ownership(entry.path, f"{disk}/{path}")
            if os.access(entry.path, os.R_OK | os.X_OK) and path not in self._inner:
                self._mount_overlay(root, disk, path)
        elif entry.is_file() and os.access(entry.path, os.R_OK):
            shutil.copyfile(entry.path, f"{disk}/{path}")

    def _replace_sudo(self, root: str) -> None:
        tools = f"{self.base}/tools"
        with contextlib.suppress(OSError):  # a machine without that directory
            mount("overlay", f"{root}/{_LOCAL}", "overlay", MS_RDONLY, f"lowerdir={tools}:/{_LOCAL}")
        # Some scripts call it by its path
        for place in _PLACES_OF_SUDO.split(":"):
            if place != f"/{_LOCAL}" and os.path.isfile(f"{root}{place}/sudo"):
                mount(f"{tools}/sudo", f"{root}{place}/sudo", flags=MS_BIND)

    def _show_inner(self, root: str, path: str) -> None:
        """Show a mount below a directory with a private layer, which hides it."""
        source, target = f"/{path}", f"{root}/{path}"
        with contextlib.suppress(OSError):
            if os.path.isfile(source):
                if path not in ("etc/hosts", "etc/hostname"):  # a node has its own
                    shutil.copyfile(source, target)
                return
            mount(source, target, flags=MS_BIND)
            make_read_only(target)

    def _enter_devices(self, target: str) -> None:
        mount("dev", target, "tmpfs", MS_NOSUID, "mode=0755")
        for name in ("pts", "shm", "mqueue", "net"):
            os.mkdir(f"{target}/{name}")
        for name in _DEVICES:
            with contextlib.suppress(FileNotFoundError):
                status = os.stat(f"/dev/{name}")
                try:
                    os.mknod(f"{target}/{name}", status.st_mode, status.st_rdev)
                    os.chmod(f"{target}/{name}", stat.S_IMODE(status.st_mode))
                except PermissionError:
                    _make_mount_point(f"{target}/{name}", directory=False)
                    mount(f"/dev/{name}", f"{target}/{name}", flags=MS_BIND)
        for name, place in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
            os.symlink(f"/proc/self/fd{place}", f"{target}/{name}")
        os.symlink("pts/ptmx", f"{target}/ptmx")
        mount("devpts", f"{target}/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620")
        mount("tmpfs", f"{target}/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
        with contextlib.suppress(OSError):
            mount("mqueue", f"{target}/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC)


def hide_program() -> None:
    """Hide the program and libraries of this process, the first of a node."""
    for place in ("/proc/1", "/proc/1/task/1"):
        for name in ("exe", "maps", "smaps", "smaps_rollup", "numa_maps"):
            with contextlib.suppress(OSError):  # not on every kernel
                mount_file_over("/dev/null", f"{place}/{name}")
    with contextlib.suppress(OSError):
        mount("tmpfs", "/proc/1/map_files", "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k")


def _make_mount_point(path: str, *, directory: bool) -> None:
    if directory:
        os.makedirs(path, exist_ok=True)
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if not os.path.lexists(path):
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))


def _make_target(path: str, shown: str, *, directory: bool) -> None:
    """Make the mount point of an extra mount; raises ``RuntimeError`` in terms of the cluster file."""
    kind = "directory" if directory else "file"
    if os.path.lexists(path) and os.path.isdir(path) != directory:
        raise RuntimeError(f"the mount at {shown} is a {kind}, and what is there is not")
    try:
        _make_mount_point(path, directory=directory)
    except OSError as error:
        raise RuntimeError(
            f"the mount at {shown} has no place: {error.strerror}; what does not exist can be made only below "
            f"{', '.join(f'/{name}' for name in (*PRIVATE, *_ON_DISK, *_IN_MEMORY))}, or directly below /"
        ) from None


def _write(path: str, text: str, *, mode: int = 0o644) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        file.write(text)


def _copy_ownership(source: str, target: str) -> None:
    """Make a directory with the same owner and permissions."""
    status = os.stat(source)
    os.mkdir(target)
    with contextlib.suppress(OSError):  # users unknown in this namespace
        os.chown(target, status.st_uid, status.st_gid)
    os.chmod(target, stat.S_IMODE(status.st_mode))


def _rebind(path: str, flags: int) -> None:
    mount(path, path, flags=MS_BIND)
    mount("none", path, flags=MS_BIND | MS_REMOUNT | MS_NOSUID | MS_NODEV | MS_NOEXEC | flags)
