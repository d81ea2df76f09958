# SPDX-License-Identifier: Apache-2.0
"""The journal of a session: every event in a line of its own, so that the death of the driver loses nothing."""

from __future__ import annotations

import fcntl
import json
import os
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from ducktape.errors import DucktapeError
from ducktape.json_serializable import jsonable, strict_dumps
from ducktape.utils.support.files import lock, open_to_read, write_atomically

JOURNAL_NAME = "journal.jsonl"
# Of the format. A reader understands every version that begins with the same number; new events and new fields of old
# events are no reason to count it up.
JOURNAL_VERSION = 1

_READ_SIZE = 1 << 20


class SessionBusyError(DucktapeError):
    """Another program is writing the journal of the session."""


class Journal:
    """Writes the events of a session, and keeps in memory what the disk does not take.

    A child that is forked has no part in it: there, the journal is closed.

    Args:
        results_dir: directory of the session.
        resume: go on with the journal that is there; otherwise there must be none.
        wait_sec: how long to wait for another program that is about to end.

    Raises:
        SessionBusyError: another program has the journal, or there is one and it is not to be resumed. A journal that
            cannot be made for any other reason is kept in memory, and tried again at each :meth:`flush`.
    """

    def __init__(self, results_dir: str, *, resume: bool = False, wait_sec: float = 5.0) -> None:
        self.path = os.path.join(results_dir, JOURNAL_NAME)
        self._resume = resume
        self._descriptor = -1
        self._pending = bytearray()
        self._trouble: OSError | None = None
        self._closed = False
        try:
            self._open(wait_sec)
        except FileExistsError as error:
            raise SessionBusyError(
                f"{self.path} exists already: another session is written there. Give --resume to go on with it"
            ) from error
        except BlockingIOError as error:
            raise SessionBusyError(
                f"{results_dir} is being written by another run. Wait for its end, or end it, before you resume it"
            ) from error
        except OSError as error:
            self._trouble = error
        # A lock outlives its holder in every process that inherited the descriptor
        os.register_at_fork(after_in_child=_closer(weakref.ref(self)))

    def write(self, event: str, **fields: Any) -> None:
        """Add an event, which is written at the next :meth:`flush`; never raises.

        Args:
            event: its name.
            **fields: what there is to say; anything that JSON cannot express is kept as text. ``time``, in seconds
                since the epoch, is now unless given.
        """
        if not self._closed:
            self._pending += _line({"event": event, "time": time.time(), **fields})

    def flush(self) -> None:
        """Hand all events to the system; never raises. What it does not take is tried again at the next flush."""
        if self._closed:
            return
        try:
            self._open(0)
            while self._pending:
                # A line that was cut goes on where it was cut
                del self._pending[: os.write(self._descriptor, self._pending)]
        except OSError as error:
            self._trouble = error
        else:
            self._trouble = None

    @property
    def trouble(self) -> OSError | None:
        """Why the last flush did not get everything out; ``None`` if it did."""
        return self._trouble

    def close(self) -> None:
        """Flush for the last time and let go of the file; never raises. Later events are not written."""
        self.flush()
        self._let_go()

    def copy_to(self, directory: str) -> str:
        """Write the whole journal, with what its own disk did not take, somewhere else.

        Args:
            directory: an existing one, on a disk that has room.

        Returns:
            The path of the copy.

        Raises:
            OSError: it cannot be written there, or the first part cannot be read.
        """
        path = os.path.join(directory, JOURNAL_NAME)
        write_atomically(path, self._content())
        return path

    # --- the file

    def _open(self, wait_sec: float) -> None:
        """Have a file; ``BlockingIOError`` if another program has it."""
        if self._descriptor >= 0 and os.fstat(self._descriptor).st_nlink:
            return
        removed, resume = self._descriptor, self._resume and self._descriptor < 0
        # Read, too: what stands in it may be wanted elsewhere
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | (0 if resume else os.O_EXCL)
        descriptor = os.open(self.path, flags, 0o666)
        try:
            lock(descriptor, wait_sec)
        except BaseException:
            os.close(descriptor)
            raise
        if removed >= 0:
            # The name is gone, but not yet what stood there
            self._pending[:0] = b"".join(_blocks(removed))
            os.close(removed)
        elif resume and not _ends_a_line(descriptor):
            self._pending[:0] = b"\n"
        self._descriptor = descriptor

    def _let_go(self) -> None:
        self._closed = True
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _leave_to_parent(self) -> None:
        self._pending.clear()
        self._let_go()

    def _content(self) -> Iterator[str]:
        descriptor = self._descriptor
        if descriptor < 0 and os.path.exists(self.path):
            descriptor = os.open(self.path, os.O_RDONLY)
        try:
            for block in (*(_blocks(descriptor) if descriptor >= 0 else ()), bytes(self._pending)):
                yield block.decode("ascii", "backslashreplace")
        finally:
            if descriptor >= 0 and descriptor != self._descriptor:
                os.close(descriptor)


def is_written(path: str) -> bool:
    """Return whether a program that is alive has a journal; where the system cannot tell, ``False``.

    Args:
        path: of the journal.
    """
    try:
        descriptor = open_to_read(path)
    except OSError:
        return False
    try:
        # Held for an instant only: whoever wants to write waits longer than that
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def read_events(path: str) -> Iterator[tuple[dict[str, Any] | None, bool]]:
    """Yield every line of a journal: its event, ``None`` for what is none, and whether the line is complete.

    Args:
        path: of the journal; somebody may be writing it.

    Raises:
        OSError: it cannot be read.
    """
    with os.fdopen(open_to_read(path), "rb") as file:
        for line in file:
            yield _event_in(line), line.endswith(b"\n")


def _event_in(line: bytes) -> dict[str, Any] | None:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or not isinstance(fields.get("event"), str):
        return None
    return fields if type(fields.get("time")) in (int, float) else None


def _closer(reference: weakref.ref[Journal]) -> Callable[[], None]:
    def close() -> None:
        journal = reference()
        if journal is not None:
            journal._leave_to_parent()

    return close


def _line(fields: dict[str, Any]) -> bytes:
    try:
        # Nearly everything is JSON-ready as it is, and then this takes a tenth of the time
        text = strict_dumps(fields)
    except Exception:  # values are the user's, and so is some of the code that the encoder runs
        text = _line_of_anything(fields)
    return text.encode("ascii") + b"\n"


def _line_of_anything(fields: dict[str, Any]) -> str:
    try:
        return strict_dumps(jsonable(fields))
    except Exception as error:  # a number of ten thousand digits, or no memory
        spared = {name: value for name, value in fields.items() if type(value) in (str, float, bool)}
        return strict_dumps({**spared, "unwritable": type(error).__name__})


def _ends_a_line(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"


def _blocks(descriptor: int) -> Iterator[bytes]:
    position = 0
    while block := os.pread(descriptor, _READ_SIZE, position):
        position += len(block)
        yield block
