# SPDX-License-Identifier: Apache-2.0
"""Delays packets without the kernel's netem: a small program holds them in a queue of the firewall.

Received packets are delayed. Sent ones could be, too, but the kernel's TCP allows itself about two packets in a queue,
so connections would be throttled. Round trips take the same time.

The program needs only Python 3 on the machine. The rules let packets pass when it is not running, so its death ends
the delay. It is self-contained because this package is not installed there.
"""

from __future__ import annotations

from ducktape.faults.engine.action import Action, refusing
from ducktape.faults.engine.firewall import undo_chain
from ducktape.faults.engine.host import Host
from ducktape.faults.errors import FaultUnavailable

PROGRAM = r"""
import collections, os, random, select, socket, struct, sys, time

queue, delay, jitter, folder = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
ACCEPT, BIND, COPY_META, FAIL_OPEN_AND_WHOLE = 1, 1, 1, 5
CONFIGURE, VERDICT = 3 << 8 | 2, 3 << 8 | 1
REQUEST, WITH_ANSWER = 1, 5

kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
kernel.bind((0, 0))
for size in (8 << 20, 1 << 20):
    try:
        kernel.setsockopt(socket.SOL_SOCKET, 33, size)  # SO_RCVBUFFORCE
        break
    except OSError:
        pass


def attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


def send(message, flags, body):
    head = struct.pack(">BBH", 0, 0, queue)
    kernel.send(struct.pack("=IHHII", 20 + len(body), message, flags, 0, 0) + head + body)


def configure(body):
    send(CONFIGURE, WITH_ANSWER, body)
    answer = kernel.recv(65536)
    if struct.unpack_from("=H", answer, 4)[0] == 2:
        code = -struct.unpack_from("=i", answer, 16)[0]
        if code:
            raise OSError(code, os.strerror(code))


configure(attribute(1, struct.pack(">BBH", BIND, 0, 0)))
configure(attribute(2, struct.pack(">IB", 0, COPY_META)))
configure(attribute(3, struct.pack(">I", 20000)))
flags = struct.pack(">I", FAIL_OPEN_AND_WHOLE)
try:
    configure(attribute(5, flags) + attribute(4, flags))
except OSError:
    pass
open(folder + "/ready", "w").close()

waiting, last, looked = collections.deque(), 0.0, 0.0
kernel.setblocking(False)


def take(data):
    global last
    now, start = time.monotonic(), 0
    while start + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, start)
        if kind == 3 << 8:
            offset = start + 20
            while offset + 4 <= start + length:
                size, name = struct.unpack_from("=HH", data, offset)
                if name & 0x3FFF == 1:
                    packet = struct.unpack_from(">I", data, offset + 4)[0]
                    # Nothing overtakes: links are slow far more often than they reorder
                    last = max(last, now + max(0.0, delay + random.uniform(-jitter, jitter)))
                    waiting.append((last, packet))
                offset += max(4, size + 3 & ~3)
        start += max(16, length + 3 & ~3)


while True:
    now = time.monotonic()
    while waiting and waiting[0][0] <= now:
        send(VERDICT, REQUEST, attribute(2, struct.pack(">II", ACCEPT, waiting.popleft()[1])))
    if now - looked > 0.2:
        looked = now
        if not os.path.exists(folder + "/ready") and not waiting:
            sys.exit()
    pause = min(0.2, waiting[0][0] - now) if waiting else 0.2
    if select.select([kernel], [], [], max(0.0, pause))[0]:
        try:
            while True:
                take(kernel.recv(1 << 16))
        except BlockingIOError:
            pass
        except OSError:
            pass  # more packets than room: the kernel lets those pass
"""

# iptables-nft creates the tables that it needs in nftables and leaves them behind
_NOTE_TABLES = """
for family in ip ip6; do
    nft list table $family mangle >/dev/null 2>&1 || : >"$d/made-$family"
done
"""
# Only if empty: others may have added rules since
_REMOVE_TABLES = """
for family in ip ip6; do
    [ -e "$d/made-$family" ] || continue
    nft list table $family mangle 2>/dev/null | grep -Eqv '^[[:space:]]*(table .*|chain .*|type .*|[}]|)$' ||
        nft delete table $family mangle 2>/dev/null
done
"""


def action_for(host: Host, *, delay: float, jitter: float, token: str) -> Action:
    """Return the action that delays received packets, by seconds."""
    lacking = sorted({"iptables"} - host.facts.works) + sorted({"python3"} - host.facts.tools)
    if lacking:
        absent = [tool for tool in lacking if tool not in host.facts.tools]
        raise FaultUnavailable(
            f"{host.name}: the kernel has no netem to delay packets with, and there is no {' and no '.join(lacking)} "
            f"to do it in a program{f': {host.install_command(*absent)}' if absent else ''}"
        )
    queue = int(token[:4], 16)
    starter = 'env -i PATH="$PATH" ' + ("setsid " if "setsid" in host.facts.tools else "")
    first = sorted(host.facts.works & {"iptables", "ip6tables"})[0]
    inject = [
        # A released packet is not queued again, so a second delay would have no effect
        f"if {first} -w 5 -t mangle -S INPUT 2>/dev/null | grep -q ' DT_[0-9a-f]*_q$'; then\n"
        '    echo "its packets are delayed already" >&2; exit 77\nfi',
        f"cat >\"$d/delay.py\" <<'DT_PROGRAM'\n{PROGRAM}DT_PROGRAM",
        f'{starter}python3 -I "$d/delay.py" {queue} {delay:.6f} {jitter:.6f} "$d" </dev/null >"$d/said" 2>&1 &',
        'n=0; while [ ! -e "$d/ready" ] && [ $n -lt 50 ] && kill -0 $! 2>/dev/null; do sleep 0.1; n=$((n + 1)); done',
        '[ -e "$d/ready" ] || { echo "packets cannot be queued: $(tail -n 1 "$d/said")" >&2; exit 77; }',
    ]
    undo, chain = [], f"DT_{token}_q"
    if "nft" in host.facts.works:
        inject.append(_NOTE_TABLES)
    for tool in sorted(host.facts.works & {"iptables", "ip6tables"}):
        # A table whose other rules rarely accept or drop packets
        call = f"{tool} -w 5 -t mangle"
        inject.append(refusing(f"{call} -N {chain}", f"{tool} refuses a chain"))
        control = host.facts.control
        if control is not None and (":" in control[0]) == (tool == "ip6tables"):
            exemption = f"-s {control[0]} -p tcp --dport {control[1]} -j RETURN"
            inject.append(refusing(f"{call} -A {chain} {exemption}", f"{tool} refuses a rule"))
        target = f"-A {chain} ! -i lo -j NFQUEUE --queue-num {queue} --queue-bypass"
        inject.append(refusing(f"{call} {target}", "the kernel has no netem, and no queue for packets either"))
        inject.append(refusing(f"{call} -I INPUT 1 -j {chain}", f"{tool} refuses a rule"))
        undo += undo_chain(call, "INPUT", chain)
    # Without this file the program releases its packets and ends
    undo += [_REMOVE_TABLES, 'rm -f "$d/ready"']
    return Action(host, "\n".join(inject), "\n".join(undo), '[ -e "$d/ready" ]', lives_in_kernel=True)
