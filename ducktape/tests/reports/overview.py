# SPDX-License-Identifier: Apache-2.0
"""An overview of failures: by reason, and similar ones in groups."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ducktape.tests.reports.text import headline

if TYPE_CHECKING:
    from ducktape.tests.result import TestResult

# What differs between two occurrences of one problem: numbers, addresses, ids
_CHANGING = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-f]{8,}\b|\d+")
WITHOUT_REASON = "other"


@dataclasses.dataclass
class Alike:
    """Failures that begin with the same words.

    Attributes:
        reason: of all of them.
        text: first line of the first one that says something.
        first: the first one.
        count: of them.
    """

    reason: str
    text: str
    first: TestResult
    count: int = 0


def reason_of(result: TestResult) -> str:
    """Return the reason under which a failure is counted."""
    return result.reason or WITHOUT_REASON


def counted(texts: Iterable[str]) -> dict[str, int]:
    """Return how often each text occurs, the most frequent first."""
    return dict(Counter(texts).most_common())


def alike(failures: Iterable[TestResult]) -> list[Alike]:
    """Return groups of similar failures, the largest group first."""
    groups: dict[tuple[str, str], Alike] = {}
    for result in failures:
        text = headline(result.summary)
        key = reason_of(result), _CHANGING.sub("#", text)
        groups.setdefault(key, Alike(key[0], text, result)).count += 1
    return sorted(groups.values(), key=lambda group: -group.count)
