# SPDX-License-Identifier: Apache-2.0
"""The text that ``ducktape doctor`` prints: a table, the problems, and their remedies."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from ducktape.cluster.health.hints import Problem, note_of, problems_of

if TYPE_CHECKING:
    from ducktape.cluster.health.probe import Findings
    from ducktape.command_line.doctor.sandbox import Visit

_GAP = "  "
_UNKNOWN = "-"
_SHORTEST_NAME = 8
_NARROWEST = 60
_NAMES_SHOWN = 8


def render(findings: list[Findings], remarks: list[str], *, columns: int) -> str:
    """Return the whole text, without a newline at its end."""
    columns = max(_NARROWEST, columns)
    parts = [table(findings, columns=columns)] if findings else []
    notes = [f"{each.name} is {note_of(each)}." for each in findings if note_of(each)]
    modes: dict[str, list[str]] = {}
    for each in findings:
        if each.host_keys is not None:
            modes.setdefault(each.host_keys, []).append(each.name)
    for mode, names in modes.items():
        nodes = "" if len(modes) == 1 else f" of {_names(names)}"
        meaning = "off, so another machine in its place would not be noticed" if mode == "off" else mode
        notes.append(f"Host keys{nodes}: {meaning}.")
    notes += remarks
    if notes:
        parts.append("\n".join(_wrapped(note, columns) for note in notes))
    parts += _problems(findings, columns)
    parts.append(_summary(findings))
    return "\n\n".join(parts)


def _names(names: list[str]) -> str:
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return f"{', '.join(names[:_NAMES_SHOWN])}{more}"


def table(findings: list[Findings], *, columns: int) -> str:
    """Return one line per node, and one above them; long names are shortened to fit."""
    second = ",".join(sorted({path for each in findings for path in each.free_bytes if path != each.home}))
    header = ["node", "state", "login", "trip", "shell", "tar", "sudo", "clock", "home", second or "/mnt"]
    rows = [_row(each) for each in findings]
    widths = [max(len(row[index]) for row in [header, *rows]) for index in range(len(header))]
    room = columns - sum(widths[1:]) - len(_GAP) * (len(widths) - 1)
    widths[0] = min(widths[0], max(_SHORTEST_NAME, room))
    lines = []
    for name, state, *numbers in [header, *rows]:
        # Numbers that are compared by eye end in the same column
        cells = [cell.rjust(width) for cell, width in zip(numbers, widths[2:], strict=True)]
        lines.append(_GAP.join([shortened(name, widths[0]).ljust(widths[0]), state.ljust(widths[1]), *cells]).rstrip())
    return "\n".join(lines)


def _row(each: Findings) -> list[str]:
    second = [free for path, free in each.free_bytes.items() if path != each.home]
    home = each.free_bytes.get(each.home or "")
    return [
        each.name,
        "FAILED" if not each.usable else "see below" if problems_of(each) else "ok",
        _milliseconds(each.login_ms),
        _milliseconds(each.round_trip_ms),
        _milliseconds(each.shell_ms),
        {True: "yes", False: "no", None: _UNKNOWN}[each.tar],
        _UNKNOWN if each.sudo is None else each.sudo,
        _UNKNOWN if each.clock_skew_sec is None else _skew(each.clock_skew_sec),
        _UNKNOWN if home is None else size(home),
        # The home directory may be on the only disk
        size(second[0]) if second else _UNKNOWN,
    ]


def shortened(name: str, longest: int) -> str:
    """Return a name without its middle if it is too long; nodes often differ only at the end."""
    if len(name) <= longest:
        return name
    end = (longest - 2) // 2
    return f"{name[: longest - 2 - end]}..{name[len(name) - end :]}"


def _milliseconds(value: float | None) -> str:
    if value is None:
        return _UNKNOWN
    if value < 10:
        return f"{value:.1f}ms"
    return f"{value:.0f}ms" if value < 9_999.5 else f"{value / 1000:.0f}s"


def _skew(seconds: float) -> str:
    if abs(seconds) < 60:
        return f"{round(seconds, 2) + 0.0:+.2f}s"  # the addition takes the sign off a negative zero
    return f"{seconds:+.0f}s" if abs(seconds) < 100_000 else f"{seconds / 86_400:+.0f}d"


def size(number: int) -> str:
    """Return a number of bytes in three or four characters and a unit."""
    value = float(number)
    for unit in ("B", "K", "M", "G", "T"):
        if value < 999.5 or unit == "T":
            break
        value /= 1024
    return f"{value:.1f}{unit}" if value < 9.95 and unit != "B" else f"{value:.0f}{unit}"


def _problems(findings: list[Findings], columns: int) -> list[str]:
    """Return a paragraph if there are problems, with equal ones of different nodes together above their remedy."""
    groups: dict[tuple[str, str], list[tuple[str, Problem]]] = {}
    for each in findings:
        for problem in problems_of(each):
            groups.setdefault((problem.kind, problem.remedy), []).append((each.name, problem))
    lines = []
    for (_, remedy), members in sorted(groups.items(), key=lambda item: not item[1][0][1].fatal):
        texts: dict[str, list[str]] = {}
        for name, problem in members:
            texts.setdefault(problem.text, []).append(name)
        lines += [_wrapped(f"{_names(names)}: {text}", columns) for text, names in texts.items()]
        lines.append(_wrapped(f"-> {remedy}", columns, indent="   "))
    return ["\n".join(lines)] if lines else []


def _wrapped(text: str, columns: int, *, indent: str = "") -> str:
    # Users copy paths and commands from here, so they are not broken
    return textwrap.fill(
        text,
        columns,
        initial_indent=indent,
        subsequent_indent=f"{indent}   ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _summary(findings: list[Findings]) -> str:
    if not findings:
        return "There are no nodes to check."
    failed = sum(not each.usable for each in findings)
    doubtful = sum(each.usable and bool(problems_of(each)) for each in findings)
    text = "1 node" if len(findings) == 1 else f"{len(findings)} nodes"
    if not failed and not doubtful:
        return f"{text}, all usable."
    parts = [f"{failed} cannot be used"] * bool(failed) + [f"{doubtful} with remarks"] * bool(doubtful)
    return f"{text}: {', '.join(parts)}."


# --- a sandbox


def render_sandbox(visit: Visit, *, columns: int) -> str:
    """Return the whole text about a sandbox, without a newline at its end."""
    columns = max(_NARROWEST, columns)
    rows = [(part.name, part.text, part.remedy) for part in visit.parts]
    for trial in visit.trials:
        kind = "a node" if trial.node_type is None else f"a node of type {trial.node_type}"
        if trial.failure is not None:
            text = f"cannot be {'used' if trial.name else 'made'}: {trial.failure}"
        else:
            made, took, gone = (_milliseconds(value) for value in (trial.made_ms, trial.true_ms, trial.gone_ms))
            text = f"made in {made}, `true` takes {took}, gone in {gone}"
            text = text if trial.node_type is None else f"of type {trial.node_type}, {text}"
        rows.append((trial.name or kind, text, ""))
    width = max(len(name) for name, _, _ in rows)
    lines = []
    for name, text, remedy in rows:
        lines.append(_wrapped(f"{name:{width}}{_GAP}{text}", columns))
        lines += [_wrapped(f"-> {remedy}", columns, indent="   ")] * bool(remedy)
    parts = ["\n".join(lines)]
    if servers := [trial.findings for trial in visit.trials if trial.findings is not None]:
        parts += [table(servers, columns=columns), *_problems(servers, columns)]
    parts += _leftovers("Removed, since their runs are dead:", visit.removed, columns)
    parts += _leftovers("Left by dead runs, and not removable by this user:", visit.left, columns)
    parts.append("The sandbox works." if visit.usable else "The sandbox cannot be used.")
    return "\n\n".join(parts)


def _leftovers(title: str, lines: list[str], columns: int) -> list[str]:
    if not lines:
        return []
    return ["\n".join([_wrapped(title, columns), *(_wrapped(line, columns, indent="   ") for line in lines)])]
