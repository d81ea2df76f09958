# SPDX-License-Identifier: Apache-2.0
"""Decorators that parametrize, skip, limit and describe tests."""

from __future__ import annotations

from ducktape.mark._mark import defaults, env, ignore, ignored, is_env, matrix, parametrize, parametrized
from ducktape.mark.policies import allow_logs as allow_logs
from ducktape.mark.policies import expected_failure as expected_failure
from ducktape.mark.policies import tag as tag
from ducktape.mark.policies import timeout as timeout

# Without newer names: `from ducktape.mark import *` must not replace a suite's own `timeout` or `tag`
__all__ = ["defaults", "env", "ignore", "ignored", "is_env", "matrix", "parametrize", "parametrized"]
