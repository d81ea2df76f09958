# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import shlex
from typing import Any
from urllib.parse import quote

import pytest

from ducktape.utils.support.masking import (
    is_secret_argument,
    mask,
    masked,
    masked_command_line,
    masked_options,
    options_with_secrets,
)

NAMES = [
    "password",
    "db_password",
    "apiToken",
    "AWS_SECRET_ACCESS_KEY",
    "passwd",
    "credentials",
    "private_key",
    "api-key",
]
HARMLESS: list[tuple[str, Any]] = [
    ("key", "a"),
    ("num_keys", 5),
    ("token_type", "jwt"),
    ("max_tokens", 5),
    ("bypass", "x"),
]
HARMLESS += [("secret_rotation", "fast"), ("use_password", "yes"), ("token_file", "/t"), ("password_strategy", "a")]
HARMLESS += [("tokens", [1, 2]), ("password", {"min": 5}), ("token_settings", {"kind": "jwt"})]
HARMLESS += [("use_password", True), ("password", ""), ("password", None), ("compass", "north"), ("password", "***-2")]


@pytest.mark.parametrize("name", NAMES)
def test_a_value_is_a_secret_because_of_its_name(name: str) -> None:
    assert is_secret_argument(name, "s3cret")
    assert masked({"a": [{name: "s3cret", "b": 1}]}) == {"a": [{name: "***", "b": 1}]}


@pytest.mark.parametrize(("name", "value"), HARMLESS)
def test_what_only_looks_like_a_secret_stays(name: str, value: object) -> None:
    assert not is_secret_argument(name, value)


def test_every_member_of_a_list_of_secrets_is_masked() -> None:
    assert masked({"passwords": ["s3cret", "other"]}) == {"passwords": ["***", "***"]}


@pytest.mark.parametrize("value", [["s3cret"], ("s3cret", 1), {"s3cret"}, {"db": "s3cret"}])
def test_an_argument_that_holds_secrets_is_one(value: object) -> None:
    assert is_secret_argument("passwords", value)


def test_everything_below_a_name_of_secrets_is_masked() -> None:
    nested = {"db": "s3cret", "more": {"mail": ["s3cret"], "port": 25}}
    assert masked({"secrets": nested}) == {"secrets": {"db": "***", "more": {"mail": ["***"], "port": 25}}}
    assert masked({"token_settings": {"kind": "jwt"}}) == {"token_settings": {"kind": "jwt"}}


def test_passwords_of_urls_and_private_keys_are_masked_under_any_name() -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----"
    assert masked(["amqp://u:s3cret@host/x", f"{key}."]) == ["amqp://u:***@host/x", "***."]


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ('{"a":{"password":"s3cret"}}', '{"a": {"password": "***"}}'),
        ('--globals={"token":"s3cret"}', '--globals={"token": "***"}'),
        ('t.py::A.test@{"password":"s3cret"}', 't.py::A.test@{"password": "***"}'),
        ('{"password": "s3cret"', '{"password": "***"'),
        ("{'password': 's3cret', 'a': 1}", "{'password': '***', 'a': 1}"),
        ("{password: s3cret}", "{password: ***}"),
        ('{"password": s3cret, "a": b}', '{"password": ***, "a": b}'),
        ('{"password": 1234, }', '{"password": ***, }'),
        ("--db-password=s3cret", "--db-password=***"),
        ('t.py::A.test@{"x":1}', 't.py::A.test@{"x":1}'),
        ("amqp://u:s3cret@host", "amqp://u:***@host"),
    ],
)
def test_a_word_of_a_command_line_has_no_secret(word: str, shown: str) -> None:
    assert masked_command_line([word]) == [shown]


def test_the_options_with_secrets_are_known() -> None:
    options = {"globals": {"password": "s3cret"}, "parameters": {"x": 1}, "test_path": ["t.py"], "debug": True}
    assert options_with_secrets(options) == ["globals"]
    assert masked_options(options) == {**options, "globals": {"password": "***"}}


@pytest.mark.parametrize("secret", ["s3cret", "hi'd\"den\\", "pä ss", "50%+a&b"])
def test_a_known_secret_is_masked_in_every_spelling(secret: str) -> None:
    spellings = [secret, repr(secret), json.dumps(secret), shlex.quote(secret), quote(secret, safe="")]
    shown = mask(f"{' | '.join(spellings)} amqp://u:other@host", secret, None, "")
    assert [text.strip("'\"") for text in shown.split(" | ")] == ["***", "***", "***", "***", "*** amqp://u:***@host"]


def test_a_text_without_a_known_secret_stays_as_it_is() -> None:
    assert mask("nothing to hide", None, "", "s3cret") == "nothing to hide"
