# SPDX-License-Identifier: Apache-2.0
"""A distant server: a forwarder on a loopback port that holds everything back for half a round trip, each way.

``python -m tests.support.delay PORT MILLISECONDS`` forwards to that port of this machine, in a process of its own,
prints the port that it listens on, and ends with its input.
"""

from __future__ import annotations

import contextlib
import heapq
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

_PIECE = 256 * 1024
_CHECKOUT = Path(__file__).resolve().parent.parent.parent


class Forwarder:
    """Forwards connections in one thread.

    Args:
        port: of the server, on this machine.
        round_trip_sec: by which a question and its answer are held back together.
    """

    def __init__(self, port: int, round_trip_sec: float) -> None:
        self._target = port
        self._delay = round_trip_sec / 2
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._other: dict[socket.socket, socket.socket] = {}
        self._late: list[tuple[float, int, socket.socket, bytes]] = []
        self._count = 0

    def serve(self, stop: threading.Event) -> None:
        """Forward until told to stop."""
        while not stop.is_set():
            wait = 0.05 if not self._late else min(0.05, max(0.0, self._late[0][0] - time.monotonic()))
            for key, _ in self._selector.select(wait):
                sock = key.fileobj
                assert isinstance(sock, socket.socket)
                if sock is self._listener:
                    self._accept()
                else:
                    self._take(sock)
            self._deliver()
        for sock in list(self._other):
            sock.close()
        self._listener.close()
        self._selector.close()

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        far = socket.create_connection(("127.0.0.1", self._target))
        for sock, other in ((near, far), (far, near)):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._other[sock] = other
            self._selector.register(sock, selectors.EVENT_READ)

    def _take(self, sock: socket.socket) -> None:
        try:
            data = sock.recv(_PIECE)
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(sock)
        self._count += 1
        heapq.heappush(self._late, (time.monotonic() + self._delay, self._count, self._other[sock], data))

    def _deliver(self) -> None:
        while self._late and self._late[0][0] <= time.monotonic():
            _, _, sock, data = heapq.heappop(self._late)
            with contextlib.suppress(OSError):
                if data:
                    sock.sendall(data)
                else:
                    sock.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def distant(port: int, round_trip_sec: float) -> Iterator[int]:
    """A port that leads to another, far away. A process of its own does it, whose work costs ours no time.

    Args:
        port: of the server, on this machine.
        round_trip_sec: by which a question and its answer are held back together.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.delay", str(port), str(round_trip_sec * 1000)],
        cwd=_CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


def main() -> None:
    """Forward until the input ends."""
    forwarder = Forwarder(int(sys.argv[1]), float(sys.argv[2]) / 1000)
    stop = threading.Event()
    thread = threading.Thread(target=forwarder.serve, args=(stop,))
    thread.start()
    print(forwarder.port, flush=True)  # noqa: T201  # the answer that the caller waits for
    sys.stdin.read()
    stop.set()
    thread.join()


if __name__ == "__main__":
    main()
