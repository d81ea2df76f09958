# SPDX-License-Identifier: Apache-2.0
"""Leases of nodes: several runs on one machine share a cluster without ever holding the same node.

A lease is a locked file in a folder that the runs have in common. The lock belongs to the process of the run and ends
with it, however that happens; the content of the file only informs people about the holder.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import re
import stat
import time
import weakref
from typing import Any

from ducktape.cluster.node_container import InsufficientResourcesError, NodeContainer

_LONGEST_NAME = 60
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclasses.dataclass(frozen=True)
class Holder:
    """The run that holds a lease according to its file, which is written shortly after the lease is taken."""

    pid: int | None = None
    session: str | None = None
    kept_until: float | None = None  # Unix seconds

    def __str__(self) -> str:
        if self.pid is None:
            return "held by another run"
        if self.kept_until is not None:
            end = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.kept_until))
            return f"kept until {end} for people to look inside, session {self.session}, pid {self.pid}"
        return f"held by pid {self.pid}" + (f", session {self.session}" if self.session else "")


class NodesLeasedElsewhereError(InsufficientResourcesError):
    """There are enough nodes, but other runs hold some of them at the moment; nobody holds those in ``unleased``."""

    def __init__(self, holders: dict[str, Holder], unleased: NodeContainer[Any], *args: object) -> None:
        listed = "; ".join(f"{name} ({holder})" for name, holder in holders.items())
        super().__init__(*(args or (f"Nodes are leased by other runs: {listed}",)))
        self.holders = holders
        self.unleased = unleased

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.holders, self.unleased, *self.args)


class Leases:
    """The leases of one run in a folder that the runs share; copies in other processes hold none."""

    def __init__(self, folder: str) -> None:
        self.folder = os.path.abspath(os.path.expanduser(folder))
        self.session: str | None = None
        os.makedirs(self.folder, exist_ok=True)
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise PermissionError(f"the lease folder {self.folder} is not writable")
        self._start()

    def _start(self) -> None:
        self._files: dict[str, int] = {}
        # A lock of this kind is shared with forked processes: a test that outlives its killed run would keep it.
        reference = weakref.ref(self)

        def forget() -> None:
            leases = reference()
            if leases is not None:
                leases.abandon()

        os.register_at_fork(after_in_child=forget)

    def __getstate__(self) -> dict[str, object]:
        return {"folder": self.folder, "session": self.session}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._start()

    def acquire(self, node: str) -> bool:
        """Take the lease of a node and return whether that worked: nobody, this run included, had it; never waits."""
        if node in self._files:
            return False
        descriptor = self._open(self._path(node))
        with contextlib.ExitStack() as undo:
            undo.callback(os.close, descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            undo.pop_all()
        self._files[node] = descriptor
        self._write(descriptor, {"node": node, "pid": os.getpid(), "session": self.session})
        return True

    def release(self, node: str) -> None:
        """Release a lease; does nothing if this run does not hold it."""
        descriptor = self._files.pop(node, None)
        if descriptor is None:
            return
        try:
            self._write(descriptor, {})
        finally:
            # Unlocked explicitly: a program that a test started may still have the descriptor
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)

    def duplicate(self, node: str) -> int:
        """Return a further descriptor of a lease of this run: a process that inherits it holds the lease, too."""
        return os.dup(self._files[node])

    def hand_on(self, node: str, pid: int, until: float) -> None:
        """Show in the file of a lease that another process keeps the node until a time in Unix seconds."""
        content = {"node": node, "pid": pid, "session": self.session, "kept_until": until}
        self._write(self._files[node], content)

    def holder(self, node: str) -> Holder:
        """Return the holder of a node according to the file of its lease."""
        try:
            with open(self._path(node), encoding="utf-8") as file:
                content = json.load(file)
            until = content.get("kept_until")
            return Holder(int(content["pid"]), content["session"], None if until is None else float(until))
        except (OSError, ValueError, KeyError, TypeError):
            return Holder()

    def abandon(self) -> None:
        """Close all files without releasing the leases, which another process holds."""
        files, self._files = self._files, {}
        for descriptor in files.values():
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _path(self, node: str) -> str:
        digest = hashlib.sha256(node.encode("utf-8", "backslashreplace")).hexdigest()[:16]
        readable = _UNSAFE.sub("_", node)[-_LONGEST_NAME:]
        return os.path.join(self.folder, f"{readable}-{digest}.lease")

    def _open(self, path: str) -> int:
        with contextlib.suppress(FileNotFoundError):
            # Without O_CREAT: in a shared folder the system may refuse that for files of other users.
            return os.open(path, os.O_RDWR | os.O_CLOEXEC)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # Whoever may write to the folder may use its leases.
        allowed = stat.S_IMODE(os.stat(self.folder).st_mode) & 0o666
        with contextlib.suppress(PermissionError):  # another run made it in between and has done this itself
            os.fchmod(descriptor, 0o600 | allowed)
        return descriptor

    @staticmethod
    def _write(descriptor: int, content: dict[str, object]) -> None:
        # What others read is a courtesy: a full disk must neither lose nor keep a lease.
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(content).encode() + b"\n", 0)
