# SPDX-License-Identifier: Apache-2.0
"""Unknown keys of cluster files: misspelt ones are errors, others warnings."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from ducktape.cluster.ssh.config import RemoteAccountSSHConfig
from ducktape.utils.support.files import read_text
from ducktape.utils.support.json_places import Key, keys_of
from ducktape.utils.support.strictness import tolerate

_Path = tuple[str | int, ...]

_TOP = frozenset({"nodes", "lease_dir"})
_NODE = frozenset({"ssh_config", "externally_routable_ip", "node_type"})
_LOGIN = frozenset(
    each.name
    for each in inspect.signature(RemoteAccountSSHConfig).parameters.values()
    if each.kind is not each.VAR_KEYWORD
)
# Old files carry these beside ssh_config, where they have no effect
_OLD = frozenset({"hostname", "host", "user", "ssh_hostname", "ssh_user", "ssh_args", "ssh_port", "ssh_key", "name"})
# What `vagrant ssh-config` and SSH configurations say beside what is used
_OF_SSH = frozenset(
    {
        "stricthostkeychecking",
        "userknownhostsfile",
        "globalknownhostsfile",
        "passwordauthentication",
        "pubkeyauthentication",
        "identitiesonly",
        "loglevel",
        "forwardagent",
        "addkeystoagent",
        "serveraliveinterval",
        "serveralivecountmax",
        "pubkeyacceptedkeytypes",
        "pubkeyacceptedalgorithms",
        "hostkeyalgorithms",
        "compression",
    }
)
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_NO_FILE = "cluster description"
_RESEMBLANCE = 0.8
# What people write for others, compared without underscores and case
_MEANT = {"username": "user", "address": "hostname", "privatekey": "identityfile", "keyfile": "identityfile"}


def check_top(description: Mapping[str, object], file: str | None) -> None:
    """Check the keys beside ``nodes``: ``ValueError`` for a misspelt one, ``CompatibilityWarning`` for unknown ones."""
    _check(description, _TOP, (), (), file)
    if file is None:
        return
    seen: set[_Path] = set()
    for key in _keys(file):
        if key.path in seen:
            tolerate(f"the key {_spelled(key.path)} stands twice: the last one counts", file, key.line)
        seen.add(key.path)


def check_node(position: int, node: Mapping[str, Any], file: str | None) -> None:
    """Check the keys of a node and of its login, as :func:`check_top` does, and that it has an address."""
    place: _Path = ("nodes", position)
    _check(node, _NODE, _OLD, place, file)
    login = node["ssh_config"]
    place = (*place, "ssh_config")
    _check(login, _LOGIN, _OF_SSH, place, file)
    host = login.get("host")
    if not login.get("hostname") and host not in _LOCAL:
        name = f"node {host}" if host else "a node"
        problem = f"{_spelled(place)} has no hostname, so this machine (localhost) stands for {name}"
        tolerate(problem, file or _NO_FILE, _line_of(place, file))


def _check(
    holder: Mapping[str, object], known: frozenset[str], silent: Iterable[str], place: _Path, file: str | None
) -> None:
    for key in map(str, holder):
        if key in known or key in silent or key.startswith(("_", "#", "//")) or key in ("comment", "description"):
            continue
        path = (*place, key)
        meant = _resembling(key, known)
        if meant is not None and (meant not in holder or holder[meant] is None):
            # The caller names the node
            raise ValueError(f"{_spelled(path[2:] or path)} is an unknown key: did you mean {meant}?")
        problem = f"the key {_spelled(path)} is unknown and has no effect"
        tolerate(problem, file or _NO_FILE, _line_of(path, file))


def _resembling(key: str, known: frozenset[str]) -> str | None:
    plain = {each.replace("_", ""): each for each in sorted(known)}
    written = key.replace("_", "").replace("-", "").casefold()
    if _MEANT.get(written) in known:
        return _MEANT[written]
    close = difflib.get_close_matches(written, plain, n=1, cutoff=_RESEMBLANCE)
    return plain[close[0]] if close else None


def _keys(file: str) -> list[Key]:
    try:
        return list(keys_of(read_text(file)))
    except (OSError, ValueError):
        return []  # it has changed since it was read


def _line_of(path: _Path, file: str | None) -> int:
    if file is None:
        return 0
    return next((key.line for key in _keys(file) if key.path == path), 0)


def _spelled(path: _Path) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
