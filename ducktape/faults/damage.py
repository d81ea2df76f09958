# SPDX-License-Identifier: Apache-2.0
"""The former place of ``ducktape.faults.corruption``, for suites that import from here."""

from __future__ import annotations

from ducktape.faults.corruption import corrupt, truncate

__all__ = ["corrupt", "truncate"]
