"""A bind whose link is well and whose session is dead: a new one is opened when it is asked for, and by the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from drivers.base import (
    Accepted,
    ChannelDown,
    ChannelInfo,
    ChannelNotice,
    ChannelUp,
    Fault,
    FaultKind,
    Refused,
    Uncertain,
)
from drivers.smpp.client.config import Peer
from drivers.smpp.client.driver import SmppDriver
from drivers.smpp.session.machine import RequestReceived
from drivers.smpp.wire.constants import CommandStatus
from drivers.smpp.wire.pdus import BindReceiver, BindTransmitter
from gateway.clock import SystemClock
from gateway.pipeline.sending.lane import Lane
from gateway.routing.channel import ChannelState
from tests.support.eventually import eventually
from tests.support.smpp_driver import Running, bound, running, segment
from tests.support.smsc_peer import SmscLink, SmscPeer

pytestmark = pytest.mark.integration

DEAD = Fault(kind=FaultKind.CHANNEL, code="smpp_0x04", detail="Not on this bind.")


def dead_at_first(peer: SmscPeer, answer: Callable[[SmscLink, RequestReceived], object]) -> None:
    """The first session refuses, or says nothing; later ones are well."""

    def on_submit(link: SmscLink, request: RequestReceived) -> None:
        if link is peer.links[0]:
            answer(link, request)
        else:
            link.accept(request)

    peer.on_submit = on_submit


async def test_a_new_session_is_opened_and_told():
    async with bound() as run:
        run.driver.renew(DEAD, n_recipients=1)
        await run.peer.wait_bound(2)
        await run.sink.wait_for(lambda: len(run.sink.of(ChannelUp)) == 2)
        assert run.peer.links[0].closed
        [down] = run.sink.of(ChannelDown)
        assert (down.fault.kind, down.fault.code) == (FaultKind.CHANNEL, "renewing")
        assert "smpp_0x04" in down.fault.detail
        assert [notice.code for notice in run.sink.of(ChannelNotice)] == ["session_renewed"]
        assert {"renewals": 1} in [info.facts for info in run.sink.of(ChannelInfo)]
        assert isinstance(await run.submit(), Accepted)


async def test_what_is_on_the_wire_gets_its_answer_first_and_nothing_new_goes_there():
    async with bound() as run:
        run.peer.keep_submits()
        first = run.submit(1)
        await run.peer.wait_for(lambda: run.peer.link.submits)
        run.driver.renew(DEAD, n_recipients=1)
        await run.sink.wait_for_event(ChannelDown)
        refused = await run.submit(2)
        assert isinstance(refused, Refused)
        assert refused.fault.kind is FaultKind.CHANNEL
        assert len(run.peer.links) == 1
        run.peer.link.accept(run.peer.link.submits[0])
        assert isinstance(await first, Accepted)
        await run.peer.wait_bound(2)


async def test_what_is_never_answered_there_does_not_keep_it_for_ever():
    async with bound(response_timeout_s=0.2) as run:
        run.peer.keep_submits()
        lost = run.submit(1)
        await run.peer.wait_for(lambda: run.peer.link.submits)
        run.driver.renew(DEAD, n_recipients=1)
        assert isinstance(await lost, Uncertain)
        await run.peer.wait_bound(2)


async def test_both_halves_of_a_pair_are_bound_anew():
    async with SmscPeer() as peer, running(peer, bind="pair") as run:
        await run.sink.wait_until_up()
        await peer.wait_for(lambda: len([link for link in peer.links if link.bind]) == 2)
        run.driver.renew(DEAD, n_recipients=1)
        await peer.wait_for(lambda: len([link for link in peer.links if link.bind]) == 4)
        assert {type(link.bind) for link in peer.links[2:]} == {BindTransmitter, BindReceiver}
        assert all(link.closed for link in peer.links[:2])


async def test_another_host_is_asked_first():
    async with (
        SmscPeer() as dead,
        SmscPeer() as well,
        running(dead, spare_peers=(Peer("127.0.0.1", well.port),)) as run,
    ):
        await run.sink.wait_until_up()
        run.driver.renew(DEAD, n_recipients=1)
        await well.wait_bound()
        assert len(dead.links) == 1


async def send_until_accepted(run: Running, deadline_s: float = 20.0) -> None:
    """As the gateway does it: one segment after the other, when the lane has room."""
    lane = Lane(run.driver, groups=(), clock=SystemClock())
    sent = 0
    async with asyncio.timeout(deadline_s):
        while True:
            lane.set_state(ChannelState.UP if run.driver._connection is not None else ChannelState.DOWN)
            await eventually(lambda: run.driver._connection is not None)
            if lane.state is ChannelState.UP:
                sent += 1
                if isinstance(await lane.submit(segment(sent)), Accepted):
                    return


def refuse(status: CommandStatus) -> Callable[[SmscLink, RequestReceived], object]:
    return lambda link, request: link.answer(request, status=status)


@pytest.mark.parametrize(
    "answer",
    [
        refuse(CommandStatus.RINVBNDSTS),
        refuse(CommandStatus.RALYBND),
        refuse(CommandStatus.RBINDFAIL),
        refuse(CommandStatus.RSYSERR),
        refuse(CommandStatus.RSUBMITFAIL),
        refuse(CommandStatus.RUNKNOWNERR),
        lambda _link, _request: None,
    ],
    ids=["RINVBNDSTS", "RALYBND", "RBINDFAIL", "RSYSERR", "RSUBMITFAIL", "RUNKNOWNERR", "no answer"],
)
async def test_a_session_that_takes_nothing_is_replaced_without_an_operator(answer):
    async with SmscPeer() as peer:
        dead_at_first(peer, answer)
        async with running(peer, response_timeout_s=0.2) as run:
            assert isinstance(run.driver, SmppDriver)
            await send_until_accepted(run)
            assert len(peer.links) == 2
            assert len(peer.links[0].submits) <= 3
