# SPDX-License-Identifier: Apache-2.0
"""How processes are looked for by a text: as the shell and ``grep`` read it, and as it stands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

# Prints what every process was started with. Lines with this text are the search itself, its shell, or another search.
LISTING = "env LC_ALL=C.UTF-8 ps axww -o pid= -o args="
_LISTING_ITSELF = "ps axww -o pid= -o args="

# Characters that mean the same to grep as to a reader; a dot matches itself, too.
_PLAIN = re.compile(r"[-\w/.:=@%+, ]*", re.ASCII)
_FILTERS = frozenset(
    ["awk", "cut", "egrep", "fgrep", "gawk", "grep", "head", "mawk", "nawk", "sed", "sort", "tail", "tr", "uniq"]
)
_PATTERN_OPTION = re.compile(r"-[EFGPiwx]*e(.*)|--regexp=(.*)", re.DOTALL)
_PLAIN_OPTION = re.compile(r"-[EFGPiwx]+|--(extended-regexp|fixed-strings|basic-regexp|perl-regexp|ignore-case)")
# Parts of the pipeline that show in the listing while it runs, or are taken out of it
_OWN_WORDS = ("ps ax", "awk {print $1}", "grep")


@dataclass(frozen=True)
class Search:
    """How processes are looked for.

    Attributes:
        grep: arguments of ``grep -i`` as a shell reads them; ``None`` if grep cannot be asked.
        texts: what a command line contains, in lower case; empty if grep finds all of that.
    """

    grep: str | None
    texts: tuple[str, ...] = ()

    def pids(self, listing: Iterable[str]) -> list[int]:
        """The processes of the listing whose command line contains one of the texts."""
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
    """How processes are looked for by a text, which may be quoted for the shell, a regular expression, or neither.

    Raises:
        ValueError: every process would match, or none ever could.
    """
    words = _shell_words(text)
    if not (text.strip() if words is None else words and all(word.strip() for word in words)):
        raise ValueError(f"{text!r} would match every process: give a text that tells the wanted ones apart")
    if any(ord(character) < 32 for character in text.strip()):
        raise ValueError(f"{text!r} has control characters, which listings of processes do not show")
    texts = _texts(text.strip(), words)
    grep = _grep_arguments(text.strip(), words)
    if any(each in own for each in texts for own in _OWN_WORDS) or (words is not None and "grep" in text.lower()):
        return Search(None, texts)
    covered = grep is not None and words is not None and all(map(_PLAIN.fullmatch, texts))
    return Search(grep, () if covered else texts)


# The text and the regular expression are looked for one after the other, since awk ends at a wrong expression.
_JAVA_SEARCH = r"""
listing=$(jcmd) || exit
export MATCH="$1"
for condition in 'index($0, ENVIRON["MATCH"])' '$0 ~ ENVIRON["MATCH"]'; do
  printf '%s\n' "$listing" | awk "!/sun\.tools\.jcmd\.JCmd/ && $condition { print \$1 }"
done
:
"""


def java_search(match: str) -> str:
    """A command that prints the ids of Java programs, by a text of their line in ``jcmd`` or a pattern of awk."""
    if match and re.fullmatch(r"[\w:=@%, -]*", match, re.ASCII) and match not in "jdk.jcmd/sun.tools.jcmd.JCmd":
        return f"jcmd | awk '/{match}/ {{ print $1 }}'"
    return shlex.join(["sh", "-c", _JAVA_SEARCH, "sh", match])


def _texts(text: str, words: list[str] | None) -> tuple[str, ...]:
    """What a command line may contain: the text, and what is left of it when its quotes are those of a shell."""
    if words is None:
        return (text.lower(),)
    unquoted = " ".join(words).lower()
    if len(words) == 1 and text in (f'"{words[0]}"', f"'{words[0]}'"):
        return (unquoted,)
    return tuple(dict.fromkeys((text.lower(), unquoted)))


def _grep_arguments(text: str, words: list[str] | None) -> str | None:
    """The text as arguments of grep: as it stands where grep takes it, else as one pattern."""
    if words is None:
        return text if _is_pipeline(text) else None
    if _are_grep_arguments(words):
        return text
    if len(words) > 1 or words[0].startswith("-"):
        return f"-e {shlex.quote(text)}"
    # Unquoted, the shell would put names of files in its place, which grep would search, or take the rest for a comment
    may_be_file_names = re.search(r"[*?[]", text) and not re.search(r"[$`\\'\"]", text)
    return f"-e {shlex.quote(text)}" if may_be_file_names or text.startswith("#") else text


def _tokens(text: str, *, posix: bool) -> list[str]:
    lexer = shlex.shlex(text, posix=posix, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    return list(lexer)


def _shell_words(text: str) -> list[str] | None:
    """The words that a shell would make of a text, ``None`` if it has operators, or quotes that do not end."""
    try:
        return None if _operators(text) else shlex.split(text)
    except ValueError:
        return None


def _operators(text: str) -> set[str]:
    """The operators of a shell that stand outside of quotes."""
    return {token for token in _tokens(text, posix=False) if set(token) <= set("();<>|&")}


def _is_pipeline(text: str) -> bool:
    """Whether a text is a pattern and further filters, such as ``java | grep -v test``."""
    try:
        if _operators(text) != {"|"}:
            return False
        tokens = _tokens(text, posix=True)
    except ValueError:
        return False
    filters = [tokens[at + 1 : at + 2] for at, token in enumerate(tokens) if token == "|"]
    return tokens[0] != "|" and all(each and each[0] in _FILTERS for each in filters)


def _are_grep_arguments(words: list[str]) -> bool:
    """Whether words are options of grep that choose the kind of pattern, and patterns; none is a file."""
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
