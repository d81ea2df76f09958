# SPDX-License-Identifier: Apache-2.0
"""Test files that both programs run."""

from __future__ import annotations

from pathlib import Path

_NO_OP = """
from ducktape.mark import matrix
from ducktape.mark.resource import cluster
from ducktape.tests.test import Test


class NoOpTest(Test):
    @cluster(num_nodes=1)
    @matrix(number=list(range({count})))
    def test_nothing(self, number):
        pass
"""


def write_no_op(directory: Path, count: int) -> Path:
    """Write a file of ``count`` tests that do nothing with the one node each declares, and return its path."""
    path = directory / f"test_no_op_{count}.py"
    path.write_text(_NO_OP.format(count=count), encoding="utf-8")
    return path
