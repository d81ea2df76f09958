# SPDX-License-Identifier: Apache-2.0
"""What is done to a machine, and the script on it that undoes it when nobody says in time that it shall stay.

The script needs a POSIX shell and ``sleep``, ``rm``, ``mkdir``. It counts its own seconds, so that neither a changed
clock nor a machine that slept for a while ends a fault early. Whoever undoes the fault makes a directory first, which
only one can; the other one waits.
"""

from __future__ import annotations

import dataclasses
import enum
import shlex
from collections.abc import Sequence

from ducktape.faults.engine.host import UNAVAILABLE, Host
from ducktape.faults.errors import FaultError

FOLDER = "/tmp"
_NAME = "dt-fault-"
_GONE = 3
_ORPHANED = 4

_WATCH = r"""
trap '' HUP INT TERM
d=$1
left=$2
undo=$(cat "$d/undo")
while [ -d "$d" ] && [ "$left" -gt 0 ]; do
    sleep 1
    left=$((left - 1))
    if [ -e "$d/renewed" ]; then
        rm -f "$d/renewed"
        # The sign of life may be a second old
        left=$(($2 - 1))
    fi
done
if [ ! -d "$d" ]; then
    # Who undid the fault ends this script at once. Otherwise somebody has cleared the directory above.
    sleep 1
    sh -c "$undo" >/dev/null 2>&1
    exit 0
fi
if ! mkdir "$d/undoing" 2>/dev/null; then
    # Somebody else is at it. Should they die over it, it is done here.
    left=20
    while [ -d "$d" ] && [ "$left" -gt 0 ]; do
        sleep 1
        left=$((left - 1))
    done
    [ -d "$d" ] || exit 0
fi
sh "$d/undo" >/dev/null 2>&1
mv "$d" "$d-gone" 2>/dev/null
rm -rf "$d-gone"
"""

_UNDO_NOW = r"""
trap '' HUP
[ -d "$d" ] || { echo gone; exit 0; }
if mkdir "$d/undoing" 2>/dev/null; then
    if sh "$d/undo" >&2; then
        watcher=$(cat "$d/watcher" 2>/dev/null)
        # In one step: nobody who renews it can put a file back in between
        mv "$d" "$d-gone"
        rm -rf "$d-gone"
        # Unless the machine was switched off and on, and the number belongs to another
        case $(tr '\0' ' ' <"/proc/$watcher/cmdline" 2>/dev/null) in
            *"$d/watch"*) kill -KILL "$watcher" 2>/dev/null ;;
        esac
        exit 0
    fi
    # The watching script tries once more when the time is over
    rmdir "$d/undoing"
    exit 1
fi
echo gone
left=30
while [ -d "$d" ] && [ "$left" -gt 0 ]; do
    sleep 1
    left=$((left - 1))
done
[ ! -d "$d" ]
"""

_RENEW = rf"""
[ -d "$d/undoing" ] && exit {_GONE}
: >"$d/renewed" || exit {_GONE}
case $(tr '\0' ' ' <"/proc/$(cat "$d/watcher")/cmdline") in *"$d/watch"*) exit 0 ;; esac
# It may just have done its work
[ -d "$d" ] && [ ! -d "$d/undoing" ] && exit {_ORPHANED}
exit {_GONE}
"""


@dataclasses.dataclass(frozen=True)
class Action:
    """What a fault does on one machine.

    The scripts find their own directory on the machine in ``$d``.

    Attributes:
        host: the machine.
        inject: brings it about; run with ``set -e``. Status 77 means that the machine cannot.
        undo: undoes it; may run twice, and when only a part was brought about.
        check: status 0 if the fault is effective; nothing to check if empty.
        lives_in_kernel: whether it goes when the machine loses its power: rules of a firewall do, files do not.
    """

    host: Host
    inject: str
    undo: str
    check: str = ""
    lives_in_kernel: bool = False


class Renewal(enum.Enum):
    """How a machine answers a sign of life."""

    STAYS = "it is in force"
    GONE = "it has been undone"
    ORPHANED = "the script that would undo it is dead"


def combined(actions: Sequence[Action]) -> Action:
    """Several actions on the same machine as one; undone in the opposite order."""
    undoings = [f"(\n{action.undo}\n) || failed=1" for action in reversed(actions)]
    return Action(
        actions[0].host,
        "\n".join(action.inject for action in actions),
        "\n".join(["failed=0", *undoings, '[ "$failed" = 0 ]']),
        " && ".join(f"{{ {action.check}\n}}" for action in actions if action.check),
        all(action.lives_in_kernel for action in actions),
    )


class DeadManSwitch:
    """One action in force on a machine, with its script.

    Args:
        action: what is done.
        token: letters and digits that no other fault on the machine has.
        ttl: seconds without a sign of life after which the machine undoes it by itself.
    """

    def __init__(self, action: Action, token: str, ttl: float) -> None:
        self.action = action
        self.host = action.host
        self.token = token
        self.directory = _directory(token)
        self.ttl = max(2, round(ttl))
        self._has_leftovers = False

    def inject(self) -> None:
        """Bring the fault about; blocks until it is there.

        Raises:
            FaultUnavailable: the machine cannot; nothing has changed.
            FaultError: it failed, and what had been done was undone.
        """
        self.host.ask(self._installation(), "bringing about the fault")

    def renew(self) -> Renewal:
        """Let it stay for another time to live; returns whether it was still there."""
        status = self.host.run(f"{self._d()}{_RENEW}").exit_status
        return {0: Renewal.STAYS, _ORPHANED: Renewal.ORPHANED}.get(status, Renewal.GONE)

    def inject_again(self) -> None:
        """Put it back, with a new script, on a machine that was off in the meantime; what lies in files is there yet.

        Raises:
            FaultUnavailable: the machine cannot any more.
            FaultError: it failed.
        """
        if not self.action.lives_in_kernel:
            self.host.ask(f"umask 077\ntrap '' HUP\n{self._d()}{self._watch()}", "renewing the fault")
            return
        remove_leftovers = f'{self._d()}sh "$d/undo" >/dev/null 2>&1\nrm -rf "$d"\n'
        self.host.ask(remove_leftovers + self._installation(), "bringing the fault about again")

    def undo(self) -> bool:
        """Undo it, unless the machine has done so; blocks until it is undone.

        Returns:
            Whether it was still there to be undone.

        Raises:
            FaultError: it could not be undone.
        """
        # Asked first: a connection to a machine without power may take its time to break
        if not (self.action.lives_in_kernel and self.host.is_off):
            return undo_now(self.host, self.token)
        # It went with the power; what is left of its files can be reached when the machine is on again
        self._has_leftovers = True
        return False

    def remove_leftovers(self) -> None:
        """Remove what could not be removed while the machine was off."""
        if self._has_leftovers:
            self._has_leftovers = False
            undo_now(self.host, self.token)

    @property
    def is_effective(self) -> bool:
        """Whether it is in force; asks the machine."""
        check = self.action.check or ":"
        return self.host.run(f'{self._d()}[ -d "$d" ] || exit 1\n{check}\n').exit_status == 0

    @property
    def is_gone(self) -> bool:
        """Whether it has been undone; asks the machine."""
        if self._has_leftovers:
            return True
        done = self.host.run(f'{self._d()}[ ! -e "$d" ] || exit {_GONE}\n')
        if done.exit_status not in (0, _GONE):
            raise FaultError(f"{self.host.name} does not say whether the fault is gone: status {done.exit_status}")
        return done.exit_status == 0

    def _d(self) -> str:
        return _d(self.directory)

    def _watch(self) -> str:
        clean = "env -i" + ' PATH="$PATH"'
        # A session of its own and no inherited environment: what ends the processes of a test spares this one
        starter = f"{clean} setsid" if "setsid" in self.host.facts.tools else clean
        return f'{starter} sh "$d/watch" "$d" {self.ttl} </dev/null >/dev/null 2>&1 &\necho $! >"$d/watcher"\n'

    def _installation(self) -> str:
        undo = f'PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"\nexport PATH\n{self._d()}{self.action.undo}\n'
        return (
            f"umask 077\ntrap '' HUP\n{self._d()}"
            'mkdir "$d" || exit 1\n'
            f"{_file('undo', undo)}{_file('watch', _WATCH)}"
            f"{self._watch()}(\nset -e\n{self.action.inject}\n)\nstatus=$?\n"
            f'[ "$status" -eq 0 ] && exit 0\n'
            'watcher=$(cat "$d/watcher")\n'
            'sh "$d/undo" >/dev/null 2>&1\nmv "$d" "$d-gone"\nrm -rf "$d-gone"\n'
            # What it would undo a second time may be another fault's by then
            'kill -KILL "$watcher" 2>/dev/null\nexit "$status"\n'
        )


def undo_now(host: Host, token: str) -> bool:
    """Undo what was done to a machine, unless that has been done; blocks until it is undone.

    Args:
        host: the machine.
        token: of the action.

    Returns:
        Whether it was still there to be undone.

    Raises:
        FaultError: it could not be undone.
    """
    return "gone" not in host.ask(_d(_directory(token)) + _UNDO_NOW, "undoing the fault").split()


def _directory(token: str) -> str:
    return f"{FOLDER}/{_NAME}{token}"


def _d(directory: str) -> str:
    return f"d={shlex.quote(directory)}\n"


def _file(name: str, content: str) -> str:
    return f"cat >\"$d/{name}\" <<'DT_END_OF_FILE'\n{content}DT_END_OF_FILE\n"


def refusing(command: str, reason: str) -> str:
    """A command whose failure means that the machine cannot, for the given reason and what the command says."""
    quoted = shlex.quote(reason)
    return f'said=$({command} 2>&1) || {{ echo {quoted}: "$said" >&2; exit {UNAVAILABLE}; }}'
