# SPDX-License-Identifier: Apache-2.0
"""The yardstick of the sandbox: the same work by means of Podman's containers, where Podman can be used."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.environments import ROOT
from benchmarks.measure import environment

_BOX = (sys.executable, "-m", "benchmarks.podman_box")
_SECONDS_TO_END = 30.0


class PodmanFailed(Exception):
    """Podman cannot be measured, for the reason that this says in one line."""


def why_not() -> str:
    """Why nothing can be measured here, as far as one can see without trying; empty if it can."""
    if shutil.which("podman") is None:
        return "it is not installed (on Debian: apt-get install podman)"
    if os.geteuid() != 0:
        return "the namespaces that it is measured in need root"
    if shutil.which("unshare") is None:
        return "the namespaces that it is measured in need unshare (on Debian: apt-get install util-linux)"
    return ""


class Podman:
    """Containers in namespaces of their own; they and all that belongs to them end with this process, however it ends.

    Args:
        command: the program that makes them.
    """

    def __init__(self, command: Sequence[str] = _BOX) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `close`
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment(),
            text=True,
            # An interrupt from the keyboard is for this process, which has an end to put to the other.
            start_new_session=True,
        )

    def prepare(self) -> str:
        """Make what is needed, containers for a trial included, and return what Podman this is."""
        answer = self._ask("prepare")
        return f"{answer['version']} with {answer['runtime']}"

    def nodes(self, count: int, commands: int) -> dict[str, Any]:
        """Make containers, run commands in one of them, and remove them.

        Returns:
            ``made`` and ``destroyed``: seconds for all; ``commands``: seconds of each; ``weight``: KiB of one.
        """
        return self._ask("nodes", count=count, commands=commands)

    def tests(self, program: Path, count: int) -> float:
        """Return the seconds of a test with three containers, of so many tests, four at a time."""
        seconds: float = self._ask("tests", program=str(program), count=count)["seconds"]
        return seconds

    def close(self) -> None:
        """End all of it; returns when it is gone."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(_SECONDS_TO_END)
        finally:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()
            self._errors.close()

    def _ask(self, what: str, **details: Any) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"do": what, **details}) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise PodmanFailed(self._last_words()) from None
        line = self._process.stdout.readline()
        if not line:
            raise PodmanFailed(self._last_words())
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise PodmanFailed(answer["error"])
        return answer

    def _last_words(self) -> str:
        code = self._process.wait(_SECONDS_TO_END)
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"what makes its containers ended with {code}"


@contextlib.contextmanager
def beside(command: Sequence[str] = _BOX) -> Iterator[Podman | None]:
    """Podman ready for use, or ``None`` where it cannot be used, which is said in a line.

    Args:
        command: see :class:`Podman`.
    """
    missing = why_not()
    if missing:
        say(missing)
        yield None
        return
    with contextlib.closing(Podman(command)) as podman:
        try:
            print(f"beside {podman.prepare()}", file=sys.stderr, flush=True)
        except PodmanFailed as error:
            say(str(error))
            yield None
            return
        yield podman


def say(reason: str) -> None:
    """Tell why the columns of Podman stay empty."""
    print(f"bench: the sandbox is not compared with Podman: {reason}", file=sys.stderr, flush=True)
