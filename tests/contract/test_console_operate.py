"""The pages for those who operate: channels, alarms and opt-outs say what is wrong, and do what they are told."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.clock import SystemClock
from gateway.model.alarm import AlarmKind
from gateway.model.user import Role
from gateway.pipeline.alarms import raise_alarm
from gateway.routing.channel import ChannelState
from gateway.store.alarms import list_alarms
from tests.support.console import open_console

NUMBER = "+8613800138000"


async def test_a_channel_that_is_down_says_why_and_what_to_do(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        assert "It works." in (await visitor.get("/channels/sim-1")).text
        rig.api.channels.change(
            "sim-1",
            state=ChannelState.STOPPED,
            error="stick_taken: ModemManager has it",
            facts={"signal_dbm": -71, "operator": "China Unicom", "balance": 12.5},
        )
        listed = (await visitor.get("/channels")).text
        for words in ("sim-1", "stopped", "hongyan doctor", "-71", "China Unicom", "12.5"):
            assert words in listed
        page = (await visitor.get("/channels/sim-1")).text
        assert "Another program uses the modem" in page
        assert "ModemManager has it" in page
        assert "sim-1" in (await visitor.get("/channels?format=csv")).text
        assert (await visitor.get("/channels/none")).status == 404
    async with open_console(tmp_path / "zh") as rig, rig.visitor("admin", "zh") as visitor:
        assert "工作正常" in (await visitor.get("/channels/sim-1")).text


async def test_a_channel_is_paused_drained_resumed_and_reset_by_its_buttons(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        for deed, state in (
            ("pause", "paused"),
            ("resume", "up"),
            ("drain", "draining"),
            ("reset", "starting"),
        ):
            done = await visitor.post(f"/channels/sim-1/{deed}")
            assert done.location == "/console/channels/sim-1"
            found = rig.api.channels.snapshot("sim-1")
            assert found is not None
            assert found.state == state
        assert "channel" in (await visitor.get("/channels/sim-1")).text


async def test_ussd_answers_on_the_page_and_a_bad_code_is_marked(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        assert "you asked *100#" in (await visitor.post("/channels/sim-1/ussd", {"code": "*100#"})).text
        wrong = await visitor.post("/channels/sim-1/ussd", {"code": '"'})
        assert wrong.status == 422
        assert "Write a code such as" in wrong.text


async def test_a_test_message_to_no_number_is_refused_on_the_page_and_a_trace_says_its_file(
    tmp_path: Path,
) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        wrong = await visitor.post("/channels/sim-1/test", {"to": "hello"})
        assert wrong.status == 422
        assert 'role="alert"' in wrong.text
        await visitor.post("/channels/sim-1/trace", {"on": "yes"})
        assert "sim-1.trace" in (await visitor.get("/channels/sim-1")).text


async def test_who_only_looks_has_no_buttons_and_no_right_to_their_forms(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig:
        await rig.add_user("viewer", Role.VIEWER)
        async with rig.visitor("viewer") as visitor:
            assert "/channels/sim-1/reset" not in (await visitor.get("/channels/sim-1")).text
            for path in (
                "/channels/sim-1/pause",
                "/alarms/clear",
                "/suppressions/add",
                "/suppressions/remove",
            ):
                assert (await visitor.post(path, {"number": NUMBER})).status == 403


async def test_an_open_alarm_is_shown_with_its_words_and_closed(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        assert "All is well" in (await visitor.get("/alarms")).text
        store, clock = rig.api.store, SystemClock()
        detail = "Nothing moves though there is room; reset the channel."
        await store.write(lambda tx: raise_alarm(tx, clock, AlarmKind.STANDSTILL, "sim-1", detail))
        assert detail in (await visitor.get("/alarms")).text
        (alarm,) = await store.read(lambda tx: list_alarms(tx, limit=5))
        assert (await visitor.post("/alarms/clear", {"id": alarm.id})).location == "/console/alarms"
        assert detail not in (await visitor.get("/alarms")).text
        assert (await visitor.post("/alarms/clear", {"id": alarm.id})).status == 404
        assert "No monitoring tool" in (await visitor.get("/alerts")).text


async def test_an_opt_out_by_hand_has_its_evidence_and_is_taken_back(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        added = await visitor.post("/suppressions/add", {"number": NUMBER, "reason": "asked by telephone"})
        assert "number=%2B8613800138000" in added.location
        page = (await visitor.get(f"/suppressions?number={NUMBER.replace('+', '%2B')}")).text
        for words in (NUMBER, "asked by telephone", "opted_out", "admin", "Evidence"):
            assert words in page
        assert NUMBER in (await visitor.get("/suppressions")).text
        await visitor.post("/suppressions/remove", {"number": NUMBER, "scope": "everything"})
        assert NUMBER not in (await visitor.get("/suppressions")).text
        assert (await visitor.get("/suppressions?number=xx")).status == 200
        await visitor.post("/suppressions/add", {"number": "12"})
        assert "said-bad" in (await visitor.get("/suppressions")).text


async def test_a_webhook_shows_its_secret_once_is_tested_paused_resumed_and_removed(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        wrong = await visitor.post("/webhooks", {"name": "shop", "url": "nowhere"})
        assert "fault" in wrong.text
        made = await visitor.post(
            "/webhooks",
            {"name": "shop", "url": "https://example.com/sms", "types": "message.* inbound.received"},
        )
        assert "whsec_" in made.text
        listed = (await visitor.get("/webhooks")).text
        assert "whsec_" not in listed
        assert "inbound.received" in listed
        found = re.search(r"/console/webhooks/(\w+)\"", listed)
        assert found is not None
        path = f"/webhooks/{found[1]}"
        assert (await visitor.post(f"{path}/pause")).location == f"/console{path}"
        page = (await visitor.get(path)).text
        for words in ("not called", "disabled by", "mend the receiver"):
            assert words in page
        await visitor.post(f"{path}/resume")
        assert "mend the receiver" not in (await visitor.get(path)).text
        await visitor.post(f"{path}/replay")
        assert "0 events" in (await visitor.get(path)).text
        assert (await visitor.get(f"{path}?status=dead")).status == 200
        assert (await visitor.post(f"{path}/retry", {"id": "x"})).status == 404
        await visitor.post(f"{path}/remove")
        assert (await visitor.get(path)).status == 404


async def test_routes_tell_where_a_message_would_go(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        assert "Where would a message go?" in (await visitor.get("/routes")).text
        answered = (await visitor.get("/routes?to=%2B8613800138000&category=otp")).text
        assert "sim-1" in answered
        assert 'role="alert"' not in answered
        for query in ("to=hello", "to=%2B8613800138000&category=nonsense"):
            wrong = await visitor.get(f"/routes?{query}")
            assert wrong.status == 200
            assert 'role="alert"' in wrong.text


async def test_a_number_shows_what_it_agreed_to_with_its_evidence(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        assert "No consent is on record" in (await visitor.get("/consents")).text
        consent = {
            "number": NUMBER,
            "source": "form",
            "wording": "Yes, send me offers",
            "evidence": {"reference": "order 17"},
        }
        status, _ = await rig.api.call("POST", "/v1/consents", json=consent)
        assert status == 200
        for path in ("/consents", "/consents?number=%2B8613800138000"):
            page = (await visitor.get(path)).text
            for words in (NUMBER, "Yes, send me offers", "order 17", "given"):
                assert words in page
        assert "No consent" not in (await visitor.get("/consents?number=xx")).text


async def test_numbers_are_masked_for_those_who_only_look(tmp_path: Path) -> None:
    async with open_console(tmp_path, masks=True) as rig:
        await rig.add_user("viewer", Role.VIEWER)
        await rig.add_user("operator", Role.OPERATOR)
        await rig.api.call("PUT", "/v1/suppressions/%2B8613800138000")
        for name, whole in (("viewer", False), ("operator", True)):
            async with rig.visitor(name) as visitor:
                assert (NUMBER in (await visitor.get("/suppressions")).text) is whole
