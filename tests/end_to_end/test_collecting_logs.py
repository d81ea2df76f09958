# SPDX-License-Identifier: Apache-2.0
"""Logs of a test that fails on five machines, one of which has frozen."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.needs import require
from tests.support.sshd import Sshd, running_sshd

_SUITE = """
import os, signal
from ducktape.mark.resource import cluster
from ducktape.services.service import Service
from ducktape.tests.test import Test


class Writer(Service):
    logs = {"all": {"path": PLACE, "collect_default": True}, "absent": {"path": PLACE + "/no", "collect_default": True}}

    def start_node(self, node, **kwargs):
        node.account.ssh(f"mkdir -p {PLACE} && echo said > {PLACE}/out.log")

    def stop_node(self, node, **kwargs):
        pass

    def clean_node(self, node, **kwargs):
        pass


class FreezeTest(Test):
    @cluster(num_nodes=5)
    def test_freeze(self):
        Writer(self.test_context, 5).start()
        for pid in os.listdir("/proc"):
            try:
                name = open(f"/proc/{pid}/comm").read()
                parent = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1]
            except OSError:
                continue
            if name.startswith("sshd") and int(parent) == SERVER:
                os.kill(int(pid), signal.SIGSTOP)
                print("frozen")
        raise RuntimeError("failed on purpose")
"""


def _node(server: Sshd, number: int) -> dict[str, object]:
    settings = server.settings
    config = {"host": f"worker{number}", "hostname": settings.hostname, "user": settings.user, "port": settings.port}
    return {"ssh_config": {**config, "identityfile": settings.identityfile, "connecttimeout": 5}}


def _stopped_children(pid: int) -> list[int]:
    listing = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return [int(line.split()[0]) for line in listing.splitlines() if int(line.split()[1]) == pid]


def test_a_frozen_node_costs_its_own_logs_and_is_named(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    require("sshd")
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(running_sshd(tmp_path_factory.mktemp("sshd"))) for _ in range(5)]
        process = servers[2]._process
        assert process is not None
        (tmp_path / "cluster.json").write_text(json.dumps({"nodes": [_node(s, i) for i, s in enumerate(servers)]}))
        head = f"PLACE = {str(tmp_path / 'logs')!r}\nSERVER = {process.pid}\n"
        (tmp_path / "test_freeze.py").write_text(head + _SUITE)
        command = [sys.executable, "-m", "ducktape", "test_freeze.py", "--results-root", "results"]
        command += ["--cluster", "ducktape.cluster.json.JsonCluster", "--cluster-file", "cluster.json"]
        begin = time.monotonic()
        try:
            done = subprocess.run(
                [*command, "--collect-timeout", "3"],
                cwd=tmp_path,
                env={**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        finally:
            for pid in _stopped_children(process.pid):
                os.kill(pid, signal.SIGCONT)
        assert time.monotonic() - begin < 40
        assert done.returncode == 1, done.stdout + done.stderr
    [report] = (tmp_path / "results").glob("2*/report.json")
    [result] = json.loads(report.read_text())["results"]
    summary = str(result["summary"])
    assert "failed on purpose" in summary
    found = {path.parts[-3]: path.read_text() for path in (tmp_path / "results").glob("2*/**/logs/out.log")}
    hosts = [f"worker{number}" for number in range(5)]
    missing = [host for host in hosts if f"  {host}: Writer-0" in summary.partition("Logs that are missing:")[2]]
    assert len(missing) == 1
    assert found == dict.fromkeys([host for host in hosts if host not in missing], "said\n")
    assert f"log all ({tmp_path}/logs): not collected within 3 seconds" in summary
    [html] = (tmp_path / "results").glob("2*/report.html")
    assert "not collected within 3 seconds" in html.read_text()
