# SPDX-License-Identifier: Apache-2.0
"""A small WinRM service: SOAP over HTTP with basic authentication; its commands run in the shell of this machine."""

from __future__ import annotations

import base64
import contextlib
import queue
import subprocess
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import IO, Any
from xml.etree import ElementTree

# Clients that are given a host name alone ask here
PORT = 5985

_SOAP = "http://www.w3.org/2003/05/soap-envelope"
_ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
_MANAGEMENT = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
_SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
_TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
_FAULT = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"

# Nothing came in time: clients ask again
_OPERATION_TIMEOUT = 2150858793
_INVALID_SELECTORS = 2150858843
# A real service waits as long as the client allows; so short a time lets slow commands show that clients ask again
_LONGEST_WAIT_SEC = 0.2


class _Fault(Exception):
    """Is told to the client.

    Args:
        code: of Windows.
        reason: for people.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class _Command:
    """A running command and what it has written."""

    def __init__(self, line: str) -> None:
        self.process = subprocess.Popen(
            line, shell=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.output: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._open = 2
        for name, pipe in (("stdout", self.process.stdout), ("stderr", self.process.stderr)):
            assert pipe is not None
            threading.Thread(target=self._read, args=(name, pipe), daemon=True).start()

    def _read(self, name: str, pipe: IO[bytes]) -> None:
        with pipe:
            while chunk := pipe.read1(4096):  # type: ignore[attr-defined]  # pipes of processes are buffered readers
                self.output.put((name, chunk))
        self.output.put((name, b""))

    def next_output(self) -> tuple[str, bytes] | None:
        """The next piece of output; ``None`` at the end of both streams."""
        while self._open:
            try:
                name, chunk = self.output.get(timeout=_LONGEST_WAIT_SEC)
            except queue.Empty:
                raise _Fault(_OPERATION_TIMEOUT, "The operation timed out.") from None
            if chunk:
                return name, chunk
            self._open -= 1
        return None

    def end(self) -> None:
        """Terminate it if it still runs."""
        self.process.kill()
        self.process.wait()


@dataclass
class WinrmServer:
    """The service.

    Args:
        address: to listen on, at the usual port.
        user: who may log in.
        password: with what.

    Attributes:
        shells: open shells with their commands.
        operations: what was asked for, in order.
    """

    address: str
    user: str
    password: str
    shells: dict[str, dict[str, _Command]] = field(default_factory=dict)
    operations: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def running(self) -> Iterator[WinrmServer]:
        """Serve as long as the block lasts.

        Raises:
            OSError: address and port cannot be had.
        """
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                request = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = service._answer(self.path, self.headers.get("Authorization", ""), request)
                self.send_response(status)
                if status == 401:
                    self.send_header("WWW-Authenticate", 'Basic realm="WSMAN"')
                self.send_header("Content-Type", "application/soap+xml;charset=UTF-8")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        server = ThreadingHTTPServer((self.address, PORT), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
            for commands in self.shells.values():
                for command in commands.values():
                    command.end()

    def _answer(self, path: str, authorization: str, request: bytes) -> tuple[int, bytes]:
        expected = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        if path != "/wsman" or authorization != f"Basic {expected}":
            return 401, b""
        envelope = ElementTree.fromstring(request)
        action = _text(envelope, f".//{{{_ADDRESSING}}}Action")
        message_id = _text(envelope, f".//{{{_ADDRESSING}}}MessageID")
        operation = action.rpartition("/")[2]
        self.operations.append(operation)
        try:
            body = self._perform(operation, envelope)
        except _Fault as fault:
            return 500, _fault(fault, message_id)
        return 200, _envelope(f"{action}Response", message_id, body)

    def _perform(self, operation: str, envelope: ElementTree.Element) -> str:
        if operation == "Create":
            return self._create()
        shell_id = _text(envelope, f".//{{{_MANAGEMENT}}}Selector[@Name='ShellId']")
        if shell_id not in self.shells:
            raise _Fault(_INVALID_SELECTORS, f"There is no shell {shell_id}.")
        if operation == "Delete":
            for command in self.shells.pop(shell_id).values():
                command.end()
            return ""
        commands = self.shells[shell_id]
        if operation == "Command":
            command_id = str(uuid.uuid4()).upper()
            commands[command_id] = _Command(_text(envelope, f".//{{{_SHELL}}}Command"))
            return f"<rsp:CommandResponse><rsp:CommandId>{command_id}</rsp:CommandId></rsp:CommandResponse>"
        if operation == "Receive":
            command_id = _attribute(envelope, f".//{{{_SHELL}}}DesiredStream", "CommandId")
            return _receive(command_id, commands[command_id])
        if operation == "Signal":
            commands[_attribute(envelope, f".//{{{_SHELL}}}Signal", "CommandId")].end()
            return "<rsp:SignalResponse/>"
        raise _Fault(0, f"unknown operation {operation}")

    def _create(self) -> str:
        shell_id = str(uuid.uuid4()).upper()
        self.shells[shell_id] = {}
        return (
            "<x:ResourceCreated><a:ReferenceParameters><w:SelectorSet>"
            f'<w:Selector Name="ShellId">{shell_id}</w:Selector>'
            "</w:SelectorSet></a:ReferenceParameters></x:ResourceCreated>"
            f"<rsp:Shell><rsp:ShellId>{shell_id}</rsp:ShellId></rsp:Shell>"
        )


def _receive(command_id: str, command: _Command) -> str:
    piece = command.next_output()
    if piece is None:
        state = (
            f'<rsp:CommandState CommandId="{command_id}" State="{_SHELL}/CommandState/Done">'
            f"<rsp:ExitCode>{command.process.wait()}</rsp:ExitCode></rsp:CommandState>"
        )
        ends = "".join(
            f'<rsp:Stream Name="{name}" CommandId="{command_id}" End="true"/>' for name in ("stdout", "stderr")
        )
        return f"<rsp:ReceiveResponse>{ends}{state}</rsp:ReceiveResponse>"
    name, chunk = piece
    return (
        f'<rsp:ReceiveResponse><rsp:Stream Name="{name}" CommandId="{command_id}">'
        f"{base64.b64encode(chunk).decode()}</rsp:Stream>"
        f'<rsp:CommandState CommandId="{command_id}" State="{_SHELL}/CommandState/Running"/>'
        "</rsp:ReceiveResponse>"
    )


def _envelope(action: str, message_id: str, body: str) -> bytes:
    return (
        f'<s:Envelope xmlns:s="{_SOAP}" xmlns:a="{_ADDRESSING}" xmlns:w="{_MANAGEMENT}" xmlns:x="{_TRANSFER}" '
        f'xmlns:rsp="{_SHELL}" xmlns:f="{_FAULT}"><s:Header><a:Action>{action}</a:Action>'
        f"<a:MessageID>uuid:{uuid.uuid4()}</a:MessageID><a:RelatesTo>{message_id}</a:RelatesTo></s:Header>"
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def _fault(fault: _Fault, message_id: str) -> bytes:
    body = (
        "<s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code>"
        f'<s:Reason><s:Text xml:lang="en-US">{fault}</s:Text></s:Reason>'
        f'<s:Detail><f:WSManFault Code="{fault.code}"><f:Message>{fault}</f:Message></f:WSManFault></s:Detail>'
        "</s:Fault>"
    )
    return _envelope(f"{_ADDRESSING}/fault", message_id, body)


def _text(envelope: ElementTree.Element, path: str) -> str:
    return envelope.findtext(path, default="").strip()


def _attribute(envelope: ElementTree.Element, path: str, name: str) -> str:
    found = envelope.find(path)
    return "" if found is None else found.get(name, "")
