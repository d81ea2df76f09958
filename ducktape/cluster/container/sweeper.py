# SPDX-License-Identifier: Apache-2.0
"""Removes the network of a session that is over: a program, which waits for the end of its input.

It is run as ``python -m ducktape.cluster.container.sweeper ADDRESS NETWORK``.
"""

from __future__ import annotations

import contextlib
import sys
import time

_SECONDS_BETWEEN_TRIALS = 0.2
_MOST_SECONDS = 7 * 24 * 3600.0  # kept nodes may use it for long


def main() -> None:
    sys.stdin.buffer.read()
    # Not while it waits, which takes memory
    import docker
    import docker.errors
    import requests

    address, name = sys.argv[1:]
    seconds, pause = 0.0, _SECONDS_BETWEEN_TRIALS
    while seconds < _MOST_SECONDS:
        with contextlib.suppress(docker.errors.DockerException, requests.RequestException, OSError):
            client = docker.DockerClient(address)
            try:
                client.networks.get(name).remove()
            except docker.errors.NotFound:
                return
            finally:
                client.close()
        # Still in use, or the engine is not there
        time.sleep(pause)
        seconds += pause
        pause = min(2 * pause, 30.0)


if __name__ == "__main__":
    main()
