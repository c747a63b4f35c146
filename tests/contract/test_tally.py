"""What happens is counted by the hour, once, whatever is stopped in between; and the overview draws it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.ids import make_id
from gateway.model.events import make_event
from gateway.runtime.stores import OpenStore
from gateway.store.ports import Tx
from gateway.store.tallies import Hour, add_tallies, list_tallies
from gateway.timeline.tally import Tally
from tests.support.api import SettableClock
from tests.support.console import open_console

LATE = datetime(2026, 3, 1, 10, 59, 59, tzinfo=UTC)
NEXT = datetime(2026, 3, 1, 11, 0, 0, tzinfo=UTC)


async def _record(store: OpenStore, *events: tuple[str, datetime]) -> None:
    async def op(tx: Tx) -> None:
        for kind, at in events:
            tx.record(make_event(kind, at, make_id(), {"status": "x"}))

    await store.write(op)


async def test_each_event_counts_once_in_its_hour(store: OpenStore) -> None:
    first = Tally(store, SettableClock())
    await first.look()
    await _record(store, ("message.sent", LATE), ("message.delivered", LATE), ("message.delivered", NEXT))
    await _record(store, ("channel.up", NEXT), ("message.queued", NEXT), ("inbound.received", NEXT))
    await first.look()
    await first.look()
    await _record(store, ("message.delivered", NEXT))
    await Tally(store, SettableClock()).look()
    counted = await store.read(lambda tx: list_tallies(tx, LATE - timedelta(days=1)))
    ten, eleven = LATE.replace(minute=0, second=0), NEXT
    assert counted == {
        Hour(ten, "message.sent"): 1,
        Hour(ten, "message.delivered"): 1,
        Hour(eleven, "message.delivered"): 2,
        Hour(eleven, "inbound.received"): 1,
    }


async def test_old_hours_are_dropped(store: OpenStore) -> None:
    old, now = Hour(LATE - timedelta(days=401), "message.sent"), Hour(NEXT, "message.sent")
    await store.write(lambda tx: add_tallies(tx, Counter({old: 1}), old.at))
    await store.write(lambda tx: add_tallies(tx, Counter({now: 1}), NEXT))
    assert set(await store.read(lambda tx: list_tallies(tx, old.at))) == {now}


async def test_the_overview_shows_what_waits_what_is_wrong_and_what_became_of_messages(
    tmp_path: Path,
) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        await rig.api.send()
        hour = rig.api.clock.now().replace(minute=0, second=0, microsecond=0)
        counted = Counter({Hour(hour, "message.delivered"): 1_234, Hour(hour, "message.failed"): 17})
        await rig.api.store.write(lambda tx: add_tallies(tx, counted, hour))
        page = await visitor.get("/")
        assert "goes next" in page.text
        assert "sim-1" in page.text
        assert "1,234" in page.text
        assert (await visitor.get("/?range=month")).status == 200


async def test_whoever_has_no_role_is_told_so(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig:
        await rig.add_user("new")
        async with rig.visitor() as visitor:
            await visitor.post("/sign-in", {"name": "new", "password": "a wild goose flies south"})
            page = await visitor.get("/")
            assert page.status == 403
            assert "ask an administrator" in page.text
