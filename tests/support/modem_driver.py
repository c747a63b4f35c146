"""The modem driver on a scripted stick: its config, the segments it is given, the PDUs the stick holds."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import msgspec

from drivers.base import Encoding, InboundPart, OutboundSegment, SegmentId
from drivers.codec.address import encode_sca
from drivers.codec.tpdu import SmsDeliver, SmsStatusReport, encode_deliver, encode_status_report
from drivers.modem.bringup.pin import PinLedger
from drivers.modem.config import ModemConfig
from drivers.modem.driver import ModemDriver
from drivers.modem.timing import ModemTiming
from tests.support.recording_sink import RecordingSink
from tests.support.scripted_modem import ScriptedModem

QUICK = ModemTiming(
    poll_s=0.01,
    sim_busy_s=0.3,
    registration_s=0.3,
    sweep_s=60.0,
    sweep_after_failure_s=0.05,
    backoff_s=0.02,
    backoff_cap_s=0.05,
)
AT = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)


def segment(**changes) -> OutboundSegment:
    """A plain segment, but for what the test gives."""
    plain = OutboundSegment(
        segment_id=SegmentId("s-1"), recipient="+8613800138000", encoding=Encoding.GSM7, payload=b"hello"
    )
    return msgspec.structs.replace(plain, **changes)


def deliver_pdu(text: str = "hi", sender: str = "+8613900139000", udh: bytes = b"") -> str:
    """A message as the stick lists it."""
    tpdu = encode_deliver(
        SmsDeliver(
            tp_oa=sender, tp_scts=AT, encoding=Encoding.UCS2, payload=text.encode("utf-16-be"), udh=udh
        )
    )
    return (encode_sca("+8613800210500") + tpdu).hex().upper()


def report_pdu(mr: int = 1, st: int = 0) -> str:
    """A status report as the stick lists it."""
    tpdu = encode_status_report(
        SmsStatusReport(tp_mr=mr, tp_ra="+8613800138000", tp_scts=AT, tp_dt=AT, tp_st=st)
    )
    return (encode_sca("+8613800210500") + tpdu).hex().upper()


def driver_for(modem: ScriptedModem, pins: PinLedger | None = None, **changes) -> ModemDriver:
    """A quick driver on the stick."""
    config = replace(ModemConfig(name="sim-1", port=str(modem.link), timing=QUICK), **changes)
    return ModemDriver(config, pins=pins or PinLedger())


@asynccontextmanager
async def running(driver: ModemDriver, sink: RecordingSink):
    """The task of a driver that runs as long as the block."""
    task = asyncio.create_task(driver.run(sink))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def texts(sink: RecordingSink) -> list[str]:
    """What the parts say that the sink took, in their order."""
    return [part.payload.decode("utf-16-be") for part in sink.of(InboundPart)]


def list_and_delete(modem: ScriptedModem, *, obeys: bool) -> None:
    """Teach the stick AT+CMGD=<index>,1, or to do nothing then."""
    plain = modem._answer

    def answer(command: str) -> None:
        if command.startswith("AT+CMGD=") and command.endswith(",1"):
            if obeys:
                modem.stored.clear()
            modem.say("OK")
        else:
            plain(command)

    modem._answer = answer  # type: ignore[method-assign]
