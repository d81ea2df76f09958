# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ducktape.cluster.sandbox.sudo import STAND_IN


@pytest.fixture(scope="module")
def sudo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bin") / "sudo"
    path.write_text(STAND_IN)
    path.chmod(0o755)
    return path


def call(sudo: Path, arguments: str, directory: Path) -> tuple[int, str]:
    environment = {"PATH": f"{sudo.parent}:/usr/bin:/bin", "SHELL": "/bin/sh"}
    done = subprocess.run(
        ["sh", "-c", f"sudo {arguments}"], cwd=directory, env=environment, capture_output=True, text=True, timeout=20
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        ("echo 'a  b' c", (0, "a  b c\n")),
        ("-n echo a", (0, "a\n")),
        ("-nE A=1 B='2 3' printenv A B", (0, "1\n2 3\n")),
        ("-- printf -n", (0, "-n")),
        ("-u root echo a", (0, "a\n")),
        ("-HEu root echo a", (0, "a\n")),
        ("-uroot echo -u", (0, "-u\n")),
        ("--user root --preserve-env=A echo a", (0, "a\n")),
        ("--user=root echo a", (0, "a\n")),
        ("-u '#0' -g root -p prompt echo a", (0, "a\n")),
        ("-D / pwd", (0, "/\n")),
        ("--chdir=/usr pwd", (0, "/usr\n")),
        ("-i 'echo a | tr a b'", (0, "b\n")),
        ("-s echo a", (0, "a\n")),
        ("sh -c 'exit 7'", (7, "")),
        ("-v", (0, "")),
        ("-k", (0, "")),
        ("-k echo a", (0, "a\n")),
        ("", (1, "usage: sudo [options] command\n")),
    ],
)
def test_the_stand_in_understands_the_options_and_runs_the_command(
    arguments: str, answer: tuple[int, str], sudo: Path, tmp_path: Path
) -> None:
    assert call(sudo, arguments, tmp_path) == answer


@pytest.mark.needs("root")
@pytest.mark.parametrize("arguments", ["-u nobody id -un", "-nunobody id -un", "-u '#65534' id -un"])
def test_the_stand_in_becomes_another_user(arguments: str, sudo: Path, tmp_path: Path) -> None:
    assert call(sudo, arguments, tmp_path) == (0, "nobody\n")
