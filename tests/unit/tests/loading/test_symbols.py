# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from ducktape.tests.loading.symbols import LoaderException, NoTestsError, TestSymbol, parse_symbol


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("path/to", TestSymbol("path/to")),
        ("path::", TestSymbol("path")),
        ("path::Class", TestSymbol("path", "Class")),
        ("path::Class.method", TestSymbol("path", "Class", "method")),
        ("path::.method", TestSymbol("path", "", "method")),
        ('path::Class.method@{"x": "a::b.c@d"}', TestSymbol("path", "Class", "method", {"x": "a::b.c@d"})),
        ('path::C.m@[{"x": 1}, {"x": 2}]', TestSymbol("path", "C", "m", [{"x": 1}, {"x": 2}])),
        ("path::C.m@{}", TestSymbol("path", "C", "m", {})),
        ("path::Class@{}", TestSymbol("path", "Class@{}")),
        ("dir@1/x.py::C.m.n", TestSymbol("dir@1/x.py", "C", "m.n")),
    ],
)
def test_a_symbol_is_taken_apart(text: str, expected: TestSymbol) -> None:
    assert parse_symbol(text) == expected


@pytest.mark.parametrize("parameters", ["{", "", "5", '"text"', "null"])
def test_what_follows_the_at_sign_is_an_object_or_an_array(parameters: str) -> None:
    with pytest.raises(LoaderException) as error:
        parse_symbol(f"path::C.m@{parameters}")
    assert str(error.value).startswith(f"Invalid discovery symbol: cannot parse params: {parameters} (after @ ")


def test_a_relative_path_begins_at_the_base_directory() -> None:
    assert parse_symbol("../a.py::C", "/base/dir").path == "/base/dir/../a.py"
    assert parse_symbol("/a.py::C", "/base/dir").path == "/a.py"


@pytest.mark.parametrize(
    "text", ["path", "path::Class", "path::Class.method", "path::.method", 'path::C.m@{"x": [1, null]}', "path::C.m@[]"]
)
def test_a_symbol_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_symbol(text)) == text


def test_only_a_symbol_without_members_names_whole_files() -> None:
    assert parse_symbol("path::").names_whole_files
    assert not parse_symbol("path::Class").names_whole_files
    assert not parse_symbol("path::.method").names_whole_files


def test_an_empty_selection_is_told_apart() -> None:
    assert str(NoTestsError()) == "No tests to run!"
    assert LoaderException.__bases__ == (Exception,)
    assert issubclass(NoTestsError, LoaderException)
