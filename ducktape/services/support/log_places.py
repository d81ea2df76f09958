# SPDX-License-Identifier: Apache-2.0
"""Where the logs of services go on the driver: two logs never share a place, and no name leads elsewhere."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator

from ducktape.cluster.copy.names import UnsafeNameError, as_file_name, path_inside
from ducktape.cluster.copy.walk import re_anchor_basename


def service_directory(results_dir: str, service_id: str) -> str:
    """Return where the logs of a service go, which is in the directory of its test whatever its id is.

    Args:
        results_dir: directory of the test.
        service_id: which a subclass may make of anything; slashes that lead further down stay.
    """
    try:
        inside = path_inside(service_id, node="")
    except UnsafeNameError:
        inside = as_file_name(service_id)
    return os.path.join(results_dir, inside)


class NodeDirectories:
    """Gives each node a directory of its own in that of a service: its name, unless another node has that already."""

    def __init__(self) -> None:
        self._owners: dict[str, int] = {}
        self._places: dict[str, Places] = {}

    def of(self, destination: str, hostname: str, owner: int) -> Places:
        """Return the places in the directory of a node.

        Args:
            destination: directory of a service.
            hostname: of the node; whoever wrote its cluster decides what it looks like.
            owner: tells nodes of one name apart.
        """
        for name in _numbered(as_file_name(hostname)):
            directory = os.path.join(destination, name)
            if self._owners.setdefault(directory, owner) == owner:
                return self._places.setdefault(directory, Places(directory))
        raise AssertionError("there is always another number")


class Places:
    """The places of the logs in the directory of one node, by what they come from.

    Args:
        directory: of the node.

    Attributes:
        directory: as given.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self._sources: dict[str, str] = {}
        self._failed: set[str] = set()

    def first(self, paths: Iterable[str]) -> list[str]:
        """Return the paths whose copies go into the directory itself: the first ones of their names."""
        return [path for path in paths if self._take(self.directory, path)]

    def fail(self, directory: str, path: str) -> None:
        """Note that a path could not be copied: its place stays its own, so that nobody takes another log for it."""
        self._failed.add(re_anchor_basename(path, directory))

    def further(self, path: str, name: str) -> str:
        """Return the directory for one that is not the first of its name.

        Args:
            path: on the node.
            name: of the log.
        """
        usual = re_anchor_basename(path, self.directory)
        if usual not in self._failed and not os.path.lexists(usual):
            # There was no such file where the first one was looked for.
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
