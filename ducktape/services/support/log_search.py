# SPDX-License-Identifier: Apache-2.0
"""Searches the collected logs of a service for what its rules forbid."""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Protocol

from ducktape.services.log_rules import LogRule
from ducktape.utils.support.files import open_to_read
from ducktape.utils.support.text import shorten

# What a line has beyond this is not searched, so that a log without line ends takes no memory
_LONGEST_LINE = 1 << 16
_LONGEST_TEXT = 300
_MOST_FINDINGS = 100
_MOST_FILES = 2_000
_BEGINNING = 1 << 12
_UNREADABLE = (OSError, EOFError, tarfile.TarError, zlib.error)


class Lines(Protocol):
    """A stream of bytes, whichever module made it."""

    def readline(self, size: int, /) -> bytes: ...


class LogSearch:
    """Searches logs within limits that hold for all services of one attempt at a test.

    Attributes:
        findings: one for each rule and file, ready for JSON.
        left_out: why the search is not complete; empty if it is.
    """

    def __init__(self, results_dir: str, allowed: Sequence[re.Pattern[str]], *, most_bytes: int = 1 << 28) -> None:
        self.findings: list[dict[str, object]] = []
        self.left_out = ""
        self._results_dir = results_dir
        self._allowed = allowed
        self._most_bytes = most_bytes
        self._room = most_bytes

    def search(self, service_id: str, directory: str, rules: Sequence[LogRule]) -> None:
        """Search the logs of one service, which are below a directory with one directory for each node."""
        for number, path in enumerate(_files(directory)):
            if number >= _MOST_FILES:
                self.left_out = f"only the first {_MOST_FILES:,} logs of {service_id} were searched"
                return
            with contextlib.suppress(*_UNREADABLE), os.fdopen(open_to_read(path), "rb") as file:
                for name, content in _contents(path, file):
                    applicable = [rule for rule in rules if rule.applies_to(name)]
                    if applicable:
                        self._search_file(service_id, directory, path, content, applicable)

    def _search_file(
        self, service_id: str, directory: str, path: str, content: Lines, rules: Sequence[LogRule]
    ) -> None:
        found: dict[LogRule, dict[str, object]] = {}
        for number, line in self._lines(content):
            for rule in rules:
                if not rule.matches(line) or any(allowed.search(line) for allowed in self._allowed):
                    continue
                if rule in found:
                    found[rule]["count"] = int(str(found[rule]["count"])) + 1
                elif len(self.findings) < _MOST_FINDINGS:
                    node = os.path.relpath(path, directory).split(os.sep)[0]
                    found[rule] = {
                        "kind": "log",
                        "service": service_id,
                        "node": node,
                        "file": os.path.relpath(path, self._results_dir),
                        "line": number,
                        "text": shorten(line.strip(), _LONGEST_TEXT),
                        "rule": shorten(rule.pattern.pattern, _LONGEST_TEXT),
                        "count": 1,
                    }
                    self.findings.append(found[rule])
                else:
                    self.left_out = f"there are more than {_MOST_FINDINGS} findings"
                    return

    def _lines(self, content: Lines) -> Iterator[tuple[int, str]]:
        """Yield the numbered lines of a text; of others, nothing."""
        number = 0
        is_start = True
        while piece := content.readline(_LONGEST_LINE):
            if not number and b"\0" in piece[:_BEGINNING]:
                return
            self._room -= len(piece)
            if self._room < 0:
                self.left_out = f"only the first {self._most_bytes:,} bytes of logs were searched"
                return
            if is_start:
                number += 1
                yield number, piece.decode("utf-8", "replace").rstrip("\r\n")
            is_start = piece.endswith(b"\n")


def _files(directory: str) -> Iterator[str]:
    for folder, folders, names in os.walk(directory):
        folders.sort()
        yield from (os.path.join(folder, name) for name in sorted(names))


def _contents(path: str, file: BinaryIO) -> Iterator[tuple[str, Lines]]:
    """Yield the name and content of a log, or of each file in one that was compressed."""
    if path.endswith(".tgz"):
        with tarfile.open(fileobj=file, mode="r|gz") as archive:
            for member in archive:
                if member.isfile() and (content := archive.extractfile(member)) is not None:
                    yield member.name, content
    elif path.endswith(".gz"):
        with gzip.GzipFile(fileobj=file) as unpacked:
            yield path.removesuffix(".gz"), unpacked
    else:
        yield path, file
