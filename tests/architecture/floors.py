# SPDX-License-Identifier: Apache-2.0
"""The floors of the house, lowest first: a module may import from its own floor and from those below it."""

from __future__ import annotations

from fnmatch import fnmatchcase

# Patterns below `ducktape.`; the first one that matches decides, from the top of this table to its end.
FLOORS: tuple[tuple[int, tuple[str, ...]], ...] = (
    (
        0,
        (
            "errors",
            "json_serializable",
            "template",
            "utils",
            "utils.*",
            # Constants whose public place is there
            "command_line.defaults",
        ),
    ),
    (1, ("cluster.consts", "cluster.node_spec", "cluster.cluster_spec", "cluster.node_container")),
    (
        3,
        (
            "cluster.cluster",
            "cluster.finite_subcluster",
            "cluster.localhost",
            "cluster.json",
            "cluster.vagrant",
            "cluster.cluster_file",
            "cluster.node_names",
            "cluster.cluster_file_keys",
            "cluster.health",
            "cluster.lease",
            "cluster.leased_pool",
            "cluster.put_aside",
            "cluster.sandbox",
            "cluster.sandbox_config",
        ),
    ),
    # Whatever else is under cluster/ reaches one machine; a new provider is added to the line above.
    (2, ("cluster.*",)),
    (6, ("mark.mark_expander",)),
    (4, ("mark.*", "services.*", "faults.*", "jvm_logging", "jvm_logging.*")),
    (
        5,
        (
            "tests.status",
            "tests.session",
            "tests.loggermaker",
            "tests.test_context",
            "tests.test",
            "tests.result",
            "tests.event",
            "tests.bounds",
            "tests.not_run",
            "tests.totals",
            "tests.journal",
            "tests.replay",
            "tests.earlier",
            "tests.reports.text",
            "tests.reports.excerpt",
        ),
    ),
    (7, ("tests.reporter", "tests.reports.*")),
    (
        6,
        (
            "tests.symbols",
            "tests.suites",
            "tests.flaws",
            "tests.expansion",
            "tests.discovery",
            "tests.selection",
            "tests.loader",
            "tests.keywords",
            "tests.history",
            "tests.capacity",
            "tests.priority",
            "tests.reservation",
            "tests.waiting",
            "tests.scheduler",
            "tests.signals",
            "tests.abnormal_end",
            "tests.attempts",
            "tests.time_limits",
            "tests.partial_reports",
            "tests.node_supply",
            "tests.hygiene",
            "tests.lifecycle",
            "tests.runner_client",
            "tests.request",
            "tests.child_process",
            "tests.recorder",
            "tests.children",
            "tests.runner",
        ),
    ),
    (8, ("command_line.*", "__main__")),
)

# Packages that only re-export: what they import is checked where it is defined, and an import of the package itself
# is an import of whatever it re-exports, so modules of the house import from the defining module instead.
FRONT_DOORS = frozenset(
    {
        "ducktape.cluster",
        "ducktape.faults",
        "ducktape.mark",
        "ducktape.services",
        "ducktape.tests",
        "ducktape.tests.reports",
        "ducktape.command_line",
    }
)

# The root holds the version and imports nothing.
ROOT_MODULE = "ducktape"


def floor_of(module: str) -> int | None:
    """Return the floor on which a module lives, ``None`` if the table does not know it.

    Args:
        module: full dotted name, neither the root nor a front door.
    """
    name = module.removeprefix("ducktape.")
    for floor, patterns in FLOORS:
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            return floor
    return None
