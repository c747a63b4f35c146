"""The daemon process around a `Gateway`: event loop, signals, service manager, log, and an orderly end."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import structlog
import uvloop

from drivers.at.trace import TraceFile
from gateway.clock import SystemClock
from gateway.errors import FaultyConfig, StoreError
from gateway.model.actor import SYSTEM
from gateway.routing.channel import ChannelDirectory, ChannelState
from gateway.runtime.app import Gateway
from gateway.runtime.first_start import describe_start, describe_welcome, find_command, make_first_key
from gateway.runtime.notify import notify, watchdog_interval_s
from gateway.runtime.reload import ConfigFile
from gateway.runtime.signals import Signals
from gateway.settings.config import Settings
from gateway.settings.limits import OTHERS
from gateway.settings.store import CONTROL, beside_store
from gateway.store.keys import list_keys
from gateway.store.ports import Store, Tx
from gateway.telemetry.log import open_log
from gateway.telemetry.outlet import Outlet

STOP_DEADLINE_S = 20.0
"""For what is on the wire at the end; below systemd's TimeoutStopSec, so that we end ourselves."""
STATUS_INTERVAL_S = 10.0
GARBAGE_AFTER = 20_000
"""Objects more than before after which Python looks for cycles among them; its own 700 are a few messages."""
LAST_WORDS_S = 2.0
"""At the end, for whoever reads the log and stdout."""
_STDOUT = 1
_STDERR = 2

_log = structlog.get_logger("gateway.daemon")


def run(
    settings: Settings, *, source: Path | None = None, simulate: bool = False, trace: Path | None = None
) -> None:
    """Run the daemon until it is told to stop.

    Args:
        source: the file that they come from, to be read anew. Without one it is a first start: a first key is made,
            and it is said what to do with it.
        simulate: add simulated channels.
        trace: file for the AT trace of all modems.

    Raises:
        GatewayError: it can't start.
        OSError: it can't start: a port is taken, a file can't be written.
    """
    log = open_log(settings.log.level, settings.log.format)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(settings, log, source=source, simulate=simulate, trace=trace))
    finally:
        log.drain(LAST_WORDS_S)


async def _run(
    settings: Settings, log: Outlet, *, source: Path | None, simulate: bool, trace: Path | None
) -> None:
    signals = Signals(log)
    signals.watch()
    async with AsyncExitStack() as stack:
        starting = asyncio.create_task(
            _start(stack, settings, source=source, simulate=simulate, trace=trace), name="start"
        )
        if not await signals.stop_before(starting):
            return
        gateway = starting.result()
        rereading = Rereading(gateway)
        signals.reopen = rereading.begin
        if source is None:
            await _greet(gateway, settings, simulated=simulate)
        else:
            _warn_of_keys(settings, {key.name for key in await gateway.store.read(list_keys)})
        notify("READY=1", f"STATUS={describe_channels(gateway.channels)}")
        _log.info("ready", listen=str(settings.http.listen), port=gateway.http_port)
        await _welcome(gateway, settings)
        keeper = asyncio.create_task(keep_notified(gateway.store, gateway.channels), name="service-manager")
        stack.callback(keeper.cancel)
        await signals.stopping.wait()


def _warn_of_keys(settings: Settings, names: Collection[str]) -> None:
    """What only the store knows: whether there are the keys that the config is about."""
    if not names:
        _log.warning("there is no API key yet; make one: hongyan keys create --name NAME --scopes send,read")
    limited = [one.key for one in settings.limits if one.key != OTHERS and ":" not in one.key]
    for table, keys in (("shares", [share.key for share in settings.shares]), ("limits", limited)):
        for key in keys:
            if key not in names:
                _log.warning(
                    f"[[{table}]] names the API key {key!r}, and there is none; see hongyan keys list"
                )


class Rereading:
    """What SIGHUP asks for: the logs opened anew, and the config read anew where there is a file."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        """Open the logs anew, and begin to read the config."""
        self._gateway.reopen_logs()
        if self._gateway.config.has_file:
            task = asyncio.create_task(self._reload(), name="reload")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _reload(self) -> None:
        """The log has what came of it."""
        notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1_000}")
        try:
            await self._gateway.config.reload(SYSTEM._replace(origin="SIGHUP"))
        except FaultyConfig:
            pass  # each fault is in the log
        except Exception:  # noqa: BLE001 - the supervisor of one reload: all goes on as it was
            _log.exception("the config could not be read anew")
        finally:
            notify("READY=1", f"STATUS={describe_channels(self._gateway.channels)}")


async def _start(
    stack: AsyncExitStack, settings: Settings, *, source: Path | None, simulate: bool, trace: Path | None
) -> Gateway:
    """A gateway that runs; what it needs is on the stack, also when this is cancelled half-way."""
    complete = await _simulate(stack, settings) if simulate else _as_it_is
    config = ConfigFile(source, complete) if source is not None else None
    gateway = await Gateway.open(complete(settings), file=config)
    stack.push_async_callback(_stop, gateway)
    if trace is not None:
        file = TraceFile(trace, asyncio.get_running_loop().time)
        stack.callback(file.close)
        gateway.channels.trace_all(file)
    await gateway.start()
    gc.freeze()  # what is there now stays: nobody need look through it for garbage
    gc.set_threshold(GARBAGE_AFTER)
    return gateway


def _as_it_is(settings: Settings) -> Settings:
    return settings


async def _simulate(stack: AsyncExitStack, settings: Settings) -> Callable[[Settings], Settings]:
    """What adds simulated channels to settings."""
    from gateway.runtime.simulated import simulated_world  # noqa: PLC0415 - real daemons never load it

    control = beside_store(settings.store, CONTROL)
    world = await stack.enter_async_context(simulated_world(control=control))

    def complete(settings: Settings) -> Settings:
        return msgspec.structs.replace(
            settings, modems=settings.modems + world.modems, smpp=settings.smpp + world.smpp
        )

    return complete


async def _stop(gateway: Gateway) -> None:
    notify("STOPPING=1", "STATUS=finishing what is on the wire")
    await gateway.stop(STOP_DEADLINE_S)
    _log.info("stopped")


async def _greet(gateway: Gateway, settings: Settings, *, simulated: bool) -> None:
    secret = await make_first_key(gateway.store, SystemClock())
    listen = settings.http.listen
    url = f"http://{listen.host}:{gateway.http_port or listen.port}"
    lines = describe_start(url, secret, simulated=simulated, command=find_command())
    if not await _print(lines) and secret is not None:
        _log.warning(
            "the first API key could not be shown; make another: hongyan keys create --name NAME --scopes admin"
        )


async def _welcome(gateway: Gateway, settings: Settings) -> None:
    """While there is no user: say where the first one is made."""
    if (path := await gateway.offer_welcome()) is not None:
        listen = settings.http.listen
        scheme = "https" if settings.http.tls_cert else "http"
        url = settings.console.public_url or f"{scheme}://{listen.host}:{gateway.http_port or listen.port}"
        # Where stdout has the delivery log, programs read it, and nothing else may stand there.
        stream = _STDERR if settings.log.delivery == "-" else _STDOUT
        await _print(describe_welcome(url.rstrip("/") + path), stream)


async def _print(lines: Sequence[str], stream: int = _STDOUT) -> bool:
    """Whether it could be said there; it may be gone or stand still as the log may: that holds up nobody."""
    outlet = Outlet(stream)
    outlet.put("".join(f"{line}\n" for line in lines).encode())
    return await asyncio.to_thread(outlet.drain, LAST_WORDS_S)


async def keep_notified(store: Store, channels: ChannelDirectory) -> None:
    """Tell the service manager that we live, as long as the loop turns and the store commits.

    Cancel: leaves nothing behind.
    """
    interval_s = watchdog_interval_s()
    while True:
        if interval_s is None:
            notify(f"STATUS={describe_channels(channels)}")
        elif await _store_lives(store, interval_s):
            notify("WATCHDOG=1", f"STATUS={describe_channels(channels)}")
        await asyncio.sleep(interval_s or STATUS_INTERVAL_S)


async def _store_lives(store: Store, patience_s: float) -> bool:
    """Wait until the store has committed, be it nothing; complain while it does not."""

    async def nothing(tx: Tx) -> None:
        await tx.fetch("SELECT 1")

    commit = asyncio.ensure_future(store.write(nothing))
    try:
        while not commit.done():
            await asyncio.wait({commit}, timeout=patience_s)
            if not commit.done():
                _log.error("the store does not answer")
        commit.result()
    except StoreError as error:
        _log.error("the store fails", error=str(error))
        return False
    finally:
        commit.cancel()
    return True


def describe_channels(channels: ChannelDirectory) -> str:
    """One line for ``systemctl status``."""
    snapshots = channels.snapshots()
    n_up = sum(snapshot.state is ChannelState.UP for snapshot in snapshots)
    down = [s.name for s in snapshots if s.state in {ChannelState.DOWN, ChannelState.STOPPED}]
    return f"{n_up} of {len(snapshots)} channels up" + (f"; down: {', '.join(down)}" if down else "")
