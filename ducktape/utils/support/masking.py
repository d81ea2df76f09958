# SPDX-License-Identifier: Apache-2.0
"""Recognizes secrets by name or form, and masks them."""

from __future__ import annotations

import functools
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

MASK = "***"
_MASKED = re.compile(r"\*\*\*(-\d+)?")
_DEEPEST = 100

_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase|code)|(^|_)pass($|_)|pwd|secret|token|credential"
    r"|(^|_|api|access|ssh|private|secret|auth|encryption|signing)keys?($|_)",
    re.IGNORECASE,
)
# Names of arguments that describe a secret, or mean another kind of key
_HARMLESS_ARGUMENT = re.compile(
    r"^keys?$|^keys?_|(^|_)(num|max|min|partition|row|sort|primary|foreign|message|record|hash|range|public|shard)_keys?$"
    r"|_(type|types|kind|format|style|backend|provider|count|length|len|mode|policy|strategy|method|scheme|mechanism)$"
    r"|_(algorithm|auth|ttl|lifetime|expiry|expiration|size|env|enabled|required|rotation|refresh|reset|strength)$"
    r"|_(name|file|path|dir|location|store|manager|endpoint|class|source)$|^(use|with|has|is|no|enable|disable)_",
    re.IGNORECASE,
)
_MAY_BE_A_NUMBER = re.compile(r"(password|passwd|passphrase|passcode|pass|pwd|secret|token)$", re.IGNORECASE)
_SECRETS_BY_NAME = re.compile(r"(pass(word|wd|phrase|code)|secret|token|credential|api_?key)s?$", re.IGNORECASE)
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_URL_PASSWORD = re.compile(r"(://[^/\s:@]*:)[^/\s@]+(?=@)")
# In broken JSON
_QUOTED = re.compile(r"""(["'])([^"'\\]*)\1(\s*:\s*)(?:(["'])((?:(?!\4)[^\\]|\\.)*)\4?|([^\s,}\]"'{\[]+))""")
_ASSIGNED = re.compile(r"(?<![\w-])(-{0,2}[\w.-]+)(=|:\s*)([^\s,}]+)")


@functools.lru_cache(maxsize=4096)  # thousands of tests have the same few arguments
def is_secret_name(name: str) -> bool:
    """Return whether a name, in any spelling such as ``dbPassword`` or ``API-KEY``, is that of a secret."""
    return _SECRET_NAME.search(_in_snake_case(name)) is not None


def is_secret_text(text: str) -> bool:
    """Return whether a text contains a private key or the password of a URL."""
    return "PRIVATE KEY-----" in text or _URL_PASSWORD.search(text) is not None


def is_secret(name: object, value: object) -> bool:
    """Return whether a value is a secret by its name; containers, switches and numbers (``max_tokens=5``) are not."""
    if not isinstance(name, str) or value is None or isinstance(value, (bool, dict, list, tuple)):
        return False
    if isinstance(value, str) and (not value or _MASKED.fullmatch(value)):
        return False
    if not is_secret_name(name):
        return False
    return not isinstance(value, (int, float)) or _MAY_BE_A_NUMBER.search(_in_snake_case(name)) is not None


def is_secret_argument(name: object, value: object) -> bool:
    """Return whether an argument of a test is a secret, which must not be part of its id."""
    if not isinstance(name, str) or not is_secret_name(name) or _HARMLESS_ARGUMENT.search(_in_snake_case(name)):
        return False
    if not isinstance(value, (list, tuple, set, frozenset, dict)):
        return is_secret(name, value)
    if isinstance(value, dict) and not _is_name_of_secrets(name):
        return False
    members = value.values() if isinstance(value, dict) else value
    return any(isinstance(each, (str, bytes)) and is_secret(name, each) for each in members)


def masked_text(text: str) -> str:
    """Return a text without private keys and passwords of URLs."""
    if "://" not in text and "PRIVATE KEY-----" not in text:
        return text
    return _URL_PASSWORD.sub(rf"\1{MASK}", _PRIVATE_KEY.sub(MASK, text))


def mask(text: str, *secrets: str | None) -> str:
    """Return a text without these secrets in any spelling, private keys, and passwords of URLs."""
    spellings: set[str] = set()
    for secret in filter(None, secrets):
        # As in texts, in literals of Python and JSON, in shell commands and in URLs
        spellings |= {secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], shlex.quote(secret).strip("'")}
        spellings.add(quote(secret, safe=""))
    # Longest first: an escaped spelling may contain the plain one
    for spelling in sorted(spellings, key=len, reverse=True):
        text = text.replace(spelling, MASK)
    return masked_text(text)


def masked(value: object) -> Any:
    """Return a copy of a value with all secrets in its dicts, lists and tuples masked."""
    return _masked(value, False, 0)


def _masked(value: object, is_named_secret: bool, depth: int) -> object:
    if isinstance(value, str):
        return MASK if is_named_secret and value else masked_text(value)
    if depth > _DEEPEST:
        return value
    if isinstance(value, Mapping):
        shown: dict[object, object] = {}
        for key, item in value.items():
            if is_secret(key, item):
                shown[key] = MASK
                continue
            # All items of a list of passwords are secrets
            is_plural = is_secret_name if isinstance(item, (list, tuple)) else _is_name_of_secrets
            holds_secrets = is_named_secret or (isinstance(key, str) and is_plural(key))
            shown[key] = _masked(item, holds_secrets, depth + 1)
        return shown
    if isinstance(value, (list, tuple)):
        return [_masked(item, is_named_secret, depth + 1) for item in value]
    return value


def _is_name_of_secrets(name: str) -> bool:
    """Return whether all values of a dict of this name are secrets, whatever their keys."""
    return _SECRETS_BY_NAME.search(_in_snake_case(name)) is not None


def masked_options(options: Mapping[str, object]) -> dict[str, object]:
    """Mask the secrets in the values of options, which may be JSON, paths or symbols."""
    shown: dict[str, object] = {}
    for name, value in options.items():
        if isinstance(value, str):
            shown[name] = masked_word(value)
        elif isinstance(value, list) and all(isinstance(each, str) for each in value):
            shown[name] = masked_command_line(value)
        else:
            hidden = masked(value)
            shown[name] = value if hidden == value else hidden
    return shown


def options_with_secrets(options: Mapping[str, object]) -> list[str]:
    """Return the names of the options in which secrets are masked."""
    return sorted(name for name, value in masked_options(options).items() if value != options[name])


def masked_command_line(words: Sequence[str]) -> list[str]:
    """Mask the secrets in the words of a command line: JSON, symbols, assignments and URLs."""
    return [masked_word(word) for word in words]


def masked_word(word: str) -> str:
    """Mask the secrets in a word of a command line."""
    start = min((position for position in (word.find("{"), word.find("[")) if position >= 0), default=-1)
    if start >= 0:
        try:
            value = json.loads(word[start:])
        except ValueError:
            value = None
        hidden = masked(value)
        if value is not None:
            return word if hidden == value else masked_text(word[:start]) + json.dumps(hidden)
    return _ASSIGNED.sub(_masked_assignment, _QUOTED.sub(_masked_quoted, masked_text(word)))


def _masked_quoted(match: re.Match[str]) -> str:
    quote, name, colon, value_quote, quoted, bare = match.groups(default="")
    if not is_secret(name, quoted or bare):
        return match[0]
    return f"{quote}{name}{quote}{colon}{value_quote}{MASK}{value_quote}"


def _masked_assignment(match: re.Match[str]) -> str:
    name = match[1].lstrip("-")
    return f"{match[1]}{match[2]}{MASK}" if is_secret(name, match[3]) else match[0]


def _in_snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").replace(".", "_").replace(" ", "_")
