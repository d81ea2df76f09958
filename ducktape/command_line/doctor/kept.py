# SPDX-License-Identifier: Apache-2.0
"""``ducktape doctor`` about nodes that are kept for people to look inside."""

from __future__ import annotations

import time

from ducktape.tests.keeping.registry import KeptTest, kept_tests


def take_stock() -> tuple[list[KeptTest], list[KeptTest]]:
    """Return the tests that are kept, and those whose holders are dead; nothing refers to the latter afterwards."""
    tests = kept_tests()
    dead = [test for test in tests if not test.is_alive]
    for test in dead:
        test.remove()
    return [test for test in tests if test not in dead], dead


def render(kept: list[KeptTest], dead: list[KeptTest]) -> str:
    """Return paragraphs about them, each with an empty line above it; empty if there are none."""
    lines = []
    if kept:
        lines += ["", "Kept for people to look inside (ducktape shell):"]
    for test in kept:
        end = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(test.until))
        lines.append(f"   {', '.join(test.node_names)} of {test.test_id} until {end}: ducktape release {test.name}")
    if dead:
        lines += ["", "Forgotten, since the processes that kept them are dead:"]
    lines += [f"   {', '.join(test.node_names)} of {test.test_id}, {test.name}" for test in dead]
    return "\n".join(lines)


def to_json(kept: list[KeptTest], dead: list[KeptTest]) -> dict[str, object]:
    """Return the same as JSON, for programs."""
    return {
        "kept": [{"name": test.name, "nodes": test.node_names, "until": test.until} for test in kept],
        "forgotten": [{"name": test.name, "nodes": test.node_names} for test in dead],
    }
