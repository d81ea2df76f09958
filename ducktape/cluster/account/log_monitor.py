# SPDX-License-Identifier: Apache-2.0
"""Waits for lines in a log."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from ducktape.cluster.account.errors import RemoteCommandError
from ducktape.cluster.transport import framework_commands
from ducktape.utils.util import wait_until

if TYPE_CHECKING:
    from typing_extensions import Required, TypedDict, Unpack

    class WaitOptions(TypedDict, total=False):
        """The arguments of ``wait_until`` apart from the condition."""

        timeout_sec: Required[float]
        backoff_sec: float
        err_msg: object
        retry_on_exc: bool


# The pattern is invalid; grep cannot be run; grep is missing
_GREP_TROUBLE = (2, 126, 127)
_BEGUN_ANEW = 3

# Prints the inode, and a checksum of the data before the offset, which detects a log that was truncated and has grown
# again, or a new one with the same inode
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

# Searches what the plain command misses: a replaced log from its start, and the line that was unfinished at the offset
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
    """Searches for patterns in a log after an offset.

    A truncated or replaced log is searched from its start. If the log ended at the offset with an unfinished line, the
    whole line is searched.

    Args:
        acct: the account of the machine.
        log: path of the log; expanded by the shell.
        offset: number of bytes to ignore; 0 after the log was replaced.
    """

    def __init__(self, acct: Any, log: str, offset: int) -> None:
        self.acct = acct
        self.log = log
        self.offset = offset
        self._mark: tuple[int, str] | None = None

    def remember_file(self) -> None:
        """Record the identity of the log, to notice when it is replaced."""
        self._mark = (self.offset, "")
        if not self.offset:
            return
        try:
            with framework_commands():
                said = self.acct.ssh_output(self._script(_MARK), allow_fail=True, combine_stderr=False)
            words = said.decode(errors="replace").split()
        except (AttributeError, RemoteCommandError):  # a test double that knows plain commands only
            return
        if words:
            self._mark = (self.offset, words[-1])

    def wait_until(self, pattern: str, **kwargs: Unpack[WaitOptions]) -> None:
        """Block until a line matches.

        Args:
            pattern: a basic regular expression of grep.
            **kwargs: those of ``wait_until``; ``timeout_sec`` is required.

        Raises:
            TimeoutError: the framework's, with the caller's message.
            RemoteCommandError: the pattern is invalid, or grep cannot be run.
        """
        if self._mark is None:
            self.remember_file()

        quoted = pattern.replace("'", "'\\''")
        option = "-e " if pattern.startswith("-") else ""

        def found() -> bool:
            if self._matches(f"tail -c +{self.offset + 1} {self.log} | grep {option}'{quoted}'") == 0:
                return True
            if self.offset <= 0:
                return False
            offset, known = self._mark or (0, "")
            # A new offset was assigned from outside
            status = self._matches(self._script(_LOOK, known if offset == self.offset else "", pattern))
            if status == _BEGUN_ANEW:
                self.offset = 0
            return status == 0

        wait_until(found, **kwargs)

    def _matches(self, command: str) -> int:
        with framework_commands():
            status = int(self.acct.ssh(command, allow_fail=True))
        if status in _GREP_TROUBLE:
            raise RemoteCommandError(self.acct, command, status, "grep cannot search with this pattern")
        return status

    def _script(self, script: str, known: str = "", pattern: str = "") -> str:
        # Last, since the shell may expand it to several paths, of which the first counts
        return f"{shlex.join(['sh', '-c', script, 'sh', str(self.offset), known, pattern])} {self.log}"
