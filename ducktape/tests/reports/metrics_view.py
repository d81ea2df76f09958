# SPDX-License-Identifier: Apache-2.0
"""The summaries of what one test measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ducktape.tests.reports.plot import finite, quantity
from ducktape.utils.support.text import shorten

_MOST_ROWS = 100
_LONGEST_NAME = 60
BETTER = {"lower": "lower", "higher": "higher"}


class Summary(NamedTuple):
    """One metric of a test, as texts."""

    name: str
    number: str
    median: str
    p99: str
    high: str
    better: str


class Measured(NamedTuple):
    """The metrics of a test, and how many others there are."""

    rows: list[Summary]
    left_out: int


def measured(metrics: Mapping[str, object] | None) -> Measured | None:
    """Return the table of the metrics of a test; ``None`` if it has none."""
    rows: list[Summary] = []
    for name, each in (metrics or {}).items():
        if not isinstance(each, Mapping):
            continue
        number = finite(each.get("count"))
        is_counter = each.get("kind") == "counter"
        rows.append(
            Summary(
                shorten(name, _LONGEST_NAME, mark="…"),
                f"total {_text(each, 'total')}" if is_counter else "" if number is None else quantity(number),
                _text(each, "p50"),
                _text(each, "p99"),
                _text(each, "max"),
                BETTER.get(str(each.get("better")), ""),
            )
        )
    return Measured(rows[:_MOST_ROWS], max(0, len(rows) - _MOST_ROWS)) if rows else None


def _text(summary: Mapping[str, object], name: str) -> str:
    value = finite(summary.get(name))
    return "" if value is None else quantity(value, str(summary.get("unit") or ""))
