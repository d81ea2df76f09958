# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ducktape.command_line.options.config_file import split_config_line


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("  \t \n", []),
        ("--debug", ["--debug"]),
        ("  --max-parallel 3 --debug \n", ["--max-parallel", "3", "--debug"]),
        ("--max-parallel=3", ["--max-parallel=3"]),
        ("a\tb\r\n", ["a", "b"]),
    ],
)
def test_words_are_separated_by_blanks(line: str, words: list[str]) -> None:
    assert split_config_line(line) == words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("# all of it", []),
        ("   # all of it", []),
        ("#", []),
        ("--cluster X # note", ["--cluster", "X"]),
        ("--cluster X #note --debug", ["--cluster", "X"]),
        ("a#b", ["a#b"]),
        ("--exclude tests/test_a.py#1", ["--exclude", "tests/test_a.py#1"]),
        ("'#a' b", ["#a", "b"]),
        ('{"a": "# no comment"} # one', ['{"a": "# no comment"}']),
    ],
)
def test_a_comment_begins_with_a_word(line: str, words: list[str]) -> None:
    assert split_config_line(line) == words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--results-root 'my results'", ["--results-root", "my results"]),
        ('--results-root "my results"', ["--results-root", "my results"]),
        ("--results-root='my results'", ["--results-root=my results"]),
        ('--results-root="my results"', ["--results-root=my results"]),
        ("'' \"\"", ["", ""]),
        (r'"a \"b\" \\ c"', [r'a "b" \ c']),
        (r"'a \b'", [r"a \b"]),
        ("'say \"x\"'", ['say "x"']),
        ('"it\'s"', ["it's"]),
    ],
)
def test_quotes_keep_blanks_together(line: str, words: list[str]) -> None:
    assert split_config_line(line) == words


@pytest.mark.parametrize(
    "word",
    [
        '{"x":"a"}',
        "it's",
        'say"so"',
        "'open",
        '"open',
        'tests/test_a.py::A.test_b@{"x":1,"s":"c/d"}',
        'tests/test_a.py::A.test_b@[{"x":1},{"x":\'2\'}]',
        r"C:\dir\file",
        "*",
        "~/x",
        "$HOME",
    ],
)
def test_everything_else_stands_for_itself(word: str) -> None:
    assert split_config_line(f"--globals {word} --debug") == ["--globals", word, "--debug"]


@pytest.mark.parametrize(
    "text",
    ['{"x": "a b"}', '{"a": [1, 2, {"b": null}]}', "[1, 2]", '{ "x" : "}" }', '{"x": "it\'s a \\" quote"}'],
)
def test_json_is_one_word_with_its_blanks(text: str) -> None:
    assert split_config_line(f"--globals {text} --debug") == ["--globals", text, "--debug"]


@pytest.mark.parametrize("text", ['\'{"x": "a b"}\'', '"{\\"x\\": \\"a b\\"}"'])
def test_json_may_be_quoted_as_in_a_shell(text: str) -> None:
    assert split_config_line(f"--globals {text}") == ["--globals", '{"x": "a b"}']


def test_what_is_no_json_is_split_at_blanks() -> None:
    assert split_config_line('{"x": 1 --debug') == ['{"x":', "1", "--debug"]
    assert split_config_line('{"x": 1}y z') == ['{"x":', "1}y", "z"]


# Other programs run on the machine: a slow example is no error
_UNHURRIED = settings(deadline=None, max_examples=50, database=None)


@_UNHURRIED
@given(st.dictionaries(st.text(), st.recursive(st.text() | st.integers(), st.lists), max_size=3))
def test_any_json_object_is_read_back(value: dict[str, object]) -> None:
    text = json.dumps(value)
    assert split_config_line(f"--globals {text} --debug") == ["--globals", text, "--debug"]


@_UNHURRIED
@given(st.lists(st.text(alphabet="ab \"'#{\\=-", min_size=1), min_size=1))
def test_words_quoted_for_a_shell_without_quotes_inside_are_read_back(words: list[str]) -> None:
    plain = [word.replace("'", "") or "x" for word in words]
    assert split_config_line(" ".join("'" + word + "'" for word in plain)) == plain
    assert shlex.split(" ".join("'" + word + "'" for word in plain)) == plain
