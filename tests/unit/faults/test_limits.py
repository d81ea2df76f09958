# SPDX-License-Identifier: Apache-2.0
"""Limits of groups, which are directories with files in them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from ducktape.cluster.local.transport import LocalTransport
from ducktape.faults.engine.action import DeadManSwitch
from ducktape.faults.engine.cgroups import Limit, _of_group
from ducktape.faults.engine.host import Host


def limit(group: Path, number: int) -> DeadManSwitch:
    quota = number * 1000
    wanted = Limit("cpu", "cpu", (("cpu.cfs_quota_us", str(quota)),), (("cpu.max", f"{quota} 100000"),))
    return DeadManSwitch(
        _of_group(Host(LocalTransport(), "here"), str(group), wanted), f"{os.getpid()}limit{number}", 30
    )


@pytest.mark.parametrize("order", [(3, 2, 1), (1, 2, 3), (2, 1, 3), (1, 3, 2)])
def test_limits_within_limits_give_back_the_first_value_in_any_order(order: Sequence[int], tmp_path: Path) -> None:
    group, other = tmp_path / "group", tmp_path / "other"
    for each in (group, other):
        each.mkdir()
        (each / "cpu.max").write_text("max 100000\n")
    elsewhere = limit(other, 4)
    elsewhere.inject()
    limits = {number: limit(group, number) for number in (1, 2, 3)}
    for each_limit in limits.values():
        each_limit.inject()
    assert (group / "cpu.max").read_text() == "3000 100000\n"
    left = [1, 2, 3]
    for number in order:
        limits[number].undo()
        left.remove(number)
        expected = f"{left[-1]}000 100000\n" if left else "max 100000\n"
        assert (group / "cpu.max").read_text() == expected
    assert (other / "cpu.max").read_text() == "4000 100000\n"
    elsewhere.undo()
    assert (other / "cpu.max").read_text() == "max 100000\n"
