# SPDX-License-Identifier: Apache-2.0
"""Converts messages of ``tar``, ``find`` and the shell to exceptions."""

from __future__ import annotations

import errno
import os
import re
from dataclasses import dataclass

_TAR = re.compile(r"tar: (.*?): (?:Cannot [a-z ]+|Read error at byte \d+, while reading \d+ bytes): (.+)")
_FIND = re.compile(r"find: '(.*)': (.+)")
_SHRUNK = re.compile(r"tar: (.*): File shrank by (\d+) bytes; padding with zeros")
_ESCAPED = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
# Broken links are not copied
_LEADS_NOWHERE = ("File system loop", os.strerror(errno.ELOOP))
# Messages of some shells
_OTHER_WORDS = {"Directory nonexistent": os.strerror(errno.ENOENT)}
_LETTERS = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


@dataclass(frozen=True)
class Complaint:
    """An error about one file, with its name as passed to the program."""

    name: str
    reason: str  # message of the operating system
    shrunk_by: int = 0  # bytes that were replaced by zeros because the file shrank meanwhile

    def error(self, path: str) -> OSError:
        """Return the exception that Python raises for it."""
        return error_of(self.reason, path)


def error_of(reason: str, path: str) -> OSError:
    """Return the exception that Python raises for a message."""
    reason = _OTHER_WORDS.get(reason, reason)
    number = next((code for code in errno.errorcode if os.strerror(code) == reason), None)
    return OSError(f"{path}: {reason}") if number is None else OSError(number, reason, path)


def complaints(messages: bytes) -> list[Complaint]:
    """Parse error output; informational lines are ignored."""
    found = []
    for raw in messages.split(b"\n"):
        line = raw.decode("utf-8", "surrogateescape")
        shrunk, missed = _SHRUNK.fullmatch(line), _FIND.fullmatch(line)
        about = _TAR.fullmatch(line) or missed
        if shrunk is not None:
            found.append(Complaint(_plain(shrunk[1]), "it shrank", int(shrunk[2])))
        elif about is not None and not (missed is not None and missed[2].startswith(_LEADS_NOWHERE)):
            found.append(Complaint(_plain(about[1]), about[2]))
    return found


def _plain(name: str) -> str:
    """Unescape a name."""

    def letter(match: re.Match[bytes]) -> bytes:
        code = match[1]
        return bytes([int(code, 8) & 255]) if len(code) == 3 else _LETTERS.get(code, code)

    return _ESCAPED.sub(letter, name.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
