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

    def growth(
        measure: Callable[[Sequence[Sample]], float | None],
        *,
        per_test: bool,
        few: int = 50,
        many: int = 2000,
        how: str = "",
    ) -> float | None:
        small, large = rows.get(f"{few} no-op tests{how}"), rows.get(f"{many} no-op tests{how}")
        if small is None or large is None:
            return None
        grown = ratio(measure(large.ours), measure(small.ours))
        return grown if grown is None or not per_test else grown * few / many

    def added_mib() -> float | None:
        small, large = rows.get("200 no-op tests, 8 at a time"), rows.get("10000 no-op tests, 8 at a time")
        ends = [peak_mib(row.ours) for row in (small, large) if row is not None]
        return ends[1] - ends[0] if len(ends) == 2 and ends[0] is not None and ends[1] is not None else None

    def of_last_test() -> float | None:
        row = rows.get("10000 no-op tests, 8 at a time")
        return statistics.median(sample.seconds_at_end for sample in row.ours) if row and row.ours else None

    return [
        Target("start-up (--version), of the peer's time", 0.5, against_peer("--version")),
        Target(
            "start-up (--collect-only, 2000 tests), of the peer's time", 0.5, against_peer("--collect-only, 2000 tests")
        ),
        Target("400 no-op tests, of the peer's time", 0.1, against_peer("400 no-op tests")),
        Target("400 no-op tests, 4 at a time, of the peer's time", 0.1, against_peer("400 no-op tests, 4 at a time")),
        Target("time per test at 2000, of that at 50", 1.3, growth(seconds, per_test=True)),
        Target("memory of the driver at 2000, of that at 50", 1.2, growth(peak_mib, per_test=False)),
        Target(
            "time per test at 10000, of that at 200, 8 at a time",
            1.3,
            growth(seconds, per_test=True, few=200, many=10_000, how=", 8 at a time"),
        ),
        Target("MiB that 10000 tests add to the driver", 40, added_mib()),
        Target("seconds from the last test of 10000 to the end", 10, of_last_test()),
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
