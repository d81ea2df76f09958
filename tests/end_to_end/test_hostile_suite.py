# SPDX-License-Identifier: Apache-2.0
"""Forty hostile tests among ten innocent ones: each has a result, and the innocent ones pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.program import finished, suite

SUITE = """
    import gc, logging, os, shutil, signal, sys, threading
    from ducktape.errors import Skip
    from ducktape.mark import matrix
    from ducktape.mark._mark import Mark
    from ducktape.mark.resource import cluster
    from ducktape.services.service import Service
    from ducktape.tests.test import Test

    class Wordless:
        def __str__(self):
            raise ValueError("no text")
        __repr__ = __str__

    class Numeric:
        def __str__(self):
            return 5
        __repr__ = __str__

    class Leaving:
        def __str__(self):
            sys.exit(3)
        __repr__ = __str__

    class Incomparable:
        def __eq__(self, other):
            raise ValueError
        __hash__ = __bool__ = __len__ = __eq__
        def __str__(self):
            return "incomparable"

    class BrokenDict(dict):
        def items(self):
            raise ValueError
        __iter__ = __str__ = __repr__ = keys = items

    class BrokenMark(Mark):
        name = "BROKEN"
        def apply(self, seed_context, context_list):
            raise RuntimeError("the mark is broken")

    def broken(function):
        Mark.mark(function, BrokenMark())
        return function

    class BrokenError(Exception):
        def __str__(self):
            raise ValueError
        __repr__ = __str__

    class Service2(Service):
        def to_json(self):
            raise ValueError

    class InnocentTest(Test):
        @cluster(num_nodes=0)
        @matrix(number=list(range(10)))
        def test_innocent(self, number):
            return {"answer": number}

    class ValuesTest(Test):
        @cluster(num_nodes=0)
        @matrix(value=["\\u65e5\\u672c", "\\ud800", "a\\0b", "x" * 5000, "../../etc", "."])
        def test_texts(self, value):
            pass

        @cluster(num_nodes=0)
        @matrix(value=[10**5000, Wordless(), Numeric(), Leaving(), Incomparable(), BrokenDict(a=1), {"a": Wordless()}])
        def test_objects(self, value):
            pass

        @cluster(num_nodes=0)
        def test_\u65e5\u672c(self):
            pass

    class MarksTest(Test):
        @broken
        @cluster(num_nodes=0)
        def test_broken_mark(self):
            pass

        @cluster(num_nodes=10**9)
        def test_all_nodes_of_the_world(self):
            pass

    class EndsTest(Test):
        @cluster(num_nodes=0)
        @matrix(way=["descriptors", "directory", "results", "results_file", "session_file", "logging", "threads",
                     "stdout", "kill", "exit", "error", "base", "data", "nested", "cyclic", "skip", "service", "stacks",
                     "events", "arguments", "environment", "recursion", "handlers", "nonsense"])
        def test_way(self, way):
            here = os.path.join(self.test_context.results_dir(self.test_context, self.test_context.test_index))
            if way == "descriptors":
                os.closerange(0, 256)
            elif way == "directory":
                os.mkdir(os.path.join(here, "gone"))
                os.chdir(os.path.join(here, "gone"))
                os.rmdir(os.path.join(here, "gone"))
            elif way == "results":
                shutil.rmtree(here)
            elif way == "results_file":
                shutil.rmtree(here)
                open(here, "w").close()
            elif way == "session_file":
                open(os.path.join(os.path.dirname(here), "report.json"), "w").close()
            elif way == "logging":
                logging.shutdown()
                logging.disable(logging.CRITICAL)
                self.logger.handlers.clear()
            elif way == "threads":
                threading.excepthook = sys.excepthook = None
                threading.Thread(target=lambda: 1 / 0).start()
            elif way == "stdout":
                sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = None
            elif way == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            elif way == "exit":
                os._exit(0)
            elif way == "error":
                raise BrokenError
            elif way == "base":
                raise type("Ending", (BaseException,), {})
            elif way == "data":
                return "x" * 11_000_000
            elif way == "nested":
                data = []
                for _ in range(100_000):
                    data = [data]
                return data
            elif way == "cyclic":
                data = {}
                data["self"] = data
                return data
            elif way == "skip":
                raise Skip(Wordless())
            elif way == "service":
                Service2(self.test_context, 0).error = Wordless()
            elif way in ("stacks", "events"):
                name = {"stacks": "stacks.txt", "events": "events.json"}[way]
                if way == "stacks":
                    os.unlink(os.path.join(here, name))
                os.mkfifo(os.path.join(here, name))
                os.kill(os.getpid(), signal.SIGKILL)
            elif way == "arguments":
                self.test_context.injected_args.clear()
                self.test_context.injected_args[Wordless()] = Wordless()
            elif way == "environment":
                os.environ.clear()
            elif way == "recursion":
                sys.setrecursionlimit(60)
            elif way == "handlers":
                for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2):
                    signal.signal(number, signal.SIG_IGN)
            elif way == "nonsense":
                [mouth] = [each for each in gc.get_objects() if type(each).__name__ == "MessageWriter"]
                os.write(mouth._writer.fileno(), b'{"kind": "phase", "name": 5}\\\\n')
"""
_BROKEN_FILES = {
    "test_of_base": "raise type('Ending', (BaseException,), {})",
    "test_of_wordless": "raise type('E', (Exception,), {'__str__': lambda self: 5, '__repr__': lambda self: 5})",
    "test_of_exit": "import sys; sys.exit(4)",
}
PASSING = {
    *("arguments", "directory", "environment", "handlers", "logging", "recursion", "results", "results_file"),
    *("service", "session_file", "stdout"),
}


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_forty_hostile_tests_cost_ten_innocent_ones_nothing(tmp_path: Path, method: str) -> None:
    for name, text in _BROKEN_FILES.items():
        suite(tmp_path, text, name)
    surroundings = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "DUCKTAPE_START_METHOD": method}
    with finished(tmp_path, suite(tmp_path, SUITE), "--max-parallel", "4", extra=surroundings) as program:
        assert program.process.returncode == 1, program.output
        results = program.report["results"]
        statuses = {result["test_id"].removeprefix("suite.test_it."): result["test_status"] for result in results}
        assert len(statuses) == len(results) == 10 + 14 + 2 + 24 + 3
        assert [statuses[f"InnocentTest.test_innocent.number={number}"] for number in range(10)] == ["PASS"] * 10
        assert {name for name, status in statuses.items() if status == "PASS" and "way=" in name} == {
            f"EndsTest.test_way.way={way}" for way in PASSING
        }
        texts = {result["test_id"].removeprefix("suite.test_it."): result["summary"] for result in results}
        assert "@cluster(num_nodes=1000000000) makes no sense" in texts["MarksTest.test_all_nodes_of_the_world"]
        assert texts["MarksTest.test_broken_mark"] == "The marks of the test failed: RuntimeError: the mark is broken"
        assert program.survivors() == []
        directory = program.folder / "results" / "latest" / "ValuesTest" / "test_texts"
        assert "value=_u65e5_u672c" in {path.name for path in directory.iterdir()}
