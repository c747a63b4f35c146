"""An encrypted store: a day of traffic of which nothing can be read, on its way from clear and back to it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from drivers.base import Concat, Encoding, InboundPart
from drivers.codec.gsm7 import encode_gsm7
from gateway.errors import StoreLocked
from gateway.model.message import Suppression
from gateway.runtime.rekeying import decrypt, encrypt, rotate
from gateway.store.esme import EsmeSubmit, find_waiting_between, save_submits
from gateway.store.events import load_timeline
from gateway.store.keys import find_answer, save_answer
from gateway.store.messages import MessageFilter, list_whole
from gateway.store.sealing import walk
from gateway.store.sealing.columns import Kind, kind_of
from gateway.store.sealing.keys import NOT_SEALED
from gateway.store.sealing.operator_key import OperatorKey
from gateway.store.sealing.seals import OCTETS_MARK
from gateway.store.sealing.walk import raw_of
from gateway.store.suppressions import find_covering, save_suppression
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import PHONE, ScriptedChannel, receipt, running
from tests.support.people import OPERATOR
from tests.support.stores import OpenStore, open_at, settings_at

pytestmark = pytest.mark.integration

OTHER, NATIONAL, OURS = "+8613900139000", "106900001111", "+8613700137000"
SECRET = "the cellar key is under the mat"
LONG = "a text of several parts, all of them about the mat. " * 8
PIECES = ("cellar", "the mat", "grandmother", "8613800138000", "8613900139000", NATIONAL, "8613700137000")
"""What nobody may find: of texts and of numbers."""


def gsm7(text: str, sender: str = PHONE, concat: Concat | None = None) -> InboundPart:
    return InboundPart(sender=sender, encoding=Encoding.GSM7, payload=encode_gsm7(text), concat=concat)


async def have_a_day(path: Path) -> None:
    """Something of everything that bears numbers and texts."""
    driver = ScriptedDriver("a")
    async with running(path, ScriptedChannel(driver=driver, kind="smpp", number=OURS)) as rig:
        for to, text in ((PHONE, SECRET), (OTHER, LONG), (PHONE, "问候 grandmother 😀")):
            await rig.send(to, text, sequence="s1", reference="r-1", tags=["otp"])
        await rig.send(PHONE, SECRET, schedule_at=rig.clock.now() + timedelta(days=2))
        await rig.settled()
        await driver.report(receipt("1"))
        await driver.report(receipt("999999", to=OTHER))
        await driver.report(gsm7(f"dear grandmother, {SECRET}"))
        await driver.report(gsm7("half of it: cellar", OTHER, Concat(reference=7, total=2, part=1)))
        await driver.report(gsm7("TD", OTHER))
        await driver.report(gsm7("TD", NATIONAL))
        await rig.settled()
        now = rig.clock.now()

        async def by_other_doors(tx: Any) -> None:
            await save_answer(tx, "key", "idem-1", b"hash of cellar", b'{"text": "cellar"}', now)
            submit = EsmeSubmit(
                told_id="t1", account="app", message_id="m1", source=NATIONAL, destination=OTHER,
                registered=1, waiting=True, submitted_at=now, data_coding=0,
            )  # fmt: skip
            await save_submits(tx, [submit])
            await save_suppression(
                tx, Suppression(number=NATIONAL, source="api", reason="wrote about the mat", created_at=now)
            )

        await rig.store.write(by_other_doors)


async def look_around(store: OpenStore) -> dict[str, object]:
    """What is found by looking for it."""

    async def op(tx: Any) -> dict[str, object]:
        found = await list_whole(tx, MessageFilter(to=(OTHER,)), limit=100, before=None)
        return {
            "to other": [(w.message.recipient, w.message.text, len(w.segments)) for w in found],
            "opted out": [s.reason for s in await find_covering(tx, NATIONAL)],
            "waiting": [s.told_id for s in await find_waiting_between(tx, "app", NATIONAL, OTHER)],
            "answer": await find_answer(tx, "key", "idem-1"),
            "of the number": [(e.type, e.data) for e in await load_timeline(tx, OTHER)],
        }

    return await store.read(op)


async def read_all(store: OpenStore, *, raw: bool = False) -> dict[str, list[Any]]:
    """Every row of every table, opened; as it stands there, where ``raw``."""

    async def op(tx: Any) -> dict[str, list[Any]]:
        under = raw_of(tx) if raw else tx
        tables = await store.list_tables(tx)
        return {
            table.name: sorted(
                (tuple(row) for row in await under.fetch(f"SELECT * FROM {table.name}")), key=repr
            )
            for table in tables
            if table.name not in NOT_SEALED
        }

    return await store.read(op)


async def readable(path: Path, store: OpenStore) -> list[str]:
    """What can be read of `PIECES`, in rows and in files; and octets that are not sealed, which may hide some."""
    found = []
    rows = await read_all(store, raw=True)
    for table, those in rows.items():
        told = repr(those)
        found += [f"{table}: {piece}" for piece in PIECES if piece in told]
    for place in await store.read(store.list_tables):
        for column in place.octets:
            if place.name not in NOT_SEALED and kind_of(place.name, column) is not Kind.PLAIN:
                values = await read_column(store, place.name, column)
                found += [
                    f"{place.name}.{column}" for one in values if one and not one.startswith(OCTETS_MARK)
                ]
    for file in path.parent.glob(f"{path.name}*"):
        octets = file.read_bytes()
        for piece in PIECES:
            found += [f"{file.name}: {piece}" for form in forms(piece) if form in octets]
    return found


async def read_column(store: OpenStore, table: str, column: str) -> list[bytes]:
    rows = await store.read(lambda tx: raw_of(tx).fetch(f"SELECT {column} FROM {table}"))
    return [row[0] for row in rows]


def forms(text: str) -> Iterator[bytes]:
    yield from (text.encode(), text.encode("utf-16-be"), text.encode("utf-16-le"))


@pytest.fixture
def key(tmp_path: Path) -> OperatorKey:
    made = OperatorKey.make()
    (tmp_path / "store.key").write_text(made.write())
    return made


async def test_nothing_of_a_day_can_be_read_and_all_of_it_is_found(tmp_path: Path, key: OperatorKey):
    path = tmp_path / "s.db"
    await have_a_day(path)
    store = await open_at(path)
    try:
        assert await readable(path, store) == []
        found = await look_around(store)
    finally:
        await store.close()
    (tmp_path / "clear").mkdir()
    await have_a_day(tmp_path / "clear" / "s.db")
    clear = await open_at(tmp_path / "clear" / "s.db")
    try:
        told = await readable(tmp_path / "clear" / "s.db", clear)
        assert {"messages: 8613800138000", "inbound: grandmother"} <= set(told), (
            "the test sees what is in clear"
        )
        expected = await look_around(clear)
    finally:
        await clear.close()
    assert all(expected.values())
    del found["of the number"], expected["of the number"]  # times and ids differ
    assert found == expected


async def test_without_its_key_or_with_another_the_store_does_not_open_and_says_what_to_write(
    tmp_path: Path, key: OperatorKey
):
    path = tmp_path / "s.db"
    await have_a_day(path)
    (tmp_path / "store.key").unlink()
    with pytest.raises(StoreLocked, match=f"encryption_key_file.*{key.fingerprint}"):
        await open_at(path)
    (tmp_path / "store.key").write_text(OperatorKey.make().write())
    with pytest.raises(StoreLocked, match="encrypted with another key"):
        await open_at(path)


async def test_a_store_in_clear_is_not_opened_with_a_key(tmp_path: Path):
    path = tmp_path / "s.db"
    await have_a_day(path)
    (tmp_path / "store.key").write_text(OperatorKey.make().write())
    with pytest.raises(StoreLocked, match="hongyan db encrypt"):
        await open_at(path)


class Interrupted(Exception):
    pass


class Steps:
    """Ends the work after the next step, or lets it go on to its end."""

    def __init__(self) -> None:
        self.interrupts = True
        self.n = 0

    def take(self, table: str, done: int) -> None:
        self.n += 1
        if self.interrupts:
            raise Interrupted


async def test_to_encrypted_to_another_key_and_back_with_an_end_after_every_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(walk, "PIECE", 2)
    path, key_file = tmp_path / "s.db", tmp_path / "store.key"
    await have_a_day(path)
    settings = await settings_at(path)
    one, two = OperatorKey.make(), OperatorKey.make()
    deeds: list[str] = []

    async def looked(key: OperatorKey | None) -> tuple[object, object, Sequence[str]]:
        key_file.unlink(missing_ok=True)
        if key is not None:
            key_file.write_text(key.write())
        store = await open_at(path)
        try:
            rows = await read_all(store)
            del rows["event_subjects"], rows["instances"], rows["audit_head"]
            deeds[:] = [row[4] for row in rows["audit"] if row[4].startswith("store.")]
            rows["audit"] = [row for row in rows["audit"] if not row[4].startswith("store.")]
            return rows, await look_around(store), await readable(path, store)
        finally:
            await store.close()

    async def to_the_end(work: Any) -> None:
        steps = Steps()
        while True:
            try:
                await work(steps.take)
            except Interrupted:
                with pytest.raises(StoreLocked, match="go on with"):
                    await looked(one)
                steps.interrupts = steps.n % 5 != 0
            else:
                break
        assert steps.n > 20

    clear = await looked(None)
    await to_the_end(lambda on_step: encrypt(settings, one, on_step, OPERATOR))
    sealed = await looked(one)
    assert sealed[:2] == clear[:2]
    assert sealed[2] == []
    await to_the_end(lambda on_step: rotate(settings, one, two, on_step, OPERATOR))
    with pytest.raises(StoreLocked, match="another key"):
        await looked(one)
    rotated = await looked(two)
    assert rotated[:2] == clear[:2]
    assert rotated[2] == []
    one = two
    await to_the_end(lambda on_step: decrypt(settings, two, on_step, OPERATOR))
    assert (await looked(None))[:2] == clear[:2]
    assert deeds == ["store.encrypting", "store.rotating", "store.decrypting"], (
        "each once, however interrupted"
    )


async def test_a_store_in_clear_does_not_even_load_the_ciphers(tmp_path: Path):
    code = (
        "import asyncio, sys; from gateway.settings.store import StoreSettings;"
        "from gateway.runtime.stores import open_store;"
        f"asyncio.run(asyncio.wait_for(open_store(StoreSettings(url='sqlite:///{tmp_path}/s.db')), 60));"
        "print('gateway.store.sealing.seals' in sys.modules, 'cryptography' in sys.modules)"
    )
    ran = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    told, _ = await ran.communicate()
    assert told.split() == [b"False", b"False"]
