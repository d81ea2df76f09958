# SPDX-License-Identifier: Apache-2.0
"""Nodes and those who own them.

The clusters that come with the framework can be imported from here. They are loaded at that moment only, so that a
module of node arithmetic does not bring SSH along.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ducktape.cluster.json import JsonCluster
    from ducktape.cluster.localhost import LocalhostCluster
    from ducktape.cluster.vagrant import VagrantCluster

__all__ = ["JsonCluster", "LocalhostCluster", "VagrantCluster"]


if not TYPE_CHECKING:  # which would take every misspelled name

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = import_module(f"{__name__}.{name.removesuffix('Cluster').lower()}")
        return getattr(module, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
