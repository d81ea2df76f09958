# SPDX-License-Identifier: Apache-2.0
"""Configuration files: their words, and words that are probably mistakes."""

from __future__ import annotations

import contextlib
import difflib
import errno
import glob
import json
import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from ducktape.command_line.options.errors import UsageError
from ducktape.utils.support.files import read_text

_RESEMBLANCE = 0.8
_OPTION_WITH_VALUE = re.compile(r"--[\w-]+=(?=['\"])")
_QUOTED = re.compile(r"'([^']*)'(?=\s|$)|\"((?:[^\"\\]|\\.)*)\"(?=\s|$)")
_PLAIN = re.compile(r"\S+")
_TESTS = re.compile(r"::|/|\.(py|yml|yaml)$")


def split_config_line(line: str) -> list[str]:
    """Return the arguments in a line, separated by blanks outside of quotes and JSON, up to a comment.

    Quotes in the middle of a word stand for themselves, so that ``path::Class.method@{"x":1}`` needs no quoting.
    """
    words: list[str] = []
    position = 0
    while (start := _PLAIN.search(line, position)) is not None and line[start.start()] != "#":
        word, position = _next_word(line, start.start())
        words.append(word)
    return words


def _next_word(line: str, start: int) -> tuple[str, int]:
    option = _OPTION_WITH_VALUE.match(line, start)
    prefix = option[0] if option else ""
    quoted = _QUOTED.match(line, start + len(prefix))
    if quoted:
        value = quoted[1] if quoted[1] is not None else re.sub(r"\\(.)", r"\1", quoted[2])
        return prefix + value, quoted.end()
    if line[start] in "{[":
        with contextlib.suppress(ValueError):
            _, end = json.JSONDecoder().raw_decode(line, start)
            if end == len(line) or line[end].isspace():
                return line[start:end], end
    plain = _PLAIN.match(line, start)
    assert plain is not None  # the caller skipped the blanks
    return plain[0], plain.end()


class Word(NamedTuple):
    """One argument and the number of its line, from 1."""

    text: str
    line: int


def read_words(path: str) -> list[Word]:
    """Return the arguments in a configuration file; ``OSError`` also if it is not UTF-8 text."""
    try:
        lines = read_text(path).splitlines()
    except UnicodeDecodeError as error:
        raise OSError(errno.EILSEQ, f"it is not UTF-8 text: {error.reason} at byte {error.start}", path) from None
    return [Word(text, number) for number, line in enumerate(lines, start=1) for text in split_config_line(line)]


def suspicious_words(words: list[Word], paths: list[str], options: list[str]) -> Iterator[tuple[Word, str]]:
    """Yield the words that count as paths of tests but do not look like paths, and why.

    Raises:
        UsageError: a word is the name of an option without its dashes.
    """
    unchecked = list(paths)
    for word in words:
        if word.text not in unchecked:
            continue
        unchecked.remove(word.text)
        meant = similar_option(word.text, options)
        if os.path.exists(word.text):
            if meant:
                yield word, f"the word {word.text} is taken for the path of tests: write ./{word.text}, or {meant}"
        elif meant:
            raise UsageError(f"line {word.line}: {word.text!r} is not an option: did you mean {meant}?")
        elif not (_TESTS.search(word.text) or glob.glob(word.text)):
            yield (
                word,
                f"the word {word.text!r} is neither an option nor an existing path, and is taken for tests",
            )


def similar_option(word: str, options: list[str]) -> str | None:
    """Return the option that was probably meant by a word, written with or without dashes."""
    plain = word.partition("=")[0].rstrip(":").lstrip("-").replace("_", "-").casefold()
    named = {option.removeprefix("--"): option for option in options if option.startswith("--")}
    close = difflib.get_close_matches(plain, named, n=1, cutoff=_RESEMBLANCE)
    return named[close[0]] if close else None
