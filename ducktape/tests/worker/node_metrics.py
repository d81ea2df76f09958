# SPDX-License-Identifier: Apache-2.0
"""Records what the nodes of a test do while it runs: one command per node, read by a thread each."""

from __future__ import annotations

import contextlib
import copy
import json
import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import IO

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.local.transport import LocalTransport
from ducktape.cluster.sandbox.transport import SandboxTransport
from ducktape.cluster.ssh.transport import SshTransport
from ducktape.cluster.transport import CommandStream, LineSplitter, Transport, framework_commands, unwrap
from ducktape.metrics import NODE_METRICS_FILE
from ducktape.tests.worker.ending import Log
from ducktape.tests.worker.node_samples import SampleParser, sampling_command
from ducktape.utils.support.files import without_waiting
from ducktape.utils.support.guard import tolerated
from ducktape.utils.support.text import short_text

_MOST_BYTES = 64 << 20
_START_SEC = 30.0
_SECONDS_BETWEEN_LOOKS = 0.25
_SECONDS_BETWEEN_CONNECTIONS = 5.0
_SECONDS_TO_END = 5.0


class NodeMetrics:
    """Samples nodes for the length of a block, in ``node-metrics.jsonl`` of a directory.

    Nothing that goes wrong here reaches the test. A node that cannot be reached, because of a fault or because it
    restarts, is tried again.
    """

    def __init__(self, nodes: Iterable[ClusterNode], directory: str, log: Log) -> None:
        self._nodes = nodes
        self._directory = directory
        self._log = log
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._file: IO[bytes] | None = None
        self._size = 0
        # By node and metric: the largest value, the sum and the number of values
        self._totals: dict[str, dict[str, tuple[float, float, int]]] = {}

    def summary(self) -> dict[str, object]:
        """Return the largest and the mean value of each metric of each node, JSON-ready."""
        with self._lock:
            return {
                node: {
                    name: {"max": high, "mean": round(total / count, 3)} for name, (high, total, count) in of.items()
                }
                for node, of in self._totals.items()
            }

    def __enter__(self) -> NodeMetrics:
        for node in self._nodes:
            if node.operating_system == "linux":
                thread = threading.Thread(
                    target=self._sample, args=(node.name, node), name=f"metrics of {node.name}", daemon=True
                )
                self._threads.append(thread)
                thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        deadline = time.monotonic() + 2 * _SECONDS_TO_END
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        with self._lock:
            if self._file is not None:
                self._file.close()
            self._size = _MOST_BYTES  # a thread that hangs writes no more

    def _sample(self, name: str, node: ClusterNode) -> None:
        complaints: list[BaseException] = []
        while not self._is_over.is_set():
            with tolerated(complaints.append), framework_commands(), _own_transport(node) as transport:
                self._read(name, transport)
            if len(complaints) == 1:
                self._log(logging.DEBUG, f"The metrics of {name} cannot be read: {short_text(complaints[0])}")
            self._is_over.wait(_SECONDS_BETWEEN_CONNECTIONS)

    def _read(self, name: str, transport: Transport) -> None:
        """Read samples until the command or the test ends."""
        is_namespace = isinstance(transport, SandboxTransport)
        parser, lines = SampleParser(is_namespace=is_namespace), LineSplitter()
        stream = transport.stream(sampling_command(is_namespace=is_namespace), timeout=_START_SEC)
        try:
            stream.settimeout(_SECONDS_BETWEEN_LOOKS)
            while not self._is_over.is_set():
                try:
                    piece = stream.read()
                except TimeoutError:
                    continue
                if not piece:
                    return
                now = time.time()
                for line in lines.feed(piece):
                    values = parser.feed(line, now)
                    if values is not None:
                        self._write({"time": round(now, 3), "node": name, **values})
                        self._add(name, values)
            _end(transport, stream, parser.pid)
        finally:
            stream.close()

    def _add(self, node: str, values: dict[str, float]) -> None:
        with self._lock:
            totals = self._totals.setdefault(node, {})
            for name, value in values.items():
                high, total, count = totals.get(name, (value, 0.0, 0))
                totals[name] = (max(high, value), total + value, count + 1)

    def _write(self, values: dict[str, object]) -> None:
        line = json.dumps(values).encode("ascii") + b"\n"
        with self._lock:
            if self._size + len(line) > _MOST_BYTES:
                if self._size < _MOST_BYTES:
                    self._log(logging.WARNING, f"{NODE_METRICS_FILE} is full ({_MOST_BYTES >> 20} MiB)")
                self._size = _MOST_BYTES
                return
            if self._file is None:
                os.makedirs(self._directory, exist_ok=True)
                path = os.path.join(self._directory, NODE_METRICS_FILE)
                self._file = open(path, "ab", buffering=0, opener=without_waiting)  # noqa: SIM115  # until the end
            self._size += self._file.write(line)


@contextlib.contextmanager
def _own_transport(node: ClusterNode) -> Iterator[Transport]:
    """Yield a transport beside that of the test, which may close its own or use all of its sessions."""
    transport = unwrap(node.account.transport)
    if not isinstance(transport, (LocalTransport, SandboxTransport, SshTransport)):
        yield transport  # one of users: nobody knows what a copy shares with it
        return
    own = copy.copy(transport)
    try:
        yield own
    finally:
        own.close()


def _end(transport: Transport, stream: CommandStream, pid: int | None) -> None:
    """End the command, and wait for that: where the node is this machine, the test would be blamed for it."""
    if pid is None:
        return
    transport.run(f"kill {pid}", timeout=_SECONDS_TO_END)
    stream.settimeout(_SECONDS_TO_END)
    while stream.read():
        pass
    stream.exit_status()
