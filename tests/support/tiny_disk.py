# SPDX-License-Identifier: Apache-2.0
"""A disk that is full soon: a file system in memory, of a few megabytes and a few hundred files."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

_MOST_FILES = 500


@contextlib.contextmanager
def tiny_disk(mount_point: Path, *, megabytes: int = 4) -> Iterator[Path]:
    """Mount a tiny disk for the length of a block; skips the test where that is not allowed.

    Args:
        mount_point: made if it is not there.
        megabytes: size of the disk.
    """
    if os.geteuid() != 0:
        pytest.skip("to mount a tiny disk, this has to run as root")
    mount_point.mkdir(parents=True, exist_ok=True)
    options = ["-t", "tmpfs", "-o", f"size={megabytes}m,nr_inodes={_MOST_FILES}", "tmpfs", str(mount_point)]
    mounted = subprocess.run(["mount", *options], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no tiny disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield mount_point
    finally:
        # Lazily: a process that a failed test left must not keep the disk for ever
        subprocess.run(["umount", "-l", str(mount_point)], check=True)


def fill(path: Path) -> None:
    """Write into a new file until the disk takes no more.

    Args:
        path: of the file.

    Raises:
        OSError: always; it says that there is no space left.
    """
    with open(path, "wb", buffering=0) as file:
        for size in (1 << 16, 1):  # to the last byte
            with contextlib.suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass
        file.write(bytes(1 << 20))


def fill_with_files(directory: Path) -> None:
    """Make empty files in a new directory until the disk takes no more.

    Args:
        directory: of the files.

    Raises:
        OSError: always; it says that there is no space left.
    """
    directory.mkdir()
    for number in range(10 * _MOST_FILES):
        (directory / str(number)).touch()
