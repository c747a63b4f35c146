"""What an ESME may ask about a message that the SMSC has: its state, to forget it, to give it another text.

Spec: SMPP 3.4 4.8, 4.9, 4.10.
"""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

from drivers.base import OutboundSegment, Receipt, ReceiptState
from drivers.errors import EncodeError, SmppStatusError, WireLost, WireTimeout
from drivers.smpp.client.config import SmppConfig
from drivers.smpp.client.inbound import receipt_state_of
from drivers.smpp.client.submit_rules import apply_rules
from drivers.smpp.connection import SmppConnection, Unanswered
from drivers.smpp.text import encode_address, encode_segment
from drivers.smpp.times import parse_time
from drivers.smpp.wire.constants import MessageState
from drivers.smpp.wire.pdus import (
    Body,
    CancelSm,
    CancelSmResp,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ReplaceSmResp,
)


async def query(
    connection: SmppConnection, config: SmppConfig, reference: str, recipient: str, sender: str | None
) -> Receipt:
    """Ask what became of a message.

    Args:
        recipient: only handed back; SMPP asks by the reference and the sender.

    Raises:
        SmppStatusError: the SMSC does not say.
        WireLost, WireTimeout: no answer came.
        EncodeError: the reference is none that SMPP can carry.

    Cancel: the answer is dropped.
    """
    ton, npi, source = _source(config, sender)
    body = await _ask(
        connection,
        QuerySm(message_id=reference, source_addr_ton=ton, source_addr_npi=npi, source_addr=source),
        config.response_timeout_s,
    )
    told = Receipt(references=(reference,), recipient=recipient, state=ReceiptState.UNKNOWN)
    if not isinstance(body, QuerySmResp) or body.message_state not in set(MessageState):
        return told
    return dataclasses.replace(
        told,
        state=receipt_state_of(MessageState(body.message_state)),
        code=f"err:{body.error_code:03}" if body.error_code else "",
        done_at=_read_final_date(body.final_date),
    )


def _read_final_date(text: str) -> datetime | None:
    """When it ended; None where that is left out or can't be read. Spec: SMPP 3.4 4.8.2, 7.1.1."""
    try:
        return parse_time(text, datetime.now(UTC))
    except (ValueError, OverflowError):
        return None


async def cancel(
    connection: SmppConnection, config: SmppConfig, reference: str, recipient: str, sender: str | None
) -> None:
    """Ask to forget a message that was not delivered yet; returns when it is forgotten.

    Raises:
        SmppStatusError: the SMSC does not.
        WireLost, WireTimeout: no answer came; it may be forgotten or not.
        EncodeError: the reference is none that SMPP can carry.

    Cancel: the answer is dropped; the message may be forgotten or not.
    """
    rules = config.submit
    ton, npi, source = _source(config, sender)
    dest_ton, dest_npi, destination = _typed(
        encode_address(recipient, config.addresses), rules.dest_ton, rules.dest_npi
    )
    body = await _ask(
        connection,
        CancelSm(
            service_type=rules.service_type,
            message_id=reference,
            source_addr_ton=ton,
            source_addr_npi=npi,
            source_addr=source,
            dest_addr_ton=dest_ton,
            dest_addr_npi=dest_npi,
            destination_addr=destination,
        ),
        config.response_timeout_s,
    )
    assert isinstance(body, CancelSmResp)  # the session lets nothing else answer with success


async def replace(
    connection: SmppConnection, config: SmppConfig, reference: str, segment: OutboundSegment
) -> None:
    """Ask to give a message that was not delivered yet another content; returns when it has it.

    The PDU names no ``data_coding`` and no header: the SMSC reads the new content as it read the old one.

    Args:
        segment: as it is to be; of the same encoding as the one that the SMSC has.

    Raises:
        SmppStatusError: the SMSC does not; the old one goes on.
        WireLost, WireTimeout: no answer came; it may be replaced or not.
        EncodeError: the segment has what replace_sm can't say (a header, parameters, a class), or does not fit.

    Cancel: the answer is dropped; the message may be replaced or not.
    """
    if segment.udh or segment.carrier_options or segment.flash:
        raise EncodeError("replace_sm", "has no place for a header, for parameters or for a message class")
    plain = encode_segment(segment, config.source_address, config.addresses, config.texts)
    told = apply_rules(plain, segment, config.submit, datetime.now(UTC))
    body = await _ask(
        connection,
        ReplaceSm(
            message_id=reference,
            source_addr_ton=told.source_addr_ton,
            source_addr_npi=told.source_addr_npi,
            source_addr=told.source_addr,
            validity_period=told.validity_period,
            registered_delivery=told.registered_delivery,
            short_message=plain.short_message,
        ),
        config.response_timeout_s,
    )
    assert isinstance(body, ReplaceSmResp)  # the session lets nothing else answer with success


def _source(config: SmppConfig, sender: str | None) -> tuple[int, int, str]:
    """Type, plan and address of the sender, as the submit_sm had them: the SMSC compares."""
    plain = encode_address(sender or config.source_address, config.addresses)
    return _typed(plain, config.submit.source_ton, config.submit.source_npi)


def _typed(plain: tuple[int, int, str], ton: int | None, npi: int | None) -> tuple[int, int, str]:
    """An address with the type and plan that the carrier's rules give it; None leaves its own."""
    own_ton, own_npi, digits = plain
    return own_ton if ton is None else ton, own_npi if npi is None else npi, digits


async def _ask(connection: SmppConnection, body: Body, timeout_s: float) -> Body:
    answer = await connection.exchange(body)
    if isinstance(answer, Unanswered):
        if answer.code == "answer_timeout":
            raise WireTimeout("answer", timeout_s)
        raise WireLost(answer.detail, by_peer=answer.written)
    if answer.refusal:
        raise SmppStatusError(answer.refusal)
    return answer.body
