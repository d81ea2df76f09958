# SPDX-License-Identifier: Apache-2.0
"""The part of an editor that debugs: a client of the Debug Adapter Protocol."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from types import TracebackType
from typing import Any

_LONGEST_WAIT_SEC = 30


class Editor:
    """A client that is connected to a debugger on this machine."""

    def __init__(self, port: int) -> None:
        self.thread = 0  # that has stopped
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_LONGEST_WAIT_SEC)
        self._stream = self._socket.makefile("rb")
        self._seq = 0
        self._events: list[dict[str, Any]] = []
        self._responses: dict[int, dict[str, Any]] = {}

    def __enter__(self) -> Editor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stream.close()
        self._socket.close()

    def attach(self, breakpoints: Mapping[str, list[int]]) -> None:
        """Attach like an editor whose user has set breakpoints: lines by paths."""
        self.request("initialize", adapterID="editor", pathFormat="path", linesStartAt1=True)
        attached = self._send("attach", {"justMyCode": False})
        self._event("initialized")
        for path, lines in breakpoints.items():
            self.request("setBreakpoints", source={"path": path}, breakpoints=[{"line": line} for line in lines])
        self.request("configurationDone")
        self._response(attached)

    def stopped(self) -> int:
        """Wait until the program stops, and return the line."""
        self.thread = self._event("stopped")["threadId"]
        return int(self._frame()["line"])

    def set_variable(self, name: str, value: str) -> None:
        """Set a local variable of the thread that has stopped."""
        [scope, *_] = self.request("scopes", frameId=self._frame()["id"])["scopes"]
        self.request("setVariable", variablesReference=scope["variablesReference"], name=name, value=value)

    def request(self, command: str, **arguments: object) -> dict[str, Any]:
        """Send a request and return the body of its response."""
        return self._response(self._send(command, arguments))

    def _frame(self) -> dict[str, Any]:
        frame: dict[str, Any] = self.request("stackTrace", threadId=self.thread)["stackFrames"][0]
        return frame

    def _send(self, command: str, arguments: Mapping[str, object]) -> int:
        self._seq += 1
        request = {"seq": self._seq, "type": "request", "command": command, "arguments": arguments}
        content = json.dumps(request).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(content), content))
        return self._seq

    def _response(self, seq: int) -> dict[str, Any]:
        while seq not in self._responses:
            self._receive()
        message = self._responses.pop(seq)
        assert message["success"], message
        body: dict[str, Any] = message.get("body") or {}
        return body

    def _event(self, name: str) -> dict[str, Any]:
        while not (found := [event for event in self._events if event["event"] == name]):
            self._receive()
        self._events.remove(found[0])
        body: dict[str, Any] = found[0].get("body") or {}
        return body

    def _receive(self) -> None:
        header = self._stream.readline()
        if not header:
            raise EOFError("the debugger has closed the connection")
        self._stream.readline()
        message = json.loads(self._stream.read(int(header.split(b":")[1])))
        if message["type"] == "event":
            self._events.append(message)
        elif message["type"] == "response":
            self._responses[message["request_seq"]] = message
