"""The delivery log: a line per state change, in order, over rotations, restarts and half-written lines."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from drivers.base import Encoding, InboundPart
from gateway.errors import StoreBusy, StoreUnavailable
from gateway.store.events import Lines, last_seq, load_lines
from gateway.store.ports import Tx
from gateway.timeline import follow
from gateway.timeline.delivery_log import DeliveryLog
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import PHONE, Rig, receipt, running

pytestmark = pytest.mark.integration


@asynccontextmanager
async def logging(rig: Rig, path: Path, *, mask_numbers: bool = False) -> AsyncIterator[DeliveryLog]:
    """A log that follows the rig's store, stopped in the order of the daemon."""
    log = DeliveryLog(rig.store, rig.clock, str(path), mask_numbers=mask_numbers)
    await log.open()
    task = asyncio.create_task(log.run())
    try:
        yield log
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await log.write_rest()
        log.close()


def lines(*paths: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in paths for line in path.read_text("utf-8").splitlines()]


def of(found: list[dict[str, Any]], message_id: str) -> list[str]:
    return [line["status"] for line in found if line.get("id") == message_id]


async def caught_up(rig: Rig, log: DeliveryLog) -> None:
    newest = await rig.store.read(last_seq)
    await rig.until(lambda: log._seq == newest)


async def test_a_line_for_every_state_change_in_order(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        async with logging(rig, tmp_path / "log.jsonl"):
            first = await rig.until_status(await rig.send(reference="order 7", tags=["x"]), "sent")
            second = await rig.until_status(await rig.send("10010"), "sent")
            await driver.report(receipt("1"))
        found = lines(tmp_path / "log.jsonl")
        assert of(found, first.id) == ["queued", "sending", "sent", "delivered"]
        assert of(found, second.id) == ["queued", "sending", "sent"]
        assert [line["seq"] for line in found] == sorted(line["seq"] for line in found)
        last = found[-1]
        assert (last["to"], last["reference"], last["tags"]) == (PHONE, "order 7", ["x"])
        assert (last["type"], last["channel"], last["ref"]) == ("message.delivered", "a", "1")
        assert "hello" not in (tmp_path / "log.jsonl").read_text(), "never the text"


async def test_inbound_and_opt_outs_have_lines_too_and_channels_none(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        async with logging(rig, tmp_path / "log.jsonl"):
            await driver.report(InboundPart(sender=PHONE, encoding=Encoding.GSM7, payload=b"TD"))
            await driver.go_down()
        found = lines(tmp_path / "log.jsonl")
        kinds = [line["type"] for line in found]
        assert kinds[:2] == ["inbound.received", "subscription.opted_out"]
        assert (found[0]["from"], found[0]["keyword"], found[0]["channel"]) == (PHONE, "opt_out", "a")
        assert found[1]["number"] == PHONE
        assert not [kind for kind in kinds if kind.startswith("channel.")]


async def test_masked_numbers_cannot_be_called(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        async with logging(rig, tmp_path / "log.jsonl", mask_numbers=True):
            await rig.until_status(await rig.send(), "sent")
            await driver.report(InboundPart(sender=PHONE, encoding=Encoding.GSM7, payload=b"TD"))
        assert PHONE[1:] not in (tmp_path / "log.jsonl").read_text()
        assert {
            line.get("to") or line.get("from") or line["number"] for line in lines(tmp_path / "log.jsonl")
        } == {"+861******8000"}


async def test_rotation_loses_no_line(tmp_path: Path):
    path = tmp_path / "log.jsonl"
    async with running(tmp_path / "s.db", ScriptedDriver("a")) as rig:
        async with logging(rig, path) as log:
            sent = []
            for n in range(6):
                sent.append(await rig.until_status(await rig.send(), "sent"))
                if n % 2:
                    path.rename(tmp_path / f"log.{n}")
                    log.reopen()
        found = lines(*(tmp_path / f"log.{n}" for n in (1, 3, 5)), path)
        for message in sent:
            assert of(found, message.id) == ["queued", "sending", "sent"]
        assert len({line["seq"] for line in found}) == len(found)


async def test_a_restart_goes_on_after_the_last_line(tmp_path: Path):
    path = tmp_path / "log.jsonl"
    async with running(tmp_path / "s.db", ScriptedDriver("a")) as rig:
        async with logging(rig, path):
            before = await rig.until_status(await rig.send(), "sent")
        unseen = await rig.until_status(await rig.send(), "sent")
        async with logging(rig, path):
            after = await rig.until_status(await rig.send(), "sent")
        found = lines(path)
        for message in (before, unseen, after):
            assert of(found, message.id) == ["queued", "sending", "sent"]


async def test_half_a_line_is_cut_off_and_written_whole(tmp_path: Path):
    path = tmp_path / "log.jsonl"
    async with running(tmp_path / "s.db", ScriptedDriver("a")) as rig:
        async with logging(rig, path):
            message = await rig.until_status(await rig.send(), "sent")
        os.truncate(path, path.stat().st_size - 10)
        async with logging(rig, path):
            pass
        assert of(lines(path), message.id) == ["queued", "sending", "sent"]


async def test_a_log_that_is_new_begins_with_the_present(tmp_path: Path):
    async with running(tmp_path / "s.db", ScriptedDriver("a")) as rig:
        old = await rig.until_status(await rig.send(), "sent")
        async with logging(rig, tmp_path / "log.jsonl"):
            new = await rig.until_status(await rig.send(), "sent")
        found = lines(tmp_path / "log.jsonl")
        assert of(found, old.id) == []
        assert of(found, new.id) == ["queued", "sending", "sent"]


async def test_a_crash_before_the_first_line_of_a_file_loses_none(tmp_path: Path):
    """The file was made, messages were accepted, and the daemon died before it wrote of them."""
    path = tmp_path / "log.jsonl"
    async with running(tmp_path / "s.db", ScriptedDriver("a")) as rig:
        first = DeliveryLog(rig.store, rig.clock, str(path), mask_numbers=False)
        await first.open()
        message = await rig.until_status(await rig.send(), "sent")
        first.close()
        async with logging(rig, path):
            pass
        assert of(lines(path), message.id) == ["queued", "sending", "sent"]


async def test_a_crash_after_a_rotation_loses_no_line(tmp_path: Path):
    path = tmp_path / "log.jsonl"
    async with running(tmp_path / "s.db", ScriptedDriver("a")) as rig:
        async with logging(rig, path) as log:
            before = await rig.until_status(await rig.send(), "sent")
            await caught_up(rig, log)
            path.rename(tmp_path / "log.1")
            log.reopen()
        unseen = await rig.until_status(await rig.send(), "sent")
        async with logging(rig, path):
            pass
        found = lines(path)
        assert of(found, before.id) == [], "what is in the old file is not repeated"
        assert of(found, unseen.id) == ["queued", "sending", "sent"]


async def test_a_file_that_was_moved_away_while_stopped_is_not_written_twice(tmp_path: Path):
    path = tmp_path / "log.jsonl"
    async with running(tmp_path / "s.db", ScriptedDriver("a")) as rig:
        async with logging(rig, path):
            before = await rig.until_status(await rig.send(), "sent")
        path.rename(tmp_path / "log.1")
        unseen = await rig.until_status(await rig.send(), "sent")
        async with logging(rig, path):
            pass
        assert of(lines(path), before.id) == []
        assert of(lines(path), unseen.id) == ["queued", "sending", "sent"]


async def test_a_place_that_cannot_be_written_does_not_stop_the_log(tmp_path: Path):
    path = tmp_path / "log.jsonl"
    (tmp_path / "log.jsonl.place.new").mkdir()
    async with running(tmp_path / "s.db", ScriptedDriver("a")) as rig:
        async with logging(rig, path):
            message = await rig.until_status(await rig.send(), "sent")
        assert of(lines(path), message.id) == ["queued", "sending", "sent"]


async def test_a_disk_without_room_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gateway.timeline.delivery_log.WRITE_RETRY_S", 0.01)
    real_write = os.write
    room = {"octets": 100}

    def write(handle: int, octets: bytes) -> int:
        allowed = octets[: room["octets"]]
        if octets and not allowed:
            raise OSError(28, "No space left on device")
        return real_write(handle, allowed)

    monkeypatch.setattr("gateway.timeline.delivery_log.os.write", write)
    path = tmp_path / "log.jsonl"
    async with running(tmp_path / "s.db", ScriptedDriver("a")) as rig:
        async with logging(rig, path) as log:
            message = await rig.until_status(await rig.send(), "sent")
            room["octets"] = 0
            await rig.until(lambda: path.stat().st_size == 0)
            room["octets"] = 10**9
            await caught_up(rig, log)
        assert of(lines(path), message.id) == ["queued", "sending", "sent"]


async def test_a_store_that_could_not_be_read_once_does_not_end_the_log(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("gateway.timeline.follow.STORE_RETRY_S", 0.01)
    failures = iter([StoreUnavailable("disk I/O error"), StoreBusy("another process holds the store")])

    async def load(tx: Tx, after_seq: int, limit: int) -> Lines | None:
        if (failure := next(failures, None)) is not None:
            raise failure
        return await load_lines(tx, after_seq, limit)

    monkeypatch.setattr(follow, "load_lines", load)
    path = tmp_path / "delivery.jsonl"
    async with running(tmp_path / "s.db", ScriptedDriver("a")) as rig, logging(rig, path):
        message = await rig.send()
        await rig.until(lambda: of(lines(path), message.id) == ["queued", "sending", "sent"])
