# SPDX-License-Identifier: Apache-2.0
"""Logs that lie around the place where they are collected."""

from __future__ import annotations

from pathlib import Path

from tests.support.program import finished, suite

AROUND_THE_RESULTS = """
    import os
    from ducktape.mark.resource import cluster
    from ducktape.services.service import Service
    from ducktape.tests.test import Test

    class Here(Service):
        def __init__(self, context):
            self.logs = {"all": {"path": os.path.join(os.getcwd(), "work"), "collect_default": True}}
            super().__init__(context, 1)

        def start_node(self, node):
            node.account.create_file(os.path.join(os.getcwd(), "work", "a.log"), "a line")

        def stop_node(self, node):
            pass

        def clean_node(self, node):
            pass

    class HereTest(Test):
        @cluster(num_nodes=1)
        def test_here(self):
            Here(self.test_context).start()
"""


def test_a_log_directory_that_holds_the_results_is_collected_once(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    with finished(tmp_path, suite(tmp_path, AROUND_THE_RESULTS), "--results-root", "work/results") as program:
        assert "Error copying log" not in program.output
    copies = [path for path in (tmp_path / "work" / "results").rglob("a.log") if "latest" not in path.parts]
    assert [(path.parts[-3:], path.read_text()) for path in copies] == [(("localhost0", "work", "a.log"), "a line")]
