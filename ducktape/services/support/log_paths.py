# SPDX-License-Identifier: Apache-2.0
"""Paths of logs: validated and expanded on the node; unique and inside the directory of the test on the driver."""

from __future__ import annotations

import itertools
import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.copy.names import UnsafeNameError, as_file_name, match_of, path_inside, shown
from ducktape.cluster.copy.walk import in_one, re_anchor_basename
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


def service_directory(results_dir: str, service_id: str) -> str:
    """Return the directory for the logs of a service, inside that of its test whatever the id is."""
    try:
        inside = path_inside(service_id, node="")
    except UnsafeNameError:
        inside = as_file_name(service_id)
    return os.path.join(results_dir, inside)


class NodeDirectories:
    """Assigns each node a directory in that of a service, named like the node and numbered if that is taken."""

    def __init__(self) -> None:
        self._owners: dict[str, int] = {}
        self._places: dict[str, LogPaths] = {}

    def of(self, destination: str, hostname: str, owner: int) -> LogPaths:
        """Return the places in the directory of a node; ``owner`` distinguishes nodes with the same name."""
        for name in _numbered(as_file_name(hostname)):
            directory = os.path.join(destination, name)
            if self._owners.setdefault(directory, owner) == owner:
                return self._places.setdefault(directory, LogPaths(directory))
        raise AssertionError("there is always another number")


class LogPaths:
    """The local paths of logs in the directory of one node, by their source."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self._sources: dict[str, str] = {}
        self._failed: set[str] = set()

    def first(self, paths: Iterable[str]) -> list[str]:
        """Return the paths that are copied into the directory itself: the first of each base name."""
        return [path for path in paths if self._take(self.directory, path)]

    def fail(self, directory: str, path: str) -> None:
        """Record that a path could not be copied, so that no other log takes its place."""
        self._failed.add(re_anchor_basename(path, directory))

    def further(self, path: str, name: str) -> str:
        """Return the directory for a further path with the same base name, of the log ``name``."""
        usual = re_anchor_basename(path, self.directory)
        if usual not in self._failed and not os.path.lexists(usual):
            # The first file did not exist
            self._sources[usual] = _normal(path)
            return self.directory
        for own in _numbered(as_file_name(name)):
            directory = os.path.join(self.directory, own)
            if directory not in self._sources and self._take(directory, path):
                return directory
        raise AssertionError("there is always another number")

    def _take(self, directory: str, path: str) -> bool:
        source = _normal(path)
        return self._sources.setdefault(re_anchor_basename(path, directory), source) == source


def _numbered(name: str) -> Iterator[str]:
    return itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))


def _normal(path: str) -> str:
    return path if ".." in path.split("/") else posixpath.normpath(path)
