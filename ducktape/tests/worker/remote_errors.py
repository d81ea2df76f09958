# SPDX-License-Identifier: Apache-2.0
"""The phase, the service and the machine of an error, for the summary of a test."""

from __future__ import annotations

from ducktape.cluster.account.error_place import account_of, frames_of, owner_of
from ducktape.services.service import Service
from ducktape.utils.support.guard import value_or

RAISED = "Raised in phase "


def place_of(error: BaseException, phase: str) -> str:
    """Return a line about where an error on a machine was raised; empty for other errors."""
    return value_or("", _place_of, error, phase)  # suites may have replaced methods that it calls


def _place_of(error: BaseException, phase: str) -> str:
    account = account_of(error)
    if not account:
        return ""
    methods = [
        (str(frame.f_globals.get("__name__")).startswith("ducktape."), f"{type(owner).__name__}.{frame.f_code.co_name}")
        for frame in frames_of(error)
        if isinstance(owner := owner_of(frame), Service)
    ]
    # The hook of the suite that was called first, or else the method of its base class
    methods.sort(key=lambda each: each[0])
    return f"{RAISED}{', '.join([phase, *(name for _, name in methods[:1]), account])}\n"
