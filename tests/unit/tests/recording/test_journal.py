# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import fcntl
import json
import math
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ducktape.tests.recording.journal import Journal, SessionBusyError, is_written, read_events
from tests.support.program import CHECKOUT


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def numbers(path: Path) -> list[int]:
    return [event["n"] for event in lines(path)]


def trouble(journal: Journal) -> OSError | None:
    return journal.trouble


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A directory on a disk of its own that has room for 16 KiB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a disk")
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", str(place)], check=False)
    if mounted.returncode != 0:
        pytest.skip("this machine does not let root mount a disk")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_every_event_is_one_line_of_ascii_text(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    journal.write("started", test_id="täst\nid \udc80", time=3.5)
    journal.flush()
    assert (tmp_path / "journal.jsonl").read_bytes() == (
        b'{"event": "started", "time": 3.5, "test_id": "t\\u00e4st\\nid \\ufffd"}\n'
    )


def test_an_event_has_the_time_at_which_it_was_written(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    before = time.time()
    journal.write("a")
    journal.close()
    assert before <= lines(tmp_path / "journal.jsonl")[0]["time"] <= time.time()


def test_events_stay_in_memory_until_they_are_flushed(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    journal.write("a", n=1)
    assert lines(tmp_path / "journal.jsonl") == []
    journal.flush()
    journal.write("a", n=2)
    assert numbers(tmp_path / "journal.jsonl") == [1]
    journal.close()
    assert numbers(tmp_path / "journal.jsonl") == [1, 2]


class Odd:
    def to_json(self) -> Any:
        return {"odd": {1, 2}}


class Hostile(dict[Any, Any]):
    def items(self) -> Any:
        raise ZeroDivisionError


ENDLESS: list[Any] = []
ENDLESS.append(ENDLESS)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ((1, [2.5, None]), [1, [2.5, None]]),
        (Odd(), {"odd": [1, 2]}),
        ({(1, 2): b"x"}, {"(1, 2)": "b'x'"}),
        (ENDLESS, ["<list that contains itself>"]),
        (Hostile(a=1), str({"a": 1})),
        (math.inf, None),
    ],
)
def test_any_value_is_written_somehow(value: Any, written: Any, tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    journal.write("a", value=value)
    journal.write("b", n=1)
    journal.close()
    assert [event.get("value") for event in lines(tmp_path / "journal.jsonl")] == [written, None]


def test_a_number_that_cannot_be_spelled_is_written_in_hexadecimal(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    journal.write("a", time=1.0, test_id="t", value=10**5000)
    journal.close()
    [event] = lines(tmp_path / "journal.jsonl")
    assert event == {"event": "a", "time": 1.0, "test_id": "t", "value": hex(10**5000)}


def test_there_is_one_journal_for_a_session(tmp_path: Path) -> None:
    Journal(str(tmp_path)).close()
    with pytest.raises(SessionBusyError, match=r"journal\.jsonl exists already: .* --resume"):
        Journal(str(tmp_path))


def test_two_programs_never_write_one_session(tmp_path: Path) -> None:
    first = Journal(str(tmp_path))
    start = time.monotonic()
    with pytest.raises(SessionBusyError, match=r"is being written by another run\. Wait for its end"):
        Journal(str(tmp_path), resume=True, wait_sec=0.2)
    assert 0.2 <= time.monotonic() - start < 5
    first.close()
    Journal(str(tmp_path), resume=True, wait_sec=0).close()


def test_a_driver_that_is_about_to_end_is_waited_for(tmp_path: Path) -> None:
    first = Journal(str(tmp_path))
    first.write("a", n=1)
    timer = threading.Timer(0.3, first.close)
    timer.start()
    second = Journal(str(tmp_path), resume=True, wait_sec=30)
    timer.join()
    second.write("a", n=2)
    second.close()
    assert numbers(tmp_path / "journal.jsonl") == [1, 2]


def test_one_can_see_whether_a_driver_is_alive(tmp_path: Path) -> None:
    path = str(tmp_path / "journal.jsonl")
    assert not is_written(path)
    journal = Journal(str(tmp_path))
    assert is_written(path)
    journal.close()
    assert not is_written(path)


def test_a_forked_child_neither_writes_nor_holds_the_journal(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    journal.write("a", n=1)
    ready, say_ready = os.pipe()
    over, say_over = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            journal.write("a", n=2)
            journal.flush()
            os.close(say_over)
            os.write(say_ready, b".")
            os.read(over, 1)
        finally:
            os._exit(0)
    os.read(ready, 1)
    journal.close()
    # The child is alive
    Journal(str(tmp_path), resume=True, wait_sec=0).close()
    for descriptor in (ready, say_ready, over, say_over):
        os.close(descriptor)
    os.waitpid(child, 0)
    assert numbers(tmp_path / "journal.jsonl") == [1]


def test_a_line_that_was_cut_off_is_ended_before_the_session_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"event": "a", "time": 1}\n{"event": "b", "ti')
    journal = Journal(str(tmp_path), resume=True)
    journal.write("c", time=2)
    journal.close()
    assert path.read_bytes().split(b"\n") == [
        b'{"event": "a", "time": 1}',
        b'{"event": "b", "ti',
        b'{"event": "c", "time": 2}',
        b"",
    ]
    before = path.read_bytes()
    Journal(str(tmp_path), resume=True).close()
    assert path.read_bytes() == before


def test_every_line_tells_its_event_or_that_it_is_none(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    good = b'{"event": "a", "time": 1}'
    path.write_bytes(
        b"\n".join([good, b"[]", b'{"event": 1, "time": 1}', b'{"event": "a"}', b"\xff", b"[" * 100_000, b"", good])
    )
    event = {"event": "a", "time": 1}
    assert list(read_events(str(path))) == [(event, True), *[(None, True)] * 6, (event, False)]


# --- disks that take nothing


def test_a_full_disk_loses_and_tears_nothing(small_disk: Path) -> None:
    journal = Journal(str(small_disk))
    troubles = []
    for n in range(400):
        journal.write("a", n=n, text="x" * 70)
        journal.flush()
        troubles.append(journal.trouble)
    assert troubles[0] is None
    assert troubles[-1] is not None and troubles[-1].errno == errno.ENOSPC
    size = (small_disk / "journal.jsonl").stat().st_size
    assert 8_000 < size <= 16_384
    subprocess.run(["mount", "-o", "remount,size=1m", str(small_disk)], check=True)
    journal.write("a", n=400)
    journal.flush()
    assert journal.trouble is None
    journal.close()
    assert numbers(small_disk / "journal.jsonl") == list(range(401))


def test_what_a_full_disk_does_not_take_can_be_had_elsewhere(small_disk: Path, tmp_path: Path) -> None:
    journal = Journal(str(small_disk))
    for n in range(400):
        journal.write("a", n=n, text="x" * 70)
    journal.flush()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    journal.write("a", n=400)
    assert journal.copy_to(str(elsewhere)) == str(elsewhere / "journal.jsonl")
    assert numbers(elsewhere / "journal.jsonl") == list(range(401))
    journal.close()
    assert journal.trouble is not None
    again = tmp_path / "again"
    again.mkdir()
    journal.copy_to(str(again))
    assert numbers(again / "journal.jsonl") == list(range(401))


def test_a_limit_for_files_cuts_no_line(tmp_path: Path) -> None:
    script = f"""
        import resource, sys
        from ducktape.tests.recording.journal import Journal

        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        journal = Journal({str(tmp_path)!r})
        for n in range(100):
            journal.write("a", n=n)
            journal.flush()
        print(type(journal.trouble).__name__, journal.trouble.errno)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        journal.close()
        print(journal.trouble)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=CHECKOUT, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout.splitlines(), done.stderr) == ([f"OSError {errno.EFBIG}", "None"], "")
    assert numbers(tmp_path / "journal.jsonl") == list(range(100))


def test_a_directory_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "later"))
    journal.write("a", n=1)
    journal.flush()
    assert isinstance(trouble(journal), FileNotFoundError)
    (tmp_path / "later").mkdir()
    journal.write("a", n=2)
    journal.flush()
    assert trouble(journal) is None
    assert numbers(tmp_path / "later" / "journal.jsonl") == [1, 2]
    assert is_written(str(tmp_path / "later" / "journal.jsonl"))


def test_a_directory_that_is_removed_and_made_again_gets_the_whole_journal(tmp_path: Path) -> None:
    place = tmp_path / "session"
    place.mkdir()
    journal = Journal(str(place))
    journal.write("a", n=1)
    journal.flush()
    (place / "journal.jsonl").unlink()
    place.rmdir()
    journal.write("a", n=2)
    journal.flush()
    assert isinstance(trouble(journal), FileNotFoundError)
    journal.copy_to(str(tmp_path))
    assert numbers(tmp_path / "journal.jsonl") == [1, 2]
    place.mkdir()
    journal.write("a", n=3)
    journal.close()
    assert trouble(journal) is None
    assert numbers(place / "journal.jsonl") == [1, 2, 3]


def test_a_journal_follows_its_directory(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    journal = Journal(str(tmp_path / "one"))
    journal.write("a", n=1)
    journal.flush()
    (tmp_path / "one").rename(tmp_path / "other")
    journal.write("a", n=2)
    journal.close()
    assert numbers(tmp_path / "other" / "journal.jsonl") == [1, 2]


def test_a_journal_that_is_closed_takes_no_more(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    journal.write("a", n=1)
    journal.close()
    journal.write("a", n=2)
    journal.flush()
    journal.close()
    assert numbers(tmp_path / "journal.jsonl") == [1]


def test_a_disk_without_locks_has_a_journal_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    journal = Journal(str(tmp_path))
    journal.write("a", n=1)
    journal.close()
    assert (numbers(tmp_path / "journal.jsonl"), journal.trouble) == ([1], None)
    assert not is_written(str(tmp_path / "journal.jsonl"))


def test_an_event_costs_little(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    start = time.process_time()
    for n in range(2000):
        journal.write("phase", test_index=n, attempt=1, phase="setup", since=1795360460.5)
        journal.flush()
    assert (time.process_time() - start) / 2000 < 200e-6  # a few on an idle machine
