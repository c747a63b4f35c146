"""Our SMPP server as an application meets it, PDU by PDU: binds, and peers that break the rules."""

from __future__ import annotations

import asyncio
import errno
from types import SimpleNamespace

import pytest

from drivers.smpp.wire.constants import CommandStatus, Tag
from drivers.smpp.wire.fields import find_int_tlv
from drivers.smpp.wire.pdus import (
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    EnquireLink,
    EnquireLinkResp,
    Unbind,
    UnbindResp,
)
from gateway.esme.service import Listener
from tests.support.esme import connected_esme
from tests.support.eventually import eventually
from tests.support.smpp_application import accepted, account, all_messages, connected_world, serving, submit

pytestmark = pytest.mark.integration

# ---- binds


@pytest.mark.parametrize("kind", [BindTransmitter, BindReceiver, BindTransceiver])
async def test_an_application_binds_asks_for_life_and_unbinds(tmp_path, kind):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        bound = await esme.bind(kind)
        assert bound.command_status == 0
        assert bound.body.system_id == "hongyan"
        assert find_int_tlv(bound.body.tlvs, Tag.SC_INTERFACE_VERSION) == 0x34
        assert isinstance((await esme.ask(EnquireLink())).body, EnquireLinkResp)
        assert isinstance((await esme.ask(Unbind())).body, UnbindResp)
        assert await esme.closed_by_peer()


@pytest.mark.parametrize(
    ("rights", "bind", "status"),
    [
        ({}, {"password": "wrong"}, CommandStatus.RINVPASWD),
        ({}, {"system_id": "nobody"}, CommandStatus.RINVPASWD),
        ({"addresses": ("192.0.2.0/24",)}, {}, CommandStatus.RBINDFAIL),
        ({"binds": frozenset({"transmitter"})}, {}, CommandStatus.RBINDFAIL),
    ],
)
async def test_who_may_not_bind_is_told_why_and_cut_off(tmp_path, rights, bind, status):
    from ipaddress import ip_network

    if "addresses" in rights:
        rights = {"addresses": tuple(ip_network(one) for one in rights["addresses"])}
    async with serving(tmp_path / "db", account(**rights)) as served, connected_esme(served.port) as esme:
        assert (await esme.bind(**bind)).command_status == status
        assert await esme.closed_by_peer()


async def test_more_binds_than_allowed_are_refused_until_one_leaves(tmp_path):
    async with (
        serving(tmp_path / "db", account(max_binds=1)) as served,
        connected_esme(served.port) as first,
        connected_esme(served.port) as second,
        connected_esme(served.port) as third,
    ):
        assert (await first.bind()).command_status == 0
        assert (await second.bind()).command_status == CommandStatus.RALYBND
        await first.ask(Unbind())
        await eventually(lambda: served.service._host.n_binds == {"hongyan": 0})
        assert (await third.bind()).command_status == 0


async def test_nothing_is_taken_from_who_is_not_bound(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        assert (await esme.ask(submit())).command_status == CommandStatus.RINVBNDSTS
        await esme.bind(BindReceiver)
        assert (await esme.ask(submit())).command_status == CommandStatus.RINVBNDSTS
        assert served.driver.submitted == []


async def test_who_is_bound_when_we_stop_is_told_goodbye(tmp_path):
    async with connected_world(tmp_path) as (served, esme):
        await esme.bind()
        stopping = asyncio.create_task(served.service.stop())
        goodbye = await esme.receive()
        assert isinstance(goodbye.body, Unbind)
        esme.send(UnbindResp(), sequence_number=goodbye.sequence_number)
        await stopping
        assert await esme.closed_by_peer()


async def test_who_does_not_listen_when_we_stop_is_cut_off(tmp_path):
    async with connected_world(tmp_path) as (served, esme):
        await esme.bind()
        await served.service.stop()
        assert isinstance((await esme.receive()).body, Unbind)
        assert await esme.closed_by_peer()


async def test_a_port_that_is_taken_is_named(tmp_path):
    async with serving(tmp_path / "one") as served:
        taken = [Listener(host="127.0.0.1", port=served.port)]
        with pytest.raises(OSError, match=f"smpp_server 127.0.0.1:{served.port}") as failed:
            async with serving(tmp_path / "two", listeners=taken):
                pass
        assert failed.value.errno == errno.EADDRINUSE


# ---- peers that break the rules


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        bytes(64),
        b"\xff" * 64,
        bytes.fromhex("00000010 0000ffff 00000000 00000001"),
        bytes.fromhex("00000012 00000004 00000000 00000001 0000"),
    ],
    ids=["http", "zeros", "ones", "unknown command", "cut short"],
)
async def test_garbage_harms_nobody_else(tmp_path, octets):
    async with connected_world(tmp_path) as (served, esme):
        await esme.bind()
        async with connected_esme(served.port) as stranger:
            stranger.send_octets(octets)
            answer = await stranger.receive()
            assert answer.command_status != 0
        async with connected_esme(served.port) as bound:
            await bound.bind()
            bound.send_octets(octets)
            assert (await bound.receive()).command_status != 0
        assert (await esme.ask(submit())).command_status == 0
        await eventually(lambda: served.service._host.n_binds == {"hongyan": 1})


async def test_a_submission_whose_sender_is_gone_is_whole_or_not_there(tmp_path):
    async with serving(tmp_path / "db") as served:
        for _ in range(5):
            async with connected_esme(served.port) as esme:
                await esme.bind(BindTransmitter)
                for _ in range(20):
                    esme.send(submit())
        async with connected_esme(served.port) as esme:
            await esme.bind(BindTransmitter)
            await accepted(esme, submit())
        messages = await all_messages(served)
        assert {m.text for m in messages} == {"hello"}
        await served.driver.until_submitted(len(messages))


async def test_a_submission_whose_sender_is_gone_goes_out_and_is_no_backlog_then(tmp_path, monkeypatch):
    async with serving(tmp_path / "db") as served:
        state = served.service._states["hongyan"]
        committed, heard = asyncio.Event(), asyncio.Event()
        store = served.rig.store

        async def slow_write(op, **about):
            result = await store.write(op, **about)
            committed.set()
            await heard.wait()  # that the application is gone
            return result

        async with connected_esme(served.port) as esme:
            await esme.bind(BindTransmitter)
            slow = SimpleNamespace(write=slow_write, read=store.read)
            monkeypatch.setattr(served.service._submissions, "_store", slow)
            esme.send(submit())
            await committed.wait()
        await eventually(lambda: state.n_binds == 0)
        heard.set()
        await served.driver.until_submitted(1)
        await eventually(lambda: state.waiting == 0)


async def test_a_flood_of_connections_is_bounded(tmp_path):
    few = [Listener(host="127.0.0.1", port=0, max_connections=2)]
    async with (
        serving(tmp_path / "db", listeners=few) as served,
        connected_esme(served.port) as one,
        connected_esme(served.port) as idle,
    ):
        assert (await one.bind()).command_status == 0
        async with connected_esme(served.port) as two:
            assert await idle.closed_by_peer()  # who does not bind makes room
            assert (await two.bind()).command_status == 0
            async with connected_esme(served.port) as three:
                assert await three.closed_by_peer()
            for esme in (one, two):
                assert (await esme.ask(EnquireLink())).command_status == 0
