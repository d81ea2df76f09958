# SPDX-License-Identifier: Apache-2.0
"""The former place of ``ducktape.faults.slow``, for suites that import from here."""

from __future__ import annotations

from ducktape.faults.engine.netem import slow

__all__ = ["slow"]
