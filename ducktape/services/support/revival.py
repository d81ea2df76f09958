# SPDX-License-Identifier: Apache-2.0
"""Services recreated from their records in another process, to stop and clean them on the same nodes.

The instance is of the same class, but its constructor is not called.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import threading
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias, cast

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.cluster_spec import ClusterSpec, NodeSpec
from ducktape.services.background_thread import BackgroundThreadService
from ducktape.services.service import Service, ServiceIdFactory, initialize
from ducktape.services.support.protocols import Context
from ducktape.services.support.record import Record, file_of
from ducktape.services.support.snapshot import values_of

if TYPE_CHECKING:
    from ducktape.tests.test_context import TestContext

ImportFile: TypeAlias = Callable[[str], ModuleType]


def revive(
    record: Record, context: Context, nodes: Mapping[str, ClusterNode], *, import_file: ImportFile | None = None
) -> Service:
    """Recreate a service without calling its constructor, and register it under its former id.

    ``nodes`` are from ``named_nodes``, and ``import_file`` imports modules that cannot be imported by name.

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
    service.context = cast("TestContext", context)
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
    return file is None or file_of(module) == file
