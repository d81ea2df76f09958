# SPDX-License-Identifier: Apache-2.0
"""Records of services that outlive the process of a test; ``revival`` recreates services from them.

A record is plain JSON: names, paths, and attributes with simple values.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any, TypeAlias, TypeGuard, TypeVar

from ducktape.cluster.account.error_place import account_of
from ducktape.cluster.account.errors import RemoteAccountError
from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.json_serializable import jsonable
from ducktape.jvm_logging import logs_of
from ducktape.services.support.protocols import FrameworkService, RegisteredService
from ducktape.services.support.snapshot import PlainAttributes
from ducktape.utils.support.guard import value_or
from ducktape.utils.support.text import short_text

Record: TypeAlias = Mapping[str, Any]  # plain JSON
N = TypeVar("N", bound=ClusterNode)

LIFECYCLE = ("init_time", "start_time", "start_duration_seconds", "stop_time", "stop_duration_seconds", "clean_time")
_ROOM_FOR_ATTRIBUTES = 16 * 1024  # characters, for all attributes of one service and of its nodes
# Attributes of the framework, which are restored separately
_NOT_OF_THE_USER = frozenset({"JVM_LOG_DIR", "logs", "nodes", "skip_nodes_allocation"}) | {
    f"_{name}" for name in (*LIFECYCLE, "initialized", "nodes_formerly_allocated", "registered_order")
}
_OF_THE_FRAMEWORK_ON_A_NODE = frozenset({"account", "slot_id", "_index", "node_type"})


def record_of(service: RegisteredService) -> dict[str, Any]:
    """Return the record of a service, ready for JSON.

    Attributes that look like secrets, are not plain values, or are too large are left out. Objects other than
    services of the framework cannot be recreated, but their logs can be found.
    """
    cls = type(service)
    nodes = list(service.nodes)
    among = getattr(getattr(service.context, "cluster", None), "nodes", None)
    names_of_all = {
        id(node): name for name, node in named_nodes(among if isinstance(among, Iterable) else nodes).items()
    }
    names = [names_of_all.get(id(node), str(node.account.hostname)) for node in nodes]
    spec = getattr(service, "cluster_spec", None)
    # A property of the subclass that fails will fail again when the logs are collected
    logs: Mapping[str, object] = value_or({}, logs_of, service)
    notes = PlainAttributes(_ROOM_FOR_ATTRIBUTES)
    return {
        "service_id": str(service.service_id),
        "order": getattr(service, "_order", 0),
        "module": cls.__module__,
        "class": cls.__qualname__,
        "file": file_of(sys.modules.get(cls.__module__)),
        "nodes": names,
        "cluster_spec": json.loads(str(spec)) if isinstance(spec, ClusterSpec) else [],
        "logs": {str(name): jsonable(log) for name, log in logs.items()},
        "report": jsonable(report_of(service) if _is_of_the_framework(service) else {}),
        "attributes": notes.of(service, _NOT_OF_THE_USER),
        "node_attributes": {
            name: found
            for name, node in zip(names, nodes, strict=True)
            if (found := notes.of(node, _OF_THE_FRAMEWORK_ON_A_NODE))
        },
    }


def report_of(service: FrameworkService) -> dict[str, Any]:
    """Return the entry of a service in reports; times are Unix seconds, -1 if something did not happen."""
    return {
        "cls_name": type(service).__name__,
        "module_name": type(service).__module__,
        "lifecycle": {name: getattr(service, f"_{name}") for name in LIFECYCLE},
        "service_id": service.service_id,
        "nodes": service._nodes_formerly_allocated,
    }


def named_nodes(nodes: Iterable[N]) -> dict[str, N]:
    """Return the nodes of a test by unique names; the same in every process if given in the order of the cluster."""
    named: dict[str, N] = {}
    seen: Counter[str] = Counter()
    for node in nodes:
        name = str(node.account.hostname)
        seen[name] += 1
        named[name if seen[name] == 1 else f"{name}#{seen[name]}"] = node
    return named


def described(record: Record) -> dict[str, object]:
    """Return the entry of a service in reports, from its record."""
    return {**record.get("report", {}), "service_id": record.get("service_id", "")}


def of_run(record: Record, run_number: int) -> dict[str, Any]:
    """Return a record with the run number in the name of the service, which it gets only at the end of a run."""
    service_id = record["service_id"]
    # Names of classes do not begin with a digit
    return {**record, "service_id": service_id if service_id[:1].isdigit() else f"{run_number}-{service_id}"}


def problem_with(activity: str, nodes: Iterable[ClusterNode], error: BaseException) -> str:
    """Return one line about an error of an activity such as ``stopping service X``."""
    hostnames = ", ".join(str(node.account.hostname) for node in nodes)
    text = short_text(error)
    # Those of commands name the machine and the command themselves
    account = "" if isinstance(error, RemoteAccountError) else value_or("", account_of, error)
    return f"Error {activity}{f' on {hostnames}' if hostnames else ''}: {text}{f' ({account})' if account else ''}"


def _is_of_the_framework(service: RegisteredService) -> TypeGuard[FrameworkService]:
    return getattr(service, "_is_framework_service", False) is True


def file_of(module: ModuleType | None) -> str | None:
    """Return the path of a module's source without links, ``None`` if it has none."""
    file = getattr(module, "__file__", None)
    return os.path.realpath(file) if isinstance(file, str) else None
