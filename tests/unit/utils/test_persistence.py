# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import copy
import json
import operator
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from ducktape.utils.persistence import PDict, make_dict, not_implemented_method

CHANGES: dict[str, Callable[[Any], object]] = {
    "assign": lambda d: operator.setitem(d, "a", 2),
    "delete": lambda d: operator.delitem(d, "a"),
    "update": lambda d: d.update(a=2),
    "clear": lambda d: d.clear(),
    "pop": lambda d: d.pop("a"),
    "popitem": lambda d: d.popitem(),
    "setdefault": lambda d: d.setdefault("b", 2),
    "merge": lambda d: d.__ior__({"b": 2}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_nothing_changes_it(change: Callable[[Any], object]) -> None:
    values = PDict(a=1)
    with pytest.raises(NotImplementedError, match=r"^Cannot set values in a PDict$"):
        change(values)
    assert values == {"a": 1}


def test_the_refusal_is_a_function_of_its_own() -> None:
    with pytest.raises(NotImplementedError, match=r"^Cannot set values in a PDict$"):
        not_implemented_method("anything", at="all")


def test_make_dict_is_another_name() -> None:
    assert make_dict is PDict


def test_it_reads_like_a_dict() -> None:
    values = PDict({"a": {"b": 1}})
    assert (values["a"], values.get("x", 5), "a" in values, json.dumps(values)) == (
        {"b": 1},
        5,
        True,
        '{"a": {"b": 1}}',
    )


@pytest.mark.parametrize(
    "duplicate",
    [PDict.copy, copy.copy, copy.deepcopy, lambda d: pickle.loads(pickle.dumps(d))],
    ids=["method", "copy", "deepcopy", "pickle"],
)
def test_copies_are_of_the_same_kind(duplicate: Callable[[PDict], object]) -> None:
    values = PDict(a=[1])
    copied = duplicate(values)
    assert (type(copied), copied) == (PDict, {"a": [1]})
    assert copied is not values


def test_using_and_without_give_changed_copies() -> None:
    values = PDict(a=1, b=2)
    assert (values.using(b=3, c=4), values.without("a")) == ({"a": 1, "b": 3, "c": 4}, {"b": 2})
    assert isinstance(values.using(a=2), PDict)
    assert isinstance(values.without("a"), PDict)
    assert values == {"a": 1, "b": 2}


def test_without_an_absent_key_is_an_error() -> None:
    with pytest.raises(KeyError):
        PDict(a=1).without("b")


def test_the_transient_form_is_a_plain_dict() -> None:
    transient = PDict(a=1)._as_transient()
    assert type(transient) is dict
    assert transient == {"a": 1}
