# SPDX-License-Identifier: Apache-2.0
"""Medians, ratios and targets, as a table for people and as JSON for programs."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Mapping, Sequence

from benchmarks.measure import Sample


@dataclasses.dataclass(frozen=True)
class Row:
    """One workload: its name, and the samples of this checkout and of the peer (none where only ours runs)."""

    name: str
    ours: Sequence[Sample]
    peer: Sequence[Sample]


@dataclasses.dataclass(frozen=True)
class Target:
    """A ratio, or a number, that must stay at or below a limit; ``None`` where its workload did not run."""

    name: str
    limit: float
    ratio: float | None

    @property
    def met(self) -> bool | None:
        """Whether the ratio is within the limit."""
        return None if self.ratio is None else self.ratio <= self.limit


def seconds(samples: Sequence[Sample]) -> float | None:
    """Return the median time, ``None`` without samples."""
    return statistics.median(sample.seconds for sample in samples) if samples else None


def peak_mib(samples: Sequence[Sample]) -> float | None:
    """Return the median peak memory, ``None`` without samples."""
    return statistics.median(sample.peak_mib for sample in samples) if samples else None


def ratio(part: float | None, whole: float | None) -> float | None:
    """Return ``part / whole``, ``None`` where one is missing."""
    return part / whole if part is not None and whole else None


def targets(rows: Mapping[str, Row]) -> list[Target]:
    """Judge what was measured.

    Args:
        rows: by name, as :mod:`benchmarks.run` names them.
    """

    def against_peer(name: str) -> float | None:
        row = rows.get(name)
        return ratio(seconds(row.ours), seconds(row.peer)) if row else None

    def growth(measure: Callable[[Sequence[Sample]], float | None], *, per_test: bool) -> float | None:
        small, large = rows.get("50 no-op tests"), rows.get("2000 no-op tests")
        if small is None or large is None:
            return None
        grown = ratio(measure(large.ours), measure(small.ours))
        return grown if grown is None or not per_test else grown * 50 / 2000

    return [
        Target("start-up (--version), of the peer's time", 0.5, against_peer("--version")),
        Target(
            "start-up (--collect-only, 2000 tests), of the peer's time", 0.5, against_peer("--collect-only, 2000 tests")
        ),
        Target("400 no-op tests, of the peer's time", 0.12, against_peer("400 no-op tests")),
        Target("time per test at 2000, of that at 50", 1.3, growth(seconds, per_test=True)),
        Target("memory of the driver at 2000, of that at 50", 1.2, growth(peak_mib, per_test=False)),
    ]


def render(rows: Sequence[Row]) -> str:
    """Return the table of whole commands as text."""
    head = ("workload", "ours s", "peer s", "ratio", "ours MiB", "peer MiB", "ratio")
    return "\n".join(columns([head, *(_cells(row) for row in rows)]))


def render_targets(judged: Sequence[Target]) -> str:
    """Return the verdicts as text."""
    verdicts = {True: "met", False: "MISSED", None: "not measured"}
    judged_cells = [(t.name, number(t.ratio), f"<= {t.limit:g}", verdicts[t.met]) for t in judged]
    return "\n".join(columns([("target", "ratio", "limit", ""), *judged_cells]))


def as_json(rows: Sequence[Row], judged: Sequence[Target]) -> dict[str, object]:
    """Return everything measured and judged, JSON-ready."""
    return {
        "workloads": [dataclasses.asdict(row) for row in rows],
        "targets": [{**dataclasses.asdict(target), "met": target.met} for target in judged],
    }


def _cells(row: Row) -> tuple[str, ...]:
    our_seconds, peer_seconds = seconds(row.ours), seconds(row.peer)
    our_peak, peer_peak = peak_mib(row.ours), peak_mib(row.peer)
    return (
        row.name,
        number(our_seconds),
        number(peer_seconds),
        number(ratio(our_seconds, peer_seconds)),
        number(our_peak, digits=1),
        number(peer_peak, digits=1),
        number(ratio(our_peak, peer_peak)),
    )


def number(value: float | None, *, digits: int = 3) -> str:
    """Return a cell."""
    return "-" if value is None else f"{value:.{digits}f}"


def columns(table: Sequence[Sequence[str]]) -> list[str]:
    """Return lines whose columns are aligned: the first to the left, numbers to the right."""
    widths = [max(len(cells[column]) for cells in table) for column in range(len(table[0]))]
    return [
        "  ".join([cells[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(cells[1:], widths[1:], strict=True))])
        for cells in table
    ]
