# SPDX-License-Identifier: Apache-2.0
"""Configuration files as command lines: their words, where each stands, and those that cannot be meant."""

from __future__ import annotations

import argparse
import difflib
import errno
import glob
import os
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from ducktape.command_line.options.config_file import split_config_line
from ducktape.utils.support.files import read_text

_RESEMBLANCE = 0.8


class ConfigError(Exception):
    """A configuration file says something that makes no sense; the message names the file and the line."""


class QuietParser(argparse.ArgumentParser):
    """Raises what it has to say of wrong arguments."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(message)


class Word(NamedTuple):
    """One argument and the number of its line, from 1."""

    text: str
    line: int


def read_words(path: str) -> list[Word]:
    """Return the arguments in a configuration file.

    Args:
        path: the file.

    Raises:
        OSError: it cannot be read, or is no UTF-8 text.
    """
    try:
        lines = read_text(path).splitlines()
    except UnicodeDecodeError as error:
        raise OSError(errno.EILSEQ, f"it is not UTF-8 text: {error.reason} at byte {error.start}", path) from None
    return [Word(text, number) for number, line in enumerate(lines, start=1) for text in split_config_line(line)]


def oddities(words: list[Word], paths: list[str], options: list[str]) -> Iterator[tuple[Word, str]]:
    """Yield the words that are taken for paths of tests although they look like none, and what is odd about them.

    Args:
        words: of the file.
        paths: those words that are no options and no values of options.
        options: the names of all options.

    Raises:
        ConfigError: a word is the name of an option without its dashes.
    """
    waiting = list(paths)
    for word in words:
        if word.text not in waiting:
            continue
        waiting.remove(word.text)
        meant = _option_without_dashes(word.text, options)
        if os.path.exists(word.text):
            if meant:
                yield word, f"the word {word.text} is taken for the path of tests: write ./{word.text}, or {meant}"
        elif meant:
            raise ConfigError(f"line {word.line}: {word.text!r} is not an option: did you mean {meant}?")
        elif not _looks_like_tests(word.text):
            yield (
                word,
                f"the word {word.text!r} is neither an option nor an existing path, and is taken for tests",
            )


def _option_without_dashes(word: str, options: list[str]) -> str | None:
    plain = word.partition("=")[0].rstrip(":").lstrip("-").replace("_", "-").casefold()
    named = {option.removeprefix("--"): option for option in options if option.startswith("--")}
    close = difflib.get_close_matches(plain, named, n=1, cutoff=_RESEMBLANCE)
    return named[close[0]] if close else None


def _looks_like_tests(word: str) -> bool:
    return "::" in word or "/" in word or word.endswith((".py", ".yml", ".yaml")) or bool(glob.glob(word))
