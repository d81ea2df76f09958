# SPDX-License-Identifier: Apache-2.0
"""Validates names that come from a node, before they become part of a path."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

# Limit of file systems
_LONGEST_NAME = 255
_LONGEST_PATH = 4096
_SHOWN = 120

_WILDCARD = re.compile(r"[*?\[]")
# Expansions of the shell
_EXPANDED = re.compile(r"[$`~{}()<>|&;'\"\\\s]")
_NOT_IN_A_NAME = re.compile(r"[/\x00-\x1f\x7f]|[\ud800-\udfff]")


class UnsafeNameError(OSError):
    """A node sent a name that would lead outside of the destination; nothing was written, and its end is left out."""

    def __init__(self, node: str, name: str, reason: str = "is not a plain file name") -> None:
        self.node = node
        self.name = name[:_SHOWN]
        self._reason = reason
        super().__init__(f"{f'{node}: ' if node else ''}the name {shown(name)} {reason}: refused")

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.node, self.name, self._reason)


def shown(name: str) -> str:
    """Return a name as a short text on one line."""
    return repr(name) if len(name) <= _SHOWN else f"{name[:_SHOWN]!r}..."


def file_name(name: str, *, node: str) -> str:
    """Return a name sent by a node; raises ``UnsafeNameError`` unless it is a plain file name."""
    if not _is_file_name(name):
        raise UnsafeNameError(node, name)
    return name


def path_inside(path: str, *, node: str) -> str:
    """Return a relative path sent by a node, normalized, or raise ``UnsafeNameError``; empty for the root itself."""
    parts = [part for part in path[: _LONGEST_PATH + 1].split("/") if part not in ("", ".")]
    if path.startswith("/") or len(path) > _LONGEST_PATH or not all(map(_is_file_name, parts)):
        raise UnsafeNameError(node, path, "does not stay below the directory that was asked for")
    return "/".join(parts)


def match_of(pattern: str, path: str, *, node: str) -> str:
    """Return a path sent by a node; raises ``UnsafeNameError`` unless it matches a pattern of the shell."""
    ours, theirs = pattern.rstrip("/").split("/"), path[: _LONGEST_PATH + 1].rstrip("/").split("/")
    is_match = len(path) <= _LONGEST_PATH and "\0" not in path and _is_file_name(theirs[-1])
    if is_match and not _EXPANDED.search(pattern):
        is_match = len(ours) == len(theirs) and all(map(_stands_for, ours, theirs))
    if not is_match:
        raise UnsafeNameError(node, path, f"is not one that {shown(pattern)} stands for")
    return path


def as_file_name(text: str) -> str:
    """Convert a text to a file name; a valid one is unchanged."""
    if _is_file_name(text) and not _NOT_IN_A_NAME.search(text):
        return text
    escaped = _NOT_IN_A_NAME.sub(lambda match: f"%{ord(match[0]):02X}", text)
    escaped = escaped.replace(".", "%2E") if escaped in (".", "..") else escaped
    return escaped.encode()[:200].decode(errors="ignore") or "unnamed"


def _is_file_name(name: str) -> bool:
    if name in ("", ".", "..") or "/" in name or "\0" in name or len(name) > _LONGEST_NAME:
        return False
    try:
        return len(name.encode("utf-8", "surrogateescape")) <= _LONGEST_NAME
    except UnicodeEncodeError:  # a surrogate without a byte
        return False


def _stands_for(pattern: str, name: str) -> bool:
    if not _WILDCARD.search(pattern):
        return pattern == name
    # Bracket expressions of shells are complex, so they match anything
    return _is_file_name(name) and ("[" in pattern or fnmatchcase(name, pattern.replace("?", "*")))
