# SPDX-License-Identifier: Apache-2.0
"""Run one `--collect-only` with whatever `ducktape` the interpreter has, and write down what it collected.

Called as `python listing.py <output file> module|script <arguments...>`; it uses public names only, so that one file
serves both programs. As `python listing.py serve` it imports the program once and forks for every line of standard
input, which is a request in JSON, and answers each with a line.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import traceback
from typing import Any


def _describe(test: Any) -> dict[str, Any]:
    return {
        "id": test.test_id,
        "text": str(test),
        "nodes": test.expected_num_nodes,
        "directory": type(test).results_dir(test, 1),
        "description": test.description,
    }


def main(output: str, mode: str, arguments: list[str]) -> None:
    # What the interpreter itself puts first: the working directory for `-m`, a directory of programs for a script.
    sys.path[:1] = [os.getcwd()] if mode == "module" else []
    sys.argv = ["ducktape", *arguments]
    from ducktape.command_line.main import main as ducktape_main
    from ducktape.tests.loader import TestLoader

    collected: list[Any] = []
    load = TestLoader.load

    def load_and_remember(self: Any, *args: Any, **kwargs: Any) -> Any:
        tests = load(self, *args, **kwargs)
        collected.extend(tests)
        return tests

    TestLoader.load = load_and_remember  # type: ignore[method-assign]
    said = io.StringIO()
    error = ""
    code = 0
    with contextlib.redirect_stdout(said):
        try:
            ducktape_main()
        except SystemExit as e:
            code = e.code if isinstance(e.code, int) else int(e.code is not None)
        except BaseException as e:
            code = 1
            error = type(e).__name__
            traceback.print_exc()
    lines = said.getvalue().splitlines()
    result = {
        "exit_code": code,
        "error": error,
        "failure": [line for line in lines if line.startswith(("Failed while", "parameters are"))],
        "listed": [line[4:] for line in lines if line.startswith("    <module=")],
        "count": [line for line in lines if line.startswith("Collected ")],
        "tests": [_describe(test) for test in collected],
    }
    with open(output, "w", encoding="utf-8") as file:
        json.dump(result, file)


def serve() -> None:
    import ducktape.command_line.main
    import ducktape.tests.loader  # noqa: F401

    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if not pid:
            with open(os.devnull) as nothing, open(request["stderr"], "w", encoding="utf-8") as said:
                os.dup2(nothing.fileno(), 0)
                os.dup2(said.fileno(), 2)
            os.chdir(request["folder"])
            os.environ.clear()
            os.environ.update(request["environment"])
            main(request["output"], request["mode"], request["arguments"])
            sys.stderr.flush()
            os._exit(0)
        os.waitpid(pid, 0)
        sys.stdout.write("done\n")
        sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    else:
        main(sys.argv[1], sys.argv[2], sys.argv[3:])
