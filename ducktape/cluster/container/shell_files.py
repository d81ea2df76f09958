# SPDX-License-Identifier: Apache-2.0
"""The files of a machine that can be reached by commands alone."""

from __future__ import annotations

import errno
import io
import os
import shlex
import tempfile
from typing import IO, TYPE_CHECKING, cast

from ducktape.cluster.copy.received_file import ReceivedFile
from ducktape.cluster.local.files import LocalAttributes, LocalFile
from ducktape.cluster.transport import framework_commands
from ducktape.utils.support.text import one_line

if TYPE_CHECKING:
    from ducktape.cluster.transport import Completed, Stdin, Transport

_FIELDS = "%f %s %u %g %X %Y"
_NUMBERS = {os.strerror(number): number for number in errno.errorcode}
_MOST_ENTRIES_BYTES = 256 << 20
_PIECE = 1 << 20
# One program for all entries, or where it is not GNU's, one for each
_LIST = (
    "cd {path} && set -- * .[!.]* ..?* && "
    "if stat --version >/dev/null 2>&1; then stat --printf '{fields} %n\\0' -- \"$@\" 2>/dev/null; else "
    'for name; do [ -e "$name" ] || [ -L "$name" ] || continue; '
    'printf "%s %s\\0" "$(stat -c \'{fields}\' "./$name")" "$name"; done; fi; true'
)


class ShellFiles:
    """A :class:`ducktape.cluster.transport.Files` over the programs ``stat``, ``cat``, ``mkdir`` and ``readlink``."""

    def __init__(self, transport: Transport, name: str) -> None:
        self._transport = transport
        self._name = name

    def lstat(self, path: str) -> LocalAttributes:
        return self._attributes(path, "")

    def stat(self, path: str) -> LocalAttributes:
        return self._attributes(path, "-L ")

    def listdir_attr(self, path: str) -> list[LocalAttributes]:
        done = self._run(_LIST.format(path=_quoted(path), fields=_FIELDS), path)
        entries = done.stdout.split(b"\0")[:-1]
        return [_parsed(os.fsdecode(entry)) for entry in entries]

    def normalize(self, path: str) -> str:
        return os.fsdecode(self._run(f"readlink -f {_quoted(path)}", path).stdout).removesuffix("\n")

    def open(self, path: str, mode: str = "r") -> LocalFile:
        """Open a file: what is read is copied first, what is written is sent with ``flush`` and ``close``."""
        kinds = [letter for letter in mode if letter in "rwax"]
        if len(kinds) != 1:
            raise ValueError(f"a file is opened with mode r, w, a or x, not {mode!r}")
        kind, is_both = kinds[0], "+" in mode
        begin = {"w": ":>", "a": ":>>", "x": "set -C; :>"}.get(kind)
        if begin is not None:
            self._run(f"{begin}{_quoted(path)}", path)
        local = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the file
        try:
            if kind == "r" or (kind == "a" and is_both):
                self._copy_to(path, local)
        except BaseException:
            local.close()
            raise
        if kind == "r" and not is_both:
            return LocalFile(cast(str, os.dup(_at_start(local))), mode)
        return _WrittenFile(self, path, mode, local, whole=is_both)

    def mkdir(self, path: str, mode: int = 0o777) -> None:
        self._run(f'mkdir -m "$(printf %o $((0{mode:o} & ~$(umask))))" {_quoted(path)}', path)

    def get(self, path: str, local_path: str) -> None:
        with ReceivedFile(local_path) as target:
            self._copy_to(path, target)

    def put(self, local_path: str, path: str) -> None:
        with open(local_path, "rb") as source:
            self.write(path, source, append=False)

    def write(self, path: str, content: Stdin, *, append: bool) -> None:
        """Replace the content of a file, or append to it."""
        self._run(f"cat {'>>' if append else '>'}{_quoted(path)}", path, stdin=content)

    def _copy_to(self, path: str, target: IO[bytes] | ReceivedFile) -> None:
        with framework_commands():
            stream = self._transport.stream(f"LC_ALL=C cat {_quoted(path)}")
            try:
                while piece := stream.read():
                    target.write(piece)
                if stream.exit_status():
                    raise _error(stream.stderr(), path, self._name)
            finally:
                stream.close()

    def _attributes(self, path: str, option: str) -> LocalAttributes:
        done = self._run(f"stat {option}-c '{_FIELDS}' {_quoted(path)}", path)
        return _parsed(f"{done.stdout.decode('ascii', 'replace').strip()} {os.path.basename(path)}")

    def _run(self, command: str, path: str, *, stdin: Stdin = None) -> Completed:
        with framework_commands():
            done = self._transport.run(f"export LC_ALL=C\n{command}", stdin=stdin)
        if done.exit_status:
            raise _error(done.stderr, path, self._name)
        return done


class _WrittenFile(LocalFile):
    """A file that is written here first: ``whole`` files may be read and written anywhere, others only at their end."""

    def __init__(self, files: ShellFiles, path: str, mode: str, local: IO[bytes], *, whole: bool) -> None:
        super().__init__(cast(str, os.dup(_at_start(local))), f"{'b' if 'b' in mode else ''}r+")
        local.close()
        if "a" in mode:
            self._file.seek(0, os.SEEK_END)
        self._files = files
        self._path = path
        self._whole = whole
        self._is_changed = False

    def write(self, data: str | bytes) -> None:
        """Write text (as UTF-8) or bytes."""
        self._is_changed = True
        super().write(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        if not self._whole:
            raise io.UnsupportedOperation(f"{self._path} was opened for writing at its end")
        return self._file.seek(offset, whence)

    def flush(self) -> None:
        """Send what was written."""
        if not self._is_changed:
            return
        position = self._file.tell()
        self._file.seek(0)
        self._files.write(self._path, self._file, append=not self._whole)
        self._is_changed = False
        if self._whole:
            self._file.seek(position)
        else:
            self._file.seek(0)
            self._file.truncate()

    def close(self) -> None:
        if self._file.closed:
            return
        try:
            self.flush()
        finally:
            super().close()


def _at_start(file: IO[bytes]) -> int:
    file.flush()
    file.seek(0)
    return file.fileno()


def _parsed(text: str) -> LocalAttributes:
    """Return the attributes in a line of ``stat``."""
    try:
        mode, size, user, group, accessed, modified, name = text.split(" ", 6)
        return LocalAttributes(name, int(mode, 16), int(size), int(user), int(group), float(accessed), float(modified))
    except ValueError:
        raise OSError(errno.EIO, f"stat answered {one_line(text)}") from None


def _quoted(path: str) -> str:
    """Return a path as a word of the shell that no program takes for an option."""
    return shlex.quote(f"./{path}" if path.startswith("-") else path)


def _error(said: bytes, path: str, name: str) -> OSError:
    """Return the error that a program has reported in words."""
    text = said.decode(errors="replace").strip()
    last = text.rpartition(": ")[2]
    number = _NUMBERS.get(last, errno.EEXIST if "cannot overwrite existing" in text or "File exists" in text else None)
    if number is None and "nonexistent" in text.lower():  # dash about a directory
        number = errno.ENOENT
    if number is None:
        return OSError(errno.EIO, f"{name}: {one_line(text)}", path)
    return OSError(number, os.strerror(number), path)
