"""Kannel's sendsms over HTTP: what becomes of messages."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from drivers.codec.segment import Reserve
from gateway.errors import StoreFull
from gateway.model.message import MessageStatus
from gateway.policy.text import TextRules
from gateway.settings.kannel import KannelAccountSettings
from gateway.settings.secrets import Secret
from tests.support.application import Application
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import PHONE
from tests.support.kannel_calls import ACCEPTED, OTHER, TO, call, dlr, send
from tests.support.kannel_rig import KannelRig, open_kannel_rig
from tests.support.optouts import opt_out

pytestmark = pytest.mark.integration


async def test_a_message_is_what_was_asked_for(kannel: KannelRig):
    message = await send(
        kannel, "text=caf%C3%A9&mclass=0&validity=10&priority=2&account=shop&binfo=b-1&smsc=smsc-1"
    )
    assert (message.recipient, message.text, message.flash) == (PHONE, "café", True)
    assert (message.valid_for_s, message.priority) == (600, 7)
    assert (message.tags, message.reference) == (("shop",), "b-1")
    assert (message.channel, message.queue, message.key_id) == ("smsc-1", "channel:smsc-1", "kannel:app")
    await kannel.driver.until_submitted(1)


async def test_strangers_are_told_so_in_kannels_words_and_the_right_ones_get_in_after_them(kannel: KannelRig):
    refused = (403, "Authorization failed for sendsms")
    assert await call(kannel, f"username=app&password=no&to={TO}&text=hi") == refused
    assert await call(kannel, f"username=nobody&password=pw&to={TO}&text=hi") == refused
    assert await call(kannel, f"to={TO}&text=hi") == refused
    assert await kannel.messages() == []
    await send(kannel, "text=hi")


async def test_deferred_messages_wait(kannel: KannelRig):
    message = await send(kannel, "text=later&deferred=30")
    assert message.status is MessageStatus.SCHEDULED
    assert message.schedule_at == kannel.rig.clock.now().replace(microsecond=589_000) + timedelta(minutes=30)
    await kannel.rig.advance(1_801)
    await kannel.driver.until_submitted(1)


async def test_the_sender_is_the_clients_where_its_account_allows_that(tmp_path: Path):
    account = KannelAccountSettings(
        username="app", password=Secret("pw"), default_sender="1069", senders=("1069*", "Shop")
    )
    async with open_kannel_rig(tmp_path, ScriptedDriver("smsc-1"), accounts=(account,)) as kannel:
        for query in ("from=Shop", "from=10691", "from=Bank", ""):
            await send(kannel, f"text=hi&{query}")
        await kannel.driver.until_submitted(4)
        assert [segment.sender for segment in kannel.driver.submitted] == ["Shop", "10691", None, "1069"]


@pytest.mark.parametrize("sender", ["%E5%95%86%E5%BA%97", "1" * 21, "A" * 21, "Caf%C3%A9"])
async def test_a_sender_that_can_not_be_sent_is_refused_and_not_left_out(tmp_path: Path, sender: str):
    account = KannelAccountSettings(username="app", password=Secret("pw"), senders=("*",))
    async with open_kannel_rig(tmp_path, ScriptedDriver("smsc-1"), accounts=(account,)) as kannel:
        status, words = await call(kannel, f"username=app&password=pw&to={TO}&text=hi&from={sender}")
        assert (status, words) == (400, "Sender can't be sent, rejected")
        assert await kannel.messages() == []


async def test_several_receivers_get_a_message_each_once(kannel: KannelRig):
    await send(kannel, "text=hi", to="13800138000+%2B8613800138000+8613900139000+nonsense+10086")
    assert [m.recipient for m in await kannel.messages()] == [PHONE, OTHER, "10086"]


async def test_a_long_text_and_many_receivers_fit_into_a_url(kannel: KannelRig):
    await send(kannel, f"text={'%E4%BD%A0' * 300}", to="+".join(f"139{n:08}" for n in range(2_000)))
    assert len(await kannel.messages(limit=3_000)) == 2_000


async def test_international_numbers_need_no_plus_where_the_account_says_so(tmp_path: Path):
    account = KannelAccountSettings(username="app", password=Secret("pw"), international=True)
    async with open_kannel_rig(tmp_path, ScriptedDriver("smsc-1"), accounts=(account,)) as kannel:
        for number in ("447700900123", "8613800138000", "008613900139000", "10086"):
            await send(kannel, "text=hi", to=number)
        found = [message.recipient for message in await kannel.messages()]
        assert found == ["+447700900123", PHONE, OTHER, "10086"]


async def test_numbers_of_other_countries_are_read_as_everywhere(kannel: KannelRig):
    for number in ("447911123456", "8613800138000", "13900139000", "37121234567+10086"):
        await send(kannel, "text=hi", to=number)
    found = [message.recipient for message in await kannel.messages()]
    assert found == ["+447911123456", PHONE, OTHER, "10086"], "a doubtful one is left out"


@pytest.mark.parametrize(
    ("query", "encoding", "segments"),
    [
        ("text=hi", "gsm7", [b"hi"]),
        ("text=%E4%BD%A0&coding=0", "ucs2", [b"\x4f\x60"]),  # Kannel would send a question mark
        ("text=hi&coding=2&charset=utf-8", "ucs2", [b"\x00h\x00i"]),
        ("text=%00%FF&coding=1", "binary", [b"\x00\xff"]),
        (f"text={'a' * 150}&coding=1", "binary", [b"a" * 134, b"a" * 16]),
        (f"text={'a' * 140}&coding=1&udh=%04%0b%02%00%01", "binary", [b"a" * 130, b"a" * 10]),
    ],
)
async def test_codings_on_the_wire(kannel: KannelRig, query: str, encoding: str, segments: list[bytes]):
    message = await send(kannel, query)
    await kannel.driver.until_submitted(len(segments))
    assert message.encoding == encoding
    assert [segment.payload for segment in kannel.driver.submitted] == segments
    assert all(len(s.udh) + len(s.payload) <= 140 for s in kannel.driver.submitted if encoding == "binary")


@pytest.mark.parametrize(("udh", "first"), [("", 133), ("%04%0b%02%00%01", 129)])
async def test_cut_octets_leave_room_for_a_reference_of_16_bits(tmp_path: Path, udh: str, first: int):
    wide = TextRules(reserve=Reserve(reference_bits=16))
    async with open_kannel_rig(tmp_path, ScriptedDriver("smsc-1"), text=wide) as kannel:
        await send(kannel, f"text={'a' * 150}&coding=1&udh={udh}")
        await kannel.driver.until_submitted(2)
        assert [len(s.payload) for s in kannel.driver.submitted] == [first, 150 - first]
        assert len(kannel.driver.submitted[0].udh) + first == 140


@pytest.mark.parametrize("coding", [0, 1, 2])
async def test_a_header_of_the_clients_own_goes_out_as_it_is(kannel: KannelRig, coding: int):
    text = "%4F%60" if coding == 2 else "hi"
    await send(kannel, f"udh=%05%00%03%07%02%01&coding={coding}&text={text}")
    await kannel.driver.until_submitted(1)
    segment = kannel.driver.submitted[0]
    assert segment.udh == b"\x05\x00\x03\x07\x02\x01"
    assert segment.payload == (b"\x4f\x60" if coding == 2 else b"hi")


async def test_a_text_too_long_for_its_header_is_refused(kannel: KannelRig):
    query = f"username=app&password=pw&to={TO}&udh=%05%00%03%07%02%01&coding=0&text={'a' * 154}"
    assert await call(kannel, query) == (400, "Charset or body misformed, rejected")
    assert await kannel.messages() == []


async def test_a_form_is_as_good_as_a_query(kannel: KannelRig):
    form = {"username": "app", "password": "pw", "to": PHONE, "text": "你好"}
    assert await call(kannel, "", data=form) == ACCEPTED
    assert (await kannel.messages())[0].text == "你好"


async def test_a_post_has_its_parameters_in_headers(kannel: KannelRig):
    headers = {
        "X-Kannel-Username": "app",
        "X-Kannel-Password": "pw",
        "X-Kannel-To": PHONE,
        "X-Kannel-UDH": "0605040b8400ff",
        "Content-Type": "application/octet-stream",
    }
    assert await call(kannel, "", data=b"\x01\x02", headers=headers) == ACCEPTED
    message = (await kannel.messages())[0]
    assert (message.data, message.udh) == (b"\x01\x02", bytes.fromhex("0605040b8400ff"))
    headers["X-Kannel-UDH"] = "nonsense"
    assert await call(kannel, "", data=b"", headers=headers) == (400, "UDH field misformed, rejected")


async def test_a_store_that_is_full_is_a_temporal_failure(kannel: KannelRig, monkeypatch):
    async def full(_op: object, **_about: object) -> None:
        raise StoreFull("no room")

    monkeypatch.setattr(kannel.rig.store, "write", full)
    answer = await call(kannel, f"username=app&password=pw&to={TO}&text=hi")
    assert answer == (503, "Temporal failure, try again later.")


async def test_who_opted_out_gets_nothing_and_the_client_hears_it(tmp_path: Path, app: Application):
    account = KannelAccountSettings(username="app", password=Secret("pw"), category="marketing")
    async with open_kannel_rig(tmp_path, ScriptedDriver("smsc-1"), accounts=(account,)) as kannel:
        await opt_out(kannel.rig.store, kannel.rig.clock, PHONE, source="api")
        query = f"username=app&password=pw&to={TO}&{dlr(app)}"
        denied = (400, "Number(s) has/have been denied by white- and/or black-lists.")
        assert await call(kannel, query) == denied
        # Among others it is told by a report.
        both = f"username=app&password=pw&to={TO}+{quote(OTHER)}&{dlr(app, '%d-%p', 16)}"
        assert await call(kannel, both) == ACCEPTED
        await kannel.rig.until(lambda: app.calls)
        assert app.paths == [f"/?16-{quote(PHONE)}"]
        assert kannel.driver.recipients() == [OTHER]


async def test_a_channel_that_no_longer_exists_is_not_routable(tmp_path: Path):
    account = KannelAccountSettings(username="app", password=Secret("pw"), group="gone")
    async with open_kannel_rig(tmp_path, ScriptedDriver("smsc-1"), accounts=(account,)) as kannel:
        answer = await call(kannel, f"username=app&password=pw&to={TO}&text=hi")
        assert answer == (403, "Not routable. Do not try again.")
