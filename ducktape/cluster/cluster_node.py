# SPDX-License-Identifier: Apache-2.0
"""One node of a cluster: an account, plus any attributes of users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ducktape.cluster.remoteaccount import RemoteAccount


class ClusterNode:
    """A machine as a cluster hands it out; compares by identity and accepts any attribute.

    Args:
        account: the account that reaches the machine (anything with ``hostname`` and ``operating_system``)
        kwargs: become attributes of the node
    """

    account: RemoteAccount

    def __init__(self, account: Any, **kwargs: object) -> None:
        self.account = account
        for name, value in kwargs.items():
            setattr(self, name, value)

    @property
    def name(self) -> str:
        """The host name of the account."""
        return self.account.hostname

    @property
    def operating_system(self) -> str | None:
        """The operating system of the account."""
        return self.account.operating_system

    @property
    def node_type(self) -> str | None:
        """The type label: the account's, unless a keyword or an assignment set another."""
        # A node keeps its type while it is in use, otherwise a typed request inside a test could never be served.
        if "node_type" in self.__dict__:
            own: str | None = self.__dict__["node_type"]
            return own
        return getattr(self.account, "node_type", None)

    @node_type.setter
    def node_type(self, value: str | None) -> None:
        self.__dict__["node_type"] = value
