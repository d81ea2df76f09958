# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.error import HTTPError, URLError

import pytest

from ducktape.utils.http_utils import HttpMixin


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked; the path ``/broken`` is an error."""

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(500 if self.path == "/broken" else 200)
        self.end_headers()
        self.wfile.write(f"{self.command} {self.path} {self.headers.get('X-Test')} ".encode() + body)

    do_GET = do_POST = do_PURGE = answer  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("prefix", "method", "kwargs", "expected"),
    [
        ("", "GET", {}, b"GET /x None "),
        ("http://", "GET", {"headers": None}, b"GET /x None "),
        ("HTTP://", "POST", {"data": "ä", "headers": {"X-Test": "1"}}, "POST /x 1 ä".encode()),
        ("", "POST", {"data": b"\xff"}, b"POST /x None \xff"),
        ("", "PURGE", {"timeout": 10}, b"PURGE /x None "),
    ],
)
def test_requests_are_sent(address: str, prefix: str, method: str, kwargs: dict[str, Any], expected: bytes) -> None:
    with HttpMixin().http_request(f"{prefix}{address}/x", method, **kwargs) as response:
        assert (response.status, response.read()) == (200, expected)


def test_an_error_status_raises(address: str) -> None:
    with pytest.raises(HTTPError) as raised:
        HttpMixin().http_request(f"{address}/broken", "GET")
    with raised.value as error:
        assert (error.code, error.read()) == (500, b"GET /broken None ")


def test_https_stays_https(address: str) -> None:
    with pytest.raises(URLError, match=r"(?i)ssl"):
        HttpMixin().http_request(f"https://{address}/", "GET", timeout=10)


def test_requests_are_logged_without_credentials(address: str, caplog: pytest.LogCaptureFixture) -> None:
    class Owner(HttpMixin):
        logger = logging.getLogger("test_http_utils")

    caplog.set_level(logging.DEBUG, logger="test_http_utils")
    headers = {"X-Test": "1", "authorization": "Basic secret"}
    Owner().http_request(f"{address}/x", "POST", "body", headers).close()
    assert caplog.messages == [
        f"Sending http request. Url: http://{address}/x, Data: body, Headers: {{'X-Test': '1', 'authorization': '***'}}"
    ]
