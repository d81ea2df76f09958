# SPDX-License-Identifier: Apache-2.0
"""Copies trees and files as one stream over one channel, if the node has GNU ``tar``."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator

from ducktape.cluster.copy import tar_commands as tar_script
from ducktape.cluster.copy import walk as copying
from ducktape.cluster.copy.extract import Receiver, Report, Root
from ducktape.cluster.copy.names import UnsafeNameError, path_inside
from ducktape.cluster.copy.tar_commands import complaints, error_of
from ducktape.cluster.copy.tar_stream import (
    END,
    MemberReader,
    PieceReader,
    Pulled,
    StreamEnded,
    archive,
    header,
    padded,
)
from ducktape.cluster.ssh.errors import is_ssh_failure
from ducktape.cluster.transport import CommandStream, Stdin, Transport, framework_commands, longest_silence

# Timeout for the second channel of a copy between nodes, since all channels may be held by waiting copies
_SECOND_CHANNEL_SEC = 20.0
# Limit of messages of a node, to protect the driver's memory
_LONGEST_LISTING = 256 * 1024 * 1024
_LONGEST_END = 1024 * 1024


class CannotStream(Exception):
    """The node has no suitable ``tar``; use another way."""


class TarNode:
    """Copies files by the programs of a node, whose name is for messages."""

    def __init__(self, transport: Transport, name: str = "") -> None:
        self.transport = transport
        self.name = name
        # Whether the node has suitable programs; ``None`` if unknown
        self.able: bool | None = None

    def get(self, roots: list[Root], report: Report, *, compress: bool = False) -> None:
        """Copy files and trees here; the roots record errors, and ``CannotStream`` means that nothing was copied."""
        self._insist()
        mark = tar_script.new_mark()
        receiver = Receiver(roots, report)
        paths = [root.path for root in roots]
        command = tar_script.pack_command(mark, paths, able=self.able, compress=compress)
        with self._started(command) as stream:
            reader = PieceReader(stream.read)
            self._expect(
                reader.skip_to_mark(mark) and reader.exactly(tar_script.BLOCK - len(mark)).split() == [b"able"]
            )
            receiver.take(MemberReader(reader.unzipped() if compress else reader, mark))
            reader.whole_rest(_LONGEST_END)
            receiver.judge(mark, stream.stderr())

    def put_tree(self, src: str, dest: str) -> None:
        """Copy a directory of the driver here, as :meth:`get` does; raises ``OSError`` if some files were not."""
        walk = _Walk(src)
        directory, errors = self._prepare(dest, os.path.basename(src.removesuffix("/")), walk.directories())
        walk.errors.clear()  # the second walk finds them again
        walk.refused = set(errors)
        found = [(os.path.join(src, name), error) for name, error in errors.items()]
        if "" not in errors:
            found += self._unpack(directory, archive(walk.files(), walk.fail), src)
        copying.raise_errors(walk.errors + found)

    def look_into(self, path: str) -> tuple[str | None, list[bytes]]:
        """Return the kind of a path, and the directories below it."""
        self._insist()
        mark = tar_script.new_mark()
        with self._started(tar_script.list_command(mark, path, able=self.able)) as stream:
            words, names = self._listing(stream, mark)
            self._expect(words is not None and words != b"unable")
            kind = {b"directory": copying.DIRECTORY, b"file": copying.FILE}.get(words or b"")
            return kind, names

    def give_tree(self, src: str, other: TarNode, dest: str, directories: list[bytes]) -> None:
        """Copy a directory to another node, bypassing the driver's disk; see :meth:`put_tree`."""
        mark = tar_script.new_mark()
        with self._started(tar_script.pack_files_command(mark, src)) as source:
            reader = PieceReader(source.read)
            if not reader.skip_to_mark(mark):
                raise OSError(f"{src} could not be sent: {source.stderr().decode(errors='replace').strip()}")
            base = os.path.basename(src.removesuffix("/"))
            again = _Repacking(MemberReader(reader, mark), node=self.name)
            made = again.directories(directories)
            directory, refused = other._prepare(dest, base, made, patience=_SECOND_CHANNEL_SEC)
            errors = [(os.path.join(src, name), error) for name, error in refused.items()]
            if "" not in refused:
                lost = other._unpack(directory, again.files(), src)
                errors += [(path, error) for path, error in lost if not _is_below(path, src, refused)]
                for complaint in complaints(source.stderr()):
                    if not complaint.shrunk_by:
                        path = os.path.join(src, os.path.normpath(complaint.name))
                        errors.append((path, complaint.error(path)))
            errors += again.errors
        copying.raise_errors(errors)

    def give_file(self, src: str, other: TarNode, dest: str) -> None:
        """Copy a file to another node, bypassing the driver's disk."""
        inside = copying.re_anchor_basename(src, dest)
        mark = tar_script.new_mark()
        with self._started(tar_script.send_file_command(mark, src)) as source:
            reader = PieceReader(source.read)
            reader.skip_to_mark(mark)
            first = reader.rest()
            if not first:
                _raise_if_failed(source, src)
            pieces = Pulled.file(itertools.chain([first], iter(reader.rest, b"")))
            command = tar_script.keep_file_command(dest, inside)
            with other._started(command, stdin=pieces, patience=_SECOND_CHANNEL_SEC) as target:
                while target.read():
                    pass
                _raise_if_failed(source, src)
                _raise_if_failed(target, dest)

    def _prepare(
        self, dest: str, base: str, names: Iterator[bytes], *, patience: float | None = None
    ) -> tuple[str, dict[str, OSError]]:
        """Make directories; returns their root, and those that failed."""
        self._insist()
        mark = tar_script.new_mark()
        inside = os.path.join(dest, base)
        stdin = Pulled.file(name + b"\0" for name in names)
        command = tar_script.prepare_command(mark, dest, inside, able=self.able)
        with self._started(command, stdin=stdin, patience=patience) as stream:
            word, failed = self._listing(stream, mark)
            self._expect(word in (b"inside", b"itself", b"careful"))
        if word == b"careful":
            raise CannotStream
        directory = inside if word == b"inside" else dest
        errors: dict[str, OSError] = {}
        root = tar_script.named(directory)
        for raw, reason in zip(failed[::2], failed[1::2], strict=False):
            name = raw.decode("utf-8", "surrogateescape")
            relative = "" if name == root else os.path.normpath(name)
            if not _is_below(relative, "", errors):
                errors[relative] = error_of(reason.decode(errors="replace"), os.path.join(directory, relative))
        return directory, errors

    def _unpack(self, directory: str, pieces: Iterator[bytes], src: str) -> list[tuple[str, OSError]]:
        """Extract an archive; returns the files that failed."""
        command = tar_script.unpack_command(directory)
        with self._started(command, stdin=Pulled.file(pieces)) as stream:
            while stream.read():
                pass
            status = stream.exit_status()
            errors = []
            for complaint in complaints(stream.stderr()):
                name = os.path.normpath(complaint.name)
                errors.append((os.path.join(src, name), complaint.error(os.path.join(directory, name))))
            if status and not errors:
                text = stream.stderr().decode(errors="replace").strip()
                errors.append((src, OSError(f"{directory} could not be written: {text or f'status {status}'}")))
            return errors

    @contextlib.contextmanager
    def _started(self, command: str, *, stdin: Stdin = None, patience: float | None = None) -> Iterator[CommandStream]:
        try:
            with framework_commands():
                stream = self.transport.stream(command, stdin=stdin, timeout=patience)
        except TimeoutError as error:
            if patience is None:
                raise
            raise CannotStream from error
        try:
            with framework_commands():
                stream.settimeout(longest_silence(None))
            yield stream
        except StreamEnded as error:
            text = stream.stderr().decode(errors="replace").strip()
            raise OSError(f"{self.name or 'the node'}: its tar ended early: {text[-500:] or error}") from error
        finally:
            stream.close()

    def _listing(self, stream: CommandStream, mark: bytes) -> tuple[bytes | None, list[bytes]]:
        """Return the word after the marker, and the names that follow it."""
        reader = PieceReader(stream.read)
        if not reader.skip_to_mark(mark):
            return None, []
        word, *names = reader.whole_rest(_LONGEST_LISTING).split(b"\0")
        return word.strip(), names[:-1]

    def _insist(self) -> None:
        if self.able is False:
            raise CannotStream

    def _expect(self, able: bool) -> None:
        self.able = able
        self._insist()


class _Walk:
    """A local tree, walked twice: for its directories, then for its files."""

    def __init__(self, src: str) -> None:
        self._src = src
        self._tree = copying.DriverTree()
        self.errors: list[tuple[str, OSError]] = []
        self.refused: set[str] = set()

    def directories(self) -> Iterator[bytes]:
        """Yield all directories of the tree, parents first."""
        for name, kind in self._entries(""):
            if kind == copying.DIRECTORY:
                yield f"./{name}".encode("utf-8", "surrogateescape")

    def files(self) -> Iterator[tuple[str, str]]:
        """Yield all files: name in the archive, and path."""
        for name, kind in self._entries(""):
            if kind == copying.FILE:
                yield f"./{name}", os.path.join(self._src, name)

    def fail(self, path: str, error: OSError) -> None:
        self.errors.append((path, error))

    def _entries(self, directory: str) -> Iterator[tuple[str, str | None]]:
        """Yield everything in the tree except directories that are unreadable or were refused."""
        for child, kind in self._tree.children(os.path.join(self._src, directory)):
            name = os.path.join(directory, child)
            if kind == copying.DIRECTORY:
                path = os.path.join(self._src, name)
                if name in self.refused:
                    continue
                try:
                    os.scandir(path).close()
                except OSError as error:
                    self.fail(path, error)
                    continue
            yield name, kind
            if kind == copying.DIRECTORY:
                yield from self._entries(name)


class _Repacking:
    """The archive of a node for another one: without unsafe names, links, devices, modes and owners."""

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


def _is_below(path: str, start: str, refused: dict[str, OSError]) -> bool:
    """Return whether a path is, or is below, a directory that could not be made."""
    name = os.path.relpath(path, start) if start else path
    return any(not other or name == other or name.startswith(f"{other}/") for other in refused)


def _raise_if_failed(stream: CommandStream, path: str) -> None:
    if stream.exit_status() != 0:
        reason = stream.stderr().decode(errors="replace").strip().rpartition(": ")[2]
        raise error_of(reason or "it could not be copied", path)
