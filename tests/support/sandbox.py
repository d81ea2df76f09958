# SPDX-License-Identifier: Apache-2.0
"""Sandboxes for tests: whether this machine can have one, and one that is gone afterwards."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ducktape.cluster.sandbox.cluster import SandboxCluster
from ducktape.cluster.sandbox.userns import obstacle


@functools.cache
def missing_for_sandbox() -> str:
    """Why there can be no sandbox here, in words; empty when there can."""
    return obstacle() or ""


@contextlib.contextmanager
def running_sandbox(directory: Path, **settings: Any) -> Iterator[SandboxCluster]:
    """A cluster whose nodes are gone at the end of the block.

    Args:
        directory: where its file is written.
        **settings: of the file.
    """
    path = directory / "sandbox.json"
    path.write_text(json.dumps(settings))
    cluster = SandboxCluster(cluster_file=str(path))
    try:
        yield cluster
    finally:
        cluster.close()
