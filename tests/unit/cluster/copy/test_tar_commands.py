# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from ducktape.cluster.copy.tar_commands import Complaint, complaints, error_of


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"tar: ./a: Cannot open: Permission denied", Complaint("./a", "Permission denied")),
        (b"tar: ./new\\nline\\303\\274: Cannot open: Is a directory", Complaint("./new\nlineü", "Is a directory")),
        (b"tar: ./a: Read error at byte 0, while reading 10 bytes: Is a directory", Complaint("./a", "Is a directory")),
        (b"tar: ./a: File shrank by 12 bytes; padding with zeros", Complaint("./a", "it shrank", 12)),
        (b"find: './d': Permission denied", Complaint("./d", "Permission denied")),
    ],
)
def test_complaints_are_understood(line: bytes, expected: Complaint) -> None:
    assert complaints(b"Welcome\n" + line + b"\ntar: Exiting with failure status due to previous errors\n") == [
        expected
    ]


def test_what_only_informs_is_no_complaint() -> None:
    assert complaints(b"tar: ./a: file changed as we read it\ntar: ./s: socket ignored\n\n") == []


def test_reasons_become_the_errors_of_python() -> None:
    error = error_of("Permission denied", "/a")
    assert (type(error), error.filename) == (PermissionError, "/a")
    assert type(error_of("Directory nonexistent", "/a")) is FileNotFoundError
    assert str(error_of("out of ideas", "/a")) == "/a: out of ideas"
