# SPDX-License-Identifier: Apache-2.0
"""The four outcomes of a test."""

from __future__ import annotations


class TestStatus:
    """One outcome of a test, printed in lower case, written to JSON in upper case.

    Compares equal, whatever the case, to strings and to other statuses of the same name.
    """

    __test__ = False
    __hash__ = None  # type: ignore[assignment]  # equal to strings of any case, so there is no consistent hash

    def __init__(self, name: str) -> None:
        self._name = str(name).lower()

    def __eq__(self, other: object) -> bool:
        return str(other).lower() == self._name

    def __str__(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f"TestStatus({self._name!r})"

    def to_json(self) -> str:
        """Return the upper-case name, as report.json has it."""
        return self._name.upper()


PASS = TestStatus("pass")
FLAKY = TestStatus("flaky")
FAIL = TestStatus("fail")
IGNORE = TestStatus("ignore")


def status_named(name: str) -> TestStatus:
    """Return one of the four statuses by its name in any case; raises ``ValueError`` if there is none of that name."""
    for status in (PASS, FLAKY, FAIL, IGNORE):
        if status == name:
            return status
    raise ValueError(f"there is no status {name!r}: PASS, FLAKY, FAIL and IGNORE are all")
