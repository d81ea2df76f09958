# SPDX-License-Identifier: Apache-2.0
"""The real program, run over small suites in a temporary directory."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

LOCALHOST = ("--cluster", "ducktape.cluster.localhost.LocalhostCluster")
CHECKOUT = Path(__file__).resolve().parent.parent.parent
_LONGEST_RUN_SEC = 120


def write(path: Path, text: str) -> Path:
    """Write an indented text block to a file, parents included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
    return path


def suite(folder: Path, text: str, name: str = "test_it") -> str:
    """Write one test file into a package ``suite`` and return the package's path."""
    write(folder / "suite" / "__init__.py", "")
    write(folder / "suite" / f"{name}.py", text)
    return "suite"


def environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a run: no configuration of the user who runs the tests, this checkout importable."""
    return {
        **os.environ,
        "HOME": str(home),
        "PYTHONPATH": str(CHECKOUT),
        "PYTHONDONTWRITEBYTECODE": "1",
        **(extra or {}),
    }


class Program:
    """A run of the program whose output can be waited for while it goes on."""

    def __init__(self, folder: Path, *arguments: str, extra: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.start_method = ""
        # The marker finds every descendant again, wherever it ended up
        self._marker = f"marker-{os.getpid()}-{time.monotonic_ns()}"
        self.process = self._start(
            [sys.executable, "-u", "-m", "ducktape", *arguments],
            environment(folder, {**(extra or {}), "DUCKTAPE_E2E_MARKER": self._marker}),
        )
        self.output = ""
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _start(self, command: list[str], variables: dict[str, str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="backslashreplace",
        )

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.output += line
                self._news.notify_all()

    def wait_for(self, text: str, *, times: int = 1) -> None:
        """Block until the output contains a text so many times."""
        with self._news:
            found = self._news.wait_for(lambda: self.output.count(text) >= times, timeout=_LONGEST_RUN_SEC)
        assert found, f"{text!r} did not appear in:\n{self.output}"

    def signal(self, sig: signal.Signals) -> None:
        """Send a signal to the driver alone."""
        self.process.send_signal(sig)

    def wait(self, timeout: float = _LONGEST_RUN_SEC) -> int:
        """Block until the driver has ended and return its exit code."""
        code = self.process.wait(timeout)
        self._reader.join(timeout)
        return code

    def survivors(self) -> list[str]:
        """Return the processes that the run has left."""
        described = []
        for process in self._descendants():
            with contextlib.suppress(psutil.Error):  # dead by now
                described.append(f"{process.pid} {process.cmdline()}")
        return described

    def _descendants(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.status() == psutil.STATUS_ZOMBIE:
                    continue
                if process.environ().get("DUCKTAPE_E2E_MARKER") == self._marker:
                    found.append(process)
        return found

    def kill_everything(self) -> None:
        """End the run and all that it started, for the sake of the tests after this one."""
        for process in self._descendants():
            with contextlib.suppress(psutil.Error):
                process.kill()
        self.process.kill()
        self.process.wait()

    @property
    def report(self) -> dict[str, Any]:
        """The ``report.json`` of the latest session."""
        path = self.folder / "results" / "latest" / "report.json"
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return content

    def result(self, function_name: str) -> dict[str, Any]:
        """The result of the one test whose method has this name."""
        [found] = [result for result in self.report["results"] if result["function_name"] == function_name]
        assert isinstance(found, dict)
        return found

    @property
    def statuses(self) -> dict[str, str]:
        """Status of every test, by the part of its id after the class."""
        prefix = "{0[module_name]}.{0[cls_name]}."
        return {
            result["test_id"].removeprefix(prefix.format(result)): result["test_status"]
            for result in self.report["results"]
        }


@contextlib.contextmanager
def started(folder: Path, *arguments: str, extra: Mapping[str, str] | None = None) -> Iterator[Program]:
    """Start the program with a local cluster; whatever happens, nothing of it outlives the block."""
    program = Program(folder, *arguments, *LOCALHOST, extra=extra)
    try:
        yield program
    finally:
        program.kill_everything()


@contextlib.contextmanager
def finished(folder: Path, *arguments: str, extra: Mapping[str, str] | None = None) -> Iterator[Program]:
    """Run the program with a local cluster to its end."""
    with started(folder, *arguments, extra=extra) as program:
        program.wait()
        yield program
