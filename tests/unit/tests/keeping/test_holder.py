# SPDX-License-Identifier: Apache-2.0
"""The process that keeps a test, beside what whole runs show of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection

import pytest

from ducktape.tests.keeping import holder


class Holder:
    """Stands in for the holder of a test: it says how far it came by its exit code."""

    def __init__(self, begin: Callable[[], object]) -> None:
        self._begin = begin

    def begin(self, ready: int, descriptors: Collection[int]) -> None:
        self._begin()

    def run(self) -> int:
        return 42


def _refuse() -> None:
    raise OSError(28, os.strerror(28))


@pytest.mark.parametrize(("begin", "expected"), [(lambda: None, 42), (_refuse, 1)])
def test_a_driver_that_dies_meanwhile_does_not_end_the_process(begin: Callable[[], object], expected: int) -> None:
    reader, writer = os.pipe()
    os.close(reader)  # as the death of the driver does
    pid = os.fork()
    if pid == 0:
        holder._keep(Holder(begin), writer, [])  # type: ignore[arg-type]
    os.close(writer)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == expected
