# SPDX-License-Identifier: Apache-2.0
"""Records of services that outlive the process of a test, and services recreated from them.

A record is plain JSON: names, paths, and attributes with simple values. Another process creates an instance of the same
class from it, without calling the constructor, to stop and clean it on the same nodes.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any, TypeAlias, TypeVar

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.cluster_spec import ClusterSpec, NodeSpec
from ducktape.json_serializable import jsonable
from ducktape.jvm_logging import logs_of
from ducktape.services.background_thread import BackgroundThreadService
from ducktape.services.service import LIFECYCLE, Service, ServiceIdFactory, initialize
from ducktape.services.support.protocols import Context, RegisteredService
from ducktape.services.support.snapshot import PlainAttributes, values_of
from ducktape.utils.support.guard import value_or
from ducktape.utils.support.text import short_text

Record: TypeAlias = Mapping[str, Any]  # plain JSON
ImportFile: TypeAlias = Callable[[str], ModuleType]
N = TypeVar("N", bound=ClusterNode)

_ROOM_FOR_ATTRIBUTES = 16 * 1024  # characters, for all attributes of one service and of its nodes
# Attributes of the framework, which are restored separately
_NOT_OF_THE_USER = frozenset({"JVM_LOG_DIR", "logs", "nodes", "skip_nodes_allocation"}) | {
    f"_{name}" for name in (*LIFECYCLE, "initialized", "nodes_formerly_allocated", "registered_order")
}
_OF_THE_FRAMEWORK_ON_A_NODE = frozenset({"account", "slot_id", "_index", "node_type"})


def record_of(service: RegisteredService) -> dict[str, Any]:
    """Return the record of a service, ready for JSON.

    Attributes that look like secrets, are not plain values, or are too large are left out. Objects other than
    :class:`Service` cannot be recreated, but their logs can be found.
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
        "file": _file_of(sys.modules.get(cls.__module__)),
        "nodes": names,
        "cluster_spec": json.loads(str(spec)) if isinstance(spec, ClusterSpec) else [],
        "logs": {str(name): jsonable(log) for name, log in logs.items()},
        "report": jsonable(Service.to_json(service) if isinstance(service, Service) else {}),
        "attributes": notes.of(service, _NOT_OF_THE_USER),
        "node_attributes": {
            name: found
            for name, node in zip(names, nodes, strict=True)
            if (found := notes.of(node, _OF_THE_FRAMEWORK_ON_A_NODE))
        },
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


def revive(
    record: Record, context: Context, nodes: Mapping[str, ClusterNode], *, import_file: ImportFile | None = None
) -> Service:
    """Recreate a service without calling its constructor, and register it under its former id.

    ``nodes`` are from :func:`named_nodes`, and ``import_file`` imports modules that cannot be imported by name.

    Raises:
        LookupError: its class or one of its nodes does not exist in this process.
        Exception: importing its module failed.
    """
    foreign = [name for name in record["nodes"] if name not in nodes]
    if foreign:
        raise LookupError(f"its node {foreign[0]} is none of those of the test")
    own = [nodes[name] for name in record["nodes"]]
    service = object.__new__(class_of(record, import_file=import_file))
    initialize(service)
    vars(service).update(values_of(record["attributes"]))
    for name, attributes in record["node_attributes"].items():
        vars(nodes[name]).update(values_of(attributes))
    if isinstance(service, BackgroundThreadService):
        service.worker_threads, service.worker_errors, service.lock = {}, {}, threading.RLock()
    lifecycle = record["report"]["lifecycle"]
    for name in ("init_time", "start_time", "start_duration_seconds"):
        setattr(service, f"_{name}", lifecycle[name])
    service._revived = True
    service.service_id_factory = _SameId(record["service_id"])
    service._registered_order = record["order"]
    service.cluster_spec = ClusterSpec(
        NodeSpec(group["os"], group.get("node_type"))
        for group in record["cluster_spec"]
        for _ in range(group["num_nodes"])
    )
    service.context = context
    service.nodes = own
    service.skip_nodes_allocation = False
    service._nodes_formerly_allocated = list(record["report"]["nodes"])
    if not isinstance(inspect.getattr_static(type(service), "logs", None), property):
        service.logs = dict(record["logs"])
    for node in own:
        node.account.logger = context.logger
    context.services.append(service)
    service._initialized = True
    return service


def class_of(record: Record, *, import_file: ImportFile | None = None) -> type[Service]:
    """Return the class of a recorded service; raises as :func:`revive` does."""
    path = record["class"].split(".")
    if "<locals>" in path:
        raise LookupError(
            f"the class {record['class']} is defined inside a function, which only its own process can call"
        )
    found: object = _module_of(record, import_file)
    for part in path:
        found = getattr(found, part, None)
    if not isinstance(found, type) or not issubclass(found, Service):
        raise LookupError(f"the module {record['module']} has no service class {record['class']}")
    return found


def problem_with(activity: str, nodes: Iterable[ClusterNode], error: BaseException) -> str:
    """Return one line about an error of an activity such as ``stopping service X``."""
    hostnames = ", ".join(str(node.account.hostname) for node in nodes)
    return f"Error {activity}{f' on {hostnames}' if hostnames else ''}: {short_text(error)}"


class _SameId(ServiceIdFactory):
    """Always returns the same id."""

    def __init__(self, service_id: str) -> None:
        self.service_id = service_id

    def generate_service_id(self, service: Service) -> str:
        return self.service_id


def _module_of(record: Record, import_file: ImportFile | None) -> ModuleType:
    """Return an imported module, or import it by name or else by path."""
    name, file = record["module"], record["file"]
    known = sys.modules.get(name)
    if known is not None and _is_from(known, file):
        return known
    try:
        module = importlib.import_module(name)
    except ImportError:
        if import_file is None or file is None:
            raise
        return import_file(file)
    if _is_from(module, file):
        return module
    if import_file is None:
        raise LookupError(f"the module {name} of this process is not {file}")
    return import_file(file)


def _is_from(module: ModuleType, file: str | None) -> bool:
    return file is None or _file_of(module) == file


def _file_of(module: ModuleType | None) -> str | None:
    file = getattr(module, "__file__", None)
    return os.path.realpath(file) if isinstance(file, str) else None
