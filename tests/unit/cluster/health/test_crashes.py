# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.health import crashes
from ducktape.cluster.health.crashes import CrashWatch, parsed
from ducktape.cluster.local.transport import LocalTransport
from ducktape.cluster.transport import TransportWrapper

CORE = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x04\x00"
PROGRAM = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00"


class Elsewhere(TransportWrapper):
    """This machine, as one that is not that of the driver."""

    is_local = False


def node(**attributes: Any) -> ClusterNode:
    account = SimpleNamespace(hostname="n1", transport=Elsewhere(LocalTransport()), **attributes)
    return cast(ClusterNode, SimpleNamespace(account=account))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(crashes, "_KERNEL_LOG", "")
    return tmp_path


def found_below(folder: Path, watch: CrashWatch) -> list[str]:
    """Other processes of this machine may leave core files, too."""
    return [str(each["text"]) for each in watch.findings() if str(folder) in str(each["text"])]


def test_core_files_of_the_test_are_found(home: Path) -> None:
    watch = CrashWatch([node()], seconds_ago=60)
    (home / "data").mkdir()
    for name, content in (
        ("core", CORE),
        ("data/core.17", CORE + b"x"),
        ("core.py", b"print()"),
        ("core.exe", PROGRAM),
        ("data/score", CORE),
        ("core.old", CORE),
    ):
        (home / name).write_bytes(content)
    os.utime(home / "core.old", (1, 1))
    now = (home / "core").stat().st_mtime
    (home / "core.before").write_bytes(CORE)
    os.utime(home / "core.before", (now - 90, now - 90))
    (home / "data" / "below").mkdir()
    (home / "data" / "below" / "core").write_bytes(CORE)
    assert found_below(home, watch) == [
        f"core file {home}/core of 18 bytes",
        f"core file {home}/data/core.17 of 19 bytes",
    ]


def test_a_file_of_the_test_before_is_not_found(home: Path) -> None:
    (home / "core").write_bytes(CORE)
    before = (home / "core").stat().st_mtime - 1
    os.utime(home / "core", (before, before))
    assert found_below(home, CrashWatch([node()])) == []


def test_the_machine_of_the_driver_and_others_than_linux_are_left_out() -> None:
    local = cast(ClusterNode, SimpleNamespace(account=SimpleNamespace(hostname="a", transport=LocalTransport())))
    assert CrashWatch([local, node(operating_system="windows")]).findings() == []


def test_a_node_that_does_not_answer_has_no_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = node()

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr(broken.account.transport, "run", refuse)
    healthy = node()
    watch = CrashWatch([broken, healthy])
    watch.findings()
    # Whoever asks more asks only those
    assert watch.answering == [healthy]


MESSAGES = """\
kernel 1000.50 [  900.000001] Out of memory: Killed process 12 (java) total-vm:1kB
kernel 1000.50 [  990.500000] Memory cgroup out of memory: Killed process 13 (java) anon-rss:2kB
kernel 1000.50 <6>[  995.000000] oom_reaper: Killed process 14 \x1b[31m
kernel nonsense [ 999.0] x
core many /tmp/core
core 12 /tmp/core of mine
"""


@pytest.mark.parametrize(
    ("seconds", "texts"),
    [
        (10.0, ["Memory cgroup out of memory: Killed process 13 (java) anon-rss:2kB"]),
        (
            200.0,
            [
                "Out of memory: Killed process 12 (java) total-vm:1kB",
                "Memory cgroup out of memory: Killed process 13 (java) anon-rss:2kB",
            ],
        ),
        (1.0, []),
    ],
)
def test_messages_of_the_kernel_are_those_since_the_test_began(seconds: float, texts: list[str]) -> None:
    found = [each for each in parsed(MESSAGES, "n1", seconds) if "14" not in str(each["text"])]
    assert [each["text"] for each in found if each["kind"] == "oom"] == texts
    assert [each for each in found if each["kind"] == "core"] == [
        {"kind": "core", "node": "n1", "text": "core file /tmp/core of mine of 12 bytes"}
    ]


def test_what_a_node_answers_is_bounded() -> None:
    assert len(parsed("core 1 /core\n" * 10_000, "n1", 1)) == 40


def test_the_script_for_the_messages_of_the_kernel_is_sound(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "dmesg").write_text(
        "#!/bin/sh\necho '[99999999.5] Out of memory: Killed process 7 (x)'\necho '[1.0] fine'\n"
    )
    (tmp_path / "dmesg").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(crashes, "_KERNEL_LOG", crashes._KERNEL_LOG.replace("[ ! -e /", "[ ! -e /no/"))
    found = [each for each in CrashWatch([node()]).findings() if each["kind"] == "oom"]
    assert found == [{"kind": "oom", "node": "n1", "text": "Out of memory: Killed process 7 (x)"}]
