# SPDX-License-Identifier: Apache-2.0
"""EC2 on this machine: moto's server, and before it a front that gives Windows machines a password.

Passwords that moto gives are random text, not encrypted with the key of the machine.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import moto.server
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

_REGION = "eu-west-1"
_IMAGE = "ami-03cf127a"
_PASSWORD_DATA = re.compile(rb"<passwordData>.*?</passwordData>", re.DOTALL)
_NOT_FORWARDED = ("host", "content-length", "connection", "accept-encoding")


@dataclass
class Ec2:
    """The service; its machines were started with keys that it made.

    Attributes:
        url: of the front.
        password_data: encrypted password of each machine by its id; empty as long as it has none.
    """

    url: str = ""
    password_data: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Variables that lead every client here."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": _REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.0/8,localhost",
        }

    def start_machine(self, password: str) -> tuple[str, str]:
        """Start a machine.

        Args:
            password: of its administrator; empty for a machine that has none yet.

        Returns:
            Its id, and the private key as text.
        """
        client: Any = boto3.client(
            "ec2",
            endpoint_url=self.url,
            region_name=_REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        pem: str = client.create_key_pair(KeyName=f"key-{len(self.password_data)}", KeyType="rsa")["KeyMaterial"]
        answer = client.run_instances(
            ImageId=_IMAGE, MinCount=1, MaxCount=1, KeyName=f"key-{len(self.password_data)}", InstanceType="t3.small"
        )
        instance_id: str = answer["Instances"][0]["InstanceId"]
        self.password_data[instance_id] = encrypted(password, pem) if password else ""
        return instance_id, pem


def encrypted(password: str, pem: str) -> str:
    """A password as EC2 gives it out: encrypted for the owner of a key, in base 64."""
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return base64.b64encode(key.public_key().encrypt(password.encode(), padding.PKCS1v15())).decode()


@contextlib.contextmanager
def running_ec2() -> Iterator[Ec2]:
    """The service, as long as the block lasts."""
    # It tells of each request otherwise
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    behind = moto.server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    behind.start()
    try:
        host, port = behind.get_host_and_port()
        with _front(f"http://{host}:{port}") as ec2:
            yield ec2
    finally:
        behind.stop()


@contextlib.contextmanager
def _front(target: str) -> Iterator[Ec2]:
    ec2 = Ec2()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = _forward(target + self.path, dict(self.headers.items()), body)
            asked = urllib.parse.parse_qs(body.decode())
            if status == 200 and asked.get("Action") == ["GetPasswordData"]:
                data = ec2.password_data[asked["InstanceId"][0]]
                answer = _PASSWORD_DATA.sub(f"<passwordData>{data}</passwordData>".encode(), answer)
            self.send_response(status)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    ec2.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield ec2
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _forward(url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    kept = {name: value for name, value in headers.items() if name.lower() not in _NOT_FORWARDED}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, body, kept), timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
