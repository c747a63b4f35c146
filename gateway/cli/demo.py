"""`hongyan demo`: a daemon of its own over simulated modems and a simulated SMSC, watched and counted.

The daemon is the real one, a process of its own with a config file; its modems are real ptys and its bind is
real TCP. Only the network behind them is simulated, in this process, so that the demonstration can compare
what the gateway says with what the handsets got.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

from gateway.cli.demo_view import View, make_view
from gateway.cli.output import Failure, say
from gateway.clock import SystemClock
from gateway.runtime.first_start import make_first_key
from gateway.runtime.stores import opened_store
from simulators.handset import Handset
from simulators.modem.fleet import start_modems
from simulators.network import Network
from simulators.smsc.server import SimulatedSmsc

START_S = 60.0
STEP_S = 60.0
"""For each step of the demonstration, and without anything new while messages go out; on a slow machine, too."""
STOP_S = 10.0
_ENOUGH = 10
"""Messages per channel; with fewer, those that are fast may have taken all before the others were asked."""

_PERSON = "+8613900139000"
_CODE = "Your code is {n}. It is valid for 5 minutes."
_CHINESE = "【鸿雁】您好,您的包裹 {n} 已到达,请凭取件码 {code} 领取。"
_LONG = "【鸿雁】" + "江湖夜雨十年灯,桃李春风一杯酒。" * 11
_AGREED = "我同意接收鸿雁的优惠短信,可随时回复TD退订。"
_OFFER = "【鸿雁】新品上市,全场八折。回TD退订"


def run_demo(n_modems: int, n_messages: int) -> None:
    """Run it to its end and print the summary.

    Raises:
        Failure: its numbers do not add up, or it came to a halt.
    """
    try:
        checks = asyncio.run(_run(n_modems, n_messages))
    except TimeoutError:
        raise Failure("the demonstration did not get on within its time; its daemon's log is above") from None
    width = max(len(check.what) for check in checks)
    for check in checks:
        print(f"{'ok   ' if check.good else 'WRONG'}  {check.what:<{width}}  {check.found}", flush=True)
    if not all(check.good for check in checks):
        raise Failure("the numbers of the demonstration do not add up")
    print("Everything adds up. Next: `make run`, or docs/install.md for your own modems.", flush=True)


class Check(NamedTuple):
    """One line of the summary.

    Args:
        found: the figures that were compared.
    """

    what: str
    good: bool
    found: str


class _World(NamedTuple):
    """What the demonstration runs in.

    Args:
        folder: of the config, the store and the logs.
        base: address of the daemon's API.
    """

    network: Network
    http: aiohttp.ClientSession
    folder: Path
    base: str
    view: View


async def _run(n_modems: int, n_messages: int) -> list[Check]:
    async with _world(n_modems) as world:
        watching = asyncio.create_task(_watch(world))
        steps = asyncio.create_task(_go_through(world, n_messages))
        try:
            await asyncio.wait({watching, steps}, return_when=asyncio.FIRST_COMPLETED)
            if not steps.done():
                watching.result()  # raises what ended it: nobody looks at stdout any more
                raise Failure("the demonstration's daemon ended its stream of events")
            return steps.result()
        finally:
            for task in (watching, steps):
                task.cancel()
            await asyncio.gather(watching, steps, return_exceptions=True)


async def _go_through(world: _World, n_messages: int) -> list[Check]:
    """The steps of the demonstration."""
    person = world.network.add_handset(_PERSON)
    person.on_text = lambda text: "TD" if "回TD退订" in text else None
    bulk = await _send_bulk(world, n_messages)
    long = await _send(world, to=_PERSON, text=_LONG)
    await _settled(world, [*bulk, long])
    unasked = await _send(world, to=_PERSON, text=_OFFER, category="marketing")
    await _agree(world)
    offer = await _send(world, to=_PERSON, text=_OFFER, category="marketing")
    await _settled(world, [offer])
    await _until(world, lambda: any("退订" in t and t != _OFFER for t in person.inbox))
    refused = await _send(world, to=_PERSON, text=_OFFER, category="marketing")
    return await _check(world, [*bulk, long, offer], [unasked, refused], person)


@asynccontextmanager
async def _world(n_modems: int) -> AsyncIterator[_World]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hongyan-demo-")))
        network = Network(latency_s=0.05, receipt_delay_s=0.3)
        stack.push_async_callback(network.close)
        modems = await start_modems(network, n_modems, folder / "modems", network_time_s=0.25)
        for modem in modems:
            stack.push_async_callback(modem.stop)
        smsc = await stack.enter_async_context(
            SimulatedSmsc(network, accounts={"hongyan": "demo"}, latency_s=0.1)
        )
        port = _free_port()
        config = folder / "hongyan.toml"
        config.write_text(
            _config(folder, port, [(m.port, m.number) for m in modems], smsc.port), encoding="utf-8"
        )
        async with opened_store(f"sqlite:///{folder}/hongyan.db") as store:
            secret = await make_first_key(store, SystemClock(), "demo")
        http = await stack.enter_async_context(
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {secret}"}),
        )
        view = stack.enter_context(make_view(n_modems + 1))
        world = _World(network, http, folder, f"http://127.0.0.1:{port}", view)
        await stack.enter_async_context(_daemon(world, config))
        yield world


def _config(folder: Path, port: int, modems: list[tuple[str, str]], smsc_port: int) -> str:
    lines = [
        f'[http]\nlisten = "127.0.0.1:{port}"',
        f'[store]\nurl = "sqlite:///{folder}/hongyan.db"',
        f'[log]\nformat = "console"\ndelivery = "{folder}/delivery.jsonl"',
        f'[[smpp]]\nname = "smsc"\nhost = "127.0.0.1"\nport = {smsc_port}\nsystem_id = "hongyan"',
        'password = "demo"\nsource_address = "10690000"\nrate = "10/s"',
    ]
    for i, (path, number) in enumerate(modems, 1):
        lines.append(f'[[modems]]\nname = "sim-{i}"\nport = "{path}"\nnumber = "{number}"')
    return "\n".join(lines) + "\n"


@asynccontextmanager
async def _daemon(world: _World, config: Path) -> AsyncIterator[None]:
    """The daemon, from ready to its orderly end."""
    log = world.folder / "daemon.log"
    command = "import sys; from gateway.cli.main import main; sys.exit(main())"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", command, "serve", "--config", str(config),
            stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
        try:
            await _ready(world, process)
            yield
        except (Failure, TimeoutError):
            say(log.read_text(encoding="utf-8", errors="replace")[-4_000:])
            raise
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
                try:
                    await asyncio.wait_for(process.wait(), STOP_S)
                except TimeoutError:
                    process.kill()
                    await process.wait()


async def _ready(world: _World, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(START_S):
        while process.returncode is None:
            try:
                async with world.http.get(f"{world.base}/readyz") as answer:
                    if answer.status == 200 and all(c["state"] == "up" for c in await _channels(world)):
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.05)
    raise Failure("the demonstration's daemon ended by itself; its log is above")


async def _send_bulk(world: _World, n: int) -> list[str]:
    messages = []
    for i in range(n):
        text = _CODE.format(n=100_000 + i) if i % 2 else _CHINESE.format(n=1_000 + i, code=2_000 + i)
        messages.append(
            {"to": f"+86137{i:08d}", "text": text, "category": "otp" if i % 2 else "transactional"}
        )
    batch = await _post(world, "/v1/messages/batch", {"messages": messages})
    world.view.expect(n)
    return [item["id"] for item in batch["messages"]]


async def _send(world: _World, **message: object) -> str:
    world.view.expect(1)
    return str((await _post(world, "/v1/messages", message))["id"])


async def _agree(world: _World) -> None:
    """The simulated person agrees to offers; the record says that there is no more to it."""
    consent = {
        "number": _PERSON,
        "source": "form",
        "wording": _AGREED,
        "evidence": {"form": "hongyan demo", "note": "a simulated person of a simulated network"},
    }
    await _post(world, "/v1/consents", consent, status=200)


async def _post(world: _World, path: str, body: object, status: int = 202) -> Any:
    async with world.http.post(world.base + path, json=body) as answer:
        if answer.status != status:
            raise Failure(f"the daemon answered {answer.status} to POST {path}: {await answer.text()}")
        return await answer.json()


async def _get(world: _World, path: str) -> Any:
    async with world.http.get(world.base + path) as answer:
        return await answer.json()


async def _channels(world: _World) -> list[dict[str, Any]]:
    answer = await _get(world, "/v1/channels")
    return list(answer["items"] if isinstance(answer, dict) else answer)


async def _settled(world: _World, ids: list[str]) -> None:
    """Wait until all these messages have come to their end; many take long, but something happens all the time."""
    while not all(world.view.ended(message_id) for message_id in ids):
        async with asyncio.timeout(STEP_S):
            await world.view.changed()


async def _until(world: _World, condition: Any) -> None:
    async with asyncio.timeout(STEP_S):
        await world.network.wait_for(condition)


async def _watch(world: _World) -> None:
    """Feed the view: the event stream as it comes, the channels twice a second."""

    async def poll() -> None:
        while True:
            world.view.show_channels(await _channels(world))
            await asyncio.sleep(0.5)

    polling = asyncio.create_task(poll())
    try:
        headers = {"Last-Event-ID": "0"}
        timeout = aiohttp.ClientTimeout(total=None)
        async with world.http.get(f"{world.base}/v1/events", headers=headers, timeout=timeout) as stream:
            async for raw in stream.content:
                if raw.startswith(b"data:"):
                    world.view.show_event(json.loads(raw[5:]))
    finally:
        polling.cancel()


async def _check(world: _World, sent: list[str], refused: list[str], person: Handset) -> list[Check]:
    """Compare what the gateway says with what the network and the handsets saw."""
    async with asyncio.timeout(STEP_S):
        messages = [await _get(world, f"/v1/messages/{message_id}") for message_id in sent]
        confirmation = next(
            m for m in (await _get(world, f"/v1/messages?to=%2B{_PERSON[1:]}"))["items"] if m["id"] > sent[-1]
            and m["id"] not in refused
        )  # fmt: skip
        first, last = [await _get(world, f"/v1/messages/{message_id}") for message_id in refused]
    everything = [*messages, confirmation]
    statuses = Counter(m["status"] for m in messages)
    n_segments = sum(len(m["segments"]) for m in everything)
    by_channel = Counter(s["channel"] for m in everything for s in m["segments"])
    n_channels = len(await _channels(world))
    few = len(sent) < _ENOUGH * n_channels
    at_network = [m for m in world.network.accepted if m.via != "handset"]
    twice = [key for key, n in Counter((m.recipient, m.payload, m.udh) for m in at_network).items() if n > 1]
    logged = await _logged(world, refused[-1])
    suppressed = (await _get(world, "/v1/suppressions"))["items"]
    inbound = (await _get(world, "/v1/inbound"))["items"]
    return [
        Check("messages delivered", statuses == {"delivered": len(sent)}, f"{dict(statuses)} of {len(sent)}"),
        Check("segments at the network, none twice", len(at_network) == n_segments and not twice,
              f"{len(at_network)} of {n_segments}"),
        Check("channels that carried some" if few else "every channel carried some",
              len(by_channel) == n_channels or few,
              ", ".join(f"{name} {n}" for name, n in sorted(by_channel.items()))),
        Check("three segments joined on the handset", _LONG in person.inbox and len(messages[-2]["segments"]) == 3,
              f"{len(messages[-2]['segments'])} segments, {len(_LONG)} characters"),
        Check("TD put the number on the opt-out list", [s["number"] for s in suppressed] == [_PERSON],
              f"{len(suppressed)} on the list, keyword {inbound[0]['keyword']}"),
        Check("marketing without consent was refused", (first["error"] or {}).get("code") == "no_consent",
              f"{first['status']}: {(first['error'] or {}).get('code')}"),
        Check("the next marketing message was refused", (last["error"] or {}).get("code") == "opted_out",
              f"{last['status']}: {(last['error'] or {}).get('code')}"),
        Check("delivery log: a line for every end", logged["delivered"] >= len(sent) and logged["blocked"] == 2,
              f"{sum(logged.values())} lines, {logged['delivered']} delivered, {logged['blocked']} blocked"),
    ]  # fmt: skip


async def _logged(world: _World, last_id: str) -> Counter[str]:
    """Statuses in the delivery log, once the last message is in it."""
    log = world.folder / "delivery.jsonl"
    async with asyncio.timeout(STEP_S):
        while last_id not in log.read_text(encoding="utf-8"):  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(0.05)
    return Counter(json.loads(line).get("status") for line in log.read_text(encoding="utf-8").splitlines())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
