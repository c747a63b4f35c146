"""The daemon when whoever reads its output is gone, stands still, or has no room: it works on and can be stopped."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import json
import os
import pty
import signal
import sqlite3
import subprocess
import termios
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from simulators.network import Network
from simulators.smsc.server import SimulatedSmsc
from tests.support.daemon import COMMAND, Daemon, smpp_toml, until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

DEADLINE_S = 30.0


class Started(Daemon):
    """A daemon whose streams are the test's own; what it starts may be wrapped, as a shell would."""

    async def run(
        self,
        stdout: int,
        stderr: int,
        *,
        shell: str | None = None,
        prepare: Callable[[], None] | None = None,
        new_session: bool = False,
    ) -> None:
        """Start it with these descriptors and wait until it is ready.

        Args:
            shell: a line for sh that holds ``$@``, the daemon's command.
        """
        await self.make_key()
        command = [*COMMAND, "serve", "--config", str(self.config)]
        if shell is not None:
            command = ["sh", "-c", shell, "sh", *command]
        self.process = await asyncio.create_subprocess_exec(
            *command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
            start_new_session=new_session, preexec_fn=prepare,
        )  # fmt: skip

    async def ready(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not await self._is_up(None):
                assert self.live.returncode is None
                await asyncio.sleep(0.02)

    async def works(self) -> None:
        """It takes a message, and an error of a client, which is logged, harms nobody."""
        status, message = await self.post("/v1/messages", {"to": "+8613900139000", "text": "hello"})
        assert status == 202
        await self.wait_status([message["id"]], {"delivered"}, DEADLINE_S)

    @property
    def live(self) -> asyncio.subprocess.Process:
        """The process, once there is one."""
        assert self.process is not None
        return self.process

    async def ended(self) -> int:
        return await asyncio.wait_for(self.live.wait(), DEADLINE_S)


@asynccontextmanager
async def started(folder: Path, *, latency_s: float = 0.0) -> AsyncIterator[Started]:
    network = Network()
    async with SimulatedSmsc(network, latency_s=latency_s) as smsc:
        daemon = Started(folder, smpp_toml("smsc", smsc.port))
        config = daemon.config.read_text()
        daemon.config.write_text(config.replace('level = "info"', 'level = "debug"'))  # so that much is said
        try:
            yield daemon
        finally:
            await daemon.close()
    await network.close()


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    try:
        yield ends
    finally:
        for end in ends:
            with contextlib.suppress(OSError):
                os.close(end)


@contextmanager
def device(path: str) -> Iterator[int]:
    fd = os.open(path, os.O_WRONLY)
    try:
        yield fd
    finally:
        os.close(fd)


def _open_in(pid: int, fd: int) -> str:
    return str(Path(f"/proc/{pid}/fd/{fd}").readlink())


def fill(fd: int) -> None:
    """Leave no room in a pipe."""
    os.set_blocking(fd, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(fd, b"x" * 4096)
    os.set_blocking(fd, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_stops_after_its_reader_has_gone(tmp_path: Path, number: int) -> None:
    """`hongyan serve 2>&1 | tee log` and Ctrl-C, which ends tee first."""
    async with started(tmp_path) as daemon:
        with pipe() as (reader, writer):
            await daemon.run(writer, writer)
            os.close(writer)
            await daemon.ready()
            os.close(reader)
            await daemon.works()
            daemon.live.send_signal(number)
            assert await daemon.ended() == 0


async def test_it_starts_works_and_stops_while_its_reader_stands_still(tmp_path: Path) -> None:
    """A pager, or a terminal after Ctrl-S."""
    async with started(tmp_path) as daemon:
        with pipe() as (_reader, writer):
            fill(writer)
            await daemon.run(writer, writer)
            await daemon.ready()
            await daemon.works()
            daemon.live.send_signal(signal.SIGTERM)
            assert await daemon.ended() == 0


async def test_a_full_disk_under_its_log_stops_nothing(tmp_path: Path) -> None:
    async with started(tmp_path) as daemon:
        with device("/dev/full") as full:
            await daemon.run(full, full)
        await daemon.ready()
        await daemon.works()
        assert await daemon.stop() == 0


async def test_streams_that_are_closed_are_not_replaced_by_the_store(tmp_path: Path) -> None:
    """`hongyan serve <&- >&- 2>&-`: the first files that it opens must not become its stdout and stderr."""
    async with started(tmp_path) as daemon:
        await daemon.run(subprocess.DEVNULL, subprocess.DEVNULL, shell='exec "$@" <&- >&- 2>&-')
        await daemon.ready()
        await daemon.works()
        pid = daemon.live.pid
        assert [_open_in(pid, fd) for fd in range(3)] == ["/dev/null"] * 3
        assert await daemon.stop() == 0
    with contextlib.closing(sqlite3.connect(daemon.database)) as store:
        assert store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_who_sends_a_second_signal_need_not_wait_without_a_reader_either(tmp_path: Path) -> None:
    async with started(tmp_path, latency_s=60.0) as daemon:
        with pipe() as (reader, writer):
            await daemon.run(writer, writer)
            os.close(writer)
            await daemon.ready()
            os.close(reader)
            _, message = await daemon.post("/v1/messages", {"to": "+8613900139000", "text": "hello"})
            await daemon.wait_status([message["id"]], {"sending"})
            async with asyncio.timeout(DEADLINE_S):
                while daemon.live.returncode is None:
                    daemon.live.send_signal(signal.SIGINT)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(daemon.live.wait(), 0.1)
            assert daemon.live.returncode == 1


class Terminal:
    """A terminal window: programs in it get SIGHUP when it is closed."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()

    def take(self) -> None:
        """In the child: make it the controlling terminal."""
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)

    def close(self) -> None:
        for fd in (self.slave, self.master):
            with contextlib.suppress(OSError):
                os.close(fd)

    async def shows(self, words: bytes) -> None:
        """Read until these words have come."""
        seen = b""
        os.set_blocking(self.master, False)
        async with asyncio.timeout(DEADLINE_S):
            while words not in seen:
                try:
                    seen += os.read(self.master, 4096)
                except BlockingIOError:
                    await asyncio.sleep(0.02)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    terminal.close()


@pytest.mark.parametrize(
    "shell", [None, '"$@"; exit $?', 'trap "" INT; "$@" 2>&1 | cat'], ids=["alone", "in a shell", "in a pipe"]
)
async def test_it_stops_when_its_terminal_is_closed(tmp_path: Path, terminal: Terminal, shell) -> None:
    async with started(tmp_path) as daemon:
        await daemon.run(terminal.slave, terminal.slave, shell=shell, new_session=True, prepare=terminal.take)
        await daemon.ready()
        terminal.close()
        await daemon.ended()  # of a shell, the signal's number
        if shell is None:
            assert daemon.live.returncode == 0

        await until(lambda: not _holds(daemon.database), DEADLINE_S)


def _holds(database: Path) -> bool:
    """Whether a process has the store open."""
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if any(fd.readlink() == database for fd in (process / "fd").iterdir()):
                return True
    return False


async def test_a_terminal_that_stands_still_stops_nothing(tmp_path: Path, terminal: Terminal) -> None:
    async with started(tmp_path) as daemon:
        termios.tcflow(terminal.slave, termios.TCOOFF)  # as Ctrl-S
        await daemon.run(terminal.slave, terminal.slave, new_session=True, prepare=terminal.take)
        await daemon.ready()
        await daemon.works()
        os.write(terminal.master, b"\x03")
        assert await daemon.ended() == 0


async def test_nohup_outlives_the_terminal(tmp_path: Path, terminal: Terminal) -> None:
    async with started(tmp_path) as daemon:

        def prepare() -> None:
            terminal.take()
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

        await daemon.run(terminal.slave, terminal.slave, new_session=True, prepare=prepare)
        await daemon.ready()
        terminal.close()
        await daemon.works()
        assert await daemon.stop() == 0


async def test_a_hangup_by_hand_on_a_terminal_opens_the_log_anew(tmp_path: Path, terminal: Terminal) -> None:
    async with started(tmp_path) as daemon:
        await daemon.run(terminal.slave, terminal.slave, new_session=True, prepare=terminal.take)
        await daemon.ready()
        daemon.delivery.rename(daemon.delivery.with_suffix(".1"))
        daemon.live.send_signal(signal.SIGHUP)
        await until(daemon.delivery.exists, DEADLINE_S)
        await daemon.works()
        assert await daemon.stop() == 0


async def test_a_log_that_cannot_be_opened_anew_is_written_on(tmp_path: Path) -> None:
    async with started(tmp_path) as daemon:
        await daemon.start()
        moved = daemon.delivery.with_suffix(".1")
        daemon.delivery.rename(moved)
        daemon.delivery.mkdir()  # in its place: nothing can be opened there
        daemon.live.send_signal(signal.SIGHUP)
        await until(lambda: "cannot open the delivery log anew" in daemon.log(), DEADLINE_S)
        await daemon.works()
        assert await daemon.stop() == 0
        assert "Traceback" not in daemon.log()
        assert [json.loads(line)["status"] for line in moved.read_text().splitlines()][-1] == "delivered"


@pytest.mark.parametrize("reader_is", ["gone", "standing still"])
async def test_a_delivery_log_on_stdout_holds_up_nobody(tmp_path: Path, reader_is: str) -> None:
    async with started(tmp_path) as daemon:
        daemon.config.write_text(daemon.config.read_text().replace(f'"{daemon.delivery}"', '"-"'))
        with pipe() as (reader, writer), device(os.devnull) as nowhere:
            if reader_is == "standing still":
                fill(writer)
            await daemon.run(writer, nowhere)
            os.close(writer)
            if reader_is == "gone":
                os.close(reader)
            await daemon.ready()
            for _ in range(3):
                await daemon.works()
            assert (await daemon.get("/readyz"))[0] == 200
            assert await daemon.stop() == 0


async def test_a_delivery_log_on_stdout_is_whole_also_for_a_slow_reader(tmp_path: Path) -> None:
    async with started(tmp_path) as daemon:
        daemon.config.write_text(daemon.config.read_text().replace(f'"{daemon.delivery}"', '"-"'))
        with pipe() as (reader, writer), device(os.devnull) as nowhere:
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
            await daemon.run(writer, nowhere)
            os.close(writer)
            await daemon.ready()
            items = [{"to": f"+86139001390{i:02}", "text": "x", "reference": "r" * 100} for i in range(60)]
            _, batch = await daemon.post("/v1/messages/batch", {"messages": items})
            await daemon.wait_status([m["id"] for m in batch["messages"]], {"delivered"})
            daemon.live.send_signal(signal.SIGTERM)
            with os.fdopen(reader, "rb", closefd=False) as stream:
                lines = (await asyncio.to_thread(stream.read)).splitlines()
            assert await daemon.ended() == 0
        statuses = [json.loads(line)["status"] for line in lines]
        assert {status: statuses.count(status) for status in set(statuses)} == dict.fromkeys(
            ("queued", "sending", "sent", "delivered"), 60
        )


async def test_a_named_pipe_as_delivery_log_waits_for_its_next_reader(tmp_path: Path) -> None:
    async with started(tmp_path) as daemon:
        os.mkfifo(daemon.delivery)
        reader = os.open(daemon.delivery, os.O_RDONLY | os.O_NONBLOCK)
        await daemon.run(subprocess.DEVNULL, subprocess.DEVNULL)
        await daemon.ready()
        os.close(reader)
        await daemon.works()
        reader = os.open(daemon.delivery, os.O_RDONLY | os.O_NONBLOCK)
        seen = b""

        def has_come() -> bool:
            nonlocal seen
            with contextlib.suppress(BlockingIOError):
                seen += os.read(reader, 65536)
            return b'"delivered"' in seen

        await until(has_come, DEADLINE_S)
        assert await daemon.stop() == 0
        os.close(reader)


async def test_a_signal_while_it_starts_is_obeyed(tmp_path: Path) -> None:
    """Here the start waits for a store that somebody else has locked."""
    async with started(tmp_path) as daemon:
        await daemon.start()
        assert await daemon.stop() == 0
        with contextlib.closing(sqlite3.connect(daemon.database, isolation_level=None)) as blocker:
            blocker.execute("BEGIN IMMEDIATE")
            with pipe() as (_reader, writer):
                await daemon.run(writer, writer)
                os.close(writer)

                def watches_signals() -> bool:
                    status = Path(f"/proc/{daemon.live.pid}/status").read_text()
                    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
                    return bool(int(caught.split()[1], 16) & 1 << (signal.SIGHUP - 1))

                await until(watches_signals, DEADLINE_S)
                daemon.live.send_signal(signal.SIGTERM)
                assert await daemon.ended() == 0


@pytest.mark.parametrize(
    "words",
    [("demo", "--messages", "4", "--modems", "1"), ("preview", "x" * 30_000), ("simulate", "smsc", "--port", "0")],
    ids=lambda words: words[0],
)  # fmt: skip
async def test_a_command_whose_reader_leaves_ends_without_a_word(tmp_path: Path, words) -> None:
    """`hongyan demo | head -1`."""
    with pipe() as (reader, writer), (tmp_path / "err").open("wb") as err:
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        process = await asyncio.create_subprocess_exec(
            *COMMAND, *words, cwd=tmp_path, stdout=writer, stderr=err
        )
        os.close(writer)
        await asyncio.to_thread(os.read, reader, 10)
        os.close(reader)
        if words[0] == "simulate":  # it says one line, and goes on until somebody ends it
            process.send_signal(signal.SIGINT)
        code = await asyncio.wait_for(process.wait(), DEADLINE_S)
    assert code == (0 if words[0] == "simulate" else 1)
    assert (tmp_path / "err").read_text() == ""


async def test_results_without_room_are_an_error_in_words(tmp_path: Path) -> None:
    with device("/dev/full") as full:
        process = await asyncio.create_subprocess_exec(
            *COMMAND, "preview", "hello", cwd=tmp_path, stdout=full, stderr=subprocess.PIPE
        )
    _, err = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    assert process.returncode == 1
    assert err.decode() == f"cannot write the results: {os.strerror(errno.ENOSPC)}\n"
