# SPDX-License-Identifier: Apache-2.0
"""Containers of Docker as a cluster."""

from __future__ import annotations

import os
from typing import Any

from ducktape.cluster.container.cluster import ContainerCluster
from ducktape.cluster.container.engine import Engine

__all__ = ["DockerCluster"]

_USUAL_SOCKET = "/var/run/docker.sock"


class DockerCluster(ContainerCluster):
    """Makes containers of Docker on allocation and removes them when they are given back.

    The engine is that of ``DOCKER_HOST``, else that of the current context of the program ``docker``, else the one of
    this machine, which may be rootless.

    Args:
        cluster_file: path of a JSON file with the image and more.
        **kwargs: ``ssh_exception_checks``: passed to each account; everything else is ignored.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: its content is invalid.
        ContainerError: the engine cannot be reached.
    """

    def __init__(self, cluster_file: str | None = None, **kwargs: Any) -> None:
        super().__init__(Engine("Docker", _address()), "docker", cluster_file, **kwargs)


def _address() -> str:
    if address := os.environ.get("DOCKER_HOST") or _of_context():
        return address
    rootless = f"{os.environ.get('XDG_RUNTIME_DIR', '')}/docker.sock"
    return f"unix://{rootless if not os.path.exists(_USUAL_SOCKET) and os.path.exists(rootless) else _USUAL_SOCKET}"


def _of_context() -> str | None:
    """Return the address of the context that people have chosen, if it is not the usual one."""
    try:
        from docker.context import ContextAPI
    except ImportError:  # which is said when the engine is asked
        return None
    context = ContextAPI.get_current_context()
    return None if context is None or context.name == "default" else str(context.Host)
