# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.cluster.account.errors import RemoteAccountError
from ducktape.utils.support.text import class_and_text, reason_of, short_text


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ZeroDivisionError


def test_the_class_stands_before_the_text_and_alone_without_one() -> None:
    errors = [KeyError(1), TimeoutError(), ValueError(" two\nlines "), Unspeakable("x")]
    assert [class_and_text(error) for error in errors] == [
        "KeyError: 1",
        "TimeoutError",
        "ValueError: two\nlines",
        "Unspeakable",
    ]
    assert short_text(errors[2]) == "ValueError: two lines"


def test_errors_that_are_written_for_people_speak_for_themselves() -> None:
    errors = [OSError("gone"), RemoteAccountError("w1", "is off"), TimeoutError(), KeyError(1)]
    assert [reason_of(error) for error in errors] == ["gone", "w1: is off", "TimeoutError", "KeyError: 1"]
