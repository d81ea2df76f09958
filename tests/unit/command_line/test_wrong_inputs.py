# SPDX-License-Identifier: Apache-2.0
"""What users see of wrong options, files, suites and marks: one line that says what, where, and what to do."""

from __future__ import annotations

import dataclasses
import logging
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ducktape.command_line.main import main
from ducktape.utils.support import strictness

_TEST = """
from ducktape.mark import ignore, matrix, parametrize, tag, timeout
from ducktape.mark.resource import cluster
from ducktape.tests.test import Test

class TestLog(Test):
    @cluster(num_nodes=0)
    def test_write(self, size=1):
        pass
"""
_NODE = '{"nodes": [{"ssh_config": {"host": "n1", "hostname": "127.0.0.1"%s}}]}'


@dataclasses.dataclass(frozen=True)
class Wrong:
    """A command line, files, and what has to be said about them; ``$`` stands for the current directory."""

    argv: str
    line: str
    code: int = 1
    files: Mapping[str, str | bytes] = dataclasses.field(default_factory=dict)


def _json(text: str | bytes, line: str, more: str = "") -> Wrong:
    argv = f"--cluster json --cluster-file c.json {more} suite"
    return Wrong(argv, f"{_LOAD}{line}", files={"c.json": text})


def _sandbox(text: str, line: str) -> Wrong:
    argv = "--cluster sandbox --cluster-file c.json suite"
    line = f"{_LOAD}'ValueError'> JSON cluster definition invalid: c.json: {line}"
    return Wrong(argv, line, files={"c.json": text})


def _config(text: str | bytes, line: str, code: int = 2) -> Wrong:
    return Wrong("suite", line, code, {".ducktape/config": text})


def _yaml(text: str | bytes, line: str, more: str = "") -> Wrong:
    return Wrong(f"{more} s.yml", line, files={"s.yml": text})


def _mark(mark: str, line: str) -> Wrong:
    text = _TEST.replace("@cluster(num_nodes=0)", mark)
    return Wrong("--collect-only suite", line, files={"suite/test_log.py": text})


_USAGE = "ducktape: error: "
_LOAD = "Failed to load cluster:  <class "
_IMPORT = "Failed to import suite.test_log, which may indicate a broken test that cannot be loaded: "
_TREE = "Failed while trying to discover tests: "
_INVALID = "'ValueError'> JSON cluster definition invalid: c.json: "

WRONG = {
    # options
    "an option": Wrong(
        "--max-paralel 3 suite",
        f"{_USAGE}unrecognized arguments: --max-paralel (did you mean --max-parallel?) (see ",
        2,
    ),
    "an option with one dash": Wrong(
        "-debug suite", f"{_USAGE}unrecognized arguments: -debug (did you mean --debug?) (see ducktape --help)", 2
    ),
    "a choice": Wrong(
        "--progress lve suite",
        f"{_USAGE}argument --progress: invalid choice: 'lve' (choose from auto, live, plain) "
        "(did you mean live?) (see ",
        2,
    ),
    "another choice": Wrong(
        "--host-keys acceptnew suite",
        f"{_USAGE}argument --host-keys: invalid choice: 'acceptnew' (choose from off, accept-new, strict) "
        "(did you mean accept-new?) (see ",
        2,
    ),
    "a number": Wrong(
        "--max-parallel atuo suite",
        f"{_USAGE}argument --max-parallel: invalid int value: 'atuo': write a number from 1, or auto (see ",
        2,
    ),
    "another number": Wrong(
        "--repeat x suite", f"{_USAGE}argument --repeat: invalid int value: 'x': write a whole number (see ", 2
    ),
    "a time that no calendar has": Wrong(
        "--keep always --keep-for 99999999999999h suite",
        f"{_USAGE}argument --keep-for: '99999999999999h' is longer than a year: write at most 8760h (see ",
        2,
    ),
    "excluding all": Wrong(
        "--exclude suite",
        "No path is given, and --exclude takes all words after it: write the paths before it",
    ),
    "a flag with a value": Wrong(
        "--debug=yes suite", f"{_USAGE}argument --debug: it takes no value, so leave out 'yes' (see ducktape --help)", 2
    ),
    "a part that does not exist": Wrong(
        "--subsets 3 --subset 3 suite", "--subset must be in the range [0, subsets-1], here [0, 2], not 3"
    ),
    "an expression": Wrong("--tags slow) suite", f"{_USAGE}argument --tags: Cannot understand 'slow)': ", 2),
    "a cluster": Wrong(
        "--cluster sandbx suite",
        f"{_LOAD}'ValueError'> There is no cluster with the name sandbx (did you mean sandbox?): ",
    ),
    "the class of a cluster": Wrong(
        "--cluster ducktape.cluster.localhost.LocalhostClustr suite",
        f"{_LOAD}'AttributeError'> --cluster ducktape.cluster.localhost.LocalhostClustr: the "
        "module ducktape.cluster.localhost has no LocalhostClustr (did you mean LocalhostCluster?)",
    ),
    "the module of a cluster": Wrong(
        "--cluster clouds.Cloud suite",
        f"{_LOAD}'ModuleNotFoundError'> --cluster clouds.Cloud: there is no module clouds: is the "
        "directory that contains it in PYTHONPATH?",
    ),
    "a cluster that is no class": Wrong(
        "--cluster os.sep suite", f"{_LOAD}'TypeError'> --cluster os.sep is not a class but '/'"
    ),
    "a checker": Wrong(
        "--cluster localhost --ssh-checker-function checks.login -- suite",
        f"{_LOAD}'ModuleNotFoundError'> --ssh-checker-function: there is no module checks: is its "
        "directory in PYTHONPATH?",
    ),
    "globals": Wrong(
        "--globals g.json suite",
        "The globals file g.json is not valid JSON: Expecting property name enclosed in double quotes: line 2 column 1",
        files={"g.json": "{\n1}"},
    ),
    "globals in another encoding": Wrong(
        "--globals g.json suite",
        "The globals file g.json is not UTF-8 text: invalid start byte at byte 0",
        files={"g.json": b"\xff\xfe{"},
    ),
    "an earlier report": Wrong(
        "--subsets 2 --historical-report r.json suite",
        f"{_TREE}Cannot use r.json as historical report: it is not a report.json of a run",
        files={"r.json": "[1]"},
    ),
    # files of options
    "an option in a file": _config(
        "# ours\n--max-paralel 3\n",
        f"{_USAGE}.ducktape/config, line 2: unrecognized arguments: --max-paralel (did you mean --max-parallel?)",
    ),
    "an option without dashes in a file": _config(
        "max-parallel 3",
        f"{_USAGE}.ducktape/config, line 1: 'max-parallel' is not an option: did you mean --max-parallel?",
    ),
    "a choice in a file": _config(
        "\n--progress lve",
        f"{_USAGE}.ducktape/config, line 2: argument --progress: invalid choice: 'lve' (choose from auto, live, plain) "
        "(did you mean live?)",
    ),
    "a value that is found to be wrong later": _config(
        "--debug\n--repeat 0", "--repeat must be at least 1, not 0 (--repeat is in .ducktape/config, line 2)", 1
    ),
    "the file of a cluster in a file": _config(
        "--cluster json\n--cluster-file nodes.json",
        f"{_LOAD}'FileNotFoundError'> nodes.json: No such file or directory: name the file with "
        "--cluster-file, or write it (--cluster-file is in .ducktape/config, line 2)",
        1,
    ),
    "a file in another encoding": _config(
        b"\xff\xfe--debug",
        "Cannot read the configuration file .ducktape/config: it is not UTF-8 text: invalid start byte at byte 0",
        1,
    ),
    # files of clusters
    "an empty file of nodes": _json("", "'json.decoder.JSONDecodeError'> c.json: not valid JSON: it is empty"),
    "a comma that is missing": _json(
        '{"nodes": [\n1 2]}',
        "'json.decoder.JSONDecodeError'> c.json: not valid JSON: line 2, column 3: Expecting ',' delimiter",
    ),
    "no nodes": _json(
        '{"node": []}', f"{_INVALID}the key nodes is missing; the top level has node (did you mean nodes?)"
    ),
    "a sandbox instead of nodes": _json(
        '{"max_nodes": 3}', f"{_INVALID}the key nodes is missing; max_nodes is for --cluster sandbox"
    ),
    "no login": _json(
        '{"nodes": [{"hostname": "n1"}]}',
        f"{_INVALID}nodes[0]: has no ssh_config, only hostname: "
        'write {"ssh_config": {"hostname": ..., "user": ...}}',
    ),
    "a key of a login": _json(
        _NODE % ', "usr": "me"', f"{_INVALID}nodes[0] (n1): ssh_config.usr is an unknown key: did you mean user?"
    ),
    "a port": _json(
        _NODE % ', "port": "ssh"', f'{_INVALID}nodes[0] (n1): ssh_config.port is "ssh", not a number from 1 to 65535'
    ),
    "a password that is not set": _json(
        _NODE % ', "password_env": "NO_SUCH_VARIABLE"',
        f"{_INVALID}nodes[0] (n1): the environment variable NO_SUCH_VARIABLE, which password_env names, is not set",
    ),
    "a key that stands twice": _json(
        _NODE % ',\n"hostname": "n2"',
        "'ValueError'> JSON cluster definition invalid: c.json:2: the key nodes[0].ssh_config.hostname stands twice: ",
        "--strict",
    ),
    "a folder of leases": _json(
        _NODE % "", f"{_INVALID}the lease folder c.json cannot be used: File exists", "--lease c.json"
    ),
    "known hosts": Wrong(
        "--cluster json --cluster-file c.json --known-hosts hosts suite",
        "--known-hosts: there is no file hosts",
        files={"c.json": _NODE % ""},
    ),
    "a key of a sandbox": _sandbox(
        '{"max_node": 3}', "the top level has the unknown key max_node (did you mean max_nodes?); there are cpu, "
    ),
    "nodes instead of a sandbox": _sandbox(_NODE % "", "the top level has the key nodes, which is for --cluster json"),
    "a size": _sandbox(
        '{"memory": "2 gigs"}', 'memory is "2 gigs", not a size of at least 8 MB, such as "512m" or "2g"'
    ),
    "a directory of a sandbox": _sandbox(
        '{"mounts": [{"source": "/no/such"}]}', "mounts[0].source does not exist: /no/such"
    ),
    # tests and suites
    "a directory": Wrong(
        "loose",
        "No test files found for $/loose (of a directory only packages are searched) (it has test_log.py, but no "
        "__init__.py: create an empty one, or name the files)",
        files={"loose/test_log.py": _TEST},
    ),
    "a file": Wrong(
        "suite/test_lgo.py",
        "No test files found for $/suite/test_lgo.py (of a directory only packages are searched) (did you mean "
        "test_log.py?)",
    ),
    "a class": Wrong(
        "suite/test_log.py::TestLgo", "$/suite/test_log.py: there is no test class TestLgo (did you mean TestLog?)"
    ),
    "nothing of that name": Wrong(
        "elsewhere",
        "No test files found for $/elsewhere (of a directory only packages are searched) (there is nothing of "
        "that name)",
    ),
    "a test as pytest writes it": Wrong(
        "suite/test_log.py::TestLog::test_write",
        "$/suite/test_log.py: there is no test class TestLog::test_write (write TestLog.test_write)",
    ),
    "a part of a suite file": Wrong(
        "s.yml::one",
        f"{_TREE}Expected absolute path ending in '.py' but got $/s.yml: a suite file is named alone, without ::, ",
        files={"s.yml": "one: [suite]"},
    ),
    "a parameter": Wrong(
        'suite/test_log.py::TestLog.test_write@{"sizes":1}',
        "$/suite/test_log.py: test_write has no parameter sizes (did you mean size?)",
    ),
    "the parameters of a test": Wrong(
        "suite/test_log.py::TestLog.test_write@{size:1}",
        f"{_TREE}Invalid discovery symbol: cannot parse params: {{size:1}} (after @ comes a JSON object, in quotes ",
    ),
    "a file of another kind": Wrong(
        "c.json",
        f"{_TREE}Expected absolute path ending in '.py' but got $/c.json: name a Python file, a directory or a "
        "suite file",
        files={"c.json": "{}"},
    ),
    "an import": Wrong(
        "--collect-only suite",
        f"{_IMPORT}ModuleNotFoundError: No module named 'no_such_module'",
        files={"suite/test_log.py": "import no_such_module"},
    ),
    "a suite file": Wrong(
        "s.yaml", f"{_TREE}Path $/s.yaml does not exist (did you mean s.yml?)", files={"s.yml": "a: []"}
    ),
    "yaml": _yaml(
        "one:\n\t- suite\n",
        f"{_TREE}Failed to load test suite from file: $/s.yml: line 2, column 1: found character '\\t'",
    ),
    "a suite without a list": _yaml(
        "one: suite",
        f"{_TREE}Malformed test suite one in $/s.yml: it is not a list: write its tests below its name, each on a "
        "line ",
    ),
    "a key of a suite": _yaml(
        "one:\n  inclded: [suite]",
        "$/s.yml: the suite one has the unknown key inclded, which is ignored: did you mean included?",
        "--strict",
    ),
    # marks
    "a keyword of a mark": _mark(
        "@cluster(num_node=3)",
        f"{_TREE}suite.test_log.TestLog.test_write in $/suite/test_log.py:7: @cluster has the unknown keyword "
        "num_node: did you mean num_nodes?",
    ),
    "a mark without parentheses": _mark(
        "@cluster",
        f"{_IMPORT}DucktapeError: @cluster takes its arguments by name, in parentheses: write @cluster(num_nodes=3)",
    ),
    "a keyword of a time limit": _mark(
        "@timeout(tests='3m')",
        f"{_IMPORT}DucktapeError: @timeout "
        "has the unknown keyword tests (did you mean test?); there are setup, teardown, test",
    ),
    # subcommands
    "a subcommand": Wrong(
        "doctr", f"{_USAGE}There is neither a path nor a subcommand doctr: did you mean ducktape doctor?", 2
    ),
    "an option of a subcommand": Wrong(
        "init --sevice store",
        f"{_USAGE}unrecognized arguments: --sevice store (did you mean --service?) (see ducktape init --help)",
        2,
    ),
    "a name of a service": Wrong(
        "init --service my!store", "'my!store' cannot be the name of a module: use letters, digits and _"
    ),
    "no session": Wrong("report runs", "There is no directory runs: name that of a session, such as "),
    "a damaged journal": Wrong(
        "report runs",
        "runs/journal.jsonl does not say of which session it is: its first line is missing or damaged. Nothing can be ",
        files={"runs/journal.jsonl": b"\xff{\n"},
    ),
    "a cluster to examine": Wrong(
        "doctor --cluster jsn",
        f"{_LOAD}'ValueError'> There is no cluster with the name jsn (did you mean json?): known ",
    ),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path))
    path, modules, handlers = list(sys.path), set(sys.modules), list(logging.getLogger().handlers)
    yield folder
    sys.path[:] = path
    logging.getLogger().handlers[:] = handlers
    for name in set(sys.modules) - modules:
        if name.partition(".")[0] == "suite":
            del sys.modules[name]
    strictness.begin(strict=False, show=None)


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_mistake_is_one_line(
    wrong: Wrong, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, content in {"suite/__init__.py": "", "suite/test_log.py": _TEST, **wrong.files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    monkeypatch.setattr(sys, "argv", ["ducktape", *wrong.argv.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    captured = capsys.readouterr()
    lines = [line.partition("]: ")[2] if line.startswith("[") else line for line in captured.out.splitlines()]
    lines += captured.err.splitlines()
    assert ended.value.code == wrong.code
    expected = wrong.line.replace("$", str(folder))
    assert [line for line in lines if line.startswith(expected)], lines
    # A file that cannot be imported is shown with the traceback of its own code
    assert ("Traceback (most recent call last):" in lines) == ("Failed to import" in expected)
