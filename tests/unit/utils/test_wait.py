# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import functools
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.localhost import LocalhostCluster
from ducktape.errors import TimeoutError as NotInTime
from ducktape.utils.wait import (
    Condition,
    NotReadyError,
    all_of,
    any_of,
    command,
    condition,
    http,
    log,
    port,
    wait_for,
)

SHORT = "400ms"


class Pages(BaseHTTPRequestHandler):
    """Answers what the server's attribute ``answer`` says: status and body."""

    def do_GET(self) -> None:
        server: Any = self.server
        server.asked.append((self.command, self.path, self.headers.get("X-Name")))
        status, body = server.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the base class asks for this name

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Any]:
    made: Any = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    made.answer = (200, b"ok")
    made.asked = []
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def node() -> Iterator[ClusterNode]:
    cluster = LocalhostCluster(num_nodes=1)
    [node] = cluster.alloc(ClusterSpec.simple_linux(1))
    node.account.externally_routable_ip = "127.0.0.1"
    yield node
    cluster.free(node)


@contextlib.contextmanager
def listening(*, backlog: int = 8) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as listener:
        yield listener.getsockname()[1]


def free_port() -> int:
    with listening() as number:
        return number


def message_of(waited_for: Condition, timeout: str = SHORT, **more: Any) -> str:
    """What is told when the condition does not hold in time."""
    with pytest.raises(NotReadyError) as caught:
        wait_for(waited_for, timeout, **more)
    return str(caught.value)


# --- ports


def test_a_port_that_is_open_is_found_at_the_address_of_the_node(node: ClusterNode) -> None:
    with listening() as number:
        wait_for(port(node, number), "10s")
        port(node.account, number).wait("10s")
        port("127.0.0.1", number).wait(10)


def test_a_port_is_waited_for(node: ClusterNode) -> None:
    number = free_port()
    opened = threading.Event()

    def open_it() -> None:
        with socket.create_server(("127.0.0.1", number)):
            opened.wait(20)

    thread = threading.Thread(target=open_it)
    later = threading.Timer(0.3, thread.start)
    later.start()
    began = time.monotonic()
    try:
        wait_for(port(node, number), "15s", poll="20ms")
        assert 0.25 < time.monotonic() - began < 10
    finally:
        opened.set()
        later.join()
        thread.join()


def test_a_closed_port_is_told_with_its_address(node: ClusterNode) -> None:
    number = free_port()
    told = message_of(port(node, number))
    assert re.fullmatch(
        rf"Not ready after 0\.4 s: port {number} of localhost0\n"
        rf"no  port {number} of localhost0: 127\.0\.0\.1:{number}: Connection refused \(asked \d times\)",
        told,
    )


def test_a_closed_port_can_be_waited_for(node: ClusterNode) -> None:
    wait_for(~port(node, free_port()), "10s")
    with listening() as number:
        told = message_of(~port(node, number))
    assert told.startswith(f"Not ready after 0.4 s: ~port {number} of localhost0\nyes port {number} of localhost0: ")


def test_an_address_that_means_nothing_is_neither_open_nor_closed() -> None:
    nowhere = port("no.such.host.invalid", 80)
    for each in (nowhere, ~nowhere):
        assert "\n?   port 80 of no.such.host.invalid: " in message_of(each, "2s")


def test_a_port_is_reached_from_another_node(node: ClusterNode) -> None:
    with listening() as number:
        wait_for(port(node, number, from_node=node), "10s")
    closed = free_port()
    told = message_of(port(node, closed, from_node=node), "3s")
    expected = (
        f"no  port {closed} of localhost0 from localhost0: 127.0.0.1:{closed} from localhost0: Connection refused"
    )
    assert expected in told


def test_a_name_that_the_other_node_does_not_know_is_told(node: ClusterNode) -> None:
    told = message_of(port("no.such.host.invalid", 80, from_node=node), "3s")
    assert "\n?   port 80 of no.such.host.invalid from localhost0: " in told


@pytest.mark.parametrize("number", [0, -1, 65536])
def test_a_port_has_a_number_that_can_be(number: int) -> None:
    with pytest.raises(ValueError, match=f"{number} is not the number of a port"):
        port("localhost", number)


# --- HTTP


def test_a_page_is_asked_for(server: Any, node: ClusterNode) -> None:
    wait_for(http(node, server.server_port, "/health?full=1", headers={"X-Name": "me"}), "10s")
    wait_for(http(f"http://127.0.0.1:{server.server_port}", method="POST"), "10s")
    assert server.asked == [("GET", "/health?full=1", "me"), ("POST", "/", None)]


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        ({"status": 503}, True),
        ({"status": 200}, False),
        ({"status": (200, 503)}, True),
        ({"status": range(500, 600)}, True),
        ({"status": None}, True),
        ({"status": None, "body": "(?i)STARTING"}, True),
        ({"status": None, "body": "^up"}, False),
        ({"status": None, "body": lambda text: text.endswith("up")}, True),
    ],
)
def test_status_and_body_are_looked_at(server: Any, wanted: dict[str, Any], holds: bool) -> None:
    server.answer = (503, b"starting up")
    page = http(f"http://127.0.0.1:{server.server_port}/", **wanted)
    if holds:
        page.wait("10s")
        return
    assert re.search(r"no  GET http://127\.0\.0\.1:\d+/: status 503 Service Unavailable, body 'st", message_of(page))


def test_a_redirection_is_an_answer_like_any_other(server: Any) -> None:
    server.answer = (302, b"")
    http(f"http://127.0.0.1:{server.server_port}/", status=302).wait("10s")
    assert [path for _, path, _ in server.asked] == ["/"]


def test_a_proxy_of_the_environment_is_not_asked(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    http(f"http://127.0.0.1:{server.server_port}/").wait("10s")


def test_a_server_that_speaks_something_else_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def speak() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(4096)
                        connection.sendall(b"220 mail.example.org\r\n")

        threading.Thread(target=speak, daemon=True).start()
        told = message_of(http(f"http://127.0.0.1:{listener.getsockname()[1]}/"))
        listener.shutdown(socket.SHUT_RDWR)
    assert "no answer of HTTP: BadStatusLine: 220 mail.example.org" in told


def test_a_server_that_says_nothing_is_asked_again_and_costs_no_more_than_the_time() -> None:
    with listening() as number:
        began = time.monotonic()
        told = message_of(http(f"http://127.0.0.1:{number}/", attempt="200ms"), "1s")
        assert time.monotonic() - began < 3
    assert re.search(r": no answer \(asked [2-9] times\)", told)


def test_a_body_that_never_ends_costs_no_more_than_an_attempt() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gone = threading.Event()

        def drip() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                while not gone.wait(0.05):
                    connection.sendall(b".")

        thread = threading.Thread(target=drip)
        thread.start()
        told = message_of(http(f"http://127.0.0.1:{listener.getsockname()[1]}/", attempt="300ms"), "800ms")
        gone.set()
        thread.join()
    assert ": no answer" in told


def test_a_login_in_an_address_is_not_told() -> None:
    assert str(http("http://me:N0tT0BeSeen@localhost/x")) == "GET http://localhost/x"
    with pytest.raises(ValueError, match=r"^http://localhost/ is a complete URL: port and path must be part of it$"):
        http("http://me:N0tT0BeSeen@localhost/", port=80)
    assert "N0tT0BeSeen" not in repr(http("http://localhost/", headers={"Authorization": "N0tT0BeSeen"}))


def test_a_node_is_asked_with_tls_if_its_means_are_given(node: ClusterNode) -> None:
    account = node.account
    assert str(http(node, 8443, "health", ssl_context=ssl.create_default_context())) == (
        "GET https://127.0.0.1:8443/health"
    )
    account.externally_routable_ip = "fd00::1"
    assert str(http(node, 80)) == "GET http://[fd00::1]:80/"


@pytest.mark.parametrize("url", ["localhost:80", "ftp://localhost/", "http://", "http://localhost:99999/"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"is not an address|Port out of range"):
        http(url)


# --- commands


@pytest.mark.parametrize(
    ("cmd", "wanted"),
    [
        ("true", {}),
        ("exit 3", {"status": 3}),
        ("exit 3", {"status": {1, 3}}),
        ("echo one; echo two", {"output": "^two$"}),
        ("echo wrong >&2; exit 1", {"status": None, "output": "wrong"}),
        ("echo 17", {"output": lambda text: int(text) > 10}),
        ("kill -9 $$", {"status": -1}),
    ],
)
def test_a_command_ends_as_wanted(node: ClusterNode, cmd: str, wanted: dict[str, Any]) -> None:
    command(node, cmd, **wanted).wait("10s")


def test_status_and_output_of_a_command_are_told(node: ClusterNode) -> None:
    told = message_of(command(node, "echo not yet; exit 4"), "2s", err_msg="the ensemble has no leader")
    assert re.fullmatch(
        r"the ensemble has no leader: not ready after 2 s: command 'echo not yet; exit 4' on localhost0\n"
        r"no  command 'echo not yet; exit 4' on localhost0: status 4, output 'not yet' \(asked \d+ times\)",
        told,
    )


def test_a_command_that_hangs_costs_no_more_than_the_time(node: ClusterNode) -> None:
    began = time.monotonic()
    told = message_of(command(node, "sleep 30.5"), "1500ms")
    assert 1.4 < time.monotonic() - began < 4
    assert re.search(r"\n\?   command 'sleep 30.5' on localhost0: no answer since 1\.\d s \(asked once\)$", told)


def test_a_command_that_never_stops_talking_costs_no_more_than_an_attempt(node: ClusterNode) -> None:
    told = message_of(command(node, "while sleep 0.05; do echo talk; done", attempt="300ms"), "1s")
    assert "TimeoutError: it does not end" in told


def test_a_command_that_cannot_be_run_is_neither_true_nor_false(node: ClusterNode) -> None:
    class Unreachable:
        hostname = "gone"

        def ssh_capture(self, cmd: str, **kwargs: Any) -> Iterator[str]:
            raise OSError("no route to host")

    for each in (command(Unreachable(), "true"), ~command(Unreachable(), "true")):
        with pytest.raises(NotReadyError) as caught:
            each.wait(SHORT)
        assert isinstance(caught.value.__cause__, OSError)
        assert "\n?   command 'true' on gone: OSError: no route to host (asked " in str(caught.value)


def test_the_status_of_a_command_may_come_with_any_error() -> None:
    class FailedError(Exception):
        exit_status = 3

    class Elsewhere:
        hostname = "elsewhere"

        def ssh_capture(self, cmd: str, **kwargs: Any) -> Iterator[str]:
            yield "out\n"
            raise FailedError(cmd)

    command(Elsewhere(), "test", status=3, output="out").wait(SHORT)
    (~command(Elsewhere(), "test")).wait(SHORT)


# --- functions and several


def test_a_function_is_a_condition() -> None:
    answers = iter([0, None, "", "here"])
    condition(lambda: next(answers), "something is there").wait("10s", poll="1ms")
    assert next(answers, "all are used") == "all are used"


def test_a_condition_that_held_for_one_answer_held() -> None:
    # The next answer often comes before the waiting thread wakes up
    for _ in range(200):
        answers = iter([True])
        condition(functools.partial(next, answers), "once").wait("1s", poll=1e-6)


def test_what_a_function_returned_or_raised_is_told() -> None:
    assert "\nno  leaders: it returned [] (asked " in message_of(condition(list, "leaders"))

    def leader() -> int:
        raise ZeroDivisionError("nobody")

    with pytest.raises(NotReadyError) as caught:
        condition(leader).wait(SHORT)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert ".leader: ZeroDivisionError: nobody (asked " in str(caught.value)


def test_all_or_any_of_several() -> None:
    with listening() as first, listening() as second:
        ports = [port("127.0.0.1", first), port("127.0.0.1", second), port("127.0.0.1", free_port())]
        all_of(ports[:2]).wait("10s")
        any_of(reversed(ports)).wait("10s")
        told = message_of(all_of(ports))
    assert [line[:4] for line in told.splitlines()] == ["Not ", "yes ", "yes ", "no  "]
    for several in (all_of, any_of):
        with pytest.raises(ValueError, match="there is no condition to wait for"):
            several([])


def test_the_error_has_every_answer_and_the_end_of_the_log(server: Any, node: ClusterNode, tmp_path: Path) -> None:
    server.answer = (503, b"starting")
    path = tmp_path / "server.log"
    path.write_text("".join(f"line {number}\n" for number in range(1, 31)) + "Address already in use\n")
    closed = free_port()
    ready = (
        port(node, closed)
        & log(node, str(path), "^ready")
        & log(node, str(path), "line 1$")
        & http(node, server.server_port)
    )
    with pytest.raises(NotInTime) as caught:
        wait_for(ready, "3s", err_msg="server 1")
    error = caught.value
    assert isinstance(error, NotReadyError)
    assert (error.timeout_sec, [each.answer and each.answer.holds for each in error.standings]) == (
        3.0,
        [False, False, True, False],
    )
    tail = "\n".join(f"    | line {number}" for number in range(12, 31)) + "\n    | Address already in use\n"
    parts = re.sub(r" \(asked \d+ times\)", "", str(error))
    assert parts == (
        f"server 1: not ready after 3 s: port {closed} of localhost0 & log {path} of localhost0 has '^ready' & "
        f"log {path} of localhost0 has 'line 1$' & GET http://127.0.0.1:{server.server_port}/\n"
        f"no  port {closed} of localhost0: 127.0.0.1:{closed}: Connection refused\n"
        f"no  log {path} of localhost0 has '^ready': no line matches\n{tail}"
        f"yes log {path} of localhost0 has 'line 1$': has the line 'line 1'\n{tail}"
        f"no  GET http://127.0.0.1:{server.server_port}/: status 503 Service Unavailable, body 'starting'"
    )
