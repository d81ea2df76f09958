# SPDX-License-Identifier: Apache-2.0
"""Files that are larger than the driver's disk, or seem to be: they cost no other file, and no room for nothing."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.copy.received_file import KEPT_BYTES, ReceivedFile
from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from tests.support.sshd import Sshd
from tests.support.tiny_disk import tiny_disk

SIZE = 16 * 1024 * 1024 + 5


def make_sparse(path: Path, *, size: int) -> None:
    with open(path, "wb") as file:
        file.write(b"begin")
        file.seek(size // 2)
        file.write(b"middle")
        file.truncate(size)


def room(path: Path) -> int:
    return path.stat().st_blocks * 512


def test_holes_stay_holes(account: LinuxRemoteAccount, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "dest").mkdir()
    make_sparse(tmp_path / "tree" / "a sparse", size=SIZE)
    make_sparse(tmp_path / "sparse", size=SIZE)
    (tmp_path / "tree" / "b small").write_text("small")
    paths = [str(tmp_path / "sparse"), str(tmp_path / "tree")]
    failed: dict[str, Any] = {}
    account.copy_all_from(paths, str(tmp_path / "dest"), lambda path, error: failed.update({path: error}))
    assert failed == dict.fromkeys(paths)
    for copy in (tmp_path / "dest" / "sparse", tmp_path / "dest" / "tree" / "a sparse"):
        assert copy.read_bytes() == (tmp_path / "sparse").read_bytes()
        assert room(copy) < 4 * 1024 * 1024
    assert (tmp_path / "dest" / "tree" / "b small").read_text() == "small"


def test_a_file_that_fills_the_disk_is_cut_and_costs_no_other(account: LinuxRemoteAccount, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a large").write_bytes(os.urandom(8 * 1024 * 1024))
    (tmp_path / "tree" / "b small").write_text("small")
    with tiny_disk(tmp_path / "disk") as disk:
        with pytest.raises(OSError, match=f"No space left on device on the driver: only the first {KEPT_BYTES} bytes"):
            account.copy_from(f"{tmp_path}/tree", f"{disk}/tree")
        assert (disk / "tree" / "a large").read_bytes() == (tmp_path / "tree" / "a large").read_bytes()[:KEPT_BYTES]
        assert (disk / "tree" / "b small").read_text() == "small"


def test_a_large_file_leaves_the_last_part_of_the_disk_to_others(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk", megabytes=40) as disk:
        with ReceivedFile(str(disk / "large")) as file, pytest.raises(OSError, match="No space left") as caught:
            for _ in range(100):
                file.write(os.urandom(1024 * 1024))
        assert caught.value.filename == str(disk / "large")
        assert (disk / "large").stat().st_size == KEPT_BYTES


def test_files_without_a_size_are_read_to_their_end(account: LinuxRemoteAccount, tmp_path: Path) -> None:
    account.copy_from("/proc/version", str(tmp_path / "version"))
    assert (tmp_path / "version").read_text() == Path("/proc/version").read_text()


def test_a_file_that_grows_as_fast_as_it_is_read_ends(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ducktape.cluster.ssh.sftp_session._LONGEST_WITHOUT_SIZE", 8 * 1024 * 1024)
    account = LinuxRemoteAccount(sshd.settings)
    log = tmp_path / "log"
    log.write_bytes(b"x" * 8 * 1024 * 1024)
    is_read = threading.Event()

    def grow() -> None:
        with open(log, "ab") as file:
            while not is_read.is_set() and file.tell() < 1 << 30:
                file.write(b"y" * (1 << 20))

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        account.transport.files.get(str(log), str(tmp_path / "copy"))
    finally:
        account.close()
        is_read.set()
        writer.join()
    copied = (tmp_path / "copy").stat().st_size
    assert 8 * 1024 * 1024 <= copied < log.stat().st_size
