# SPDX-License-Identifier: Apache-2.0
"""Make the record of what the published program collects from the corpus.

    python -m tests.compatibility.peer.record [interpreter that has the published program]

Without an interpreter an environment is made under `.bench/` first. The record is `expected.json` beside this file.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

from tests.compatibility.peer.invocations import INVOCATIONS, Invocation, staged

PEER_VERSION = "0.17.0"
HERE = Path(__file__).resolve().parent
EXPECTED = HERE / "expected.json"
CHECKOUT = HERE.parent.parent.parent
ROOT = "<corpus>"
SESSION = "<session>"

Record = dict[str, Any]
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_SESSION_ID = re.compile(r"\d{4}-\d\d-\d\d--\d{3,}")


@dataclass(frozen=True)
class Program:
    """One `ducktape`: the interpreter that has it, and the PYTHONPATH that makes it importable there."""

    python: str
    python_path: str = ""


class Forks:
    """A process that has imported a `ducktape` and forks for each invocation, which costs much less than a start."""

    def __init__(self, program: Program, home: Path) -> None:
        home.mkdir(exist_ok=True)
        self._said = home / "stderr"
        self._process = subprocess.Popen(
            [program.python, str(HERE / "listing.py"), "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(home, program.python_path, {}),
            text=True,
        )

    def run(self, output: Path, mode: str, arguments: Iterable[str], folder: Path, environment: dict[str, str]) -> str:
        """Run one invocation and return what it said on standard error."""
        request = {"output": str(output), "mode": mode, "arguments": list(arguments), "folder": str(folder)}
        assert self._process.stdin is not None and self._process.stdout is not None
        print(
            json.dumps({**request, "environment": environment, "stderr": str(self._said)}),
            file=self._process.stdin,
            flush=True,
        )
        if self._process.stdout.readline() != "done\n":
            raise RuntimeError(f"the process that forks has ended with {self._process.wait()}")
        return self._said.read_text(encoding="utf-8")

    def close(self) -> None:
        """End it."""
        self._process.communicate()


def _normalised(value: Any, corpus: Path) -> Any:
    if isinstance(value, str):
        value = value.replace(str(corpus), ROOT)
        return _ADDRESS.sub(" at <address>", _SESSION_ID.sub(SESSION, value))
    if isinstance(value, list):
        return [_normalised(item, corpus) for item in value]
    if isinstance(value, dict):
        return {key: _normalised(item, corpus) for key, item in value.items()}
    return value


def _environment(home: Path, python_path: str, extra: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "TMPDIR", "SYSTEMROOT")}
    kept.setdefault("LANG", "C.UTF-8")
    return {
        **kept,
        "HOME": str(home),
        "PYTHONUTF8": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        **({"PYTHONPATH": python_path} if python_path else {}),
        **extra,
    }


def collected(
    program: Program,
    invocation: Invocation,
    view: Path,
    *,
    arguments: Iterable[str] = (),
    seed: str = "",
    forks: Forks | None = None,
) -> Record:
    """Run one invocation and return what was seen, with paths and session ids replaced by words.

    Args:
        program: whom to ask.
        invocation: the command line.
        view: a staged copy of the corpus that nobody else uses meanwhile (config and session number live in it).
        arguments: further arguments at the end.
        seed: value of PYTHONHASHSEED, which decides the order of sets.
        forks: who runs it; a new interpreter if missing.

    Returns:
        `exit_code`, `error` (type of an exception that escaped), `failure` (the line that says so), `tests`, `stderr`.
    """
    output = view.parent / f"{view.name}.json"
    output.unlink(missing_ok=True)
    home = view.parent / "home"
    home.mkdir(exist_ok=True)
    own = [argument.replace("{corpus}", str(view)) for argument in invocation.arguments]
    mode = "script" if invocation.as_script else "module"
    extra = {**invocation.environment, **({"PYTHONHASHSEED": seed} if seed else {})}
    environment = _environment(home, program.python_path, extra)
    own += ["--collect-only", *arguments]
    if forks is not None:
        stderr = forks.run(output, mode, own, view, environment)
    else:
        stderr = subprocess.run(
            [program.python, str(HERE / "listing.py"), str(output), mode, *own],
            cwd=view,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        ).stderr
    if not output.exists():
        raise RuntimeError(f"{own} wrote no listing:\n{stderr}")
    seen = _normalised(json.loads(output.read_text(encoding="utf-8")), view)
    # What the command line prints and what the loader returned are two ways to the same list.
    if seen["exit_code"] == 0 and seen["listed"] != [test["text"] for test in seen["tests"]]:
        raise RuntimeError(f"{own}: the listing on the console differs from the loaded tests")
    tests = [_row(test, invocation.detail) for test in seen["tests"]]
    return {
        "exit_code": seen["exit_code"],
        "error": seen["error"],
        "failure": seen["failure"],
        "tests": tests if seen["exit_code"] == 0 else [],
        "stderr": _normalised(stderr, view),
    }


def _row(test: Mapping[str, Any], detail: str) -> list[Any]:
    if detail == "ids":
        return [test["id"]]
    row = [test["id"], test["text"], test["nodes"]]
    if detail == "tests":
        return row
    return row + [test["directory"].replace(f"{ROOT}/results/{SESSION}/", ""), test["description"]]


def _as_text(record: Mapping[str, Any]) -> str:
    """JSON with one line per test, so that a change of the record can be read."""
    head = {key: value for key, value in record.items() if key != "invocations"}
    lines = [json.dumps(head)[:-1] + ', "invocations": {']
    for number, (name, seen) in enumerate(record["invocations"].items()):
        rest = {key: value for key, value in seen.items() if key != "tests"}
        tests = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in seen["tests"])
        comma = "," if number else ""
        lines.append(f'{comma}{json.dumps(name)}: {json.dumps(rest)[:-1]}, "tests": [\n{tests}]}}')
    return "\n".join(lines) + "\n}}\n"


def collected_from_all(
    program: Program, scratch: Path, invocations: Mapping[str, Invocation], *, forking: bool = False, **how: Any
) -> dict[str, Record]:
    """Run all invocations, two at a time, each in a copy of the corpus that it has for itself meanwhile.

    Args:
        program: whom to ask.
        scratch: an empty directory.
        invocations: the command lines.
        forking: whether to import the program once rather than for every invocation.
        **how: see `collected`.
    """
    views: Queue[tuple[Path, Forks | None]] = Queue()
    workers = 2
    with ExitStack() as stack:
        for number in range(workers):
            forks = Forks(program, scratch / f"home{number}") if forking else None
            if forks is not None:
                stack.callback(forks.close)
            views.put((staged(scratch / f"corpus{number}"), forks))

        def run(invocation: Invocation) -> Record:
            view, forks = views.get()
            try:
                return collected(program, invocation, view, forks=forks, **how)
            finally:
                views.put((view, forks))

        with ThreadPoolExecutor(workers) as pool:
            return dict(zip(invocations, pool.map(run, invocations.values()), strict=True))


def make_environment(folder: Path) -> str:
    """Install the published program into an environment of its own and return its interpreter."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run(["python3.11", "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", f"ducktape=={PEER_VERSION}"], check=True)
    return str(python)


def peer_version(python: str) -> str:
    """The version of `ducktape` that an interpreter has."""
    asked = [python, "-c", "import ducktape; print(ducktape.__version__)"]
    return subprocess.run(asked, cwd="/", capture_output=True, text=True, check=True).stdout.strip()


def the_record(python: str) -> dict[str, Any]:
    """Ask the published program everything, and return the record as it stands in the file."""
    with tempfile.TemporaryDirectory() as scratch:
        # The published program goes through its symbols in the order of a set; with one seed that is one order.
        seen = collected_from_all(Program(python), Path(scratch).resolve(), INVOCATIONS, seed="0")
    for one in seen.values():
        del one["stderr"]
    return {"version": peer_version(python), "python": "3.11", "invocations": seen}


def main(arguments: list[str]) -> None:
    python = arguments[0] if arguments else make_environment(CHECKOUT / ".bench" / f"peer-{PEER_VERSION}")
    EXPECTED.write_text(_as_text(the_record(python)), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
