# SPDX-License-Identifier: Apache-2.0
"""Copies files and trees one by one, between the driver and a machine."""

from __future__ import annotations

import errno
import os
import posixpath
import shlex
import stat
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ducktape.cluster.copy.names import UnsafeNameError, file_name, shown
from ducktape.cluster.copy.received_file import ReceivedFile
from ducktape.cluster.local.files import LocalFiles
from ducktape.cluster.ssh.errors import is_ssh_failure
from ducktape.cluster.transport import FileAttributes, Files, framework_commands
from ducktape.utils.support.guard import tolerated

# Kinds of the target of a path; ``None`` stands for everything else, and for nothing
FILE = "file"
DIRECTORY = "directory"

_PIECE = 1024 * 1024
_DIRECTORY_MODE = 0o755

# A name in a directory, and its kind, or why it cannot be copied
Child = tuple[str, "str | OSError | None"]


class CopyError(OSError):
    """Several files of a tree could not be copied; the others were."""

    def __init__(self, errors: list[tuple[str, OSError]]) -> None:
        super().__init__(errors)
        self.errors = errors

    def __str__(self) -> str:
        first = []
        for path, error in self.errors[:5]:
            is_short_line = path.isprintable() and len(path) < 1000
            first.append(f"{path if is_short_line else shown(path)}: {error}")
        more = "; ..." if len(self.errors) > 5 else ""
        return f"{len(self.errors)} files could not be copied: {'; '.join(first)}{more}"


def _kind_of(mode: int | None) -> str | None:
    if mode is None:
        return None
    if stat.S_ISREG(mode):
        return FILE
    return DIRECTORY if stat.S_ISDIR(mode) else None


class DriverTree:
    """The driver's own file system."""

    def kind(self, path: str) -> str | None:
        """Return the kind of the target of a path."""
        try:
            return _kind_of(os.stat(path).st_mode)
        except OSError:
            return None

    def children(self, path: str) -> list[tuple[str, str | None]]:
        """Return names and kinds in a directory."""
        return [(name, self._child(path, name)) for name in os.listdir(path)]

    def make_directory(self, path: str) -> None:
        os.mkdir(path)

    def _child(self, path: str, name: str) -> str | None:
        child = os.path.join(path, name)
        kind = self.kind(child)
        if kind == DIRECTORY and os.path.islink(child) and _leads_back(os.path.realpath(child), os.path.realpath(path)):
            return None
        return kind


class FilesTree:
    """The files of a transport, except those in one directory; one request per directory and per symbolic link."""

    def __init__(self, files: Files, *, node: str = "", left_out: str = "") -> None:
        self._files = files
        self._node = node
        self._left_out = left_out

    def outside(self, directory: str) -> FilesTree:
        """Return the same files, if they are local, without one directory: a copy may lie inside its source."""
        if not isinstance(self._files, LocalFiles):
            return self
        return FilesTree(self._files, node=self._node, left_out=os.path.realpath(directory))

    def kind(self, path: str) -> str | None:
        try:
            return _kind_of(self._files.stat(path).st_mode)
        except OSError as error:
            if is_ssh_failure(error):
                raise
            return None

    def children(self, path: str) -> list[Child]:
        """Return names and kinds in a directory; invalid names are errors."""
        try:
            entries = self._files.listdir_attr(path)
        except UnicodeDecodeError as error:
            # The SFTP library fails for other names
            raise OSError(f"{path}: has a name that is not UTF-8: {error.object!r}") from error
        attributes = {entry.filename: entry for entry in entries}
        return list(_examined(attributes, self._node, lambda name: self._child(path, attributes[name])))

    def make_directory(self, path: str) -> None:
        self._files.mkdir(path, _DIRECTORY_MODE)

    def get(self, path: str, local_path: str) -> None:
        self._files.get(path, local_path)

    def put(self, local_path: str, path: str) -> None:
        self._files.put(local_path, path)

    def _child(self, path: str, entry: FileAttributes) -> str | None:
        child = posixpath.join(path, entry.filename)
        if entry.st_mode is not None and not stat.S_ISLNK(entry.st_mode):
            kind = _kind_of(entry.st_mode)
            is_left_out = kind == DIRECTORY and self._left_out and self._files.normalize(child) == self._left_out
            return None if is_left_out else kind
        kind = self.kind(child)
        if kind == DIRECTORY and _leads_back(self._files.normalize(child), self._files.normalize(path)):
            return None
        return kind


class VerbsTree:
    """The files of an account that overrides some methods; ``resolve`` returns the real path of a directory."""

    def __init__(
        self,
        account: Any,
        list_names: Callable[[str], Iterable[str]],
        resolve: Callable[[str], str],
        *,
        node: str = "",
    ) -> None:
        self._account = account
        self._node = node
        self._list_names = list_names
        self._resolve = resolve

    def kind(self, path: str) -> str | None:
        if self._account.isfile(path):
            return FILE
        return DIRECTORY if self._account.isdir(path) else None

    def children(self, path: str) -> list[Child]:
        """Return names and kinds in a directory; invalid names are errors."""
        names = self._list_names(path)
        kinds = list(_examined(names, self._node, lambda name: self.kind(posixpath.join(path, name))))
        here = self._real(path) if any(kind == DIRECTORY for _, kind in kinds) else ""
        if not here:
            return kinds

        def leads_back(name: str) -> bool:
            real = self._real(posixpath.join(path, name))
            return bool(real) and _leads_back(real, here)

        return [(name, None if kind == DIRECTORY and leads_back(name) else kind) for name, kind in kinds]

    def _real(self, path: str) -> str:
        """Return the real path; empty if unknown, since an inaccessible directory fails later."""

        def judge(error: BaseException) -> None:
            if is_ssh_failure(error):
                raise error

        with tolerated(judge):
            return self._resolve(path)
        return ""

    def make_directory(self, path: str) -> None:
        self._account.mkdir(path)

    def get(self, path: str, local_path: str) -> None:
        with self._account.open(path, "rb") as source, ReceivedFile(local_path) as target:
            while piece := source.read(_PIECE):
                target.write(piece.encode() if isinstance(piece, str) else piece)

    def put(self, local_path: str, path: str) -> None:
        with open(local_path, "rb") as source, self._account.open(path, "wb") as target:
            while piece := source.read(_PIECE):
                target.write(piece)


RemoteTree = FilesTree | VerbsTree
Tree = DriverTree | RemoteTree


def _examined(names: Iterable[str], node: str, kind: Callable[[str], str | None]) -> Iterator[Child]:
    """Return the valid names in a listing of a node."""
    for name in names:
        try:
            yield file_name(name, node=node), kind(name)
        except UnsafeNameError as error:
            yield error.name, error
        except UnicodeError:  # an account of a subclass that returns text
            yield name, UnsafeNameError(node, name, "is not UTF-8")


def find_names(ssh_output: Callable[..., bytes], path: str) -> list[str]:
    """Return the names in a directory by a command, for accounts without SFTP."""
    directory = f"{path.rstrip('/')}/"
    with framework_commands():
        listing = ssh_output(f"find {shlex.quote(directory)} -mindepth 1 -maxdepth 1 -print0")
    found = [name.decode("utf-8", "surrogateescape") for name in listing.split(b"\0") if name]
    return [name.removeprefix(directory) for name in found]


def find_real(ssh_output: Callable[..., bytes], path: str) -> str:
    """Return the real path of a directory by a command, for accounts without SFTP."""
    with framework_commands():
        answer = ssh_output(f"cd -P {shlex.quote(path)} && printf 'real:%s' \"$(pwd -P)\"").decode()
    _, found, real = answer.partition("real:")
    if not found:
        raise OSError(f"{path} cannot be resolved")
    return real


def _leads_back(target: str, directory: str) -> bool:
    """Return whether a link leads to its own or a parent directory, so that following it would never end."""
    return f"{directory}/".startswith(f"{target.rstrip('/')}/")


def re_anchor_basename(path: str, directory: str) -> str:
    """Return the path with the same base name in another directory; raises ``OSError`` for an invalid name."""
    name = os.path.basename(path.removesuffix("/"))
    if name == ".." or "\0" in path:
        raise OSError(errno.EINVAL, "has no name that a copy could use", shown(path))
    return os.path.join(directory, name)


def target_in(tree: Tree, src: str, dest: str) -> str:
    """Return the target of a copy: inside an existing directory, or the path itself."""
    return re_anchor_basename(src, dest) if tree.kind(dest) == DIRECTORY else dest


def copy_from(source: RemoteTree, src: str, dest: str) -> None:
    """Copy a file or a tree to the driver; a missing one is ignored, and errors are raised at the end."""
    if isinstance(source, FilesTree):
        source = source.outside(target_in(DriverTree(), src, dest))
    _copy(source, DriverTree(), src, dest, source.get)


def copy_to(target: RemoteTree, src: str, dest: str) -> None:
    """Copy a local file or tree; a missing one is ignored, and errors are raised at the end."""
    _copy(DriverTree(), target, src, dest, target.put)


def _copy(source: Tree, target: Tree, src: str, dest: str, copy_file: Callable[[str, str], None]) -> None:
    kind = source.kind(src)
    if kind is None:
        return
    dest = target_in(target, src, dest)
    errors: list[tuple[str, OSError]] = []
    # No recursion, since the node decides how deep the tree is
    waiting: list[tuple[str, str | OSError | None, str]] = [(src, kind, dest)]
    while waiting:
        src, entry, dest = waiting.pop()
        try:
            if isinstance(entry, OSError):
                raise entry
            if entry == FILE:
                copy_file(src, dest)
            if entry != DIRECTORY:
                continue
            # Listed before the target is made, which may be inside
            children = list(source.children(src))
            try:
                target.make_directory(dest)
            except OSError as error:
                # A second copy merges into the existing directory
                if is_ssh_failure(error) or target.kind(dest) != DIRECTORY:
                    raise
        except OSError as error:
            # An unreadable file does not affect others, but a lost connection ends the copy
            if is_ssh_failure(error):
                raise
            errors.append((src, error))
            continue
        waiting += [(posixpath.join(src, name), each, posixpath.join(dest, name)) for name, each in reversed(children)]
    raise_errors(errors)


def in_one(errors: list[tuple[str, OSError]]) -> OSError | None:
    """Return a single error itself, or one that names all."""
    if len(errors) > 1:
        return CopyError(errors)
    return errors[0][1] if errors else None


def raise_errors(errors: list[tuple[str, OSError]]) -> None:
    error = in_one(errors)
    if error is not None:
        raise error
