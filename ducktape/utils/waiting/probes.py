# SPDX-License-Identifier: Apache-2.0
"""Single checks of a port, a page or a command, for the conditions of ``ducktape.utils.wait``."""

from __future__ import annotations

import math
import re
import shlex
import socket
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, Union
from urllib.parse import SplitResult, urlsplit

from ducktape.utils.support.guard import UserCodeError
from ducktape.utils.support.hooks import answer_of
from ducktape.utils.support.text import shorten
from ducktape.utils.support.times import Deadline

if TYPE_CHECKING:
    import ssl
    from http.client import HTTPConnection, HTTPResponse


class Addressed(Protocol):
    """An account of a machine with addresses, for the driver and for other machines."""

    @property
    def hostname(self) -> str | None: ...

    @property
    def ssh_hostname(self) -> str | None: ...

    @property
    def externally_routable_ip(self) -> str | None: ...


class Account(Protocol):
    """An account that runs commands."""

    @property
    def hostname(self) -> str | None: ...

    def ssh_capture(self, cmd: str, *, combine_stderr: bool, timeout_sec: float | None) -> Iterable[str]: ...


A_co = TypeVar("A_co", covariant=True)


class Node(Protocol[A_co]):
    """A node with an account."""

    @property
    def account(self) -> A_co: ...


Target = Union[Node[Addressed], Addressed, str]
Host = Union[Node[Account], Account]
Statuses = Union[int, Container[int], None]
Text = Union[str, "re.Pattern[str]", Callable[[str], object], None]

_MOST_OUTPUT = 1024 * 1024
_PIECE = 64 * 1024


@dataclass(frozen=True)
class Answer:
    """The result of one check, with the last lines of a log, or the exception of a failed check."""

    holds: bool | None  # None if unknown
    text: str  # the observation, for people
    tail: tuple[str, ...] = ()
    error: Exception | None = None


def _account(node: Any) -> Any:
    return getattr(node, "account", node)


def account_of(node: Host) -> Account:
    """Return the account of a node, or an account itself."""
    account: Account = _account(node)
    return account


def address_of(target: Target) -> str:
    """Return the address of a node for other machines, or an address itself."""
    if isinstance(target, str):
        return target
    account: Addressed = _account(target)
    return str(account.externally_routable_ip or account.ssh_hostname)


def name_of(host: Target | Host) -> str:
    """Return the name of a node for messages."""
    return host if isinstance(host, str) else str(_account(host).hostname)


def shortened(text: str) -> str:
    """Shorten a text for messages."""
    text = text.rstrip()
    return shorten(text, mark=f"... ({len(text)} characters)")


def seconds_left(deadline: Deadline, attempt: float | None) -> float | None:
    """Return the seconds that one step of a check may take; raises the builtin ``TimeoutError`` if none is left."""
    left = deadline.left(attempt)
    if left == 0:
        raise TimeoutError("no time left")
    return left


def fits_status(status: int, wanted: Statuses) -> bool:
    """Return whether a status is the wanted one or among them; ``None`` accepts all."""
    if wanted is None:
        return True
    return status == wanted if isinstance(wanted, int) else status in wanted


def fits_text(text: str, wanted: Text) -> bool:
    """Return whether a text matches a regular expression or a predicate; ``None`` accepts all."""
    if wanted is None:
        return True
    if isinstance(wanted, (str, re.Pattern)):
        return re.search(wanted, text, 0 if isinstance(wanted, re.Pattern) else re.MULTILINE) is not None
    return bool(answer_of(wanted, text))


# --- ports


@dataclass(frozen=True)
class PortProbe:
    """Connects from this process."""

    host: Target
    port: int
    attempt: float

    def __call__(self, deadline: Deadline) -> Answer:
        address = address_of(self.host)
        place = f"{address}:{self.port}"
        try:
            with socket.create_connection((address, self.port), seconds_left(deadline, self.attempt)) as connection:
                # Without a listener, the kernel may choose this very port for our end and connect it to itself
                if connection.getsockname() == connection.getpeername():
                    return Answer(False, f"{place}: nobody listens")
        except socket.gaierror as error:
            return Answer(None, f"{place}: {error.strerror}")
        except TimeoutError:
            return Answer(False, f"{place}: no answer")
        except OSError as error:
            return Answer(False, f"{place}: {error.strerror or error}")
        return Answer(True, f"{place}: connected")


# Exit status 1: the port cannot be reached; 3: unknown. The end of bash's message is the reason.
_CONNECT = """
if command -v bash >/dev/null && command -v timeout >/dev/null; then
  said=$(LC_ALL=C timeout "$3" bash -c ": </dev/tcp/$1/$2" 2>&1) && exit 0
  [ $? = 124 ] && { echo "no answer"; exit 1; }
  echo "${said##*: }"
  case $said in *"not known"*|*"resolution"*|*"No such file"*) exit 3;; esac
  exit 1
fi
command -v nc >/dev/null || { echo "neither bash with timeout nor nc is there to connect with"; exit 3; }
nc -z -w "$3" "$1" "$2" </dev/null >/dev/null 2>&1 && exit 0
echo "nc could not connect"
exit 1
"""


@dataclass(frozen=True)
class PortFromNodeProbe:
    """Connects from another node, by bash or nc."""

    host: Target
    port: int
    attempt: float
    origin: Host

    def __call__(self, deadline: Deadline) -> Answer:
        address = address_of(self.host)
        seconds = math.ceil(seconds_left(deadline, self.attempt) or 1)
        words = ["sh", "-c", _CONNECT, "sh", address, str(self.port), str(seconds)]
        status, output = run(account_of(self.origin), shlex.join(words), deadline, None)
        text = f"{address}:{self.port} from {name_of(self.origin)}: {shortened(output) or 'connected'}"
        return Answer({0: True, 1: False}.get(status), text)


# --- commands


@dataclass(frozen=True)
class CommandProbe:
    """Runs a command."""

    node: Host
    command: str
    status: Statuses
    output: Text
    attempt: float | None

    def __call__(self, deadline: Deadline) -> Answer:
        status, output = run(account_of(self.node), self.command, deadline, self.attempt)
        holds = fits_status(status, self.status) and fits_text(output, self.output)
        return Answer(holds, f"status {status}, output {shortened(output)!r}" if output else f"status {status}")


def run(
    account: Account, command: str, deadline: Deadline, attempt: float | None, *, with_errors: bool = True
) -> tuple[int, str]:
    """Run a command and return its status and the first 1 MiB of its output; at the timeout, it keeps running."""
    limit = Deadline(seconds_left(deadline, attempt))
    # Unlike ssh_output, this does not log the whole output each time
    lines = account.ssh_capture(command, combine_stderr=with_errors, timeout_sec=limit.left())
    kept = []
    room = _MOST_OUTPUT
    try:
        for line in lines:
            kept.append(line[:room])
            room -= len(kept[-1])
            if limit.is_over:
                raise TimeoutError("it does not end")
    except UserCodeError as error:
        # RemoteCommandError, which this module must not import, or what an account of another kind raises
        status = getattr(error, "exit_status", None)
        if not isinstance(status, int):
            raise
        return status, "".join(kept)
    finally:
        close = getattr(lines, "close", None)
        if close is not None:
            close()
    return 0, "".join(kept)


# --- HTTP


@dataclass(frozen=True)
class HttpProbe:
    """Requests one page, without proxies and redirects."""

    url: str
    method: str
    headers: Mapping[str, str] = field(repr=False)  # may contain secrets
    status: Statuses
    body: Text
    attempt: float
    ssl_context: ssl.SSLContext | None

    def __call__(self, deadline: Deadline) -> Answer:
        from http.client import HTTPException

        limit = Deadline(seconds_left(deadline, self.attempt))
        parts = urlsplit(self.url)
        connection = self._connection(parts, limit.left())
        try:
            page = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
            connection.request(self.method, page, headers=dict(self.headers))
            response = connection.getresponse()
            body = _read(response, connection, limit)
        except socket.gaierror as error:
            return Answer(None, error.strerror or str(error))
        except TimeoutError:
            return Answer(False, "no answer")
        except OSError as error:
            return Answer(False, error.strerror or f"{type(error).__name__}: {error}")
        except HTTPException as error:
            return Answer(False, f"no answer of HTTP: {type(error).__name__}: {shortened(str(error))}")
        finally:
            connection.close()
        holds = fits_status(response.status, self.status) and fits_text(body, self.body)
        return Answer(holds, f"status {response.status} {response.reason}, body {shortened(body)!r}")

    def _connection(self, parts: SplitResult, timeout: float | None) -> HTTPConnection:
        # Imported on use, since HTTP imports TLS and e-mail
        from http.client import HTTPConnection, HTTPSConnection

        host = parts.hostname or ""
        if parts.scheme == "https":
            return HTTPSConnection(host, parts.port, timeout=timeout, context=self.ssl_context)
        return HTTPConnection(host, parts.port, timeout=timeout)


def _read(response: HTTPResponse, connection: HTTPConnection, limit: Deadline) -> str:
    """Return the first 1 MiB of the body; slow bodies are limited, too."""
    pieces = []
    room = _MOST_OUTPUT
    while room > 0:
        if connection.sock is not None:
            connection.sock.settimeout(seconds_left(limit, None))
        piece = response.read1(min(room, _PIECE))
        if not piece:
            break
        pieces.append(piece)
        room -= len(piece)
    charset = response.headers.get_content_charset() or "utf-8"
    try:
        return b"".join(pieces).decode(charset, "replace")
    except LookupError:  # an unknown charset
        return b"".join(pieces).decode("utf-8", "replace")
