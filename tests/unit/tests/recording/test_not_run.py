# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest

from ducktape.tests.recording.not_run import NotRun
from tests.unit.tests.reports.samples import PROJECT, context

FIELDS = {
    "test_id": "demo_tests.test_demo.DemoTest.test_matrix.x=1",
    "module_name": "demo_tests.test_demo",
    "cls_name": "DemoTest",
    "function_name": "test_matrix",
    "injected_args": {"x": 1},
    "file_name": f"{PROJECT}/demo_tests/test_demo.py",
    "why": "the run was interrupted",
}


def test_an_entry_takes_what_it_says_from_its_context() -> None:
    entry = NotRun.of(context("test_matrix", {"x": 1}), "the run was interrupted")
    assert entry.to_json() == FIELDS


def test_an_entry_reads_back_what_it_wrote() -> None:
    entry = NotRun.from_json(FIELDS)
    assert NotRun.from_json(json.loads(json.dumps(entry.to_json()))) == entry
    assert entry.to_json() == FIELDS


def test_arguments_are_json_ready_whatever_they_were() -> None:
    entry = NotRun.of(context("test_matrix", {"x": {1}, "y": (2, print)}), "no time")
    assert entry.injected_args == {"x": [1], "y": [2, str(print)]}


def test_all_but_the_name_of_the_test_may_be_missing_or_unknown() -> None:
    entry = NotRun.from_json({"test_id": "a.B.c", "event": "not_run", "file_name": None})
    assert entry == NotRun("a.B.c", "", "", "", None, None, "")


def test_an_entry_without_a_test_is_none() -> None:
    with pytest.raises(ValueError, match="has no test_id"):
        NotRun.from_json({"why": "the run was interrupted"})
