"""Attackers, each a process of its own: ``python -m tests.bench.attackers NAME [ARGUMENT ...]``.

An attacker says on stdout, as one line of JSON, what TOML the daemon's config needs for it. It begins at the first
line on its stdin, which holds the daemon's ports as JSON. It uses plain sockets and threads, which cost little.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import threading
import time
import tty
from collections.abc import Callable
from contextlib import suppress
from typing import Final

BIND, BIND_RESP, SUBMIT, DELIVER, ENQUIRE, UNKNOWN, MULTI = 9, 0x80000009, 4, 5, 0x15, 0x00000999, 0x21
RIGHT = ("shop", "secret12")
"""An account of the daemon's."""
_IO_S: Final = 5.0

Ports = dict[str, int]


def main() -> None:
    """Run one of `ATTACKERS`."""
    prepare, attack = ATTACKERS[sys.argv[1]]
    toml, state = prepare()
    print(json.dumps(toml), flush=True)
    ports: Ports = json.loads(sys.stdin.readline())
    attack(ports, state)


# ---- octets


def pdu(command: int, number: int, body: bytes = b"") -> bytes:
    """One PDU."""
    return struct.pack(">IIII", 16 + len(body), command, 0, number) + body


def bind(system_id: str, password: str) -> bytes:
    """A bind_transceiver."""
    return pdu(BIND, 1, f"{system_id}\0{password}\0\0".encode() + b"\x34\0\0\0")


def message(destinations: bytes, text: bytes) -> bytes:
    """The body of submit_sm, deliver_sm or submit_multi."""
    return b"\0\1\1" + b"8613900139000\0" + destinations + b"\0\0\0\0\0\0\0\0\0" + bytes([len(text)]) + text


ONE: Final = b"\1\1" + b"8613900139001\0"
MANY: Final = bytes([254]) + b"".join(b"\1\1\1" + b"861390013%04d\0" % n for n in range(254))


# ---- pieces


def side_by_side(n: int, job: Callable[[int], object]) -> None:
    """Run a job so often at once, each again and again."""

    def again(i: int) -> None:
        while True:
            with suppress(OSError):
                job(i)
            time.sleep(0.001)

    threads = [threading.Thread(target=again, args=(i,), daemon=True) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def opened(port: int, source: str = "127.0.0.1") -> socket.socket:
    """A connection from an address of the loopback network."""
    return socket.create_connection(("127.0.0.1", port), _IO_S, source_address=(source, 0))


def drain(sock: socket.socket) -> None:
    """Throw away what comes, until the end."""
    with suppress(OSError):
        while sock.recv(1 << 20):
            pass


def pour(sock: socket.socket, octets: bytes, *, read: bool = True) -> None:
    """Write the same again and again, as fast as it is taken."""
    sock.settimeout(None)
    if read:
        threading.Thread(target=drain, args=(sock,), daemon=True).start()
    while True:
        sock.sendall(octets)


def nothing() -> tuple[str, object]:
    """No preparation."""
    return "", None


# ---- applications that attack


def flood(
    command: int, body: bytes = b"", *, bound: bool = False, n: int = 1
) -> Callable[[Ports, object], None]:
    """One command without end."""
    octets = pdu(command, 7, body) * max(1, 65_536 // (16 + len(body)))

    def attack(ports: Ports, _: object) -> None:
        def one(_: int) -> None:
            with opened(ports["smpp"]) as sock:
                if bound:
                    sock.sendall(bind(*RIGHT))
                    sock.recv(1024)
                pour(sock, octets)

        side_by_side(n, one)

    return attack


def guess(
    name: str, *, n: int, addresses: int = 1, patience_s: float = 30.0
) -> Callable[[Ports, object], None]:
    """Wrong passwords from one address or many, each given up after so long."""

    def attack(ports: Ports, _: object) -> None:
        def one(i: int) -> None:
            who = name or f"guess{i}"
            with opened(ports["smpp"], f"127.0.{1 + i % addresses if addresses > 1 else 0}.1") as sock:
                sock.settimeout(patience_s)
                sock.sendall(bind(who, "wrong"))
                drain(sock)

        side_by_side(n, one)

    return attack


def idle(n: int) -> Callable[[Ports, object], None]:
    """Connections that say nothing, opened anew when they are cut."""

    def attack(ports: Ports, _: object) -> None:
        held: list[socket.socket] = []
        while True:
            with suppress(OSError):
                held.append(opened(ports["smpp"]))
                held[-1].setblocking(False)
            for sock in held[-1:] if len(held) < n else held[:]:
                with suppress(BlockingIOError, OSError):
                    if not sock.recv(1):
                        sock.close()
                        held.remove(sock)
            time.sleep(0 if len(held) < n else 0.05)

    return attack


def guess_kannel(ports: Ports, _: object) -> None:
    """Wrong passwords at sendsms."""

    def one(i: int) -> None:
        with opened(ports["http"]) as sock:
            sock.settimeout(30)
            path = f"/cgi-bin/sendsms?username=shop&password=wrong{i}&to=8613900139000&text=x"
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            drain(sock)

    side_by_side(32, one)


# ---- an SMSC that attacks


def smsc() -> tuple[str, object]:
    """A listener that the daemon binds to."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    return (
        f'[[smpp]]\nname = "evil"\nhost = "127.0.0.1"\nport = {port}\nsystem_id = "x"\npassword = "y"\n',
        listener,
    )


def smsc_floods(command: int, body: bytes = b"") -> Callable[[Ports, object], None]:
    """Grants the bind and pours one command."""
    octets = pdu(command, 7, body) * max(1, 65_536 // (16 + len(body)))

    def attack(_: Ports, listener: object) -> None:
        assert isinstance(listener, socket.socket)
        while True:
            sock, _address = listener.accept()
            with sock, suppress(OSError):
                sock.recv(1024)
                sock.sendall(pdu(BIND_RESP, 1, b"evil\0"))
                pour(sock, octets)

    return attack


# ---- a modem that attacks


def modem() -> tuple[str, object]:
    """A pty that the daemon takes for a stick."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    return f'[[modems]]\nname = "evil"\nport = "{os.ttyname(theirs)}"\n', ours


def modem_floods(_: Ports, fd: object) -> None:
    """Answers nothing and talks without end."""
    assert isinstance(fd, int)
    while True:
        os.write(fd, b"noise\r\n" * 500)


Attack = tuple[Callable[[], tuple[str, object]], Callable[[Ports, object], None]]

ATTACKERS: Final[dict[str, Attack]] = {
    "none": (nothing, lambda _ports, _state: time.sleep(3600)),
    "smpp-unknown": (nothing, flood(UNKNOWN)),
    "smpp-enquire": (nothing, flood(ENQUIRE)),
    "smpp-many": (nothing, flood(UNKNOWN, n=50)),
    "smpp-bound": (nothing, flood(ENQUIRE, bound=True)),
    "smpp-bound-unknown": (nothing, flood(UNKNOWN, bound=True)),
    "smpp-window": (nothing, flood(SUBMIT, message(ONE, b"x" * 50), bound=True)),
    "smpp-multi": (nothing, flood(MULTI, message(MANY, b"x" * 50), bound=True)),
    "smpp-idle": (nothing, idle(1_000)),
    "smpp-guess": (nothing, guess("shop", n=16)),
    "smpp-guess-rude": (nothing, guess("shop", n=32, patience_s=0.3)),
    "smpp-guess-names": (nothing, guess("", n=16)),
    "smpp-guess-64": (nothing, guess("shop", n=64, addresses=64)),
    "kannel-guess": (nothing, guess_kannel),
    "smsc-deliver": (smsc, smsc_floods(DELIVER, message(ONE, b"x" * 50))),
    "smsc-enquire": (smsc, smsc_floods(ENQUIRE)),
    "smsc-unknown": (smsc, smsc_floods(UNKNOWN)),
    "modem-noise": (modem, modem_floods),
}
"""By name: what is prepared before the daemon starts, and the attack itself."""


if __name__ == "__main__":
    main()
