"""A store on a file system that is really full: nothing accepted is lost, and all goes on when there is room again."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import subprocess
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from simulators.smsc.server import SimulatedSmsc
from tests.e2e.conftest import World
from tests.support.daemon import COMMAND, Daemon, modem_toml, smpp_toml, until
from tests.support.peers import need_peer
from tests.support.timeline import logged_seqs

pytestmark = [pytest.mark.e2e, pytest.mark.root, pytest.mark.timeout(300)]

SIZE = 6 << 20
DEADLINE_S = 60.0
PHONE = "+8613900139000"


class SmallDisk:
    """A file system of a few MiB that can be filled to the last octet and emptied again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        with self._ballast.open("ab", buffering=0) as ballast:
            for size in (65_536, 4_096, 1):
                try:
                    while True:
                        ballast.write(b"\0" * size)
                except OSError as error:
                    assert error.errno == errno.ENOSPC  # noqa: PT017 - writing until it fails is the point

    def make_room(self) -> None:
        self._ballast.unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    if os.geteuid():
        pytest.skip("only root may mount: run pytest -m root as root")
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "hongyan-test", folder],
        capture_output=True,
        check=False,
    )
    need_peer("mount", present=mounted.returncode == 0)
    yield SmallDisk(folder)
    subprocess.run(["umount", "--lazy", folder], check=True)


async def _fill(daemon: Daemon, disk: SmallDisk) -> None:
    """Fill the disk, and also what the store had reserved: until it takes not even the smallest write."""
    disk.fill()
    for number in count(8613600000000):
        status, problem = await daemon.request("PUT", f"/v1/suppressions/+{number}", json={})
        if status == 507:
            assert problem["code"] == "storage_full"
            disk.fill()
            return
        assert status == 201, problem


async def test_a_full_disk_refuses_loses_nothing_and_needs_no_restart(world: World, disk: SmallDisk) -> None:
    smsc = SimulatedSmsc(world.network, number="10699", latency_s=1.5)
    async with smsc:
        daemon = Daemon(
            disk.folder,
            modem_toml("sim-1", world.modems[0].port, groups='["modem"]') + smpp_toml("slow", smsc.port),
        )
        daemon.folder = disk.folder.parent  # its own log stays outside: this is about store and delivery log
        try:
            await daemon.start()
            await _live_through_a_full_disk(world, disk, daemon, smsc)
        finally:
            await daemon.close()


async def _live_through_a_full_disk(
    world: World, disk: SmallDisk, daemon: Daemon, smsc: SimulatedSmsc
) -> None:
    handset = world.network.add_handset(PHONE)
    pid = daemon.process and daemon.process.pid
    accepted = []
    for i in range(20):  # more than the window: some are on the wire, the others wait
        status, message = await daemon.post("/v1/messages", {"to": PHONE, "text": f"before {i}"})
        assert status == 202
        accepted.append(message["id"])
    await daemon.wait_status(accepted[:1], {"sending"})
    before = len(world.network.accepted)

    await _fill(daemon, disk)
    status, problem = await daemon.post("/v1/messages", {"to": PHONE, "text": "no room"})
    assert (status, problem["code"]) == (507, "storage_full")
    status, problem = await daemon.post("/v1/messages/batch", {"to": [PHONE], "text": "no room"})
    assert (status, problem["code"]) == (507, "storage_full")

    # The SMSC answers what was on the wire and reports it delivered; people write back to both kinds of channel.
    await handset.send(smsc.number_of("hongyan"), "to the carrier")
    await handset.send(world.modems[0].number, "to the SIM")
    async with asyncio.timeout(DEADLINE_S):
        await world.network.wait_for(lambda: len(world.network.accepted) >= before + 10 + 2)
    stick = world.modems[0].device
    await until(lambda: any(storage.slots for storage in stick.storages.values()), DEADLINE_S)
    await until(lambda: smsc.n_owed > 1, DEADLINE_S)
    status, problem = await daemon.post("/v1/messages", {"to": PHONE, "text": "still no room"})
    assert (status, problem["code"]) == (507, "storage_full")
    _, page = await daemon.get("/v1/inbound")
    assert page["items"] == []
    assert (await daemon.get("/readyz"))[0] == 200, "all but taking messages still works"
    assert smsc.n_owed > 1, "an acknowledgement would have been a lie"
    assert any(storage.slots for storage in stick.storages.values())
    assert (await daemon.message(accepted[0]))["status"] == "sending"
    await until(lambda: _is_whole(daemon.delivery), DEADLINE_S)

    disk.make_room()
    await daemon.wait_status(accepted, {"delivered"}, DEADLINE_S)
    status, after = await daemon.post("/v1/messages", {"to": PHONE, "text": "room again"})
    assert status == 202
    await daemon.wait_status([after["id"]], {"delivered"}, DEADLINE_S)
    assert sorted(handset.inbox) == sorted([*(f"before {i}" for i in range(20)), "room again"])

    async def both_came() -> bool:
        _, page = await daemon.get("/v1/inbound")
        return sorted(item["text"] for item in page["items"]) == ["to the SIM", "to the carrier"]

    await until(both_came, DEADLINE_S)
    await until(lambda: smsc.n_owed == 0, DEADLINE_S)
    await until(lambda: not any(storage.slots for storage in stick.storages.values()), DEADLINE_S)
    assert daemon.process is not None
    assert daemon.process.pid == pid
    assert await daemon.stop() == 0
    assert [line["seq"] for line in daemon.delivery_lines()] == logged_seqs(daemon.database)


async def test_a_daemon_that_stops_on_a_full_disk_writes_the_rest_of_the_log_at_its_next_start(
    world: World, disk: SmallDisk
) -> None:
    daemon = Daemon(disk.folder, smpp_toml("smsc", world.smscs[0].port))
    daemon.folder = disk.folder.parent
    try:
        await daemon.start()
        _, message = await daemon.post("/v1/messages", {"to": PHONE, "text": "before"})
        await daemon.wait_status([message["id"]], {"delivered"})
        await _fill(daemon, disk)
        assert await daemon.stop() == 0
        await until(lambda: _is_whole(daemon.delivery), DEADLINE_S)
        disk.fill()  # what closing the store gave back
        code, said = await _try_to_start(daemon)
        assert code == 1
        assert "no room left where the store is" in said[-1]
        assert "Traceback" not in "".join(said)
        disk.make_room()
        await daemon.start()
        _, message = await daemon.post("/v1/messages", {"to": PHONE, "text": "after"})
        await daemon.wait_status([message["id"]], {"delivered"})
        assert await daemon.stop() == 0
        assert [line["seq"] for line in daemon.delivery_lines()] == logged_seqs(daemon.database)
    finally:
        await daemon.close()


async def test_a_delivery_log_on_a_full_disk_of_its_own_gets_no_half_line_and_misses_none(
    world: World, disk: SmallDisk
) -> None:
    daemon = Daemon(disk.folder.parent, smpp_toml("smsc", world.smscs[0].port))
    log = disk.folder / "delivery.jsonl"
    daemon.config.write_text(daemon.config.read_text().replace(str(daemon.delivery), str(log)))
    daemon.delivery = log
    try:
        await daemon.start()
        _, first = await daemon.post("/v1/messages", {"to": PHONE, "text": "before"})
        await daemon.wait_status([first["id"]], {"delivered"})
        disk.fill()
        # Far more lines than fit into what is left of the log's last page: one is cut in the middle.
        _, batch = await daemon.post("/v1/messages/batch", {"to": [PHONE] * 50, "text": "meanwhile"})
        await daemon.wait_status([item["id"] for item in batch["messages"]], {"delivered"}, DEADLINE_S)
        await until(lambda: "cannot write the delivery log" in daemon.log(), DEADLINE_S)
        await until(lambda: _is_whole(log), DEADLINE_S)  # it may be mending one right now
        disk.make_room()
        expected = logged_seqs(daemon.database)
        await until(lambda: len(daemon.delivery_lines()) >= len(expected), DEADLINE_S)
        assert [line["seq"] for line in daemon.delivery_lines()] == expected
        assert await daemon.stop() == 0
    finally:
        await daemon.close()


async def _try_to_start(daemon: Daemon) -> tuple[int | None, list[str]]:
    """The exit code, and what it said."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "serve", "--config", str(daemon.config), stdout=PIPE, stderr=STDOUT
    )
    async with asyncio.timeout(DEADLINE_S):
        out, _ = await process.communicate()
    return process.returncode, out.decode().splitlines()


def _is_whole(log: Path) -> bool:
    """No half line; a disk that was full before the first line leaves an empty log."""
    octets = log.read_bytes()
    return octets[-1:] in (b"", b"\n") and all(json.loads(line)["seq"] for line in octets.splitlines())
