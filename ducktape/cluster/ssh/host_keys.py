# SPDX-License-Identifier: Apache-2.0
"""Checks the keys of servers before the login; imports paramiko."""

from __future__ import annotations

import os
import stat

import paramiko

from ducktape.cluster.ssh.config import IgnoreMissingHostKeyPolicy
from ducktape.cluster.ssh.host_key_mode import ACCEPT_NEW, HostKeyMode
from ducktape.cluster.ssh.known_hosts import AUTHORITY, REVOKED, KnownKey, fingerprint, host_entry, keys_of, line_of
from ducktape.utils.support.files import write_atomically


class HostKeyError(paramiko.SSHException):
    """The key of a server is unknown or has changed."""


class HostKeyPolicy:
    """Compares the keys of servers with ``known_hosts`` files; called by the library before the login."""

    def __init__(self, mode: HostKeyMode) -> None:
        self._mode = mode

    def known_types(self, hostname: str, port: int) -> tuple[str, ...]:
        """Return the kinds of known keys of a server, to request one of them."""
        return tuple(key.kind for _, key in self._known(host_entry(hostname, port)) if not key.marker)

    def missing_host_key(self, client: object, hostname: str, key: paramiko.PKey) -> None:
        """Check a server's key, given its name in ``known_hosts``; raises ``HostKeyError``."""
        entry = hostname.lower()
        known = self._known(entry)
        for path, each in known:
            if each.marker == REVOKED and each.blob == key.asbytes():
                raise HostKeyError(
                    f"the key of {entry} is revoked by {path}, line {each.line}: {_shown(key)}. "
                    "Give the machine another host key"
                )
        plain = [(path, each) for path, each in known if not each.marker]
        if any(each.blob == key.asbytes() for _, each in plain):
            return
        if plain:
            raise HostKeyError(self._changed(entry, key, plain))
        for path, each in known:
            if each.marker == AUTHORITY:
                raise HostKeyError(
                    f"{path}, line {each.line}, says that the key of {entry} is signed by an authority, which is not "
                    f"supported. Add the key itself: {_shown(key)}"
                )
        if self._mode.name != ACCEPT_NEW:
            raise HostKeyError(
                f"the host key of {entry} is not known: it shows {_shown(key)}, but {' and '.join(self._mode.files)} "
                f"{'has' if len(self._mode.files) == 1 else 'have'} no key for it. No password was sent. If this is "
                f"the machine's key, add the line: {line_of(entry, key.get_name(), key.asbytes()).strip()}"
            )
        self._remember(entry, key)

    def _known(self, entry: str) -> list[tuple[str, KnownKey]]:
        return [(path, key) for path in self._mode.files for key in keys_of(_text_of(path), entry)]

    def _remember(self, entry: str, key: paramiko.PKey) -> None:
        import filelock  # only the first connection to a new server needs it

        path = self._mode.files[0]
        try:
            os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
            with filelock.FileLock(f"{path}.lock"):
                text = _text_of(path)
                # Another process may have added the key meanwhile
                known = [each for each in keys_of(text, entry) if not each.marker]
                if any(each.blob == key.asbytes() for each in known):
                    return
                if known:
                    raise HostKeyError(self._changed(entry, key, [(path, each) for each in known]))
                newline = "\n" if text and not text.endswith("\n") else ""
                whole = f"{text}{newline}{line_of(entry, key.get_name(), key.asbytes())}"
                write_atomically(path, whole.encode("utf-8", "surrogateescape"))
        except OSError as error:
            raise HostKeyError(
                f"the key of {entry} cannot be remembered in {path}: {type(error).__name__}: {error.strerror or error}"
            ) from error

    def _changed(self, entry: str, key: paramiko.PKey, known: list[tuple[str, KnownKey]]) -> str:
        expected = ", ".join(f"{each.kind} {fingerprint(each.blob)} ({path}, line {each.line})" for path, each in known)
        return (
            f"the host key of {entry} has changed: it shows {_shown(key)}, but known is {expected}. Somebody may "
            "sit in between, and no password was sent. If the machine was made anew, remove the known line: "
            f"ssh-keygen -R '{entry}' -f {known[0][0]}"
        )


def _shown(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {fingerprint(key.asbytes())}"


def _text_of(path: str) -> str:
    try:
        # Do not block on pipes or replace devices
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise HostKeyError(f"the known host keys cannot be in {path}: it is no regular file")
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise HostKeyError(f"the known host keys in {path} cannot be read: {error.strerror}") from error


def policy_for(settings: object) -> HostKeyPolicy | IgnoreMissingHostKeyPolicy:
    """Return the policy for the keys of a node and its jump host."""
    mode = HostKeyMode.of(settings)
    return HostKeyPolicy(mode) if mode.files else IgnoreMissingHostKeyPolicy()
