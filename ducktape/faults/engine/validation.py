# SPDX-License-Identifier: Apache-2.0
"""What all faults ask of their arguments."""

from __future__ import annotations

import math
import numbers
from typing import Any


def need_number(value: Any, name: str, unit: str) -> float:
    """Make sure that an argument is a number.

    Args:
        value: the argument.
        name: of the argument.
        unit: what it counts, for the complaint.

    Returns:
        The argument as it is.

    Raises:
        TypeError: it is no number.
        ValueError: it is no number that can be counted to.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} is {value!r}: give {unit}, as a number")
    if not math.isfinite(value):
        raise ValueError(f"{name} is {value!r}: give {unit} that can be counted to")
    return value  # type: ignore[return-value]
