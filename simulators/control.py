"""The control port: one JSON object a line over TCP on this machine, to make things go wrong in a running simulator.

Requests hold ``do``: ``inject`` (with ``fault``), ``clear`` (with ``id``, or everything), ``list``, ``stats``, ``say``.
``say`` makes a phone of the network write: ``from``, ``text``, and ``to``, which may be left out where somebody has
written to that phone. Answers hold ``ok``, and ``error`` when that is false.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from drivers.errors import EncodeError
from simulators.fault_plan import BadFault, FaultDesk
from simulators.faults import Fault
from simulators.traffic import NetworkRefusal

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from simulators.network import Network

MAX_LINE = 65_536


class _Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of a client."""

    do: Literal["inject", "clear", "list", "stats", "say"]
    fault: Fault | None = None
    id: Annotated[int, Meta(ge=1)] | None = None
    sender: Annotated[str, Meta(min_length=1, max_length=32)] | None = msgspec.field(
        default=None, name="from"
    )
    to: Annotated[str, Meta(min_length=1, max_length=32)] | None = None
    text: Annotated[str, Meta(min_length=1, max_length=10_000)] | None = None


class ControlPort:
    """Serves a desk to programs on this machine.

    Args:
        desk: where faults are handed in.
        network: whose phones write; None where there is none.
        port: 0 for any free one.
        stats: what else a simulator counts, for ``stats``.

    Attributes:
        port: where it listens, once started.
    """

    def __init__(
        self,
        desk: FaultDesk,
        *,
        port: int = 0,
        stats: Callable[[], dict[str, Any]] = dict[str, Any],
        network: Network | None = None,
    ) -> None:
        self.port = port
        self._desk = desk
        self._network = network
        self._stats = stats
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=MAX_LINE)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no more and hang up."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        clients = list(self._clients)
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            while line := await reader.readline():
                writer.write(msgspec.json.encode(await self.answer(line)) + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            pass  # the client is gone, or its line is no line
        finally:
            self._clients.discard(task)
            writer.close()

    async def answer(self, line: bytes) -> dict[str, Any]:
        """What a line is answered with."""
        try:
            request = msgspec.json.decode(line, type=_Request)
            if request.do == "say":
                return {"ok": True, **await self._say(request)}
            return {"ok": True, **self._obey(request)}
        except NetworkRefusal as refusal:
            return {"ok": False, "error": f"the simulated network refuses it: {refusal}"}
        except (msgspec.MsgspecError, BadFault, EncodeError, UnicodeDecodeError) as error:
            return {"ok": False, "error": str(error)}

    async def _say(self, request: _Request) -> dict[str, Any]:
        if self._network is None:
            raise BadFault("no phone can write here: this simulator has no network")
        if request.sender is None or request.text is None:
            raise BadFault("say needs from and text")
        try:
            handset = self._network.find_handset(request.sender)
        except TypeError as error:
            raise BadFault(str(error)) from error
        to = request.to or (handset.texts[-1].sender if handset.texts else None)
        if to is None:
            numbers = ", ".join(self._network.numbers())
            raise BadFault(
                f"nobody has written to {handset.number} yet: name whom it writes to, such as {numbers}"
            )
        await handset.send(to, request.text)
        return {"from": handset.number, "to": to}

    def _obey(self, request: _Request) -> dict[str, Any]:
        match request.do:
            case "inject":
                if request.fault is None:
                    raise BadFault("inject needs a fault")
                return {"id": self._desk.inject(request.fault)}
            case "clear":
                self._desk.clear(request.id)
                return {}
            case "list":
                return {
                    "faults": [
                        {"target": target, "id": fault_id, "fault": fault, "strikes": n}
                        for target, fault_id, fault, n in self._desk.armed()
                    ]
                }
            case _:
                return {"struck": self._desk.struck(), **self._stats()}
