# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from ducktape.utils.support.packages import install_command, install_here


@pytest.mark.parametrize(
    ("programs", "installers", "command"),
    [
        (["nft"], ["apt-get"], "apt-get install nftables"),
        (["nft"], ["zypper", "dnf"], "dnf install nftables"),
        (["tc", "ip"], ["apt-get"], "apt-get install iproute2"),
        (["tc", "python3"], ["dnf"], "dnf install iproute-tc python3"),
        (["newuidmap", "sudo"], ["apk", "apt-get"], "apk add shadow-subids sudo"),
        (["sshd"], ["brew"], "brew install openssh"),
        (["sshd", "tc"], [], "install openssh-server, iproute2"),
    ],
)
def test_a_program_has_its_package(programs: list[str], installers: list[str], command: str) -> None:
    assert install_command(programs, installers) == command


def test_the_command_is_for_what_this_machine_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ducktape.utils.support.packages._SEARCH_PATH", "/nowhere")
    assert install_here("nft", path=str(tmp_path)) == "install nftables"
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "apk").touch(mode=0o755)
    assert install_here("nft") == "apk add nftables"
