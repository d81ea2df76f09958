# SPDX-License-Identifier: Apache-2.0
"""What a node writes on: memory, or an image of a disk from which un-synced data can be lost as in a power cut.

This module is loaded by a process that is copied for every node, so it imports as little as possible.
"""

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
_PLACES = "/usr/sbin:/sbin:/usr/bin:/bin"


class Disk:
    """The memory that a node writes on, mounted at a place.

    Attributes:
        can_crash: whether what is not synced can be lost.

    Args:
        place: an absent directory.
        size: bytes; ``None`` for half of the machine's memory.
    """

    can_crash = False

    def __init__(self, place: str, size: int | None) -> None:
        self.place = place
        self.size = size
        os.mkdir(place)
        self.attach()

    def attach(self) -> None:
        """Mount it."""
        mount("tmpfs", self.place, "tmpfs", MS_NOSUID, f"mode=0755,size={'50%' if self.size is None else self.size}")

    def remember(self) -> None:
        """Keep in mind what is synced now; to be called when no process writes any more.

        Raises:
            OSError: it cannot be told from what is not.
        """
        raise OSError(
            errno.EOPNOTSUPP,
            'files that are not synced can be lost only by nodes with "crash_disk": true in the cluster file',
        )

    def restore(self) -> None:
        """Return to what was remembered; to be called when nothing uses it any more."""

    def remove(self) -> None:
        """Throw everything away; what is gone already is fine."""
        with contextlib.suppress(OSError):
            unmount(self.place)
        with contextlib.suppress(OSError):
            os.rmdir(self.place)


class CrashDisk(Disk):
    """An image of a disk with a journaling file system, of which only the image outlives a power cut.

    Args:
        place: an absent directory.
        size: bytes; ``None`` for a gigabyte.
        image: path of the image.
    """

    can_crash = True

    def __init__(self, place: str, size: int | None, image: str) -> None:
        # Most sandboxes have no such disks, and every node would carry this along
        import subprocess

        self.image = image
        with open(image, "xb") as file:
            file.truncate(size or _USUAL_IMAGE)
        command = ["mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-E", "lazy_itable_init=1,nodiscard", image]
        made = subprocess.run(command, env={"PATH": _PLACES}, stdin=subprocess.DEVNULL, capture_output=True)
        if made.returncode != 0:
            raise OSError(f"mke2fs failed: {made.stderr.decode(errors='replace').strip()}")
        super().__init__(place, size)

    def attach(self) -> None:
        """Mount it, which mends it after a power cut."""
        device = _loop_device(self.image)
        try:
            mount(f"/dev/loop{device[0]}", self.place, "ext4", MS_NOSUID)
            os.chmod(self.place, 0o755)
        finally:
            # The mount holds the device now, which goes when that does
            os.close(device[1])

    @property
    def _later(self) -> str:
        return f"{self.image}.later"

    def remember(self) -> None:
        """Keep in mind what is synced now; to be called when no process writes any more."""
        _copy_sparse(self.image, self._later)

    def restore(self) -> None:
        """Return to what was remembered; to be called when nothing uses it any more."""
        unmount(self.place)
        os.replace(self._later, self.image)
        self.attach()

    def remove(self) -> None:
        """Throw everything away; what is gone already is fine."""
        super().remove()
        with contextlib.suppress(OSError):
            os.unlink(self.image)


def _loop_device(image: str) -> tuple[int, int]:
    """Let a device stand for an image; returns its number, and a descriptor that holds it for now."""
    for _ in range(_ATTEMPTS):
        number = _free_loop_device()
        device = os.open(f"/dev/loop{number}", os.O_RDWR | os.O_CLOEXEC)
        source = os.open(image, os.O_RDWR | os.O_CLOEXEC)
        try:
            information = struct.pack("=5Q4I", 0, 0, 0, 0, 0, 0, 0, 0, _AUTOCLEAR).ljust(232, b"\0")
            fcntl.ioctl(device, _CONFIGURE, struct.pack("=II", source, 0) + information + bytes(64))
            return number, device
        except OSError as error:
            os.close(device)
            if error.errno != errno.EBUSY:  # somebody else was faster
                raise
        finally:
            os.close(source)
    raise OSError(errno.EBUSY, "no loop device is free")


def _free_loop_device() -> int:
    try:
        with open("/dev/loop-control", "rb", buffering=0) as control:
            return fcntl.ioctl(control, _GET_FREE)
    except OSError as error:
        raise OSError(error.errno, f'"crash_disk": true needs loop devices: {error.strerror}') from None


def _copy_sparse(source: str, target: str) -> None:
    """Copy a file as it is at this moment, its holes as holes."""
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
