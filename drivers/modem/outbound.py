"""One segment out: SMS-SUBMIT over ``AT+CMGS``, with an honest outcome.

Until the prompt has come nothing has happened, and every trouble is a refusal. From the first octet of the
PDU on, only a final result code tells what came of it; without one the outcome is `Uncertain`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from drivers.at.responses import parse_cmgs
from drivers.base import Accepted, Fault, FaultKind, OutboundSegment, Refused, SubmitResult, Uncertain
from drivers.codec.address import encode_sca
from drivers.codec.tpdu import SmsSubmit, encode_submit
from drivers.errors import CmsError, DriverError, EncodeError, WireLost, WireTimeout
from drivers.modem.bringup import try_request
from drivers.modem.faults import CMS_NETWORK_TIMEOUT, classify_error

if TYPE_CHECKING:
    from drivers.at.port import AtPort

logger = logging.getLogger(__name__)


class Exchange:
    """The sending of one segment.

    Attributes:
        pdu_left: octets of the PDU may be on the wire; from then on the exchange must run to its end.
    """

    def __init__(
        self, port: AtPort, segment: OutboundSegment, *, channel: str, answer_timeout_s: float
    ) -> None:
        self.pdu_left = False
        self._port = port
        self._segment = segment
        self._channel = channel
        self._answer_timeout_s = answer_timeout_s

    async def run(self) -> SubmitResult:
        """Send and wait for the network's answer; raises nothing.

        Spec: 3GPP TS 27.005 4.3.

        Cancel: before the PDU the prompt is left with ESC and nothing has happened. Must not be
        cancelled once `pdu_left`.
        """
        try:
            tpdu = encode_submit(_to_submit(self._segment))
        except EncodeError as error:
            return Refused(
                fault=Fault(
                    kind=FaultKind.PERMANENT, code="invalid_segment", detail=f"Can't be sent: {error}."
                )
            )
        try:
            # A stick that restarted unnoticed is in text mode: it would send our hex digits as a text.
            await self._port.request("AT+CMGF=0")
            lines = await self._port.request_with_payload(
                f"AT+CMGS={len(tpdu)}",
                (encode_sca(None) + tpdu).hex().upper().encode(),
                on_payload=self._mark_pdu_left,
                timeout_s=self._answer_timeout_s,
            )
        except DriverError as error:
            return self._judge(error)
        mr = parse_cmgs(lines)
        return Accepted(reference=None if mr is None else str(mr))

    def _mark_pdu_left(self) -> None:
        self.pdu_left = True

    def _judge(self, error: DriverError) -> SubmitResult:
        logger.info("%s: segment %s: %s", self._channel, self._segment.segment_id, error)
        if self.pdu_left:
            match error:
                case WireLost():
                    return Uncertain(code="link_lost", detail="The link died before the network answered.")
                case WireTimeout():
                    return Uncertain(code="answer_timeout", detail="The network's answer did not come.")
                case CmsError(code=code) if code == CMS_NETWORK_TIMEOUT:
                    # The stick handed the PDU to the network and heard nothing (TR1M, TS 24.011 10).
                    return Uncertain(code="cms_332", detail="The stick got no answer from the network.")
                case _:
                    return Refused(fault=classify_error(error))
        fault = classify_error(error)
        if fault.code == "at_error":
            # Before the PDU a bare ERROR says nothing of the segment, only that this stick won't prompt.
            fault = Fault(kind=FaultKind.CHANNEL, code="no_prompt", detail="The stick refused to prompt.")
        return Refused(fault=fault)


async def keep_link_open(port: AtPort) -> None:
    """Ask the stick to keep the relay link between messages: parts follow each other much faster.

    Spec: 3GPP TS 27.005 3.5.6. Refusals are tolerated. Raises and Cancel as `AtPort.request`.
    """
    await try_request(port, "AT+CMMS=2")


def _to_submit(segment: OutboundSegment) -> SmsSubmit:
    return SmsSubmit(
        tp_da=segment.recipient,
        encoding=segment.encoding,
        payload=segment.payload,
        udh=segment.udh,
        flash=segment.flash,
        tp_srr=segment.report,
        valid_for_s=segment.valid_for_s,
    )
