# SPDX-License-Identifier: Apache-2.0
"""The clusters that ``--cluster`` may name: those of this package by short names, registered ones, any class."""

from __future__ import annotations

import contextlib
import importlib
import os
import reprlib
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ducktape.command_line.defaults import ConsoleDefaults
from ducktape.command_line.options.options import Options
from ducktape.errors import DucktapeError
from ducktape.utils.support.similar import or_similar

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from ducktape.cluster.cluster import Cluster

ENTRY_POINT_GROUP = "ducktape.clusters"
_OURS = {
    "docker": "ducktape.cluster.docker.DockerCluster",
    "json": "ducktape.cluster.json.JsonCluster",
    "localhost": "ducktape.cluster.localhost.LocalhostCluster",
    "podman": "ducktape.cluster.podman.PodmanCluster",
    "sandbox": "ducktape.cluster.sandbox.SandboxCluster",
    "vagrant": "ducktape.cluster.vagrant.VagrantCluster",
}
_SHOWN_PATHS = 3


class UnknownClusterError(ValueError):
    """There is no such cluster, or more than one; ``kind`` is the class of the error that users see."""

    def __init__(self, message: str, kind: type[Exception] = ValueError) -> None:
        super().__init__(message)
        self.kind = kind


def full_name(name: str) -> str:
    """Return the class that a short name such as ``json`` stands for; other names unchanged."""
    return _OURS.get(name, name)


def cluster_class(name: str) -> Callable[..., Cluster]:
    """Return the class of a cluster, or another callable that takes its keywords.

    The name is a short name of this package, ``package.module.Class``, or, without a dot, that of an entry point.

    Raises:
        UnknownClusterError: there is no cluster of that name.
        Exception: raised while importing it.
    """
    name = full_name(name)
    if "." in name:
        return _class_in_module(name)
    registrations = _registrations()
    registered = [each for each in registrations if each.name == name]
    if not registered:
        meant = or_similar(name, {*_OURS, *(each.name for each in registrations)})
        raise UnknownClusterError(f"There is no cluster with the name {name or '(nothing)'}{meant}{_known()}")
    # A distribution that is installed beside a checkout of it registers the same class twice
    different = sorted({each.value for each in registered})
    if len(different) > 1:
        raise UnknownClusterError(
            f"Several distributions have a cluster with the name {name}: name its class instead, "
            f"one of {', '.join(value.replace(':', '.') for value in different)}"
        )
    found: Callable[..., Cluster] = registered[0].load()
    return found


def _class_in_module(name: str) -> Callable[..., Cluster]:
    module_name, _, class_name = name.rpartition(".")
    if not module_name or not class_name:
        raise UnknownClusterError(f"--cluster {name} names no class in a module{_known()}")
    try:
        module = importlib.import_module(module_name)
        found: Callable[..., Cluster] = getattr(module, class_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # an import in that module
        meant = or_similar(name, _OURS.values()) or ": is the directory that contains it in PYTHONPATH?"
        problem = f"--cluster {name}: there is no module {error.name}{meant}"
        raise UnknownClusterError(problem, type(error)) from error
    except AttributeError as error:
        if not hasattr(error, "obj") or error.obj is not sys.modules.get(module_name):
            raise  # code in that module
        classes = [each for each, value in vars(error.obj).items() if isinstance(value, type)]
        meant = or_similar(class_name, classes)
        problem = f"--cluster {name}: the module {module_name} has no {class_name}{meant}"
        raise UnknownClusterError(problem, type(error)) from error
    if not callable(found):
        raise UnknownClusterError(f"--cluster {name} is not a class but {reprlib.repr(found)}", TypeError)
    return found


def _registrations() -> Sequence[EntryPoint]:
    # Imported late: it loads e-mail and archive modules, and hardly any run needs it
    from importlib.metadata import entry_points

    return tuple(entry_points(group=ENTRY_POINT_GROUP))


def _known() -> str:
    names = sorted({*_OURS, *(each.name for each in _registrations())})
    return f": known are {', '.join(names)}; any other is named by its class with its module, as in {_OURS['json']}"


# --- advice


def advice_without_vagrant(error: Exception, options: Options) -> str | None:
    """Return advice for a machine without Vagrant, which the default cluster needs; ``None`` for other errors."""
    if full_name(options.cluster) != _OURS["vagrant"] or not isinstance(error, DucktapeError):
        return None
    if shutil.which("vagrant") is not None:
        return None
    file = options.cluster_file
    # A cluster file needs no Vagrant: then something else is wrong
    if file is not None and os.path.exists(file):
        return None
    paths = list(options.test_path)
    with contextlib.suppress(OSError):
        paths = ["." if path == os.getcwd() else path for path in paths]
    # Other options are left out, since they may contain secrets
    command = f"ducktape {shlex.join(paths) if len(paths) <= _SHOWN_PATHS else '...'} --cluster"
    choices = []
    if file is None and os.path.exists(ConsoleDefaults.CLUSTER_FILE):
        choices.append((f"{command} json", f"the nodes that stand in {ConsoleDefaults.CLUSTER_FILE}"))
    if sandbox_works():
        choices.append((f"{command} sandbox", "isolated nodes on this machine, made for each test"))
    choices.append((f"{command} localhost", "nodes that all are this machine, with nothing between them"))
    width = max(len(command) for command, _ in choices)
    lines = [f"  {command:{width}}   {meaning}" for command, meaning in choices]
    default = ", the default," if full_name(options.cluster) == full_name(ConsoleDefaults.CLUSTER_TYPE) else ""
    missing = "no program vagrant" if file is None else f"neither a program vagrant nor a file {file}"
    needs = f"The cluster {options.cluster}{default} needs Vagrant, and there is {missing} here."
    return "\n".join([f"{needs} What works right now:", *lines])


def sandbox_works() -> bool:
    """Return whether this user can make sandbox nodes on this machine; tried within milliseconds."""
    # Needed only where the default cluster fails
    from ducktape.cluster.sandbox.userns import what_is_missing

    return what_is_missing() is None
