# SPDX-License-Identifier: Apache-2.0
"""Waits until systems are ready: conditions that can be combined, one timeout, and an error that explains failures.

::

    started = log(node, "/mnt/server.log", r"ready for connections")
    wait_for(port(node, 5432) & started & http(node, port=8080, path="/health"), timeout="60s")
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ducktape.utils.support.addresses import in_url
from ducktape.utils.support.hooks import answer_of
from ducktape.utils.support.times import Deadline, seconds_of
from ducktape.utils.waiting.conditions import AllOf, AnyOf, Condition, Single, wait_for
from ducktape.utils.waiting.engine import NotReadyError, Standing
from ducktape.utils.waiting.log import LogProbe
from ducktape.utils.waiting.probes import (
    Answer,
    CommandProbe,
    Host,
    HttpProbe,
    PortFromNodeProbe,
    PortProbe,
    Statuses,
    Target,
    Text,
    address_of,
    name_of,
    shortened,
)

if TYPE_CHECKING:
    import ssl

__all__ = [
    "Answer",
    "Condition",
    "NotReadyError",
    "Standing",
    "all_of",
    "any_of",
    "command",
    "condition",
    "http",
    "log",
    "port",
    "wait_for",
]


def port(node: Target, port: int, *, from_node: Host | None = None, attempt: float | str = "3s") -> Condition:
    """A port accepts connections.

    Args:
        node: a node or an account (its externally routable address), or an address.
        port: its number.
        from_node: connect from this node or account instead of from the process of the test.
        attempt: timeout of one connection, in seconds or as a string such as ``"3s"``.

    Raises:
        ValueError: the port or the timeout is invalid.
    """
    number = int(port)
    if not 0 < number < 65536:
        raise ValueError(f"{port} is not the number of a port")
    name = f"port {number} of {name_of(node)}"
    seconds = seconds_of(attempt)
    if from_node is None:
        return Single(name, PortProbe(node, number, seconds))
    return Single(f"{name} from {name_of(from_node)}", PortFromNodeProbe(node, number, seconds, from_node))


def log(node: Host, path: str, pattern: str | re.Pattern[str], *, since: int | str = "start") -> Condition:
    """A log has a matching line; once it had one, the condition holds permanently.

    Every byte is read once. A truncated or replaced log is read from its start; a missing one has no lines.

    Args:
        node: a node or an account.
        path: path of the log; expanded by the shell.
        pattern: regular expression of Python, searched in each line.
        since: ``"start"`` for all lines; ``"now"`` for lines written after this call, which therefore accesses the log;
            a number of bytes to ignore.

    Raises:
        ValueError: ``since`` is none of these.
        re.error: the pattern is invalid.
    """
    if isinstance(since, bool) or not (since in ("start", "now") or (isinstance(since, int) and since >= 0)):
        raise ValueError(f'since is {since!r}, not "start", "now" or a number of bytes')
    compiled = re.compile(pattern)
    begin = {"start": 0, "now": None}[since] if isinstance(since, str) else since
    name = f"log {path} of {name_of(node)} has {shortened(compiled.pattern)!r}"
    return Single(name, LogProbe(node, path, compiled, begin))


def http(
    target: Target,
    port: int | None = None,
    path: str = "/",
    *,
    status: Statuses = 200,
    body: Text = None,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    ssl_context: ssl.SSLContext | None = None,
    attempt: float | str = "5s",
) -> Condition:
    """A server answers a request of the test's process, without proxies and redirects.

    Args:
        target: an address that begins with ``http://`` or ``https://``; or a node or an account (its externally
            routable address).
        port: port of the node.
        path: path on the node.
        status: the wanted status, several, or ``None`` for any.
        body: regular expression of Python, searched in the body, or a function of it; limited to 1 MiB.
        method: HTTP method.
        headers: HTTP headers.
        ssl_context: for HTTPS; with a node, selects HTTPS.
        attempt: timeout of one request, in seconds or as a string such as ``"5s"``.

    Raises:
        ValueError: the address or the timeout is invalid.
    """
    if not isinstance(target, str):
        host = in_url(address_of(target))
        place = host if port is None else f"{host}:{int(port)}"
        url = f"{'http' if ssl_context is None else 'https'}://{place}{path if path.startswith('/') else '/' + path}"
    elif port is not None or path != "/":
        raise ValueError(f"{_without_login(target)} is a complete URL: port and path must be part of it")
    else:
        url = target
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError(f"{_without_login(url)} is not an address of the form http://host:port/path")
    probe = HttpProbe(url, method, dict(headers or {}), status, body, seconds_of(attempt), ssl_context)
    return Single(f"{method} {_without_login(url)}", probe)


def _without_login(url: str) -> str:
    # Messages contain the names of conditions, and must not contain passwords
    return re.sub(r"//[^/@]*@", "//", url)


def command(
    node: Host, cmd: str, *, status: Statuses = 0, output: Text = None, attempt: float | str | None = None
) -> Condition:
    """A command ends as expected; it is run repeatedly.

    Args:
        node: a node or an account.
        cmd: text for the login shell. If it may hang, start it with ``timeout 5``.
        status: the wanted exit status, several, or ``None`` for any.
        output: regular expression of Python, searched in the output (errors included), or a function of it; at most
            1 MiB counts.
        attempt: timeout of one run, in seconds or as a string such as ``"5s"``; the command then keeps running and is
            started again. ``None`` is without timeout.

    Raises:
        ValueError: the timeout is invalid.
    """
    seconds = None if attempt is None else seconds_of(attempt)
    return Single(f"command {shortened(cmd)!r} on {name_of(node)}", CommandProbe(node, cmd, status, output, seconds))


def condition(function: Callable[[], object], name: str = "") -> Condition:
    """A function returns a true value.

    Args:
        function: called without arguments, in another thread than the caller's. Its exceptions mean "unknown" and are
            reported at the timeout; only ``ducktape.errors.Skip`` propagates.
        name: name for messages; by default that of the function.
    """

    def ask(deadline: Deadline) -> Answer:
        value = answer_of(function)
        return Answer(bool(value), f"it returned {shortened(repr(value))}")

    return Single(name or getattr(function, "__qualname__", repr(function)), ask)


def all_of(conditions: Iterable[Condition]) -> Condition:
    """All of several conditions hold, as in ``all_of(port(node, 2181) for node in self.nodes)``.

    Raises:
        ValueError: there are none.
    """
    return AllOf(*_some(conditions))


def any_of(conditions: Iterable[Condition]) -> Condition:
    """At least one of several conditions holds.

    Raises:
        ValueError: there are none.
    """
    return AnyOf(*_some(conditions))


def _some(conditions: Iterable[Condition]) -> list[Condition]:
    found = list(conditions)
    if not found:
        raise ValueError("there is no condition to wait for")
    return found
