# SPDX-License-Identifier: Apache-2.0
"""The types of option values: functions for argparse, each with a message that names the value and nothing internal."""

from __future__ import annotations

import argparse
import contextlib
import math
from typing import Literal

from ducktape.utils.support.times import seconds_of


def duration(text: str) -> float:
    """Return the seconds of a time such as ``90s`` or ``20m``."""
    try:
        return seconds_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def seconds(text: str) -> float:
    """Return a finite number of seconds above 0."""
    with contextlib.suppress(ValueError):
        if 0 < (number := float(text)) < math.inf:
            return number
    raise argparse.ArgumentTypeError(f"must be a number of seconds greater than 0, not {text}")


def integer(text: str) -> int:
    """Return a whole number."""
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"invalid int value: {text!r}") from error


def not_negative(text: str) -> int:
    """Return a whole number from 0."""
    if (number := integer(text)) < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return number


def positive(text: str) -> int:
    """Return a whole number from 1."""
    if (number := integer(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def max_parallel(text: str) -> int | Literal["auto"]:
    """Return a whole number from 1, or ``auto``."""
    return "auto" if text == "auto" else positive(text)


def seed(text: str) -> int | Literal["random"]:
    """Return a whole number, or ``random``."""
    return "random" if text == "random" else integer(text)


def expression(text: str) -> str:
    """Return the text of an expression of ``-k`` or ``--tags`` if it can be parsed."""
    # Most runs have none
    from ducktape.tests.loading.expressions import Expression, ExpressionError

    try:
        Expression.parse(text)
    except ExpressionError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text
