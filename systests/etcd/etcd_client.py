# SPDX-License-Identifier: Apache-2.0
"""A client of one etcd member, which speaks the JSON form of etcd's API."""

from __future__ import annotations

import base64
from typing import Any

import requests


class NoAnswer(Exception):  # it says what there is to know
    """The member did not say what became of a request; it may have been carried out, or may still be."""


class EtcdClient:
    """Asks one member, each request once.

    Args:
        url: of the member, for clients.
        timeout_sec: for one answer.
    """

    def __init__(self, url: str, timeout_sec: float = 5) -> None:
        self.url = url
        self.timeout_sec = timeout_sec
        self.session = requests.Session()
        # A proxy of the user's environment knows nothing of the nodes
        self.session.trust_env = False

    def get(self, key: str, *, serializable: bool = False) -> str | None:
        """Return the value of a key, ``None`` if there is none.

        Args:
            key: any text.
            serializable: take what this member knows, however old it is, instead of what a majority agrees on.
        """
        return _value(self.call("kv/range", {"key": _encoded(key), "serializable": serializable}))

    def put(self, key: str, value: str) -> None:
        """Write a value, whatever was there."""
        self.call("kv/put", {"key": _encoded(key), "value": _encoded(value)})

    def swap(self, key: str, old: str | None, new: str) -> tuple[bool, str | None]:
        """Replace one value by another.

        Args:
            key: any text.
            old: what has to be there; ``None`` for nothing.
            new: what is to be there.

        Returns:
            Whether it was done, and the value that was there if not.
        """
        condition = (
            {"target": "CREATE", "create_revision": "0"} if old is None else {"target": "VALUE", "value": _encoded(old)}
        )
        answer = self.call(
            "kv/txn",
            {
                "compare": [{"key": _encoded(key), "result": "EQUAL", **condition}],
                "success": [{"request_put": {"key": _encoded(key), "value": _encoded(new)}}],
                "failure": [{"request_range": {"key": _encoded(key)}}],
            },
        )
        # What is false is left out of an answer
        if answer.get("succeeded", False):
            return True, new
        return False, _value(answer["responses"][0]["response_range"])

    def revision(self, *, serializable: bool) -> int:
        """Return how many changes to the store there were, as this member, or else a majority, knows."""
        answer = self.call("kv/range", {"key": _encoded("any"), "serializable": serializable})
        return int(answer["header"]["revision"])

    def status(self) -> dict[str, Any]:
        """Return what the member thinks of itself and of the others."""
        return self.call("maintenance/status", {})

    def call(self, path: str, request: dict[str, Any]) -> dict[str, Any]:
        """Send one request and return the answer.

        Raises:
            NoAnswer: there is none, or one that does not tell whether anything was done.
        """
        try:
            response = self.session.post(f"{self.url}/v3/{path}", json=request, timeout=self.timeout_sec)
            answer: dict[str, Any] = response.json()
        except (requests.RequestException, ValueError) as error:
            raise NoAnswer(f"{self.url} does not answer: {error}") from error
        if response.status_code != 200:
            raise NoAnswer(f"{self.url} answers {response.status_code}: {answer}")
        return answer

    def close(self) -> None:
        self.session.close()


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _value(answer: dict[str, Any]) -> str | None:
    found = answer.get("kvs", [])
    return base64.b64decode(found[0].get("value", "")).decode() if found else None
