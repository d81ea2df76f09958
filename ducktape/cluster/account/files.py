# SPDX-License-Identifier: Apache-2.0
"""File operations of accounts."""

from __future__ import annotations

import contextlib
import stat
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from ducktape.cluster.consts import WINDOWS
from ducktape.cluster.copy import walk as copying
from ducktape.cluster.copy.extract import Root
from ducktape.cluster.copy.tar_copy import CannotStream, TarNode
from ducktape.cluster.ssh.errors import check_ssh, is_ssh_failure
from ducktape.cluster.transport import RemoteFile, Transport, framework_commands
from ducktape.utils.support.guard import tolerated

_REPLACEABLE = ("open", "isdir", "isfile", "exists", "mkdir", "create_file")
_COMMANDS = ("ssh", "ssh_output", "ssh_capture", "sftp_client")
# Commands are limited to about 128 KB
_PATHS_AT_ONCE = 32 * 1024


def _say_nothing(path: str, error: BaseException | None) -> None:
    """Ignore a report."""


class _Node(Protocol):
    @property
    def account(self) -> FileVerbs:
        """What files are copied to."""


class FileVerbs:
    """File operations of an account, over its transport and its commands."""

    # Learned from the node, so not part of the account's text or its copies
    __slots__ = ("_tar_node_asked",)

    _DEFAULT_PERMISSIONS = 0o755

    # Provided by the account; methods here would hide overriding ones
    ssh: Callable[..., int]
    ssh_output: Callable[..., bytes]
    sftp_client: Any
    _has_own: Callable[[str], bool]
    hostname: str

    if TYPE_CHECKING:

        @property
        def transport(self) -> Transport:
            """Provided by the account."""

    def exists(self, path: str) -> bool:
        """Return whether a path exists, including broken links."""
        return self._mode(path, follow=False) is not None

    def isfile(self, path: str) -> bool:
        """Return whether a path leads to a regular file."""
        return stat.S_ISREG(self._mode(path) or 0)

    def isdir(self, path: str) -> bool:
        """Return whether a path leads to a directory."""
        return stat.S_ISDIR(self._mode(path) or 0)

    def islink(self, path: str) -> bool:
        """Return whether a path is a symbolic link."""
        return stat.S_ISLNK(self._mode(path, follow=False) or 0)

    @check_ssh
    def _mode(self, path: str, *, follow: bool = True) -> int | None:
        """Return type and permissions of a file, ``None`` if it does not exist; raises failures of SSH."""
        try:
            files = self.transport.files
            attributes = files.stat(path) if follow else files.lstat(path)
        except OSError as error:
            if is_ssh_failure(error):
                raise
            return None
        return attributes.st_mode or 0

    @check_ssh
    def open(self, path: str, mode: str = "r") -> RemoteFile:
        """Open a file; ``read`` returns bytes in every mode, ``write`` accepts text or bytes."""
        file: RemoteFile = self.transport.files.open(path, mode)
        return file

    @check_ssh
    def create_file(self, path: str, contents: str | bytes) -> None:
        """Write a file in an existing directory, replacing what it contained."""
        with self.open(path, "w") as file:
            file.write(contents)

    @check_ssh
    def mkdir(self, path: str, mode: int = _DEFAULT_PERMISSIONS) -> None:
        """Create one directory, which must not exist; the machine's umask applies."""
        self.transport.files.mkdir(path, mode)

    def mkdirs(self, path: str, mode: int = _DEFAULT_PERMISSIONS) -> None:
        """Create a directory and its parents if they do not exist.

        Args:
            path: expanded by the shell.
            mode: permissions of the last directory.
        """
        with framework_commands():
            self.ssh(f"mkdir -p {path} && chmod {mode:o} {path}")

    def remove(self, path: str, allow_fail: bool = False) -> None:
        """Remove files and trees.

        Args:
            path: expanded by the shell; several words are several paths.
            allow_fail: ignore missing files.
        """
        with framework_commands(slow=True):
            self.ssh(f"rm -{'rf' if allow_fail else 'r'} {path}", allow_fail)

    @check_ssh
    def copy_from(self, src: str, dest: str, *, compress: bool = False) -> None:
        """Copy a file or a tree from the machine to the driver; links are followed.

        They are copied as one stream if the machine has GNU ``tar`` and ``find``, else file by file.

        Args:
            src: a missing file is silently ignored.
            dest: if it is an existing directory, the copy is made inside.
            compress: whether the machine compresses the stream.

        Raises:
            OSError: some files could not be copied; all others were.
        """
        node = None if _lacks_sizes(src) else self._tar_node()
        if node is not None:
            root = Root(src, copying.target_in(copying.DriverTree(), src, dest), self.hostname)
            with contextlib.suppress(CannotStream):
                node.get([root], _say_nothing, compress=compress)
                copying.raise_errors(root.errors)
                return
        copying.copy_from(self._tree(), src, dest)

    @check_ssh
    def copy_all_from(
        self,
        paths: Sequence[str],
        dest: str,
        report: Callable[[str, Any], object] = _say_nothing,
        *,
        compress: bool = False,
    ) -> None:
        """Copy several files and trees from the machine into an existing directory, in one stream if possible.

        ``report(path, error)`` is called as soon as a path is copied, with ``None``, or has failed, and again if an
        error is found later. A failed connection is raised; paths that were not reported are not copied then.
        """
        left = []
        for path in dict.fromkeys(paths):
            try:
                self._re_anchor_basename(path, "")
            except (OSError, ValueError) as error:
                report(path, error)
            else:
                left.append(path)
        node = None if self._has_own("copy_from") else self._tar_node()
        if node is not None:
            with contextlib.suppress(CannotStream):
                for batch in _batches([path for path in left if not _lacks_sizes(path)]):
                    roots = [Root(path, self._re_anchor_basename(path, dest), self.hostname) for path in batch]
                    node.get(roots, report, compress=compress)
                left = list(filter(_lacks_sizes, left))
        for path in left:
            with tolerated(partial(report, path)):
                self.copy_from(path, dest)
                report(path, None)

    @check_ssh
    def copy_to(self, src: str, dest: str) -> None:
        """Copy a file or a tree from the driver to the machine; links are followed.

        A tree is copied as one stream if the machine has GNU ``tar`` and ``find``, else file by file.

        Args:
            src: a missing file is silently ignored.
            dest: if it is an existing directory, the copy is made inside.

        Raises:
            OSError: some files could not be copied; all others were.
        """
        node = self._tar_node() if copying.DriverTree().kind(src) == copying.DIRECTORY else None
        if node is not None:
            with contextlib.suppress(CannotStream):
                node.put_tree(src, dest)
                return
        copying.copy_to(self._tree(), src, dest)

    def copy_between(self, src: str, dest: str, dest_node: _Node) -> None:
        """Copy a file or a tree from this machine to another node; links are followed.

        It is streamed between the nodes if both support that, else copied through a temporary directory of the driver.

        Args:
            src: a missing file is silently ignored.
            dest: if it is an existing directory, the copy is made inside.
            dest_node: the other node.

        Raises:
            OSError: some files could not be copied; all others were.
        """
        with contextlib.suppress(CannotStream):
            self._stream_between(src, dest, dest_node.account)
            return
        with tempfile.TemporaryDirectory() as directory:
            problem: OSError | None = None
            try:
                self.copy_from(src, directory)
            except OSError as error:
                if is_ssh_failure(error):
                    raise
                problem = error  # copy the files that arrived
            dest_node.account.copy_to(self._re_anchor_basename(src, directory), dest)
            if problem is not None:
                raise problem

    @check_ssh
    def _stream_between(self, src: str, dest: str, other: object) -> None:
        ours = None if self._has_own("copy_from") or _lacks_sizes(src) else self._tar_node()
        theirs = other._tar_node() if isinstance(other, FileVerbs) and not other._has_own("copy_to") else None
        if ours is None or theirs is None:
            raise CannotStream
        kind, directories = ours.look_into(src)
        if kind == copying.DIRECTORY:
            ours.give_tree(src, theirs, dest, directories)
        if kind == copying.FILE:
            ours.give_file(src, theirs, dest)

    def _tar_node(self) -> TarNode | None:
        """Return the copier for streams, unless a subclass overrides the operations that it would bypass."""
        transport = self.transport
        if transport.is_local or getattr(self, "os", None) == WINDOWS:
            return None
        if any(self._has_own(verb) for verb in (*_REPLACEABLE, *_COMMANDS)):
            return None
        known: TarNode | None = getattr(self, "_tar_node_asked", None)
        if known is None or known.transport is not transport:
            known = self._tar_node_asked = TarNode(transport, self.hostname)
        return None if known.able is False else known

    def scp_from(self, src: str, dest: str, recursive: bool = False) -> None:
        """Deprecated name of ``copy_from``."""
        warnings.warn("scp_from is deprecated: use copy_from", DeprecationWarning, stacklevel=2)
        self.copy_from(src, dest)

    def scp_to(self, src: str, dest: str, recursive: bool = False) -> None:
        """Deprecated name of ``copy_to``."""
        warnings.warn("scp_to is deprecated: use copy_to", DeprecationWarning, stacklevel=2)
        self.copy_to(src, dest)

    def _re_anchor_basename(self, path: str, directory: str) -> str:
        return copying.re_anchor_basename(path, directory)

    def _tree(self) -> copying.RemoteTree:
        if not any(self._has_own(verb) for verb in _REPLACEABLE):
            return copying.FilesTree(self.transport.files, node=self.hostname)
        if self._has_own("sftp_client") or not self._has_own("ssh_output"):
            return copying.VerbsTree(
                self,
                lambda path: self.sftp_client.listdir(path),
                lambda path: self.sftp_client.normalize(path),
                node=self.hostname,
            )
        run = self.ssh_output
        return copying.VerbsTree(
            self, partial(copying.find_names, run), partial(copying.find_real, run), node=self.hostname
        )


def _lacks_sizes(path: str) -> bool:
    """Return whether files have size 0 but content, which archives would miss."""
    return path.startswith(("/proc/", "/sys/"))


def _batches(paths: list[str]) -> Iterator[list[str]]:
    """Split paths into portions that fit into a command."""
    batch: list[str] = []
    room = _PATHS_AT_ONCE
    for path in paths:
        size = len(path.encode("utf-8", "surrogateescape")) + 16
        if batch and size > room:
            yield batch
            batch, room = [], _PATHS_AT_ONCE
        batch.append(path)
        room -= size
    if batch:
        yield batch
