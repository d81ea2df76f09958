# SPDX-License-Identifier: Apache-2.0
"""Directories of the machine that runs the tests."""

from __future__ import annotations

import os


def mkdir_p(path: str | os.PathLike[str]) -> None:
    """Make a directory and its parents; one that exists is fine.

    Args:
        path: the directory.

    Raises:
        OSError: it cannot be made, for example because something else has that name.
    """
    os.makedirs(path, exist_ok=True)
