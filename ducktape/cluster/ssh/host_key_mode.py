# SPDX-License-Identifier: Apache-2.0
"""Modes of checking the keys of SSH servers, from the node's settings or the options of the run.

The options reach the processes of tests, and users' own clusters, by an environment variable.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import MutableMapping

from ducktape.command_line.defaults import ConsoleDefaults

OFF = "off"
ACCEPT_NEW = "accept-new"
STRICT = "strict"
MODES = (OFF, ACCEPT_NEW, STRICT)
FILE_NAME = "known_hosts"
_VARIABLE = "DUCKTAPE_HOST_KEYS"
# Names of OpenSSH; "ask" is strict, since nobody can answer
_SYNONYMS = {"no": OFF, "false": OFF, "yes": STRICT, "true": STRICT, "ask": STRICT}
_NO_FILE = ("none", os.devnull)
_OF_USER_AND_MACHINE = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")


def mode_named(name: object) -> str:
    """Return the mode with a name, which may be one of OpenSSH; raises ``ValueError`` for others."""
    if isinstance(name, bool):
        name = str(name)
    mode = _SYNONYMS.get(str(name).lower(), str(name).lower())
    if mode not in MODES:
        raise ValueError(f"stricthostkeychecking must be one of {', '.join(MODES)}, not {name!r}")
    return mode


@dataclasses.dataclass(frozen=True)
class HostKeyMode:
    """A mode (``off``, ``accept-new`` or ``strict``) with the files of known keys; new keys are added to the first."""

    name: str
    files: tuple[str, ...] = ()

    @staticmethod
    def of(settings: object) -> HostKeyMode:
        """Return the mode for a node, whose own settings win over the options of the run."""
        run = json.loads(os.environ.get(_VARIABLE) or "{}")
        own = getattr(settings, "stricthostkeychecking", None)
        name = own or run.get("mode") or OFF
        if name == OFF:
            return HostKeyMode(OFF)
        files = files_named(getattr(settings, "userknownhostsfile", None)) or files_named(run.get("file"))
        if files:
            return HostKeyMode(name, files)
        if name == STRICT:
            return HostKeyMode(name, tuple(map(os.path.expanduser, _OF_USER_AND_MACHINE)))
        root = run.get("results_root") or ConsoleDefaults.RESULTS_ROOT_DIRECTORY
        return HostKeyMode(name, (os.path.join(root, FILE_NAME),))

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(self.files)})" if self.files else self.name


def files_named(text: str | None) -> tuple[str, ...]:
    """Return the files of ``UserKnownHostsFile``; empty for ``none``."""
    path = os.path.expanduser(text or "")
    names = [path] if os.path.exists(path) else [os.path.expanduser(word) for word in (text or "").split()]
    return tuple(name for name in names if name not in _NO_FILE)


def tell_processes(
    mode: str | None, file: str | None, results_root: str, environment: MutableMapping[str, str]
) -> None:
    """Store the options of the run for this process and its children; a file of known keys alone means ``strict``."""
    options = {
        "mode": mode or (STRICT if file else None),
        "file": None if file is None else os.path.abspath(os.path.expanduser(file)),
        "results_root": os.path.abspath(results_root),
    }
    environment[_VARIABLE] = json.dumps(options)
