# SPDX-License-Identifier: Apache-2.0
"""What was meant by a symbol that names no test."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from ducktape.mark import parametrize
from ducktape.tests.loading.suggestions import mistake_in, similar_file
from ducktape.tests.loading.symbols import parse_symbol
from ducktape.tests.test import Test


class ReplicationTest(Test):
    def test_leader(self) -> None: ...

    @parametrize(size=1)
    def test_throughput(self, size: int, acks: str = "all") -> None: ...


MODULE = ModuleType("m")
MODULE.ReplicationTest = ReplicationTest  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("::ReplicatonTest", "there is no test class ReplicatonTest (did you mean ReplicationTest?)"),
        ("::Other", "there is no test class Other"),
        ("::ReplicationTest.test_leadr", "class ReplicationTest has no test test_leadr (did you mean test_leader?)"),
        ("::ReplicationTest.test_thr", "class ReplicationTest has no test test_thr (did you mean test_throughput?)"),
        ("::.test_leadr", "the file has no test test_leadr (did you mean test_leader?)"),
        (
            '::ReplicationTest.test_throughput@{"sizes": 1}',
            "test_throughput has no parameter sizes (did you mean size?)",
        ),
        ('::ReplicationTest.test_throughput@{"size": 1}', ""),
        ("::ReplicationTest.test_leader", ""),
        ("", ""),
    ],
)
def test_the_part_that_is_missing_is_named(symbol: str, expected: str) -> None:
    assert mistake_in(parse_symbol(f"test_it.py{symbol}"), MODULE) == expected


def test_a_file_of_a_similar_name_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "test_replication.py").touch()
    assert similar_file(str(tmp_path / "test_replicaton.py")) == " (did you mean test_replication.py?)"
    assert similar_file(str(tmp_path / "other.py")) == ""
    assert similar_file(str(tmp_path / "missing" / "x.py")) == ""
