# SPDX-License-Identifier: Apache-2.0
"""Decorators that multiply, skip and describe tests."""

from __future__ import annotations

from ducktape.mark._mark import defaults, env, ignore, ignored, is_env, matrix, parametrize, parametrized

__all__ = ["defaults", "env", "ignore", "ignored", "is_env", "matrix", "parametrize", "parametrized"]
