# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ducktape.utils.support import files
from ducktape.utils.support.files import locked_directory, read_text, write_atomically


def test_text_is_written_as_utf8_with_its_line_ends(tmp_path: Path) -> None:
    write_atomically(tmp_path / "file", "ä\r\n\n")
    assert (tmp_path / "file").read_bytes() == "ä\r\n\n".encode()


def test_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    write_atomically(str(tmp_path / "file"), b"\xff\x00")
    assert (tmp_path / "file").read_bytes() == b"\xff\x00"


def test_lone_surrogates_become_visible(tmp_path: Path) -> None:
    write_atomically(tmp_path / "file", "a\udc80")
    assert (tmp_path / "file").read_text() == "a\\udc80"


def test_nothing_else_is_left_in_the_directory(tmp_path: Path) -> None:
    write_atomically(tmp_path / "file", "1")
    write_atomically(tmp_path / "file", "2")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"file": "2"}


def test_a_failure_leaves_the_old_state(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError):
        write_atomically(tmp_path / "taken", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_missing_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "absent" / "file", "text")


def test_a_new_file_gets_the_usual_permissions(tmp_path: Path) -> None:
    previous = os.umask(0o027)
    try:
        write_atomically(tmp_path / "file", "text")
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


@pytest.mark.parametrize("mode", [0o600, 0o666])
def test_an_existing_file_keeps_its_permissions(tmp_path: Path, mode: int) -> None:
    (tmp_path / "file").write_text("secret")
    (tmp_path / "file").chmod(mode)
    write_atomically(tmp_path / "file", "new secret")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to("target")
    write_atomically(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "new"


def test_a_name_of_the_greatest_length_is_possible(tmp_path: Path) -> None:
    write_atomically(tmp_path / ("n" * 255), "text")
    assert (tmp_path / ("n" * 255)).read_text() == "text"


def test_a_directory_is_locked_for_the_length_of_a_block_and_nothing_is_left_in_it(tmp_path: Path) -> None:
    with locked_directory(str(tmp_path)) as first, locked_directory(str(tmp_path), wait_sec=0) as second:
        assert (first, second) == (True, False)
    with locked_directory(str(tmp_path), wait_sec=0) as again:
        assert again
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_not_there_is_not_locked(tmp_path: Path) -> None:
    with locked_directory(str(tmp_path / "absent"), wait_sec=0) as is_ours:
        assert is_ours


def test_a_pipe_in_the_place_of_a_directory_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with locked_directory(str(tmp_path / "pipe"), wait_sec=0) as is_ours:
        assert is_ours


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor() as pool:
        text = pool.submit(read_text, tmp_path / "pipe")
        with open(tmp_path / "pipe", "w", encoding="utf-8") as writer:
            writer.write("caf\u00e9" * 50_000)
        assert text.result(timeout=10) == "caf\u00e9" * 50_000


@pytest.mark.parametrize(
    ("device", "problem"), [("pipe", "nothing more comes out of this pipe or device"), ("/dev/zero", "it does not end")]
)
def test_what_says_nothing_or_never_ends_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, problem: str
) -> None:
    monkeypatch.setattr(files, "_LONGEST_SILENCE_SEC", 0.3)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=f"{problem}: '.*{device}'"):
        read_text(tmp_path / device)


def test_dev_null_is_an_empty_file_and_a_directory_is_refused(tmp_path: Path) -> None:
    assert read_text("/dev/null") == ""
    with pytest.raises(IsADirectoryError):
        read_text(tmp_path)
