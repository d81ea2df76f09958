# SPDX-License-Identifier: Apache-2.0
"""Podman in namespaces of its own, where it meets nothing of this machine's containers and leaves nothing behind.

Run as a program it reads requests, a line of JSON each, and answers each with a line. It ends, and all that it made
with it, at the end of its input: that is when whoever started it asks for it, or dies.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import CommandFailed, run
from benchmarks.suites import write_with_containers

_TIMEOUT_SECONDS = 120.0
_GROUPS = Path("/sys/fs/cgroup")
_GROUP = "ducktape-bench-podman-"
# What Podman and its plugins write that no option sends elsewhere: which addresses are taken, and where layers are.
_STATE = (Path("/var/lib/cni"), Path("/var/lib/containers"))
# In memory, where the nodes of a sandbox have their files as well: faster than a disk, and gone with the namespace.
_BOX = Path("/run/ducktape-bench")
_IMAGE = "localhost/ducktape-bench"
_NETWORK = "bench"
_PROGRAMS = ("sleep", "true")
_SETTINGS = """[containers]
default_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "{runtime}"
tmp_dir = "{box}/tmp"
[network]
network_config_dir = "{box}/networks"
"""
_STORAGE = """[storage]
driver = "overlay"
graphroot = "{box}/root"
runroot = "{box}/run"
"""


def main(arguments: Sequence[str]) -> int:
    """Start what answers in its namespaces, or be that."""
    if arguments:
        return Box(arguments[0]).serve()
    return _hold()


def _hold() -> int:
    """Wait for the end of the namespaces, outside of them, and remove what they cannot hold."""
    group = f"{_GROUP}{os.getpid()}"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # They are covered inside, and for that they have to be there.
    missing = [place for place in _STATE if not place.exists()]
    for place in missing:
        place.mkdir(parents=True)
    _remove_groups(_GROUP)  # of runs whose own holder was killed; those in use refuse
    namespaces = ["unshare", "--mount", "--net", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc"]
    # The shell is the first process: it buries the orphans that Podman leaves to it.
    shell = ["sh", "-c", '"$@"; exit $?', "sh"]
    try:
        return subprocess.call([*namespaces, *shell, sys.executable, "-m", "benchmarks.podman_box", group])
    finally:
        for place in missing:
            with contextlib.suppress(OSError):
                place.rmdir()
        deadline = time.monotonic() + 5
        while not _remove_groups(group) and time.monotonic() < deadline:
            time.sleep(0.05)


def _remove_groups(name: str) -> bool:
    """Remove control groups whose names begin so and that are empty, and tell whether none is left."""
    roots = [*_GROUPS.glob(f"{name}*"), *_GROUPS.glob(f"*/{name}*")]
    for root in roots:
        for directory, _, _ in os.walk(root, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(directory)
    return not any(root.exists() for root in roots)


class Box:
    """The answers.

    Args:
        group: name of the control group that holds those of the containers.
    """

    def __init__(self, group: str) -> None:
        self._group = group

    def serve(self) -> int:
        """Answer until the input ends."""
        requests: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=_read, args=(requests,), daemon=True).start()
        while True:
            request = requests.get()
            try:
                answer = getattr(self, request.pop("do"))(**request)
            except (CommandFailed, OSError, subprocess.SubprocessError) as error:
                answer = {"error": " ".join(str(error).split())}
            print(json.dumps(answer), flush=True)

    def prepare(self) -> dict[str, Any]:
        """Make an image and a network, and find a runtime that works."""
        for place in (Path("/run"), Path("/dev/shm"), *_STATE):
            _checked(["mount", "-t", "tmpfs", "none", str(place)])
        for name in ("tmp", "networks"):
            (_BOX / name).mkdir(parents=True)
        (_BOX / "storage.conf").write_text(_STORAGE.format(box=_BOX))
        os.environ["CONTAINERS_STORAGE_CONF"] = str(_BOX / "storage.conf")
        os.environ["CONTAINERS_CONF"] = str(_BOX / "containers.conf")
        os.environ["TMPDIR"] = str(_BOX / "tmp")
        # Podman's own order; the first is faster, but does without some kernels.
        runtimes = [name for name in ("crun", "runc") if shutil.which(name)]
        if not runtimes:
            raise CommandFailed("neither crun nor runc is installed")
        _configure(runtimes[0])
        _checked(["podman", "import", str(_write_image(_BOX / "image.tar")), _IMAGE])
        _checked(["podman", "network", "create", "--internal", "--disable-dns", _NETWORK])
        return {"version": _checked(["podman", "--version"]).strip(), "runtime": self._working(runtimes)}

    def _working(self, runtimes: Sequence[str]) -> str:
        failures = []
        for runtime in runtimes:
            _configure(runtime)
            try:
                _checked(self._create("probe"))
                _checked(_execute("probe"))
                return runtime
            except CommandFailed as error:
                failures.append(f"{runtime}: {error}")
            finally:
                subprocess.run(_remove(["probe"]), capture_output=True, timeout=_TIMEOUT_SECONDS, check=False)
        raise CommandFailed("; ".join(failures))

    def nodes(self, count: int, commands: int) -> dict[str, Any]:
        """Make containers, run commands in the first of them, and remove them.

        Returns:
            Seconds for all of them, those of each command, and the memory in KiB of what stays of one: its own process
            and the one that watches over it.
        """
        names = [f"node{number}" for number in range(1, count + 1)]
        start = time.perf_counter()
        _side_by_side([self._create(name) for name in names])
        made = time.perf_counter() - start
        weight = _proportional_kib({"conmon", "sleep"}) / count
        durations = []
        for _ in range(commands):
            start = time.perf_counter()
            _checked(_execute(names[0]))
            durations.append(time.perf_counter() - start)
        start = time.perf_counter()
        _checked(_remove(names))
        return {"made": made, "commands": durations, "weight": weight, "destroyed": time.perf_counter() - start}

    def tests(self, program: str, count: int) -> dict[str, Any]:
        """Run tests that make three containers each, four tests at a time, and return the seconds of each."""
        commands = {"create": self._create("{name}"), "execute": _execute("{name}"), "remove": _remove([])}
        with tempfile.TemporaryDirectory(dir=_BOX) as name:
            file = write_with_containers(Path(name), count, **commands)
            command = [program, str(file), "--cluster", "localhost", "--max-parallel", "4"]
            return {"seconds": run(command, Path(name)).seconds / count}

    def _create(self, name: str) -> list[str]:
        group = ["--cgroup-parent", f"/{self._group}"]
        # Without a time to stop: the first process of a container ignores the signal that asks it to.
        options = ["--hostname", name, "--network", _NETWORK, "--stop-timeout", "0", "--pull", "never", *group]
        return ["podman", "run", "--detach", "--name", name, *options, _IMAGE, "sleep", "infinity"]


def _execute(name: str) -> list[str]:
    return ["podman", "exec", name, "true"]


def _remove(names: Sequence[str]) -> list[str]:
    return ["podman", "rm", "--force", *names]


def _read(requests: queue.Queue[dict[str, Any]]) -> None:
    for line in sys.stdin:
        requests.put(json.loads(line))
    # Whatever is under way: without the first process of the namespaces nothing of it stays.
    os._exit(0)


def _configure(runtime: str) -> None:
    limits = {"files": resource.RLIMIT_NOFILE, "processes": resource.RLIMIT_NPROC}
    settings = {name: _at_most(20_000, resource.getrlimit(limit)[1]) for name, limit in limits.items()}
    (_BOX / "containers.conf").write_text(_SETTINGS.format(runtime=runtime, box=_BOX, **settings))


def _at_most(number: int, limit: int) -> int:
    return number if limit == resource.RLIM_INFINITY else min(number, limit)


def _write_image(path: Path) -> Path:
    """Write the smallest root file system that does the work: two programs of this machine and their libraries."""
    with tarfile.open(path, "w") as image:
        for name in _PROGRAMS:
            program = shutil.which(name)
            if program is None:
                raise CommandFailed(f"there is no program {name} for the image")
            image.add(os.path.realpath(program), f"bin/{name}")
            # A program without libraries lets it fail, and says nothing that looks like a path.
            output = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
            libraries = {found.lstrip("/") for found in re.findall(r"(?:=>|^)\s+(/\S+)", output, re.MULTILINE)}
            for library in sorted(libraries - set(image.getnames())):
                image.add(os.path.realpath(f"/{library}"), library)
    return path


def _proportional_kib(names: Collection[str]) -> float:
    """What the processes of these names take of the memory, shared pages in equal parts."""
    total = 0.0
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has just ended
            if (directory / "comm").read_text().strip() in names:
                lines = (directory / "smaps_rollup").read_text().splitlines()
                total += sum(float(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


def _checked(command: Sequence[str]) -> str:
    completed = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    if completed.returncode != 0:
        lines = completed.stderr.strip().splitlines() or [f"ended with {completed.returncode}"]
        raise CommandFailed(f"{' '.join(command[:2])}: {lines[-1].removeprefix('Error: ')}")
    return completed.stdout


def _side_by_side(commands: Sequence[Sequence[str]]) -> None:
    """Run commands all at once, as it is faster than one after the other."""
    failures: list[Exception] = []

    def attempt(command: Sequence[str]) -> None:
        try:
            _checked(command)
        except (CommandFailed, OSError, subprocess.SubprocessError) as error:
            failures.append(error)

    threads = [threading.Thread(target=attempt, args=(command,)) for command in commands]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise CommandFailed(str(failures[0]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
