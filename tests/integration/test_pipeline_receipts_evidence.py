"""Receipts that say too little, or that may be texts: never the wrong message, never a lost text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from drivers.base import Encoding, InboundPart, Receipt, ReceiptState
from gateway.store.receipts import KeptReceipt, list_kept
from tests.support.fake_driver import ScriptedDriver, accepted, uncertain
from tests.support.gateway import PHONE, Rig, ScriptedChannel, receipt, running
from tests.support.receipts import OTHER, THREE_PARTS, sent_as, status_of

pytestmark = pytest.mark.integration

OURS = "10690000"


def perhaps(
    *references: str, text: str = "id:abc stat:DELIVRD", to: str = PHONE, **fields: object
) -> Receipt:
    """A report, or a person's text."""
    part = InboundPart(sender=to, recipient=OURS, encoding=Encoding.GSM7, payload=text.encode())
    return replace(receipt(*references, to=to), otherwise=part, octets=text.encode(), **fields)  # type: ignore[arg-type]


async def kept(rig: Rig) -> list[KeptReceipt]:
    return await rig.store.read(lambda tx: list_kept(tx, channel=None, limit=10, before=None))


async def texts(rig: Rig) -> list[str | None]:
    return [message.text for message in await rig.inbound()]


# --- a report or a text


async def test_a_report_without_the_bit_settles_the_message_whose_id_it_gives(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await sent_as(rig, driver, "abc")
        await driver.report(perhaps("abc"))
        await driver.report(perhaps("abc"))  # its repeat is no text either
        assert await status_of(rig, message) == ["delivered"]
        assert (await texts(rig), await kept(rig)) == ([], [])


async def test_one_that_is_faster_than_the_answer_is_kept_for_it(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        driver.early = [perhaps("abc")]
        driver.script.append(accepted("abc"))
        await rig.until_status(await rig.send(), "delivered")
        assert (await texts(rig), await kept(rig)) == ([], [])


@pytest.mark.parametrize("to", [PHONE, OTHER])
async def test_a_text_that_looks_like_a_receipt_and_names_nothing_of_its_senders_is_a_text(
    tmp_path: Path, to: str
):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await sent_as(rig, driver, "abc")
        # Another's id, or one that is nobody's.
        await driver.report(perhaps("abc" if to == OTHER else "xyz", to=to))
        assert await status_of(rig, message) == ["sent"]
        assert (await texts(rig), await kept(rig)) == (["id:abc stat:DELIVRD"], [])


async def test_a_text_under_the_bit_is_a_text_where_nothing_waits_for_a_report(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await sent_as(rig, driver, "abc", to=OTHER)
        await driver.report(perhaps(text="see you", state=ReceiptState.UNKNOWN, understood=False))
        assert (await texts(rig), await kept(rig)) == (["see you"], [])
        assert await status_of(rig, message) == ["sent"]


async def test_words_under_the_bit_are_kept_for_people_where_a_report_is_due_and_settle_nothing(
    tmp_path: Path,
):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await sent_as(rig, driver, "abc")
        await driver.report(perhaps(text="it went well", state=ReceiptState.UNKNOWN, understood=False))
        assert await status_of(rig, message) == ["sent"]
        [found] = await kept(rig)
        assert (found.early.octets, found.early.recipient) == (b"it went well", PHONE)
        assert await texts(rig) == []


async def test_a_keyword_is_a_persons_under_any_bit(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await sent_as(rig, driver, "abc")
        await driver.report(perhaps(text="TD", state=ReceiptState.UNKNOWN, understood=False))
        [inbound] = await rig.inbound()
        assert (inbound.text, inbound.keyword) == ("TD", "opt_out")
        assert await kept(rig) == []


# --- what was not understood


async def test_what_was_not_understood_is_shown_counted_and_kept_with_its_octets(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await sent_as(rig, driver, "abc")
        odd = replace(
            receipt("abc", state=ReceiptState.UNKNOWN, code="err:148"),
            understood=False,
            word="RT:0148",
            octets=b"id:abc stat:RT:0148 err:148",
        )
        await driver.report(odd)
        assert await status_of(rig, message) == ["sent"]
        [found] = await kept(rig)
        assert (found.references, found.early.word) == (("abc",), "RT:0148")
        assert found.early.octets == odd.octets
        [event] = [e for e in await rig.events(message.id) if e.type == "receipt.unknown"]
        assert b'"word":"RT:0148"' in event.data


async def test_the_carriers_own_word_stands_beside_the_end_of_a_message(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await sent_as(rig, driver, "abc")
        await driver.report(replace(receipt("abc"), word="Delivered to handset"))
        assert await status_of(rig, message) == ["delivered"]
        assert (await rig.details(message.id))[-1].word == "Delivered to handset"


# --- addresses as the message had them


def unturned(*spellings: tuple[str, str], to: str = PHONE, agreed: bool = False) -> Receipt:
    return replace(
        receipt(*(reference for reference, _ in spellings), to=OURS),
        dialects=tuple(dialect for _, dialect in spellings),
        other=to,
        agreed=agreed,
    )


@pytest.mark.parametrize("number", [OURS, None])
async def test_addresses_that_were_not_turned_round_are(tmp_path: Path, number: str | None):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", ScriptedChannel(driver=driver, number=number)) as rig:
        other = await sent_as(rig, driver, "40", to=OTHER)
        message = await sent_as(rig, driver, "64")
        await driver.report(unturned(("100", "as-is"), ("64", "hex-to-decimal")))
        assert await status_of(rig, message, other) == ["delivered", "sent"]
        await driver.report(unturned(to=OTHER))  # no id at all: only where we know which number is ours
        assert await status_of(rig, other) == ["delivered" if number else "sent"]


async def test_a_strangers_receipt_to_a_number_of_ours_settles_no_message_to_it(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        driver.script.append(uncertain())
        message = await rig.until_status(
            await rig.send(), "uncertain"
        )  # to a number of ours, as some do to try
        for reference in ("xyz", ""):
            await driver.report(replace(receipt(*reference.split(), to="447700900123"), other=PHONE))
        assert await status_of(rig, message) == ["uncertain"]


async def test_one_that_comes_early_is_kept_under_its_handset(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        driver.early = [unturned(("100", "as-is"), ("64", "hex-to-decimal"))]
        driver.script.append(accepted("64"))
        await rig.until_status(await rig.send(), "delivered")


async def test_our_own_number_is_no_handset(tmp_path: Path):
    driver = ScriptedDriver("a")
    channel = ScriptedChannel(driver=driver, number=PHONE)
    async with running(tmp_path / "s.db", channel) as rig:
        driver.script.append(uncertain())
        message = await rig.until_status(await rig.send(), "uncertain")  # to ourselves, as some do to try
        await driver.report(replace(receipt("xyz", to=OTHER), other=PHONE))
        assert await status_of(rig, message) == ["uncertain"]


@pytest.mark.parametrize("to", ["10690000", "86138****8000", None])
async def test_an_agreed_dialect_is_no_guess_whatever_the_carrier_writes_for_the_handset(
    tmp_path: Path, to: str | None
):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await sent_as(rig, driver, "64")
        agreed = replace(receipt("64", "064", to=to), dialects=("hex-to-decimal",) * 2, agreed=True)
        await driver.report(agreed)
        assert await status_of(rig, message) == ["delivered"]


# --- a network that names nothing


async def test_a_message_without_an_id_is_settled_by_the_receipt_from_its_handset(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await sent_as(rig, driver, None)
        other = await sent_as(rig, driver, None, to=OTHER)
        await driver.report(receipt("zz9"))
        assert await status_of(rig, message, other) == ["delivered", "sent"]
        await driver.report(receipt("zz9"))  # again: the other has nothing to do with it
        assert await status_of(rig, message, other) == ["delivered", "sent"]
        assert await kept(rig) == []


@pytest.mark.parametrize(
    ("region", "to", "reported"),
    [
        ("CN", PHONE, "13800138000"),
        ("CN", PHONE, "8613800138000"),
        ("CN", "+447911123456", "447911123456"),
        ("GB", "+447911123456", "07911123456"),
        ("DE", "+16012345678", "16012345678"),
        ("DE", "+4916012345678", "16012345678"),
    ],
)
async def test_a_receipt_without_an_id_finds_its_handset_in_every_spelling(
    tmp_path: Path, region: str, to: str, reported: str
):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver, region=region) as rig:
        message = await sent_as(rig, driver, "abc", to=to)
        other = await sent_as(rig, driver, "abd", to="+33612345678")
        await driver.report(receipt(to=reported))
        assert await status_of(rig, message, other) == ["delivered", "sent"]


async def test_the_receipt_may_be_faster_than_an_answer_without_an_id(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        driver.early = [receipt("zz9")]
        driver.script.append(accepted(None))
        message = await rig.until_status(await rig.send(), "delivered")
        assert [s.reference for s in await rig.segments(message.id)] == ["zz9"]
        assert await kept(rig) == []


@pytest.mark.parametrize("second", [accepted(None), accepted("abc"), uncertain()])
async def test_of_two_messages_to_a_handset_none_is_guessed(tmp_path: Path, second):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        first = await sent_as(rig, driver, None)
        driver.script.append(second)
        other = await rig.send()
        await rig.until(lambda: len(driver.submitted) == 2)
        await rig.settled()
        before = await status_of(rig, first, other)
        await driver.report(receipt("zz9"))
        assert await status_of(rig, first, other) == before
        assert [found.references for found in await kept(rig)] == [("zz9",)]


async def test_parts_without_ids_are_settled_one_by_one(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        driver.script += [accepted(None)] * 3
        message = await rig.until_status(await rig.send(text=THREE_PARTS), "sent")
        for number in range(3):
            await driver.report(receipt(f"z{number}"))
            await driver.report(receipt(f"z{number}"))
        assert await status_of(rig, message) == ["delivered"]


# --- one report for all parts


def whole(reference: str, state: ReceiptState = ReceiptState.DELIVERED) -> Receipt:
    return replace(receipt(reference, state=state), whole=True)


@pytest.mark.parametrize("named", [0, 1, 2])
@pytest.mark.parametrize(
    ("state", "status"), [(ReceiptState.DELIVERED, "delivered"), (ReceiptState.EXPIRED, "undelivered")]
)
async def test_one_report_settles_all_parts(tmp_path: Path, named: int, state: ReceiptState, status: str):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        driver.script += [accepted("x"), accepted("y"), accepted("z")]
        message = await rig.until_status(await rig.send(text=THREE_PARTS), "sent")
        await driver.report(whole("xyz"[named], ReceiptState.ENROUTE))
        assert await status_of(rig, message) == ["sent"]
        await driver.report(whole("xyz"[named], state))
        assert await status_of(rig, message) == [status]
        assert {s.status.value for s in await rig.segments(message.id)} == {status}
        assert [state for state in await rig.states(message.id) if state == status] == [status]


@pytest.mark.parametrize("comes_with", [1, 2, 3])
async def test_one_report_that_comes_before_all_parts_are_out_waits_for_them(tmp_path: Path, comes_with: int):
    driver = ScriptedDriver("a")

    def step(part: int):
        def answer(segment):
            if part + 1 == comes_with:
                driver.early = [whole("x")]  # while the next part is on the wire
            return accepted("xyz"[part - 1])

        return answer

    async with running(tmp_path / "s.db", driver) as rig:
        driver.script += [step(1), step(2), step(3)]
        driver.early = [whole("x")] if comes_with == 1 else []
        message = await rig.until_status(await rig.send(text=THREE_PARTS), "delivered")
        assert len(driver.submitted) == 3
        assert {s.status.value for s in await rig.segments(message.id)} == {"delivered"}
        assert await rig.states(message.id) == ["queued", "sending", "sent", "delivered"]
        assert await kept(rig) == []


async def test_without_the_setting_each_part_waits_for_its_own(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        driver.script += [accepted("x"), accepted("y"), accepted("z")]
        message = await rig.until_status(await rig.send(text=THREE_PARTS), "sent")
        await driver.report(receipt("x"))
        assert await status_of(rig, message) == ["sent"]
