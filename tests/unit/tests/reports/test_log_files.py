# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from pathlib import Path

import pytest

from ducktape.tests.reports.log_files import log_files, size_text


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name, content in {
        "test_log.info": b"one\ntwo\n",
        "report.json": b"{}",
        "Web-0/n2/web.log": b"x" * 1500 + b"\nlast\n",
        "Web-0/n1/web.log": b"\xff\n",
        "Web-0/n1/core": b"\0\1",
        "Web-0/n1/logs.tgz": b"text",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path


def test_files_come_with_their_sizes_and_those_of_the_test_first(directory: Path) -> None:
    assert log_files(str(directory)) == [
        ("test_log.info", 8, ""),
        ("Web-0/n1/core", 2, ""),
        ("Web-0/n1/logs.tgz", 4, ""),
        ("Web-0/n1/web.log", 2, ""),
        ("Web-0/n2/web.log", 1506, ""),
    ]


def test_the_ends_of_texts_are_whole_lines(directory: Path) -> None:
    (directory / "big.log").write_bytes(b"line\n" * 10_000)
    tails = {path: tail for path, _, tail in log_files(str(directory), tail_bytes=1_000_000)}
    assert tails == {
        "big.log": "line\n" * 599,
        "test_log.info": "one\ntwo\n",
        "Web-0/n1/core": "",
        "Web-0/n1/logs.tgz": "",
        "Web-0/n1/web.log": "\ufffd\n",
        "Web-0/n2/web.log": "x" * 1500 + "\nlast\n",
    }


def test_no_more_than_was_wanted_is_read(directory: Path) -> None:
    tails = {path: tail for path, _, tail in log_files(str(directory), tail_bytes=16)}
    assert tails["test_log.info"] == "one\ntwo\n"
    assert tails["Web-0/n1/web.log"] == "\ufffd\n"
    assert tails["Web-0/n2/web.log"] == "last\n"


def test_nothing_outside_is_looked_at_and_nothing_blocks(tmp_path: Path) -> None:
    results, outside = tmp_path / "results", tmp_path / "outside"
    results.mkdir()
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (results / "folder").symlink_to(outside)
    (results / "file").symlink_to(outside / "secret")
    os.mkfifo(results / "pipe")
    (results / "real").write_text("x")
    assert log_files(str(results), tail_bytes=100) == [("real", 1, "x")]
    assert log_files(str(results / "missing")) == []


def test_very_many_and_very_deep_files_are_not_all_listed(tmp_path: Path) -> None:
    for number in range(250):
        (tmp_path / f"{number}.log").touch()
    assert len(log_files(str(tmp_path))) == 200
    deep = tmp_path / "deep"
    (deep / "/".join(["d"] * 20)).mkdir(parents=True)
    (deep / "/".join(["d"] * 20) / "x.log").touch()
    (deep / "d" / "d" / "y.log").touch()
    assert [file.path for file in log_files(str(deep))] == ["d/d/y.log"]


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_345, "12 kB"), (2_500_000, "2.5 MB"), (7 * 10**12, "7000 GB")],
)
def test_sizes_are_short(number: int, expected: str) -> None:
    assert size_text(number) == expected
