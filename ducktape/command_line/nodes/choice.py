# SPDX-License-Identifier: Apache-2.0
"""How command lines name a kept test."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence

from ducktape.command_line.options.errors import CommandError
from ducktape.tests.keeping.registry import KeptTest, matching

TEST_HELP = "As ducktape nodes shows it: SESSION/NUMBER, the number, or the test's id or a part of it."


def choose_test(text: str, tests: Sequence[KeptTest]) -> KeptTest:
    """Return the only kept test that a text names; raises ``CommandError`` if there is none, or several.

    Of several, one of a run in this directory is meant: each directory counts its sessions from 1.
    """
    found = matching(text, tests)
    here = [test for test in found if test.source.directory == os.getcwd()]
    if 1 in (len(found), len(here)):
        return [*here, *found][0]
    counts = Counter(test.name for test in found)
    names = ", ".join(
        test.test_dir if counts[test.name] > 1 else f"{test.name} ({test.test_id})" for test in found or tests
    )
    if found:
        raise CommandError(f"{text} names several kept tests: {names}")
    raise CommandError(f"No kept test matches {text}: " + (f"kept are {names}" if names else "no nodes are kept"))
