# SPDX-License-Identifier: Apache-2.0
"""What the internals of services need of services and of the contexts of tests, which may be users' own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Concatenate, Protocol, TypeVar

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.cluster_spec import ClusterSpec

R = TypeVar("R")
S = TypeVar("S")


def accepts_any_override(
    hook: Callable[Concatenate[S, ClusterNode, ...], R],
) -> Callable[Concatenate[S, ClusterNode, ...], R]:
    """Return the hook itself; type checkers then accept overrides with other keywords, and with none."""
    return hook


class Registry(Protocol):
    """The services of a test."""

    def append(self, service: Any) -> None: ...


class NodeLike(Protocol):
    """A node, or what stands in for one."""

    @property
    def account(self) -> Any: ...


class Context(Protocol):
    """The context of a test."""

    @property
    def cluster(self) -> object: ...

    @property
    def logger(self) -> logging.Logger: ...

    @property
    def services(self) -> Registry: ...


class ServiceWithNodes(Protocol):
    """A service, which need not derive from the framework's class."""

    nodes: list[Any]

    @property
    def service_id(self) -> str: ...

    @property
    def logger(self) -> logging.Logger: ...


class RegisteredService(ServiceWithNodes, Protocol):
    """A service of a test."""

    context: Any


class FrameworkService(RegisteredService, Protocol):
    """A service that derives from the framework's class."""

    cluster_spec: ClusterSpec
    parallel_nodes: bool
    _revived: bool
    _nodes_formerly_allocated: list[str]

    @property
    def cluster(self) -> Any: ...

    def who_am_i(self, node: ClusterNode | None = None) -> str: ...
