# SPDX-License-Identifier: Apache-2.0
"""Errors of faults themselves."""

from __future__ import annotations

from ducktape.errors import DucktapeError, Skip


class FaultUnavailable(Skip):
    """A machine does not support a fault; a test that does not catch it is reported as ignored, with the reason.

    Args:
        reason: text for the reports: which machine, what is missing.
    """


class FaultError(DucktapeError):
    """A supported fault could not be injected or healed."""
