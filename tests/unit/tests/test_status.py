# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import copy
import json
import pickle

import pytest

from ducktape.json_serializable import DucktapeJSONEncoder
from ducktape.tests.status import FAIL, FLAKY, IGNORE, PASS, TestStatus

ALL = {"pass": PASS, "flaky": FLAKY, "fail": FAIL, "ignore": IGNORE}


@pytest.mark.parametrize("name", ALL)
def test_a_status_prints_in_lower_case_and_serialises_in_upper_case(name: str) -> None:
    status = ALL[name]
    assert str(status) == name
    assert status.to_json() == name.upper()
    assert json.dumps({"status": status}, cls=DucktapeJSONEncoder) == f'{{"status": "{name.upper()}"}}'


@pytest.mark.parametrize("name", ALL)
def test_a_status_equals_its_name_in_any_case_from_both_sides(name: str) -> None:
    status = ALL[name]
    for spelling in (name, name.upper(), name.capitalize()):
        assert status == spelling
        assert spelling == status
        assert status == TestStatus(spelling)
    assert (status != name) is False


@pytest.mark.parametrize("name", ALL)
def test_a_status_differs_from_the_other_ones_and_from_anything_else(name: str) -> None:
    others = [other for other in ALL if other != name]
    assert [other for other in others if ALL[name] == other or ALL[name] == ALL[other]] == []
    assert [value for value in (None, 0, "", f"{name} ", object()) if ALL[name] == value] == []


def test_a_status_cannot_be_a_key() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(PASS)


def test_a_status_survives_copying_and_pickling() -> None:
    assert copy.deepcopy(FLAKY) == FLAKY
    assert pickle.loads(pickle.dumps(FLAKY)) == FLAKY


def test_a_status_shows_its_name_in_a_debugger() -> None:
    assert repr(TestStatus("PASS")) == "TestStatus('pass')"
