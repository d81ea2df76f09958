# SPDX-License-Identifier: Apache-2.0
"""Rebuilds the archive of one node for another one, with nothing but files below a directory."""

from __future__ import annotations

from collections.abc import Iterator

from ducktape.cluster.copy.names import UnsafeNameError, path_inside
from ducktape.cluster.copy.tar_stream import END, MemberReader, StreamEnded, header, padded
from ducktape.cluster.ssh.errors import is_ssh_failure


class Repacking:
    """The archive of a node without unsafe names, links, devices, modes and owners.

    Attributes:
        errors: omitted names, with the reasons.
    """

    def __init__(self, reader: MemberReader, *, node: str) -> None:
        self._reader = reader
        self._node = node
        self.errors: list[tuple[str, OSError]] = []

    def directories(self, names: list[bytes]) -> Iterator[bytes]:
        """Yield the safe directories of a list."""
        for raw in names:
            name = self._inside(raw.decode("utf-8", "surrogateescape"))
            if name is not None:
                yield f"./{name}".encode("utf-8", "surrogateescape")

    def files(self) -> Iterator[bytes]:
        """Yield the bytes of the new archive; a truncated one is recorded as an error."""
        try:
            for member in self._reader.members():
                name = self._inside(member.name)
                if name and (not member.is_file or member.sparse):
                    error = UnsafeNameError(self._node, member.name, "is not that of a plain file")
                    self.errors.append((error.name, error))
                    name = None
                if not name:
                    self._reader.skip(member)
                    continue
                yield header(f"./{name}", member.size)
                for piece in self._reader.content(member):
                    yield bytes(piece)
                yield bytes(padded(member.size) - member.size)
        except (StreamEnded, OSError) as error:
            if is_ssh_failure(error):
                raise
            self.errors.append(("", OSError(f"{self._node}: {error}")))
        yield END

    def _inside(self, name: str) -> str | None:
        try:
            return path_inside(name, node=self._node)
        except UnsafeNameError as error:
            self.errors.append((error.name, error))
            return None
