# SPDX-License-Identifier: Apache-2.0
"""Which of the known names was probably meant by an unknown one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_RESEMBLANCE = 0.6


def closest(name: str, known: Iterable[str], cutoff: float = _RESEMBLANCE) -> str | None:
    """Return the known name that resembles another one most, whatever its case, or that begins with it."""
    by_plain = {each.casefold(): each for each in sorted(known)}
    plain = name.casefold()
    close = difflib.get_close_matches(plain, by_plain, n=1, cutoff=cutoff)
    close = close or [each for each in by_plain if plain and each.startswith(plain)]
    return by_plain[close[0]] if close else None


def or_similar(name: str, known: Iterable[str]) -> str:
    """Return a hint at the closest known name, to be put after an unknown one; empty without one."""
    meant = closest(name, known)
    return "" if meant is None else f" (did you mean {meant}?)"
