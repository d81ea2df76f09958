# SPDX-License-Identifier: Apache-2.0
"""The former place of ``ducktape.faults.chaos``, for suites that import from here."""

from __future__ import annotations

from ducktape.faults.chaos import random

__all__ = ["random"]
