# SPDX-License-Identifier: Apache-2.0
"""The words for what changed since earlier sessions, in every report the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from ducktape.tests.recording.history import FIXED, FLAKY, KNOWN, NEW, Changes
from ducktape.tests.recording.trends import CHANGES, Trend
from ducktape.tests.reports.text import verdict_text
from ducktape.tests.reports.timeline import seconds_text

_NAMES = {NEW: "new", KNOWN: "still failing", FLAKY: "flaky", FIXED: "fixed"}
_MOST = 10
_LARGEST_SHARE = 100


def news(changes: Changes | None) -> str:
    """Return how many failures are new, such as ``3 of them new since 2026-11-29--001``; empty if that is unknown."""
    if changes is None or changes.new_failures is None:
        return ""
    failed, new = changes.session.count("FAIL"), changes.new_failures
    number = f"{new:,} of them" if 0 < new < failed else "none of them" if failed > 1 and not new else ""
    number = number or ("not" if not new else "all of them" if failed > 1 else "")
    return f"{number} new since {changes.since}".strip()


def session_verdict(changes: Changes) -> str:
    """Return in words how a session went, and how many failures are new."""
    session = changes.session
    return verdict_text(
        total=session.total,
        passed=session.count("PASS"),
        failed=session.count("FAIL"),
        flaky=session.count("FLAKY"),
        ignored=session.count("IGNORE"),
        news=news(changes),
    )


def label(changes: Changes | None, test_id: str) -> str:
    """Return the kind of a failure or of a flaky test in words; empty if there is nothing to compare it with."""
    if changes is None:
        return ""
    return "known, other cause" if changes.has_other_cause(test_id) else changes.kind(test_id)


def changed_tests(changes: Changes | None, most: int = _MOST) -> Iterator[tuple[str, str]]:
    """Yield a name for each kind of change, and a test; further tests of a kind have an empty name.

    Of each kind there are at most ``most``, and a last line that counts the others.
    """
    if changes is None or not changes.since:
        return
    for kind, name in _NAMES.items():
        tests = changes.of_kind(kind)
        for test_id in tests[:most]:
            yield name, f"{test_id} (other cause than before)" if test_id in changes.other_cause else test_id
            name = ""
        if len(tests) > most:
            yield "", f"… and {len(tests) - most:,} more"


def beyond_words(trends: Iterable[Trend]) -> str:
    """Return how many trends show which change, such as ``2 slower, 1 faster``."""
    numbers = Counter(trend.change for trend in trends)
    return ", ".join(f"{numbers[change]:,} {change}" for change in CHANGES if numbers[change])


def beyond_tests(changes: Changes | None, most: int = 3) -> Iterator[str]:
    """Yield a line for each kind of change of durations and metrics, such as ``slower than usual: 2 tests (a, b)``."""
    if changes is None or not changes.since:
        return
    for change in CHANGES:
        tests = [test_id for test_id, trends in changes.beyond.items() if any(each.change == change for each in trends)]
        if tests:
            names = ", ".join(tests[:most]) + (", …" if len(tests) > most else "")
            number = "1 test" if len(tests) == 1 else f"{len(tests):,} tests"
            yield f"{change} than usual: {number} ({names})"


def value_text(trend: Trend, value: float, *, unit: bool = True) -> str:
    """Return a value of a trend in few characters, such as ``8.3 ms``."""
    if trend.is_duration:
        return seconds_text(value)
    digits = f"{value:,.0f}" if 1000 <= abs(value) < 1e12 else f"{value:.3g}"
    return f"{digits} {trend.unit}" if unit and trend.unit else digits


def usual_text(trend: Trend) -> str:
    """Return the usual range of a trend, such as ``7.9 to 8.8 ms``; empty if it has none."""
    if trend.usual is None:
        return ""
    low, high = value_text(trend, trend.usual.low, unit=False), value_text(trend, trend.usual.high)
    return f"{low} to {high}" if low != value_text(trend, trend.usual.high, unit=False) else high


def trend_text(trend: Trend) -> str:
    """Return a trend in one line, such as ``write_ms: usual 7.9 to 8.8 ms, now 12.4 ms: worse +49 %``."""
    words = [f"usual {usual_text(trend)}" if trend.usual is not None else ""]
    if trend.newest is not None:
        now = f"now {value_text(trend, trend.newest.value)}"
        words.append(now if trend.newest.passed else f"{now} when it did not pass")
    change = f": {trend.change} {_share_text(trend)}".rstrip() if trend.change else ""
    return f"{trend.name}: {', '.join(filter(None, words))}{change}"


def change_text(trend: Trend) -> str:
    """Return a change in one line, such as ``write_ms 8.3 → 12.4 ms (+49 %, usual 7.9 to 8.8 ms)``."""
    assert trend.usual is not None  # or there would be no change
    assert trend.newest is not None
    before = value_text(trend, trend.usual.median, unit=trend.is_duration)
    words = [_share_text(trend), f"usual {usual_text(trend)}"]
    now = value_text(trend, trend.newest.value)
    return f"{trend.name} {before} → {now} ({', '.join(filter(None, words))})"


def short_change_text(trend: Trend) -> str:
    """Return a change in few words, such as ``slower +50 %`` or ``write_ms worse +49 %``."""
    return " ".join(filter(None, ["" if trend.is_duration else trend.name, trend.change, _share_text(trend)]))


def _share_text(trend: Trend) -> str:
    """Return by how much a value has changed; empty if that says less than the values alone."""
    return f"{100 * trend.share:+,.0f} %" if abs(trend.share) < _LARGEST_SHARE else ""
