# SPDX-License-Identifier: Apache-2.0
"""Parses ``known_hosts`` files of OpenSSH."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import hmac
from fnmatch import fnmatchcase

REVOKED = "@revoked"
AUTHORITY = "@cert-authority"
_HASHED = "|1|"
_SSH_PORT = 22


@dataclasses.dataclass(frozen=True)
class KnownKey:
    """An entry: its line from 1, its marker (``@revoked``, ``@cert-authority``, or empty), and the kind and key."""

    line: int
    marker: str
    kind: str
    blob: bytes


def host_entry(hostname: str, port: int) -> str:
    """Return the name of a server in the file."""
    name = hostname.lower()
    return name if port == _SSH_PORT else f"[{name}]:{port}"


def keys_of(text: str, entry: str) -> list[KnownKey]:
    """Return the entries for a server, given its name in the file; invalid lines are ignored."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        marker = words.pop(0) if words and words[0].startswith("@") else ""
        if len(words) < 3 or words[0].startswith("#") or marker not in ("", REVOKED, AUTHORITY):
            continue
        names, kind, encoded = words[:3]
        if _concerns(names, entry) and (blob := _decoded(encoded)) is not None:
            found.append(KnownKey(number, marker, kind, blob))
    return found


def _concerns(names: str, entry: str) -> bool:
    if names.startswith(_HASHED):
        salt, _, digest = names.removeprefix(_HASHED).partition("|")
        key, wanted = _decoded(salt), _decoded(digest)
        if key is None or wanted is None:
            return False
        return hmac.compare_digest(hmac.new(key, entry.encode(), hashlib.sha1).digest(), wanted)
    patterns = [name.lower() for name in names.split(",")]
    if any(name.startswith("!") and _matches(entry, name[1:]) for name in patterns):
        return False
    return any(_matches(entry, name) for name in patterns if not name.startswith("!"))


def _matches(entry: str, pattern: str) -> bool:
    # Only * and ? are wildcards; brackets are literal
    return fnmatchcase(entry, pattern.replace("[", "[[]"))


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def line_of(entry: str, kind: str, blob: bytes) -> str:
    """Return the line for a key, with its newline."""
    return f"{entry} {kind} {base64.b64encode(blob).decode()}\n"


def fingerprint(blob: bytes) -> str:
    """Return the fingerprint of a key, as OpenSSH prints it."""
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"
