# SPDX-License-Identifier: Apache-2.0
"""Excerpts of long texts for readers, consoles and browsers: their beginning and their end."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def excerpt(text: str, limit: int, whole_text: str = "") -> str:
    """Return a text, or its beginning and end with a line between them about the omitted part.

    Args:
        text: of any length.
        limit: most characters of the text; cuts are made at the end of a line if there is one near.
        whole_text: where all of it is, for people; empty if it is nowhere.
    """
    if len(text) <= limit:
        return text
    half = limit // 2
    near = half - half // 4
    start = text.rfind("\n", near, half)
    start = half if start < 0 else start
    end = text.find("\n", len(text) - half, len(text) - near)
    end = len(text) - half if end < 0 else end + 1
    place = f"; all of them are in {whole_text}" if whole_text else ""
    note = f"[... {end - start:,} characters are left out{place} ...]"
    return f"{text[:start]}\n{note}\n{text[end:]}"


def fitting_limit(lengths: Collection[int], budget: int, limits: Sequence[int]) -> int:
    """Return the maximum length of each of many texts.

    Args:
        lengths: of the texts.
        budget: most characters of all of them together.
        limits: to choose from, the largest first; the last one is taken if even that is too much.
    """
    fitting = (limit for limit in limits if sum(min(length, limit) for length in lengths) <= budget)
    return next(fitting, limits[-1])
