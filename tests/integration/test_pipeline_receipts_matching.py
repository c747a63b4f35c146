"""Receipts of several binds of one account, in dialects, and those that name nothing of ours."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from drivers.base import Receipt, ReceiptState
from gateway.errors import Conflict, NotFound
from gateway.pipeline.receipts.apply import save_accounts
from gateway.pipeline.receipts.dialects import LEARNED
from gateway.store.receipts import count_kept, list_kept
from tests.support.fake_driver import ScriptedDriver, accepted
from tests.support.gateway import PHONE, ScriptedChannel, receipt, running
from tests.support.people import OPERATOR
from tests.support.product import match_receipt
from tests.support.receipts import OTHER, sent_as, status_of

pytestmark = pytest.mark.integration


def bind(driver: ScriptedDriver) -> ScriptedChannel:
    return ScriptedChannel(driver=driver, account="carrier")


async def test_a_receipt_on_another_bind_of_the_account_is_ours(tmp_path: Path):
    a, b = ScriptedDriver("a"), ScriptedDriver("b")
    async with running(tmp_path / "s.db", bind(a), bind(b)) as rig:
        await rig.store.write(lambda tx: save_accounts(tx, list(rig.lanes.values())))
        a.script.append(accepted("abc"))
        message = await rig.until_status(await rig.send(channel="a"), "sent")
        await b.report(receipt("abc"))
        assert await status_of(rig, message) == ["delivered"]


async def test_an_early_receipt_on_another_bind_of_the_account_is_kept_for_its_answer(tmp_path: Path):
    a, b = ScriptedDriver("a"), ScriptedDriver("b")
    async with running(tmp_path / "s.db", bind(a), bind(b)) as rig:
        await rig.store.write(lambda tx: save_accounts(tx, list(rig.lanes.values())))
        a.hold()
        a.script.append(accepted("abc"))
        message = await rig.send(channel="a")
        await a.until_submitted(1)
        await b.report(receipt("abc"))
        a.release()
        await rig.until_status(message, "delivered")


def spelled(*spellings: tuple[str, str], to: str | None = PHONE) -> Receipt:
    return replace(
        receipt(*(reference for reference, _ in spellings), to=to),
        dialects=tuple(dialect for _, dialect in spellings),
    )


async def test_the_dialect_of_an_account_is_learned_shown_and_kept_over_a_restart(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        for number in range(LEARNED):
            await sent_as(rig, driver, f"{number + 16:x}")
            await driver.report(spelled((str(number + 16), "as-is"), (f"{number + 16:x}", "hex-to-decimal")))
        assert rig.lanes["a"].facts["receipt_ids"] == "hex-to-decimal"
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        # Both ids exist, and as given it is the other message's: what was learned decides.
        other = await sent_as(rig, driver, "100")
        meant = await sent_as(rig, driver, "64")
        await driver.report(spelled(("100", "as-is"), ("64", "hex-to-decimal")))
        assert await status_of(rig, other, meant) == ["sent", "delivered"]


async def test_before_anything_is_learned_the_spelling_as_given_counts(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        meant = await sent_as(rig, driver, "100")
        other = await sent_as(rig, driver, "64")
        await driver.report(spelled(("100", "as-is"), ("64", "hex-to-decimal")))
        assert await status_of(rig, other, meant) == ["sent", "delivered"]
        assert "receipt_ids" not in rig.lanes["a"].facts


async def test_a_receipt_twice_does_not_settle_the_message_that_another_dialect_would_mean(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        messages = []
        for number in range(100, 100 + LEARNED):
            messages.append(await sent_as(rig, driver, str(number)))
            await driver.report(spelled((str(number), "as-is"), (f"{number:x}", "hex-to-decimal")))
        other = await sent_as(rig, driver, f"{number:x}")
        await driver.report(spelled((str(number), "as-is"), (f"{number:x}", "hex-to-decimal")))
        assert await status_of(rig, messages[-1], other) == ["delivered", "sent"]


@pytest.mark.parametrize("to", ["10690000", "861380****000", OTHER])
async def test_an_id_as_given_is_enough_whatever_the_carrier_writes_for_the_handset(tmp_path: Path, to: str):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await sent_as(rig, driver, "64")
        await driver.report(spelled(("100", "as-is"), ("64", "hex-to-decimal"), to=to))
        assert await status_of(rig, message) == ["sent"]  # that is a guess
        await driver.report(spelled(("64", "as-is"), ("40", "hex-to-decimal"), to=to))
        assert await status_of(rig, message) == ["delivered"]


@pytest.mark.parametrize("to", ["861380****000", OTHER])
async def test_a_masked_receipt_that_is_faster_than_the_answer_is_kept_for_it(tmp_path: Path, to: str):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        driver.hold()
        driver.script += [accepted("64"), accepted("40")]
        guessed, meant = await rig.send(), await rig.send()
        await driver.until_submitted(2)
        await driver.report(spelled(("40", "as-is"), ("64", "decimal-to-hex"), to=to))
        driver.release()
        await rig.until_status(meant, "delivered")
        await rig.until_status(guessed, "sent")


@pytest.mark.parametrize(
    ("ids", "to"),
    # The account reports as given, or in decimal; which is not known yet.
    [(("64", "100"), OTHER), (("100", "64"), OTHER.lstrip("+"))],
    ids=["as given", "in decimal"],
)
async def test_an_early_receipt_is_not_taken_by_another_handset_while_its_own_waits_for_an_answer(
    tmp_path: Path, ids: tuple[str, str], to: str
):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        driver.hold()
        driver.script += map(accepted, ids)
        other, message = await rig.send(), await rig.send(OTHER)
        await driver.until_submitted(2)
        await driver.report(spelled(("100", "as-is"), ("64", "hex-to-decimal"), to=to))
        driver.release()
        await rig.until_status(message, "delivered")
        await rig.until_status(other, "sent")


@pytest.mark.parametrize("first", ["delivered", "sent"])
async def test_an_early_receipt_is_not_that_of_another_handset_whose_old_id_was_given_anew(
    tmp_path: Path, first: str
):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        before = await sent_as(rig, driver, "7", to=OTHER)
        if first == "delivered":
            await driver.report(receipt("7", to=OTHER))
        rig.clock.advance(30 * 86_400.0)  # the SMSC has begun to count anew
        driver.hold()
        driver.script.append(accepted("7"))
        message = await rig.send()
        await driver.until_submitted(2)
        await driver.report(spelled(("7", "as-is")))
        driver.release()
        await rig.until_status(message, "delivered")
        assert await status_of(rig, before) == [first]


@pytest.mark.parametrize("is_settled", [False, True])
async def test_an_id_that_an_smsc_gives_again_is_that_of_the_handset_that_waits_for_its_answer(
    tmp_path: Path, is_settled: bool
):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        before = await sent_as(rig, driver, "64")
        if is_settled:
            await driver.report(spelled(("64", "as-is")))
        driver.hold()
        driver.script.append(accepted("64"))
        message = await rig.send(OTHER)
        await driver.until_submitted(2)
        await driver.report(spelled(("64", "as-is"), ("40", "hex-to-decimal"), to=OTHER.lstrip("+")))
        driver.release()
        await rig.until_status(message, "delivered")
        assert await status_of(rig, before) == ["delivered" if is_settled else "sent"]


async def test_an_id_that_the_receipt_cut_off_is_found_by_handset(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        meant = await sent_as(rig, driver, "0123456789-abc")
        other = await sent_as(rig, driver, "0123456789-def", to=OTHER)
        await driver.report(spelled(("0123456789", "as-is")))
        assert await status_of(rig, meant, other) == ["delivered", "sent"]


@pytest.mark.parametrize(
    ("known_as", "reported"),
    [("0009085", "9085"), ("9085", "00000009085"), ("123e4567-e89b-12d3", "123e4567e89b12d3"), ("a_1", "A1")],
)
async def test_an_id_that_differs_in_zeros_and_signs_is_found_by_handset(
    tmp_path: Path, known_as: str, reported: str
):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        meant, beside = await sent_as(rig, driver, known_as), await sent_as(rig, driver, "777")
        other = await sent_as(rig, driver, f"0{known_as}", to=OTHER)
        await driver.report(spelled((reported, "as-is")))
        assert await status_of(rig, meant, beside, other) == ["delivered", "sent", "sent"]


@pytest.mark.parametrize("to", [PHONE, PHONE.removeprefix("+")])
async def test_a_receipt_that_names_only_the_handset_settles_the_one_segment_to_it(tmp_path: Path, to: str):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await sent_as(rig, driver, "abc")
        await sent_as(rig, driver, "def", to=OTHER)
        await driver.report(receipt(to=to))
        assert await status_of(rig, message) == ["delivered"]


async def test_of_two_segments_to_a_handset_none_is_guessed_and_the_receipt_is_kept(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        messages = [await sent_as(rig, driver, "abc"), await sent_as(rig, driver, "def")]
        await driver.report(receipt())
        assert await status_of(rig, *messages) == ["sent", "sent"]
        [kept] = await rig.store.read(lambda tx: list_kept(tx, channel=None, limit=10, before=None))
        assert (kept.references, kept.early.recipient) == ((), PHONE)
        await match_receipt(rig.store, rig.clock, kept.early.receipt_id, messages[1].id, 1, by=OPERATOR)
        assert await status_of(rig, *messages) == ["sent", "delivered"]
        assert await rig.store.read(count_kept) == 0


async def test_whoever_reads_what_the_gateway_could_not_tells_what_it_says(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await sent_as(rig, driver, "abc")
        await driver.report(
            replace(receipt("abc", state=ReceiptState.UNKNOWN), understood=False, word="RT:0148")
        )
        [kept] = await rig.store.read(lambda tx: list_kept(tx, channel=None, limit=10, before=None))
        receipt_id = kept.early.receipt_id
        await match_receipt(
            rig.store, rig.clock, receipt_id, message.id, 1, ReceiptState.REJECTED, by=OPERATOR
        )
        assert await status_of(rig, message) == ["undelivered"]
        assert await rig.store.read(count_kept) == 0
        [matched] = [e for e in await rig.events(message.id) if e.type == "receipt.matched"]
        assert json.loads(matched.data) == {
            "id": message.id, "part": 1, "receipt": receipt_id, "state": "rejected", "by": "key:operator",
        }  # fmt: skip


async def test_what_was_never_ours_is_kept_and_listed_with_its_spellings(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await driver.report(receipt("abc", "0abc", state=ReceiptState.EXPIRED))
        await driver.report(receipt("def", state=ReceiptState.ENROUTE))
        newest, oldest = await rig.store.read(lambda tx: list_kept(tx, channel="a", limit=10, before=None))
        assert (newest.early.state, oldest.early.state) == ("enroute", "expired")
        assert oldest.references == ("abc", "0abc")
        before = newest.early.receipt_id
        assert await rig.store.read(lambda tx: list_kept(tx, channel="a", limit=10, before=before)) == [
            oldest
        ]
        assert await rig.store.read(lambda tx: list_kept(tx, channel="b", limit=10, before=None)) == []


async def test_a_receipt_is_not_matched_to_what_waits_for_none(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await sent_as(rig, driver, "abc")
        await driver.report(receipt("abc"))
        await driver.report(receipt("xyz"))
        [kept] = await rig.store.read(lambda tx: list_kept(tx, channel=None, limit=10, before=None))
        with pytest.raises(Conflict, match="delivered"):
            await match_receipt(rig.store, rig.clock, kept.early.receipt_id, message.id, 1, by=OPERATOR)
        with pytest.raises(NotFound, match="1 parts"):
            await match_receipt(rig.store, rig.clock, kept.early.receipt_id, message.id, 2, by=OPERATOR)
        with pytest.raises(NotFound):
            await match_receipt(rig.store, rig.clock, message.id, message.id, 1, by=OPERATOR)
        assert await rig.store.read(count_kept) == 1
