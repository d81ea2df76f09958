# SPDX-License-Identifier: Apache-2.0
"""What runs on other people's machines: the workflow and the hooks of pre-commit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
JOBS = WORKFLOW["jobs"]
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
EMPTY_OR_LICENSED = next(hook["entry"] for hook in HOOKS if hook["id"] == "license")


def _commands(job: dict[str, Any]) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


def test_the_workflow_may_read_the_sources_and_nothing_else() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert [name for name, job in JOBS.items() if "permissions" in job] == []
    checkouts = [
        step.get("with") for job in JOBS.values() for step in job["steps"] if "checkout" in step.get("uses", "")
    ]
    assert checkouts == [{"persist-credentials": False}] * len(JOBS)


def test_actions_are_pinned_to_a_major_version() -> None:
    used = {step["uses"] for job in JOBS.values() for step in job["steps"] if "uses" in step}
    assert {name for name in used if not re.fullmatch(r"actions/[a-z-]+@v\d+", name)} == set()


def test_each_job_runs_the_target_of_its_name() -> None:
    assert {name: _commands(job)[-1] for name, job in JOBS.items()} == {name: f"make {name}" for name in JOBS}
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(JOBS) - set(targets) == set()


def test_no_job_runs_for_ever() -> None:
    assert [name for name, job in JOBS.items() if not 0 < job.get("timeout-minutes", 0) <= 60] == []


def test_hooks_check_what_the_tests_of_style_check() -> None:
    programs = [hook["entry"].split()[0] for hook in HOOKS if hook["language"] == "system"]
    assert programs == [".venv/bin/ruff", ".venv/bin/ruff", ".venv/bin/mypy"]
    assert all("--force-exclude" in hook["entry"] for hook in HOOKS if "ruff" in hook["entry"])


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("# SPDX-License-Identifier: Apache-2.0\nx = 1\n", True),
        ("", True),
        ("x = 1\n", False),
        ("x = 1\n# SPDX-License-Identifier: Apache-2.0\n", False),
        ("# SPDX-License-Identifier: MIT\n", False),
    ],
)
def test_the_hook_for_the_license_finds_files_without_it(text: str, accepted: bool) -> None:
    assert bool(re.search(EMPTY_OR_LICENSED, text, re.MULTILINE)) == accepted
