# SPDX-License-Identifier: Apache-2.0
"""Compresses logs on their node."""

from __future__ import annotations

import contextlib
import posixpath
import shlex
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.copy.tar_commands import named
from ducktape.cluster.transport import framework_commands
from ducktape.services.support.protocols import ServiceWithNodes
from ducktape.utils.support.guard import tolerated
from ducktape.utils.support.text import class_and_text, reason_of


@dataclass
class _Notes:
    """Shared between the collection and the compression, which may be a test's own method."""

    found: set[str]  # paths listed by a node, which the shell must not expand
    failures: dict[str, str] = field(default_factory=dict)  # paths that could not be compressed, with the reasons


_notes: ContextVar[_Notes | None] = ContextVar("ducktape_logs_compressed", default=None)


@contextlib.contextmanager
def failures_noted(found: set[str]) -> Iterator[dict[str, str]]:
    """Collect the paths that could not be compressed, with the reasons; ``found`` are paths not to be expanded."""
    notes = _Notes(found)
    token = _notes.set(notes)
    try:
        yield notes.failures
    finally:
        _notes.reset(token)


def compress_command(path: str) -> str:
    """Return the command that replaces a log by ``<log>.tgz`` if it exists; the shell expands variables in the path."""
    return (
        f'cd "$(dirname {path})" && f="$(basename {path})" && '
        f'if [ -e "$f" ]; then tar czf "$f.tgz" "$f"; fi && rm -rf {path}'
    )


def compressed_path(path: str) -> str:
    """Return the path of the compressed log."""
    return f"{path.rstrip('/')}.tgz"


def compress_logs(node: ClusterNode, service: ServiceWithNodes, paths: list[str]) -> list[str]:
    """Compress files and directories on a node; returns the compressed files, without those that failed."""
    notes = _notes.get() or _Notes(set())
    compressed: list[str] = []

    def note(path: str, error: BaseException) -> None:
        service.logger.warning("Error compressing log %s: service %s: %s", path, service, class_and_text(error))
        notes.failures[path] = f"not compressed: {reason_of(error)}"

    archives = {compressed_path(path) for path in paths}
    # A log named like the archive of another one comes before that
    for path in sorted(paths, key=lambda path: -len(path) if path in archives else 0):
        with tolerated(partial(note, path)), framework_commands(slow=True):
            node.account.ssh(_found_command(path) if path in notes.found else compress_command(path))
            compressed.append(compressed_path(path))
    return compressed


def _found_command(path: str) -> str:
    """Return the command for a path listed by a node, which neither the shell nor ``tar`` may interpret."""
    directory, name = posixpath.split(named(path.rstrip("/")))
    if not name.startswith("-"):
        return compress_command(shlex.quote(f"{directory}/{name}"))
    here, archive = shlex.quote(f"./{name}"), shlex.quote(f"./{name}.tgz")
    return f"cd {shlex.quote(directory)} && tar czf {archive} {here} && rm -rf {here}"
