# SPDX-License-Identifier: Apache-2.0
"""One run of one command: how long it took, and how much memory its own process held at most."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

# The peak in /proc only grows, so what is missed between two looks is what the process adds in its last moments.
_POLL_SECONDS = 0.02
_TIMEOUT_SECONDS = 1800.0


@dataclasses.dataclass(frozen=True)
class Sample:
    """What one run of a command cost.

    Attributes:
        seconds: from start to end.
        peak_mib: largest resident memory of the command's process, its children not counted; 0 if it was too short.
        seconds_at_end: from the result of the last test to the end, for a run that wrote a journal; else 0.
    """

    seconds: float
    peak_mib: float
    seconds_at_end: float = 0


class CommandFailed(Exception):
    """A command did not end as it should have."""


def run(command: Sequence[str], directory: Path) -> Sample:
    """Run a command to its end in ``directory`` and measure it.

    Raises:
        CommandFailed: it ended with another status than 0, or took too long.
    """
    log = directory / "output.txt"
    with log.open("wb") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment(),
        )
        peak_kib = _watch(process, deadline=start + _TIMEOUT_SECONDS)
        seconds = time.perf_counter() - start
    if process.returncode != 0:
        tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise CommandFailed(f"{' '.join(command)} ended with {process.returncode}:\n{tail}")
    return Sample(seconds=seconds, peak_mib=peak_kib / 1024, seconds_at_end=_seconds_at_end(directory, time.time()))


def _seconds_at_end(directory: Path, end: float) -> float:
    """Return how long ago the last test of a run had its result."""
    last = 0.0
    for path in directory.glob("results/*/journal.jsonl"):
        with path.open(encoding="ascii") as journal:
            for line in journal:
                if line.startswith('{"event": "finished"'):
                    last = max(last, json.loads(line)["time"])
    return end - last if last else 0.0


def environment() -> dict[str, str]:
    """Return the caller's environment without what would make one program import the other."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTHON") and key != "VIRTUAL_ENV"}


def _watch(process: subprocess.Popen[bytes], *, deadline: float) -> int:
    """Wait for the end of a process and return the last peak in KiB that it showed."""
    peak = 0
    while True:
        peak = max(peak, _peak_kib(process.pid))
        try:
            process.wait(timeout=_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            if time.perf_counter() < deadline:
                continue
            process.kill()
            process.wait()
        return peak


def _peak_kib(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0
