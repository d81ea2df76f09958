# SPDX-License-Identifier: Apache-2.0
"""The time and the level that a line of a log begins with, in the formats that servers use."""

from __future__ import annotations

import datetime
import functools
import re
from enum import IntEnum
from typing import NamedTuple

DAY_SEC = 86_400
# Where a time has to begin, in characters, and where a level may be, behind the time
_LATEST_STAMP = 64
_LATEST_LEVEL = 80
# Beyond that a line of JSON is not searched
_LONGEST_JSON = 4_000


class Level(IntEnum):
    """How serious a line is; ``UNKNOWN`` is less than all others."""

    UNKNOWN = 0
    DEBUG = 1
    INFO = 2
    WARN = 3
    ERROR = 4


class Stamp(NamedTuple):
    """When a line was written, in Unix seconds, and its level; without a zone the time is read as one in UTC."""

    time: float
    has_zone: bool
    level: Level


_LEVELS = {
    Level.DEBUG: "trace debug dbg fine finer finest verbose d t v . - 10 20",
    Level.INFO: "info information notice log config i n * 30",
    Level.WARN: "warn warning w # 40",
    Level.ERROR: "error err severe fatal critical crit alert emerg emergency panic dpanic e f c 50 60",
}
_LEVEL_OF = {word: level for level, words in _LEVELS.items() for word in words.split()}
_WORDS = "|".join(sorted((word for word in _LEVEL_OF if len(word) > 2), key=len, reverse=True))
# Begins with the words, so that the search is fast; what is before them is checked afterwards
_LEVEL = re.compile(rf"(?:{_WORDS.upper()})\b", re.ASCII)
_OTHER_LEVEL = re.compile(
    rf"\b(?:level|lvl|severity)=\W?(\w+)|[\[<(|:]\s?({_WORDS})\s?[\])>|]", re.ASCII | re.IGNORECASE
)
_JSON_LEVEL = re.compile(r'"(?:level|severity|lvl|log\.level|levelname)"\s*:\s*"?([\w*#.-]+)', re.IGNORECASE)
_JSON_TIME = re.compile(r'"(?:ts|time|timestamp|@timestamp|asctime)"\s*:\s*(?:"([^"]*)|([\d.]+))')

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
_FIELDS = ("year", "month", "day", "hour", "minute", "second", "fraction", "zone", "level")
_CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_FRACTION = r"(?:[.,](?P<fraction>\d{1,9}))?(?!\d)"
_MONTH = f"(?P<month>(?i:{'|'.join(_MONTHS)}))"


def _format(pattern: str) -> re.Pattern[str]:
    """Compile a pattern that has a group for every field, empty for those that the format does not have."""
    missing = "".join(f"(?P<{name}>)" for name in _FIELDS if f"(?P<{name}>" not in pattern)
    return re.compile(pattern + missing, re.ASCII)


_ISO = _format(
    rf"(?<![\w./-])(?P<year>\d{{4}})([-/])(?P<month>\d\d)\2(?P<day>\d\d)[T ]{_CLOCK}{_FRACTION}"
    r"(?:\s?(?P<zone>Z|UTC|GMT|[+-]\d\d:?\d\d)\b)?"
)
_TIME_ALONE = _format(rf"^.{{0,24}}?(?<![\w:.,+-]){_CLOCK}{_FRACTION}(?!:)")
_EPOCH = re.compile(r"^\W{0,2}(\d{10}|\d{13}|\d{16}|\d{19})(?:[.,](\d{1,9}))?(?![\w.])", re.ASCII)
# A format that says enough to be trusted wherever it occurs; the last one that matched is tried first
_FORMATS = (
    _ISO,
    # klog: I1130 18:33:01.123456
    _format(rf"^(?P<level>[IWEFD])(?P<year>\d{{4}})??(?P<month>\d\d)(?P<day>\d\d) {_CLOCK}{_FRACTION}"),
    # Redis: 30 Nov 2026 18:33:01.123 *
    _format(
        rf"(?<![\w.])(?P<day>\d\d?)[ -]{_MONTH}[ -](?P<year>\d{{4}}) {_CLOCK}{_FRACTION}"
        r"(?: (?P<level>[.*#-])(?= ))?"
    ),
    # Access logs: [30/Nov/2026:18:33:01 +0000]
    _format(rf"\[(?P<day>\d\d)/{_MONTH}/(?P<year>\d{{4}}):{_CLOCK}{_FRACTION}(?: (?P<zone>[+-]\d{{4}}))?\]"),
    # Syslog: Nov 30 18:33:01, also with a year behind it
    _format(rf"(?<![\w.]){_MONTH} (?P<day>[ \d]\d) {_CLOCK}{_FRACTION}(?: (?:[A-Z]{{3,4}} )?(?P<year>\d{{4}})\b)?"),
)


class StampReader:
    """Reads the times of the lines of one file, whose formats are few.

    A missing year or date is that which is nearest to a moment in Unix seconds, or to the line before.
    """

    def __init__(self, near: float) -> None:
        self._near = near
        self._formats = list(_FORMATS)
        self._is_sure = False  # a format with a date has matched, so vaguer ones are not tried

    def read(self, line: str) -> Stamp | None:
        """Return when a line was written, ``None`` if it does not say so or continues the one before it."""
        if line.startswith("{"):
            return self._read_json(line[:_LONGEST_JSON])
        if line[:1] == "\t" or line[:2] == "  ":
            return None
        for number, pattern in enumerate(self._formats):
            match = pattern.search(line, 0, _LATEST_STAMP + 40)
            if match is None or match.start() > _LATEST_STAMP:
                continue
            time = _time_of(match, self._near)
            if time is None:
                return None
            if number:
                self._formats.insert(0, self._formats.pop(number))
            self._is_sure, self._near = True, time
            return Stamp(time, bool(match["zone"]), _level(line, match))
        return None if self._is_sure else self._read_vague(line)

    def _read_vague(self, line: str) -> Stamp | None:
        if (match := _EPOCH.match(line)) and (time := self._epoch(match[1], match[2])) is not None:
            return Stamp(time, True, _level(line, match))
        match = _TIME_ALONE.match(line)
        time = None if match is None else _time_of(match, self._near)
        if match is None or time is None:
            return None
        self._near = time
        return Stamp(time, False, _level(line, match))

    def _read_json(self, line: str) -> Stamp | None:
        found = _JSON_TIME.search(line)
        if found is None:
            return None
        match = _JSON_LEVEL.search(line)
        level = Level.UNKNOWN if match is None else _LEVEL_OF.get(match[1].lower(), Level.UNKNOWN)
        text = (found[1] or found[2] or "").strip()
        if (iso := _ISO.match(text)) is not None:
            time = _time_of(iso, self._near)
            return None if time is None else Stamp(time, bool(iso["zone"]), level)
        number = _EPOCH.match(text)
        time = None if number is None else self._epoch(number[1], number[2])
        return None if time is None else Stamp(time, True, level)

    def _epoch(self, digits: str, fraction: str | None) -> float | None:
        """Return a number of seconds, or of thousandths and so on of them, if it is near: other numbers are longer."""
        time = float(f"{digits[:10]}.{digits[10:]}{fraction or ''}0")
        return time if abs(time - self._near) < DAY_SEC else None


def _time_of(match: re.Match[str], near: float) -> float | None:
    """Return the time of a match in Unix seconds, ``None`` if there is no such day or hour."""
    year, month, day, hour, minute, second, fraction, zone, _ = match.group(*_FIELDS)
    of_day = int(hour) * 3600 + int(minute) * 60 + int(second)
    # Two leap seconds have been enough so far
    if int(hour) > 23 or int(minute) > 59 or int(second) > 61:
        return None
    days = _day(year or "", month or "", day or "", near // DAY_SEC)
    if days is None:
        return None
    time = days * DAY_SEC + of_day + (float(f"0.{fraction}") if fraction else 0.0)
    if zone and zone[0] in "+-":
        offset = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
        return time - offset if zone[0] == "+" else time + offset
    if not month:
        return time + DAY_SEC * round((near - time) / DAY_SEC)
    return time


@functools.lru_cache(maxsize=1000)
def _day(year: str, month: str, day: str, near: float) -> int | None:
    """Return the number of a day since 1970; without a year the nearest to another one, which is the default, too."""
    if not month:
        return int(near)
    number = int(month) if month.isdigit() else _MONTHS[month.lower()]
    about = datetime.date(1970, 1, 1) + datetime.timedelta(days=near)
    years = [int(year)] if year else [about.year - 1, about.year, about.year + 1]
    found: list[int] = []
    for each in years:
        try:
            found.append((datetime.date(each, number, int(day)) - datetime.date(1970, 1, 1)).days)
        except ValueError:  # the 29th of February, or nonsense
            continue
    return min(found, key=lambda days: abs(days - near), default=None)


def _level(line: str, match: re.Match[str]) -> Level:
    """Return the level near the time: some write it before, others behind it."""
    if match.re.groups > 2 and match["level"]:
        return _LEVEL_OF[match["level"].lower()]
    end = match.end() + _LATEST_LEVEL
    for word in _LEVEL.finditer(line, 0, end):
        if not line[max(0, word.start() - 1) : word.start()].isalnum():
            return _LEVEL_OF[word[0].lower()]
    found = _OTHER_LEVEL.search(line, 0, end)
    return Level.UNKNOWN if found is None else _LEVEL_OF.get(found[found.lastindex or 0].lower(), Level.UNKNOWN)
