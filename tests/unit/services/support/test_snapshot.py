# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import enum
import json
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest

from ducktape.services.support.snapshot import PlainAttributes, values_of


def _noted(room: int = 1000, **attributes: Any) -> dict[str, str]:
    return PlainAttributes(room).of(SimpleNamespace(**attributes), frozenset())


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -7,
        1.5,
        "text with 'quotes' and \udc80",
        b"\x00\xff",
        [],
        [1, [2, "3"]],
        (),
        (1,),
        set(),
        {1, 2},
        {},
        {1: "a", ("b", 2): [None]},
    ],
)
def test_plain_values_come_back_as_they_were(value: Any) -> None:
    noted = json.loads(json.dumps(_noted(value=value)))
    assert values_of(noted) == {"value": value}
    assert type(values_of(noted)["value"]) is type(value)


def test_a_dict_of_another_kind_comes_back_as_a_dict() -> None:
    assert values_of(_noted(pids=defaultdict(list, {1: [2]}))) == {"pids": {1: [2]}}


class _Word(str, enum.Enum):
    YES = "yes"


_ENDLESS: list[Any] = []
_ENDLESS.append(_ENDLESS)


@pytest.mark.parametrize(
    "value",
    [
        object(),
        [1, object()],
        {object(): 1},
        float("inf"),
        _Word.YES,
        len,
        pytest.param(_ENDLESS, id="endless"),
        pytest.param(10**5000, id="long"),
    ],
)
def test_what_is_no_plain_value_is_left_out(value: Any) -> None:
    assert _noted(before=1, value=value, after=2) == {"before": "1", "after": "2"}


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "db_passwd",
        "sslKeyPassword",
        "SECRET",
        "auth_token",
        "credentials",
        "api_key",
        "apikey",
        "privateKey",
    ],
)
def test_secrets_are_left_out_by_their_names(name: str) -> None:
    attributes: dict[str, Any] = {name: "x", "port": 1}
    assert _noted(**attributes) == {"port": "1"}
    assert _noted(config=attributes) == {"config": "{'port': 1, }"}


@pytest.mark.parametrize("text", ["-----BEGIN RSA PRIVATE KEY-----\nMII", "https://user:geheim@host/"])
def test_secrets_are_left_out_by_their_texts(text: str) -> None:
    assert _noted(a=text, b=[text], c="https://host:80/x@y") == {"c": "'https://host:80/x@y'"}


def test_names_that_only_sound_like_secrets_are_kept() -> None:
    assert sorted(_noted(monkey=1, passed=2, keyspace=3, bypass=4)) == ["bypass", "keyspace", "monkey", "passed"]


def test_what_is_too_much_is_left_out_and_what_fits_is_kept() -> None:
    endless = range(10**9)
    noted = _noted(100, first="a", big="b" * 200, many=list(endless[:500]), last="c" * 50)
    assert noted == {"first": "'a'", "last": repr("c" * 50)}


def test_the_room_is_shared_by_several_objects() -> None:
    notes = PlainAttributes(10)
    assert notes.of(SimpleNamespace(a="12345"), frozenset()) == {"a": "'12345'"}
    assert notes.of(SimpleNamespace(b="12345", c=1), frozenset({"x"})) == {"c": "1"}
    assert notes.of(SimpleNamespace(c=1), frozenset({"c"})) == {}


def test_only_literals_are_read() -> None:
    with pytest.raises(ValueError, match="malformed"):
        values_of({"a": "__import__('os').getpid()"})
