# SPDX-License-Identifier: Apache-2.0
"""The merged log of a test that was run, on a node whose clock is wrong."""

from __future__ import annotations

import json
import os
import pwd
import re
from pathlib import Path

import pytest

from tests.support.program import Program, suite
from tests.support.sshd import running_sshd

SUITE = """
    from ducktape.mark.resource import cluster
    from ducktape.services.service import Service
    from ducktape.tests.test import Test


    class Diary(Service):
        logs = {"diary": {"path": "/tmp/DIARY", "collect_default": True}}

        def start_node(self, node, **kwargs):
            node.account.ssh("echo $(date '+%Y-%m-%d %H:%M:%S.%N') WARN started >/tmp/DIARY")

        def stop_node(self, node, **kwargs):
            node.account.ssh("echo $(date '+%Y-%m-%d %H:%M:%S.%N') WARN stopped >>/tmp/DIARY")

        def clean_node(self, node, **kwargs):
            node.account.ssh("rm -f /tmp/DIARY")


    class ClockTest(Test):
        @cluster(num_nodes=1)
        def test_fails(self):
            diary = Diary(self.test_context, num_nodes=1)
            diary.start()
            self.logger.warning("running")
            diary.stop()
            self.logger.warning("ended")
            raise AssertionError("oh")
"""


@pytest.mark.needs("sshd")
@pytest.mark.skipif(not pwd.getpwuid(os.getuid()).pw_shell.endswith("bash"), reason="needs bash as login shell")
def test_a_clock_that_is_always_wrong_is_measured_and_corrected(tmp_path: Path) -> None:
    directory = tmp_path / "sshd"
    directory.mkdir(mode=0o700)
    with running_sshd(directory) as server:
        Path(server.home, ".bashrc").write_text("date() { command date -d '90 seconds' \"$@\"; }\n")
        login = {name: value for name, value in server.settings.to_json().items() if value is not None}
        (tmp_path / "cluster.json").write_text(json.dumps({"nodes": [{"ssh_config": {**login, "host": "w1"}}]}))
        path = suite(tmp_path, SUITE.replace("DIARY", f"diary-{os.getpid()}"))
        program = Program(tmp_path, path, "--cluster", "json", "--cluster-file", "cluster.json")
        assert program.wait() == 1, program.output
    place = tmp_path / "results" / "latest"
    clock = json.loads((place / program.report["results"][0]["relative_results_dir"] / "clocks.json").read_text())[
        "clocks"
    ]["w1"]
    assert clock["offset_seconds"] == pytest.approx(90, abs=2)
    [data] = re.findall(
        '<script type="application/json" id="log-.*?">(.*)</script>', (place / "report.html").read_text()
    )
    log = json.loads(data)
    [note] = log["notes"]
    assert re.fullmatch(r"w1: -(89|90)\.\d+ s, as measured after the test, ± \d+\.\d+ s", note)
    times = {entry[3].split()[-1]: entry[0] for entry in log["entries"] if entry[2] in ("warn", "failure")}
    # As exactly as the offset could be measured
    precision = 2000 * clock["uncertainty_seconds"] + 100
    assert times["started"] == pytest.approx(times["running"], abs=precision)
    assert times["stopped"] == pytest.approx(times["ended"], abs=precision)
