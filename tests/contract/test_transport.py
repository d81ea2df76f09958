# SPDX-License-Identifier: Apache-2.0
"""What every transport has to do, whatever is behind it."""

from __future__ import annotations

import io
import os
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from ducktape.cluster.account.console import Console
from ducktape.cluster.transport import CommandStream, Files, Stdin, Transport, unwrap

ODD_TEXT = 'it\'s "quoted", a\nnewline, $HOME `true` \\ * und Grüße 日本'


def test_output_and_status_of_a_command(transport: Transport) -> None:
    done = transport.run("echo out; echo err >&2; exit 3")
    assert (done.stdout, done.stderr, done.exit_status) == (b"out\n", b"err\n", 3)


def test_merged_error_output_is_part_of_the_output(transport: Transport) -> None:
    done = transport.run("echo 1; echo 2 >&2; echo 3", merge_stderr=True)
    # Over SSH the two streams come through two pipes: each keeps its order, not both together.
    assert (sorted(done.stdout.split()), done.stderr) == ([b"1", b"2", b"3"], b"")


def test_death_by_a_signal_is_minus_one(transport: Transport) -> None:
    assert transport.run("kill -9 $$").exit_status == -1


def test_output_that_is_not_kept_is_empty(transport: Transport) -> None:
    done = transport.run("echo out", keep_stdout=False)
    assert (done.stdout, done.exit_status) == (b"", 0)


def test_a_command_with_odd_text_arrives_unchanged(transport: Transport) -> None:
    done = transport.run(f"cat <<'EOF'\n{ODD_TEXT}\nEOF")
    assert done.stdout.decode() == f"{ODD_TEXT}\n"


def test_pipes_and_several_lines_are_the_shells_business(transport: Transport) -> None:
    assert transport.run("cd /\npwd | tr / x && echo $((6 * 7))").stdout == b"x\n42\n"


def test_much_error_output_alone_does_not_block(transport: Transport) -> None:
    done = transport.run("head -c 5000000 /dev/zero | tr '\\0' e >&2; echo end")
    assert done.stdout == b"end\n"
    assert done.stderr.startswith(b"e" * 1000)
    assert done.stderr.endswith(b"e" * 1000)
    assert b"%d bytes left out" % (5_000_000 - 2 * 32 * 1024) in done.stderr


def test_much_on_both_streams_does_not_block(transport: Transport) -> None:
    done = transport.run("head -c 5000000 /dev/zero & head -c 5000000 /dev/zero >&2; wait")
    assert done.stdout == b"\0" * 5_000_000


def test_output_arrives_while_the_command_runs(transport: Transport) -> None:
    stream = transport.stream("echo first; read line; echo then", stdin=None, timeout=20)
    try:
        assert stream.read() == b"first\n"
    finally:
        stream.close()


def test_silence_raises_the_builtin_timeout_and_loses_nothing(transport: Transport, tmp_path: Path) -> None:
    go = tmp_path / "go"
    stream = transport.stream(f"printf half; while [ ! -e '{go}' ]; do sleep 0.01; done; echo -line", timeout=20)
    try:
        assert stream.read() == b"half"
        stream.settimeout(0.25)
        begin = time.monotonic()
        with pytest.raises(TimeoutError):
            stream.read()
        assert 0.24 <= time.monotonic() - begin < 2
        go.touch()
        stream.settimeout(20)
        assert (stream.read(), stream.read(), stream.exit_status()) == (b"-line\n", b"", 0)
    finally:
        stream.close()


def test_a_timeout_of_zero_takes_what_has_arrived(transport: Transport) -> None:
    stream = transport.stream("sleep 3", timeout=0.0 if unwrap(transport).is_local else 20)
    try:
        stream.settimeout(0)
        with pytest.raises(TimeoutError):
            stream.read()
    finally:
        stream.close()


def test_chatter_on_stderr_does_not_stretch_the_wait_for_stdout(transport: Transport) -> None:
    stream = transport.stream("for i in $(seq 200); do echo x >&2; sleep 0.05; done", timeout=20)
    try:
        stream.settimeout(0.3)
        begin = time.monotonic()
        with pytest.raises(TimeoutError):
            stream.read()
        assert time.monotonic() - begin < 2
    finally:
        stream.close()


def test_a_command_that_talks_on_stderr_is_not_silent(transport: Transport) -> None:
    done = transport.run("for i in 1 2 3 4 5 6; do echo x >&2; sleep 0.2; done", timeout=0.8)
    assert (done.stderr, done.exit_status) == (b"x\n" * 6, 0)


def test_an_endless_command_meets_its_timeout(transport: Transport) -> None:
    with pytest.raises(TimeoutError):
        transport.run("sleep 3", timeout=0.3)


def test_the_wait_for_the_status_meets_its_timeout(transport: Transport) -> None:
    stream = transport.stream("exec >&- 2>&-; sleep 3", timeout=0.5)
    try:
        with pytest.raises(TimeoutError):
            while stream.read():
                pass
            stream.exit_status()
    finally:
        stream.close()


def test_input_stays_open_and_silent(transport: Transport) -> None:
    with pytest.raises(TimeoutError):
        transport.run("cat", timeout=0.3)


@pytest.mark.parametrize(
    "given", ["text ü\n", b"bytes\xff", b"", b"x" * 3_000_000], ids=["text", "bytes", "nothing", "much"]
)
def test_given_input_is_sent_and_closed(transport: Transport, given: str | bytes) -> None:
    expected = given.encode() if isinstance(given, str) else given
    assert transport.run("cat", stdin=given, timeout=60).stdout == expected


def test_a_file_as_input(transport: Transport) -> None:
    assert transport.run("cat", stdin=io.BytesIO(b"y" * 700_000), timeout=60).stdout == b"y" * 700_000
    assert transport.run("cat", stdin=io.StringIO("grün"), timeout=60).stdout == "grün".encode()


def test_input_that_nobody_reads_is_no_error(transport: Transport) -> None:
    assert transport.run("exec <&-; echo done", stdin=b"x" * 3_000_000, timeout=60).stdout == b"done\n"


def test_a_background_command_returns_at_once_and_survives(transport: Transport, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    begin = time.monotonic()
    transport.run(f"(while [ ! -e '{tmp_path}/go' ]; do sleep 0.01; done; touch '{mark}') >/dev/null 2>&1 &")
    assert time.monotonic() - begin < 5
    transport.close()
    (tmp_path / "go").touch()
    _wait_for(mark.exists)


def test_a_closed_stream_does_not_end_the_command(transport: Transport, tmp_path: Path) -> None:
    transport.stream(f"while [ ! -e '{tmp_path}/go' ]; do sleep 0.01; done; touch '{tmp_path}/mark'").close()
    (tmp_path / "go").touch()
    _wait_for((tmp_path / "mark").exists)


def test_many_commands_at_once(transport: Transport) -> None:
    with ThreadPoolExecutor(64) as pool:
        results = list(pool.map(lambda number: transport.run(f"sleep 0.05; echo {number}").stdout, range(64)))
    assert results == [b"%d\n" % number for number in range(64)]


def test_a_use_after_close_starts_anew(transport: Transport) -> None:
    transport.run("true")
    transport.close()
    transport.close()
    assert transport.run("echo again").stdout == b"again\n"


def test_an_unused_copy_works(transport: Transport) -> None:
    transport.run("true")
    copy: Transport = pickle.loads(pickle.dumps(transport))
    try:
        assert copy.run("echo copy").stdout == b"copy\n"
        assert copy.is_local == transport.is_local
    finally:
        copy.close()


def test_commands_and_files_start_at_the_same_place(transport: Transport) -> None:
    assert transport.run("pwd -P").stdout.decode().strip() == transport.files.normalize(".")


def test_nothing_is_left_behind(transport: Transport) -> None:
    transport.run("true")
    transport.close()
    process = psutil.Process()
    earlier = {child.pid for child in process.children()}
    descriptors, threads = process.num_fds(), threading.active_count()
    for _ in range(3):
        transport.run("echo x >&2")
        abandoned = transport.stream("echo abandoned; sleep 0.01")
        del abandoned
        with pytest.raises(TimeoutError):
            transport.run("sleep 0.3", timeout=0.05)
        transport.files.lstat("/etc/passwd")

    def left() -> list[psutil.Process]:
        transport.close()
        return [child for child in process.children() if child.pid not in earlier]

    _wait_for(lambda: not left())
    assert (process.num_fds(), threading.active_count()) == (descriptors, threads)


def _wait_for(condition: object, seconds: float = 20) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_attributes_of_files(transport: Transport, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    os.symlink("file", tmp_path / "link")
    os.symlink("nowhere", tmp_path / "dangling")
    files = transport.files
    assert files.stat(str(tmp_path / "link")).st_size == 5
    assert (files.lstat(str(tmp_path / "link")).st_mode or 0) & 0o170000 == 0o120000
    with pytest.raises(FileNotFoundError):
        files.stat(str(tmp_path / "dangling"))
    assert {entry.filename for entry in files.listdir_attr(str(tmp_path))} == {"file", "link", "dangling"}
    assert files.normalize(str(tmp_path / "link")) == os.path.realpath(tmp_path / "file")


def test_a_directory_is_created_with_its_mode(transport: Transport, tmp_path: Path) -> None:
    transport.files.mkdir(str(tmp_path / "new"), 0o700)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    with pytest.raises(OSError):  # a server says no more than that
        transport.files.mkdir(str(tmp_path / "new"))
    with pytest.raises(FileNotFoundError):
        transport.files.mkdir(str(tmp_path / "absent" / "new"))


def test_reading_gives_bytes_in_every_mode(transport: Transport, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a\nb")
    for mode in ("r", "rb"):
        with transport.files.open(str(tmp_path / "file"), mode) as file:
            assert file.read() == b"a\nb"
    with transport.files.open(str(tmp_path / "file")) as file:
        assert list(file) == ["a\n", "b"]
    with transport.files.open(str(tmp_path / "file"), "rb") as file:
        assert (file.readline(), file.readline(), file.readline()) == (b"a\n", b"b", b"")


def test_writing_takes_text_and_bytes(transport: Transport, tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    with transport.files.open(path, "w") as file:
        file.write("ü")
        file.write(b"\xff")
    with transport.files.open(path, "a") as file:
        file.write("end")
    assert Path(path).read_bytes() == b"\xc3\xbc\xffend"
    with pytest.raises(FileNotFoundError):
        transport.files.open(str(tmp_path / "absent" / "file"), "w")


@pytest.mark.parametrize("size", [0, 1, 32 * 1024, 32 * 1024 + 1, 3_000_001])
def test_contents_of_every_size_arrive(transport: Transport, tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "source").write_bytes(content)
    transport.files.put(str(tmp_path / "source"), str(tmp_path / "there"))
    transport.files.get(str(tmp_path / "there"), str(tmp_path / "back"))
    assert (tmp_path / "there").read_bytes() == content
    assert (tmp_path / "back").read_bytes() == content


def test_a_file_without_a_size_is_read_to_its_end(transport: Transport, tmp_path: Path) -> None:
    # Many times: whoever opens it may end before it is read
    for _ in range(20):
        transport.files.get("/proc/self/status", str(tmp_path / "status"))
        assert (tmp_path / "status").read_text().startswith("Name:")
    with transport.files.open("/proc/thread-self/comm") as file:
        assert file.read().strip()


def test_files_from_several_threads(transport: Transport, tmp_path: Path) -> None:
    for number in range(8):
        (tmp_path / str(number)).write_bytes(b"x" * number * 50_000)

    def sizes(number: int) -> set[int | None]:
        transport.files.get(str(tmp_path / str(number)), str(tmp_path / f"{number}.copy"))
        return {transport.files.stat(str(tmp_path / str(number))).st_size for _ in range(20)}

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(sizes, range(8))) == [{number * 50_000} for number in range(8)]
    assert [(tmp_path / f"{number}.copy").stat().st_size for number in range(8)] == [n * 50_000 for n in range(8)]


# --- connected with the streams of this process


class _Plain(Transport):
    """A transport of others, which knows nothing of ``attach``."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner

    def stream(
        self, command: str, *, stdin: Stdin = None, merge_stderr: bool = False, timeout: float | None = None
    ) -> CommandStream:
        return self._inner.stream(command, stdin=stdin, merge_stderr=merge_stderr, timeout=timeout)

    @property
    def files(self) -> Files:
        return self._inner.files

    def close(self) -> None:
        self._inner.close()


def _attached(transport: Transport, folder: Path, command: str | None, given: bytes = b"") -> tuple[int, bytes, bytes]:
    (folder / "in").write_bytes(given)
    console = Console(wants_terminal=False)
    with open(folder / "in", "rb") as source, open(folder / "out", "wb") as out, open(folder / "err", "wb") as err:
        console.input, console.output, console.errors = source.fileno(), out.fileno(), err.fileno()
        status = transport.attach(command, console)
    return status, (folder / "out").read_bytes(), (folder / "err").read_bytes()


@pytest.mark.parametrize("plain", [False, True], ids=["own", "default"])
def test_an_attached_command_has_all_three_streams(transport: Transport, plain: bool, tmp_path: Path) -> None:
    given = b"0123456789\n" * 60_000
    attached = _Plain(transport) if plain else transport
    assert _attached(attached, tmp_path, "cat; echo err >&2; exit 3", given) == (3, given, b"err\n")
    assert _attached(attached, tmp_path, "exec >&- 2>&-; exit 5") == (5, b"", b"")


def test_an_attached_shell_reads_commands_unless_there_is_a_terminal(transport: Transport, tmp_path: Path) -> None:
    status, output, _ = _attached(transport, tmp_path, None, b"echo $((6 * 7))\nexit 4\n")
    assert (status, output.splitlines()[-1]) == (4, b"42")
    with pytest.raises(NotImplementedError, match="_Plain has no interactive shell: give a command"):
        _attached(_Plain(transport), tmp_path, None)
