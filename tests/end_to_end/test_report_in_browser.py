# SPDX-License-Identifier: Apache-2.0
"""The page of a session as a real browser sees it."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ducktape.tests import reporter
from ducktape.tests.result import FAIL, TestResult
from tests.unit.tests.reports.samples import demo_results, result

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NASTY = "'</script><script>document.title='taken'</script><!-- \x00 \x1b[31m \U0001f986 \u2028"
MANY_LINES = "first of many\n" + "".join(f'  File "/x.py", line {n}, in f\n' for n in range(36_000)) + "last of many"
LONG_LINE = "long line " + "x" * 1_000_000 + " end of line"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian package chromium)")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The elements that a browser has made of a report with everything that has ever hurt one."""
    directory = tmp_path_factory.mktemp("results")
    results = demo_results(directory)
    for index, summary in enumerate((NASTY, MANY_LINES, LONG_LINE), start=20):
        results.append(result("test_fail", index, FAIL, summary, of=results.session_context))
    reporter.HTMLSummaryReporter(results, 12).report()
    return dumped(directory / "report.html", tmp_path_factory.mktemp("profile"))


def dumped(file: Path, profile: Path) -> str:
    assert CHROMIUM is not None
    argv = [CHROMIUM, *OPTIONS, f"--user-data-dir={profile}", "--dump-dom", file.as_uri()]
    finished = subprocess.run(argv, capture_output=True, timeout=120, check=True)
    return finished.stdout.decode("utf-8")


def rows(page: str) -> list[str]:
    body = page.partition("<script>")[0]
    return [
        html.unescape(row) for row in re.findall(r'<tr class="(?:fail|ignore|flaky|pass)">.*?</tr>', body, re.DOTALL)
    ]


def test_every_result_has_its_row(page: str) -> None:
    methods = [match[1] for row in rows(page) if (match := re.search(r"Method: +(\S+)\n", row))]
    assert methods == [
        *["test_fail", "test_matrix", "test_matrix", "<import>", "test_fail", "test_fail", "test_fail"],
        *["test_skipped", "test_flaky", "test_pass", "test_data"],
    ]


def test_text_of_tests_stays_text(page: str) -> None:
    assert "<title>System Test Report 2026-11-22--001</title>" in page
    shown = NASTY.replace("\x00", r"\x00").replace("\x1b", r"\x1b")
    assert any(shown in row for row in rows(page))
    assert page.count("<script>") == 1
    assert "\ufffd" not in page


def test_a_megabyte_of_text_is_there_to_its_end(page: str) -> None:
    assert any(MANY_LINES in row for row in rows(page))
    assert any(LONG_LINE in row for row in rows(page))


def test_the_script_block_runs(tmp_path: Path) -> None:
    results = demo_results(tmp_path)
    failure = TestResult.from_import_failure("a.b", None, NASTY, 9, results.session_context)
    results.append(failure)
    content = reporter.HTMLSummaryReporter(results).report_string()
    probe = (
        "<script>document.title = [SUMMARY.run, FAILED_TESTS.length, FAILED_TESTS[4].summary.length].join()</script>"
    )
    (tmp_path / "probe.html").write_text(content.replace("</body>", f"{probe}</body>"), encoding="utf-8")
    assert f"<title>9,5,{len(NASTY) + 1}</title>" in dumped(tmp_path / "probe.html", tmp_path / "profile")
