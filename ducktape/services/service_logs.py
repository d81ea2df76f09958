# SPDX-License-Identifier: Apache-2.0
"""Bringing the logs of a service from its nodes to the results directory."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable
from typing import Any

from ducktape.cluster.transport import framework_commands
from ducktape.jvm_logging import logs_of

Wanted = Callable[[str], bool]
Compress = Callable[[Any, Any, list[str]], list[str]]

_WILDCARD = re.compile(r"[*?\[]")


def compress_command(path: str) -> str:
    """Return the shell command that replaces a log by ``<log>.tgz``, and does nothing where there is no log.

    Args:
        path: file or directory on a node; the shell expands it, as users rely on variables in it.
    """
    return (
        f'cd "$(dirname {path})" && f="$(basename {path})" && '
        f'if [ -e "$f" ]; then tar czf "$f.tgz" "$f"; fi && rm -rf {path}'
    )


def _compressed(path: str) -> str:
    return f"{path.rstrip('/')}.tgz"


def compress_logs(node: Any, service: Any, paths: list[str]) -> list[str]:
    """Compress logs where they are; blocks until all are done.

    Args:
        node: the node that holds them.
        service: the service that wrote them; what fails is logged to its logger.
        paths: files and directories on the node.

    Returns:
        The paths of the compressed files; what could not be compressed is left out.
    """
    compressed = []
    for path in paths:
        try:
            with framework_commands():
                node.account.ssh(compress_command(path))
        except Exception as error:
            service.logger.warning("Error compressing log %s: service %s: %s", path, service, error)
            continue
        compressed.append(_compressed(path))
    return compressed


def collect_service_logs(
    service: Any, destination: str, *, wanted: Wanted, compress: Compress | None, logger: Any
) -> None:
    """Copy the logs of one service from all its nodes; what fails is logged and costs its own log alone.

    Args:
        service: has ``logs`` and ``nodes``; without either there is nothing to do.
        destination: local directory of the service; each node gets a directory of its name in it.
        wanted: says of the name of a log whether it is collected.
        compress: called as ``compress(node, service, paths)`` before copying, returns the paths to copy instead;
            ``None`` leaves the logs as they are.
        logger: is told what happens.
    """
    try:
        logs = logs_of(service)
    except Exception as error:  # a property of the subclass
        logger.warning("Error asking for the logs of service %s: %s", service, error)
        return
    if not logs:
        logger.debug("Won't collect service logs from %s - no logs to collect.", service.service_id)
        return
    collection = _Collection(service, destination, logs, wanted, compress, logger)
    for node in list(service.nodes):
        try:
            collection.collect_from(node)
        except Exception as error:  # one bad node must not cost the logs of the others
            logger.warning("Error collecting logs from %s: service %s: %s", node.account.hostname, service, error)


@dataclasses.dataclass(frozen=True)
class _Collection:
    """What is collected from every node of one service."""

    service: Any
    destination: str
    logs: dict[str, Any]
    wanted: Wanted
    compress: Compress | None
    logger: Any

    def collect_from(self, node: Any) -> None:
        """Do all there is to do for one node."""
        names = self._paths_on(node)
        self.logger.debug("Preparing to copy logs from %s: %s", node.account.hostname, list(names))
        paths = list(names)
        if self.compress is not None and paths:
            self.logger.debug("Compressing logs...")
            paths = self.compress(node, self.service, paths)
            names = names | {_compressed(path): name for path, name in names.items()}
        if not paths:
            return
        target = os.path.join(self.destination, node.account.hostname)
        os.makedirs(target, exist_ok=True)
        self.logger.debug("Copying logs...")
        for path in paths:
            self._copy(node, names.get(path, path), path, target)

    def _paths_on(self, node: Any) -> dict[str, str]:
        """Return the paths to collect from a node, each with the name of its log."""
        names: dict[str, str] = {}
        for name, log in self.logs.items():
            try:
                if self._is_wanted(name, log):
                    names.update(dict.fromkeys(_expanded(node, log["path"]), name))
            except Exception as error:
                self.logger.warning(
                    "Error preparing to collect log %s from %s on %s. service %s: %s",
                    name,
                    log,
                    node.account.hostname,
                    self.service,
                    error,
                )
        return names

    def _is_wanted(self, name: str, log: dict[str, Any]) -> bool:
        try:
            return self.wanted(name)
        except KeyError:
            # Not every log says whether it is collected by default, and not every log stands in service.logs
            return bool(log.get("collect_default", False))

    def _copy(self, node: Any, name: str, path: str, target: str) -> None:
        try:
            with framework_commands():
                node.account.copy_from(path, target)
        except Exception as error:
            self.logger.warning(
                "Error copying log %s from %s to %s. service %s: %s",
                name,
                self.logs.get(name, path),
                target,
                self.service,
                error,
            )


def _expanded(node: Any, path: str) -> list[str]:
    """Return the existing files that a path with wildcards stands for, or the path itself if it has none."""
    if not _WILDCARD.search(path):
        return [path]
    command = f'for f in {path}; do if [ -e "$f" ]; then printf "%s\\n" "$f"; fi; done'
    with framework_commands():
        output: bytes = node.account.ssh_output(command, combine_stderr=False)
    return output.decode(errors="surrogateescape").splitlines()
