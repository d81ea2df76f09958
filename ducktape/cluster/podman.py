# SPDX-License-Identifier: Apache-2.0
"""Containers of Podman as a cluster."""

from __future__ import annotations

import os
from typing import Any

from ducktape.cluster.container.cluster import ContainerCluster
from ducktape.cluster.container.engine import Engine

__all__ = ["PodmanCluster"]

_SOCKET = "podman/podman.sock"


class PodmanCluster(ContainerCluster):
    """Makes containers of Podman on allocation and removes them when they are given back.

    The service is that of ``CONTAINER_HOST``, else the user's or the machine's. ``podman system service --time=0``
    starts one, as does ``systemctl --user start podman.socket``.

    Args:
        cluster_file: path of a JSON file with the image and more.
        **kwargs: ``ssh_exception_checks``: passed to each account; everything else is ignored.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: its content is invalid.
        ContainerError: the service cannot be reached.
    """

    def __init__(self, cluster_file: str | None = None, **kwargs: Any) -> None:
        super().__init__(Engine("Podman", _address()), "podman", cluster_file, **kwargs)


def _address() -> str:
    if address := os.environ.get("CONTAINER_HOST"):
        return address
    own = os.path.join(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}", _SOCKET)
    return f"unix://{own if os.getuid() and os.path.exists(own) else os.path.join('/run', _SOCKET)}"
