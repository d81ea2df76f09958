# SPDX-License-Identifier: Apache-2.0
"""What ``--cluster`` may name: the clusters of this package by short names, those of other distributions, any class."""

from __future__ import annotations

import contextlib
import importlib
import os
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ducktape.command_line.defaults import ConsoleDefaults
from ducktape.errors import DucktapeError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINT_GROUP = "ducktape.clusters"
_OURS = {
    "json": "ducktape.cluster.json.JsonCluster",
    "localhost": "ducktape.cluster.localhost.LocalhostCluster",
    "sandbox": "ducktape.cluster.sandbox.SandboxCluster",
    "vagrant": "ducktape.cluster.vagrant.VagrantCluster",
}
_SHOWN_PATHS = 3


class UnknownClusterError(ValueError):
    """There is no cluster of that name; the text is one line for whoever wrote the name."""


def full_name(name: str) -> str:
    """Return the dotted name of a cluster of this package that is given by its short name; other names as they are."""
    return _OURS.get(name, name)


def cluster_class(name: str) -> Callable[..., Any]:
    """Return what makes a cluster.

    Args:
        name: ``localhost``, ``json``, ``vagrant`` or ``sandbox``; a class with its module, as in
            ``package.module.Class``; or, without a dot, the name of an entry point of the group ``ducktape.clusters``.

    Returns:
        The class, or whatever else can be called with the keywords of a cluster.

    Raises:
        UnknownClusterError: there is none of that name.
        Exception: whatever importing it raises.
    """
    name = full_name(name)
    module_name, dot, class_name = name.rpartition(".")
    if not dot:
        return _registered(name)
    if not module_name or not class_name:
        raise UnknownClusterError(f"--cluster {name} names no class in a module{_known()}")
    found: Callable[..., Any] = getattr(importlib.import_module(module_name), class_name)
    return found


def _registered(name: str) -> Callable[..., Any]:
    """Load what another distribution has registered; asked for only now, since it means reading all distributions."""
    found = [each for each in _registrations() if each.name == name]
    if not found:
        raise UnknownClusterError(f"There is no cluster with the name {name or '(nothing)'}{_known()}")
    # A distribution that is installed twice, beside a checkout of it, says the same thing twice.
    different = sorted({each.value for each in found})
    if len(different) > 1:
        raise UnknownClusterError(
            f"Several distributions have a cluster with the name {name}: name its class instead, "
            f"one of {', '.join(value.replace(':', '.') for value in different)}"
        )
    loaded: Callable[..., Any] = found[0].load()
    return loaded


def _registrations() -> Sequence[EntryPoint]:
    # Here, because it brings e-mail and archives along, and hardly any run needs it
    from importlib.metadata import entry_points

    return tuple(entry_points(group=ENTRY_POINT_GROUP))


def _known() -> str:
    names = sorted({*_OURS, *(each.name for each in _registrations())})
    return f": known are {', '.join(names)}; any other is named by its class with its module, as in {_OURS['json']}"


# --- advice


def advice_without_vagrant(error: Exception, args: Mapping[str, Any]) -> str | None:
    """Return what to do on a machine where the default cluster is of no use; ``None`` if that is not the trouble.

    Args:
        error: with which the cluster could not be made.
        args: the options of a run, or of a subcommand that takes nodes.
    """
    if full_name(args["cluster"]) != _OURS["vagrant"] or not isinstance(error, DucktapeError):
        return None
    if shutil.which("vagrant") is not None:
        return None
    file = args["cluster_file"]
    # What stands in a file needs no Vagrant: then something else is wrong.
    if file is not None and os.path.exists(file):
        return None
    choices = [(_command(args, name), meaning) for name, meaning in _at_hand(file)]
    width = max(len(command) for command, _ in choices)
    lines = [f"  {command:{width}}   {meaning}" for command, meaning in choices]
    return "\n".join([_what_is_missing(args["cluster"], file), *lines])


def _what_is_missing(cluster: str, file: str | None) -> str:
    default = ", the default," if full_name(cluster) == full_name(ConsoleDefaults.CLUSTER_TYPE) else ""
    there_is_no = "no program vagrant" if file is None else f"neither a program vagrant nor a file {file}"
    return f"The cluster {cluster}{default} needs Vagrant, and there is {there_is_no} here. What works right now:"


def _at_hand(file: str | None) -> list[tuple[str, str]]:
    """The clusters that work on this machine as it is, each with what it is."""
    found = []
    if file is None and os.path.exists(ConsoleDefaults.CLUSTER_FILE):
        found.append(("json", f"the nodes that stand in {ConsoleDefaults.CLUSTER_FILE}"))
    if sandbox_works():
        found.append(("sandbox", "isolated nodes on this machine, made for each test"))
    found.append(("localhost", "nodes that all are this machine, with nothing between them"))
    return found


def _command(args: Mapping[str, Any], cluster: str) -> str:
    """The command as it was, as far as it can be shown: other options may hold what nobody else should read."""
    paths = list(args["test_path"])
    with contextlib.suppress(OSError):
        paths = ["." if path == os.getcwd() else path for path in paths]
    shown = shlex.join(paths) if len(paths) <= _SHOWN_PATHS else "..."
    return f"ducktape {shown} --cluster {cluster}"


def sandbox_works() -> bool:
    """Tell whether this machine lets this user make isolated nodes, by trying the least of it; takes milliseconds."""
    # Only those need it who have named no cluster
    from ducktape.cluster.sandbox.userns import what_is_missing

    return what_is_missing() is None
