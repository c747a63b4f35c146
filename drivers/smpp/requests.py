"""What an ESME may ask about a message that the SMSC has: its state, and to forget it.

Spec: SMPP 3.4 4.8, 4.9.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from drivers.base import Receipt, ReceiptState
from drivers.errors import SmppStatusError, WireLost, WireTimeout
from drivers.smpp.config import SmppConfig
from drivers.smpp.connection import SmppConnection, Unanswered
from drivers.smpp.inbound import receipt_state_of
from drivers.smpp.text import encode_address
from drivers.smpp.times import parse_time
from drivers.smpp.wire.constants import MessageState
from drivers.smpp.wire.pdus import Body, CancelSm, CancelSmResp, QuerySm, QuerySmResp


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
    ton, npi, source = encode_address(sender or config.source_address, config.addresses)
    body = await _ask(
        connection,
        QuerySm(message_id=reference, source_addr_ton=ton, source_addr_npi=npi, source_addr=source),
        config.response_timeout_s,
    )
    told = Receipt(references=(reference,), recipient=recipient, state=ReceiptState.UNKNOWN)
    if not isinstance(body, QuerySmResp) or body.message_state not in set(MessageState):
        return told
    return replace(
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
    ton, npi, source = encode_address(sender or config.source_address, config.addresses)
    dest_ton, dest_npi, destination = encode_address(recipient, config.addresses)
    body = await _ask(
        connection,
        CancelSm(
            service_type=config.submit.service_type,
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


async def _ask(connection: SmppConnection, body: Body, timeout_s: float) -> Body:
    answer = await connection.exchange(body)
    if isinstance(answer, Unanswered):
        if answer.code == "answer_timeout":
            raise WireTimeout("answer", timeout_s)
        raise WireLost(answer.detail, by_peer=answer.written)
    if answer.command_status:
        raise SmppStatusError(answer.command_status)
    return answer.body
