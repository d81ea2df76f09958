# SPDX-License-Identifier: Apache-2.0
"""`make bench`: the same work with this checkout and with the published release, in turn, and what came out of it."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import environments, sandbox, simulation, ssh
from benchmarks.measure import CommandFailed, Sample, run
from benchmarks.suites import write_no_op
from benchmarks.table import Row, Target, as_json, render, render_targets, targets
from ducktape.cluster.sandbox.cluster import SandboxError

LOCALHOST = ["--cluster", "ducktape.cluster.localhost.LocalhostCluster"]


@dataclasses.dataclass(frozen=True)
class Workload:
    """A command line that both programs understand.

    Attributes:
        name: as the table shows it.
        tests: how many no-op tests its file holds, 0 for none.
        options: after the path of the file.
        with_peer: whether the published release does it too.
    """

    name: str
    tests: int
    options: Sequence[str]
    with_peer: bool = True


def workloads(*, quick: bool) -> list[Workload]:
    """Return what is measured; ``quick`` is a smoke test of a few seconds per program."""
    start = [Workload("--version", 0, ["--version"])]
    if quick:
        return [*start, Workload("5 no-op tests", 5, LOCALHOST)]
    start.append(Workload("--collect-only, 2000 tests", 2000, ["--collect-only"]))
    parallel = [*LOCALHOST, "--max-parallel", "4"]
    wide = [*LOCALHOST, "--max-parallel", "8"]
    counts = [50, 200, 400]
    return [
        *start,
        *(Workload(f"{count} no-op tests", count, LOCALHOST) for count in counts),
        *(Workload(f"{count} no-op tests, 4 at a time", count, parallel) for count in counts),
        Workload("2000 no-op tests", 2000, LOCALHOST, with_peer=False),
        Workload("2000 no-op tests, 4 at a time", 2000, parallel, with_peer=False),
        Workload("200 no-op tests, 8 at a time", 200, wide, with_peer=False),
        Workload("10000 no-op tests, 8 at a time", 10_000, wide, with_peer=False),
    ]


def measure(workload: Workload, programs: dict[str, Path], rounds: int) -> Row:
    """Run a workload ``rounds`` times with each program, in turn, so that a busy minute of the machine hits both."""
    samples: dict[str, list[Sample]] = {"ours": [], "peer": []}
    for number in range(1, rounds + 1):
        for who, program in programs.items():
            if who == "peer" and not workload.with_peer:
                continue
            # A directory of its own: nothing grows from run to run, and no configuration of the caller is found.
            with tempfile.TemporaryDirectory(prefix="bench-") as name:
                directory = Path(name)
                files = [str(write_no_op(directory, workload.tests))] if workload.tests else []
                sample = run([str(program), *files, *workload.options], directory)
            samples[who].append(sample)
            print(f"{workload.name} ({who}, {number}/{rounds}): {sample.seconds:.3f} s", file=sys.stderr, flush=True)
    return Row(workload.name, samples["ours"], samples["peer"])


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke test: two small workloads, one round")
    parser.add_argument("--rounds", type=int, default=3, help="how often each program does each workload")
    parser.add_argument("--json", metavar="FILE", help="write every sample there too")
    parser.add_argument("--only", choices=["ours", "peer"], help="measure one program alone")
    parser.add_argument(
        "--part",
        choices=["commands", "ssh", "simulation", "sandbox"],
        help="measure whole commands, or work over SSH, or the order of tests, or nodes of a sandbox (and beside them "
        "containers of Podman, where it can be used), alone",
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the tables and return the exit code: 1 if a command failed or a target was missed."""
    options = parse(arguments)
    if options.part == "simulation":
        return _conclude(simulation.measured(quick=options.quick), [], [], {}, [], options)
    if options.part == "sandbox":
        try:
            return _conclude([], [], [], {}, _in_a_sandbox(environments.ours(), quick=options.quick), options)
        except CommandFailed as error:
            print(f"bench: {error}", file=sys.stderr)
            return 1
    programs = {
        who: install()
        for who, install in (("ours", environments.ours), ("peer", environments.peer))
        if options.only in (None, who)
    }
    rounds = 1 if options.quick else max(1, options.rounds)
    rows: list[Row] = []
    over_ssh: list[Row] = []
    plain: dict[str, list[Sample]] = {}
    nodes: list[sandbox.Row] = []
    missing = ssh.why_not()
    if missing and options.part != "commands":
        print(f"bench: nothing is measured over SSH: {missing}", file=sys.stderr)
    try:
        if not options.part and "ours" in programs:
            nodes = _in_a_sandbox(programs["ours"], quick=options.quick)
        if options.part != "ssh":
            rows = [measure(workload, programs, rounds) for workload in workloads(quick=options.quick)]
        if options.part != "commands" and not missing:
            over_ssh, plain = ssh.measured(programs, rounds, quick=options.quick)
    except CommandFailed as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    simulated = [] if options.part else simulation.measured(quick=options.quick)
    return _conclude(simulated, rows, over_ssh, plain, nodes, options)


def _in_a_sandbox(program: Path, *, quick: bool) -> list[sandbox.Row]:
    missing = sandbox.why_not()
    if missing:
        print(f"bench: nothing is measured in a sandbox: {missing}", file=sys.stderr)
        return []
    try:
        return sandbox.measured(program, quick=quick)
    except SandboxError as error:
        raise CommandFailed(f"the sandbox: {error}") from error


def _conclude(
    simulated: Sequence[simulation.Row],
    rows: Sequence[Row],
    over_ssh: Sequence[Row],
    plain: dict[str, list[Sample]],
    nodes: Sequence[sandbox.Row],
    options: argparse.Namespace,
) -> int:
    """Print the tables, write the file that was asked for, and return the exit code."""
    judged: list[Target] = []
    if not options.quick:
        judged += targets({row.name: row for row in rows}) if rows else []
        judged += ssh.targets(over_ssh) if over_ssh else []
        judged += simulation.targets(simulated) if simulated else []
        judged += sandbox.targets(nodes) if nodes else []
    tables = [
        render(rows) if rows else "",
        ssh.render(over_ssh, plain) if over_ssh else "",
        simulation.render(simulated) if simulated else "",
        sandbox.render(nodes) if nodes else "",
        render_targets(judged) if judged else "",
    ]
    print("\n\n".join(filter(None, tables)))
    if options.json:
        content = as_json([*rows, *over_ssh], judged)
        content["simulations"] = [dataclasses.asdict(row) for row in simulated]
        content["sandbox"] = [dataclasses.asdict(row) for row in nodes]
        Path(options.json).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return 1 if any(target.met is False for target in judged) else 0


if __name__ == "__main__":
    sys.exit(main())
