# SPDX-License-Identifier: Apache-2.0
"""Files and directories on a machine, and copying them."""

from __future__ import annotations

import stat
import tempfile
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

from ducktape.cluster import copying
from ducktape.cluster.ssh_failures import check_ssh, is_ssh_failure
from ducktape.cluster.transport import framework_commands

if TYPE_CHECKING:
    from ducktape.cluster.transport import Transport

_REPLACEABLE = ("open", "isdir", "isfile", "exists", "mkdir", "create_file")


class FileVerbs:
    """What an account can do with files, by means of its transport and its commands."""

    _DEFAULT_PERMISSIONS = 0o755

    # Supplied by the account. Not declared as methods here, which would hide a replacement further up.
    ssh: Any
    ssh_output: Any
    sftp_client: Any
    _has_own: Any

    if TYPE_CHECKING:

        @property
        def transport(self) -> Transport:
            """Supplied by the account."""

    def exists(self, path: str) -> bool:
        """Whether there is something at a path, a dangling link included."""
        return self._mode(path, follow=False) is not None

    def isfile(self, path: str) -> bool:
        """Whether a path leads to a regular file."""
        return stat.S_ISREG(self._mode(path) or 0)

    def isdir(self, path: str) -> bool:
        """Whether a path leads to a directory."""
        return stat.S_ISDIR(self._mode(path) or 0)

    def islink(self, path: str) -> bool:
        """Whether a path is a symbolic link."""
        return stat.S_ISLNK(self._mode(path, follow=False) or 0)

    @check_ssh
    def _mode(self, path: str, *, follow: bool = True) -> int | None:
        """Type and permissions of a file, ``None`` if there is none. Failures of SSH are no answer: they raise."""
        try:
            files = self.transport.files
            attributes = files.stat(path) if follow else files.lstat(path)
        except OSError as error:
            if is_ssh_failure(error):
                raise
            return None
        return attributes.st_mode or 0

    @check_ssh
    def open(self, path: str, mode: str = "r") -> Any:
        """Open a file; its ``read`` gives bytes in every mode, its ``write`` takes text or bytes.

        Raises:
            FileNotFoundError: it is not there.
        """
        return self.transport.files.open(path, mode)

    @check_ssh
    def create_file(self, path: str, contents: str | bytes) -> None:
        """Write a file, replacing what it contained.

        Raises:
            FileNotFoundError: its directory is not there.
        """
        with self.open(path, "w") as file:
            file.write(contents)

    @check_ssh
    def mkdir(self, path: str, mode: int = _DEFAULT_PERMISSIONS) -> None:
        """Create one directory; the machine's umask applies.

        Raises:
            OSError: it exists, or its parent does not.
        """
        self.transport.files.mkdir(path, mode)

    def mkdirs(self, path: str, mode: int = _DEFAULT_PERMISSIONS) -> None:
        """Create a directory with its parents; an existing one is fine.

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
            allow_fail: be silent about what is not there.
        """
        with framework_commands():
            self.ssh(f"rm -{'rf' if allow_fail else 'r'} {path}", allow_fail)

    @check_ssh
    def copy_from(self, src: str, dest: str) -> None:
        """Copy a file or a tree from the machine to the driver; links are followed.

        Args:
            src: what does not exist is silently not copied.
            dest: an existing directory is copied into.

        Raises:
            OSError: something could not be copied; everything else was.
        """
        copying.copy_from(self._tree(), src, dest)

    @check_ssh
    def copy_to(self, src: str, dest: str) -> None:
        """Copy a file or a tree from the driver to the machine; links are followed.

        Args:
            src: what does not exist is silently not copied.
            dest: an existing directory is copied into.

        Raises:
            OSError: something could not be copied; everything else was.
        """
        copying.copy_to(self._tree(), src, dest)

    def copy_between(self, src: str, dest: str, dest_node: Any) -> None:
        """Copy a file or a tree from this machine to another node's, through the driver."""
        with tempfile.TemporaryDirectory() as directory:
            self.copy_from(src, directory)
            dest_node.account.copy_to(self._re_anchor_basename(src, directory), dest)

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
            return copying.FilesTree(self.transport.files)
        if self._has_own("sftp_client") or not self._has_own("ssh_output"):
            return copying.VerbsTree(self, lambda path: self.sftp_client.listdir(path))
        return copying.VerbsTree(self, partial(copying.find_names, self.ssh_output))
