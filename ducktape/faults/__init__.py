# SPDX-License-Identifier: Apache-2.0
"""Faults that break nodes, one line each; all are healed whatever happens to the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ducktape.faults.chaos import random
    from ducktape.faults.clock import clock_environment, skew_clock
    from ducktape.faults.corruption import corrupt, truncate
    from ducktape.faults.disk import fill_disk
    from ducktape.faults.engine.netem import slow
    from ducktape.faults.errors import FaultError, FaultUnavailable
    from ducktape.faults.fault import Fault
    from ducktape.faults.limits import limit_cpu, limit_memory, slow_disk
    from ducktape.faults.network import drop, isolate, partition
    from ducktape.faults.processes import kill, pause, power_off, restart, resume

__all__ = [
    "Fault",
    "FaultError",
    "FaultUnavailable",
    "clock_environment",
    "corrupt",
    "drop",
    "fill_disk",
    "isolate",
    "kill",
    "limit_cpu",
    "limit_memory",
    "partition",
    "pause",
    "power_off",
    "random",
    "restart",
    "resume",
    "skew_clock",
    "slow",
    "slow_disk",
    "truncate",
]

_HOMES = {
    "clock": ("clock_environment", "skew_clock"),
    "corruption": ("corrupt", "truncate"),
    "disk": ("fill_disk",),
    "errors": ("FaultError", "FaultUnavailable"),
    "fault": ("Fault",),
    "limits": ("limit_cpu", "limit_memory", "slow_disk"),
    "network": ("drop", "isolate", "partition"),
    "processes": ("kill", "pause", "power_off", "restart", "resume"),
    "engine.netem": ("slow",),
    "chaos": ("random",),
}


if not TYPE_CHECKING:  # which would take every misspelled name

    def __getattr__(name: str) -> object:
        # Imported on first use, so that importing the package is cheap
        import importlib

        for module, names in _HOMES.items():
            if name in names:
                return getattr(importlib.import_module(f"ducktape.faults.{module}"), name)
        raise AttributeError(f"module 'ducktape.faults' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
