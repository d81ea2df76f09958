# SPDX-License-Identifier: Apache-2.0
"""Failures of SSH itself: detection, advice, and the checks of users that run on them."""

from __future__ import annotations

import contextlib
import errno
import functools
import logging
import socket
import sys
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ducktape.utils.support.hooks import called

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

R = TypeVar("R")
P = ParamSpec("P")

_CHECKED = "_ducktape_ssh_checks_ran"
_WHILE_CONNECTING = "_ducktape_while_connecting"
_IN_A_VERB = "_ducktape_in_a_verb"

_NETWORK_ERRORS = frozenset(
    {
        errno.EHOSTUNREACH,
        errno.EHOSTDOWN,
        errno.ENETUNREACH,
        errno.ENETDOWN,
        errno.ENETRESET,
        errno.ENOTCONN,
        errno.EADDRNOTAVAIL,
    }
)

_checking: ContextVar[bool] = ContextVar("ducktape_ssh_checks_running", default=False)


def is_ssh_failure(error: BaseException) -> bool:
    """Whether an error concerns the connection, rather than a file or a command."""
    if getattr(error, _WHILE_CONNECTING, False):
        return True
    if isinstance(error, (ConnectionError, TimeoutError, socket.gaierror, socket.herror)):
        return True
    # Not imported here: without an import, there are no exceptions of the library
    paramiko = sys.modules.get("paramiko")
    if paramiko is not None:
        kinds = (paramiko.SSHException, paramiko.ssh_exception.NoValidConnectionsError)
        if isinstance(error, kinds):
            return True
    return isinstance(error, OSError) and error.errno in _NETWORK_ERRORS


def came_from_ssh(error: BaseException | None) -> bool:
    """Whether an error, or its cause, is an SSH failure of an account, not of the test's own connections."""
    while error is not None:
        if getattr(error, _IN_A_VERB, False) or getattr(error, _WHILE_CONNECTING, False):
            return True
        error = error.__cause__
    return False


class _Noted:
    """Passes an exception of a block to ``note`` before it propagates; adds nothing to its traceback."""

    def __init__(self, note: Callable[[Exception], None]) -> None:
        self._note = note

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            self._note(error)


def connecting(name: str, login: str = "") -> AbstractContextManager[None]:
    """Mark all errors of a block as SSH failures, and add the name of the machine and the login to their texts."""

    def describe(error: Exception) -> None:
        _mark(error, _WHILE_CONNECTING)
        advice = f". {advice_for(error)}" if login and advice_for(error) else ""
        where = f" ({login})" if login else ""
        if isinstance(error, OSError) and error.strerror:
            place = f"{name}, {login}" if login else name
            error.strerror = f"{error.strerror} (logging in to {place}){advice}"
        elif isinstance(getattr(error, "explanation", None), str):
            error.explanation = f"{name}: {error.explanation}{where}"  # type: ignore[attr-defined]  # of refused logins
        elif not error.args or error.args == (str(error),):  # only errors with nothing but a text
            error.args = (f"{name}: {str(error) or meaning_of(error)}{where}{advice}",)

    return _Noted(describe)


def give_words(error: Exception) -> None:
    """Give an error without text a description of its class."""
    if not str(error) and not error.args:
        error.args = (meaning_of(error),)


def check_ssh(method: Callable[P, R]) -> Callable[P, R]:
    """Decorate a method of an account: SSH failures run the account's ``ssh_exception_checks`` once.

    Then the original error is raised, unless a check raises its own.
    """

    @functools.wraps(method)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        def check(error: Exception) -> None:
            if is_ssh_failure(error):
                _mark(error, _IN_A_VERB)
                give_words(error)
            run_ssh_checks(args[0], error)

        with _Noted(check):
            return method(*args, **kwargs)

    return checked


def run_ssh_checks(account: Any, error: Exception) -> None:
    """Run the account's checks for an SSH failure, unless they ran for this error before; they may raise anything."""
    checks = account._custom_ssh_exception_checks
    # A check may use the account, whose failure must not start the checks again
    if not checks or _checking.get() or getattr(error, _CHECKED, False) or not is_ssh_failure(error):
        return
    _mark(error, _CHECKED)
    account._log(logging.DEBUG, "caught ssh error", exc_info=error)
    account._log(logging.DEBUG, "starting ssh checks:")
    account._log(logging.DEBUG, "\n".join(repr(check) for check in checks))
    token = _checking.set(True)
    try:
        with _Noted(lambda own: _mark(own, _CHECKED)):
            for check in checks:
                called(check, error, account)
    finally:
        _checking.reset(token)


def _mark(error: Exception, name: str) -> None:
    # An exception with slots cannot be marked, so its checks run twice
    with contextlib.suppress(AttributeError):
        setattr(error, name, True)


_BY_NUMBER = {
    errno.ECONNREFUSED: "Does an SSH server run there, at this port?",
    errno.EHOSTUNREACH: "Is the machine up, and the address right?",
    errno.ENETUNREACH: "Is there a network to this address?",
    errno.ECONNRESET: "The server hangs up: see its log, MaxStartups, and PerSourcePenalties",
    errno.ETIMEDOUT: "Is the machine up, and does no firewall swallow what is sent to it?",
}
# Pieces of the SSH library's messages; the first match counts
_BY_TEXT = (
    (
        "protocol banner",
        "Does an SSH server run there, at this port? One that hangs up at once: see its log, MaxStartups",
    ),
    ("Indecipherable protocol", "Does an SSH server run there, at this port?"),
    ("Incompatible version", "Does an SSH server run there, at this port?"),
    (
        "ncompatible ssh peer",
        "The server offers only algorithms that this SSH library does not have: bring both up to date, or see "
        "KexAlgorithms, HostKeyAlgorithms, Ciphers and MACs in the configuration of the server",
    ),
    ("timed out", "Is the machine up, and the address right? connecttimeout gives it longer"),
    ("does not answer", "Is the machine busy, or its SSH server frozen? connecttimeout gives it longer"),
)


def advice_for(error: Exception) -> str:
    """Return advice about a failed login; empty if there is none."""
    if isinstance(error, socket.gaierror):
        return "See hostname in the cluster file, and the name server of this machine"
    paramiko = sys.modules.get("paramiko")
    if paramiko is not None and isinstance(error, paramiko.ssh_exception.NoValidConnectionsError):
        return next((_BY_NUMBER[each.errno] for each in error.errors.values() if each.errno in _BY_NUMBER), "")
    if isinstance(error, OSError) and error.errno in _BY_NUMBER:
        return _BY_NUMBER[error.errno]
    text = str(error) or meaning_of(error)
    return next((advice for piece, advice in _BY_TEXT if piece in text), "")


def meaning_of(error: Exception) -> str:
    """Return the meaning of an error without text."""
    if isinstance(error, TimeoutError):
        return "it timed out"
    if isinstance(error, EOFError):
        return "the other side closed the connection"
    return type(error).__name__
