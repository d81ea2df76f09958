# SPDX-License-Identifier: Apache-2.0
"""Keywords of ``@cluster``."""

from __future__ import annotations

CLUSTER_SPEC_KEYWORD = "cluster_spec"
CLUSTER_SIZE_KEYWORD = "num_nodes"
CLUSTER_NODE_TYPE_KEYWORD = "node_type"
