# SPDX-License-Identifier: Apache-2.0
"""The limits of nodes: control groups of version 1 or 2, if this machine has them."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping

from ducktape.cluster.sandbox.cgroupfs import hold, read, remove_tree, unused, write
from ducktape.utils.process.proc import mounts, read_stat

PREFIX = "ducktape-sandbox-"
SUPERVISOR = "dt-supervisor"  # the name of the process that the rest of a group's name is the id of
_V1 = ("cpu", "memory", "pids", "freezer", "blkio")
_V2 = ("cpu", "memory", "pids", "io")
_PERIOD = 100_000  # microseconds


def mounted() -> Iterator[tuple[str, str, list[str]]]:
    """Yield mount point, root and controllers of each mounted hierarchy; version 2 has no controllers here."""
    for mount in mounts():
        if mount.kind in ("cgroup", "cgroup2"):
            yield mount.place, mount.root, mount.options if mount.kind == "cgroup" else []


def _below(place: str, root: str, path: str) -> str:
    relative = os.path.relpath(path, root)
    return place if relative == "." or relative.startswith("..") else os.path.join(place, relative)


def _groups_of(pid: int | str) -> dict[str, str]:
    """Return the groups of a process by controller; "" is version 2."""
    found: dict[str, str] = {}
    with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            found.update(dict.fromkeys(controllers.split(","), path))
    return found


def memory_kills(pid: int) -> int:
    """Return how many processes the kernel killed for lack of memory in the group of a process, and below that."""
    own = _groups_of(pid)
    texts: list[str] = []
    for place, root, options in mounted():
        if "memory" in options and "memory" in own:
            folders = os.walk(_below(place, root, own["memory"]))
            texts += [read(f"{folder}/memory.oom_control") for folder, _, _ in folders]
        elif not options and "" in own:
            texts.append(read(f"{_below(place, root, own[''])}/memory.events"))
    return sum(int(count) for text in texts for count in re.findall(r"^oom_kill (\d+)$", text, re.MULTILINE))


def parents() -> dict[str, str]:
    """Return the directory for new groups by controller."""
    own = _groups_of("self")
    found: dict[str, str] = {}
    for place, root, options in mounted():
        for name in options:
            if name in _V1 and name in own:
                found.setdefault(name, _below(place, root, own[name]))
        if not options and "" in own:
            for name, path in _version_2(place, _below(place, root, own[""])):
                found.setdefault(name, path)
    return {name: path for name, path in found.items() if os.access(path, os.W_OK)}


def _version_2(place: str, path: str) -> Iterator[tuple[str, str]]:
    """Yield the controllers of the nearest group that delegates any; a group with processes cannot."""
    while True:
        given = set(read(f"{path}/cgroup.subtree_control").split())
        if given & set(_V2) and os.access(path, os.W_OK):
            yield from ((name, path) for name in _V2 if name in given)
            return
        if path == place:
            return
        path = os.path.dirname(path)


class Groups:
    """The control groups of one sandbox's nodes: the available ``controllers``, and the ``problem`` with the others."""

    def __init__(self, mark: str) -> None:
        self.controllers: set[str] = set()
        self.problem = ""
        self._tops: dict[str, str] = {}
        self._held: dict[str, int] = {}
        try:
            candidates = parents()
        except OSError as error:
            candidates = {}
            self.problem = str(error)
        checked: dict[str, bool] = {}
        for name, parent in candidates.items():
            try:
                top = self._top(parent, mark)
                if os.path.exists(f"{top}/cgroup.subtree_control"):
                    write(f"{top}/cgroup.subtree_control", f"+{name}")
                if top not in checked:
                    checked[top] = _can_be_entered(f"{top}/probe")
            except OSError as error:
                self.problem = f"control group {name}: {error.strerror}"
                continue
            if not checked[top]:
                self.problem = f"processes may not be moved to {parent}"
                continue
            self._tops[name] = top
            self.controllers.add(name)
        if not candidates:
            self.problem = self.problem or "this machine offers no control groups"
        for top in set(self._held) - set(self._tops.values()):
            self._release(top)

    def _top(self, parent: str, mark: str) -> str:
        """Make a group that is locked as long as this process lives."""
        top = f"{parent}/{PREFIX}{mark}"
        if top in self._held:
            return top
        number = 1
        while (held := hold(top, make=True)) is None:
            # A sandbox in another container may have the same process id
            number += 1
            top = f"{parent}/{PREFIX}{mark}-{number}"
        self._held[top] = held
        return top

    def _release(self, top: str) -> None:
        remove_tree(top)
        os.close(self._held.pop(top))

    def add(self, node: str, *, cpu: float | None, memory: int | None, pids: int | None) -> dict[str, str]:
        """Make the groups of a node with its limits; returns their directories by controller."""
        paths = {name: f"{top}/{node}" for name, top in self._tops.items()}
        for path in set(paths.values()):
            os.mkdir(path)
        if cpu is not None and "cpu" in paths:
            self._limit_cpu(paths["cpu"], cpu)
        if memory is not None and "memory" in paths:
            self._limit_memory(paths["memory"], memory)
        if pids is not None and "pids" in paths:
            write(f"{paths['pids']}/pids.max", str(pids))
        return paths

    def _limit_cpu(self, path: str, cpu: float) -> None:
        quota = max(1000, int(cpu * _PERIOD))
        if os.path.exists(f"{path}/cpu.max"):
            write(f"{path}/cpu.max", f"{quota} {_PERIOD}")
            return
        write(f"{path}/cpu.cfs_period_us", str(_PERIOD))
        write(f"{path}/cpu.cfs_quota_us", str(quota))

    def _limit_memory(self, path: str, memory: int) -> None:
        if os.path.exists(f"{path}/memory.max"):
            write(f"{path}/memory.max", str(memory))
            with contextlib.suppress(OSError):
                write(f"{path}/memory.swap.max", "0")
            return
        write(f"{path}/memory.limit_in_bytes", str(memory))
        # Missing on machines that do not account swap
        with contextlib.suppress(OSError):
            write(f"{path}/memory.memsw.limit_in_bytes", str(memory))

    def remove(self, paths: dict[str, str]) -> None:
        for path in set(paths.values()):
            remove_tree(path)

    def close(self) -> None:
        for top in list(self._held):
            self._release(top)


def _can_be_entered(path: str) -> bool:
    """Whether a process can be moved into a new group; the owner of a group may not be allowed to."""
    os.mkdir(path)
    pid = os.fork()
    if not pid:
        code = 1
        try:
            enter({"": path})
            code = 0
        finally:
            os._exit(code)
    status = os.waitpid(pid, 0)[1]
    remove_tree(path)
    return status == 0


def enter(paths: Mapping[str, str]) -> None:
    for path in set(paths.values()):
        write(f"{path}/cgroup.procs", "0")


def is_supervisor(pid: str) -> bool:
    """Whether a process id belongs to a living supervisor."""
    # A dead one keeps its name until it is reaped
    stat = read_stat(pid) if pid.isdecimal() else None
    return stat is not None and stat.name == SUPERVISOR and not stat.is_dead


def leftovers() -> list[str]:
    """Return the unlocked groups of sandboxes in every hierarchy."""
    found = []
    for place, _, _ in mounted():
        for directory, names, _ in os.walk(place):
            for name in [name for name in names if name.startswith(PREFIX)]:
                names.remove(name)
                with unused(f"{directory}/{name}") as is_left:
                    found += [f"{directory}/{name}"] if is_left else []
    return found


def remove_leftovers() -> None:
    """Remove the unlocked groups of sandboxes next to new ones."""
    for parent in set(parents().values()):
        for name in os.listdir(parent):
            if name.startswith(PREFIX):
                remove_leftover(f"{parent}/{name}")


def remove_leftover(path: str) -> None:
    """Remove a group unless it is locked."""
    with unused(path) as is_left:
        if is_left:
            remove_tree(path)
