# SPDX-License-Identifier: Apache-2.0
"""Where an error on a machine was raised: the method of the account, and the login."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from types import FrameType

from ducktape.cluster.account.errors import RemoteAccountError
from ducktape.cluster.remoteaccount import RemoteAccount
from ducktape.cluster.ssh.errors import is_ssh_failure


def account_of(error: BaseException) -> str:
    """Return ``copy_to on user@host`` for an error that a method of an account raised; empty for other errors.

    The causes of the error are searched, too.
    """
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        if isinstance(current, (RemoteAccountError, OSError, EOFError)) or is_ssh_failure(current):
            for frame in frames_of(current):
                owner, name = owner_of(frame), frame.f_code.co_name
                if isinstance(owner, RemoteAccount) and not name.startswith("_"):
                    return f"{name} on {owner}"
        if isinstance(current, RemoteAccountError):
            return f"a command on {current.account_str}"
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return ""


def frames_of(error: BaseException) -> Iterator[FrameType]:
    """Return the frames that an error has passed, the outermost first."""
    return (frame for frame, _ in traceback.walk_tb(error.__traceback__))


def owner_of(frame: FrameType) -> object:
    """Return the object whose method a frame is, or ``None``."""
    code = frame.f_code
    return frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
