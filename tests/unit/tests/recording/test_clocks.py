# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest

from ducktape.cluster.health.clocks import Offset
from ducktape.tests.recording.clocks import CLOCKS_FILE, read_offsets, write_offsets


def test_offsets_are_kept_beside_the_logs(tmp_path: Path) -> None:
    write_offsets(str(tmp_path), {"node1": Offset(-1.23456, 0.0104), "node2": Offset(3600.0, 1.0)})
    clock = {"offset_seconds": -1.235, "uncertainty_seconds": 0.01}
    assert json.loads((tmp_path / CLOCKS_FILE).read_text())["clocks"]["node1"] == clock
    assert read_offsets(str(tmp_path)) == {"node1": (-1.235, 0.01), "node2": (3600, 1)}


@pytest.mark.parametrize(
    "content",
    [
        *("", "x", "[1]", "{}", '{"clocks": 3}', '{"clocks": {"n": 3, "m": {}, "o": {"offset_seconds": "1"}}}'),
        *("[" * 100_000, '{"clocks": {"n": {"offset_seconds": 1e999, "uncertainty_seconds": 1}}}'),
    ],
)
def test_what_makes_no_sense_is_passed_over(tmp_path: Path, content: str) -> None:
    assert read_offsets(str(tmp_path)) == {}
    (tmp_path / CLOCKS_FILE).write_text(content)
    assert read_offsets(str(tmp_path)) == {}
