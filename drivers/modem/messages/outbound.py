"""Segments out: SMS-SUBMIT over ``AT+CMGS``, one command a segment, with an honest outcome.

Until the prompt has come nothing has happened, and every trouble is a refusal. From the first octet of the
PDU on, only a final result code tells what came of it; without one the outcome is `Uncertain`, and an answer that
comes after all is reported as `drivers.base.LateResult`. Whether a final is this segment's own: `drivers.at.doubt`.

A stick that restarts unnoticed is in text mode, where it would send our hex digits as a text. So PDU mode is set
again when the last proof of it is older than a restart takes, and no payload follows a prompt before which the
stick echoed the command, if it had not done so before: after a restart it echoes (`drivers.at.request.EchoReturned`).
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from typing import TYPE_CHECKING

from drivers.at.request import EchoReturned
from drivers.at.responses import parse_cmgs
from drivers.base import Accepted, Blame, Fault, FaultKind, OutboundSegment, Refused, SubmitResult, Uncertain
from drivers.broken import refuse_broken, where_broke
from drivers.codec.address import encode_sca
from drivers.codec.tpdu import SmsSubmit, encode_submit
from drivers.errors import AtError, CmeError, CmsError, DriverError, EncodeError, WireLost, WireTimeout
from drivers.modem.asking import try_request
from drivers.modem.faults import CME_NETWORK_TIMEOUT, CMS_NETWORK_TIMEOUT, CMS_UNKNOWN, classify_error
from drivers.paced_log import PacedLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivers.at.port import AtPort
    from drivers.at.request import OnLate

logger = PacedLog(__name__, most=100)

PDU_MODE_TRUST_S = 2.0
"""No stick restarts and prompts again within this."""
NETWORK_SILENT_S = 30.0
"""A network that has not answered by then does not answer (TR1M, 3GPP TS 24.011 10), and many sticks call that an
unknown error."""
BACK_TO_BACK_S = 1.0
"""Segments that follow each other so fast are a queue."""


class Outbound:
    """The sending side of one session: what the stick was told, and when.

    Attributes:
        last_answer: by the loop's clock, when a segment was last answered; the start before that.
    """

    def __init__(
        self,
        port: AtPort,
        *,
        channel: str,
        answer_timeout_s: float,
        prompt_timeout_s: float,
        on_late: Callable[[OutboundSegment, SubmitResult, bool], None],
    ) -> None:
        self._port = port
        self._on_late = on_late
        self._channel = channel
        self._answer_timeout_s = answer_timeout_s
        self._prompt_timeout_s = prompt_timeout_s
        self._pdu_mode_proven = -PDU_MODE_TRUST_S
        self._link_kept_open = False
        self._n_waiting = 0
        self.last_answer = _now()

    @property
    def port(self) -> AtPort:
        """The port that the session uses."""
        return self._port

    def exchange(self, segment: OutboundSegment) -> Exchange:
        """Prepare the sending of one segment."""
        return Exchange(self, segment, channel=self._channel, on_late=self._on_late)

    async def send(self, segment: OutboundSegment, pdu: Pdu, on_late: OnLate) -> tuple[str, ...]:
        """Put one PDU on the wire and wait for the answer's lines; raises and Cancel as the port's."""
        self._n_waiting += 1
        try:
            if segment.more_to_come or self._n_waiting > 1 or self._is_back_to_back():
                await self._keep_link_open()
            await self._ensure_pdu_mode()
            try:
                lines = await self._prompt_and_send(pdu, on_late)
            except EchoReturned:
                logger.warning("%s: the stick echoes again; setting it up for PDUs once more", self._channel)
                await try_request(self._port, "ATE0")
                await self._set_pdu_mode()
                lines = await self._prompt_and_send(pdu, on_late)
        finally:
            self._n_waiting -= 1
        self.last_answer = self._pdu_mode_proven = _now()
        return lines

    async def _prompt_and_send(self, pdu: Pdu, on_late: OnLate) -> tuple[str, ...]:
        return await self._port.request_with_payload(
            f"AT+CMGS={pdu.n_octets}",
            pdu.payload,
            on_payload=pdu.mark_left,
            timeout_s=self._answer_timeout_s,
            prompt_timeout_s=self._prompt_timeout_s,
            on_late=on_late,
        )

    async def _ensure_pdu_mode(self) -> None:
        if _now() - self._pdu_mode_proven >= PDU_MODE_TRUST_S:
            await self._set_pdu_mode()

    async def _set_pdu_mode(self) -> None:
        await self._port.request("AT+CMGF=0")
        self._pdu_mode_proven = _now()

    def _is_back_to_back(self) -> bool:
        return self._pdu_mode_proven > 0 and _now() - self.last_answer < BACK_TO_BACK_S

    async def _keep_link_open(self) -> None:
        """Ask once that the relay link stays between messages (3GPP TS 27.005 3.5.6); refusals are tolerated."""
        if not self._link_kept_open:
            self._link_kept_open = True
            await try_request(self._port, "AT+CMMS=2")


class Pdu:
    """One PDU for the wire.

    Attributes:
        n_octets: of the TPDU, as AT+CMGS wants it.
        payload: service centre and TPDU in hex digits.
        left: octets of it may be on the wire.
        left_at: since when, by the loop's clock.
    """

    def __init__(self, tpdu: bytes) -> None:
        self.n_octets = len(tpdu)
        self.payload = (encode_sca(None) + tpdu).hex().upper().encode()
        self.left = False
        self.left_at = math.inf

    def mark_left(self) -> None:
        """The first octet is about to be written."""
        self.left = True
        self.left_at = _now()


class Exchange:
    """The sending of one segment.

    Attributes:
        is_abandoned: nobody waits for its outcome any more.
    """

    def __init__(
        self,
        outbound: Outbound,
        segment: OutboundSegment,
        *,
        channel: str,
        on_late: Callable[[OutboundSegment, SubmitResult, bool], None],
    ) -> None:
        self._outbound = outbound
        self.is_abandoned = False
        self._on_late = on_late
        self._segment = segment
        self._channel = channel
        self._pdu: Pdu | None = None

    @property
    def pdu_left(self) -> bool:
        """Octets of the PDU may be on the wire; from then on the exchange must run to its end."""
        return self._pdu is not None and self._pdu.left

    async def run(self) -> SubmitResult:
        """Send and wait for the network's answer; raises nothing.

        Spec: 3GPP TS 27.005 4.3.

        Cancel: before the PDU the prompt is left with ESC and nothing has happened. Must not be
        cancelled once `pdu_left`.
        """
        try:
            self._pdu = Pdu(encode_submit(_to_submit(self._segment)))
        except EncodeError as error:
            detail = f"Can't be sent: {error}."
            return Refused(fault=Fault(kind=FaultKind.PERMANENT, code="invalid_segment", detail=detail))
        except Exception as error:  # noqa: BLE001 - nothing is on the wire yet, and nobody else is to suffer
            logger.warning("%s: segment %s: %s", self._channel, self._segment.segment_id, where_broke(error))
            return refuse_broken(error)
        try:
            lines = await self._outbound.send(self._segment, self._pdu, self._take_late)
        except DriverError as error:
            return self._judge(error)
        return _accepted(lines)

    def _take_late(self, lines: tuple[str, ...], error: DriverError | None) -> None:
        """The stick has answered after all; nobody waits for it any more."""
        result = _accepted(lines) if error is None else self._judge(error)
        self._on_late(self._segment, result, self.is_abandoned)

    def _waited_s(self) -> float:
        return 0.0 if self._pdu is None else _now() - self._pdu.left_at

    def _judge(self, error: DriverError) -> SubmitResult:
        logger.info("%s: segment %s: %s", self._channel, self._segment.segment_id, error)
        if self.pdu_left:
            match error:
                case WireLost():
                    detail = "The link died before the network answered."
                    return Uncertain(code="link_lost", detail=detail, blame=Blame.CHANNEL)
                case WireTimeout():
                    return Uncertain(code="answer_timeout", detail="The network's answer did not come.")
                case AtError() if str(error) == "ABORTED":
                    return Uncertain(code="aborted", detail="The stick broke the command off.")
                case CmsError(code=code) if code == CMS_NETWORK_TIMEOUT:
                    # The stick handed the PDU to the network and heard nothing (TR1M, TS 24.011 10).
                    return Uncertain(code="cms_332", detail="The stick got no answer from the network.")
                case CmsError(code=code) if code == CMS_UNKNOWN and self._waited_s() >= NETWORK_SILENT_S:
                    return Uncertain(
                        code="cms_500", detail="The stick gave up after a long wait for the network."
                    )
                case CmeError(code=code) if code == CME_NETWORK_TIMEOUT:
                    return Uncertain(code="cme_31", detail="The stick got no answer from the network.")
                case _:
                    return Refused(fault=classify_error(error))
        fault = classify_error(error)
        if fault.code == "at_error":
            # Before the PDU a bare ERROR says nothing of the segment, only that this stick won't prompt.
            fault = Fault(kind=FaultKind.CHANNEL, code="no_prompt", detail="The stick refused to prompt.")
        # It has not seen the recipient yet, so it can't be the recipient's.
        return Refused(fault=replace(fault, blame=Blame.CHANNEL))


def _accepted(lines: tuple[str, ...]) -> Accepted:
    mr = parse_cmgs(lines)
    return Accepted(reference=None if mr is None else str(mr))


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


def _now() -> float:
    return asyncio.get_running_loop().time()
