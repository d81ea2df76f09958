# SPDX-License-Identifier: Apache-2.0
"""Validates the paths of logs and expands their wildcards."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Mapping

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.copy.names import UnsafeNameError, match_of, shown
from ducktape.cluster.copy.walk import in_one
from ducktape.cluster.transport import framework_commands

_WILDCARD = re.compile(r"[*?\[]")
# The home directory, as shells write it.
_HOME = re.compile(r"~[^/]*|\$HOME|\$\{HOME\}")
_LONGEST_PATH = 4096
_MOST_MATCHES = 10_000


def path_of_log(log: Mapping[str, object]) -> str:
    """Return the path of an entry of ``service.logs``; ``KeyError`` without one, ``ValueError`` if it is wrong."""
    path = log["path"]
    if isinstance(path, os.PathLike):
        path = os.fspath(path)
    if not isinstance(path, str):
        raise ValueError(f"the path of a log is text, not {type(path).__name__}")
    try:
        size = len(path.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        raise ValueError(f"no file can have the path {shown(path)}") from None
    if "\0" in path or size > _LONGEST_PATH:
        raise ValueError(f"no file can have the path {shown(path)}")
    whole = path.strip().rstrip("/")
    if whole.rpartition("/")[2] in ("", ".", "..") or _HOME.fullmatch(whole):
        raise ValueError(f"the path {path!r} does not name a log, but a whole home directory or the like")
    if _is_below(path, "/dev") and not _is_below(path, "/dev/shm"):
        raise ValueError(f"the path {path!r} does not name a log, but a device")
    return path


def can_be_compressed(path: str) -> bool:
    """Whether a log may be replaced by an archive, unlike files of the kernel."""
    return not any(_is_below(path, directory) for directory in ("/proc", "/sys"))


def _is_below(path: str, directory: str) -> bool:
    return f"{posixpath.normpath(path)}/".replace("//", "/").startswith(f"{directory}/")


def has_wildcards(path: str) -> bool:
    """Whether a path is a pattern of the shell."""
    return _WILDCARD.search(path) is not None


def matches(node: ClusterNode, pattern: str) -> tuple[list[str], OSError | None]:
    """Expand a pattern of the shell on a node; returns the paths, and an error about rejected ones."""
    command = f'for f in {pattern}; do if [ -e "$f" ]; then printf "%s\\0" "$f"; fi; done'
    with framework_commands():
        output = node.account.ssh_output(command, combine_stderr=False)
    text = output.decode(errors="surrogateescape")
    answers = [path for path in text.split("\0" if "\0" in text else "\n") if path]
    found: list[str] = []
    errors: list[tuple[str, OSError]] = []
    for path in answers[:_MOST_MATCHES]:
        try:
            found.append(match_of(pattern, path, node=str(node.account.hostname)))
        except UnsafeNameError as error:
            errors.append((error.name, error))
    if len(answers) > _MOST_MATCHES:
        errors.append((pattern, OSError(f"it stands for more than {_MOST_MATCHES} files: the others are left out")))
    return found, in_one(errors)
