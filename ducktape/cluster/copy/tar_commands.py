# SPDX-License-Identifier: Apache-2.0
"""Shell commands that copy a tree as one stream, and the errors that their messages mean."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shlex
from dataclasses import dataclass

BLOCK = 512

# Exits with 1 for a link to its own or a parent directory, which would be followed forever
# The letter after the path preserves a newline at its end
_LEADS_ON = (
    'd=$(cd -P "${1%/*}" && pwd -P && echo x) && t=$(cd -P "$1" && pwd -P && echo x) || exit 0; '
    't=${t%?x}; case "${d%?x}/" in "${t%/}"/*) exit 1;; esac'
)

_COMMON = (
    "export LC_ALL=C; "
    # Sparse by default
    "pack() { tar -c -f - -b 64 -h -P --no-recursion --hard-dereference --format=gnu"
    ' --quoting-style=escape --null "${1:--S}" -T -; }; '
    "entries() { find -L . '(' -type d -xtype l ! -exec sh -c " + shlex.quote(_LEADS_ON) + " sh '{}' ';' -prune ')'"
    " -o '(' \"$@\" ')' -print0; }; "
    # Tests for a suitable tar by using it
    "able() { { printf '.\\0' | pack && find -L . -maxdepth 0 -xtype d -print0; } >/dev/null 2>&1; }; "
    # Reports an inaccessible directory like tar does
    "enter() { cd -P \"$1\" 2>/dev/null || { echo 'tar: .: Cannot open: Permission denied' >&2; false; }; }; "
)

# Messages are blocks of 512 bytes, like the archives between them
_PACK = (
    "m=$1 zip=$2 able=$3; shift 3; "
    "block() { printf '%-511s\\n' \"$m $1\"; }; "
    '[ "$able" = yes ] || able || { block unable; exit 0; }; '
    "all() { i=0; n=0; for p do "
    'if [ -d "$p" ]; then block "tree $i"; echo "$m $i" >&2; '
    '(enter "$p" && entries -type d -o -type f | pack); block "end $?"; '
    'elif [ -f "$p" ]; then n=1; fi; i=$((i+1)); done; '
    'if [ "$n" = 1 ]; then block files; echo "$m files" >&2; '
    'for p do if [ ! -d "$p" ] && [ -f "$p" ]; then printf \'%s\\0\' "$p"; fi; done | pack; block "end $?"; fi; '
    "block done; }; "
    "block able; "
    'if [ "$zip" = yes ]; then all "$@" | gzip -1 -c; else all "$@"; fi'
)

_LIST = (
    "m=$1 able=$2; "
    '[ "$able" = yes ] || able || { printf "%s unable\\0" "$m"; exit 0; }; '
    'if [ -d "$3" ]; then printf "%s directory\\0" "$m"; enter "$3" && entries -type d; '
    'elif [ -f "$3" ]; then printf "%s file\\0" "$m"; '
    'else printf "%s nothing\\0" "$m"; fi'
)

_PACK_FILES = 'printf "%s" "$1"; enter "$2" && entries -type f | pack --null'
# Limited to the current size: a log may grow as fast as it is read
_SEND_FILE = 'printf "%s" "$1"; [ -r "$2" ] || { cat "$2"; exit 1; }; head -c "$(wc -c <"$2")" "$2"'

# Makes the directories of a tree, and prints which failed and why
_PREPARE = (
    'm=$1 able=$2 t=$3; [ "$able" = yes ] || able || { printf "%s unable\\0" "$m"; exit 0; }; '
    'w=itself; [ ! -d "$t" ] || { t=$4; w=inside; }; '
    # tar would change the permissions of existing files and replace links
    'if [ -d "$t" ] && [ -n "$(find "$t" ! -type d ! -perm "$(printf %o $((0666 & ~0$(umask))))" -print -quit)" ]; '
    'then printf "%s careful\\0" "$m"; exit 0; fi; '
    'printf "%s %s\\0" "$m" "$w"; umask go-w; '
    'why() { r=$(mkdir "$1" 2>&1); [ -d "$1" ] || printf "%s\\0%s\\0" "$1" "${r##*: }"; }; '
    '[ -d "$t" ] || why "$t"; [ -d "$t" ] || exit 0; '
    'cd -P "$t" || { printf "%s\\0Permission denied\\0" "$t"; exit 0; }; '
    "xargs -0 sh -c "
    + shlex.quote(
        'mkdir -p "$@" 2>/dev/null; for d do [ -d "$d" ] || '
        '{ r=$(mkdir "$d" 2>&1); printf "%s\\0%s\\0" "$d" "${r##*: }"; }; done'
    )
    + " sh"
)

_UNPACK = 'enter "$1" && tar -x -f - -h --overwrite -m --no-same-owner --no-same-permissions --quoting-style=escape'
_KEEP_FILE = '[ ! -d "$1" ] || set -- "$2"; cat >"$1"'


_TAR = re.compile(r"tar: (.*?): (?:Cannot [a-z ]+|Read error at byte \d+, while reading \d+ bytes): (.+)")
_FIND = re.compile(r"find: '(.*)': (.+)")
_SHRUNK = re.compile(r"tar: (.*): File shrank by (\d+) bytes; padding with zeros")
_ESCAPED = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
# Broken links are not copied
_LEADS_NOWHERE = ("File system loop", os.strerror(errno.ELOOP))
# Messages of some shells
_OTHER_WORDS = {"Directory nonexistent": os.strerror(errno.ENOENT)}
_LETTERS = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


def new_mark() -> bytes:
    """Return a unique marker that precedes our output, since start-up files of a shell may print something, too."""
    return f"copy-{secrets.token_hex(8)}".encode()  # visible in process lists, which suites search by words


def _command(script: str, *arguments: str) -> str:
    return " ".join(["sh", "-c", shlex.quote(_COMMON + script), "sh", *map(shlex.quote, arguments)])


def named(path: str) -> str:
    """Return a path that is not taken for an option or searched in ``CDPATH``."""
    return path if path.startswith("/") else f"./{path}"


def _known(able: bool | None) -> str:
    return "yes" if able else "unknown"


def pack_command(mark: bytes, paths: list[str], *, able: bool | None, compress: bool) -> str:
    """Return the command that sends archives of directories, then one of all files."""
    zipped = "yes" if compress else "no"
    return _command(_PACK, mark.decode(), zipped, _known(able), *map(named, paths))


def list_command(mark: bytes, path: str, *, able: bool | None) -> str:
    """Return the command that prints the kind of a path, and lists the directories below it."""
    return _command(_LIST, mark.decode(), _known(able), named(path))


def pack_files_command(mark: bytes, path: str) -> str:
    """Return the command that sends the files of a directory as one archive."""
    return _command(_PACK_FILES, mark.decode(), named(path))


def send_file_command(mark: bytes, path: str) -> str:
    return _command(_SEND_FILE, mark.decode(), named(path))


def prepare_command(mark: bytes, target: str, inside: str, *, able: bool | None) -> str:
    """Return the command that makes a directory and those read from its input; ``inside`` if ``target`` exists."""
    return _command(_PREPARE, mark.decode(), _known(able), named(target), named(inside))


def unpack_command(directory: str) -> str:
    return _command(_UNPACK, named(directory))


def keep_file_command(target: str, inside: str) -> str:
    """Return the command that writes a file from its input; ``inside`` if ``target`` is a directory."""
    return _command(_KEEP_FILE, named(target), named(inside))


@dataclass(frozen=True)
class Complaint:
    """An error about one file, with its name as passed to the program."""

    name: str
    reason: str  # message of the operating system
    shrunk_by: int = 0  # bytes that were replaced by zeros because the file shrank meanwhile

    def error(self, path: str) -> OSError:
        return error_of(self.reason, path)


def error_of(reason: str, path: str) -> OSError:
    """Return the exception that Python raises for a message."""
    reason = _OTHER_WORDS.get(reason, reason)
    number = next((code for code in errno.errorcode if os.strerror(code) == reason), None)
    return OSError(f"{path}: {reason}") if number is None else OSError(number, reason, path)


def complaints(messages: bytes) -> list[Complaint]:
    """Parse error output; informational lines are ignored."""
    found = []
    for raw in messages.split(b"\n"):
        line = raw.decode("utf-8", "surrogateescape")
        shrunk, missed = _SHRUNK.fullmatch(line), _FIND.fullmatch(line)
        about = _TAR.fullmatch(line) or missed
        if shrunk is not None:
            found.append(Complaint(_plain(shrunk[1]), "it shrank", int(shrunk[2])))
        elif about is not None and not (missed is not None and missed[2].startswith(_LEADS_NOWHERE)):
            found.append(Complaint(_plain(about[1]), about[2]))
    return found


def _plain(name: str) -> str:

    def letter(match: re.Match[bytes]) -> bytes:
        code = match[1]
        return bytes([int(code, 8) & 255]) if len(code) == 3 else _LETTERS.get(code, code)

    return _ESCAPED.sub(letter, name.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
