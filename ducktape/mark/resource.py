# SPDX-License-Identifier: Apache-2.0
"""The mark for the nodes that a test needs."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, overload

from ducktape.mark._mark import F, Mark, T
from ducktape.mark.consts import CLUSTER_NODE_TYPE_KEYWORD, CLUSTER_SIZE_KEYWORD, CLUSTER_SPEC_KEYWORD
from ducktape.mark.support.calling import takes_keywords

if TYPE_CHECKING:
    from ducktape.cluster.cluster_spec import ClusterSpec

__all__ = [
    "CLUSTER_NODE_TYPE_KEYWORD",
    "CLUSTER_SIZE_KEYWORD",
    "CLUSTER_SPEC_KEYWORD",
    "ClusterUseMetadata",
    "cluster",
]


class ClusterUseMetadata(Mark):
    """Sets the nodes of all tests below without such a mark."""

    name = "RESOURCE_HINT_CLUSTER_USE"

    def __init__(self, **kwargs: object) -> None:
        self.metadata = copy.copy(kwargs)

    def apply(self, seed_context: T, context_list: list[T]) -> list[T]:
        assert context_list, "cluster use annotation is not being applied to any test cases"
        for context in context_list:
            if not context.cluster_use_metadata:
                context.cluster_use_metadata = self.metadata
        return context_list

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other) and self.metadata == getattr(other, "metadata", None)

    __hash__ = Mark.__hash__

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.metadata})"


@overload
def cluster(
    *, num_nodes: int, node_type: str | None = None, cluster_spec: None = None, **kwargs: object
) -> Callable[[F], F]: ...
@overload
def cluster(*, cluster_spec: ClusterSpec, num_nodes: None = None, **kwargs: object) -> Callable[[F], F]: ...
@overload
def cluster(*, num_nodes: None = None, cluster_spec: None = None, **kwargs: object) -> Callable[[F], F]: ...
@takes_keywords("num_nodes=3")
def cluster(**kwargs: object) -> Callable[[F], F]:
    """Declare the nodes that a test needs, for all parametrizations below without a declaration.

    Args:
        **kwargs: ``num_nodes`` (with an optional ``node_type``) or ``cluster_spec``; other keys are kept as metadata.
    """

    def decorate(function: F) -> F:
        Mark.mark(function, ClusterUseMetadata(**kwargs))
        return function

    return decorate
