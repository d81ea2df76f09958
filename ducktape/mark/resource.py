# SPDX-License-Identifier: Apache-2.0
"""The mark for the nodes that a test needs."""

from __future__ import annotations

import copy
import difflib
import reprlib
from collections.abc import Callable, Iterator, Mapping

from ducktape.mark._mark import F, Mark, T
from ducktape.mark.consts import CLUSTER_NODE_TYPE_KEYWORD, CLUSTER_SIZE_KEYWORD, CLUSTER_SPEC_KEYWORD

__all__ = [
    "CLUSTER_NODE_TYPE_KEYWORD",
    "CLUSTER_SIZE_KEYWORD",
    "CLUSTER_SPEC_KEYWORD",
    "ClusterUseMetadata",
    "cluster",
    "mistake_in",
    "oddities_in",
    "unknown_keywords",
    "wrong_value_in",
]

_KNOWN = (CLUSTER_SIZE_KEYWORD, CLUSTER_SPEC_KEYWORD, CLUSTER_NODE_TYPE_KEYWORD)
# Common misspellings, without underscores and in lower case
_MEANT = {
    "nodes": CLUSTER_SIZE_KEYWORD,
    "node": CLUSTER_SIZE_KEYWORD,
    "nnodes": CLUSTER_SIZE_KEYWORD,
    "nodesnum": CLUSTER_SIZE_KEYWORD,
    "nodecount": CLUSTER_SIZE_KEYWORD,
    "nodescount": CLUSTER_SIZE_KEYWORD,
    "numofnodes": CLUSTER_SIZE_KEYWORD,
    "nrofnodes": CLUSTER_SIZE_KEYWORD,
    "numberofnodes": CLUSTER_SIZE_KEYWORD,
    "clustersize": CLUSTER_SIZE_KEYWORD,
    "numclusternodes": CLUSTER_SIZE_KEYWORD,
    "clusterspecification": CLUSTER_SPEC_KEYWORD,
    "clustertype": CLUSTER_NODE_TYPE_KEYWORD,
}
_RESEMBLANCE = 0.8


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


def mistake_in(metadata: Mapping[str, object]) -> str | None:
    """Return the error in the keywords of ``@cluster``, if there is one."""
    for key in metadata:
        if key not in _KNOWN and (meant := _resembling(key)) is not None:
            return f"@cluster has the unknown keyword {key}: did you mean {meant}?"
    size, spec = metadata.get(CLUSTER_SIZE_KEYWORD), metadata.get(CLUSTER_SPEC_KEYWORD)
    if size is None and spec is None:
        for key, value in metadata.items():
            if key not in _KNOWN and (
                _is_count(value) or _is_spec(value) or (isinstance(value, str) and value.strip().isdecimal())
            ):
                meant = CLUSTER_SPEC_KEYWORD if _is_spec(value) else CLUSTER_SIZE_KEYWORD
                return (
                    f"@cluster has the unknown keyword {key} and neither {CLUSTER_SIZE_KEYWORD} nor "
                    f"{CLUSTER_SPEC_KEYWORD}, so it would take the whole cluster: did you mean {meant}?"
                )
    return None


def wrong_value_in(metadata: Mapping[str, object]) -> str | None:
    """Return the error in the values of ``@cluster``, if there is one."""
    size = metadata.get(CLUSTER_SIZE_KEYWORD)
    if size is not None and not _is_count(size):
        return f"@cluster({CLUSTER_SIZE_KEYWORD}={reprlib.repr(size)}): expected a whole number from 0 on"
    spec = metadata.get(CLUSTER_SPEC_KEYWORD)
    if spec is not None and not _is_spec(spec):
        return f"@cluster({CLUSTER_SPEC_KEYWORD}={reprlib.repr(spec)}): expected a ClusterSpec"
    return None


def unknown_keywords(metadata: Mapping[str, object]) -> list[str]:
    """Return the unknown keywords of ``@cluster``."""
    return [key for key in metadata if key not in _KNOWN]


def oddities_in(metadata: Mapping[str, object]) -> Iterator[str]:
    """Yield warnings about keywords of ``@cluster`` without effect."""
    size, spec, node_type = (metadata.get(key) for key in _KNOWN)
    if size is not None and spec is not None:
        yield f"@cluster has both {CLUSTER_SPEC_KEYWORD} and {CLUSTER_SIZE_KEYWORD}: the latter has no effect"
    elif node_type is not None and (size is None or spec is not None):
        yield f"@cluster has {CLUSTER_NODE_TYPE_KEYWORD} without {CLUSTER_SIZE_KEYWORD}: it has no effect"


def _resembling(key: str) -> str | None:
    """Return the probably intended keyword."""
    plain = key.replace("_", "").casefold()
    if plain in _MEANT:
        return _MEANT[plain]
    known = {each.replace("_", ""): each for each in _KNOWN}
    close = difflib.get_close_matches(plain, known, n=1, cutoff=_RESEMBLANCE)
    return known[close[0]] if close else None


def _is_count(value: object) -> bool:
    # Includes integers of numerical libraries
    if isinstance(value, bool) or not hasattr(type(value), "__index__"):
        return False
    return int(value.__index__()) >= 0  # type: ignore[attr-defined]


def _is_spec(value: object) -> bool:
    # Duck typing, since not every test module needs to import ClusterSpec
    return not isinstance(value, type) and callable(getattr(value, "size", None)) and hasattr(value, "nodes")


def cluster(**kwargs: object) -> Callable[[F], F]:
    """Declare the nodes that a test needs, for all parametrizations below without a declaration.

    Args:
        **kwargs: ``num_nodes`` (with an optional ``node_type``) or ``cluster_spec``; other keys are kept as metadata.
    """

    def decorate(function: F) -> F:
        Mark.mark(function, ClusterUseMetadata(**kwargs))
        return function

    return decorate
