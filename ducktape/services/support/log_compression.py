# SPDX-License-Identifier: Apache-2.0
"""Compressing logs on the node that holds them."""

from __future__ import annotations

import contextlib
import posixpath
import shlex
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from ducktape.cluster.copy.tar_commands import named
from ducktape.cluster.transport import framework_commands
from ducktape.utils.support.text import class_and_text, reason_of


@dataclass
class _Notes:
    """What passes between the collection and whoever compresses, who may be a test's own method.

    Attributes:
        found: paths that a node named, which the shell is to take as they are.
        failures: paths that could not be compressed, with the reasons.
    """

    found: set[str]
    failures: dict[str, str] = field(default_factory=dict)


_notes: ContextVar[_Notes | None] = ContextVar("ducktape_logs_compressed", default=None)


@contextlib.contextmanager
def failures_noted(found: set[str]) -> Iterator[dict[str, str]]:
    """Collect, for the length of a block, the paths that could not be compressed, with the reasons.

    Args:
        found: paths that are not to be expanded by the shell.
    """
    notes = _Notes(found)
    token = _notes.set(notes)
    try:
        yield notes.failures
    finally:
        _notes.reset(token)


def compress_command(path: str) -> str:
    """Return the shell command that replaces a log by ``<log>.tgz``, and does nothing where there is no log.

    Args:
        path: file or directory on a node; the shell expands it, as users rely on variables in it.
    """
    return (
        f'cd "$(dirname {path})" && f="$(basename {path})" && '
        f'if [ -e "$f" ]; then tar czf "$f.tgz" "$f"; fi && rm -rf {path}'
    )


def compressed_path(path: str) -> str:
    """Where the compressed form of a log is."""
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
    notes = _notes.get() or _Notes(set())
    compressed = []
    for path in _in_order(paths):
        try:
            with framework_commands(slow=True):
                node.account.ssh(_found_command(path) if path in notes.found else compress_command(path))
        except Exception as error:
            service.logger.warning("Error compressing log %s: service %s: %s", path, service, class_and_text(error))
            notes.failures[path] = f"not compressed: {reason_of(error)}"
            continue
        compressed.append(compressed_path(path))
    return compressed


def _found_command(path: str) -> str:
    """The same for a path that a node named, which neither the shell nor ``tar`` is to understand in its own way."""
    directory, name = posixpath.split(named(path.rstrip("/")))
    if not name.startswith("-"):
        return compress_command(shlex.quote(f"{directory}/{name}"))
    here, archive = shlex.quote(f"./{name}"), shlex.quote(f"./{name}.tgz")
    return f"cd {shlex.quote(directory)} && tar czf {archive} {here} && rm -rf {here}"


def _in_order(paths: list[str]) -> list[str]:
    """The paths, those first that others would be written over: a log may be called like the archive of another."""
    archives = {compressed_path(path) for path in paths}
    return sorted(paths, key=lambda path: -len(path) if path in archives else 0)
