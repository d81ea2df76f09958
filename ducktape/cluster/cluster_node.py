# SPDX-License-Identifier: Apache-2.0
"""One node of a cluster: an account, plus any attributes of users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ducktape.cluster.remoteaccount import RemoteAccount


class NodeAccount(Protocol):
    """What a node needs of its account."""

    @property
    def hostname(self) -> str: ...

    @property
    def operating_system(self) -> str | None: ...


class ClusterNode:
    """A machine as a cluster hands it out; compares by identity and accepts any attribute.

    Args:
        account: the account that reaches the machine (anything with ``hostname`` and ``operating_system``)
        kwargs: become attributes of the node
    """

    if TYPE_CHECKING:
        # Plain attributes, which type checkers see as follows

        @property
        def account(self) -> RemoteAccount:
            """The account that reaches the machine."""

        @account.setter
        def account(self, account: NodeAccount) -> None: ...

        # Not Any, so that a misspelled attribute is found where it is used
        def __getattr__(self, name: str) -> object: ...

        def __setattr__(self, name: str, value: object) -> None: ...

    def __init__(self, account: NodeAccount, **kwargs: object) -> None:
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
