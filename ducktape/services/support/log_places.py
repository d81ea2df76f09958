# SPDX-License-Identifier: Apache-2.0
"""Local paths for the logs of services: unique, and always inside the directory of the test."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator

from ducktape.cluster.copy.names import UnsafeNameError, as_file_name, path_inside
from ducktape.cluster.copy.walk import re_anchor_basename


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
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1


def _normal(path: str) -> str:
    return path if ".." in path.split("/") else posixpath.normpath(path)
