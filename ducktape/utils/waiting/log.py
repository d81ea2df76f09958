# SPDX-License-Identifier: Apache-2.0
"""Searches a growing log for a line, fetching every byte once."""

from __future__ import annotations

import base64
import codecs
import re
import shlex
import threading
from collections import deque

from ducktape.errors import DucktapeError
from ducktape.utils.support.times import Deadline
from ducktape.utils.waiting.probes import Answer, Host, account_of, run, shortened

_MARK = "ducktape-log"
_AT_ONCE = 512 * 1024
_READS_PER_LOOK = 64
_FIRST_LOOK_SEC = 60.0
_LONGEST_UNFINISHED = 64 * 1024
_TAIL_LINES = 20
_ANY = "any"
_END = "end"

# Prints the identity of the file, the offset and its length; then the bytes in base64, which every shell and connection
# preserves. A file that was replaced or truncated is read from its start.
_READ = f"""
[ -e "$3" ] || {{ echo "{_MARK} absent"; exit 0; }}
length=$(wc -c <"$3") || {{ echo "{_MARK} unreadable"; exit 0; }}
length=$((length))
begin=$1 known=$2 file=$3
case $file in -*) file=./$file ;; esac
set -- $(ls -diL "$file")
[ "$begin" = {_END} ] && begin=$length
[ "$known" = {_ANY} ] || [ "$known" = "$1" ] || begin=0
[ "$begin" -le "$length" ] || begin=0
echo "{_MARK} $1 $begin $length"
[ "$begin" -lt "$length" ] || exit 0
tail -c +$((begin + 1)) "$file" | head -c {_AT_ONCE} | base64
"""


class LogProbe:
    """Reads new data of a log, from an offset or (``None``) the current end, and remembers a matching line."""

    def __init__(self, node: Host, path: str, pattern: re.Pattern[str], since: int | None) -> None:
        self._account = account_of(node)
        self._path = path
        self._pattern = pattern
        self._begin = since or 0
        self._known = _ANY
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._unfinished = ""
        self._lines: deque[str] = deque(maxlen=_TAIL_LINES)
        self._found: str | None = None
        # A check that hung may overlap with the next wait
        self._one_at_a_time = threading.Lock()
        if since is None:
            self._read(Deadline(_FIRST_LOOK_SEC), begin=_END)

    def __call__(self, deadline: Deadline) -> Answer:
        with self._one_at_a_time:
            for _ in range(_READS_PER_LOOK):
                state = self._read(deadline)
                if state is not None or self._found is not None:
                    break
            tail = (*self._lines, self._unfinished) if self._unfinished else tuple(self._lines)
            if self._found is not None:
                return Answer(True, f"has the line {shortened(self._found)!r}", tail[-_TAIL_LINES:])
            holds = None if state == "unreadable" else False
            return Answer(holds, _STATES[state or "quiet"], tail[-_TAIL_LINES:])

    def _read(self, deadline: Deadline, *, begin: str | None = None) -> str | None:
        """Read the next bytes; returns the state of the file, ``None`` if there is more to read."""
        words = ["sh", "-c", _READ, "sh", begin or str(self._begin), self._known]
        status, output = run(self._account, f"{shlex.join(words)} {self._path}", deadline, None, with_errors=False)
        _, mark, rest = output.partition(_MARK)
        first, _, data = rest.partition("\n")
        facts = first.split()
        if not mark or not facts or (len(facts) < 3 and facts[0] not in _STATES):
            raise DucktapeError(f"{self._account}: {self._path} cannot be read: status {status}, {shortened(output)!r}")
        if facts[0] in _STATES:
            if facts[0] == "absent":
                self._forget()  # a later file is a new one
            return facts[0]
        return self._take(facts[0], int(facts[1]), int(facts[2]), base64.b64decode(data))

    def _take(self, identity: str, begin: int, length: int, data: bytes) -> str | None:
        if begin != self._begin:
            self._forget()
        self._known = identity
        self._begin = begin + len(data)
        self._understand(self._decoder.decode(data))
        # Without data the file was truncated meanwhile, which the next read notices
        if data and self._begin < length:
            return None
        return "quiet" if self._lines or self._unfinished else "empty"

    def _forget(self) -> None:
        self._begin = 0
        self._known = _ANY
        self._decoder.reset()
        if self._unfinished:
            self._lines.append(self._unfinished)
        self._unfinished = ""

    def _understand(self, text: str) -> None:
        *lines, unfinished = (self._unfinished + text).split("\n")
        self._unfinished = unfinished[-_LONGEST_UNFINISHED:]
        self._lines.extend(line.rstrip("\r") for line in lines[-_TAIL_LINES:])
        if self._found is None and text:
            # An unfinished line counts, too: prompts have no newline
            self._found = next(filter(self._pattern.search, (line.rstrip("\r") for line in (*lines, unfinished))), None)


_STATES = {
    "absent": "there is no such file",
    "unreadable": "the file cannot be read",
    "empty": "nothing was written",
    "quiet": "no line matches",
}
