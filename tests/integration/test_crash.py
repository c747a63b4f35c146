"""Killed at every commit in turn: nothing that was answered is lost, nothing goes out twice unmarked."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import pytest

from drivers.base import Encoding
from drivers.codec.segment import decode_payload
from gateway.model.message import Message
from gateway.routing.costs import Spent
from gateway.routing.retry import OnUncertain, RetryPolicy
from gateway.store.costs import load_costs
from gateway.store.messages import MessageFilter
from tests.support.costs import check_books
from tests.support.crash_scenario import (
    HASTY,
    INBOUND,
    ON_POSTGRES,
    PRICES,
    TWO_PARTS,
    DatabasesByFolder,
    JournalingDriver,
    databases_in_use,
)
from tests.support.gateway import Rig, receipt, running
from tests.support.people import OPERATOR
from tests.support.postgres import Cluster
from tests.support.product import list_messages, resend_message

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]


Crashes = tuple[OnUncertain, Path]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "postgres" and not ON_POSTGRES:
        pytest.skip("the rig opens files only")
    return str(request.param)


@pytest.fixture(scope="module", params=list(OnUncertain))
def crashes(
    request: pytest.FixtureRequest, kind: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Crashes]:
    """What is left of a message's life, killed before and after each of its commits."""
    with _crashed(request, kind, tmp_path_factory, "message", request.param) as root:
        yield request.param, root


@pytest.fixture(scope="module")
def other_crashes(
    request: pytest.FixtureRequest, kind: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """The same of the other life: an early receipt, parts that come in, a message that is taken back."""
    with _crashed(request, kind, tmp_path_factory, "more", OnUncertain.HOLD) as root:
        yield root


@contextmanager
def _crashed(
    request: pytest.FixtureRequest,
    kind: str,
    tmp_path_factory: pytest.TempPathFactory,
    life: str,
    on_uncertain: OnUncertain,
) -> Iterator[Path]:
    root = tmp_path_factory.mktemp(f"crash-{life}-{on_uncertain}")
    command = [sys.executable, "-m", "tests.support.crash_scenario", str(root), life, str(on_uncertain)]
    databases: AbstractContextManager[object] = nullcontext()
    if kind == "postgres":
        server: Cluster = request.getfixturevalue("postgres_cluster")
        command += [str(server.folder), str(server.port)]
        databases = databases_in_use(
            DatabasesByFolder(server.folder, server.port, root.name.replace("-", "_"))
        )
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=170, check=False)
    assert ended.returncode == 0, ended.stderr
    with databases:
        yield root


def in_order(root: Path) -> list[Path]:
    return sorted(root.iterdir(), key=lambda folder: int(folder.name))


def journal(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


async def messages_of(rig: Rig) -> list[Message]:
    return await rig.store.read(lambda tx: list_messages(tx, MessageFilter(), limit=10, before=None))


async def test_nothing_is_lost_and_nothing_goes_twice_unmarked(crashes: tuple[OnUncertain, Path]):
    on_uncertain, root = crashes
    seen: Counter[str] = Counter()
    folders = in_order(root)
    assert len(folders) > 12, "accept, claim, two results and two receipts are commits of their own"
    for folder in folders:
        outcome = await _restart(folder, on_uncertain)
        seen[outcome] += 1
    assert seen["nothing was accepted"] > 0, "killed before the accept"
    assert seen["delivered"] > 0, "killed after the last receipt, or never"
    if on_uncertain is OnUncertain.HOLD:
        assert seen["uncertain"] > 0, "killed with a segment on the wire"
    if on_uncertain is OnUncertain.FAIL:
        assert seen["failed"] > 0
    if on_uncertain is OnUncertain.RETRY:
        assert seen["sent twice"] > 0


async def test_early_receipts_parts_and_cancels_survive_a_kill(other_crashes: Path):
    seen: Counter[str] = Counter()
    for folder in in_order(other_crashes):
        driver = JournalingDriver("a", folder / "submitted")
        async with running(folder / "s.db", driver, policy=RetryPolicy(first_s=1.0)) as rig:
            await rig.settled()
            told = {*journal(folder / "acknowledged")}
            for part in INBOUND:  # the network brings again what we did not acknowledge
                if part.dedupe_key not in told:
                    await driver.report(part)
            assert [message.text for message in await rig.inbound()] == ["鸿雁"], folder
            kept: dict[str, Message] = {m.id: m for m in await messages_of(rig)}
            assert {*journal(folder / "answered")} <= kept.keys()
            for message_id in journal(folder / "canceled"):
                assert kept[message_id].status == "canceled"
            submits = Counter(line.partition(":")[0] for line in journal(folder / "submitted"))
            assert max(submits.values(), default=0) <= 1, folder
            for message in kept.values():
                if message.recipient != HASTY:
                    assert message.status in {"scheduled", "canceled"}
                    assert not submits[message.id]
                    continue
                assert message.status == "uncertain" or (message.status, submits[message.id]) == (
                    "delivered",
                    1,
                )
                seen[message.status] += 1
    assert seen["delivered"] > 1, "by a receipt that came before its answer"
    assert seen["uncertain"] > 0, "killed between the octets and their receipt"


async def _restart(folder: Path, on_uncertain: OnUncertain) -> str:
    """Start anew on what a crash left, let it settle, and hold it against the journals."""
    driver = JournalingDriver("a", folder / "submitted")
    policy = RetryPolicy(on_uncertain=on_uncertain, first_s=1.0)
    async with running(folder / "s.db", driver, policy=policy, prices=PRICES) as rig:
        answered, kept = journal(folder / "answered"), await messages_of(rig)
        assert {*answered} <= {m.id for m in kept}, "what was answered is there"
        if not kept:
            assert not journal(folder / "submitted")
            return "nothing was accepted"
        (message,) = kept
        await rig.settled()
        await rig.advance(2.0)
        await rig.settled()
        message = await rig.message(message.id)
        submits = Counter(journal(folder / "submitted"))
        segments = await rig.segments(message.id)
        assert "".join(decode_payload(Encoding.UCS2, s.payload) for s in segments) == TWO_PARTS
        states = await rig.states(message.id)
        marks = [
            d.error for d in await rig.details(message.id) if d.error and d.error.startswith("interrupted")
        ]
        for segment in segments:
            n = submits[f"{message.id}:{segment.part}"]
            assert n >= (segment.status in {"sent", "delivered"}), "what is said to be sent was sent"
            assert n <= 1 + (on_uncertain is OnUncertain.RETRY and bool(marks)), "no segment twice unmarked"
            if segment.status == "queued":
                assert n == 0
        if message.status == "sent":
            for part in (1, 2):
                await driver.report(receipt(f"{message.id}:{part}"))
            message = await rig.message(message.id)
            assert message.status == "delivered"
        await _check_costs(rig, message, on_uncertain, submits)
        if message.status == "uncertain":
            assert states[-1] == "uncertain"
            await _settle_by_hand(rig, message, driver)
            return "uncertain"
        assert message.status == ("failed" if on_uncertain is OnUncertain.FAIL and marks else "delivered")
        if max(submits.values(), default=0) > 1:
            return "sent twice"
        return message.status.value


async def _check_costs(rig: Rig, message: Message, on_uncertain: OnUncertain, submits: Counter[str]) -> None:
    """Whatever commit it was killed at, each submit is charged once, and the sums are those of the messages."""
    spent = (await check_books(rig.store)).get("CNY", Spent())
    assert spent == (await rig.store.read(lambda tx: load_costs(tx, [message.id]))).get(message.id, {}).get(
        "CNY", Spent()
    )
    assert spent.micros == 45_000 * spent.segments
    assert spent.uncertain_micros == 45_000 * spent.uncertain_segments
    n = spent.segments + spent.uncertain_segments
    # A segment that was marked as going out, and never did, is uncertain, too.
    assert sum(submits.values()) <= n <= sum(submits.values()) + 1
    if message.status == "delivered" and on_uncertain is not OnUncertain.RETRY:
        assert spent == Spent(2, 90_000)


async def _settle_by_hand(rig: Rig, message: Message, driver: JournalingDriver) -> None:
    """An operator's resend brings an uncertain message to its end, too."""
    await resend_message(rig.store, rig.clock, message.id, by=OPERATOR)
    await rig.sweep()
    await rig.until_status(message, "sent")
    for part in (1, 2):
        await driver.report(receipt(f"{message.id}:{part}"))
    assert (await rig.message(message.id)).status == "delivered"
