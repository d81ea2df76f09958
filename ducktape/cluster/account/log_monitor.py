# SPDX-License-Identifier: Apache-2.0
"""Waiting for a line in a log."""

from __future__ import annotations

import shlex
from typing import Any

from ducktape.cluster.account.errors import RemoteCommandError
from ducktape.cluster.transport import framework_commands
from ducktape.utils.util import wait_until

# grep does not understand the pattern; the shell cannot run grep; there is no grep.
_GREP_TROUBLE = (2, 126, 127)
_BEGUN_ANEW = 3

# Prints which file it is, and a checksum of what stands right before the offset: a log that was truncated and has grown
# again, or a new one with the inode of the old one, is known by it.
_IDENTITY = """
begin=$1 known=$2 pattern=$3 file=$4
case $file in -*) file=./$file ;; esac
identity() (
  set -- $(ls -diL "$file") "$((begin > 512 ? 512 : begin))"
  echo "$1-$(tail -c "+$((begin - $3 + 1))" "$file" | head -c "$3" | cksum | tr ' ' '-')"
)
"""
_MARK = f"""{_IDENTITY}
[ "$(wc -c <"$file")" -eq "$begin" ] && place=end || place=inside
echo "$(identity)-$place"
"""

# Looks where the plain command does not: from the begin in a log that is another one now, and at the line that was
# unfinished when the log ended at the offset, and has been written to since.
_LOOK = f"""{_IDENTITY}
length=$(wc -c <"$file") || exit 1
if [ "$length" -lt "$begin" ] || {{ [ "$known" ] && [ "${{known%-*}}" != "$(identity)" ]; }}; then
  grep -a -e "$pattern" <"$file"
  status=$?
  [ $status = 1 ] && exit {_BEGUN_ANEW}
  exit $status
fi
[ "${{known##*-}}" = end ] || exit 1
in_a_line() {{ [ "$(tail -c "+$1" "$file" | head -c 1 | tr -d '\\n' | wc -c)" -eq 1 ]; }}
in_a_line "$begin" && in_a_line "$((begin + 1))" || exit 1
line=$((begin > 65536 ? begin - 65536 : 0))
{{ tail -c "+$((line + 1))" "$file" | head -c "$((begin - line))" | tail -n 1; tail -c "+$((begin + 1))" "$file"; }} |
  head -n 1 | grep -a -e "$pattern"
"""


class LogMonitor:
    """Looks for patterns in what was written to a log after a certain place.

    A log that has become shorter since, or is another file, is searched from its begin. If the log ended at the place
    with an unfinished line, and that has been written to since, it counts from its first character.

    Args:
        acct: the account of the machine.
        log: path of the log; expanded by the shell.
        offset: bytes at the begin of the log that are ignored; 0 when the log has begun anew.
    """

    def __init__(self, acct: Any, log: str, offset: int) -> None:
        self.acct = acct
        self.log = log
        self.offset = offset
        self._mark: tuple[int, str] | None = None

    def remember_file(self) -> None:
        """Note which file the log is now, to notice when it is replaced."""
        self._mark = (self.offset, "")
        if not self.offset:
            return
        try:
            with framework_commands():
                said = self.acct.ssh_output(self._script(_MARK), allow_fail=True, combine_stderr=False)
            words = said.decode(errors="replace").split()
        except (AttributeError, RemoteCommandError):  # a stand-in that knows plain commands only
            return
        if words:
            self._mark = (self.offset, words[-1])

    def wait_until(self, pattern: str, **kwargs: Any) -> None:
        """Block until a line matches.

        Args:
            pattern: a basic regular expression of grep.
            **kwargs: of the function ``wait_until``: ``timeout_sec`` is required.

        Raises:
            TimeoutError: the framework's, with the caller's message.
            RemoteCommandError: grep refuses the pattern, or cannot be run.
        """
        if self._mark is None:
            self.remember_file()

        quoted = pattern.replace("'", "'\\''")
        option = "-e " if pattern.startswith("-") else ""

        def found() -> bool:
            if self._matches(f"tail -c +{self.offset + 1} {self.log} | grep {option}'{quoted}'") == 0:
                return True
            return self.offset > 0 and self._look_again(pattern)

        wait_until(found, **kwargs)

    def _look_again(self, pattern: str) -> bool:
        offset, known = self._mark or (0, "")
        # Whoever assigns another offset has not seen what stands before it
        status = self._matches(self._script(_LOOK, known if offset == self.offset else "", pattern))
        if status == _BEGUN_ANEW:
            self.offset = 0
        return status == 0

    def _matches(self, command: str) -> int:
        with framework_commands():
            status = int(self.acct.ssh(command, allow_fail=True))
        if status in _GREP_TROUBLE:
            raise RemoteCommandError(self.acct, command, status, "grep cannot search with this pattern")
        return status

    def _script(self, script: str, known: str = "", pattern: str = "") -> str:
        # The path comes last: the shell may make several of it, of which the first counts
        return f"{shlex.join(['sh', '-c', script, 'sh', str(self.offset), known, pattern])} {self.log}"
