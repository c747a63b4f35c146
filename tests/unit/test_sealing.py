"""What numbers and texts look like in an encrypted store, and where they are looked for in a statement."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.sealing.columns import Kind, kind_of, plan_insert, plan_statement
from gateway.store.sealing.operator_key import OperatorKey
from gateway.store.sealing.seals import Seals
from gateway.store.sealing.terms import Table
from gateway.store.sealing.transaction import seal_value
from gateway.store.sqlite.engine import SqliteStore

PHONE = "+8613800138000"
ONE, TWO = Seals({1: b"1" * 32}, 1), Seals({1: b"1" * 32, 2: b"2" * 32}, 2)
E, C, P, O = Kind.EQUAL, Kind.CONTENT, Kind.PLAIN, Kind.OTHER  # noqa: E741 - in columns below


def test_equal_numbers_are_equal_when_sealed_and_contents_never_are():
    assert ONE.seal_equal(PHONE) == ONE.seal_equal(PHONE) != ONE.seal_equal("+8613800138001")
    assert ONE.seal_text("hello") != ONE.seal_text("hello")
    assert ONE.seal_octets(b"hello") != ONE.seal_octets(b"hello")
    assert ONE.seal_equal_octets(b"hello") == ONE.seal_equal_octets(b"hello")


@given(st.text(), st.binary())
def test_what_was_sealed_is_opened_as_it_was(text: str, octets: bytes):
    assert ONE.open(ONE.seal_equal(text)) == ONE.open(ONE.seal_text(text)) == text
    assert ONE.open(ONE.seal_octets(octets)) == ONE.open(ONE.seal_equal_octets(octets)) == octets


@given(st.text(), st.binary(), st.sampled_from(Kind))
def test_a_column_gives_back_what_was_written_whatever_it_looks_like(text: str, octets: bytes, kind: Kind):
    for value in (text, f"~hy{text}", f"~hy1={text}", octets, ONE.seal_text("stolen")):
        assert ONE.open(seal_value(ONE, kind, value)) == value


def test_a_sealed_value_that_somebody_hands_in_is_not_opened_for_him():
    stolen = ONE.seal_equal(PHONE)
    written = seal_value(ONE, Kind.OTHER, stolen)
    assert written != stolen
    assert ONE.open(written) == stolen


def test_what_was_damaged_or_is_under_a_key_that_is_not_there_stays_as_it_is():
    sealed, octets = TWO.seal_text("hello"), TWO.seal_octets(b"hello")
    assert ONE.open(sealed) == sealed
    assert ONE.open(octets) == octets
    for place in range(len(octets)):
        damaged = octets[:place] + bytes([octets[place] ^ 1]) + octets[place + 1 :]
        assert TWO.open(damaged) == damaged
    assert TWO.open(sealed[:-5] + "A" + sealed[-4:]) != "hello"


def test_the_older_key_of_a_store_opens_still():
    assert TWO.open(ONE.seal_equal(PHONE)) == PHONE
    assert TWO.open(ONE.seal_octets(b"hello")) == b"hello"
    assert ONE.seal_equal(PHONE) in TWO.every_form(PHONE)


@pytest.mark.parametrize(
    ("sql", "plan"),
    [
        ("SELECT id FROM messages m WHERE m.recipient = ? AND m.channel = ? LIMIT ?", (E, O, O)),
        ("SELECT id FROM messages WHERE recipient NOT IN (?, ?) AND queue = ?", (E, E, O)),
        ("SELECT 1 FROM keyword_replies WHERE (number, keyword) = (?, ?)", (E, O)),
        ("DELETE FROM sticky_channels WHERE (rule, recipient) IN ((?, ?), (?, ?))", (O, E, O, E)),
        ("SELECT number FROM suppressions s WHERE s.number > ? ORDER BY number LIMIT ?", (E, O)),
        ("SELECT id FROM inbound WHERE sender IS DISTINCT FROM ? AND id IS NOT DISTINCT FROM ?", (E, O)),
        ("SELECT id FROM inbound WHERE sender IS NOT DISTINCT FROM ?", (E,)),
        ("SELECT id FROM inbound WHERE (CAST(? AS TEXT) IS NULL OR sender = ?)", (O, E)),
        ("UPDATE inbound SET text = ?, data = ?, keyword = ? WHERE id = ?", (C, O, O, O)),
        ("UPDATE inbound SET text = coalesce(?, text) WHERE id = ?", (C, O)),
        ("INSERT INTO esme_submits (account, source, destination) VALUES (?, ?, ?)", (O, E, E)),
        ("INSERT INTO number_carriers (number, source) VALUES (?, ?), (?, ?)", (E, O, E, O)),
        (
            (
                "INSERT INTO concat_refs (reference, recipient) VALUES (?, ?) ON CONFLICT (recipient) DO UPDATE"
                " SET reference = ?"
            ),
            (O, E, O),
        ),
        (
            (
                "INSERT INTO outbox (id, due_at, payload) VALUES (?, CASE WHEN EXISTS (SELECT 1 FROM outbox WHERE"
                " door = ? AND subject = ?) THEN NULL ELSE ? END, ?)"
            ),
            (O, O, O, O, O),
        ),
        ("SELECT '?', id FROM api_keys WHERE secret_hash = ?", (P,)),
        ("DELETE FROM webhook_secrets WHERE owner = ? AND secret = ?", (O, E)),
    ],
)
def test_a_statement_tells_which_parameter_belongs_to_which_column(sql: str, plan: tuple[Kind, ...]):
    assert plan_statement(sql) == plan


def test_an_insert_of_many_rows_tells_it_by_its_columns():
    assert plan_insert("INSERT INTO messages (id, recipient, body)") == (O, E, O)


def test_octets_and_numbers_in_international_form_are_sealed_in_columns_that_nobody_thought_of():
    assert seal_value(ONE, Kind.OTHER, PHONE) == ONE.seal_equal(PHONE)
    assert (
        ONE.open(seal_value(ONE, Kind.OTHER, b"a text"))
        == b"a text"
        != seal_value(ONE, Kind.OTHER, b"a text")
    )
    for plain in ("queued", "+", "+49 151", "", "01m8q0ybx3fh6ykstv9ck51rhe"):
        assert seal_value(ONE, Kind.OTHER, plain) is plain


def test_a_key_is_written_and_read_and_never_shown():
    key = OperatorKey.make()
    assert OperatorKey.parse(f"{key.write()}\n").octets == key.octets
    assert key.write()[12:] not in repr(key)
    for wrong in ("", "hello", key.write()[:-4], key.write()[12:], f"hongyan-key:{'ä' * 44}"):
        with pytest.raises(ValueError, match="make one with"):
            OperatorKey.parse(wrong)


PLAIN = {
    "alarms": "id kind subject detail",
    "alert_windows": "receiver",
    "alerts": "id receiver source fingerprint name",
    "api_keys": "id name scopes",
    "audit": "actor origin action seal hash",
    "audit_head": "last_hash dropped_hash",
    "channel_accounts": "channel account",
    "channel_controls": "channel",
    "channel_leases": "channel owner",
    "channel_sims": "channel iccid",
    "consent_events": "id brand purpose state source wording actor file",
    "consent_files": "sha256 name actor",
    "consent_wordings": "hash",
    "consents": "brand purpose state event_id",
    "cost_sums": "day key_id tags channel currency",
    "dead_numbers": "code channel message_id",
    "early_receipts": "receipt_id channel reference state code word",
    "esme_outbox": "account",
    "esme_parts": "told_id account repeats",
    "esme_submits": "told_id account message_id",
    "holds": "message_id kind rule code",
    "idempotency": "key_id key",
    "inbound": "id channel encoding keyword in_reply_to kind flag",
    "inbound_parts": "id channel encoding inbound_id set_id kind",
    "inquiry_places": "channel message_id",
    "instances": "id",
    "kannel_wishes": "message_id",
    "keyword_replies": "keyword channel",
    "message_costs": "message_id currency",
    "messages": "id status queue channel owner error reference batch_id tags part_status part_channel"
    " part_reference part_error",
    "number_counts": "name",
    "number_carriers": "carrier source",
    "outbox": "id door owner host subject fault",
    "outbox_lanes": "door owner host",
    "probe_results": "id channel detail",
    "receipt_dialects": "account dialect",
    "retention": "kind place",
    "reviews": "message_id decision rule code decided_by",
    "segments": "message_id status channel reference error",
    "sequence_messages": "sequence message_id",
    "sequences": "sequence",
    "set_aside": "id channel kind fault",
    "sessions": "id user_id",
    "shares": "queue owner",
    "sticky_channels": "rule channel",
    "store_keys": "operator_key",
    "store_rekeying": "table_name after_row",
    "suppression_readings": "scope",
    "suppressions": "source keyword scope",
    "tallies": "type",
    "timeline_readers": "name",
    "touches": "message_id category brand template",
    "users": "id name display_name language password grants",
    "webhook_callbacks": "message_id",
    "webhook_deliveries": "id owner type subject",
    "webhook_secrets": "owner",
    "webhooks": "id name url types tags channels reason",
}
"""Columns of texts that hold neither a text of a message nor a number without a plus."""


async def _tables(path: Path) -> list[Table]:
    store = await SqliteStore.open(path)
    try:
        return await store.read(store.list_tables)
    finally:
        await store.close()


async def test_of_every_column_of_texts_somebody_has_said_whether_it_is_sealed(tmp_path: Path):
    """A new column: does it hold a text or a number? Then it goes into gateway/store/sealing/columns.py, else above."""
    unknown = [
        f"{table.name}.{column}"
        for table in await _tables(tmp_path / "s.db")
        for column in table.texts
        if kind_of(table.name, column) is Kind.OTHER and column not in PLAIN.get(table.name, "").split()
    ]
    assert unknown == []


async def test_tables_with_sealed_columns_have_a_primary_key(tmp_path: Path):
    """By which the walk to another key goes."""
    without = [
        table.name
        for table in await _tables(tmp_path / "s.db")
        if len(table.key) > 4
        and any(kind_of(table.name, one) in {E, C} for one in table.texts + table.octets)
    ]
    assert without == []


def test_operations_get_no_transaction_that_is_not_dressed():
    """An engine that hands its own to an operation would look for numbers in clear, and find none."""
    bare = {
        path.name: n
        for path in sorted((Path(__file__).parents[2] / "gateway" / "store").rglob("*.py"))
        if (n := len(re.findall(r"op\((?:Sqlite|Postgres)Tx\(", path.read_text(encoding="utf-8"))))
    }
    assert bare == {}
