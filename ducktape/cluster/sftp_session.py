# SPDX-License-Identifier: Apache-2.0
"""An SFTP client that several threads may use. Imports paramiko: to be imported where a connection is made."""

from __future__ import annotations

import threading
from typing import Any

import paramiko


class SharedSFTPClient(paramiko.SFTPClient):
    """Lets one thread at a time ask and hear its answer.

    In the library's client, a thread that waits for its own answer drops the answers of others, who then wait for
    ever.
    """

    def __init__(self, sock: paramiko.Channel) -> None:
        self.session_lock = threading.RLock()
        super().__init__(sock)

    def _request(self, t: int, *args: Any) -> Any:
        with self.session_lock:
            return super()._request(t, *args)  # type: ignore[misc]  # the library's stubs leave it out


def open_session(transport: paramiko.Transport) -> SharedSFTPClient:
    """A new SFTP session on a connection."""
    channel = transport.open_session()
    try:
        channel.invoke_subsystem("sftp")
        return SharedSFTPClient(channel)
    except BaseException:
        channel.close()
        raise
