# SPDX-License-Identifier: Apache-2.0
"""One measurement over SSH, run by the interpreter of either program's environment.

``python ssh_script.py ROW SETTINGS`` with settings as JSON; prints seconds, and MiB of memory above those before, as
JSON. Uses public names only, and imports nothing else of this checkout.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.remoteaccount import RemoteAccountSSHConfig


def once(call: Callable[[], Any]) -> float:
    """Return the time of a call."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def repeated(call: Callable[[], Any], count: int) -> float:
    """Return the median time of a call that was made once before."""
    call()
    return statistics.median(once(call) for _ in range(count))


def memory_mib(key: str) -> float:
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith(f"{key}:"))


def lines(account: Any, settings: dict[str, Any]) -> None:
    count = settings["lines"]
    got = 0
    for _ in account.ssh_capture(f"seq {count}"):
        got += 1
    assert got == count, got


def connect(make: Callable[[], Any], count: int) -> float:
    times = []
    # The first one pays for imports, which the row about the start of the program shows.
    for _ in range(count + 1):
        account = make()
        times.append(once(partial(getattr, account, "ssh_client")))
        account.close()
    return statistics.median(times[1:])


def copy(account: Any, source: str) -> None:
    with tempfile.TemporaryDirectory() as target:
        account.copy_from(source, target)
        assert os.path.exists(os.path.join(target, os.path.basename(source)))


def main() -> None:
    """Measure one row."""
    row, settings = sys.argv[1], json.loads(sys.argv[2])

    def make() -> Any:
        return LinuxRemoteAccount(RemoteAccountSSHConfig(**settings["ssh_config"]))

    account = make()
    count = settings["count"]
    rows: dict[str, Callable[[], float]] = {
        "true": lambda: repeated(lambda: account.ssh("true"), count),
        "exists": lambda: repeated(lambda: account.exists("/etc"), count),
        "lines": lambda: repeated(lambda: lines(account, settings), 1),
        "connect": lambda: connect(make, 7),
        "files": lambda: once(lambda: copy(account, settings["files"])),
    }
    if row == "log":
        account.ssh("true")
        account.exists("/")
        copy(account, settings["small"])
        before = memory_mib("VmRSS")
        seconds = once(lambda: copy(account, settings["log"]))
        mib = memory_mib("VmHWM") - before
    else:
        if row == "files":
            account.exists("/etc")
        seconds, mib = rows[row](), 0.0
    account.close()
    print(json.dumps({"seconds": seconds, "mib": mib}))


main()
