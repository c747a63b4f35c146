"""Whoever says stop gets no marketing, however his number is written: when it is accepted, and before the wire."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import NamedTuple

import phonenumbers
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from drivers.base import Encoding, InboundPart
from drivers.codec.gsm7 import encode_gsm7
from gateway.errors import InvalidRequest
from gateway.model.msisdn import read_number
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import Rig, running

pytestmark = pytest.mark.property

REGIONS = ["CN", "US", "GB", "DE", "IT", "BR", "IN", "HK", "MX", "RU", "AR", "AU", "FR", "SG", "LV"]
_KINDS = [phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE]


class Written(NamedTuple):
    """A person's number as somebody wrote it.

    Args:
        full: with plus and country code; a number that exists.
        region: of the gateway.
    """

    full: str
    spelling: str
    region: str


@st.composite
def written(draw: st.DrawFn) -> Written:
    """A valid number of some country, in a spelling that a gateway in some region may meet."""
    home, region = draw(st.sampled_from(REGIONS)), draw(st.sampled_from(REGIONS))
    example = phonenumbers.example_number_for_type(home, draw(st.sampled_from(_KINDS)))
    assert example is not None
    some = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    n = draw(st.integers(1, 7))
    full = some[:-n] + draw(st.text("0123456789", min_size=n, max_size=n))
    number = phonenumbers.parse(full, None)
    if not phonenumbers.is_valid_number(number):
        full, number = some, example
    forms = [full, full[1:], f"00{full[1:]}", f"+00{full[1:]}"]
    if home == region:
        national = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
        forms += [national, "".join(char for char in national if char.isdecimal())]
        forms.append(phonenumbers.national_significant_number(number))
    return Written(full, draw(st.sampled_from(forms)), region)


@settings(max_examples=400, deadline=None)
@given(written())
def test_every_spelling_of_a_number_may_mean_that_number(one: Written):
    reading = read_number(one.spelling, one.region)
    assert one.full in reading.readings
    assert reading.number in {None, *reading.people}


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)), st.text("0123456789", min_size=5, max_size=5))
def test_a_mobile_is_read_as_people_of_its_country_write_it(region: str, last: str):
    """Nobody is refused a number that is usual where he lives; on some islands it can't be told from a short code."""
    example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    assume(example is not None)
    assert example is not None
    full = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    n = min(len(last), len(full) - 5)  # +247 40123 is a whole number
    for some in (full, full[:-n] + last[:n]):
        number = phonenumbers.parse(some, None)
        written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
        if phonenumbers.is_valid_number_for_region(number, region) and sum(map(str.isdecimal, written)) > 6:
            assert read_number(written, region).number == some


@settings(deadline=None)
@given(written(), st.sampled_from(REGIONS))
def test_who_is_meant_does_not_depend_on_the_order_of_what_was_read_before(one: Written, region: str):
    first = read_number(one.spelling, one.region)
    read_number(one.spelling, region)
    assert read_number(one.spelling, one.region) == first
    for person in first.people:
        assert person in read_number(person, one.region).people


@settings(
    max_examples=50,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
)
@given(written())
def test_stop_in_one_spelling_stops_marketing_to_the_person(one: Written):
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_stop(Path(folder), one))


async def _stop(folder: Path, one: Written) -> None:
    driver = ScriptedDriver("a")
    async with running(folder / "s.db", driver, region=one.region, started=False) as rig:
        before = await rig.send(one.full, "promo", category="marketing")
        await rig.inbox.handle(rig.lanes["a"], _said(one.spelling, "STOP"))
        assert await _outcome(rig, one.full) == "blocked", "at accept"
        for other in (one.spelling, one.full[1:]):
            # Whoever else that may mean: never this person.
            assert await _outcome(rig, other, unless=one.full) == "blocked"
        last = await rig.send("+8613900139999", "the last of all")
        await rig.start()
        await rig.until_status(last, "sent")
        assert (await rig.message(before.id)).status == "blocked", "before the wire"
        assert one.full not in [
            segment.recipient for segment in driver.submitted if segment.payload == b"promo"
        ]
        await rig.inbox.handle(rig.lanes["a"], _said(one.spelling, "START"))
        assert await _outcome(rig, one.full) == "queued", "what asked for it again gets it"


async def _outcome(rig: Rig, to: str, unless: str | None = None) -> str:
    """What becomes of marketing; blocked is also what is refused, or goes to somebody else than ``unless``."""
    try:
        message = await rig.send(to, "promo", category="marketing")
    except InvalidRequest:
        return "blocked"
    return "blocked" if unless not in {None, message.recipient} else message.status.value


def _said(sender: str, text: str) -> InboundPart:
    return InboundPart(sender=sender, encoding=Encoding.GSM7, payload=encode_gsm7(text))
