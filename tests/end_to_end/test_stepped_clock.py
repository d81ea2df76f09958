# SPDX-License-Identifier: Apache-2.0
"""The clock of the machine is set while tests run: no duration notices."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.program import LOCALHOST, environment, write

# Every process of the run sees another time as soon as the first test has written the file
STEPPED = """
    import os
    import time

    real = time.time

    def stepped():
        return real() + (float(open("step").read()) if os.path.exists("step") else 0)

    time.time = stepped
"""
SUITE = """
    import os
    import pathlib
    import time

    from ducktape.services.service import Service
    from ducktape.tests.test import Test

    class Slow(Service):
        def start_node(self, node):
            step = pathlib.Path("step")
            before = float(step.read_text()) if step.exists() else 0
            pathlib.Path("next").write_text(str(before + {step}))
            os.replace("next", step)  # others ask for the time meanwhile
            time.sleep(0.2)

        def stop_node(self, node):
            pass

        def clean_node(self, node):
            pass

    class ClockTest(Test):
        def test_a(self):
            Slow(self.test_context, 1).start()

        def test_b(self):
            Slow(self.test_context, 1).start()
            assert False
"""


@pytest.mark.parametrize("step", [3601, -3601])
def test_a_step_of_the_clock_is_in_no_duration(step: int, tmp_path: Path) -> None:
    write(tmp_path / "sitecustomize.py", STEPPED)
    write(tmp_path / "test_it.py", SUITE.replace("{step}", str(step)))
    extra = environment(tmp_path)
    extra["PYTHONPATH"] = f"{tmp_path}:{extra['PYTHONPATH']}"
    command = [sys.executable, "-m", "ducktape", "test_it.py", *LOCALHOST, "--deflake", "2"]
    done = subprocess.run(command, cwd=tmp_path, env=extra, capture_output=True, text=True, timeout=100)
    session = (tmp_path / "results" / "latest").resolve()
    report = json.loads((session / "report.json").read_text())
    results = {each["function_name"]: each for each in report["results"]}
    assert (done.returncode, sorted(results)) == (1, ["test_a", "test_b"])
    for each in [report, *results.values()]:
        assert 0.2 <= each["run_time_seconds"] < 60
        assert each["stop_time"] >= each["start_time"]
    for attempt in results["test_b"]["attempts"]:
        assert 0.2 <= attempt["stop_time"] - attempt["start_time"] < 60
    for status in report["client_status"].values():
        assert 0.2 <= status["runner_end_time"] - status["runner_start_time"] < 60
    for service in (service for each in results.values() for service in each["services"]):
        assert 0.2 <= service["lifecycle"]["start_duration_seconds"] < 60
    times = [float(case.attrib["time"]) for case in ElementTree.parse(session / "report.xml").iter("testcase")]
    assert all(0.2 <= seconds < 60 for seconds in times), times
