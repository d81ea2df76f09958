# SPDX-License-Identifier: Apache-2.0
"""This program and the published one collect the same tests in the same order from the same command lines.

The record of the published one is in `peer/expected.json`; where DUCKTAPE_PEER_PYTHON names an interpreter that has it,
the record is made anew and both are compared live.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.compatibility.peer.differences import (
    DIFFERENCES,
    NEVER_COLLECTED,
    NOW_IGNORED,
    NOW_IGNORED_WITHOUT_THE_VARIABLE,
    Difference,
)
from tests.compatibility.peer.invocations import INVOCATIONS, staged
from tests.compatibility.peer.record import (
    CHECKOUT,
    EXPECTED,
    PEER_VERSION,
    Program,
    Record,
    collected,
    collected_from_all,
    the_record,
)

OURS = Program(sys.executable, str(CHECKOUT))
_LONGEST = 255
_NO_DIFFERENCE = Difference("")
# The text of an IntEnum, and with it the id of a test that is given one, changed between these versions of Python.
_INT_ENUM = "values.test_int_enum."
_INT_ENUMS_COMPARE = sys.version_info >= (3, 11)


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    """What the published program collected."""
    python = os.environ.get("DUCKTAPE_PEER_PYTHON")
    if python:
        return the_record(python)
    loaded: dict[str, Any] = json.loads(EXPECTED.read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Record]:
    """What this program collects."""
    return collected_from_all(OURS, tmp_path_factory.mktemp("ours").resolve(), INVOCATIONS, forking=True)


def _up_to_arguments(test_id: str) -> str:
    return ".".join(test_id.split(".")[:4])


def _as_we_mend(rows: list[list[Any]], name: str) -> list[list[Any]]:
    """The rows of the record as they have to come out here."""
    difference = DIFFERENCES.get(name, _NO_DIFFERENCE)
    ignored = NOW_IGNORED
    if "CORPUS_FLAG" not in INVOCATIONS[name].environment:
        ignored = ignored | NOW_IGNORED_WITHOUT_THE_VARIABLE
    mended = []
    for row in rows:
        if row[0] in NEVER_COLLECTED or row[0] in difference.removed:
            continue
        if len(row) > 1 and _up_to_arguments(row[0]) in ignored:
            row = [row[0], row[1].replace("ignore=False", "ignore=True"), *row[2:]]
        mended.append(row)
    return mended


def _short_names_only(row: list[Any]) -> list[Any]:
    """A row without the parts of its directory that no file system takes; those come out shorter here."""
    if len(row) < 4:
        return row
    parts = row[3].split("/")
    return [*row[:3], "/".join(part if len(part.encode()) < _LONGEST else part[:200] for part in parts), *row[4:]]


def _comparable(rows: list[list[Any]]) -> list[list[Any]]:
    """The rows whose text does not depend on the version of Python; the record was made with 3.11."""
    rows = [row for row in rows if sys.version_info < (3, 12) or not any("OrderedDict" in str(part) for part in row)]
    return [_short_names_only(row) for row in rows if _INT_ENUMS_COMPARE or not row[0].startswith(_INT_ENUM)]


def test_the_record_is_that_of_the_published_version(expected: dict[str, Any]) -> None:
    assert (expected["version"], list(expected["invocations"])) == (PEER_VERSION, list(INVOCATIONS))


@pytest.mark.skipif("DUCKTAPE_PEER_PYTHON" not in os.environ, reason="DUCKTAPE_PEER_PYTHON names no interpreter")
def test_the_record_in_the_checkout_is_what_the_published_program_does(expected: dict[str, Any]) -> None:
    assert json.loads(EXPECTED.read_text(encoding="utf-8")) == expected


@pytest.mark.parametrize("name", INVOCATIONS)
def test_the_same_tests_in_the_same_order(name: str, expected: dict[str, Any], seen: dict[str, Record]) -> None:
    added = DIFFERENCES.get(name, _NO_DIFFERENCE).added
    mended = _as_we_mend(expected["invocations"][name]["tests"], name)

    ours = [row for row in seen[name]["tests"] if row[0] not in added]

    assert _comparable(ours) == _comparable(mended)


@pytest.mark.parametrize("name", [name for name, difference in DIFFERENCES.items() if difference.added])
def test_what_is_collected_in_addition(name: str, expected: dict[str, Any], seen: dict[str, Record]) -> None:
    ids = [row[0] for row in seen[name]["tests"]]

    assert sorted(i for i in ids if i in DIFFERENCES[name].added) == sorted(DIFFERENCES[name].added)
    assert ids == sorted(ids, key=lambda i: re.sub(r"-\d+$", "", i))


@pytest.mark.parametrize("name", INVOCATIONS)
def test_the_same_exit_code(name: str, expected: dict[str, Any], seen: dict[str, Record]) -> None:
    other = DIFFERENCES.get(name, _NO_DIFFERENCE).exit_code

    assert seen[name]["exit_code"] == (expected["invocations"][name]["exit_code"] if other is None else other)


@pytest.mark.parametrize("name", INVOCATIONS)
def test_the_same_message(name: str, expected: dict[str, Any], seen: dict[str, Record]) -> None:
    difference = DIFFERENCES.get(name, _NO_DIFFERENCE)
    wanted = expected["invocations"][name]["failure"] if difference.failure is None else [difference.failure]

    messages = seen[name]["failure"] if seen[name]["exit_code"] else wanted

    # Ours may go on after what the published program says, as with the cause of an error
    assert [ours[: len(theirs)] for ours, theirs in zip(messages, wanted, strict=True)] == wanted


def test_nothing_ends_in_a_traceback(seen: dict[str, Record]) -> None:
    assert {name: record["error"] for name, record in seen.items() if record["error"]} == {}


def test_a_difference_is_listed_only_where_there_is_an_invocation() -> None:
    assert sorted(DIFFERENCES.keys() - INVOCATIONS.keys()) == []


@pytest.mark.parametrize("seed", ["0", "1", "4711"])
@pytest.mark.parametrize("name", ["the current directory", "coinciding ids", "several folders in another order"])
def test_ids_and_order_do_not_depend_on_the_hash_seed(
    name: str, seed: str, seen: dict[str, Record], tmp_path: Path
) -> None:
    again = collected(OURS, INVOCATIONS[name], staged(tmp_path.resolve() / "corpus"), seed=seed)

    assert again["tests"] == seen[name]["tests"]


def test_broken_files_are_named_on_standard_error(seen: dict[str, Record]) -> None:
    said = seen["a broken folder"]["stderr"]

    broken = ("import_error", "missing_name", "raises", "raises_assertion", "sub", "syntax_error")
    assert [name for name in broken if f"broken/test_{name}.py" not in said] == []


def test_broken_files_may_be_passed_over_as_before(expected: dict[str, Any], tmp_path: Path) -> None:
    view = staged(tmp_path.resolve() / "corpus")

    record = collected(OURS, INVOCATIONS["a broken folder"], view, arguments=["--ignore-import-errors"])

    theirs = expected["invocations"]["a broken folder"]
    assert (record["exit_code"], record["tests"]) == (theirs["exit_code"], theirs["tests"])
