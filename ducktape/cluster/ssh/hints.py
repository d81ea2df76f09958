# SPDX-License-Identifier: Apache-2.0
"""What the errors of a login mean, and what to do about them, in words."""

from __future__ import annotations

import errno
import socket
import sys

_BY_NUMBER = {
    errno.ECONNREFUSED: "Does an SSH server run there, at this port?",
    errno.EHOSTUNREACH: "Is the machine up, and the address right?",
    errno.ENETUNREACH: "Is there a network to this address?",
    errno.ECONNRESET: "The server hangs up: see its log, MaxStartups, and PerSourcePenalties",
    errno.ETIMEDOUT: "Is the machine up, and does no firewall swallow what is sent to it?",
}
# Pieces of what the SSH library says, the first that fits
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
    """Return what to do about a login that failed; empty where the error says it, or where nobody knows.

    Args:
        error: what the SSH library or the operating system raised.
    """
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
    """Return what an error means that has no text of its own.

    Args:
        error: any error.
    """
    if isinstance(error, TimeoutError):
        return "it timed out"
    if isinstance(error, EOFError):
        return "the other side closed the connection"
    return type(error).__name__
