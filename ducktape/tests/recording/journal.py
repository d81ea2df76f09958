# SPDX-License-Identifier: Apache-2.0
"""The journal of a session: every event in a line of its own, so that the death of the driver loses nothing."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
import weakref
from collections.abc import Collection, Iterator
from typing import TypedDict, cast

from ducktape.errors import DucktapeError
from ducktape.json_serializable import jsonable, strict_dumps
from ducktape.utils.support.files import lock, open_to_read, write_atomically
from ducktape.utils.support.guard import UserCodeError

JOURNAL_NAME = "journal.jsonl"
# Of the format. A reader understands every version with the same major number; new events and new fields of old events
# do not change it.
JOURNAL_VERSION = 1

_READ_SIZE = 1 << 20


class _NamedEvent(TypedDict):
    event: str
    time: float


class Event(_NamedEvent, total=False):
    """One line of a journal. Only name and time are sure: the rest is as ducktape writes it in lines that are sound."""

    # session, resumed
    version: object
    session_id: str
    versions: dict[str, str]
    argv: list[str]
    directory: str
    first_of_search_path: str
    configuration: dict[str, object]
    secrets_left_out: list[str]
    session_context: dict[str, object]
    expected: int
    cluster_num_nodes: int
    # queued, not_run; the other fields are those of NotRun
    position: int
    test_id: str
    # started, process, finished
    test_index: int
    pid: int
    process: str
    status: dict[str, object]
    result: dict[str, object]
    # node_put_aside, node_back
    name: str
    reason: str
    put_aside_at: float
    back_at: float
    # session_end
    start_time: float
    stop_time: float


class SessionBusyError(DucktapeError):
    """Another program is writing the journal of the session."""


class Journal:
    """Writes the events of a session, and keeps those in memory that it cannot write; closed in forked children.

    Raises:
        SessionBusyError: another program has the journal, or there is one and it is not to be resumed. After any other
            error events are kept in memory, and each :meth:`flush` tries again.
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
                f"{self.path} exists already: another session is written there. Give --resume to continue it"
            ) from error
        except BlockingIOError as error:
            raise SessionBusyError(
                f"{results_dir} is being written by another run. Wait for its end, or end it, before you resume it"
            ) from error
        except OSError as error:
            self._trouble = error
        reference = weakref.ref(self)

        def close_without_flush() -> None:
            if (journal := reference()) is not None:
                journal._pending.clear()
                journal._close()

        # A lock outlives its holder in every process that inherited the descriptor
        os.register_at_fork(after_in_child=close_without_flush)

    def write(self, event: str, **fields: object) -> None:
        """Add an event, which happens now unless it has a ``time``, to the next :meth:`flush`; never raises."""
        if not self._closed:
            self._pending += _line({"event": event, "time": time.time(), **fields})

    def flush(self) -> None:
        """Hand all events to the system; never raises. What fails is tried again at the next flush."""
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
        """Why the last flush failed; ``None`` if it did not."""
        return self._trouble

    def close(self) -> None:
        """Flush for the last time and close the file; never raises. Later events are not written."""
        self.flush()
        self._close()

    def copy_to(self, directory: str) -> str:
        """Write the whole journal, with the events in memory, to another directory and return the path of the copy."""
        path = os.path.join(directory, JOURNAL_NAME)
        write_atomically(path, self._content())
        return path

    # --- the file

    def _open(self, wait_sec: float) -> None:
        """Open and lock the file, also if somebody has removed it; ``BlockingIOError`` if another program has it."""
        if self._descriptor >= 0 and os.fstat(self._descriptor).st_nlink:
            return
        removed, resume = self._descriptor, self._resume and self._descriptor < 0
        # Readable, too: its content may have to be copied
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | (0 if resume else os.O_EXCL)
        descriptor = os.open(self.path, flags, 0o666)
        with contextlib.ExitStack() as undo:
            undo.callback(os.close, descriptor)
            lock(descriptor, wait_sec)
            undo.pop_all()
        if removed >= 0:
            # The name is gone, but not yet the content
            self._pending[:0] = b"".join(_blocks(removed))
            os.close(removed)
        elif resume and (size := os.fstat(descriptor).st_size) and os.pread(descriptor, 1, size - 1) != b"\n":
            self._pending[:0] = b"\n"
        self._descriptor = descriptor

    def _close(self) -> None:
        self._closed = True
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

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
    """Return whether a living program has a journal open; ``False`` where the system cannot say."""
    try:
        descriptor = open_to_read(path)
    except OSError:
        return False
    try:
        # Held for an instant only: a writer waits longer than that
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def read_events(path: str, names: Collection[str] = ()) -> Iterator[tuple[Event | None, bool]]:
    """Yield every line of a journal, which may still be written: its event, if valid, and whether it is complete.

    With the names of some events the lines of others, often much longer, are passed over without being read.
    """
    beginnings = tuple(f'{{"event": "{name}"'.encode("ascii") for name in names)
    with os.fdopen(open_to_read(path), "rb") as file:
        for line in file:
            if beginnings and not line.startswith(beginnings):
                continue
            event: Event | None = None
            with contextlib.suppress(ValueError, RecursionError):
                fields = json.loads(line)
                if isinstance(fields, dict) and isinstance(fields.get("event"), str):
                    event = cast(Event, fields) if type(fields.get("time")) in (int, float) else None
            yield event, line.endswith(b"\n")


def _line(fields: dict[str, object]) -> bytes:
    """Return the line of an event; the values are the user's, and so is some of the code that the encoder runs."""
    try:
        # Nearly everything is JSON-ready as it is, and then this takes a tenth of the time
        text = strict_dumps(fields)
    except UserCodeError:
        try:
            text = strict_dumps(jsonable(fields))
        except UserCodeError as error:  # a number of ten thousand digits, or no memory
            spared = {name: value for name, value in fields.items() if type(value) in (str, float, bool)}
            text = strict_dumps({**spared, "unwritable": type(error).__name__})
    return text.encode("ascii") + b"\n"


def _blocks(descriptor: int) -> Iterator[bytes]:
    position = 0
    while block := os.pread(descriptor, _READ_SIZE, position):
        position += len(block)
        yield block
