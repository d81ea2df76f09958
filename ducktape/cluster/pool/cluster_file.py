# SPDX-License-Identifier: Apache-2.0
"""Reads cluster files, names their nodes, and reports mistakes in them."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from ducktape.cluster.copy.names import as_file_name, shown
from ducktape.cluster.ssh.config import RemoteAccountSSHConfig
from ducktape.utils.support.files import read_text
from ducktape.utils.support.similar import closest, or_similar

DEFAULT_FILE = os.path.join(".ducktape", "cluster.json")
_INVALID = "JSON cluster definition invalid: "
_MISTAKE = "_ducktape_cluster_file_mistake"
_TEXTS = ("host", "hostname", "user", "password", "proxyjump", "password_env", "userknownhostsfile")
_OF_A_SANDBOX = frozenset({"max_nodes", "types", "network", "mounts", "sshd", "cpu", "memory", "pids", "disk"})
_EXAMPLE = 'write {"ssh_config": {"hostname": ..., "user": ...}}'
_PATHS = ("identityfile", "identityfiles")


def mistake_in_cluster_file(error: BaseException) -> str | None:
    """Return the line about a mistake in the cluster file that an error carries, if any."""
    line = getattr(error, _MISTAKE, None)
    return line if isinstance(line, str) else None


def _mark(error: Exception, line: str) -> None:
    setattr(error, _MISTAKE, " ".join(line.split()))


def read_cluster_file(path: str) -> Any:
    """Return the content of a cluster file; its ``OSError`` or ``ValueError`` carries the line that users see."""
    try:
        return json.loads(read_text(path))
    except OSError as error:
        remedy = ""
        if isinstance(error, FileNotFoundError):
            remedy = _similar_file(path) or ": name the file with --cluster-file, or write it"
        _mark(error, f"{path}: {error.strerror}{remedy}")
        raise
    except json.JSONDecodeError as error:
        is_empty = not error.doc.strip()
        problem = "it is empty" if is_empty else f"line {error.lineno}, column {error.colno}: {error.msg}"
        _mark(error, f"{path}: not valid JSON: {problem}")
        raise
    except UnicodeDecodeError as error:
        _mark(error, f"{path}: not UTF-8 text: {error.reason} at byte {error.start}")
        raise


def _similar_file(path: str) -> str:
    directory, name = os.path.split(path)
    try:
        return or_similar(name, (each for each in os.listdir(directory or ".") if each.endswith(".json")))
    except OSError:
        return ""


def refuse(complaint: str, path: str | None) -> NoReturn:
    """Raise a ``ValueError`` about a mistake in a description, with the line that users see."""
    message = f"{_INVALID}{complaint}" if path is None else f"{_INVALID}{path}: {complaint}"
    error = ValueError(message)
    _mark(error, message)
    raise error from None


def nodes_of(description: object) -> list[Any]:
    """Return the descriptions of the nodes; raises ``ValueError`` if there is no list of nodes."""
    if not isinstance(description, Mapping):
        raise ValueError(f"the top level is {_kind(description)}, not an object with the key nodes")
    if "nodes" not in description:
        present = ", ".join(sorted(map(str, description))) or "nothing"
        if _OF_A_SANDBOX & description.keys():
            raise ValueError(f"the key nodes is missing; {present} is for --cluster sandbox")
        meant = " (did you mean nodes?)" if any(closest(str(key), ["nodes"]) for key in description) else ""
        raise ValueError(f"the key nodes is missing; the top level has {present}{meant}")
    nodes = description["nodes"]
    if isinstance(nodes, (str, bytes, Mapping)) or not isinstance(nodes, Iterable):
        raise ValueError(f"the key nodes is {_kind(nodes)}, not a list")
    return list(nodes)


def ssh_settings(node: object) -> dict[str, Any]:
    """Return the login of a node with ``~`` expanded, or raise a ``ValueError``, which never shows a password."""
    if not isinstance(node, Mapping):
        raise ValueError(f"is {_kind(node)}, not an object with the key ssh_config")
    settings = node.get("ssh_config")
    if settings is None:
        present = ", ".join(sorted(map(str, node))) or "nothing"
        is_misspelt = any(closest(str(key), ["ssh_config"]) for key in node if key != "ssh_config")
        remedy = "did you mean ssh_config?" if is_misspelt else _EXAMPLE
        raise ValueError(f"has no ssh_config, only {present}: {remedy}")
    if not isinstance(settings, Mapping):
        raise ValueError(f"ssh_config is {_kind(settings)}, not an object")
    for key in ("externally_routable_ip", "node_type"):
        _check(node, key, key, _is_text, "a string")
    for key, (fits, wanted) in _SETTINGS.items():
        _check(settings, key, f"ssh_config.{key}", fits, wanted)
    expanded = {}
    for key in _PATHS:
        if paths := settings.get(key):
            is_one = isinstance(paths, str)
            expanded[key] = os.path.expanduser(paths) if is_one else list(map(os.path.expanduser, paths))
    return {**settings, **expanded}


def place_of(position: int, node: object) -> str:
    settings = node.get("ssh_config") if isinstance(node, Mapping) else None
    host = settings.get("host") if isinstance(settings, Mapping) else None
    return f"nodes[{position}] ({host})" if isinstance(host, str) else f"nodes[{position}]"


def name_nodes(configs: Sequence[RemoteAccountSSHConfig]) -> None:
    """Name each login without a name after its address, and its port if several have that address.

    Raises ``ValueError`` if two have one name, or one that no directory can have.
    """
    names = []
    for position, config in enumerate(configs):
        if config.host is not None and not config.host.strip():
            _refuse_name(position, "host", config.host)
        name = config.host or config.hostname
        if as_file_name(name) != name or not name.isprintable() or not name.strip():
            _refuse_name(position, "host" if config.host else "hostname", name)
        names.append(name)
    times = Counter(names)
    for position, config in enumerate(configs):
        if not config.host and times[names[position]] > 1:
            names[position] = config.host = f"{names[position]}-{config.port}"
    first: dict[str, int] = {}
    for position, name in enumerate(names):
        if first.setdefault(name, position) != position:
            raise ValueError(
                f"nodes[{first[name]}] and nodes[{position}] are both called {shown(name)}: "
                "give each node a host of its own"
            )


def _refuse_name(position: int, key: str, value: str) -> NoReturn:
    raise ValueError(
        f"nodes[{position}]: ssh_config.{key} is {shown(value)}, which cannot be the name of a node: "
        "its logs go to a directory of that name"
    )


def lease_folder(description: object, path: str | None) -> str | None:
    """Return the folder of leases that a description names, or raise ``ValueError``; relative to the file."""
    folder = description.get("lease_dir") if isinstance(description, Mapping) else None
    if folder is None:
        return None
    if not isinstance(folder, str) or not folder:
        raise ValueError(f"the key lease_dir is {_kind(folder)}, not the path of a folder")
    return os.path.join(os.path.dirname(os.path.abspath(path)) if path else "", os.path.expanduser(folder))


def _check(holder: Mapping[str, object], key: str, name: str, fits: Callable[[object], bool], wanted: str) -> None:
    value = holder.get(key)
    if value is None or fits(value):
        return
    is_shown = isinstance(value, (str, int, float)) and key != "password"
    raise ValueError(f"{name} is {json.dumps(value) if is_shown else _kind(value)}, not {wanted}")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_text_or_texts(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(path, str) and path for path in value))


def _is_number(kind: type[int] | type[float], least: float, most: float = math.inf) -> Callable[[object], bool]:
    def fits(value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            return False
        try:
            return least <= kind(value) < most
        except (ValueError, OverflowError):
            return False

    return fits


_SETTINGS: dict[str, tuple[Callable[[object], bool], str]] = {
    **dict.fromkeys(_TEXTS, (_is_text, "a string")),
    **dict.fromkeys(_PATHS, (_is_text_or_texts, "a string or a list of strings")),
    # An empty value and 0 have always meant the default port
    "port": (lambda port: not port or _is_number(int, 0, 65536)(port), "a number from 1 to 65535"),
    "connecttimeout": (_is_number(float, 0), "a number of seconds"),
    "maxsessions": (_is_number(int, 1), "a number of at least 1"),
}


def _kind(value: object) -> str:
    if value is None:
        return "null"
    names = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a string",
        dict: "an object",
        list: "a list",
    }
    return names.get(type(value), f"a {type(value).__name__}")
