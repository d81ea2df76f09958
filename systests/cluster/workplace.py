# SPDX-License-Identifier: Apache-2.0
"""A directory on each node."""

from __future__ import annotations

import uuid
from typing import Any

from ducktape.services.service import Service


class Workplace(Service):
    """Does nothing but to have a directory on each node, with a log in it that is collected.

    Args:
        context: of the test.
        num_nodes: number of nodes.
    """

    def __init__(self, context: Any, num_nodes: int) -> None:
        super().__init__(context, num_nodes=num_nodes)
        self._root = f"{context.globals.get('work_root', '/tmp')}/account-verbs-{uuid.uuid4().hex}"
        # Nodes may be logins of one machine, so each has files of its own names.
        self.logs = {
            f"workplace_{node.name}": {"path": self.log_file(node), "collect_default": True} for node in self.nodes
        }

    def directory(self, node: Any) -> str:
        """The node's directory."""
        return f"{self._root}-{node.name}"

    def log_file(self, node: Any) -> str:
        """The node's log."""
        return f"{self.directory(node)}/workplace-{node.name}.log"

    def start_node(self, node: Any, **kwargs: Any) -> None:
        """Make the directory."""
        node.account.mkdirs(self.directory(node))
        node.account.create_file(self.log_file(node), f"the workplace of {node.name}\n")

    def stop_node(self, node: Any, **kwargs: Any) -> None:
        """Nothing runs."""

    def clean_node(self, node: Any, **kwargs: Any) -> None:
        """Remove the directory."""
        node.account.remove(self.directory(node), allow_fail=True)
