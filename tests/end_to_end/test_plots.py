# SPDX-License-Identifier: Apache-2.0
"""The page of a session shows what its tests measured, what their nodes did, and the faults."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

from tests.support.program import LOCALHOST, Program, suite

SUITE = """
    import json
    import os
    import subprocess

    from ducktape import faults
    from ducktape.mark import matrix
    from ducktape.mark.resource import cluster
    from ducktape.services.service import Service
    from ducktape.tests.test import Test
    from ducktape.utils.util import wait_until


    class Store(Service):
        def start_node(self, node):
            pass

        def clean_node(self, node):
            pass


    class StoreTest(Test):
        @cluster(num_nodes=1)
        @matrix(size=[1, 20])
        def test_pause(self, size):
            store = Store(self.test_context, 1)
            store.start()
            lag = self.metrics.series("lag", unit="messages", better="lower")
            writes = self.metrics.histogram("write_ms", unit="ms", better="lower")
            for value in (1, 2, 3):
                self.metrics.record("size_bytes", 1000 * size * value, unit="bytes")
                writes.add(size * value)
            lag.add(0)
            child = subprocess.Popen(["sleep", f"987654{size}"])
            with faults.pause(store, process=f"sleep 987654{size}"):
                lag.add(size * 100)
                self.wait_for_rates()
            child.kill()
            child.wait()
            lag.add(7)
            assert size == 1, "too slow"

        def wait_for_rates(self):
            path = os.path.join(self.test_context.attempt_dir, "node-metrics.jsonl")
            wait_until(lambda: os.path.exists(path) and "cpu_cores" in open(path).read(), 60, backoff_sec=0.05)
"""


def test_a_session_is_plotted(tmp_path: Path) -> None:
    arguments = (suite(tmp_path, SUITE), *LOCALHOST, "--node-metrics", "--max-parallel", "2")
    program = Program(tmp_path, *arguments)
    assert program.wait() == 1, program.output
    latest = tmp_path / "results" / "latest"
    report = json.loads((latest / "report.json").read_text())
    page = html.unescape((latest / "report.html").read_text(encoding="utf-8"))

    # The failed test comes first
    results = sorted(report["results"], key=lambda each: str(each["test_status"]))
    pictures = re.findall(r'<div class="axis">.*?</div>', page, re.DOTALL)
    for result, picture, largest in zip(results, pictures, (2000, 100), strict=True):
        [node] = result["node_metrics"]
        peak = result["node_metrics"][node]["cpu_cores"]["max"]
        words = (
            rf"phases setup, test, teardown.*; 1 fault: pause {node} from [^;]*; size_bytes [^;]*; lag 0 messages to "
        )
        assert re.search(rf"{words}{largest:,} messages; Processor .* {peak:.3g} cores; ", picture)
        assert f"max {largest:,} messages at " in picture
        assert re.search(rf"Processor <tspan>[^<]* {peak:.3g} cores</tspan>", picture)
        assert re.search(rf'<rect class="shade" [^>]*><title>pause {node}: from .* to .*, by the test</title>', picture)

    [plot] = re.findall(r"<section>\s*<h3>StoreTest.test_pause <b>size_bytes</b>.*?</section>", page, re.DOTALL)
    assert re.findall(r">(size=\d+)</a>", plot) == ["size=1", "size=20"]
    assert re.findall(r'aria-label="([^"]*)"', plot) == [
        "3 values from 1 kB to 3 kB, median 2 kB",
        "3 values from 20 kB to 60 kB, median 40 kB",
    ]
    [plot] = re.findall(r"<section>\s*<h3>StoreTest.test_pause <b>write_ms</b>.*?</section>", page, re.DOTALL)
    assert re.findall(r'aria-label="([^"]*)"', plot) == ["2 ms", "40 ms"]
    assert "lower is better" in plot
