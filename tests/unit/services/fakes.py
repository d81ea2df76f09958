# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for what surrounds a service: accounts without a machine, a context without a test, a log in memory."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.finite_subcluster import FiniteSubcluster
from ducktape.cluster.localhost import LocalhostCluster
from ducktape.services.service import Service
from ducktape.services.service_registry import ServiceRegistry


class MemoryLog(logging.Handler):
    """Keeps log lines as ``LEVEL text``."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.logger = logging.Logger("memory", logging.DEBUG)
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname} {record.getMessage()}")

    def of_level(self, level: str) -> list[str]:
        return [line.removeprefix(f"{level} ") for line in self.lines if line.startswith(f"{level} ")]


class FakeAccount:
    """A machine that is a dictionary of files and a list of commands.

    Attributes:
        commands: what was run, in order.
        files: path to content; ``copy_from`` finds these.
        failing: texts; a command or a copied path that contains one of them raises.
        outputs: command to what ``ssh_output`` answers.
    """

    operating_system = "linux"

    def __init__(self, hostname: str, node_type: str | None = None) -> None:
        self.hostname = hostname
        self.node_type = node_type
        self._logger: logging.Logger | None = None
        self.commands: list[str] = []
        self.files: dict[str, str] = {}
        self.failing: list[str] = []
        self.outputs: dict[str, bytes] = {}

    def __str__(self) -> str:
        return f"user@{self.hostname}"

    @property
    def logger(self) -> logging.Logger | None:
        return self._logger

    @logger.setter
    def logger(self, logger: logging.Logger | None) -> None:
        self._logger = logger

    def _run(self, cmd: str) -> None:
        self.commands.append(cmd)
        if any(text in cmd for text in self.failing):
            raise RuntimeError(f"cannot do {cmd}")

    def ssh(self, cmd: str, allow_fail: bool = False) -> int:
        self._run(cmd)
        return 0

    def ssh_capture(self, cmd: str, allow_fail: bool = False, callback: Callable[[str], Any] = str) -> Iterator[Any]:
        self._run(cmd)
        return iter([callback("line\n")])

    def ssh_output(self, cmd: str, allow_fail: bool = False, combine_stderr: bool = True) -> bytes:
        self._run(cmd)
        return self.outputs.get(cmd, b"")

    def copy_from(self, src: str, dest: str) -> None:
        if any(text in src for text in self.failing):
            raise OSError(f"cannot read {src}")
        if src in self.files:
            with open(os.path.join(dest, os.path.basename(src)), "w", encoding="utf-8") as file:
                file.write(self.files[src])


class FakeContext:
    """What a service needs of a test.

    Args:
        num_nodes: size of the cluster; its accounts are called ``host0`` and so on.
        services: a registry of its own by default.
        **options: attributes of the session context.
    """

    def __init__(self, num_nodes: int = 3, services: Any = None, **options: Any) -> None:
        self.accounts = [FakeAccount(f"host{i}") for i in range(num_nodes)]
        self.cluster = FiniteSubcluster([ClusterNode(account) for account in self.accounts])
        self.log = MemoryLog()
        self.logger = self.log.logger
        self.services = ServiceRegistry() if services is None else services
        self.session_context = SimpleNamespace(**options)


class RecordingService(Service):
    """Writes down which hook was called for which node, and fails where it is told to.

    Attributes:
        calls: ``(hook, hostname, keywords)``.
        failures: ``(hook, hostname)`` to what is raised there.
    """

    def __init__(self, context: Any, num_nodes: int | None = None, **kwargs: Any) -> None:
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.failures: dict[tuple[str, str], BaseException] = {}
        super().__init__(context, num_nodes, **kwargs)

    def _record(self, hook: str, node: Any, kwargs: dict[str, Any]) -> None:
        hostname = node.account.hostname
        self.calls.append((hook, hostname, kwargs))
        if (hook, hostname) in self.failures:
            raise self.failures[hook, hostname]

    def start_node(self, node: Any, **kwargs: Any) -> None:
        self._record("start", node, kwargs)

    def stop_node(self, node: Any, **kwargs: Any) -> None:
        self._record("stop", node, kwargs)

    def clean_node(self, node: Any, **kwargs: Any) -> None:
        self._record("clean", node, kwargs)

    @property
    def called(self) -> list[str]:
        """The calls without their keywords, as ``hook hostname``."""
        return [f"{hook} {hostname}" for hook, hostname, _ in self.calls]


class LocalContext(FakeContext):
    """A context whose nodes are this machine."""

    def __init__(self, work_root: Path) -> None:
        super().__init__(0)
        self.cluster: Any = LocalhostCluster()
        self.globals = {"work_root": str(work_root)}
