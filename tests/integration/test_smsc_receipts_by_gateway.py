"""The whole gateway in front of the simulated SMSC: receipts as carriers write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulators.faults import Fault
from tests.support.smsc_side import open_side

pytestmark = pytest.mark.integration

DIALECTS = [
    "says_ucs2+no_tlv",
    "says_ucs2+packed+no_tlv",
    "wide+no_tlv",
    "wide_swapped+no_tlv+says_ucs2",
    "packed+no_tlv",
    "own_words+no_tlv",
    "own_words+comma+capitals+no_tlv",
    "in_payload+no_tlv",
    "in_payload+wide",
    "no_label",
    "no_label+no_tlv",
    "no_label+wide+no_tlv",
    "no_label+own_words+says_ucs2+no_tlv",
    "unturned+no_tlv",
    "unturned+hex+no_tlv",
    "masked+no_tlv",
]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_receipt_settles_its_message_and_is_no_inbound_text(tmp_path: Path, dialect: str):
    async with open_side(tmp_path) as side:
        for _ in range(2):
            side.smsc.plan.inject(Fault(kind="receipt_dialect", nth=1, text=dialect), 0.0)
            await side.until_status(await side.send("hello"), "delivered")
        for path in ("/v1/inbound", "/v1/receipts"):
            assert (await side.call("GET", path))[1]["items"] == []


@pytest.mark.parametrize(
    "dialect", ["unturned+padded_hex+no_tlv", "masked+hex+no_tlv", "masked+padded+no_tlv"]
)
async def test_an_agreed_dialect_settles_whatever_stands_for_the_handset(tmp_path: Path, dialect: str):
    rule = "as-is" if "+padded+" in dialect else "decimal-to-hex"
    async with open_side(tmp_path, receipt_id=f'"{rule}"') as side:
        side.smsc.plan.inject(Fault(kind="receipt_dialect", nth=1, text=dialect), 0.0)
        await side.until_status(await side.send("hello"), "delivered")
