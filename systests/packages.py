# SPDX-License-Identifier: Apache-2.0
"""Debian packages that a suite needs on its nodes.

The suites in this directory share this file and nothing else: who copies one of them takes it along.
"""

from __future__ import annotations

import shlex
import subprocess
from typing import Any

from ducktape.errors import InfrastructureError, Skip

_MAY_NOT = 77

# One at a time: nodes may be logins of one machine. Packaged services are not to be started.
_INSTALL = """
[ "$(id -u)" = 0 ] && sudo= || sudo="sudo -n"
# Root of a user namespace may not write there, unless it has the machine to itself
$sudo test -w /usr/bin && command -v apt-get || exit 77
cat <<'SCRIPT' | $sudo flock -w 600 /run/lock/systests-packages sh
export DEBIAN_FRONTEND=noninteractive
if [ ! -e /usr/sbin/policy-rc.d ]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
fi
install() {
    apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=600 PACKAGES </dev/null
}
install || { apt-get update -q && install; }
SCRIPT
"""


def need_packages(node: Any, packages: dict[str, str]) -> None:
    """Install what a node lacks, as root or by ``sudo`` without a password; blocks while packages are fetched.

    Nodes of the sandbox see the programs of the driver's machine, so that is where theirs are installed.

    Args:
        node: where the programs are needed.
        packages: name of each Debian package, with a command that succeeds where it is not needed.

    Raises:
        Skip: a package is missing and cannot be installed by this user, or not on this system.
        InfrastructureError: the installation failed.
    """
    missing = _missing(node, packages)
    if not missing:
        return
    names = " ".join(missing)
    script = _INSTALL.replace("PACKAGES", names)
    if getattr(node.account, "is_sandbox", False):
        where, (status, output) = "this machine", _run_here(script)
    else:
        where, (status, output) = node.name, _run_there(node, script)
    if status == _MAY_NOT:
        raise Skip(f"{names} is missing on {where}, and cannot be installed by its user: apt-get install {names}")
    if status or _missing(node, packages):
        raise InfrastructureError(f"cannot install {names} on {where}:\n{output.decode(errors='replace')[-2000:]}")


def _missing(node: Any, packages: dict[str, str]) -> list[str]:
    command = "; ".join(f"{test} >/dev/null || echo {name}" for name, test in packages.items())
    return node.account.ssh_output(command, combine_stderr=False).decode().split()  # type: ignore[no-any-return]


def _run_here(script: str) -> tuple[int, bytes]:
    done = subprocess.run(
        ["sh", "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.returncode, done.stdout


def _run_there(node: Any, script: str) -> tuple[int, bytes]:
    # The status comes last in the output
    output = node.account.ssh_output(f"sh -c {shlex.quote(script)} 2>&1; echo $?", allow_fail=True)
    *lines, status = output.rstrip().split(b"\n")
    return int(status), b"\n".join(lines)
