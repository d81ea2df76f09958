# SPDX-License-Identifier: Apache-2.0
"""Unique names for the nodes of a description; directories of logs have them, too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NoReturn

from ducktape.cluster.copy.names import as_file_name, shown
from ducktape.cluster.remoteaccount import RemoteAccountSSHConfig


def name_nodes(configs: Sequence[RemoteAccountSSHConfig]) -> None:
    """Give a unique name to each login whose machine has none.

    A machine without a ``host`` is called by its address, and by its port too where several have that address.

    Args:
        configs: the logins, in the order of their nodes; their ``host`` may be set.

    Raises:
        ValueError: two have one name, or one that no directory can have; says which, by their positions.
    """
    names = [_name_of(position, config) for position, config in enumerate(configs)]
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


def _name_of(position: int, config: RemoteAccountSSHConfig) -> str:
    if config.host is not None and not config.host.strip():
        _refuse(position, "host", config.host)
    name = config.host or config.hostname
    if as_file_name(name) != name or not name.isprintable() or not name.strip():
        _refuse(position, "host" if config.host else "hostname", name)
    return name


def _refuse(position: int, key: str, value: str) -> NoReturn:
    raise ValueError(
        f"nodes[{position}]: ssh_config.{key} is {shown(value)}, which cannot be the name of a node: "
        "its logs go to a directory of that name"
    )
