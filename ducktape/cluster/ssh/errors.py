# SPDX-License-Identifier: Apache-2.0
"""What counts as a failure of SSH itself, and the checks that users have run upon one."""

from __future__ import annotations

import contextlib
import errno
import functools
import logging
import socket
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ducktape.cluster.ssh.hints import advice_for, meaning_of
from ducktape.utils.support.hooks import called

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

F = TypeVar("F", bound="Callable[..., Any]")

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
    """Whether an error tells of the connection, the login or silence, rather than of a file or a command."""
    if getattr(error, _WHILE_CONNECTING, False):
        return True
    if isinstance(error, (ConnectionError, TimeoutError, socket.gaierror, socket.herror)):
        return True
    # Not imported here: an exception of a library that nobody imported cannot exist.
    paramiko = sys.modules.get("paramiko")
    if paramiko is not None:
        kinds = (paramiko.SSHException, paramiko.ssh_exception.NoValidConnectionsError)
        if isinstance(error, kinds):
            return True
    return isinstance(error, OSError) and error.errno in _NETWORK_ERRORS


def came_from_ssh(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, is an SSH failure in something that an account was asked to do.

    A connection that a test itself failed to open, to the system under test for example, is none.

    Args:
        error: what user code raised.
    """
    while error is not None:
        if getattr(error, _IN_A_VERB, False) or getattr(error, _WHILE_CONNECTING, False):
            return True
        error = error.__cause__
    return False


@contextlib.contextmanager
def connecting(name: str, login: str = "") -> Iterator[None]:
    """Errors from this block are SSH failures whatever their type: a missing key file is no absent remote file.

    Args:
        name: of the machine, put into the errors' texts, of which most do not name any.
        login: as whom and where, put into them as well.
    """
    try:
        yield
    except Exception as error:
        _mark(error, _WHILE_CONNECTING)
        _name(error, name, f", {login}" if login else "", advice_for(error) if login else "")
        raise


def _name(error: Exception, name: str, login: str, advice: str) -> None:
    advice = f". {advice}" if advice else ""
    if isinstance(error, OSError) and error.strerror:
        error.strerror = f"{error.strerror} (logging in to {name}{login}){advice}"
        return
    where = f" ({login.removeprefix(', ')})" if login else ""
    if isinstance(getattr(error, "explanation", None), str):
        error.explanation = f"{name}: {error.explanation}{where}"  # type: ignore[attr-defined]  # of refused logins
        return
    text = str(error) or meaning_of(error)
    # Only errors that have nothing but a text: others may build theirs from what they were given.
    if not error.args or (len(error.args) == 1 and isinstance(error.args[0], str) and str(error) == error.args[0]):
        error.args = (f"{name}: {text}{where}{advice}",)


def give_words(error: Exception) -> None:
    """Let an error that says nothing at all say at least what its class means.

    Args:
        error: any error.
    """
    if not str(error) and not error.args:
        error.args = (meaning_of(error),)


def check_ssh(method: F) -> F:
    """Decorate a method of an account: an SSH failure in it runs the account's ``ssh_exception_checks``, once.

    The original error is raised afterwards, unless a check raises its own.
    """

    @functools.wraps(method)
    def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        except Exception as error:
            if is_ssh_failure(error):
                _mark(error, _IN_A_VERB)
                give_words(error)
            run_ssh_checks(self, error)
            raise

    return cast("F", checked)


def run_ssh_checks(account: Any, error: Exception) -> None:
    """Run the account's checks upon an SSH failure, unless they ran for this very error before.

    Raises:
        Exception: whatever a check raises; later checks are not called then
    """
    checks = account._custom_ssh_exception_checks
    # A check may itself use the account, whose failure then must not start the checks again.
    if not checks or _checking.get() or getattr(error, _CHECKED, False) or not is_ssh_failure(error):
        return
    _mark(error, _CHECKED)
    account._log(logging.DEBUG, "caught ssh error", exc_info=error)
    account._log(logging.DEBUG, "starting ssh checks:")
    account._log(logging.DEBUG, "\n".join(repr(check) for check in checks))
    token = _checking.set(True)
    try:
        for check in checks:
            called(check, error, account)
    except Exception as own:
        _mark(own, _CHECKED)
        raise
    finally:
        _checking.reset(token)


def _mark(error: Exception, name: str) -> None:
    # An exception type with slots cannot be marked; the only harm is a second run of the checks.
    with contextlib.suppress(AttributeError):
        setattr(error, name, True)
