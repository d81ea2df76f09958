# SPDX-License-Identifier: Apache-2.0
"""Removes the containers and the network of a session when it is over, however that happens: a program of its own.

It is run as ``python -m ducktape.cluster.container.cleaner ADDRESS SESSION``, and its input is a socket. It acts when
the other end is closed. Containers that are kept come as messages with their ids, and with a pipe: they are removed
when nobody holds the other end of the pipe any more.
"""

from __future__ import annotations

import contextlib
import select
import socket
import sys
import time
from collections.abc import Collection

LABEL = "ducktape.session"
LARGEST_MESSAGE = 64 * 1024

_SECONDS_BETWEEN_TRIALS = 0.2
_MOST_SECONDS = 24 * 3600.0  # for an engine that is not there


def main() -> None:
    address, session = sys.argv[1:]
    with socket.socket(fileno=0) as driver:
        kept: dict[int, list[str]] = {}  # ids of containers, by the pipes of those who keep them
        poll = select.poll()
        poll.register(driver, select.POLLIN)
        is_over = False
        while not is_over or kept:
            for descriptor, _ in poll.poll():
                if descriptor != driver.fileno():
                    poll.unregister(descriptor)
                    gone = kept.pop(descriptor)
                    if is_over:
                        _remove(address, session, gone, [])
                    continue
                data, pipes, _, _ = socket.recv_fds(driver, LARGEST_MESSAGE, 1)
                if pipes:
                    kept[pipes[0]] = data.decode("ascii").split()
                    poll.register(pipes[0], 0)  # so only the end is reported
                if not data:
                    is_over = True
                    poll.unregister(driver)
                    _remove(address, session, None, [each for ids in kept.values() for each in ids])
    _remove(address, session, None, [], network=True)


def _remove(
    address: str, session: str, wanted: Collection[str] | None, kept: Collection[str], *, network: bool = False
) -> None:
    """Remove some or all containers of a session except the kept ones, and maybe its network, as often as it takes."""
    # Not while it waits, which takes memory
    import docker
    import docker.errors
    import requests

    seconds, pause = 0.0, _SECONDS_BETWEEN_TRIALS
    while seconds < _MOST_SECONDS:
        with contextlib.suppress(docker.errors.DockerException, requests.RequestException, OSError):
            client = docker.DockerClient(address)
            with contextlib.closing(client):
                found = client.api.containers(all=True, quiet=True, filters={"label": f"{LABEL}={session}"})
                ids = [each["Id"] for each in found if wanted is None or each["Id"] in wanted]
                left = [each for each in ids if each not in kept]
                for container in left:
                    with contextlib.suppress(docker.errors.APIError):  # somebody else removes it
                        client.api.remove_container(container, v=True, force=True)
                # What was asked for by a dead driver may arrive late, and holds the network
                if not left and not network:
                    return
                if network:
                    try:
                        client.networks.get(session).remove()
                    except docker.errors.NotFound:
                        if not left:
                            return
        time.sleep(pause)
        seconds += pause
        pause = min(2 * pause, 30.0)


if __name__ == "__main__":
    main()
