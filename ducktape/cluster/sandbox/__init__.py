# SPDX-License-Identifier: Apache-2.0
"""A cluster of nodes that are made on this machine when they are needed.

Processes of a sandbox load parts of this package with the standard library alone, so it imports nothing by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ducktape.cluster.sandbox.cluster import SandboxCluster

__all__ = ["SandboxCluster"]


if not TYPE_CHECKING:  # which would take every misspelled name

    def __getattr__(name: str) -> object:
        if name != "SandboxCluster":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from ducktape.cluster.sandbox.cluster import SandboxCluster

        return SandboxCluster
