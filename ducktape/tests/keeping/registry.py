# SPDX-License-Identifier: Apache-2.0
"""The tests of this user whose nodes are kept: a file for each, which its holder writes and removes."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import stat
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ducktape.utils.process.proc import start_of
from ducktape.utils.support.files import read_start, write_atomically

LOG = "keeping"  # of a holder, in the directory of its test
RELEASED = "Released"  # its last line there if everything is clean
_LONGEST_LAST_LINE = 1000
_DIRECTORY = os.path.join("~", ".ducktape", "kept")
_MOST_OF_ENTRY = 4 * 1024 * 1024
_SECONDS_BETWEEN_LOOKS = 0.05


@dataclasses.dataclass(frozen=True)
class ClusterSource:
    """How the cluster of a run is made again, without secrets: the options that describe it, and where they hold."""

    name: str = ""  # as in --cluster
    provider: str = ""  # dotted name of the class
    cluster_file: str | None = None
    host_keys: str | None = None
    known_hosts: str | None = None
    results_root: str = ""
    directory: str = ""


@dataclasses.dataclass(frozen=True)
class KeptTest:
    """A test whose nodes are kept."""

    session_id: str
    results_dir: str  # of the session
    test_dir: str
    test_id: str
    test_index: int
    since: float  # Unix seconds
    until: float
    status: str
    reason: str  # first line of the summary
    source: ClusterSource
    nodes: list[dict[str, Any]]  # name and how it is reached
    pid: int = 0  # of the holder
    start: str = ""  # when that process started, since numbers of processes are used again
    machine: str = dataclasses.field(default_factory=lambda: os.uname().nodename)  # homes may be shared

    @property
    def name(self) -> str:
        """The name for commands: that of the session, and the number of the test in it."""
        return f"{self.session_id}/{self.test_index}"

    @property
    def path(self) -> str:
        return os.path.join(directory(), f"{self.session_id}-{self.test_index}-{self.pid}.json")

    @property
    def node_names(self) -> list[str]:
        return [str(node["name"]) for node in self.nodes]

    @property
    def is_alive(self) -> bool:
        """Whether its holder still exists."""
        return self.pid > 0 and start_of(self.pid) == self.start

    @property
    def is_clean(self) -> bool:
        """Whether its holder has ended after stopping, healing and cleaning everything."""
        with contextlib.suppress(OSError), open(os.path.join(self.test_dir, f"{LOG}.info"), "rb") as log:
            log.seek(max(0, os.path.getsize(log.fileno()) - _LONGEST_LAST_LINE))
            return log.read().endswith(f": {RELEASED}\n".encode())
        return False

    def write(self) -> None:
        """Write the file of this test."""
        write_atomically(self.path, json.dumps(dataclasses.asdict(self), indent=1) + "\n")
        os.chmod(self.path, 0o600)

    def remove(self) -> None:
        """Remove the file of this test."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> KeptTest:
        """Return the test that a file describes; raises ``TypeError`` or ``KeyError`` for another content."""
        known = {field.name for field in dataclasses.fields(cls)}
        fields = {name: value for name, value in content.items() if name in known}
        return cls(**{**fields, "source": ClusterSource(**content["source"])})


def directory() -> str:
    """Return the directory of the files."""
    return os.path.expanduser(_DIRECTORY)


def prepare() -> None:
    """Make the directory, which only its owner can open; raises ``OSError`` if it cannot be written."""
    path = directory()
    os.makedirs(path, mode=0o700, exist_ok=True)
    if stat.S_IMODE(os.stat(path).st_mode) & 0o077:
        os.chmod(path, 0o700)
    if not os.access(path, os.W_OK | os.X_OK):
        raise PermissionError(13, os.strerror(13), path)


def kept_tests() -> list[KeptTest]:
    """Return all tests that are kept on this machine, the oldest first, also those whose holders are dead."""
    found = []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for name in os.listdir(directory()):
            if not name.endswith(".json"):
                continue
            with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
                content = json.loads(read_start(os.path.join(directory(), name), _MOST_OF_ENTRY))
                found.append(KeptTest.from_json(content))
    found = [test for test in found if test.machine == os.uname().nodename]
    return sorted(found, key=lambda test: (test.since, test.test_index))


def release(tests: Iterable[KeptTest], wait_sec: float) -> list[KeptTest]:
    """Ask holders to end, and wait until they have; returns the tests whose holders still exist after some seconds.

    The files of those whose holders are dead are removed.
    """
    waiting = list(tests)
    for test in waiting:
        if test.is_alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(test.pid, signal.SIGTERM)
    deadline = time.monotonic() + wait_sec
    while True:
        for test in waiting:
            if not test.is_alive:
                test.remove()
        waiting = [test for test in waiting if test.is_alive]
        if not waiting or time.monotonic() >= deadline:
            return waiting
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def matching(text: str, tests: Sequence[KeptTest]) -> list[KeptTest]:
    """Return the tests that a text names: by number or id, with or without the session, or by a part of the id.

    An empty text, such as that of a shell's unset variable, names none.
    """
    exact = [
        test
        for test in tests
        if text in (str(test.test_index), test.test_id, test.name, f"{test.session_id}/{test.test_id}")
        or text in (test.test_dir, f"{test.results_dir}/{test.test_index}")
    ]
    if exact:
        return exact
    return [test for test in tests if (part := text.removeprefix(f"{test.session_id}/")) and part in test.test_id]
