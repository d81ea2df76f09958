# SPDX-License-Identifier: Apache-2.0
"""Commands over an engine that passes on what it gets: with the real shell, and an engine that is a process."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from ducktape.cluster.container.exec_transport import STDERR, STDOUT, ExecTransport


class ProcessExec:
    """A process of this machine, with what an engine tells of it: never whether a signal ended it."""

    def __init__(self, arguments: list[str], pieces: int) -> None:
        self._process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._input = self._process.stdin
        self._pipes = {self._process.stdout.fileno(): STDOUT, self._process.stderr.fileno(): STDERR}
        self._pieces = pieces
        self._poll = select.epoll()
        for descriptor in self._pipes:
            os.set_blocking(descriptor, False)
            self._poll.register(descriptor, select.EPOLLIN)

    @property
    def group(self) -> int:
        return self._process.pid

    def fileno(self) -> int:
        return self._poll.fileno()

    def receive(self) -> list[tuple[int, bytes]] | None:
        if not self._pipes:
            return None
        found = []
        for descriptor, _ in self._poll.poll(0):
            data = os.read(descriptor, 1 << 16)
            if not data:
                self._poll.unregister(descriptor)
                del self._pipes[descriptor]
            else:
                # Engines cut output anywhere
                stream = self._pipes[descriptor]
                found += [(stream, data[at : at + self._pieces]) for at in range(0, len(data), self._pieces)]
        return found or ([] if self._pipes else None)

    def send(self, data: bytes) -> int:
        return os.write(self._input.fileno(), data)

    def end_input(self) -> None:
        self._input.close()

    def resize(self, columns: int, rows: int) -> None:
        raise AssertionError("it has no terminal")

    def exit_status(self, timeout: float | None) -> int:
        status = self._process.wait(timeout)
        return status if status >= 0 else 128 - status

    def close(self) -> None:
        # Engines go on reading what nobody wants
        self._poll.close()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()


class ProcessEngine(ExecTransport):
    def __init__(self, pieces: int) -> None:
        super().__init__("worker")
        self.started: list[ProcessExec] = []
        self._pieces = pieces

    def start(self, arguments: list[str], timeout: float | None, *, terminal: str | None = None) -> ProcessExec:
        self.started.append(ProcessExec(arguments, self._pieces))
        return self.started[-1]


@pytest.fixture(params=[1, 1 << 16])
def engine(request: pytest.FixtureRequest) -> Iterator[ProcessEngine]:
    made = ProcessEngine(request.param)
    yield made
    for each in made.started:
        each.kill()


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("exit 3", 3),
        ("exit 137", 137),
        ("kill -KILL $$", -1),
        ("kill -TERM $$", -1),
        ("kill -INT $$", -1),
        ("kill -PIPE $$", -1),
        ("sh -c 'kill -KILL $$'; exit 5", 5),
        ("sh -c 'kill -KILL $$'; exit $?", 137),
        ("echo Killed >&2; exit 143", 143),
        ("echo 'status 7' >&2; exit 0", 0),
        ("exec 2>&-; kill -KILL $$", -1),
    ],
)
def test_a_status_is_told_from_a_signal(engine: ProcessEngine, command: str, status: int) -> None:
    assert engine.run(command, timeout=20).exit_status == status


def test_the_marks_are_no_part_of_the_output(engine: ProcessEngine) -> None:
    done = engine.run("echo out; echo err >&2; kill -KILL $$", timeout=20)
    assert (done.stdout, done.stderr) == (b"out\n", b"err\n")
    done = engine.run("printf out; printf err >&2", merge_stderr=True, timeout=20)
    assert (sorted(done.stdout), done.stderr) == (sorted(b"outerr"), b"")


def test_a_command_that_was_read_ends_with_its_stream(engine: ProcessEngine) -> None:
    stream = engine.stream("echo first; exec sleep 600", timeout=20)
    assert stream.read()[:1] == b"f"
    group = engine.started[0].group
    stream.close()
    _until(lambda: not _members(group))


def test_a_command_ends_with_its_stream_although_its_error_output_is_late(engine: ProcessEngine) -> None:
    # Two streams of an engine have no common order
    stream = engine.stream("while echo x; do sleep 0.01; done", timeout=20)
    program = engine.started[0]
    withheld: list[tuple[int, bytes]] = []
    receive = program.receive

    def without_errors() -> list[tuple[int, bytes]] | None:
        found = receive() or []
        withheld.extend(each for each in found if each[0] == STDERR)
        return [each for each in found if each[0] == STDOUT]

    def with_errors() -> list[tuple[int, bytes]] | None:
        late = withheld[:]
        withheld.clear()
        found = receive()
        return None if found is None else [*late, *found]

    program.receive = without_errors  # type: ignore[method-assign]
    while not (stream.read() and withheld):
        pass
    program.receive = with_errors  # type: ignore[method-assign]
    stream.close()
    _until(lambda: not _members(program.group))


def test_a_command_that_was_never_read_goes_on(engine: ProcessEngine) -> None:
    stream = engine.stream("exec sleep 600", timeout=20)
    group = engine.started[0].group
    stream.close()
    assert len(engine.started) == 1, "nothing was started to end it"
    assert _members(group)


def test_a_timeout_ends_the_command(engine: ProcessEngine) -> None:
    with pytest.raises(TimeoutError, match=r"worker: no output for 0\.5 seconds: sleep 600"):
        engine.run("sleep 600", timeout=0.5)
    group = engine.started[0].group
    _until(lambda: not _members(group))


def _members(group: int) -> list[int]:
    """Return the living processes of a group."""
    listed = subprocess.run(["ps", "-e", "-o", "pid=,pgid=,stat="], capture_output=True, text=True, check=True).stdout
    found = [line.split() for line in listed.splitlines()]
    return [int(pid) for pid, pgid, state in found if int(pgid) == group and not state.startswith("Z")]


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
