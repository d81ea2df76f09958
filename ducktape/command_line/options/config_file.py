# SPDX-License-Identifier: Apache-2.0
"""How a line of a configuration file splits into arguments."""

from __future__ import annotations

import json
import re

_OPTION_WITH_VALUE = re.compile(r"--[\w-]+=(?=['\"])")
_QUOTED = re.compile(r"'([^']*)'(?=\s|$)|\"((?:[^\"\\]|\\.)*)\"(?=\s|$)")
_PLAIN = re.compile(r"\S+")


def split_config_line(line: str) -> list[str]:
    """Return the arguments in a line.

    Words are separated by blanks. A word that begins with a quote ends at the matching one. JSON that begins with a
    brace or bracket is one word, blanks included. A word that begins with ``#`` begins a comment. Quotes in the middle
    of a word stand for themselves, so that ``path::Class.method@{"x":1}`` needs no quoting.

    Args:
        line: one line, with or without its end.
    """
    words: list[str] = []
    position = 0
    while (start := _skip_blanks(line, position)) < len(line):
        if line[start] == "#":
            break
        word, position = _next_word(line, start)
        words.append(word)
    return words


def _skip_blanks(line: str, position: int) -> int:
    while position < len(line) and line[position].isspace():
        position += 1
    return position


def _next_word(line: str, start: int) -> tuple[str, int]:
    option = _OPTION_WITH_VALUE.match(line, start)
    prefix = option[0] if option else ""
    quoted = _QUOTED.match(line, start + len(prefix))
    if quoted:
        value = quoted[1] if quoted[1] is not None else re.sub(r"\\(.)", r"\1", quoted[2])
        return prefix + value, quoted.end()
    if line[start] in "{[":
        end = _end_of_json(line, start)
        if end is not None:
            return line[start:end], end
    plain = _PLAIN.match(line, start)
    assert plain is not None  # the caller skipped the blanks
    return plain[0], plain.end()


def _end_of_json(line: str, start: int) -> int | None:
    try:
        _, end = json.JSONDecoder().raw_decode(line, start)
    except ValueError:
        return None
    return end if end == len(line) or line[end].isspace() else None
