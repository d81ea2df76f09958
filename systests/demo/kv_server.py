# SPDX-License-Identifier: Apache-2.0
"""A small replicated key-value server: one primary, any number of backups, everything in memory.

The primary acknowledges a write when all backups that are connected have it. Nobody watches over it: somebody has to
tell a backup that it is the primary now (the one with the most entries) and the others whom to follow.

Run it as ``python3 kv_server.py <config file>``. A connection carries JSON objects, one on each line::

    {"op": "put", "key": "a", "value": "1"}      {"ok": true, "seq": 17}
    {"op": "get", "key": "a"}                    {"ok": true, "value": "1"}
    {"op": "status"}                             {"ok": true, "role": "primary", "entries": 17, "backups": ["b"]}
    {"op": "dump"}                               {"ok": true, "data": {"a": "1"}}
    {"op": "promote"}                            {"ok": true, "entries": 17}
    {"op": "follow", "primary": "host:40001"}    {"ok": true}
    {"op": "replicate", "name": "b", "have": 0}  from here on: {"entries": [["a", "1"]]}, answered by {"have": 1}

What is refused is answered by ``{"ok": false, "error": "..."}``.
"""

from __future__ import annotations

import configparser
import json
import logging
import signal
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

RECONNECT_SEC = 0.05

log = logging.getLogger("kv_server")


class Refused(Exception):
    """A request that this server does not serve; the text is for the client."""


class Entry(NamedTuple):
    key: str
    value: str
    written: float


class Link:
    """A connected backup, as the primary sees it."""

    def __init__(self, name: str, have: int) -> None:
        self.name = name
        self.have = have
        self.broken = False


class Store:
    """What a server knows; every change wakes whoever waits on ``changed``."""

    def __init__(self, settings: configparser.SectionProxy) -> None:
        self.name = settings["name"]
        self.host = settings["host"]
        self.link_delay_sec = float(settings["link_delay_ms"]) / 1000
        self.ack_early = settings.getboolean("ack_early")
        self.primary: str | None = settings.get("primary")
        self.entries: list[Entry] = []
        self.data: dict[str, str] = {}
        self.links: list[Link] = []
        self.changed = threading.Condition()

    # ---- what clients ask for

    def put(self, key: str, value: str) -> dict[str, Any]:
        with self.changed:
            if self.primary is not None:
                raise Refused("this is not the primary")
            seq = self.append(key, value)
            if not self.ack_early:
                self.changed.wait_for(lambda: all(link.have >= seq for link in self.links))
        return {"seq": seq}

    def get(self, key: str) -> dict[str, Any]:
        with self.changed:
            return {"value": self.data.get(key)}

    def status(self) -> dict[str, Any]:
        with self.changed:
            return {
                "role": "primary" if self.primary is None else "backup",
                "entries": len(self.entries),
                "backups": [link.name for link in self.links],
            }

    def dump(self) -> dict[str, Any]:
        with self.changed:
            return {"data": dict(self.data)}

    def promote(self) -> dict[str, Any]:
        with self.changed:
            self.primary = None
            self.changed.notify_all()
            log.info("promoted to primary with %d entries", len(self.entries))
            return {"entries": len(self.entries)}

    def follow(self, primary: str) -> dict[str, Any]:
        with self.changed:
            self.primary = primary
            self.changed.notify_all()
        return {}

    # ---- the primary's side of replication

    def append(self, key: str, value: str) -> int:
        self.entries.append(Entry(key, value, time.monotonic()))
        self.data[key] = value
        self.changed.notify_all()
        return len(self.entries)

    def connect(self, name: str, have: int) -> Link:
        link = Link(name, have)
        with self.changed:
            if self.primary is not None:
                raise Refused("this is not the primary")
            if have > len(self.entries):
                raise Refused(f"{name} has {have} entries, the primary only {len(self.entries)}")
            self.links.append(link)
            log.info("backup %s is connected and has %d of %d entries", name, have, len(self.entries))
        return link

    def disconnect(self, link: Link) -> None:
        with self.changed:
            link.broken = True
            self.links.remove(link)
            self.changed.notify_all()
            log.info("backup %s is gone", link.name)

    def acknowledge(self, link: Link, have: int) -> None:
        with self.changed:
            link.have = have
            self.changed.notify_all()

    def due_entries(self, link: Link, sent: int) -> list[Entry]:
        """Wait until entries have been under way for as long as the link takes; empty when the link is broken."""
        with self.changed:
            self.changed.wait_for(lambda: link.broken or len(self.entries) > sent)
            while not link.broken:
                now = time.monotonic()
                due = [entry for entry in self.entries[sent:] if entry.written + self.link_delay_sec <= now]
                if due:
                    return due
                self.changed.wait(self.entries[sent].written + self.link_delay_sec - now)
        return []

    # ---- the backup's side of replication

    def follow_for_ever(self) -> None:
        said = ""
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.primary is not None)
                primary = self.primary
            assert primary is not None
            host, _, port = primary.rpartition(":")
            try:
                with socket.create_connection((host, int(port)), timeout=5) as connection:
                    said = ""
                    self.take_entries(connection, primary)
            except (OSError, ValueError) as error:
                if str(error) != said:
                    said = str(error)
                    log.info("cannot follow %s: %s", primary, said)
            time.sleep(RECONNECT_SEC)

    def take_entries(self, connection: socket.socket, primary: str) -> None:
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.changed:
            have = len(self.entries)
        send(connection, {"op": "replicate", "name": self.name, "have": have})
        for line in connection.makefile("r", encoding="utf-8"):
            message = json.loads(line)
            if "entries" not in message:
                raise ValueError(message.get("error"))
            with self.changed:
                if self.primary != primary:
                    return
                for key, value in message["entries"]:
                    self.append(key, value)
                have = len(self.entries)
            send(connection, {"have": have})
        log.info("lost the primary %s with %d entries", primary, have)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, store: Store, port: int) -> None:
        super().__init__((store.host, port), Connection)
        self.store = store

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.info("connection of %s ended: %s", client_address, sys.exc_info()[1])


class Connection(socketserver.BaseRequestHandler):
    server: Server

    def handle(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        store = self.server.store
        operations: dict[str, Callable[..., dict[str, Any]]] = {
            "put": store.put,
            "get": store.get,
            "status": store.status,
            "dump": store.dump,
            "promote": store.promote,
            "follow": store.follow,
        }
        lines = self.request.makefile("r", encoding="utf-8")
        for line in lines:
            request = json.loads(line)
            op = request.pop("op")
            try:
                if op == "replicate":
                    self.replicate(lines, store.connect(**request))
                    return
                if op not in operations:
                    raise Refused(f"there is no operation '{op}'")
                send(self.request, {"ok": True, **operations[op](**request)})
            except (Refused, TypeError) as error:
                send(self.request, {"ok": False, "error": str(error)})

    def replicate(self, lines: Any, link: Link) -> None:
        threading.Thread(target=self.send_entries, args=(link,), daemon=True).start()
        try:
            for line in lines:
                self.server.store.acknowledge(link, json.loads(line)["have"])
        finally:
            self.server.store.disconnect(link)

    def send_entries(self, link: Link) -> None:
        sent = link.have
        while entries := self.server.store.due_entries(link, sent):
            try:
                send(self.request, {"entries": [[entry.key, entry.value] for entry in entries]})
            except OSError:  # the reading side of this connection notices too, and cleans up
                return
            sent += len(entries)


def send(connection: socket.socket, message: dict[str, Any]) -> None:
    connection.sendall(json.dumps(message).encode() + b"\n")


def main() -> None:
    config = configparser.ConfigParser(interpolation=None)
    with open(sys.argv[1], encoding="utf-8") as file:
        config.read_file(file)
    settings = config["server"]
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    store = Store(settings)
    server = Server(store, int(settings["port"]))
    # Raised in the main thread, which is the one that serves
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    threading.Thread(target=store.follow_for_ever, daemon=True).start()
    host, port = server.server_address[:2]
    log.info("%s listening on %s:%d as %s", store.name, host, port, store.status()["role"])
    try:
        server.serve_forever()
    finally:
        log.info("stopped with %d entries", len(store.entries))


if __name__ == "__main__":
    main()
