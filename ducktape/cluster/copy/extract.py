# SPDX-License-Identifier: Apache-2.0
"""Writes the trees that a node sends to the driver's disk."""

from __future__ import annotations

import contextlib
import os
import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ducktape.cluster.copy.names import UnsafeNameError, path_inside, shown
from ducktape.cluster.copy.received_file import ReceivedFile
from ducktape.cluster.copy.tar_commands import Complaint, complaints, named
from ducktape.cluster.copy.tar_stream import Member, MemberReader
from ducktape.cluster.copy.walk import in_one

Report = Callable[[str, "OSError | None"], object]


@dataclass
class Root:
    """One requested file or tree, from a path on the node to a target on the driver."""

    path: str
    target: str
    node: str = ""
    errors: list[tuple[str, OSError]] = field(default_factory=list)  # with paths on the node
    arrived: bool = False  # whether it was received to its end
    refused: str | None = None  # a directory that could not be made, so nothing below it can be written
    is_tree: bool = False

    def write(self, reader: MemberReader, member: Member) -> None:
        """Extract one member of a tree, or the file itself."""
        try:
            name = path_inside(member.name, node=self.node) if self.is_tree else ""
            if not member.is_file and not member.is_directory:
                raise UnsafeNameError(self.node, member.name, "is that of neither a file nor a directory")
        except UnsafeNameError as error:
            self.errors.append((error.name, error))
            reader.skip(member)
            return
        if self._is_below_refused(name):
            reader.skip(member)
            return
        source, target = self._places(name)
        if not member.is_directory:
            problem = _written(target, reader.content(member))
            if problem is not None:
                self.errors.append((source, problem))
            return
        try:
            make_directory(target)
        except OSError as error:
            self.errors.append((source, error))
            self.refused = name

    def _places(self, name: str) -> tuple[str, str]:
        if not name:
            return self.path, self.target
        return posixpath.join(self.path, name), os.path.join(self.target, name)

    def _is_below_refused(self, name: str) -> bool:
        refused = self.refused
        return refused is not None and (not refused or name == refused or name.startswith(f"{refused}/"))

    def complain(self, complaint: Complaint) -> None:
        """Record an error of the node about a file of this root."""
        try:
            name = path_inside(complaint.name, node=self.node) if self.is_tree else ""
        except UnsafeNameError:
            return
        source, target = self._places(name)
        if complaint.shrunk_by:
            with contextlib.suppress(OSError):
                os.truncate(target, max(0, os.path.getsize(target) - complaint.shrunk_by))
            return
        if self._is_below_refused(name) or any(source == path for path, _ in self.errors):
            return
        self.errors.append((source, complaint.error(source)))
        # Do not leave an empty directory if its content could not be read
        with contextlib.suppress(OSError):
            os.rmdir(target)


def make_directory(path: str) -> None:
    """Create a directory if it does not exist."""
    try:
        os.mkdir(path)
    except FileExistsError:
        # A second copy merges into the existing directory
        if not os.path.isdir(path):
            raise


def _written(target: str, content: Iterator[memoryview | int]) -> OSError | None:
    """Write a file; returns errors of the driver's disk and raises those of the connection."""
    problem: OSError | None = None
    try:
        file = ReceivedFile(target)
    except OSError as error:
        problem = error
    else:
        with file:
            problem = _filled(file, content)
    # The stream goes on after it
    for _ in content:
        pass
    return problem


def _filled(file: ReceivedFile, content: Iterator[memoryview | int]) -> OSError | None:
    for piece in content:
        try:
            if isinstance(piece, int):
                file.skip(piece)
            else:
                file.write(piece)
        except OSError as error:
            return error
    try:
        file.finish()
    except OSError as error:
        return error
    return None


class Receiver:
    """Extracts roots from one stream; reports each when it is received, and again if it turns out to be incomplete."""

    def __init__(self, roots: list[Root], report: Report) -> None:
        self._roots = roots
        self._report = report
        self._files = {named(root.path): root for root in roots}
        self._numbers = {str(number): root for number, root in enumerate(roots)}

    def take(self, reader: MemberReader) -> None:
        """Read until the end marker."""
        tree: Root | None = None
        while True:
            item = reader.next()
            if isinstance(item, Member):
                self._write(reader, item, tree)
            elif item[:1] == ["tree"]:
                tree = self._numbers.get(item[-1])
                if tree is None:
                    raise OSError(f"{self._roots[0].node}: sent a tree that nobody asked for: {shown(item[-1])}")
                tree.is_tree = True
            elif item[:1] == ["end"]:
                if tree is not None and item[-1] == "0" and not tree.errors:
                    self._arrived(tree)
                tree = None
            elif item == ["done"]:
                return

    def _write(self, reader: MemberReader, member: Member, tree: Root | None) -> None:
        if tree is not None:
            tree.write(reader, member)
            return
        root = self._files.get(member.name)
        if root is None or root.is_tree:
            reader.skip(member)
            return
        root.write(reader, member)
        self._arrived(root)

    def _arrived(self, root: Root) -> None:
        root.arrived = True
        self._report(root.path, in_one(root.errors))

    def judge(self, mark: bytes, messages: bytes) -> None:
        """Add the errors of the node to its roots, and report them."""
        sections = messages.split(mark + b" ")
        for section in sections[1:]:
            first_line, _, text = section.partition(b"\n")
            title = first_line.decode(errors="replace")
            for complaint in complaints(text):
                root = self._files.get(complaint.name) if title == "files" else None
                root = root or self._numbers.get(title)
                if root is not None:
                    root.complain(complaint)
        if len(sections) > 1 and b"bytes left out ...]" in messages:
            self._roots[-1].errors.append((self._roots[-1].path, OSError("further files could not be copied")))
        for root in self._roots:
            root.arrived = True
            self._report(root.path, in_one(root.errors))
