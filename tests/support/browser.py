# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium that tests drive over the DevTools protocol: pages from files, keys, scripts, console messages.

The protocol goes over two pipes, so that no port is opened. Whatever is not a file is unreachable for the pages.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"),
    *("--remote-debugging-pipe", "--host-resolver-rules=MAP * ~NOTFOUND"),
)
_PATIENCE = 60
_CODES = {"Backspace": 8, "Enter": 13, "Escape": 27, "Tab": 9, " ": 32}
_TEXTS = {"Enter": "\r", "Escape": "", "Tab": "", "Backspace": ""}


class Browser:
    """The process; it ends with the ``with`` block of :func:`browser`."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands = commands
        self._answers = answers
        self._number = 0
        self._unread = b""
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, **parameters: object) -> Any:
        """Return what the browser answers to a command."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        encoded = json.dumps(message if session is None else message | {"sessionId": session}).encode() + b"\0"
        while encoded:
            encoded = encoded[os.write(self._commands, encoded) :]
        while (answer := self.read()).get("id") != self._number:
            self.events.append(answer)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def read(self) -> dict[str, Any]:
        """Return the next answer or event."""
        deadline = time.monotonic() + _PATIENCE
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._answers], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            received = os.read(self._answers, 1 << 20)
            assert received, "the browser has ended"
            self._unread += received
        message, _, self._unread = self._unread.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    @contextlib.contextmanager
    def page(self, file: Path, fragment: str = "", width: int = 1400, height: int = 900) -> Iterator[Page]:
        """Open a file in a tab that is closed at the end."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        page.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        page.open(f"{file.as_uri()}{fragment}")
        yield page
        self.call("Target.closeTarget", targetId=target)


class Page:
    """One tab."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session

    def call(self, method: str, **parameters: object) -> Any:
        """Return what this tab answers to a command."""
        return self._browser.call(method, self._session, **parameters)

    def open(self, url: str) -> None:
        """Load a page and wait until it is complete."""
        self._browser.events = [event for event in self._browser.events if event.get("sessionId") != self._session]
        self.call("Page.navigate", url=url)
        while "Page.loadEventFired" not in {event["method"] for event in self.events()}:
            self._browser.events.append(self._browser.read())

    def events(self) -> list[dict[str, Any]]:
        """Return what has happened in the tab since its page was opened."""
        return [event for event in self._browser.events if event.get("sessionId") == self._session]

    def messages(self) -> list[str]:
        """Return what the console shows: errors, warnings and uncaught exceptions too."""
        self.call("Runtime.evaluate", expression="0")
        wanted = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [json.dumps(event["params"]) for event in self.events() if event["method"] in wanted]

    def requests(self) -> list[str]:
        """Return the addresses that the page asked for."""
        found = [event for event in self.events() if event["method"] == "Network.requestWillBeSent"]
        return [str(event["params"]["request"]["url"]) for event in found]

    def run(self, script: str) -> Any:
        """Return what the body of an asynchronous function returns, by way of JSON."""
        answer = self.call(
            "Runtime.evaluate", expression=f"(async () => {{ {script} }})()", awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, *keys: str) -> None:
        """Press keys one after the other: letters, or names such as ``Enter``."""
        for key in keys:
            code = _CODES.get(key, ord(key[0].upper()))
            pressed = {"key": key, "windowsVirtualKeyCode": code}
            text = _TEXTS.get(key, key)
            self.call("Input.dispatchKeyEvent", type="keyDown", **pressed, **({"text": text} if text else {}))
            self.call("Input.dispatchKeyEvent", type="keyUp", **pressed)


@contextlib.contextmanager
def browser(*options: str) -> Iterator[Browser]:
    """Start a browser of its own, with a profile that is removed at the end."""
    assert CHROMIUM is not None
    # Its sockets need short paths
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory, contextlib.ExitStack() as ends:
        commands_in, commands = os.pipe()
        answers, answers_out = os.pipe()
        for end in (commands, answers):
            ends.callback(os.close, end)
        # The program expects its commands at descriptor 3 and answers at 4, where this process may have other files
        moved = f'exec "$@" 3<&{commands_in} 4>&{answers_out}'
        process = subprocess.Popen(
            ["bash", "-c", moved, "bash", CHROMIUM, *_OPTIONS, *options, f"--user-data-dir={directory}/profile"],
            pass_fds=(commands_in, answers_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": directory},
        )
        os.close(commands_in)
        os.close(answers_out)
        try:
            started = Browser(commands, answers)
            yield started
            started.call("Browser.close")
        finally:
            process.kill()
            process.wait()
