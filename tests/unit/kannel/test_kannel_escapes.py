"""Escape codes, reports and inbound calls; tests/interop/test_kannel.py asks Kannel itself for the same."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from gateway.ids import InboundId
from gateway.kannel.escapes import Facts, expand
from gateway.kannel.inbound_routes import InboundRoute, choose_route, plan_inbound, read_reply
from gateway.kannel.reports import Wish, plan_report
from gateway.model.events import Event, MessageEvent
from gateway.model.message import InboundMessage
from gateway.model.msisdn import spell_own
from gateway.policy.text import cut_text

pytestmark = pytest.mark.unit

AT = datetime(2026, 11, 21, 21, 36, 7, tzinfo=UTC)
TEXT = "FOO  bar*baz+q qux é end"
FACTS = Facts(
    phone="0086138",
    ours="+678",
    text=TEXT,
    at=AT,
    smsc="sim 1",
    message_id="id1",
    foreign_id="F/1",
    service="svc",
    dlr=8,
    coding=0,
    mclass=1,
    udh=b"\x05\x00",
    binfo="b&c",
    account="acc",
    dlr_url="http://a/?d=%d",
    meta_data="?smpp?one=1&two=b+c&?http?three=3",
    validity_min=7,
)


@pytest.mark.parametrize(
    ("pattern", "url"),
    [
        ("%k", "FOO"),
        ("%s,%s,%r", "bar*baz%2Bq,qux,%C3%A9+end"),
        ("%S,%S,%S,%S,%S", "bar~baz+q,qux,%C3%A9,end,"),
        ("%r", "bar*baz%2Bq+qux+%C3%A9+end"),
        ("%a", "FOO+bar*baz%2Bq+qux+%C3%A9+end"),
        ("%b", "FOO++bar*baz%2Bq+qux+%C3%A9+end"),
        ("%e", TEXT.encode().hex().upper()),
        ("%p %P", "0086138 %2B678"),
        ("%q %Q", "%2B86138 %2B678"),
        ("%t", "2026-11-21+21:36:07"),
        ("%T", "1795296967"),
        ("%i/%I/%F/%n", "sim+1/id1/F%2F1/svc"),
        ("%d%c%m%M", "801-1"),
        ("%C", "UTF-8"),
        ("%u,%U", "%05%00,0500"),
        ("%B%o%f%O", "b%26cacc00"),
        ("%R", "http%3A%2F%2Fa%2F%3Fd%3D%25d"),
        ("%v,%V,%y", "7,,-1"),
        ("%#smpp#two#,%#http#three#,%#no#no#;", "b+c,3,;"),
        ("%#smpp", "%#smpp"),
        ("%%d%z%", "%d%z%"),
        ("a%20b", "a%20b"),  # what is percent-encoded already stays
        ("", ""),
    ],
)
def test_codes(pattern: str, url: str):
    assert expand(pattern, FACTS) == url


def test_ucs2_is_written_as_utf16_whose_words_stay_apart():
    facts = Facts(phone="1", at=AT, text="你 好", charset="UTF-16BE", coding=2)
    assert expand("%a %k %C %c", facts) == "O%60%00+Y%7D O%60 UTF-16BE 2"


def test_binary():
    facts = Facts(phone="1", at=AT, text=None, data=b"\x00 \xff", coding=1)
    assert expand("%b %a %e %C", facts) == "%00+%FF %00+%FF 0020FF 8-BIT"


# --- reports


def event(status: str, **fields: Any) -> Event:
    data = MessageEvent(id="m1", to="+86138", status=status, channel="smsc-1", **fields)
    return Event(type=f"message.{status}", at=AT, subject="m1", data=msgspec.json.encode(data))


ALL = 63


@pytest.mark.parametrize(
    ("status", "value"),
    [
        ("sent", "8"),
        ("delivered", "1"),
        ("undelivered", "2"),
        ("failed", "16"),
        ("expired", "16"),
        ("canceled", "16"),
        ("blocked", "16"),
        ("queued", None),
        ("sending", None),
        ("uncertain", None),
    ],
)
def test_values(status: str, value: str | None):
    assert plan_report(event(status), Wish(url="%d", mask=ALL)) == value


@pytest.mark.parametrize(("mask", "called"), [(8, True), (1 + 2, False), (0, False), (31, True)])
def test_only_what_was_asked_for(mask: int, called: bool):
    assert (plan_report(event("sent"), Wish(url="%d", mask=mask)) is not None) is called


def test_what_a_report_says():
    wish = Wish(url="%p|%P|%i|%I|%F|%n|%A|%B", mask=ALL, sender="106", service="app")
    assert plan_report(event("sent", ref="r1"), wish) == "%2B86138|106|smsc-1|m1|r1|app|ACK%2F|"
    failed = plan_report(event("failed", error="rejected: no such number"), wish)
    assert failed is not None
    assert "|NACK%2Frejected%3A+no+such+number|" in failed
    late = plan_report(event("undelivered", ref="r1", error="receipt_expired: Too late. [0E5]"), wish)
    assert late is not None
    assert late.endswith("stat%3AEXPIRED+err%3A0E5+text%3A|0E5")
    assert late.split("|")[6].startswith(
        "id%3Ar1+sub%3A001+dlvrd%3A000+submit+date%3A2611212136+done+date%3A"
    )


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("err:001", "001"),
        ("err:1", "001"),
        ("err:4A6", "4A6"),
        ("network:3:27", "027"),
        ("tp_st_0x41", "065"),
        ("", ""),
    ],
)
def test_the_networks_number_is_told_without_the_words_around_it(code: str, told: str):
    report = plan_report(
        event("undelivered", error=f"receipt_expired: Too late. [{code}]"), Wish(url="%B|%A", mask=ALL)
    )
    assert report is not None
    binfo, _, text = report.partition("|")
    assert binfo == told
    assert text.endswith(f"+stat%3AEXPIRED+err%3A{told or '000'}+text%3A")


# --- inbound


def inbound(text: str | None = "Vote 7", **fields: Any) -> InboundMessage:
    values: dict[str, Any] = {
        "id": InboundId("i1"),
        "sender": "+86138",
        "recipient": "10690000",
        "channel": "sim-1",
        "text": text,
        "encoding": "gsm7",
        "parts": 1,
        "complete": True,
        "received_at": AT,
        **fields,
    }
    return InboundMessage(**values)


def route(**fields: Any) -> InboundRoute:
    return InboundRoute(**{"name": "r", "url": "http://a/?p=%p&P=%P&a=%a&c=%c&C=%C&O=%O", **fields})


@pytest.mark.parametrize(
    ("fields", "takes"),
    [
        ({}, True),
        ({"channels": ("sim-1",)}, True),
        ({"channels": ("sim-2",)}, False),
        ({"numbers": ("+10690000",)}, True),
        ({"numbers": ("10690001",)}, False),
        ({"keywords": ("vOtE", "x")}, True),
        ({"keywords": ("vot",)}, False),
        ({"keywords": ("vote",), "channels": ("sim-2",)}, False),
    ],
)
def test_which_route_takes_a_message(fields: dict[str, object], takes: bool):
    assert route(**fields).takes(inbound(), spell_own("10690000")) is takes


@pytest.mark.parametrize("configured", ["+8613800138000", "8613800138000", "13800138000"])
def test_our_number_may_be_configured_as_it_is_usually_written(configured: str):
    assert route(numbers=(configured,)).takes(inbound(), spell_own("+8613800138000"))
    assert not route(numbers=(configured,)).takes(inbound(), spell_own("+8613800138001"))


def test_the_first_route_takes_it():
    routes = [route(name="a", keywords=("x",)), route(name="b"), route(name="c")]
    chosen = choose_route(routes, inbound(), ())
    assert chosen is not None
    assert chosen.name == "b"
    assert choose_route(routes[:1], inbound(text=None), ()) is None


def test_a_get_has_it_all_in_the_url():
    call = plan_inbound(inbound(), route())
    assert (call.method, call.body) == ("GET", b"")
    assert call.url == "http://a/?p=%2B86138&P=10690000&a=Vote+7&c=0&C=UTF-8&O=00"
    ucs2 = inbound("你", encoding="ucs2")
    assert plan_inbound(ucs2, route()).url.endswith("a=O%60&c=2&C=UTF-16BE&O=08")
    assert plan_inbound(ucs2, route(charset="UTF-8")).url.endswith("a=%E4%BD%A0&c=2&C=UTF-8&O=08")


def test_a_post_has_the_text_as_its_body():
    call = plan_inbound(inbound("你 7", encoding="ucs2"), route(method="POST", charset="UTF-8"))
    assert (call.method, call.body) == ("POST", "你 7".encode())
    assert call.headers == {
        "Content-Type": 'text/plain; charset="UTF-8"',
        "X-Kannel-From": "+86138",
        "X-Kannel-To": "10690000",
        "X-Kannel-Time": "2026-11-21 21:36:07",
        "X-Kannel-SMSC": "sim-1",
        "X-Kannel-Coding": "2",
        "X-Kannel-Service": "r",
    }


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("text/plain", b" thanks \n", "thanks"),
        ("text/plain; charset=utf-8", "谢谢".encode(), "谢谢"),
        ("text/plain; charset=iso-8859-1", b"caf\xe9", "café"),
        ("text/plain; charset=nonsense", b"hi", "hi"),
        ("", b"hi", "hi"),
        ("text/plain", b"", ""),
        ("text/html; charset=UTF-8", b"<head><title>x</title></head><p>a  <b>b</b> &amp;<br>c", "a b &\nc"),
        ("text/html", b"<p>thanks</p><![ none ]>", "thanks"),
        ("text/html", b"<p>thanks</p>&#" + b"1" * 5_000 + b";", "thanks"),
        ("application/json", b'{"ok": true}', ""),
        ("text/plain", b"x" * 200, "x" * 160),
    ],
)
def test_what_an_application_answers(content_type: str, body: bytes, text: str):
    assert read_reply(content_type, body, 1) == text


@pytest.mark.parametrize(("n", "n_chars"), [(1, 70), (2, 134), (3, 200)])
def test_an_answer_is_cut_to_its_segments(n: int, n_chars: int):
    assert len(cut_text("雁" * 200, n)) == n_chars


def test_what_a_code_stands_for_is_worked_out_once(monkeypatch: pytest.MonkeyPatch):
    """A client's URL may hold a code a thousand times, and one of them stands for that URL."""
    quoted: list[object] = []

    def note(value: object) -> str:
        quoted.append(value)
        return "x"

    monkeypatch.setattr("gateway.kannel.escapes.quote", note)
    assert expand("%R" * 1_000 + "%p" * 3, FACTS) == "x" * 1_003
    assert quoted == [FACTS.dlr_url, FACTS.phone]
