# SPDX-License-Identifier: Apache-2.0
"""One node, as required or as offered."""

from __future__ import annotations

import json

from ducktape.cluster.consts import LINUX, SUPPORTED_OS_TYPES


class NodeSpec:
    """What matters about one node when nodes are distributed: its operating system and its label.

    Args:
        operating_system: ``"linux"`` or ``"windows"``.
        node_type: any label. ``None`` in a requirement means "whatever the label", and of an offered node it means
            "has no label".

    Raises:
        RuntimeError: the operating system is another one.
    """

    def __init__(self, operating_system: str = LINUX, node_type: str | None = None) -> None:
        if operating_system not in SUPPORTED_OS_TYPES:
            raise RuntimeError(f"Unsupported os type {operating_system}")
        self.operating_system = operating_system
        self.node_type = node_type

    def matches(self, available_node_spec: NodeSpec) -> bool:
        """Return whether an offered node meets this requirement; one without a label never meets one with a label."""
        if self.operating_system != available_node_spec.operating_system:
            return False
        return self.node_type is None or self.node_type == available_node_spec.node_type

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NodeSpec):
            return False
        return (self.operating_system, self.node_type) == (other.operating_system, other.node_type)

    def __hash__(self) -> int:
        return hash((self.operating_system, self.node_type))

    def __str__(self) -> str:
        described = {"os": self.operating_system}
        if self.node_type is not None:
            described["node_type"] = self.node_type
        return json.dumps(described, sort_keys=True, default=str)

    def __repr__(self) -> str:
        return f"NodeSpec({self.operating_system!r}, {self.node_type!r})"
