# SPDX-License-Identifier: Apache-2.0
"""The disk of a node: memory, or a disk image from which un-synced data can be lost as in a power cut."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct

from ducktape.cluster.sandbox.syscalls import MS_NOSUID, mount, unmount

_USUAL_IMAGE = 1 << 30
_PIECE = 1 << 20
_GET_FREE = 0x4C82
_CONFIGURE = 0x4C0A
_AUTOCLEAR = 4
_ATTEMPTS = 20
_SEARCH_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"


class Disk:
    """A file system in memory, mounted at a new directory; by default half as large as the machine's memory."""

    can_crash = False  # whether un-synced data can be lost

    def __init__(self, path: str, size: int | None) -> None:
        self.path = path
        self.size = size
        os.mkdir(path)
        self.attach()

    def attach(self) -> None:
        mount("tmpfs", self.path, "tmpfs", MS_NOSUID, f"mode=0755,size={'50%' if self.size is None else self.size}")

    def snapshot(self) -> None:
        """Keep a copy of the synced data, once no process writes; raises ``OSError`` if the disk does not know it."""
        raise OSError(
            errno.EOPNOTSUPP,
            'files that are not synced can be lost only by nodes with "crash_disk": true in the cluster file',
        )

    def restore(self) -> None:
        """Restore that copy, once nothing uses the disk any more."""

    def remove(self) -> None:
        """Remove the disk; one that is gone already is fine."""
        with contextlib.suppress(OSError):
            unmount(self.path)
        with contextlib.suppress(OSError):
            os.rmdir(self.path)


class CrashDisk(Disk):
    """A disk image with a journaling file system, of which only the image survives a power cut; 1 GiB by default."""

    can_crash = True

    def __init__(self, path: str, size: int | None, image: str) -> None:
        # Imported here, since most sandboxes have no such disks
        import subprocess

        self.image = image
        with open(image, "xb") as file:
            file.truncate(size or _USUAL_IMAGE)
        command = ["mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-E", "lazy_itable_init=1,nodiscard", image]
        made = subprocess.run(command, env={"PATH": _SEARCH_PATH}, stdin=subprocess.DEVNULL, capture_output=True)
        if made.returncode != 0:
            raise OSError(f"mke2fs failed: {made.stderr.decode(errors='replace').strip()}")
        super().__init__(path, size)

    def attach(self) -> None:
        """Mount it, which replays the journal after a power cut."""
        device = _loop_device(self.image)
        try:
            mount(f"/dev/loop{device[0]}", self.path, "ext4", MS_NOSUID)
            os.chmod(self.path, 0o755)
        finally:
            # The mount keeps the device until it is unmounted
            os.close(device[1])

    @property
    def _snapshot_path(self) -> str:
        return f"{self.image}.later"

    def snapshot(self) -> None:
        _copy_sparse(self.image, self._snapshot_path)

    def restore(self) -> None:
        unmount(self.path)
        os.replace(self._snapshot_path, self.image)
        self.attach()

    def remove(self) -> None:
        super().remove()
        with contextlib.suppress(OSError):
            os.unlink(self.image)


def _loop_device(image: str) -> tuple[int, int]:
    """Attach an image to a loop device; returns its number and a descriptor that holds it."""
    for _ in range(_ATTEMPTS):
        try:
            with open("/dev/loop-control", "rb", buffering=0) as control:
                number = fcntl.ioctl(control, _GET_FREE)
        except OSError as error:
            raise OSError(error.errno, f'"crash_disk": true needs loop devices: {error.strerror}') from None
        device = os.open(f"/dev/loop{number}", os.O_RDWR | os.O_CLOEXEC)
        source = os.open(image, os.O_RDWR | os.O_CLOEXEC)
        try:
            information = struct.pack("=5Q4I", 0, 0, 0, 0, 0, 0, 0, 0, _AUTOCLEAR).ljust(232, b"\0")
            fcntl.ioctl(device, _CONFIGURE, struct.pack("=II", source, 0) + information + bytes(64))
            return number, device
        except OSError as error:
            os.close(device)
            if error.errno != errno.EBUSY:  # another process was faster
                raise
        finally:
            os.close(source)
    raise OSError(errno.EBUSY, "no loop device is free")


def _copy_sparse(source: str, target: str) -> None:
    with open(source, "rb", buffering=0) as reader, open(target, "wb", buffering=0) as writer:
        size = os.fstat(reader.fileno()).st_size
        writer.truncate(size)
        position = 0
        while True:
            try:
                position = os.lseek(reader.fileno(), position, os.SEEK_DATA)
            except OSError:
                return
            end = os.lseek(reader.fileno(), position, os.SEEK_HOLE)
            while position < end:
                data = os.pread(reader.fileno(), min(_PIECE, end - position), position)
                if not data:
                    return
                os.pwrite(writer.fileno(), data, position)
                position += len(data)
