# SPDX-License-Identifier: Apache-2.0
"""Compressing logs on the node that holds them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from ducktape.cluster.transport import framework_commands

# Whoever compresses may be a test's own method: what fails in it reaches the collection past that.
_failures: ContextVar[dict[str, str] | None] = ContextVar("ducktape_logs_not_compressed", default=None)


@contextlib.contextmanager
def failures_noted() -> Iterator[dict[str, str]]:
    """Collect, for the length of a block, the paths that could not be compressed, with the reasons."""
    failures: dict[str, str] = {}
    token = _failures.set(failures)
    try:
        yield failures
    finally:
        _failures.reset(token)


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
    compressed = []
    for path in paths:
        try:
            with framework_commands():
                node.account.ssh(compress_command(path))
        except Exception as error:
            service.logger.warning("Error compressing log %s: service %s: %s", path, service, error)
            failures = _failures.get()
            if failures is not None:
                failures[path] = f"not compressed: {error}"
            continue
        compressed.append(compressed_path(path))
    return compressed
