# SPDX-License-Identifier: Apache-2.0
"""What a test needs of the cluster."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from ducktape.mark._mark import F, Mark
from ducktape.mark.consts import CLUSTER_NODE_TYPE_KEYWORD, CLUSTER_SIZE_KEYWORD, CLUSTER_SPEC_KEYWORD

__all__ = [
    "CLUSTER_NODE_TYPE_KEYWORD",
    "CLUSTER_SIZE_KEYWORD",
    "CLUSTER_SPEC_KEYWORD",
    "ClusterUseMetadata",
    "cluster",
]


class ClusterUseMetadata(Mark):
    """Declares the use of the cluster for all tests below that have no declaration yet.

    Args:
        **kwargs: ``num_nodes``, ``cluster_spec``, ``node_type``, and whatever else is to be kept with the test.
    """

    def __init__(self, **kwargs: Any) -> None:
        self.metadata = copy.copy(kwargs)

    @property
    def name(self) -> str:
        return "RESOURCE_HINT_CLUSTER_USE"

    def apply(self, seed_context: Any, context_list: list[Any]) -> list[Any]:
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


def cluster(**kwargs: Any) -> Callable[[F], F]:
    """Declare what a test needs of the cluster; covers the parametrizations below that have no declaration yet.

    Args:
        **kwargs: ``num_nodes`` (with an optional ``node_type``) or ``cluster_spec``; other keys are kept as metadata.
    """

    def decorate(function: F) -> F:
        Mark.mark(function, ClusterUseMetadata(**kwargs))
        return function

    return decorate
