"""The AT trace of one channel, switched on and off while the modem works."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.at.trace import TraceFile, read_trace
from drivers.base import Accepted, Encoding, OutboundSegment, SegmentId
from drivers.modem.bringup.pin import PinLedger
from drivers.modem.config import ModemConfig
from drivers.modem.driver import ModemDriver
from gateway.channels.traces import Traces
from gateway.clock import SystemClock
from gateway.errors import Conflict, NotSupported
from gateway.pipeline.sending.lane import Lane
from simulators.modem.modem import SimulatedModem
from simulators.network import Network
from tests.support.fake_driver import ScriptedDriver
from tests.support.recording_sink import RecordingSink
from tests.support.running import running_driver

pytestmark = pytest.mark.integration

RECIPIENT = "+8613800138000"


@pytest.fixture
async def lane(tmp_path: Path):
    network = Network()
    async with SimulatedModem(network, number="+8613900139000", link=tmp_path / "stick") as modem:
        driver = ModemDriver(ModemConfig(name="sim-1", port=modem.port), pins=PinLedger())
        sink = RecordingSink()
        async with running_driver(driver, sink):
            await sink.wait_until_up()
            yield Lane(driver, groups=("default",), clock=SystemClock())
    await network.close()


async def send(lane: Lane) -> None:
    segment = OutboundSegment(
        segment_id=SegmentId("s"), recipient=RECIPIENT, encoding=Encoding.GSM7, payload=b"hello"
    )
    assert isinstance(await lane.driver.submit(segment), Accepted)


async def test_a_trace_is_written_from_on_to_off_and_shows_nobodys_number(lane: Lane, tmp_path: Path):
    traces = Traces(tmp_path / "traces")
    await send(lane)
    reply = traces.switch(lane, on=True)
    path = tmp_path / "traces/sim-1.trace"
    assert (reply.on, reply.file, lane.facts["trace"]) == (True, str(path), str(path))
    await send(lane)
    assert traces.switch(lane, on=True) == reply, "it goes on"
    assert traces.switch(lane, on=False).file is None
    text = path.read_text()
    assert text.count("sim-1 > AT+CMGS=") == 1
    assert "sim-1 < OK" in text
    assert "683108108300F0" not in text, "the recipient's number as it stands in a PDU"
    assert path.stat().st_mode & 0o777 == 0o600
    assert "trace" not in lane.facts
    await send(lane)
    assert path.read_text() == text
    traces.switch(lane, on=True)
    assert path.read_text() == "", "made anew"
    traces.close()


async def test_a_trace_of_all_modems_goes_on_where_that_of_one_ends(lane: Lane, tmp_path: Path):
    traces, common = Traces(tmp_path / "traces"), tmp_path / "all.trace"
    file = TraceFile(common, lambda: 0.0)
    traces.write_all(file, [lane])
    traces.switch(lane, on=True)
    await send(lane)
    n_before = common.read_text().count("AT+CMGS")
    traces.switch(lane, on=False)
    await send(lane)
    file.close()
    assert (n_before, common.read_text().count("AT+CMGS")) == (0, 1)
    assert list(read_trace(common.read_text().splitlines(keepends=True)))


async def test_what_can_not_be_traced_is_said(lane: Lane, tmp_path: Path):
    (tmp_path / "a file").touch()
    with pytest.raises(Conflict, match="the trace can't be written: File exists"):
        Traces(tmp_path / "a file").switch(lane, on=True)
    bind = Lane(ScriptedDriver("bind"), groups=("default",), clock=SystemClock())
    with pytest.raises(NotSupported, match="smpp"):
        Traces(tmp_path).switch(bind, on=True)
