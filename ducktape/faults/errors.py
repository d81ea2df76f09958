# SPDX-License-Identifier: Apache-2.0
"""What goes wrong with faults themselves."""

from __future__ import annotations

from ducktape.errors import DucktapeError, Skip


class FaultUnavailable(Skip):
    """A machine lacks what a fault needs; a test that lets it through is reported as ignored, with the reason.

    Args:
        reason: text for the reports: which machine, what is missing.
    """


class FaultError(DucktapeError):
    """A fault could not be brought about, or not be undone, although everything for it seemed to be there."""
