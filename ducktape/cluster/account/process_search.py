# SPDX-License-Identifier: Apache-2.0
"""Searches for processes by a text: as the shell and ``grep`` interpret it, and literally."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

# Prints the command lines of all processes. Lines with this text belong to searches
LISTING = "env LC_ALL=C.UTF-8 ps axww -o pid= -o args="
_LISTING_ITSELF = "ps axww -o pid= -o args="

# Characters without a special meaning for grep; a dot matches itself, too
_PLAIN = re.compile(r"[-\w/.:=@%+, ]*", re.ASCII)
_FILTERS = frozenset(
    ["awk", "cut", "egrep", "fgrep", "gawk", "grep", "head", "mawk", "nawk", "sed", "sort", "tail", "tr", "uniq"]
)
_PATTERN_OPTION = re.compile(r"-[EFGPiwx]*e(.*)|--regexp=(.*)", re.DOTALL)
_PLAIN_OPTION = re.compile(r"-[EFGPiwx]+|--(extended-regexp|fixed-strings|basic-regexp|perl-regexp|ignore-case)")
# Parts of the pipeline that show in the listing, or are removed from it
_OWN_WORDS = ("ps ax", "awk {print $1}", "grep")


@dataclass(frozen=True)
class Search:
    grep: str | None  # arguments of ``grep -i`` for a shell; ``None`` if grep cannot be used
    texts: tuple[str, ...] = ()  # in the command line, in lower case; empty if grep finds all of them

    def pids(self, listing: Iterable[str]) -> list[int]:
        """Return the processes of a listing whose command line contains one of the texts."""
        found = []
        for line in listing:
            pid, _, arguments = line.strip().partition(" ")
            if (
                pid.isdecimal()
                and _LISTING_ITSELF not in arguments
                and any(text in arguments.lower() for text in self.texts)
            ):
                found.append(int(pid))
        return found


def search_for(text: str) -> Search:
    """Return the search for a text, quoted or a regular expression; ``ValueError`` if it would match everything."""
    try:
        words = None if _operators(text) else shlex.split(text)
    except ValueError:  # quotes are not closed
        words = None
    if not (text.strip() if words is None else words and all(word.strip() for word in words)):
        raise ValueError(f"{text!r} would match every process: give a text that tells the wanted ones apart")
    if any(ord(character) < 32 for character in text.strip()):
        raise ValueError(f"{text!r} has control characters, which listings of processes do not show")
    pattern = text.strip()
    texts: tuple[str, ...] = (pattern.lower(),)
    if words is not None:
        unquoted = " ".join(words).lower()
        is_quoted_word = len(words) == 1 and pattern in (f'"{words[0]}"', f"'{words[0]}'")
        texts = (unquoted,) if is_quoted_word else tuple(dict.fromkeys((*texts, unquoted)))
    grep = _grep_arguments(pattern, words)
    if any(each in own for each in texts for own in _OWN_WORDS) or (words is not None and "grep" in text.lower()):
        return Search(None, texts)
    covered = grep is not None and words is not None and all(map(_PLAIN.fullmatch, texts))
    return Search(grep, () if covered else texts)


# Two calls, since awk fails for an invalid regular expression
_JAVA_SEARCH = r"""
listing=$(jcmd) || exit
export MATCH="$1"
for condition in 'index($0, ENVIRON["MATCH"])' '$0 ~ ENVIRON["MATCH"]'; do
  printf '%s\n' "$listing" | awk "!/sun\.tools\.jcmd\.JCmd/ && $condition { print \$1 }"
done
:
"""


def java_search(match: str) -> str:
    """Return the command that prints the ids of Java programs, by a text or awk pattern of their ``jcmd`` line."""
    if match and re.fullmatch(r"[\w:=@%, -]*", match, re.ASCII) and match not in "jdk.jcmd/sun.tools.jcmd.JCmd":
        return f"jcmd | awk '/{match}/ {{ print $1 }}'"
    return shlex.join(["sh", "-c", _JAVA_SEARCH, "sh", match])


def _grep_arguments(text: str, words: list[str] | None) -> str | None:
    """Return the text as arguments of grep: unchanged if possible, else as one pattern."""
    if words is None:
        return text if _is_pipeline(text) else None
    if _are_grep_arguments(words):
        return text
    if len(words) > 1 or words[0].startswith("-"):
        return f"-e {shlex.quote(text)}"
    # Unquoted, the shell would expand it to file names, or treat the rest as a comment
    may_be_file_names = re.search(r"[*?[]", text) and not re.search(r"[$`\\'\"]", text)
    return f"-e {shlex.quote(text)}" if may_be_file_names or text.startswith("#") else text


def _tokens(text: str, *, posix: bool) -> list[str]:
    lexer = shlex.shlex(text, posix=posix, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    return list(lexer)


def _operators(text: str) -> set[str]:
    """Return the operators of a shell outside of quotes."""
    return {token for token in _tokens(text, posix=False) if set(token) <= set("();<>|&")}


def _is_pipeline(text: str) -> bool:
    """Return whether a text is a pattern with further filters, such as ``java | grep -v test``."""
    try:
        if _operators(text) != {"|"}:
            return False
        tokens = _tokens(text, posix=True)
    except ValueError:
        return False
    filters = [tokens[at + 1 : at + 2] for at, token in enumerate(tokens) if token == "|"]
    return tokens[0] != "|" and all(each and each[0] in _FILTERS for each in filters)


def _are_grep_arguments(words: list[str]) -> bool:
    """Return whether words are patterns and related options of grep, and none is a file."""
    if not words[0].startswith("-"):
        return False
    rest = list(words)
    patterns = 0
    while rest and rest[0].startswith("-") and rest[0] != "--":
        option = rest.pop(0)
        pattern = _PATTERN_OPTION.fullmatch(option)
        if pattern:
            patterns += 1
            if not (pattern[1] or pattern[2]) and rest:
                rest.pop(0)
        elif not _PLAIN_OPTION.fullmatch(option):
            return False
    if rest and rest[0] == "--":
        return len(rest) == (1 if patterns else 2)
    return len(rest) == (0 if patterns else 1)
