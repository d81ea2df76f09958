# SPDX-License-Identifier: Apache-2.0
"""The parts of a sandbox that can be tried without one."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from ducktape.cluster.pool.cluster_file import mistake_in_cluster_file
from ducktape.cluster.sandbox import cgroups, file_server, ipc, network, userns
from ducktape.cluster.sandbox.client import SandboxError
from ducktape.cluster.sandbox.files import _flags
from ducktape.cluster.sandbox.network import hardware_address
from ducktape.cluster.sandbox.rootfs import _make_target
from ducktape.cluster.sandbox.sshd import Keys, _quoted
from ducktape.cluster.sandbox.transport import _start

pytestmark = pytest.mark.needs("linux")


def _route(text: str) -> tuple[int, int]:
    address, _, bits = text.partition("/")
    numbers = bytes(int(number) for number in address.split("."))
    return struct.unpack("!I", numbers)[0], (0xFFFFFFFF << (32 - int(bits))) & 0xFFFFFFFF


@pytest.mark.parametrize(
    ("route", "collides"),
    [
        ("10.1.2.0/24", True),
        ("10.0.0.0/8", True),
        ("10.1.2.128/25", True),
        ("10.1.2.77/32", True),
        ("10.1.3.0/24", False),
        ("192.168.0.0/16", False),
    ],
)
def test_a_network_collides_with_routes_into_it_and_over_it(route: str, collides: bool) -> None:
    assert network._overlap("10.1.2", *_route(route)) is collides


def test_a_network_is_reserved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "routes", lambda: iter([_route("10.0.0.0/9")]))
    holder, first = network.reserve(None)
    with holder:
        assert 128 <= int(first.split(".")[1]) < 192
        with pytest.raises(OSError, match="is used by another sandbox"):
            network.reserve(first)
        other, second = network.reserve(None)
        other.close()
        assert second != first
    again, _ = network.reserve(first)
    again.close()


def test_a_network_with_a_route_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "routes", lambda: iter([_route("10.1.0.0/16")]))
    with pytest.raises(OSError, match=r"10\.1\.2\.0/24 is not free: this machine has a route to 10\.1\.0\.0"):
        network.reserve("10.1.2")


def test_letters_are_answered_and_carry_open_files(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    path = str(tmp_path / "box")
    with (
        ipc.bind_socket(path) as box,
        open(tmp_path / "file") as file,
        ipc.send_request(path, b"request", [file.fileno()]) as answers,
    ):
        data, asker, [descriptor] = ipc.receive(box)
        assert (data, os.read(descriptor, 99), os.get_inheritable(descriptor)) == (b"request", b"content", False)
        os.close(descriptor)
        assert asker is not None
        with asker:
            ipc.answer(asker, {"result": 3})
        assert (answers.recv(99), answers.recv(99)) == (b'{"result": 3}', b"")


def test_a_box_that_nobody_reads_refuses_letters(tmp_path: Path) -> None:
    path = str(tmp_path / "node7")
    ipc.bind_socket(path).close()
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError, match="node7 is off, or was given back"):
            ipc.send_request(path, b"request")
        Path(path).unlink(missing_ok=True)


def test_a_full_box_is_waited_for_no_longer_than_allowed(tmp_path: Path) -> None:
    path = str(tmp_path / "box")
    waiting = []
    with ipc.bind_socket(path), pytest.raises(TimeoutError):
        while True:
            waiting.append(ipc.send_request(path, b"request", seconds=0.05))
    for each in waiting:
        each.close()


def test_an_answer_to_nobody_is_no_error(tmp_path: Path) -> None:
    with ipc.bind_socket(str(tmp_path / "box")) as box:
        ipc.send_request(str(tmp_path / "box"), b"request").close()
        _, asker, _ = ipc.receive(box)
        assert asker is not None
        with asker:
            ipc.answer(asker, {})


def test_a_directory_of_many_files_is_answered_in_pieces(tmp_path: Path) -> None:
    for number in range(250):
        (tmp_path / f"{number:03}").touch()
    (tmp_path / "box").mkdir()
    path = str(tmp_path / "box" / "box")
    home = os.getcwd()
    with ipc.bind_socket(path) as box, ipc.send_request(path, b"") as answers:
        _, asker, _ = ipc.receive(box)
        assert asker is not None
        try:
            with asker:
                file_server.serve(asker, f'["list", "/", ["{tmp_path}"]]'.encode())
        finally:
            os.chdir(home)
        pieces = [json.loads(piece) for piece in iter(lambda: answers.recv(1 << 20), b"")]
    names = [entry[0] for piece in pieces for entry in piece["result"]]
    assert ([piece.get("more", False) for piece in pieces], sorted(names)) == (
        [True, True, False],
        [*(f"{number:03}" for number in range(250)), "box"],
    )


@pytest.mark.parametrize(
    ("mode", "flags"),
    [
        ("r", os.O_RDONLY),
        ("rb", os.O_RDONLY),
        ("w", os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        ("ab", os.O_WRONLY | os.O_CREAT | os.O_APPEND),
        ("x", os.O_WRONLY | os.O_CREAT | os.O_EXCL),
        ("r+", os.O_RDWR),
        ("w+", os.O_RDWR | os.O_CREAT | os.O_TRUNC),
    ],
)
def test_modes_of_files(mode: str, flags: int) -> None:
    assert _flags(mode) == flags


def test_a_mode_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="'b'"):
        _flags("b")


def test_an_address_always_has_the_same_hardware() -> None:
    assert hardware_address(2) == hardware_address(2) != hardware_address(3)


def test_variables_are_quoted_for_the_server() -> None:
    assert _quoted('a "b" \\c') == 'a \\"b\\" \\\\c'


def test_a_variable_that_the_server_cannot_take_is_named() -> None:
    with pytest.raises(
        OSError, match=r"^environment\.OWN has a line break, which nodes with an SSH server cannot have$"
    ):
        Keys.__new__(Keys).files({"FINE": "x", "OWN": "a\nb"})


def test_a_command_with_a_zero_byte_is_refused_as_by_every_other_way(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="embedded null byte"):
        _start(str(tmp_path / "door"), "/", "echo a\0b", merge_stderr=False, timeout=1)


def test_a_mount_without_a_place_is_explained_in_the_words_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"^the mount at /usr/new has no place: .*; what does not exist can be made"):
        _make_target("/proc/new", "/usr/new", directory=True)
    with pytest.raises(RuntimeError, match=r"^the mount at /etc/hosts is a directory, and what is there is not$"):
        _make_target("/etc/hosts", "/etc/hosts", directory=True)
    _make_target(str(tmp_path / "a" / "b"), "/b", directory=False)
    assert (tmp_path / "a" / "b").read_bytes() == b""


@pytest.mark.parametrize("name", ["net_admin", "sys_admin"])
def test_a_capability_that_root_lacks_is_named_in_one_line(name: str) -> None:
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("taking rights away needs root and setpriv")
    code = "from ducktape.cluster.sandbox.userns import has_rights, obstacle; print(has_rights(), obstacle())"
    command = ["setpriv", f"--bounding-set=-{name}", f"--inh-caps=-{name}", sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wanted = f"False the sandbox cannot be made .*: this process has not got the capability CAP_{name.upper()}; .*\n"
    assert re.fullmatch(wanted, done.stdout), done.stdout + done.stderr


def test_a_problem_of_the_machine_is_one_line_for_its_user() -> None:
    assert mistake_in_cluster_file(SandboxError("this\nmachine cannot")) == "this machine cannot"


@pytest.mark.parametrize(
    ("place", "root", "path", "found"),
    [
        ("/sys/fs/cgroup/cpu", "/", "/", "/sys/fs/cgroup/cpu"),
        ("/sys/fs/cgroup/cpu", "/", "/a/b", "/sys/fs/cgroup/cpu/a/b"),
        ("/sys/fs/cgroup/cpu", "/docker/x", "/docker/x", "/sys/fs/cgroup/cpu"),
        ("/sys/fs/cgroup/cpu", "/docker/x", "/docker/x/y", "/sys/fs/cgroup/cpu/y"),
        ("/sys/fs/cgroup/cpu", "/docker/x", "/", "/sys/fs/cgroup/cpu"),
    ],
)
def test_the_directory_of_a_group_is_found_below_its_mount(place: str, root: str, path: str, found: str) -> None:
    assert cgroups._below(place, root, path) == found


def test_version_2_hands_on_at_the_nearest_group_that_can(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    for directory, given in ((tmp_path, "cpu memory pids hugetlb\n"), (tmp_path / "a", "\n"), (tmp_path / "a/b", "")):
        (directory / "cgroup.subtree_control").write_text(given)
    found = dict(cgroups._version_2(str(tmp_path), str(tmp_path / "a" / "b")))
    assert found == dict.fromkeys(("cpu", "memory", "pids"), str(tmp_path))


def test_limits_are_written_as_each_version_wants_them(tmp_path: Path) -> None:
    groups = cgroups.Groups.__new__(cgroups.Groups)
    for name in ("cpu.max", "memory.max", "memory.swap.max"):
        (tmp_path / name).touch()
    groups._limit_cpu(str(tmp_path), 1.5)
    groups._limit_memory(str(tmp_path), 1000)
    texts = [(tmp_path / name).read_text() for name in ("cpu.max", "memory.max", "memory.swap.max")]
    assert texts == ["150000 100000", "1000", "0"]
    older = tmp_path / "older"
    older.mkdir()
    groups._limit_cpu(str(older), 0.5)
    groups._limit_memory(str(older), 1000)
    assert {path.name: path.read_text() for path in older.iterdir()} == {
        "cpu.cfs_period_us": "100000",
        "cpu.cfs_quota_us": "50000",
        "memory.limit_in_bytes": "1000",
        "memory.memsw.limit_in_bytes": "1000",
    }


def test_further_users_are_those_of_the_name_or_the_number(tmp_path: Path) -> None:
    path = tmp_path / "subuid"
    path.write_text("other:1:2\nme:100000:65536\n1000:7:8\n")
    assert userns._range_of(str(path), "me", 5) == (100000, 65536)
    assert userns._range_of(str(path), "you", 1000) == (7, 8)
    assert userns._range_of(str(path), "you", 5) is None
    assert userns._range_of(str(tmp_path / "absent"), "me", 5) is None


def test_switched_off_namespaces_are_told_from_refused_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "user").mkdir()
    (tmp_path / "user" / "max_user_namespaces").write_text("0\n")
    monkeypatch.setattr(userns, "_SETTINGS", str(tmp_path))
    assert userns._reason() == "user namespaces are switched off (user.max_user_namespaces is 0)"
    (tmp_path / "user" / "max_user_namespaces").write_text("1\n")
    assert userns._reason() == ""


def test_the_process_that_is_copied_for_every_node_loads_little() -> None:
    code = "import sys, ducktape.cluster.sandbox.supervisor; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True).stdout
    heavy = {
        "dataclasses",
        "inspect",
        "subprocess",
        "typing_extensions",
        "logging",
        "psutil",
        "paramiko",
        "asyncio",
    }
    assert heavy & set(loaded.split()) == set()
