# SPDX-License-Identifier: Apache-2.0
"""Where the merged logs of ``report.html`` are: in the page as long as there is room, then in files beside it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ducktape.tests.reports.session_details import SessionDetails
from ducktape.tests.status import PASS

if TYPE_CHECKING:
    from markupsafe import Markup

    from ducktape.tests.reports.log_files import LogFile
    from ducktape.tests.result import TestResult

# Stores a text under a name in the directory for details
Store = Callable[[str, str], None]
DETAILS = "report-details"
_ROOM = 8_000_000
# Few read the logs of tests that passed, and all wait for a large page
_ROOM_FOR_PASSED = 4_000_000
_MOST_READ = 64_000_000


class PageLogs:
    """The merged logs of a page.

    Attributes:
        in_page: the logs that the page has itself, with the anchors of their tests.
    """

    def __init__(self, details: SessionDetails, encode: Callable[[object], Markup], store: Store | None) -> None:
        self.in_page: list[tuple[str, Markup]] = []
        self._details = details
        self._encode = encode
        self._store = store
        self._room = _ROOM
        self._room_for_passed = _ROOM_FOR_PASSED
        self._readable = _MOST_READ

    def place(self, result: TestResult, anchor: str, files: Sequence[LogFile]) -> str | None:
        """Return the file with the merged log of a test; empty if the page has it, ``None`` if there is no such log.

        ``files`` are those in the directory of the test.
        """
        if not (self._details.logs_dir and result.relative_results_dir) or self._readable <= 0:
            return None
        has_passed = result.test_status == PASS
        if has_passed and not any(os.sep in file.path for file in files):
            return None  # its own log is all that there is
        room = min(self._room, self._room_for_passed) if has_passed else self._room
        if room <= 0 and (has_passed or self._store is None):
            return None
        # Compiles many expressions, and most pages have no such logs
        from ducktape.tests.reports.merged_log import MOST_OF_TEST, merged_log

        phases = [] if result.test_index is None else self._details.phases.get(result.test_index, [])
        directory = os.path.join(self._details.logs_dir, result.relative_results_dir)
        log = merged_log(result, phases, directory, files, most_bytes=min(MOST_OF_TEST, self._readable))
        self._readable -= log.bytes_read
        if not log.entries:
            return None
        data = self._encode(log.to_json())
        if len(data) <= room:
            self._room -= len(data)
            self._room_for_passed -= len(data) if has_passed else 0
            self.in_page.append((anchor, data))
            return ""
        if has_passed or self._store is None:
            return None
        self._store(f"{anchor}.js", f"showMergedLog({self._encode(anchor)}, {data});\n")
        return f"{DETAILS}/{anchor}.js"
