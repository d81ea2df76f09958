# SPDX-License-Identifier: Apache-2.0
"""The options of ``ducktape doctor``, how it comes by the nodes, and its exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ducktape.command_line.main import main
from tests.support.program import write

LOCALHOST = "ducktape.cluster.localhost.LocalhostCluster"
JSON_CLUSTER = "ducktape.cluster.json.JsonCluster"
CLUSTERS = f"""
    from {JSON_CLUSTER.rpartition(".")[0]} import JsonCluster, make_remote_account
    from {LOCALHOST.rpartition(".")[0]} import LocalhostCluster
    from ducktape.cluster.local.transport import LocalTransport

    def make_local(*args, **kwargs):
        account = make_remote_account(*args, **kwargs)
        account.transport = LocalTransport()
        account.available = lambda: account.hostname not in ("shy", "timid")
        # Each of them is to be looked at
        LocalTransport.is_local = False
        return account

    class Named(JsonCluster):
        def __init__(self, **kwargs):
            super().__init__(make_remote_account_func=make_local, **kwargs)

    class Small(LocalhostCluster):
        def __init__(self, **kwargs):
            super().__init__(num_nodes=1, **kwargs)

    class Empty(LocalhostCluster):
        def __init__(self, **kwargs):
            super().__init__(num_nodes=0, **kwargs)

    def Refusing(**kwargs):
        raise ZeroDivisionError("refused " + ", ".join(f"{{key}}={{kwargs[key]}}" for key in sorted(kwargs)))
    """


class Doctor:
    """The program in this very process."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._capsys = capsys
        self._monkeypatch = monkeypatch
        self.out = ""
        self.err = ""

    def run(self, *arguments: str) -> object:
        """Return the exit code."""
        self._monkeypatch.setattr(sys, "argv", ["ducktape", "doctor", *arguments])
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            self.out, self.err = self._capsys.readouterr()
        return ended.value.code

    def json(self, *arguments: str) -> dict[str, Any]:
        """Return what is printed for programs."""
        self.run("--json", *arguments)
        content: dict[str, Any] = json.loads(self.out)
        return content

    def cluster_of(self, *names: str, **more: Any) -> tuple[str, ...]:
        """Write a cluster file and return the options that name it."""
        nodes = [{"ssh_config": {"host": name}} for name in names]
        write(self.folder / "cluster.json", json.dumps({"nodes": nodes, **more}))
        return ("--cluster", "doctors_clusters.Named", "--cluster-file", "cluster.json")


@pytest.fixture
def doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Doctor]:
    from ducktape.cluster.local.transport import LocalTransport

    monkeypatch.setattr(LocalTransport, "is_local", True)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "doctors_clusters.py", CLUSTERS)
    yield Doctor(tmp_path, capsys, monkeypatch)
    sys.modules.pop("doctors_clusters", None)


# --- this machine


def test_a_thousand_nodes_of_one_machine_are_looked_at_once(doctor: Doctor) -> None:
    assert doctor.run("--cluster", LOCALHOST) == 0
    header, row, *_ = doctor.out.splitlines()
    assert header.split()[:9] == ["node", "state", "login", "trip", "shell", "tar", "sudo", "clock", "home"]
    assert row.split()[0] == "localhost0"
    assert "Left out: 999 nodes that are this machine, too." in doctor.out.splitlines()
    assert doctor.err == ""


def test_one_node_is_left_in_peace_by_remarks(doctor: Doctor) -> None:
    content = doctor.json("--cluster", "doctors_clusters.Small")
    assert (content["remarks"], content["usable"]) == ([], True)


def test_programs_get_all_of_it(doctor: Doctor) -> None:
    content = doctor.json("--cluster", LOCALHOST)
    [node] = content["nodes"]
    assert list(content) == ["cluster", "usable", "remarks", "nodes", "kept", "forgotten"]
    assert (content["cluster"], content["usable"]) == (LOCALHOST, True)
    assert (node["name"], node["local"], node["usable"], node["failure"]) == ("localhost0", True, True, None)
    assert (node["home"], next(iter(node["free_bytes"]))) == (str(doctor.folder), str(doctor.folder))
    assert {"login_ms", "round_trip_ms", "shell_ms", "tar", "sudo", "clock_skew_sec", "problems"} <= set(node)


def test_nothing_is_written_to_the_working_directory(doctor: Doctor) -> None:
    doctor.run("--cluster", LOCALHOST)
    assert [each.name for each in doctor.folder.iterdir() if each.name != "__pycache__"] == ["doctors_clusters.py"]


# --- options


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--repeat", "3"], "unrecognized arguments: --repeat 3"),
        (["tests"], "unrecognized arguments: tests"),
        (["--timeout", "0"], "argument --timeout: must be a number of seconds greater than 0, not 0"),
        (["--timeout", "nan"], "argument --timeout: must be a number of seconds greater than 0, not nan"),
        (["--timeout", "inf"], "argument --timeout: must be a number of seconds greater than 0, not inf"),
        (["--timeout", "soon"], "argument --timeout: must be a number of seconds greater than 0, not soon"),
        (["--cluster"], "argument --cluster: expected one argument"),
    ],
)
def test_wrong_options_are_refused(doctor: Doctor, arguments: list[str], complaint: str) -> None:
    assert doctor.run(*arguments) == 2
    assert doctor.err == f"ducktape: error: {complaint} (see ducktape doctor --help)\n"
    assert doctor.out == ""


def test_help_is_that_of_the_subcommand(doctor: Doctor) -> None:
    assert doctor.run("--help") == 0
    assert doctor.out.startswith("usage: ducktape doctor [options]\n")
    assert "{doctor}" not in doctor.out
    assert "ducktape ./doctor" in " ".join(doctor.out.split())


@pytest.mark.parametrize("place", [".ducktape/config", "mine"])
def test_options_of_configuration_files_count(doctor: Doctor, place: str) -> None:
    write(doctor.folder / "mine", "")
    write(
        doctor.folder / place,
        "some/tests --debug --check-nodes --lease folder\n--cluster doctors_clusters.Refusing --cluster-file c.json\n",
    )
    assert doctor.run("--config-file", "mine") == 1
    # Neither leases nor checks are asked for: nothing is to be disturbed or put aside
    assert doctor.out.splitlines()[-2:] == ["ZeroDivisionError: refused cluster_file=c.json", ""]


def test_the_command_line_wins_over_configuration_files(doctor: Doctor) -> None:
    write(doctor.folder / ".ducktape" / "config", "--cluster doctors_clusters.Refusing\n")
    assert doctor.json("--cluster", LOCALHOST)["cluster"] == LOCALHOST


def test_a_configuration_file_that_cannot_be_read_is_told(doctor: Doctor) -> None:
    (doctor.folder / "mine").mkdir()
    assert doctor.run("--config-file", "mine") == 1
    assert doctor.err == "Cannot read the configuration file mine: Is a directory\n"


def test_a_bad_cluster_file_is_told_as_by_a_run(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(doctor.folder / "cluster.json", '{"nodes": [{"node_type": "large"}]}')
    write(doctor.folder / "test_it.py", "from ducktape.tests.test import Test\nclass A(Test):\n  def test_a(self): 0\n")
    cluster = ("--cluster", JSON_CLUSTER, "--cluster-file", "cluster.json")
    assert doctor.run(*cluster) == 1
    monkeypatch.setattr(sys, "argv", ["ducktape", "test_it.py", *cluster])
    with pytest.raises(SystemExit, match="1"):
        main()
    [line] = doctor.out.splitlines()
    assert line == capsys.readouterr().out.splitlines()[-1]
    assert line.startswith("Failed to load cluster:  <class 'ValueError'> ")
    assert "ssh_config" in line


# --- how the nodes are had


def test_a_cluster_without_nodes_is_of_no_use(doctor: Doctor) -> None:
    assert doctor.run("--cluster", "doctors_clusters.Empty") == 1
    assert doctor.out == "There are no nodes to check.\n"


def test_a_node_that_calls_itself_unavailable_is_looked_at_all_the_same(doctor: Doctor) -> None:
    content = doctor.json(*doctor.cluster_of("bold", "shy", "brave", "timid"))
    told = {node["name"]: (node["failure"], node["tar"] is not None) for node in content["nodes"]}
    reason = "it can be reached, but its account reports that it is not available"
    assert told == {"bold": (None, True), "brave": (None, True), "shy": (reason, True), "timid": (reason, True)}
    assert content["usable"] is False


def test_nodes_that_another_run_holds_are_left_to_it(doctor: Doctor) -> None:
    arguments = doctor.cluster_of("one", "two", "three", lease_dir="leases")
    assert [node["name"] for node in doctor.json(*arguments)["nodes"]] == ["one", "two", "three"]
    names = sorted(path.name for path in (doctor.folder / "leases").iterdir())
    assert len(names) >= 3
    from doctors_clusters import Named  # type: ignore[import-not-found]  # written by the fixture

    from ducktape.cluster.cluster_spec import ClusterSpec

    other = Named(cluster_file="cluster.json")
    nodes = other.alloc(ClusterSpec.simple_linux(1))
    try:
        content = doctor.json(*arguments)
    finally:
        other.free(nodes)
    assert {node["name"] for node in content["nodes"]} == {"one", "two", "three"} - {nodes[0].name}
    [remark] = content["remarks"]
    assert remark.startswith("Not checked: 1 node, which the cluster does not allocate. ")
    assert content["usable"] is True
