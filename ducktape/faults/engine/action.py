# SPDX-License-Identifier: Apache-2.0
"""Actions on a machine, and the dead-man switch: a script there that undoes an action unless it is renewed in time.

The script needs a POSIX shell and ``sleep``, ``rm``, ``mkdir``. It counts seconds by itself, so that neither a changed
clock nor a suspended machine ends a fault early. Creating a directory is the lock that decides who undoes the fault.
"""

from __future__ import annotations

import dataclasses
import enum
import shlex
from collections.abc import Sequence

from ducktape.faults.engine.host import UNAVAILABLE, Host
from ducktape.faults.errors import FaultError

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
        # The renewal may be a second old, and must not shorten a longer one
        [ "$left" -ge "$(($2 - 1))" ] || left=$(($2 - 1))
    fi
    if [ -e "$d/extended" ]; then
        left=$(cat "$d/extended")
        rm -f "$d/extended"
    fi
done
if [ ! -d "$d" ]; then
    # Whoever undoes the fault kills this script. So the directory above was cleared.
    sleep 1
    sh -c "$undo" >/dev/null 2>&1
    exit 0
fi
if ! mkdir "$d/undoing" 2>/dev/null; then
    # Another process undoes it; if that dies, do it here.
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
        # Atomic, so that a concurrent renewal cannot create a file in between
        mv "$d" "$d-gone"
        rm -rf "$d-gone"
        # After a reboot the process id may belong to another process
        case $(tr '\0' ' ' <"/proc/$watcher/cmdline" 2>/dev/null) in
            *"$d/watch"*) kill -KILL "$watcher" 2>/dev/null ;;
        esac
        exit 0
    fi
    # The watching script tries once more when its time is over
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


# Renamed, so that the script above never reads half of it
_EXTEND = r"""
[ -d "$d" ] || { echo gone; exit 0; }
echo "$seconds" >"$d/extension" && mv "$d/extension" "$d/extended"
"""


@dataclasses.dataclass(frozen=True)
class Action:
    """The shell scripts of a fault for one machine; they find their own directory there in ``$d``."""

    host: Host
    inject: str  # run with `set -e`; status 77 means that the machine does not support it
    undo: str  # may run twice, and after a partial injection
    check: str = ""  # status 0 if the fault is effective; empty if there is nothing to check
    lives_in_kernel: bool = False  # lost with the machine's power: firewall rules are, files are not


class Renewal(enum.Enum):
    """The result of a renewal."""

    STAYS = "it is in force"
    GONE = "it has been undone"
    ORPHANED = "the script that would undo it is dead"


def combined(actions: Sequence[Action]) -> Action:
    """Combine actions on the same machine; they are undone in reverse order."""
    undoings = [f"(\n{action.undo}\n) || failed=1" for action in reversed(actions)]
    return Action(
        actions[0].host,
        "\n".join(action.inject for action in actions),
        "\n".join(["failed=0", *undoings, '[ "$failed" = 0 ]']),
        " && ".join(f"{{ {action.check}\n}}" for action in actions if action.check),
        all(action.lives_in_kernel for action in actions),
    )


class DeadManSwitch:
    """An action in force on a machine, undone by a script there once nobody renews it for ``ttl`` seconds."""

    def __init__(self, action: Action, token: str, ttl: float) -> None:
        self.action = action
        self.host = action.host
        self.token = token
        self.directory = _directory(token)
        self._d = f"d={self.directory}\n"
        self.ttl = max(2, round(ttl))
        self._has_leftovers = False

    def inject(self) -> None:
        """Run the injecting script and wait for it; one that fails is undone, and nothing has changed."""
        self.host.ask(self._installation(), "bringing about the fault")

    def renew(self) -> Renewal:
        """Extend it by another time to live."""
        status = self.host.run(self._d + _RENEW).exit_status
        return {0: Renewal.STAYS, _ORPHANED: Renewal.ORPHANED}.get(status, Renewal.GONE)

    def inject_again(self) -> None:
        """Start a new script on a machine that was off, and inject again what does not survive that."""
        if not self.action.lives_in_kernel:
            self.host.ask(f"umask 077\ntrap '' HUP\n{self._d}{self._watch()}", "renewing the fault")
            return
        remove_leftovers = f'{self._d}sh "$d/undo" >/dev/null 2>&1\nrm -rf "$d"\n'
        self.host.ask(remove_leftovers + self._installation(), "bringing the fault about again")

    def undo(self) -> bool:
        """Undo it and wait for that; returns ``False`` if the machine had already done so."""
        # Checked first: a connection to a machine without power may take long to break
        if not (self.action.lives_in_kernel and self.host.is_off):
            return undo_now(self.host, self.token)
        # It was lost with the power; its files can be reached when the machine is on again
        self._has_leftovers = True
        return False

    def remove_leftovers(self) -> None:
        """Remove the files that could not be removed while the machine was off."""
        if self._has_leftovers:
            self._has_leftovers = False
            undo_now(self.host, self.token)

    @property
    def is_effective(self) -> bool:
        """Whether it is in force; asks the machine."""
        check = self.action.check or ":"
        return self.host.run(f'{self._d}[ -d "$d" ] || exit 1\n{check}\n').exit_status == 0

    @property
    def is_gone(self) -> bool:
        """Whether it has been undone; asks the machine."""
        if self._has_leftovers:
            return True
        done = self.host.run(f'{self._d}[ ! -e "$d" ] || exit {_GONE}\n')
        if done.exit_status not in (0, _GONE):
            raise FaultError(f"{self.host.name} does not say whether the fault is gone: status {done.exit_status}")
        return done.exit_status == 0

    def _watch(self) -> str:
        clean = 'env -i PATH="$PATH"'
        # A session of its own and no inherited environment, so that killing the processes of a test spares this one
        starter = f"{clean} setsid" if "setsid" in self.host.facts.tools else clean
        return f'{starter} sh "$d/watch" "$d" {self.ttl} </dev/null >/dev/null 2>&1 &\necho $! >"$d/watcher"\n'

    def _installation(self) -> str:
        undo = f'PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"\nexport PATH\n{self._d}{self.action.undo}\n'
        return (
            f"umask 077\ntrap '' HUP\n{self._d}"
            'mkdir "$d" || exit 1\n'
            f"{_file('undo', undo)}{_file('watch', _WATCH)}"
            f"{self._watch()}(\nset -e\n{self.action.inject}\n)\nstatus=$?\n"
            f'[ "$status" -eq 0 ] && exit 0\n'
            'watcher=$(cat "$d/watcher")\n'
            'sh "$d/undo" >/dev/null 2>&1\nmv "$d" "$d-gone"\nrm -rf "$d-gone"\n'
            # Undoing it a second time might hit another fault
            'kill -KILL "$watcher" 2>/dev/null\nexit "$status"\n'
        )


def undo_now(host: Host, token: str) -> bool:
    """Undo the action with this token and wait for that; returns ``False`` if the machine had already done so."""
    return "gone" not in host.ask(f"d={_directory(token)}\n{_UNDO_NOW}", "undoing the fault").split()


def extend(host: Host, token: str, seconds: float) -> None:
    """Let the action with this token stay in force for some time, without being renewed by anybody."""
    whole = max(2, round(seconds))
    host.ask(f"d={_directory(token)}\nseconds={whole}\n{_EXTEND}", "extending the fault")


def _directory(token: str) -> str:
    return f"/tmp/dt-fault-{token}"


def _file(name: str, content: str) -> str:
    return f"cat >\"$d/{name}\" <<'DT_END_OF_FILE'\n{content}DT_END_OF_FILE\n"


def refusing(command: str, reason: str) -> str:
    """Wrap a command whose failure means that the machine does not support the fault, with a reason and its output."""
    quoted = shlex.quote(reason)
    return f'said=$({command} 2>&1) || {{ echo {quoted}: "$said" >&2; exit {UNAVAILABLE}; }}'
