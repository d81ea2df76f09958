# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
import os
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

from ducktape.errors import DucktapeError
from ducktape.services.log_rules import LogRule, bad
from ducktape.services.support.log_search import LogSearch


def searched(folder: Path, *rules: LogRule, allowed: tuple[str, ...] = (), **limits: Any) -> LogSearch:
    search = LogSearch(os.fspath(folder), [re.compile(pattern) for pattern in allowed], **limits)
    search.search("Echo-0", os.fspath(folder / "Echo-0"), rules)
    return search


def found(folder: Path, *rules: LogRule, allowed: tuple[str, ...] = ()) -> list[tuple[object, ...]]:
    findings = searched(folder, *rules, allowed=allowed).findings
    return [tuple(finding[name] for name in ("node", "file", "line", "text", "count")) for finding in findings]


def log(folder: Path, content: str | bytes, name: str = "n1/echo.log") -> Path:
    path = folder / "Echo-0" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_bad_line_is_a_finding_with_its_place(tmp_path: Path) -> None:
    log(tmp_path, "INFO up\r\n  ERROR no leader\nERROR retrying\nERROR no disk\n")
    log(tmp_path, "fine\n", "n2/echo.log")
    search = searched(tmp_path, bad("ERROR .*", unless="retrying"))
    assert search.findings == [
        {
            "kind": "log",
            "service": "Echo-0",
            "node": "n1",
            "file": "Echo-0/n1/echo.log",
            "line": 2,
            "text": "ERROR no leader",
            "rule": "ERROR .*",
            "count": 2,
        }
    ]
    assert search.left_out == ""


def test_each_rule_and_each_file_has_a_finding_of_its_own(tmp_path: Path) -> None:
    for node in ("n2", "n1"):
        log(tmp_path, "FATAL a\nERROR b\nFATAL ERROR c", f"{node}/echo.log")
    assert found(tmp_path, bad("ERROR"), bad("FATAL")) == [
        ("n1", "Echo-0/n1/echo.log", 1, "FATAL a", 2),
        ("n1", "Echo-0/n1/echo.log", 2, "ERROR b", 2),
        ("n2", "Echo-0/n2/echo.log", 1, "FATAL a", 2),
        ("n2", "Echo-0/n2/echo.log", 2, "ERROR b", 2),
    ]


def test_a_test_can_allow_lines(tmp_path: Path) -> None:
    log(tmp_path, "ERROR connection refused\nERROR no leader\n")
    assert found(tmp_path, bad("ERROR"), allowed=("refused$", "x")) == [
        ("n1", "Echo-0/n1/echo.log", 2, "ERROR no leader", 1)
    ]


def test_a_rule_can_be_for_some_files(tmp_path: Path) -> None:
    log(tmp_path, "ERROR a", "n1/server.log")
    log(tmp_path, "ERROR b", "n1/client.log")
    assert [each[3] for each in found(tmp_path, bad("ERROR", file="server.*"))] == ["ERROR a"]


def test_compressed_logs_are_searched(tmp_path: Path) -> None:
    plain = log(tmp_path, "fine\nERROR a\n", "n1/server.log")
    with tarfile.open(tmp_path / "Echo-0" / "n1" / "server.log.tgz", "w:gz") as archive:
        archive.add(plain, "server.log")
    log(tmp_path, gzip.compress(b"ERROR b"), "n1/server.log.1.gz")
    plain.unlink()
    assert found(tmp_path, bad("ERROR", file="server.log*")) == [
        ("n1", "Echo-0/n1/server.log.1.gz", 1, "ERROR b", 1),
        ("n1", "Echo-0/n1/server.log.tgz", 2, "ERROR a", 1),
    ]


def test_what_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    log(tmp_path, b"ERROR \0 in a heap dump", "n1/a.bin")
    log(tmp_path, b"no archive: ERROR", "n1/b.tgz")
    log(tmp_path, gzip.compress(b"ERROR" * 100_000)[:60], "n1/c.gz")
    os.mkfifo(tmp_path / "Echo-0" / "n1" / "d.log")
    os.symlink("nowhere", tmp_path / "Echo-0" / "n1" / "e.log")
    log(tmp_path, b"ERROR \xff\x1b[0m", "n1/f.log")
    assert found(tmp_path, bad("ERROR .")) == [("n1", "Echo-0/n1/f.log", 1, "ERROR \ufffd\x1b[0m", 1)]


def test_a_log_without_line_ends_takes_no_memory(tmp_path: Path) -> None:
    path = log(tmp_path, b"ERROR early")
    with path.open("ab") as file:
        file.truncate(11)
        for _ in range(40):
            file.write(b"x" * (1 << 16))
        file.write(b"ERROR late\nERROR next\n")
    [(_, _, line, text, count)] = found(tmp_path, bad("ERROR"))
    assert (line, count) == (1, 2)
    assert text == "ERROR early" + "x" * 289 + "..."
    assert found(tmp_path, bad("late")) == []


def test_the_search_is_bounded(tmp_path: Path) -> None:
    log(tmp_path, b"fine\n" * 1000 + b"ERROR\n")
    search = searched(tmp_path, bad("ERROR"), most_bytes=100)
    assert (search.findings, search.left_out) == ([], "only the first 100 bytes of logs were searched")
    log(tmp_path, "\n".join(map(str, range(200))))
    search = searched(tmp_path, *(bad(f"^{number}$") for number in range(200)))
    assert (len(search.findings), search.left_out) == (100, "there are more than 100 findings")


@pytest.mark.parametrize(
    ("pattern", "more", "said"),
    [
        ("(", {}, "missing )"),
        (b"ERROR", {}, "write it as text"),
        (7, {}, "7"),
        ("ERROR", {"unless": "["}, "unterminated"),
        ("ERROR", {"file": 3}, "name of a log"),
    ],
)
def test_a_wrong_rule_is_refused_where_it_is_written(pattern: Any, more: dict[str, Any], said: str) -> None:
    with pytest.raises(DucktapeError, match=re.escape(said)):
        bad(pattern, **more)


def test_a_rule_takes_compiled_expressions() -> None:
    rule = bad(re.compile("error", re.IGNORECASE))
    assert (rule.matches("an ERROR"), rule.matches("fine")) == (True, False)
