# SPDX-License-Identifier: Apache-2.0
"""How command lines name a kept test."""

from __future__ import annotations

from collections.abc import Sequence

from ducktape.command_line.options.errors import CommandError
from ducktape.tests.keeping.registry import KeptTest, matching

TEST_HELP = "As ducktape nodes shows it: SESSION/NUMBER, the number, or the test's id or a part of it."


def choose_test(text: str, tests: Sequence[KeptTest]) -> KeptTest:
    """Return the only kept test that a text names; raises ``CommandError`` if there is none, or several."""
    found = matching(text, tests)
    if len(found) == 1:
        return found[0]
    names = ", ".join(f"{test.name} ({test.test_id})" for test in found or tests)
    if found:
        raise CommandError(f"{text} names several kept tests: {names}")
    raise CommandError(f"No kept test matches {text}: " + (f"kept are {names}" if names else "no nodes are kept"))
